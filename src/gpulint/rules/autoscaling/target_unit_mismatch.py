"""An autoscaler's target in another unit than its metric."""

from __future__ import annotations

from collections.abc import Iterator

from gpulint.finding import Evidence, Finding, Fix, Level
from gpulint.metrics.table import Metric, lookup
from gpulint.model.autoscaler import Autoscaler, ScalingMetric
from gpulint.rules import rule
from gpulint.rules.signals import is_summed, named, one_metric, target_name
from gpulint.source.edits import ReplaceText
from gpulint.source.text import Place


@rule("target-unit-mismatch")
def check(scaler: Autoscaler) -> Iterator[Finding]:
    for metric in scaler.metrics:
        found = _measured(metric)
        if found is None or metric.threshold is None or metric.target_type == "Utilization":
            continue
        row, scale = found
        limits = row.range
        target = metric.threshold.value
        if limits is None or target <= 0:
            continue
        low, high = limits[0] * scale, limits[1] * scale
        level: Level | None = None
        if target > high:
            first = f"{named(scaler)} can never add replicas of {target_name(scaler)} on {row.name}"
            reason = f"the signal runs from {low:g} to {high:g} and its target is {target:g}"
            number = f"{target / 100:g}" if high == 1 and target <= 100 else None
            remedy = number or f"a value between {low:g} and {high:g}"
        elif high == 100 and target < 1:
            level = "warning"
            first = f"{named(scaler)} adds replicas of {target_name(scaler)} whenever {row.name} is above {target:g}%"
            reason = f"the signal runs from 0 to 100 and its target is {target:g}"
            remedy = number = f"{target * 100:g}"
        else:
            continue
        place = metric.threshold.place
        yield Finding(
            place=metric.threshold.place,
            message=(
                f"{first}: {reason}. The name does not tell the unit: some metrics called perc or percent run from 0 "
                "to 1, and some called ratio from 0 to 100."
            ),
            help=f"Set the target to {remedy}, if the target was meant as a share of full scale.",
            evidence=[
                Evidence("metric", row.name, metric.place),
                Evidence("range", f"{low:g} to {high:g}"),
                Evidence("target", target, metric.threshold.place),
            ],
            level=level,
            fix=Fix(f"Write {number}", [ReplaceText(place, _value_of(place), number)], safe=False) if number else None,
        )


def _value_of(place: Place) -> str:
    return place.text().strip("'\"")


def _measured(metric: ScalingMetric) -> tuple[Metric, float] | None:
    """The table's row and the factor by which the query scales it; None unless the signal is that one metric."""
    if metric.via is not None or metric.type in ("Resource", "ContainerResource"):
        return None
    if metric.query is None:
        row = lookup(metric.name)
        return (row, 1.0) if row is not None else None
    found = one_metric(metric.query)
    if found is None:
        return None
    row, selector, scale = found
    if is_summed(selector) and metric.target_type != "AverageValue":
        return None
    return row, scale
