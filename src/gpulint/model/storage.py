"""What pods keep their files on: claims to persistent volumes."""

from __future__ import annotations

from gpulint.model.values import ObjectRef, Sourced
from gpulint.record import record
from gpulint.source.text import Place


@record
class VolumeClaim:
    """A PersistentVolumeClaim. `access_modes` are as written (`ReadWriteOnce`), None where they are not all known."""

    ref: ObjectRef
    place: Place
    access_modes: Sourced[tuple[str, ...]] | None = None
