"""VariantAutoscaling of llm-d: computes the replicas of a Deployment, which an HPA or a ScaledObject then applies."""

from __future__ import annotations

from gpulint.model.autoscaler import Autoscaler
from gpulint.model.project import Project
from gpulint.model.values import ObjectRef
from gpulint.readers._manifest import Manifest, sourced_int, text_at

MARKS = (("VariantAutoscaling",), ("llmd.ai",))
KINDS = frozenset({("llmd.ai", "VariantAutoscaling")})


def read_object(manifest: Manifest, project: Project) -> None:
    """Before scaleTargetRef, the Deployment was the one of the same name.

    Source: llm-d/llm-d-workload-variant-autoscaler api/v1alpha1, and its controller before v0.5.
    """
    spec = manifest.node.get("spec")
    if spec is None:
        return
    reference = spec.get("scaleTargetRef")
    kind = text_at(reference, "kind") or "Deployment"
    name = spec.at("scaleTargetRef", "name")
    target = text_at(reference, "name") if reference is not None else manifest.ref.name
    project.autoscalers.append(
        Autoscaler(
            ref=manifest.ref,
            place=manifest.name_node().place,
            target=ObjectRef(kind, manifest.ref.namespace, target) if target is not None else None,
            target_place=(name or manifest.name_node()).place,
            metrics_known=False,
            min_replicas=sourced_int(spec.get("minReplicas")),
            max_replicas=sourced_int(spec.get("maxReplicas")),
            complete=target is not None,
            actuates=False,
        )
    )
