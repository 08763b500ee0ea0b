"""A startup probe that allows less time than the model takes to load."""

from __future__ import annotations

import math
from collections.abc import Iterator

from gpulint.finding import Confidence, Finding
from gpulint.model.engine import Engine
from gpulint.rules import rule
from gpulint.rules.starting import allowed, asks_engine, evidence_of_start, needs, place_of_budget, start_of


@rule("short-startup-probe")
def check(engine: Engine) -> Iterator[Finding]:
    container = engine.container
    probe = container.startup_probe
    if probe is None or probe.budget_s is None or not asks_engine(probe) or container.idles is not None:
        return
    start = start_of(engine)
    if start is None or probe.budget_s >= start.least_s:
        return
    confidence: Confidence = "high" if probe.budget_s < start.own_s else "medium"
    wanted_s = max(2 * start.least_s, 300)
    kubelet = probe.failure_threshold is not None
    what = "The startup probe gives up" if kubelet else "The replica is given up"
    ends = (
        "The kubelet then restarts the container in the middle of loading, and it begins anew: CrashLoopBackOff."
        if kubelet
        else "It is then replaced by another, which is given up in its turn."
    )
    failures = math.ceil(wanted_s / 10)
    more = (
        f"Raise failureThreshold: with periodSeconds: 10, {failures} allows {failures * 10} s"
        if kubelet
        else f"Raise initial_delay_seconds to {math.ceil(wanted_s / 60) * 60} or leave it at its default of 1200"
    )
    yield Finding(
        place=place_of_budget(probe),
        message=f"{what} after {allowed(probe)}, but {needs(engine, start, probe.budget_s)}. " + ends,
        help=f"{more}; measure a cold start and double it. A longer budget costs nothing where the start is quick, for "
        "the probe ends with its first success. A volume for the downloaded weights shortens all but the first.",
        evidence=evidence_of_start(engine, start, probe),
        level="info" if start.may_do(probe.budget_s) else None,
        confidence=confidence,
    )
