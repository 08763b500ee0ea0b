"""Argo Rollouts that run the pod template of a Deployment instead of one of their own."""

from __future__ import annotations

from gpulint.model.project import Project
from gpulint.model.values import ObjectRef
from gpulint.readers._manifest import Manifest, text_at

MARKS = (("Rollout",), ("workloadRef",))
KINDS = frozenset({("argoproj.io", "Rollout")})


def read_object(manifest: Manifest, project: Project) -> None:
    """Notes whose template it runs. Source: Argo Rollouts specification, spec.workloadRef."""
    owner = manifest.node.at("spec", "workloadRef")
    kind, name = text_at(owner, "kind"), text_at(owner, "name")
    if owner is not None and kind is not None and name is not None:
        project.template_users.append((manifest.ref, ObjectRef(kind, manifest.ref.namespace, name), owner.key_place))
