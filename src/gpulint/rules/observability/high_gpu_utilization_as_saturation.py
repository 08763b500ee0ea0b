"""An alert that takes high GPU utilisation for saturation."""

from __future__ import annotations

from collections.abc import Iterator

from gpulint.finding import Evidence, Finding, Level
from gpulint.metrics.table import Meaning
from gpulint.model.monitoring import Alert
from gpulint.rules import rule
from gpulint.rules.advice import SATURATION_CHECK
from gpulint.rules.alerts import (
    duration_text,
    is_about_stuck_work,
    is_about_training,
    meanings_beside,
    speaks_of,
    utilization_conditions,
)
from gpulint.rules.signals import ENGINE_MEANINGS

_CONCLUDES = (
    r"\bload|high.?load|utili[sz]ation|usage|satur|capacit|over.?load|busy|exhaust|bottleneck|scale.?(up|out)"
    r"|add (more )?(replicas|gpus)|throttl|slow|degrad|performance"
)
_QUIET_SEVERITIES = frozenset({"info", "information", "informational", "none", "low", "notice", "debug"})
# Below half, a threshold asks whether a GPU works at all.
_LEAST_PERCENT = 50.0
_ENOUGH = ENGINE_MEANINGS | {
    Meaning.GPU_UTILIZATION,
    Meaning.MEMORY_BANDWIDTH,
    Meaning.TEMPERATURE,
    Meaning.POWER,
    Meaning.ERRORS,
}


@rule("high-gpu-utilization-as-saturation")
def check(alert: Alert) -> Iterator[Finding]:
    if is_about_training(alert) or is_about_stuck_work(alert):
        return
    severity = alert.labels.get("severity", "").lower()
    for condition in utilization_conditions(alert):
        if condition.op not in (">", ">=") or not _LEAST_PERCENT <= condition.percent <= 100:
            continue
        if meanings_beside(alert, condition) & _ENOUGH:
            continue
        pages = bool(severity) and severity not in _QUIET_SEVERITIES
        level: Level | None = None
        if severity in _QUIET_SEVERITIES or not (pages or speaks_of(alert, _CONCLUDES)):
            level = "info"
        held = f"{condition.percent:g}%{duration_text(condition.duration_s)} ({condition.selector.name})"
        yield Finding(
            place=alert.expression.place_of(condition.selector),
            message=(
                f"Alert {alert.name} treats GPU utilisation above {held} as overload. It is the share of time in which "
                "some kernel ran: steady decoding keeps it near 100% with room for more requests, and so does a kernel "
                "that only waits for another GPU."
            ),
            help=SATURATION_CHECK,
            evidence=[
                Evidence("alert", alert.name, alert.place),
                *([Evidence("severity", severity)] if severity else []),
            ],
            level=level,
        )
