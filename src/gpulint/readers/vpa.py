"""VerticalPodAutoscaler."""

from __future__ import annotations

from gpulint.model.project import Project
from gpulint.model.values import ObjectRef
from gpulint.readers._manifest import Manifest, sourced_text, text_at
from gpulint.readers._pods import elements
from gpulint.source.yaml import Node

MARKS = (("VerticalPodAutoscaler",),)
KINDS = frozenset({("autoscaling.k8s.io", "VerticalPodAutoscaler")})
# What a policy that names no resources controls. Source: kubernetes/autoscaler vertical-pod-autoscaler, API reference.
_CONTROLLED = frozenset({"cpu", "memory"})


def read_object(manifest: Manifest, project: Project) -> None:
    from gpulint.model.policies import VerticalAutoscaler

    spec = manifest.node.get("spec")
    if spec is None or not spec.is_mapping:
        return
    kind, name = text_at(spec, "targetRef", "kind"), spec.at("targetRef", "name")
    project.vertical_autoscalers.append(
        VerticalAutoscaler(
            ref=manifest.ref,
            place=manifest.name_node().place,
            target=ObjectRef(kind, manifest.ref.namespace, name.text)
            if kind is not None and name is not None
            else None,
            target_place=(name or manifest.name_node()).place,
            update_mode=sourced_text(spec.at("updatePolicy", "updateMode")),
            resources=_resources(spec.get("resourcePolicy")),
        )
    )


def _resources(policy: Node | None) -> frozenset[str]:
    """What any container's policy controls; a policy in mode Off controls nothing."""
    policies = elements(policy, "containerPolicies") if policy is not None else []
    if not policies:
        return _CONTROLLED
    found: set[str] = set()
    for each in policies:
        listed = each.get("controlledResources")
        if text_at(each, "mode") != "Off":
            found |= {r.text for r in listed.elements() if r.text is not None} if listed is not None else _CONTROLLED
    return frozenset(found)
