"""A health check of Docker that counts a server as unhealthy while it loads, with services that wait for it."""

from __future__ import annotations

import math
from collections.abc import Iterator

from gpulint.finding import Evidence, Finding
from gpulint.model.engine import Engine
from gpulint.rules import rule
from gpulint.rules.starting import allowed, asks_engine, evidence_of_start, needs, place_of_budget, start_of


@rule("unhealthy-before-start")
def check(engine: Engine) -> Iterator[Finding]:
    container = engine.container
    probe, waiting = container.health_check, container.awaited_by
    if probe is None or probe.budget_s is None or not waiting or not asks_engine(probe):
        return
    start = start_of(engine)
    if start is None or probe.budget_s >= start.least_s or start.may_do(probe.budget_s):
        return
    names = " and ".join(service.value for service in waiting[:2]) + (" and others" if len(waiting) > 2 else "")
    left = f"{names}, which waits for it, is not started" if len(waiting) == 1 else f"{names} are not started"
    wanted_s = math.ceil(max(2 * start.least_s, 300) / 60) * 60
    yield Finding(
        place=place_of_budget(probe),
        message=f"The health check calls service {container.name} unhealthy after {allowed(probe)}, "
        f"but {needs(engine, start, probe.budget_s)}. Compose then ends with dependency failed to "
        f"start, and {left}.",
        help=f"Set start_period: {wanted_s}s in the health check, or twice a measured cold start: failures within it "
        "do not count, and the first success ends it.",
        evidence=[
            *evidence_of_start(engine, start, probe),
            *(Evidence("waits for it", service.value, service.place) for service in waiting),
        ],
    )
