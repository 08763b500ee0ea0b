"""`histogram_quantile` over something from which it cannot compute a quantile."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from gpulint.finding import Evidence, Finding, Level
from gpulint.metrics.promql import Aggregation, HistogramInput, HistogramQuantile, Selector
from gpulint.metrics.table import lookup
from gpulint.model.autoscaler import Autoscaler
from gpulint.model.monitoring import Alert, Panel, RecordingRule
from gpulint.rules import rule
from gpulint.rules.expressions import Watched, watched

# These pick series and leave their labels as they are.
_PICK = frozenset({"topk", "bottomk", "limitk", "limit_ratio"})


class _Misuse(NamedTuple):
    why: str
    help: str
    level: Level | None = None


@rule("histogram-quantile-misuse")
def check(item: Alert | RecordingRule | Panel | Autoscaler) -> Iterator[Finding]:
    for each in watched(item):
        for quantile in each.query.quantiles:
            found = next(((i.selector, m) for i in quantile.inputs if (m := _misuse(quantile, i)) is not None), None)
            if found is not None:
                yield _finding(each, *found)


def _finding(each: Watched, selector: Selector, misuse: _Misuse) -> Finding:
    return Finding(
        place=each.place_of(selector),
        message=f"{each.name} computes a quantile of {selector.name} that {misuse.why}.",
        help=misuse.help,
        evidence=[Evidence("in", each.name, each.place)],
        level=misuse.level,
        ref=each.ref,
    )


def _misuse(quantile: HistogramQuantile, given: HistogramInput) -> _Misuse | None:
    name = given.selector.name
    if name is None:
        return None
    if quantile.level is not None and not 0 <= quantile.level <= 1:
        meant = f"{quantile.level / 100:g}" if 1 < quantile.level <= 100 else "a number from 0 to 1"
        return _Misuse(
            f"is infinite: {quantile.level:g} is no quantile. They run from 0 to 1",
            f"Write histogram_quantile({meant}, …).",
        )
    row = lookup(name)
    if not name.endswith("_bucket"):
        return _no_buckets(name, row.type if row is not None else None, row.name if row is not None else name)
    lossy = next((a for a in given.aggregations if _drops_le(a)), None)
    if lossy is not None:
        kept = ", ".join(("le", *(lossy.by or ())))
        return _Misuse(
            "has no value: the aggregation drops le, the label that tells the buckets apart. Panels stay empty, alerts "
            "never fire and autoscalers see nothing",
            f"Keep le: `{lossy.op} by ({kept}) (rate({name}[5m]))`.",
        )
    if not given.functions:
        return _Misuse(
            "covers all requests since each server started: buckets are counters, and without rate() an hour of slow "
            "answers disappears in a week of fast ones",
            f"Take the rate of the buckets first: `histogram_quantile(0.95, sum by (le) (rate({name}[5m])))`.",
            "warning",
        )
    return None


def _no_buckets(name: str, kind: str | None, base: str) -> _Misuse | None:
    """A series of the metric table that holds no buckets; nothing of others, which may be native histograms."""
    if kind is None:
        return None
    if kind == "histogram":
        which = f"{base}_bucket"
        return _Misuse(f"has no value: {name} holds no buckets. They are in {which}", f"Use rate({which}[5m]).")
    return _Misuse(
        f"has no value: {name} is a {kind}, no histogram",
        f"For a quantile over time use quantile_over_time(0.95, {name}[5m])."
        if kind == "gauge"
        else "Use a histogram of the server's latency, such as vllm:time_to_first_token_seconds_bucket.",
    )


def _drops_le(aggregation: Aggregation) -> bool:
    if aggregation.op in _PICK:
        return False
    if aggregation.without is not None:
        return "le" in aggregation.without
    return not any(label == "le" or "$" in label or "{" in label for label in aggregation.by or ())
