"""A KEDA query that gives one series per replica."""

from __future__ import annotations

from collections.abc import Iterator

from gpulint.finding import Evidence, Finding
from gpulint.metrics.table import Meaning, lookup
from gpulint.model.autoscaler import Autoscaler
from gpulint.rules import rule
from gpulint.rules.queries import is_per_replica, keeps_replicas_apart, most_replicas, outermost, promql, values
from gpulint.rules.signals import named, one_line, scales_gpus, target_name

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
            evidence=[
                Evidence("query", one_line(query.text), metric.place_of(selector)),
                Evidence("most replicas", f"{most:g}", scaler.max_replicas.place if scaler.max_replicas else None),
            ],
        )


def _help(scaler: Autoscaler, name: str) -> str:
    row = lookup(name)
    if row is not None and row.range is None and row.meaning in _ADDED_UP and row.type == "gauge":
        return (
            f"Add the replicas up, `sum({name}{{…}})`: KEDA divides the sum by their number (metricType AverageValue)."
        )
    if scaler.ref.kind != "ScaledObject":
        return f"Bring it down to one number that grows with the load, such as `sum({name}{{…}})`."
    return f"Bring it down to one number, such as `max({name}{{…}})`, with metricType: Value."
