"""A KEDA query that gives one series per replica."""

from __future__ import annotations

from collections.abc import Iterator

from gpulint.finding import Evidence, Finding, Fix
from gpulint.metrics.promql import Query
from gpulint.metrics.table import Meaning, lookup
from gpulint.model.autoscaler import Autoscaler, ScalingMetric
from gpulint.rules import rule
from gpulint.rules.queries import is_per_replica, keeps_replicas_apart, most_replicas, outermost, promql, values
from gpulint.rules.signals import named, one_line, scales_gpus, target_name
from gpulint.source.edits import ReplaceText

_ADDED_UP = frozenset({Meaning.QUEUE, Meaning.RUNNING, Meaning.TOKENS, Meaning.REQUEST_RATE, Meaning.CONCURRENCY})


@rule("several-series-query")
def check(scaler: Autoscaler) -> Iterator[Finding]:
    most = most_replicas(scaler)
    if most is None or most < 2 or not scales_gpus(scaler):
        return
    for metric, query in promql(scaler):
        apart = [s for s in values(query) if is_per_replica(s) and keeps_replicas_apart(s)]
        if query.one_series or not apart or len(apart) < len(values(query)):
            continue
        selector = apart[0]
        outer = outermost(selector)
        grouped = f", grouped by {', '.join(outer.by)}," if outer is not None and outer.by else ""
        yield Finding(
            place=metric.place_of(selector),
            message=(
                f"{named(scaler)} works with one replica of {target_name(scaler)} and fails with two: the query"
                f"{grouped} gives a series of {selector.name} for each. KEDA takes a result of one element and answers "
                "others with an error, so scaling stops after the first replica that it adds."
            ),
            help=_help(scaler, selector.name or ""),
            fix=_fix(scaler, metric, query) if _adds_up(selector.name or "") else None,
            evidence=[
                Evidence("query", one_line(query.text), metric.place_of(selector)),
                Evidence("most replicas", f"{most:g}", scaler.max_replicas.place if scaler.max_replicas else None),
            ],
        )


def _adds_up(name: str) -> bool:
    row = lookup(name)
    return row is not None and row.range is None and row.meaning in _ADDED_UP and row.type == "gauge"


def _fix(scaler: Autoscaler, metric: ScalingMetric, query: Query) -> Fix | None:
    """The sum of a metric that is the whole query, on a trigger that divides it by the replicas."""
    selector, node = query.selectors[0], metric.query_node
    is_bare = len(query.selectors) == 1 and not selector.aggregations and not selector.functions
    if node is None or node.text is None or not is_bare or query.comparisons or selector.scale != 1:
        return None
    text = node.text.strip()
    if scaler.ref.kind != "ScaledObject" or metric.target_type != "AverageValue" or not _is_selector(text):
        return None
    start = node.text.index(text)
    place = node.fragment(start, start + len(text))
    return Fix("Add up what the replicas have", [ReplaceText(place, text, f"sum({text})")], safe=False)


def _is_selector(text: str) -> bool:
    """Whether a query is nothing but a name, with matchers or without."""
    name, brace, rest = text.partition("{")
    return name.replace(":", "_").isidentifier() and (not brace or rest.find("}") == len(rest) - 1)


def _help(scaler: Autoscaler, name: str) -> str:
    if _adds_up(name):
        return (
            f"Add the replicas up, `sum({name}{{…}})`: KEDA divides the sum by their number (metricType AverageValue)."
        )
    if scaler.ref.kind != "ScaledObject":
        return f"Bring it down to one number that grows with the load, such as `sum({name}{{…}})`."
    return f"Bring it down to one number, such as `max({name}{{…}})`, with metricType: Value."
