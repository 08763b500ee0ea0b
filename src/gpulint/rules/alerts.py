"""What rules about alerts share: conditions on GPU utilisation, and the words in which an alert concludes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

from gpulint.metrics.promql import Comparison, Selector
from gpulint.metrics.table import Meaning, lookup
from gpulint.model.monitoring import Alert, Expression
from gpulint.rules.signals import in_percent, keeps_unit


class Condition(NamedTuple):
    """`GPU utilisation op percent` in an alert, held for `duration_s` (None where that is not known)."""

    comparison: Comparison
    selector: Selector
    op: str
    percent: float
    duration_s: float | None


def utilization_conditions(alert: Alert) -> Iterator[Condition]:
    """The comparisons of GPU utilisation with a constant, where the scale is known."""
    expression = alert.expression
    for comparison in expression.query.comparisons if expression.query is not None else ():
        selector = next((s for s in comparison.selectors if _is_utilization(expression, s)), None)
        solved = comparison.on_metric
        if selector is None or solved is None or comparison.is_ratio or not keeps_unit(selector):
            continue
        if not all(_is_utilization(expression, other) for other in comparison.selectors):
            continue
        percent = in_percent(lookup(selector.name or ""), solved[1])
        if percent is None:
            continue
        windows = [other.window_s or 0.0 for other in comparison.selectors]
        duration_s = alert.for_s + max(windows) if alert.for_s is not None else None
        yield Condition(comparison, selector, solved[0], percent, duration_s)


def _is_utilization(expression: Expression, selector: Selector) -> bool:
    return expression.meanings(selector) == {Meaning.GPU_UTILIZATION}


def meanings_beside(alert: Alert, condition: Condition) -> frozenset[Meaning]:
    """What else must hold for the alert to fire.

    GPU utilisation is in it only where another metric of it is looked at (`GPU_UTIL > 90 and SM_ACTIVE < 0.3`).
    """
    found: set[Meaning] = set()
    own = {selector.name for selector in condition.comparison.selectors}
    for selector in condition.comparison.conjoined:
        if selector.name not in own:
            found |= alert.expression.meanings(selector)
    return frozenset(found)


@cache
def _pattern(words: str) -> re.Pattern[str]:
    return re.compile(words, re.IGNORECASE)


_TRAINING = r"\btrain|training|fine.?tun|slurm|notebook|jupyter|pytorchjob|\bhpc\b"
_STUCK = r"\bhang|\bhung\b|stuck|stall|deadlock|frozen|freez"


def is_about_training(alert: Alert) -> bool:
    """Whether the alert watches training or notebooks, where a busy GPU is the aim."""
    query = alert.expression.query
    values = [m.value for s in query.selectors for m in s.matchers if m.op in ("=", "=~")] if query is not None else []
    text = " ".join([alert.words, *alert.labels.values(), *values])
    return _pattern(_TRAINING).search(text) is not None


def speaks_of(alert: Alert, words: str) -> bool:
    """Whether the alert's name, annotations or labels have one of these words (a regular expression)."""
    return _pattern(words).search(" ".join([alert.words, *alert.labels.values()])) is not None


def is_about_stuck_work(alert: Alert) -> bool:
    return speaks_of(alert, _STUCK)


def duration_text(duration_s: float | None) -> str:
    """` for 30 min`; nothing for an alert that fires at once."""
    if not duration_s:
        return ""
    if duration_s >= 7200:
        return f" for {duration_s / 3600:g} h"
    return f" for {duration_s / 60:g} min" if duration_s >= 120 else f" for {duration_s:g} s"


def matches(words: str, text: str) -> bool:
    """Whether a text has one of these words (a regular expression, in any case)."""
    return _pattern(words).search(text) is not None
