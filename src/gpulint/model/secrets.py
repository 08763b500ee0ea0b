"""Secrets as they lie in files: what anybody may read who reads the repository."""

from __future__ import annotations

from dataclasses import dataclass

from gpulint.model.values import ObjectRef
from gpulint.source.text import Place


@dataclass(slots=True, eq=False)
class StoredSecret:
    """One entry of a Secret: its key, its value decoded, and where that is written."""

    ref: ObjectRef
    key: str
    value: str
    place: Place
