"""An HPA on a metric that the adapter beside it does not serve."""

from __future__ import annotations

from collections.abc import Iterator

from gpulint.finding import Evidence, Finding
from gpulint.model.autoscaler import Autoscaler, ScalingMetric
from gpulint.model.monitoring import MetricsAdapter
from gpulint.model.project import Project
from gpulint.rules import rule
from gpulint.rules.signals import named, scales_gpus, target_name

_NEAR = 2
_READS_THE_API = frozenset({"HorizontalPodAutoscaler", "NIMService", "NIMPipeline"})


@rule("metric-not-served")
def check(project: Project) -> Iterator[Finding]:
    adapters = project.metrics_adapters
    if not adapters:
        return
    for scaler in project.autoscalers:
        if scaler.ref.kind not in _READS_THE_API or not scales_gpus(scaler):
            continue
        near = [adapter for adapter in adapters if project.is_near(scaler.place, adapter.place, _NEAR)]
        if len(near) != 1:
            continue
        for metric in scaler.metrics:
            served = _served(near[0], metric)
            if served is None or not served or metric.name in served:
                continue
            yield _finding(scaler, metric, near[0], served)


def _served(adapter: MetricsAdapter, metric: ScalingMetric) -> frozenset[str] | None:
    """The names that the adapter serves in the API of this metric; None where these are not known."""
    if any(mark in metric.name for mark in "|/"):
        return None  # of a cloud's own adapter
    if metric.type in ("Pods", "Object"):
        return adapter.custom
    return adapter.external if metric.type == "External" else None


def _finding(scaler: Autoscaler, metric: ScalingMetric, adapter: MetricsAdapter, served: frozenset[str]) -> Finding:
    from difflib import get_close_matches

    close = get_close_matches(metric.name, sorted(served), n=1)
    api = "external" if metric.type == "External" else "custom"
    names = ", ".join(sorted(served)[:4])
    return Finding(
        place=metric.place,
        message=(
            f"{named(scaler)} reads {metric.name}, which no rule of {adapter.ref} serves as {api} metric. An HPA that "
            f"cannot read its metric adds no replica of {target_name(scaler)}, whatever the load."
        ),
        help=(
            f"Write {close[0]}, or add a rule with `name: {{as: {metric.name}}}`."
            if close
            else f"Add a rule with `name: {{as: {metric.name}}}`, or use one of those that are served: {names}."
        ),
        evidence=[Evidence("metric", metric.name, metric.place), Evidence("served", names, adapter.place)],
        ref=scaler.ref,
    )
