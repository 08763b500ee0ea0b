"""An alert that one sample of a gauge sets off."""

from __future__ import annotations

from collections.abc import Iterator

from gpulint.finding import Evidence, Finding
from gpulint.metrics.promql import Selector, meaning_of
from gpulint.metrics.table import Meaning, lookup
from gpulint.model.monitoring import Alert
from gpulint.rules import rule
from gpulint.rules.signals import keeps_unit

# What rises and falls with every request.
_RESTLESS = {
    Meaning.GPU_UTILIZATION: "GPU utilisation is a sample of the last moment",
    Meaning.KV_CACHE: "KV cache usage touches its top whenever a long request runs",
    Meaning.QUEUE: "a request waits now and then on a server that keeps up",
    Meaning.RUNNING: "the number of running requests changes with each of them",
}


@rule("alert-on-one-sample")
def check(alert: Alert) -> Iterator[Finding]:
    if alert.for_s != 0 or alert.expression.query is None:
        return
    for comparison in alert.expression.query.comparisons:
        selectors = comparison.selectors
        if not selectors or not all(_is_momentary(alert, selector) for selector in (*selectors, *comparison.conjoined)):
            continue
        selector = selectors[0]
        meaning = meaning_of(selector)
        if meaning is None:
            continue
        yield Finding(
            place=alert.place,
            message=(
                f"Alert {alert.name} fires at the first sample of {selector.name} that meets its condition: it has no "
                f"`for`, and its query looks at one moment. It fires and resolves by chance: {_RESTLESS[meaning]}."
            ),
            help=(
                f"Add for: 5m, or look at a window: avg_over_time({selector.name}[5m]) for what lasts, "
                f"max_over_time({selector.name}[5m]) for what must not happen at all."
            ),
            evidence=[Evidence("compared", selector.name, alert.expression.place_of(selector))],
        )
        return


def _is_momentary(alert: Alert, selector: Selector) -> bool:
    """Whether it is a gauge of load as it was scraped, not over a window and not through a recording rule."""
    row = lookup(selector.name or "")
    return (
        row is not None
        and row.type == "gauge"
        and meaning_of(selector) in _RESTLESS
        and selector.window_s is None
        and not any(function.endswith("_over_time") for function in selector.functions)
        and keeps_unit(selector)
        and selector.name not in alert.expression.recorded
    )
