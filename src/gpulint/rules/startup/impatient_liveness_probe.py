"""A liveness probe that restarts a busy server before readiness takes it out of service."""

from __future__ import annotations

from collections.abc import Iterator

from gpulint.finding import Evidence, Finding
from gpulint.model.engine import Engine
from gpulint.rules import rule

_SHORT_TIMEOUT_S = 1
_SHORT_S = 30


@rule("impatient-liveness-probe")
def check(engine: Engine) -> Iterator[Finding]:
    liveness, readiness = engine.container.liveness_probe, engine.container.readiness_probe
    if liveness is None or readiness is None or liveness.action != "httpGet":
        return
    if (liveness.path, liveness.port) != (readiness.path, readiness.port) or liveness.timeout_s is None:
        return
    timeout_s, patience_s, other_s = liveness.timeout_s.value, liveness.patience_s, readiness.patience_s
    if timeout_s is None or patience_s is None or other_s is None or timeout_s > _SHORT_TIMEOUT_S:
        return
    if patience_s > other_s or patience_s > _SHORT_S:
        return
    failures = liveness.failure_threshold
    yield Finding(
        place=(failures.place if failures is not None else None) or liveness.place,
        message=f"The liveness probe restarts {engine.label} after {patience_s:g} s without an answer within "
        f"{timeout_s:g} s, no later than readiness takes it out of service ({other_s:g} s). Under a burst of long "
        "prompts a server answers late: it is then killed with all its requests and loads its model anew, and the "
        "others take over its load.",
        help=f"Let liveness wait several times as long as readiness: timeoutSeconds: 10 and a failureThreshold that "
        f"makes at least {max(3 * other_s, 60):g} s. Readiness alone sheds the load meanwhile.",
        evidence=[
            Evidence("liveness", f"{patience_s:g} s", liveness.place),
            Evidence("readiness", f"{other_s:g} s", readiness.place),
            Evidence("timeoutSeconds", timeout_s, liveness.timeout_s.place),
        ],
    )
