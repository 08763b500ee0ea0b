"""An average or ratio that the autoscaler divides by the number of replicas once more."""

from __future__ import annotations

import math
from collections.abc import Iterator

from gpulint.finding import Evidence, Finding, Fix, Level
from gpulint.metrics.promql import Query, Selector
from gpulint.metrics.table import Meaning, lookup, meaning_of_alias
from gpulint.model.autoscaler import Autoscaler
from gpulint.rules import rule
from gpulint.rules.queries import has, is_fixed, most_replicas, promql, values
from gpulint.rules.signals import keeps_unit, named, scales_gpus, target_name
from gpulint.source.edits import SetEntry

_AVERAGES = frozenset({"avg", "max", "min", "quantile"})
# What such a metric counts or times for each replica: not numbers that some controller computed for the whole.
_OF_A_REPLICA = frozenset(
    {
        *(Meaning.QUEUE, Meaning.RUNNING, Meaning.CONCURRENCY, Meaning.KV_CACHE, Meaning.LATENCY),
        *(Meaning.GPU_UTILIZATION, Meaning.GPU_MEMORY, Meaning.MEMORY_BANDWIDTH),
    }
)
_NOT_OF_A_POD = frozenset({"llm-d", "vllm-router"})


@rule("average-of-average")
def check(scaler: Autoscaler) -> Iterator[Finding]:
    most = most_replicas(scaler)
    if is_fixed(scaler) or (most is not None and most < 2) or not scales_gpus(scaler):
        return
    for metric, query in promql(scaler):
        if metric.target_type != "AverageValue" or not _is_one(query) or metric.threshold is None:
            continue
        how = _average(query)
        target = metric.threshold.value
        if how is None or target <= 0:
            continue
        ceiling = _ceiling(query)
        bound = math.ceil(ceiling / target) if ceiling is not None else None
        selector = values(query)[0]
        level: Level | None = "warning"
        if bound is not None and (most is None or bound < most):
            level = None
            first = (
                f"{named(scaler)} never asks for more than {bound} replica{'s' if bound > 1 else ''} of "
                f"{target_name(scaler)}: {how} at most {ceiling:g} against a target of {target:g}"
            )
        else:
            first = (
                f"{named(scaler)} asks for too few replicas of {target_name(scaler)}: {how} the same for each replica"
            )
        yield Finding(
            place=metric.place_of(selector),
            message=(
                f"{first}. With metricType AverageValue, KEDA's default, the result counts as a total and is divided "
                "by the replicas there are, which an average already was."
            ),
            help=(
                "Set `metricType: Value` on the trigger, or let the query add up what each replica has."
                if scaler.ref.kind == "ScaledObject"
                else "Let the query add up what each replica has: KServe sets no other metricType."
            ),
            evidence=[
                Evidence("metricType", "AverageValue", metric.place_of(selector)),
                Evidence("target", target, metric.threshold.place),
            ],
            level=level,
            fix=Fix(
                "Set metricType: Value", [SetEntry(metric.threshold.place, "metricType", "Value", up=1)], safe=False
            )
            if scaler.ref.kind == "ScaledObject"
            else None,
        )


def _is_one(query: Query) -> bool:
    """Whether one number results; a quantile is taken of the buckets of one histogram."""
    return query.one_series or all(
        has(selector, ("histogram_quantile",)) and selector.aggregations and selector.aggregations[-1].by == ("le",)
        for selector in query.selectors
    )


def _average(query: Query) -> str | None:
    """In which words the query is an average over replicas; None where it may be a total."""
    parts = values(query)
    if not parts or any(selector.scale is None for selector in parts):
        return None
    if any(not _is_of_a_replica(selector) for selector in parts):
        return None
    if all(has(selector, ("histogram_quantile",)) for selector in parts):
        return "a quantile is"
    if len(parts) != 1:
        return None
    selector = parts[0]
    outer = selector.aggregations[-1].op if selector.aggregations else None
    if any(a.op in ("sum", "count") for a in selector.aggregations):
        return None
    if outer in _AVERAGES and keeps_unit(selector):
        return f"{outer}({selector.name}) is"
    return None


def _is_of_a_replica(selector: Selector) -> bool:
    name = selector.name or ""
    row = lookup(name)
    meaning = row.meaning if row is not None else meaning_of_alias(name)
    return meaning in _OF_A_REPLICA and (row is None or row.engine not in _NOT_OF_A_POD)


def _ceiling(query: Query) -> float | None:
    """The greatest value of a share, as the query scales it."""
    parts = values(query)
    row = lookup(parts[0].name or "") if len(parts) == 1 else None
    if row is None or row.range is None or parts[0].scale is None or has(parts[0]):
        return None
    return row.range[1] * parts[0].scale
