"""What pods keep their files on: claims to persistent volumes."""

from __future__ import annotations

from dataclasses import dataclass

from gpulint.model.values import ObjectRef, Sourced
from gpulint.source.text import Place


@dataclass(slots=True, eq=False)
class VolumeClaim:
    """A PersistentVolumeClaim. `access_modes` are as written (`ReadWriteOnce`), None where they are not all known."""

    ref: ObjectRef
    place: Place
    access_modes: Sourced[tuple[str, ...]] | None = None
