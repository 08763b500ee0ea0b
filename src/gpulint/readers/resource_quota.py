"""ResourceQuota: how many accelerators the pods of a namespace may ask for."""

from __future__ import annotations

from gpulint.model.project import Project
from gpulint.readers._manifest import Manifest, sourced_number
from gpulint.readers._pods import ACCELERATOR_WORDS

MARKS = (("ResourceQuota",), ACCELERATOR_WORDS)
KINDS = frozenset({("", "ResourceQuota")})


def read_object(manifest: Manifest, project: Project) -> None:
    from gpulint.model.policies import ResourceQuota

    spec = manifest.node.get("spec")
    hard = spec.get("hard") if spec is not None else None
    if spec is None or hard is None:
        return
    limits = {name: limit for name, node in hard.items() if (limit := sourced_number(node)) is not None}
    scoped = spec.get("scopes") is not None or spec.get("scopeSelector") is not None
    project.resource_quotas.append(ResourceQuota(manifest.ref, manifest.name_node().place, limits, scoped))
