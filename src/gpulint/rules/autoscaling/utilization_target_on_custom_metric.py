"""A utilisation target for a metric that has no request to be a share of."""

from __future__ import annotations

from collections.abc import Iterator

from gpulint.finding import Evidence, Finding, Fix
from gpulint.model.autoscaler import Autoscaler
from gpulint.model.values import Sourced
from gpulint.rules import rule
from gpulint.rules.queries import place_in
from gpulint.rules.signals import named, scales_gpus, short_name
from gpulint.source.edits import Change, ReplaceText, SetEntry

_CUSTOM = frozenset({"Pods", "Object", "External", "prometheus", "gcp-stackdriver", "datadog"})
_API_KINDS = frozenset({"HorizontalPodAutoscaler", "ScaledObject", "NIMService", "NIMPipeline"})


@rule("utilization-target-on-custom-metric")
def check(scaler: Autoscaler) -> Iterator[Finding]:
    if scaler.ref.kind not in _API_KINDS or not scales_gpus(scaler):
        return
    for metric in scaler.metrics:
        if metric.type not in _CUSTOM or metric.target_type != "Utilization":
            continue
        by_keda = scaler.ref.kind == "ScaledObject"
        who = "KEDA" if by_keda else "Kubernetes"
        yield Finding(
            place=metric.threshold.place if metric.threshold is not None and not by_keda else place_in(metric),
            message=(
                f"{named(scaler)} gives {short_name(metric)} a target of type Utilization, which {who} rejects. A "
                "utilisation is a share of what containers request, and only CPU and memory are requested so: other "
                "metrics take AverageValue or Value."
            ),
            help=(
                "Set `metricType: AverageValue`, or `Value` for an average, on the trigger."
                if by_keda
                else "Write `target: {type: AverageValue, averageValue: …}` in the metric's own unit."
            ),
            evidence=[Evidence("metric", short_name(metric), place_in(metric))],
            fix=_fix(metric.threshold, by_keda),
        )


def _fix(threshold: Sourced[float] | None, by_keda: bool) -> Fix | None:
    """Whether the number is meant in the metric's own unit is not written."""
    if threshold is None:
        return None
    changes: list[Change] = [SetEntry(threshold.place, "metricType", "AverageValue", up=1)]
    if not by_keda:
        changes = [
            SetEntry(threshold.place, "type", "AverageValue"),
            ReplaceText(threshold.key_place, "averageUtilization", "averageValue"),
        ]
    return Fix("Compare the number with the metric's mean over replicas, type AverageValue", changes, safe=False)
