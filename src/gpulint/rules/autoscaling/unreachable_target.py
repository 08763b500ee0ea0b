"""A target that the signal cannot exceed, because the engine or the proxy in front of it stops earlier."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from gpulint.finding import Evidence, Finding, Level
from gpulint.metrics.table import Meaning, Metric, lookup
from gpulint.model.autoscaler import Autoscaler, ScalingMetric
from gpulint.model.engine import Engine
from gpulint.rules import rule
from gpulint.rules.advice import signals_near
from gpulint.rules.queries import is_fixed, is_scoped, outermost
from gpulint.rules.signals import is_summed, named, one_metric, target_name
from gpulint.source.text import Place

# An HPA changes nothing while the signal is within a tenth of its target. Source: Kubernetes, Horizontal Pod
# Autoscaling, "Algorithm details" (--horizontal-pod-autoscaler-tolerance).
_TOLERANCE = 0.1
_RUN_BY_HPA = frozenset({"HorizontalPodAutoscaler", "ScaledObject", "NIMService", "NIMPipeline", "Values"})


class Ceiling(NamedTuple):
    """The most that a signal can be for each replica, why, and what sets it."""

    value: float
    why: str
    label: str
    place: Place | None


@rule("unreachable-target")
def check(scaler: Autoscaler) -> Iterator[Finding]:
    if is_fixed(scaler):
        return
    for metric in scaler.metrics:
        ceiling = _serve_ceiling(metric)
        target = metric.threshold.value if metric.threshold is not None else None
        name = metric.name
        row: Metric | None = None
        if ceiling is None:
            measured = _measured(metric)
            if measured is None:
                continue
            row, target = measured
            name = row.name
            ceiling = _engine_ceiling(scaler, row) or _full_scale(row, target)
        if ceiling is None or metric.threshold is None or target is None or target <= 0:
            continue
        level = _level(scaler, target, ceiling, is_serve=row is None)
        if level is None:
            continue
        verb = "can never add" if level == "error" else "adds no"
        within = (
            ""
            if target >= ceiling.value
            else f", and within {_TOLERANCE * 100:.0f}% of the target an HPA leaves the replicas as they are"
        )
        yield Finding(
            place=metric.threshold.place,
            message=(
                f"{named(scaler)} {verb} replicas of {target_name(scaler)} on {name}: the target is {target:g} and the "
                f"signal ends at {ceiling.value:g} ({ceiling.why}){within}. What comes on top waits in a queue that "
                "this signal does not show."
            ),
            help=_help(scaler, metric, ceiling, target),
            evidence=[
                Evidence("target", target, metric.threshold.place),
                Evidence(ceiling.label, f"{ceiling.value:g}", ceiling.place),
            ],
            level=level,
        )


def _level(scaler: Autoscaler, target: float, ceiling: Ceiling, *, is_serve: bool) -> Level | None:
    if is_serve:
        # Ray also counts what waits in front of the replicas, where that is switched on: documented, not certain.
        return "warning" if target >= ceiling.value else None
    if target >= ceiling.value:
        return "error"
    near = target * (1 + _TOLERANCE) >= ceiling.value and scaler.ref.kind in _RUN_BY_HPA
    return "warning" if near else None


def _serve_ceiling(metric: ScalingMetric) -> Ceiling | None:
    """What Ray Serve lets a replica have at a time."""
    setting = metric.ceiling
    if setting is None or setting.value is None or metric.type != "Serve":
        return None
    return Ceiling(setting.value, f"{setting.spelled}: {setting.value}", setting.spelled, setting.place)


def _measured(metric: ScalingMetric) -> tuple[Metric, float] | None:
    """The metric and its target for each replica; None unless the signal is that one metric, in its own unit."""
    if metric.threshold is None or metric.target_type == "Utilization" or metric.via is not None:
        return None
    if metric.query is None:
        row = lookup(metric.name)
        is_mean = metric.type == "Pods" and metric.target_type == "AverageValue"
        return (row, metric.threshold.value) if row is not None and is_mean else None
    found = one_metric(metric.query)
    if found is None:
        return None
    row, selector, scale = found
    outer = outermost(selector)
    if outer is None:
        return None
    if is_summed(selector):
        # Added up and divided by the replicas: a mean, unless other workloads are in the sum.
        fits = metric.target_type == "AverageValue" and (is_scoped(selector) or metric.scoped)
        fits = fits and row.range is None
    else:
        fits = metric.target_type == "Value" and outer.op in ("avg", "max", "min")
    return (row, metric.threshold.value / scale) if fits else None


def _engine_ceiling(scaler: Autoscaler, row: Metric) -> Ceiling | None:
    """How many requests the one engine of the target runs at a time, where the file says so."""
    if row.meaning is not Meaning.RUNNING or row.type != "gauge" or scaler.workload is None:
        return None
    engines = scaler.workload.engines
    if len(engines) != 1 or not _is_of(engines[0], row):
        return None
    limit, copies = engines[0].max_num_seqs, engines[0].data_parallel
    if limit is None or limit.default or limit.value is None or limit.value < 1:
        return None
    number = 1 if copies is None else copies.value
    if number is None or number < 1:
        return None
    why = f"{limit.spelled} {limit.value}" + (f" × {number} engines" if number > 1 else "")
    return Ceiling(limit.value * number, why, limit.spelled, limit.place)


def _is_of(engine: Engine, row: Metric) -> bool:
    return row.engine == engine.name or (row.engine == "nim" and engine.name in ("nim", "vllm"))


def _full_scale(row: Metric, target: float) -> Ceiling | None:
    """The upper end of a share; a target beyond it is in another unit, which is another rule's business."""
    if not (row.is_ratio or row.is_percent) or row.range is None or target > row.range[1]:
        return None
    return Ceiling(row.range[1], f"it runs from {row.range[0]:g} to {row.range[1]:g}", "full scale", None)


def _help(scaler: Autoscaler, metric: ScalingMetric, ceiling: Ceiling, target: float) -> str:
    near = signals_near(scaler)
    queue = f", or scale on {near.queue}, which has no ceiling" if near is not None else ""
    if metric.type == "Serve":
        most = max(1, int(ceiling.value / 1.2))
        return (
            f"Keep target_ongoing_requests below {ceiling.label}: {most} under {ceiling.value:g}, or {ceiling.label} "
            f"of {int(target * 1.2) + 1} above {target:g}."
        )
    suggestion = f"{0.8 * ceiling.value:.3g}"
    if ceiling.place is None:
        return f"Set a target well below full scale, such as {suggestion}{queue}."
    most = max(1, int(0.8 * ceiling.value))
    return (
        f"Set the target to {most} or less, raise {ceiling.label} if GPU memory has room for more requests{queue}. "
        "Many waiting and few running requests are a limit on the batch, not spare capacity."
    )
