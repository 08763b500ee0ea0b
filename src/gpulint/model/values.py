"""Values that know where they were written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from gpulint.source.text import Place

T = TypeVar("T")


@dataclass(slots=True, eq=False)
class Sourced(Generic[T]):
    """A value read from a file: `place` spans the value, `key_place` its key (the same where it has none)."""

    value: T
    place: Place
    key_place: Place


@dataclass(slots=True, eq=False)
class Setting(Generic[T]):
    """An engine setting in the vocabulary that all engines share.

    `value` is None when it cannot be known (a variable, a template, a flag of an unknown version).
    `spelled` is how the file says it: `--tensor-parallel-size`, `NUM_SHARD`; for a default, the flag that would set it.
    `place` is None for a default.
    """

    value: T | None
    spelled: str
    place: Place | None = None
    default: bool = False


@dataclass(slots=True, eq=False)
class ObjectRef:
    """Identity of an object in a file: what a report calls it and what joins compare."""

    kind: str
    namespace: str | None
    name: str | None

    def __str__(self) -> str:
        where = f"{self.namespace}/" if self.namespace else ""
        return f"{self.kind} {where}{self.name or '(unnamed)'}"
