"""A liveness probe that ends the container while the model is still loading."""

from __future__ import annotations

import math
from collections.abc import Iterator

from gpulint.finding import Confidence, Finding, Level
from gpulint.model.engine import Engine
from gpulint.model.project import Project
from gpulint.rules import rule
from gpulint.rules.forms import forms_of, same_container
from gpulint.rules.starting import IMPORTS_S, allowed, asks_engine, evidence_of_start, needs, place_of_budget, start_of


@rule("early-liveness-probe")
def check(project: Project) -> Iterator[Finding]:
    for workload in project.workloads:
        for engine in workload.engines:
            for finding in _of(engine):
                others = [same_container(engine.container, form) for form in forms_of(project, workload)]
                if not any(other is not None and other.startup_probe is not None for other in others):
                    finding.ref = workload.ref
                    yield finding


def _of(engine: Engine) -> Iterator[Finding]:
    container = engine.container
    probe = container.liveness_probe
    if probe is None or probe.budget_s is None or container.startup_probe is not None:
        return
    # Values hold the probe: whether its templates, or other values, add another one is not seen.
    of_chart = engine.ref.kind == "Chart" or container.pod.of_chart
    if not asks_engine(probe) or not (container.pod.complete or of_chart) or container.idles is not None:
        return
    start = start_of(engine)
    if start is None or probe.budget_s >= start.least_s:
        return
    level: Level = "info" if start.may_do(probe.budget_s) else "warning"
    if probe.budget_s < IMPORTS_S and not of_chart:
        level = "error"
    confidence: Confidence = "low" if of_chart else "high" if probe.budget_s < start.own_s else "medium"
    failures = math.ceil(max(2 * start.least_s, 300) / 10)
    yield Finding(
        place=place_of_budget(probe),
        message=f"The liveness probe gives up after {allowed(probe)} and no startup probe holds "
        f"it back, but {needs(engine, start, probe.budget_s)}. The kubelet then restarts the container in the middle "
        "of loading, and it begins anew: CrashLoopBackOff.",
        help="Add a startupProbe with the same httpGet, periodSeconds: 10 and failureThreshold: "
        f"{failures} ({failures * 10} s), or more if a measured cold start takes longer; liveness waits until it has "
        "succeeded once. The initialDelaySeconds of liveness can then go.",
        evidence=evidence_of_start(engine, start, probe),
        level=level,
        confidence=confidence,
    )
