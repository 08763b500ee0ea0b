"""What a file itself gets wrong, whatever it configures."""

from __future__ import annotations

from gpulint.model.values import ObjectRef
from gpulint.record import record
from gpulint.source.text import Place


@record
class DuplicateKey:
    """A key that stands twice in one mapping of an object: the later one counts, `first` is the one it hides.

    `same` says that both have one value, so that nothing is hidden.
    """

    ref: ObjectRef
    key: str
    place: Place
    first: Place
    same: bool = False


@record
class EmbeddedError:
    """A file inside a ConfigMap that its reader cannot parse: its name, the line where parsing stops, and why."""

    ref: ObjectRef
    file: str
    place: Place
    reason: str
