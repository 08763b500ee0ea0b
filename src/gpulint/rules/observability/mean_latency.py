"""A mean where the slow requests are what matters."""

from __future__ import annotations

from collections.abc import Iterator

from gpulint.finding import Evidence, Finding
from gpulint.metrics.promql import Selector
from gpulint.metrics.table import Meaning, lookup
from gpulint.model.autoscaler import Autoscaler
from gpulint.model.monitoring import Alert
from gpulint.rules import rule
from gpulint.rules.expressions import watched


@rule("mean-latency")
def check(item: Alert | Autoscaler) -> Iterator[Finding]:
    for each in watched(item):
        if each.query.quantiles:
            continue
        base = next((found for s in each.query.selectors if (found := _mean_of(s)) is not None), None)
        if base is None:
            continue
        selector, name = base
        verb = "scales on" if isinstance(item, Autoscaler) else "watches"
        yield Finding(
            place=each.place_of(selector),
            message=(
                f"{each.name} {verb} the mean of {name}. When one request in twenty waits for room in the KV cache the "
                "mean hardly moves: it hides the requests that users complain about."
            ),
            help=f"Take p95: `histogram_quantile(0.95, sum by (le) (rate({name}_bucket[5m])))`.",
            evidence=[Evidence("in", each.name, each.place)],
            ref=each.ref,
        )


def _mean_of(selector: Selector) -> tuple[Selector, str] | None:
    """A histogram's sum that is divided by its count."""
    name = selector.name or ""
    row = lookup(name)
    if row is None or row.type != "histogram" or row.meaning != Meaning.LATENCY or not name.endswith("_sum"):
        return None
    base = name.removesuffix("_sum")
    return (selector, base) if f"{base}_count" in selector.ratio_of else None
