"""Settings of the whole suite."""

from __future__ import annotations

import os

from hypothesis import settings

# No test is timed: a busy machine is no mistake. On CI the examples are the same each time, so that a change is judged
# by what it changes; everywhere else new ones are tried.
settings.register_profile("local", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "local")
