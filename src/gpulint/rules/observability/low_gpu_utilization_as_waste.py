"""An alert that takes low GPU utilisation for wasted capacity."""

from __future__ import annotations

from collections.abc import Iterator

from gpulint.finding import Evidence, Finding, Level
from gpulint.metrics.table import Meaning
from gpulint.model.monitoring import Alert
from gpulint.rules import rule
from gpulint.rules.advice import IDLE_CHECK
from gpulint.rules.alerts import (
    duration_text,
    is_about_stuck_work,
    is_about_training,
    matches,
    meanings_beside,
    speaks_of,
    utilization_conditions,
)
from gpulint.rules.signals import ENGINE_MEANINGS

_CONCLUDES = (
    r"idle|wast|unused|under.?(utili|used)|not (being )?used|over.?(provision|sized)|scal(e|ing).?(down|in)\b|downsiz"
    r"|right.?siz|consolidat|\bcosts?\b|cost.?(optimi|sav|alert)|money|saving|reclaim|spare|inefficien"
    r"|浪费|空闲|闲置|缩减|缩容|낭비|유휴"
)
# How full the multiprocessors are, or one kind of unit, which is looked at to find out why a GPU yields little.
_PIPES = r"tensor|occupancy|fp(16|32|64)"
# A GPU this idle for this long has most likely nothing to do, whatever the metric cannot tell.
_SURELY_IDLE_PERCENT, _LIKELY_IDLE_PERCENT = 1.0, 5.0
_LONG_S = 1800
# Memory beside it says that something else than the duty cycle was looked at.
_ENOUGH = ENGINE_MEANINGS | {Meaning.GPU_MEMORY, Meaning.MEMORY_BANDWIDTH, Meaning.GPU_UTILIZATION}


@rule("low-gpu-utilization-as-waste")
def check(alert: Alert) -> Iterator[Finding]:
    concludes = speaks_of(alert, _CONCLUDES)
    if is_about_training(alert) or (is_about_stuck_work(alert) and not concludes):
        return
    for condition in utilization_conditions(alert):
        op, percent = condition.op, condition.percent
        if op not in ("<", "<=", "==") or percent < 0 or (op == "==") != (percent == 0):
            continue  # what is below nothing never fires, and 7 exactly is no floor
        if not concludes and matches(_PIPES, condition.selector.name or ""):
            continue
        is_long = condition.duration_s is None or condition.duration_s >= _LONG_S
        if is_long and percent <= _SURELY_IDLE_PERCENT:
            continue
        if meanings_beside(alert, condition) & _ENOUGH:
            continue
        level: Level | None = None
        if not concludes or (is_long and percent <= _LIKELY_IDLE_PERCENT):
            level = "info"
        held = f"{percent:g}%{duration_text(condition.duration_s)} ({condition.selector.name})"
        verb, conclusion = ("treats", " as unused capacity") if concludes else ("reports", "")
        yield Finding(
            place=alert.expression.place_of(condition.selector),
            message=(
                f"Alert {alert.name} {verb} GPU utilisation below {held}{conclusion}. Decoding is bound by memory "
                "bandwidth, and a full KV cache keeps batches small: a GPU that serves all it can may show the same, "
                "and scaling it down lengthens the queue."
            ),
            help=IDLE_CHECK,
            evidence=[Evidence("alert", alert.name, alert.place)],
            level=level,
        )
