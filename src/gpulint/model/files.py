"""What a file itself gets wrong, whatever it configures."""

from __future__ import annotations

from dataclasses import dataclass

from gpulint.model.values import ObjectRef
from gpulint.source.text import Place


@dataclass(slots=True, eq=False)
class DuplicateKey:
    """A key that stands twice in one mapping of an object: the later one counts, `first` is the one it hides."""

    ref: ObjectRef
    key: str
    place: Place
    first: Place


@dataclass(slots=True, eq=False)
class EmbeddedError:
    """A file inside a ConfigMap that its reader cannot parse: its name, the line where parsing stops, and why."""

    ref: ObjectRef
    file: str
    place: Place
    reason: str
