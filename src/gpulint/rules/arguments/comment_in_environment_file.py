"""A comment behind a value in an environment file that knows no such comments."""

from __future__ import annotations

import re
from collections.abc import Iterator

from gpulint.finding import Evidence, Finding
from gpulint.model.workload import Container
from gpulint.rules import rule


@rule("comment-in-environment-file")
def check(container: Container) -> Iterator[Finding]:
    for variable in container.env.values():
        value = variable.value
        if not variable.remote or value is None or variable.place.source.path.endswith((".yaml", ".yml", ".json")):
            continue
        found = re.match(r"(\S+)\s+#", value)
        if found is None:
            continue
        yield Finding(
            place=variable.place,
            message=f"{variable.name} is the whole line to its end, comment included: {found[1]} # …. These files have "
            "no comments behind a value, and a program that expects a number or a name gets the text.",
            help="Put the comment on a line of its own that begins with #.",
            evidence=[Evidence("used by", str(container.ref), container.place)],
        )
