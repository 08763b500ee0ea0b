"""A total that is compared with its target as a ratio of replicas."""

from __future__ import annotations

from collections.abc import Iterator

from gpulint.finding import Evidence, Finding, Fix
from gpulint.metrics.promql import Selector
from gpulint.metrics.table import Meaning, lookup
from gpulint.model.autoscaler import ScalingMetric
from gpulint.model.monitoring import MetricAlias
from gpulint.model.project import Project
from gpulint.model.values import Sourced
from gpulint.rules import rule
from gpulint.rules.queries import ENGINES, is_fixed, outermost, place_in
from gpulint.rules.signals import keeps_unit, named, scales_gpus, target_name
from gpulint.source.edits import Change, ReplaceText, SetEntry
from gpulint.source.text import Place

_COUNTS = frozenset({Meaning.QUEUE, Meaning.RUNNING, Meaning.CONCURRENCY})


@rule("value-target-on-total")
def check(project: Project) -> Iterator[Finding]:
    for scaler in project.autoscalers:
        if is_fixed(scaler) or not scales_gpus(scaler):
            continue
        for metric in scaler.metrics:
            total = _total(project, metric) if metric.target_type == "Value" and metric.threshold is not None else None
            if total is None or metric.threshold is None:
                continue
            target = metric.threshold.value
            yield Finding(
                place=place_in(metric),
                message=(
                    f"{named(scaler)} multiplies the replicas of {target_name(scaler)} at each turn: {total} is a "
                    f"total over all of them, and its target {target:g} is of type Value. With 4 replicas and twice "
                    "the target it asks for 8, then with the same total for 16: the total does not fall as replicas "
                    "come."
                ),
                help=_help(metric),
                evidence=[
                    Evidence("total", total, place_in(metric)),
                    Evidence("target", f"Value {target:g}", metric.threshold.place),
                ],
                ref=scaler.ref,
                fix=_fix(scaler.ref.kind, metric.threshold),
            )


def _fix(kind: str, threshold: Sourced[float]) -> Fix | None:
    title = "Divide the total by the replicas: type AverageValue"
    if kind == "ScaledObject":
        return Fix(title, [SetEntry(threshold.place, "metricType", "AverageValue", up=1)], safe=False)
    if kind != "HorizontalPodAutoscaler":
        return None
    changes: list[Change] = [
        SetEntry(threshold.place, "type", "AverageValue"),
        ReplaceText(threshold.key_place, "value", "averageValue"),
    ]
    return Fix(title, changes, safe=False)


def _help(metric: ScalingMetric) -> str:
    if metric.query is not None:
        return (
            "Set `metricType: AverageValue` on the trigger (KEDA's default): the total is then divided by the replicas."
        )
    return "Use `type: AverageValue` with averageValue: the total is then divided by the replicas."


def _total(project: Project, metric: ScalingMetric) -> str | None:
    """How the signal is a total of requests over replicas; None where it may be a mean, or is not known."""
    if metric.query is not None:
        parts = metric.query.selectors
        return f"sum({parts[0].name})" if len(parts) == 1 and _is_sum(parts[0]) else None
    if metric.type not in ("Object", "External"):
        return None
    alias = project.nearest(
        [alias for alias in project.aliases if alias.name.value == metric.name], metric.place, _place_of_alias
    )
    if alias is not None:
        query = alias.served.query if alias.served is not None else None
        summed = query is not None and len(query.selectors) == 1 and _is_sum(query.selectors[0], alias)
        return metric.name if summed else None
    row = lookup(metric.name)
    # Without an adapter's rule the metrics API adds up the series that an external metric selects.
    is_direct = metric.type == "External" and "|" in metric.name
    known = row is not None and row.engine in ENGINES and row.meaning in _COUNTS and row.type == "gauge"
    return metric.name if is_direct and known else None


def _place_of_alias(alias: MetricAlias) -> Place:
    return alias.name.place


def _is_sum(selector: Selector, alias: MetricAlias | None = None) -> bool:
    names = [selector.name or ""]
    if alias is not None and selector.name is None and alias.expression.query is not None:
        names = list(alias.expression.query.metric_names())
    rows = [lookup(name) for name in names]
    outer = outermost(selector)
    return (
        bool(rows)
        and all(row is not None and row.meaning in _COUNTS and row.type == "gauge" for row in rows)
        and outer is not None
        and outer.op == "sum"
        and keeps_unit(selector)
    )
