"""An adapter's query that leaves out whose value is asked for."""

from __future__ import annotations

from collections.abc import Iterator

from gpulint.finding import Evidence, Finding
from gpulint.metrics.table import lookup
from gpulint.model.monitoring import Expression, MetricAlias
from gpulint.rules import rule
from gpulint.rules.signals import one_line
from gpulint.source.text import Place

_MATCHERS = ("LabelMatchers", "LabelValuesByName")
_GROUPS = ("GroupBy", "GroupBySlice")


@rule("adapter-query-ignores-selection")
def check(alias: MetricAlias) -> Iterator[Finding]:
    served = alias.served
    if served is None or served.query is None or not served.query.selectors or not _is_of_a_server(alias):
        return
    text = served.text
    has_matchers = any(word in text for word in _MATCHERS)
    has_groups = any(word in text for word in _GROUPS)
    evidence = [Evidence("serves", alias.name.value, alias.name.place)]
    name = next((name for name in alias.expression.query.metric_names()), "") if alias.expression.query else ""
    remedy = (
        "Let the adapter fill in both: `sum(<<.Series>>{<<.LabelMatchers>>}) by (<<.GroupBy>>)`"
        f"{f' for {name}' if name else ''}."
    )
    if not alias.external and served.query.one_series and not has_groups:
        yield Finding(
            place=_place(served),
            message=(
                f"The adapter finds no value of {alias.name.value} for any pod: `{one_line(text)}` adds everything up "
                "to one number without labels. The label of the object that is asked for says whose a value is; "
                "without `by (<<.GroupBy>>)` the query drops it."
            ),
            help=remedy,
            evidence=evidence,
            level="error",
        )
    elif not has_matchers and not has_groups and not _keeps_object(alias, served):
        yield Finding(
            place=_place(served),
            message=(
                f"The adapter serves {alias.name.value} from `{one_line(text)}`, which leaves out whose value is asked "
                "for. Every autoscaler that reads it gets the same number, and the load of one model adds replicas of "
                "another."
            ),
            help=remedy,
            evidence=evidence,
        )


def _keeps_object(alias: MetricAlias, served: Expression) -> bool:
    """Whether the labels that stand for the object are written out: the adapter picks the value by them.

    Source: kubernetes-sigs/prometheus-adapter pkg/custom-provider/provider.go, GetMetricByName.
    """
    labels = served.query.selectors[0].aggregations if served.query is not None else ()
    return bool(alias.labels) and bool(labels) and alias.labels <= set(labels[-1].by or ())


def _place(expression: Expression) -> Place:
    selectors = expression.query.selectors if expression.query is not None else ()
    return expression.place_of(selectors[0]) if selectors else expression.place


def _is_of_a_server(alias: MetricAlias) -> bool:
    """Whether it is about a model server or a GPU: what other services scale on is not looked at."""
    queries = [e.query for e in (alias.expression, alias.served) if e is not None and e.query is not None]
    rows = [lookup(name) for query in queries for name in query.metric_names()]
    return any(row is not None and row.engine not in ("http", "process", "node-exporter", "llm-d") for row in rows)
