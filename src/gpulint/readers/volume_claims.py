"""PersistentVolumeClaims."""

from __future__ import annotations

from gpulint.model.project import Project
from gpulint.model.values import Sourced
from gpulint.readers._manifest import Manifest

MARKS = (("PersistentVolumeClaim",), ("accessModes",))
KINDS = frozenset({("", "PersistentVolumeClaim")})


def read_object(manifest: Manifest, project: Project) -> None:
    from gpulint.model.storage import VolumeClaim

    modes = manifest.node.at("spec", "accessModes")
    words = [element.text for element in modes.elements()] if modes is not None else []
    known = tuple(word for word in words if word is not None)
    project.volume_claims.append(
        VolumeClaim(
            ref=manifest.ref,
            place=manifest.name_node().place,
            access_modes=Sourced(known, modes.place, modes.key_place)
            if modes is not None and known and len(known) == len(words)
            else None,
        )
    )
