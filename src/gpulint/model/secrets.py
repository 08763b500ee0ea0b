"""Secrets as they lie in files: what anybody may read who reads the repository."""

from __future__ import annotations

from gpulint.model.values import ObjectRef
from gpulint.record import record
from gpulint.source.text import Place


@record
class StoredSecret:
    """One entry of a Secret: its key, its value decoded, and where that is written."""

    ref: ObjectRef
    key: str
    value: str
    place: Place
