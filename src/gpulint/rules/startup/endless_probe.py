"""A readiness or liveness probe that a hung server passes for hours."""

from __future__ import annotations

from collections.abc import Iterator

from gpulint.finding import Evidence, Finding
from gpulint.model.workload import Container, Probe
from gpulint.rules import rule
from gpulint.rules.parallel import named

_LONGEST_S = 3600


@rule("endless-probe")
def check(container: Container) -> Iterator[Finding]:
    if (container.engine is None and not container.gpus) or container.pod.workload.batch:
        return
    for name, probe, then in (
        ("readiness", container.readiness_probe, "keeps getting requests"),
        ("liveness", container.liveness_probe, "is not restarted"),
    ):
        if probe is None or probe.failure_threshold is None or probe.patience_s is None:
            continue
        if probe.patience_s < _LONGEST_S or (name == "readiness" and _restarts(container.liveness_probe, probe)):
            continue
        failures, period = probe.failure_threshold, probe.period_s
        period_s = period.value if period is not None else None
        hours = probe.patience_s / 3600
        yield Finding(
            place=failures.place or probe.place,
            message=f"{named(container)} {then} for {hours:.3g} hours after it has stopped answering: its {name} probe "
            f"needs {failures.value:g} failures in a row, {period_s:g} s apart. A threshold that is meant for a slow "
            "start also holds for every later failure.",
            help=f"Give the start a startupProbe with this failureThreshold, and the {name} probe one of 3 to 6: it "
            "begins when the startup probe has succeeded.",
            evidence=[
                Evidence("failureThreshold", failures.value, failures.place),
                Evidence("periodSeconds", period_s, period.place if period is not None else None),
            ],
        )


def _restarts(liveness: Probe | None, readiness: Probe) -> bool:
    """Whether the liveness probe asks the same question and ends a hung server long before."""
    return (
        liveness is not None
        and (liveness.action, liveness.path, liveness.port) == (readiness.action, readiness.path, readiness.port)
        and liveness.patience_s is not None
        and liveness.patience_s < _LONGEST_S
    )
