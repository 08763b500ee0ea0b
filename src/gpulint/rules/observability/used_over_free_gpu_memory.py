"""GPU memory used divided by memory free, taken for the share in use."""

from __future__ import annotations

from collections.abc import Iterator

from gpulint.finding import Evidence, Finding, Level
from gpulint.metrics.promql import Selector
from gpulint.metrics.table import Meaning
from gpulint.model.monitoring import Alert, RecordingRule
from gpulint.rules import rule


@rule("used-over-free-gpu-memory")
def check(item: Alert | RecordingRule) -> Iterator[Finding]:
    query = item.expression.query
    for selector in query.selectors if query is not None else ():
        if not _is_used_over_free(item, selector):
            continue
        free = selector.ratio_of[0]
        what = f"Recording rule {item.name}"
        effect = "it reads 1 at half full, and grows without bound towards full"
        level: Level | None = None
        if isinstance(item, Alert):
            threshold = _threshold(item, selector)
            if threshold is None:
                continue
            what = f"Alert {item.name}"
            effect = (
                f"it fires at {threshold / (1 + threshold) * 100:.0f}% of memory in use, not at {threshold * 100:g}%"
            )
        yield Finding(
            place=item.expression.place_of(selector),
            message=(
                f"{what} divides {selector.name} by {free}, so {effect}. The share in use is used over used plus free."
            ),
            help=f"Divide by the sum: {selector.name} / ({selector.name} + {free}).",
            evidence=[Evidence("read as", what, item.place)],
            level=level,
        )


def _is_used_over_free(item: Alert | RecordingRule, selector: Selector) -> bool:
    if selector.in_denominator or len(selector.ratio_of) != 1 or selector.name is None:
        return False
    used, free = selector.name.lower(), selector.ratio_of[0].lower()
    is_memory = Meaning.GPU_MEMORY in item.expression.meanings(selector)
    return is_memory and "used" in used and used.replace("used", "free") == free


def _threshold(alert: Alert, selector: Selector) -> float | None:
    """The threshold where it can only be meant as a share of the whole; `used / free > 9` is another way for 90 %."""
    query = alert.expression.query
    for comparison in query.comparisons if query is not None else ():
        solved = comparison.on_metric
        if comparison.is_ratio and selector in comparison.selectors and solved is not None:
            op, threshold = solved
            return threshold if op in (">", ">=") and 0 < threshold <= 1 else None
    return None
