"""Ratios that are added up over servers or GPUs."""

from __future__ import annotations

from collections.abc import Iterator

from gpulint.finding import Evidence, Finding, Level
from gpulint.metrics.promql import Query, Selector
from gpulint.metrics.table import Meaning, Metric, lookup
from gpulint.model.monitoring import Alert, Panel, RecordingRule
from gpulint.rules import rule
from gpulint.rules.expressions import title
from gpulint.rules.signals import keeps_unit

# Labels that many servers or GPUs have in common: a sum by these alone adds them up.
_COMMON = frozenset(
    {"model_name", "model", "namespace", "exported_namespace", "job", "service", "cluster", "modelName"}
)
# One of these has one value of the metric: a sum over it adds nothing up.
_ONE = frozenset({"gpu", "uuid", "gpu_uuid", "pod", "exported_pod", "pod_name", "device", "engine", "minor_number"})
_OF_ALL = frozenset({Meaning.KV_CACHE, Meaning.GPU_UTILIZATION, Meaning.MEMORY_BANDWIDTH})


@rule("summed-ratio")
def check(item: Alert | RecordingRule | Panel) -> Iterator[Finding]:
    query = item.expression.query
    if query is None or any(selector.in_denominator for selector in query.selectors):
        return
    for selector in query.selectors:
        metric = lookup(selector.name or "")
        if metric is None or metric.range is None or metric.meaning not in _OF_ALL or not _is_summed(selector):
            continue
        level: Level = "error" if metric.meaning == Meaning.KV_CACHE else "warning"
        if isinstance(item, Alert):
            if not _compared_as_one(query, selector, metric):
                continue
        else:
            level = "warning" if metric.meaning == Meaning.KV_CACHE else "info"
        top = f"{metric.range[1]:g}"
        three = f"{metric.range[1] * 0.4 * 3:g}"
        yield Finding(
            place=item.expression.place_of(selector),
            message=(
                f"{title(item)} adds up {selector.name}, which runs from {metric.range[0]:g} to {top}, over servers. "
                f"Three of them at {metric.range[1] * 0.4:g} make {three}, and the number grows with every replica "
                "while each has the same room."
            ),
            help=(
                f"Use max ({selector.name}) for the fullest server, avg for the mean, or `max by (pod)` to see each."
            ),
            evidence=[Evidence("in", title(item), item.place), Evidence("range", f"{metric.range[0]:g} to {top}")],
            level=level,
        )
        return


def _is_summed(selector: Selector) -> bool:
    """Whether the first thing done to the value, that is no change of its unit, is a sum over all servers."""
    aggregation = selector.aggregation
    if aggregation is None or aggregation.op != "sum" or aggregation.without is not None or not keeps_unit(selector):
        return False
    if any(matcher.op == "=" and matcher.label.lower() in _ONE for matcher in selector.matchers):
        return False
    return set(aggregation.by or ()) <= _COMMON and selector.scale in (1, 100) and not selector.ratio_of


def _compared_as_one(query: Query, selector: Selector, metric: Metric) -> bool:
    """Whether an alert compares the sum with what one server can reach."""
    for comparison in query.comparisons:
        solved = comparison.on_metric
        if selector in comparison.selectors and solved is not None and metric.range is not None:
            return metric.range[0] < solved[1] <= metric.range[1]
    return False
