"""Values that know where they were written."""

from __future__ import annotations

from typing import Generic, TypeVar

from gpulint.record import record
from gpulint.source.text import Place

T = TypeVar("T")


def readable(text: str) -> str:
    """A text for people: what is filled in elsewhere, and has no name that a file holds, is left out of it.

    `$(?)-decode` (of a script) and `$(include.llm.fullname)-decode` (of a template that is not rendered) become
    `…-decode`; `$(NAME)`, as a manifest writes it, stays.
    """
    if "$(" not in text:
        return text
    import re

    return re.sub(r"(?:\$\((?:\?|[A-Za-z_][\w-]*\.[\w.-]*)\))+", "…", text)


def is_said(text: str) -> bool:
    """Whether a readable text says anything: `…-…` does not."""
    return any(char.isalnum() for char in text)


@record
class Sourced(Generic[T]):
    """A value read from a file: `place` spans the value, `key_place` its key (the same where it has none)."""

    value: T
    place: Place
    key_place: Place


@record
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


@record
class ObjectRef:
    """Identity of an object in a file: what a report calls it and what joins compare."""

    kind: str
    namespace: str | None
    name: str | None

    @property
    def short(self) -> str:
        """`Deployment llm`, without the namespace; the kind alone where a script or a template fills the name in."""
        name = readable(self.name) if self.name else "(unnamed)"
        return f"{self.kind} {name}" if is_said(name) else self.kind

    def __str__(self) -> str:
        """`Deployment chat/llm`."""
        name, namespace = readable(self.name) if self.name else "(unnamed)", readable(self.namespace or "")
        return f"{self.kind} {namespace}/{name}" if is_said(namespace) and is_said(name) else self.short
