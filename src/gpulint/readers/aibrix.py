"""AIBrix PodAutoscaler: metric sources, bounds, and the scale-down delay in its annotations."""

from __future__ import annotations

from gpulint.metrics.table import Meaning
from gpulint.model.autoscaler import Autoscaler, ScaleDown, ScalingMetric, Schedule
from gpulint.model.project import Project
from gpulint.model.quantity import duration_s
from gpulint.model.values import ObjectRef, Sourced
from gpulint.readers._manifest import Manifest, sourced_int, sourced_number, text_at
from gpulint.readers._pods import elements
from gpulint.readers.hpa import metric_meaning
from gpulint.source.yaml import Node

MARKS = (("PodAutoscaler",), ("autoscaling.aibrix.ai",))
KINDS = frozenset({("autoscaling.aibrix.ai", "PodAutoscaler")})
# The newer name first; releases since the autoscaler's rewrite read it alone, those before it the other alone.
# Source: vllm-project/aibrix@e3e10f9 api/autoscaling/v1alpha1/podautoscaler_types.go and
# pkg/controller/podautoscaler/types/annotations.go; the rewrite is ce2b595, in release 0.5.
_SCALE_DOWN_DELAYS = (
    "autoscaling.aibrix.ai/scale-down-cooldown-window",
    "kpa.autoscaling.aibrix.ai/scale-down-delay",
)
_RESOURCES = {"cpu": Meaning.CPU, "memory": Meaning.HOST_MEMORY}


def read_object(manifest: Manifest, project: Project) -> None:
    spec = manifest.node.get("spec")
    if spec is None or not spec.is_mapping:
        return
    target_name, target_kind = text_at(spec, "scaleTargetRef", "name"), text_at(spec, "scaleTargetRef", "kind")
    sources, is_hpa = spec.get("metricsSources"), text_at(spec, "scalingStrategy") == "HPA"
    read = [_metric(source, is_hpa=is_hpa) for source in (sources.elements() if sources is not None else ())]
    metrics = [metric for metric in read if metric is not None]
    complete = target_name is not None and target_kind is not None and sources is not None
    name = spec.at("scaleTargetRef", "name") or manifest.name_node()
    down = _scale_down(manifest)
    low, high = sourced_int(spec.get("minReplicas")), sourced_int(spec.get("maxReplicas"))
    schedules = [_schedule(element, low, high) for element in elements(spec, "schedules")]
    bounds = [(low, high), *((schedule.min_replicas, schedule.max_replicas) for schedule in schedules)]
    # Without a minimum there is one replica, which a schedule only raises or takes away.
    lows = [each for each, _ in bounds if each is not None and (low is not None or each.value == 0)]
    low = min(lows, key=lambda each: each.value, default=None)
    high = max((each for _, each in bounds if each is not None), key=lambda each: each.value, default=None)
    is_raised = is_hpa and low is not None and low.value == 0  # an HPA without a minimum has one replica
    project.autoscalers.append(
        Autoscaler(
            ref=manifest.ref,
            place=manifest.name_node().place,
            target=ObjectRef(target_kind, manifest.ref.namespace, target_name)
            if target_kind is not None and target_name is not None
            else None,
            target_place=name.place,
            metrics=metrics,
            metrics_known=complete and len(metrics) == len(read),
            min_replicas=None if is_raised else low,
            default_min_replicas=1 if (low is None and spec.get("minReplicas") is None) or is_raised else None,
            max_replicas=high,
            schedules=schedules,
            scale_down=down,
            to_zero_after_s=down.stabilization_window_s,
            default_to_zero_after_s=down.default_s,
            complete=complete,
            part=text_at(spec, "subTargetSelector", "roleName"),
        )
    )


def _metric(source: Node, *, is_hpa: bool) -> ScalingMetric | None:
    """A signal. The HPA takes CPU and memory by their names, as a share and in MiB; the others read what the pods use.

    Source: vllm-project/aibrix@e3e10f9 pkg/controller/podautoscaler/hpa_resources.go, makeHPAWithBounds, and
    metrics/fetcher.go, fetchResourceMetric; the minimum: pkg/utils/paschedules/schedules.go, BaseBounds.
    """
    name = source.get("targetMetric")
    if name is None or name.text is None:
        return None
    is_resource = is_hpa or text_at(source, "metricSourceType") == "resource"
    resource = _RESOURCES.get(name.text.lower()) if is_resource else None
    return ScalingMetric(
        type="Resource" if resource is not None else "Pods",
        name=name.text,
        place=name.place,
        meanings=frozenset({resource}) if resource is not None else metric_meaning(name.text),
        target_type="Utilization" if is_hpa and resource is Meaning.CPU else "AverageValue",
        threshold=sourced_number(source.get("targetValue")),
    )


def _schedule(node: Node, low: Sourced[int] | None, high: Sourced[int] | None) -> Schedule:
    """The bounds of a daily window: what it leaves out is as outside. Source: pkg/utils/paschedules/schedules.go."""
    name = node.get("name")
    return Schedule(
        name=text_at(node, "name") or "",
        place=name.place if name is not None else node.place,
        min_replicas=sourced_int(node.get("minReplicas")) if node.get("minReplicas") is not None else low,
        max_replicas=sourced_int(node.get("maxReplicas")) if node.get("maxReplicas") is not None else high,
    )


def _scale_down(manifest: Manifest) -> ScaleDown:
    """How long it waits. Its signals are means over `observeWindowSeconds`, which holds a dip back for as long.

    Source: pkg/controller/podautoscaler/autoscaler.go, metricWindowDurations; the HPA has windows of its own.
    """
    down = _delay(manifest)
    window = sourced_number(manifest.node.at("spec", "observeWindowSeconds"))
    delay = down.stabilization_window_s
    if window is None or delay is None or delay.value >= window.value:
        return down
    if text_at(manifest.node, "spec", "scalingStrategy") == "HPA":
        return down
    return ScaleDown(window, spelled="observeWindowSeconds")


def _delay(manifest: Manifest) -> ScaleDown:
    annotations = manifest.annotations()
    for key in _SCALE_DOWN_DELAYS:
        delay = annotations.get(key)
        if delay is not None:
            seconds = duration_s(delay.value)
            return ScaleDown(
                Sourced(seconds, delay.place, delay.key_place) if seconds is not None else None, spelled=key
            )
    return ScaleDown()
