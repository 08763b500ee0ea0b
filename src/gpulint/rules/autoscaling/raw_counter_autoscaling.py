"""Scaling on a counter that only grows."""

from __future__ import annotations

from collections.abc import Iterator

from gpulint.finding import Evidence, Finding
from gpulint.metrics.promql import Query, Selector
from gpulint.metrics.table import Metric, lookup
from gpulint.model.autoscaler import Autoscaler
from gpulint.model.monitoring import MetricAlias
from gpulint.model.project import Project
from gpulint.rules import rule
from gpulint.rules.advice import scale_on_load
from gpulint.rules.queries import has, is_fixed, promql
from gpulint.rules.signals import named, scales_gpus, target_name

# What makes a number that can fall again of one that only grows.
_TAMING = frozenset(
    {
        *("rate", "irate", "increase", "delta", "idelta", "deriv", "changes", "resets", "absent", "absent_over_time"),
        *("histogram_quantile", "histogram_avg", "histogram_fraction", "count_over_time", "present_over_time"),
        *("timestamp", "sgn", "predict_linear", "stddev_over_time", "stdvar_over_time"),
    }
)
_COUNTING = frozenset({"count", "group", "stddev", "stdvar"})
_SUFFIXES = ("_bucket", "_sum", "_count")


@rule("raw-counter-autoscaling")
def check(project: Project) -> Iterator[Finding]:
    for scaler in project.autoscalers:
        yield from _scaled_on(scaler)
    users = {metric.name: scaler for scaler in project.autoscalers for metric in scaler.metrics}
    for alias in project.aliases:
        yield from _served(alias, users.get(alias.name.value))


def _scaled_on(item: Autoscaler) -> Iterator[Finding]:
    if not scales_gpus(item) or is_fixed(item):
        return
    for metric, query in promql(item):
        found = _raw(query)
        if found is None:
            continue
        selector, row = found
        yield Finding(
            place=metric.place_of(selector),
            message=(
                f"{named(item)} scales {target_name(item)} on {selector.name} itself, {_what(row)} that only grows. It "
                "passes any target some time after the start and never comes back below: the replicas go to the "
                "maximum and stay there."
            ),
            help=f"Take its rate, `rate({selector.name}{{…}}[2m])` inside the aggregation. {scale_on_load(item)}",
            evidence=[Evidence("metric", selector.name, metric.place_of(selector)), Evidence("type", row.type)],
            ref=item.ref,
        )


def _served(alias: MetricAlias, user: Autoscaler | None) -> Iterator[Finding]:
    """An error where an autoscaler reads it: others look at a counter of an adapter, and take its rate themselves."""
    expression = alias.served
    found = _raw(expression.query) if expression is not None and expression.query is not None else None
    if expression is None or found is None:
        return
    selector, row = found
    evidence = [Evidence("metric", selector.name, expression.place_of(selector)), Evidence("type", row.type)]
    if user is not None:
        evidence.append(Evidence("read by", named(user), user.place))
    yield Finding(
        place=expression.place_of(selector),
        message=(
            f"The adapter serves {selector.name} itself as {alias.name.value}, {_what(row)} that only grows. An "
            "autoscaler on it goes to its maximum some time after the start and never comes back."
        ),
        help=(
            f"Serve its rate: `sum(rate(<<.Series>>{{<<.LabelMatchers>>}}[2m])) by (<<.GroupBy>>)` for {selector.name}."
        ),
        evidence=evidence,
        level=None if user is not None else "warning",
        ref=alias.ref,
    )


def _raw(query: Query) -> tuple[Selector, Metric] | None:
    """The one counter that makes up a query, if nothing is done to it that lets the result fall."""
    if len(query.selectors) != 1 or query.comparisons or " offset " in f" {query.text} ":
        return None
    selector = query.selectors[0]
    row = lookup(selector.name or "")
    if row is None or has(selector, _TAMING) or any(a.op in _COUNTING for a in selector.aggregations):
        return None
    if row.type == "counter":
        return selector, row
    is_series = row.type in ("histogram", "summary") and (selector.name or "").endswith(_SUFFIXES)
    return (selector, row) if is_series else None


def _what(row: Metric) -> str:
    return "a counter" if row.type == "counter" else f"a part of a {row.type}"
