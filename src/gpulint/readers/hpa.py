"""HorizontalPodAutoscaler: autoscaling/v1, v2beta1, v2beta2 and v2."""

from __future__ import annotations

from gpulint.metrics.table import Meaning, lookup, meaning_of_alias
from gpulint.model.autoscaler import Autoscaler, ScaleDown, ScalingMetric, ScalingPolicy
from gpulint.model.project import Project
from gpulint.model.values import ObjectRef, Sourced
from gpulint.readers._manifest import (
    Manifest,
    number_or_none,
    plain_texts,
    sourced_int,
    sourced_number,
    text_at,
)
from gpulint.source.text import Place
from gpulint.source.yaml import Node

MARKS = (("HorizontalPodAutoscaler",),)
KINDS = frozenset({("autoscaling", "HorizontalPodAutoscaler")})

# Where each metric type keeps its block and, per API version, its metric's name.
# Source: Kubernetes API reference, HorizontalPodAutoscaler autoscaling/v2, v2beta2 and v2beta1 MetricSpec.
_BLOCKS = {
    "Resource": "resource",
    "ContainerResource": "containerResource",
    "Pods": "pods",
    "Object": "object",
    "External": "external",
}
_TARGETS_V2 = (("averageUtilization", "Utilization"), ("averageValue", "AverageValue"), ("value", "Value"))
_TARGETS_V2BETA1 = (
    ("targetAverageUtilization", "Utilization"),
    ("targetAverageValue", "AverageValue"),
    ("targetValue", "Value"),
)
# Before v2 the newer metrics were kept in this annotation of a v1 object.
_V1_METRICS_ANNOTATION = "autoscaling.alpha.kubernetes.io/metrics"


def read_object(manifest: Manifest, project: Project) -> None:
    spec = manifest.node.get("spec")
    if spec is None or not spec.is_mapping:
        return
    target_node = spec.get("scaleTargetRef")
    target_name, target_kind = text_at(target_node, "name"), text_at(target_node, "kind")
    # Without a target or a maximum the API server refuses it: such a document is a patch of another one.
    complete = target_name is not None and target_kind is not None and spec.get("maxReplicas") is not None
    metrics, metrics_known = _metrics(manifest, spec)
    project.autoscalers.append(
        Autoscaler(
            ref=manifest.ref,
            place=manifest.name_node().place,
            target=ObjectRef(target_kind, manifest.ref.namespace, target_name)
            if target_name is not None and target_kind is not None
            else None,
            target_place=_target_place(manifest, target_node),
            metrics=metrics,
            metrics_known=metrics_known and complete,
            default_metric=spec.key_place if complete and metrics_known and not metrics else None,
            min_replicas=sourced_int(spec.get("minReplicas")),
            max_replicas=sourced_int(spec.get("maxReplicas")),
            scale_down=scale_down(spec.at("behavior", "scaleDown")),
            complete=complete,
            default_min_replicas=1 if spec.get("minReplicas") is None else None,
        )
    )


def _target_place(manifest: Manifest, target: Node | None) -> Place:
    name = target.get("name") if target is not None else None
    return (name or manifest.name_node()).place


def _metrics(manifest: Manifest, spec: Node) -> tuple[list[ScalingMetric], bool]:
    """The metrics, and whether these are all of them."""
    if manifest.api_version == "autoscaling/v1":
        target = spec.get("targetCPUUtilizationPercentage")
        known = _V1_METRICS_ANNOTATION not in manifest.annotations()
        if target is None:
            return [], known
        threshold = sourced_number(target)
        return [
            ScalingMetric(
                "Resource",
                "cpu",
                target.entry_place,
                frozenset({Meaning.CPU}),
                target_type="Utilization",
                threshold=threshold,
            )
        ], known
    return metric_list(spec.get("metrics"))


def metric_list(node: Node | None) -> tuple[list[ScalingMetric], bool]:
    """The entries of `metrics` in autoscaling/v2, and whether all of them could be read."""
    if node is None:
        return [], True
    if not node.is_sequence:
        return [], node.is_scalar and node.value is None
    read_metrics = [metric for element in node.elements() if (metric := _metric(element)) is not None]
    return read_metrics, len(read_metrics) == len(list(node.elements()))


def _metric(element: Node) -> ScalingMetric | None:
    kind = text_at(element, "type")
    block = element.get(_BLOCKS[kind]) if kind in _BLOCKS else None
    if block is None or kind is None:
        return None
    name_node = block.get("name") if kind in ("Resource", "ContainerResource") else block.at("metric", "name")
    if name_node is None:
        name_node = block.get("metricName")
    if name_node is None or name_node.text is None:
        return None
    target_type, threshold = _target(block)
    return ScalingMetric(
        type=kind,
        name=name_node.text,
        place=name_node.place,
        meanings=_resource_meaning(name_node.text) if "Resource" in kind else metric_meaning(name_node.text),
        container=text_at(block, "container"),
        target_type=target_type,
        threshold=threshold,
        selector=plain_texts(block.at("metric", "selector", "matchLabels")),
    )


def _target(block: Node) -> tuple[str | None, Sourced[float] | None]:
    target = block.get("target")
    fields = _TARGETS_V2
    if target is None or not target.get("type"):
        # In v2beta1 the numbers stand in the block itself (and `target` of an Object metric is the object).
        target, fields = block, _TARGETS_V2BETA1
    for key, kind in fields:
        node = target.get(key)
        if node is not None:
            return kind, sourced_number(node)
    return None, None


def _resource_meaning(name: str) -> frozenset[Meaning]:
    return {
        "cpu": frozenset({Meaning.CPU}),
        "memory": frozenset({Meaning.HOST_MEMORY}),
    }.get(name, frozenset())


def metric_meaning(name: str) -> frozenset[Meaning]:
    """What a metric measures by its name: through the metric table, else if the name says it plainly."""
    metric = lookup(name)
    meaning = metric.meaning if metric is not None else meaning_of_alias(name)
    return frozenset({meaning}) if meaning is not None else frozenset()


def scale_down(node: Node | None) -> ScaleDown:
    """`behavior.scaleDown` of an HPA, also as KEDA passes it on."""
    if node is None:
        return ScaleDown()
    policies = node.get("policies")
    return ScaleDown(
        stabilization_window_s=sourced_number(node.get("stabilizationWindowSeconds")),
        policies=[
            ScalingPolicy(
                type=text_at(policy, "type") or "",
                value=number_or_none(policy.get("value")),
                period_s=number_or_none(policy.get("periodSeconds")),
                place=policy.place,
            )
            for policy in (policies.elements() if policies is not None else ())
        ],
        disabled=text_at(node, "selectPolicy") == "Disabled",
    )
