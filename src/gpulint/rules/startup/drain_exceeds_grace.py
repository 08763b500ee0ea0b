"""A shutdown that takes longer than the pod is given for it."""

from __future__ import annotations

from collections.abc import Iterator

from gpulint.finding import Evidence, Finding
from gpulint.model.workload import Container
from gpulint.rules import rule
from gpulint.rules.parallel import named


@rule("drain-exceeds-grace")
def check(container: Container) -> Iterator[Finding]:
    grace = container.pod.termination_grace_s
    if grace is None or grace.value is None or (container.engine is None and not container.gpus):
        return
    if grace.default and not container.pod.complete:
        return
    sleep = container.pre_stop_s
    drain = container.engine.shutdown_timeout_s if container.engine is not None else None
    if drain is not None and (drain.default or not drain.value):
        drain = None
    sleep_s, drain_s = (sleep.value if sleep is not None else 0.0), (drain.value or 0.0 if drain is not None else 0.0)
    total_s = sleep_s + drain_s
    if total_s < grace.value or not total_s or (total_s == grace.value and drain is None and sleep_s < grace.value):
        return
    parts = [f"its preStop hook sleeps {sleep_s:g} s"] if sleep is not None else []
    parts += [f"{drain.spelled} lets requests run for {drain_s:g} s"] if drain is not None else []
    written = " by default" if grace.default else ""
    place = drain.place if drain is not None else sleep.place if sleep is not None else None
    evidence = [Evidence("terminationGracePeriodSeconds", grace.value, grace.place)]
    evidence += [Evidence("preStop", f"sleep {sleep_s:g}", sleep.place)] if sleep is not None else []
    evidence += [Evidence(drain.spelled, drain_s, drain.place)] if drain is not None else []
    yield Finding(
        place=place or container.place,
        message=f"{named(container)} has {grace.value:g} s to end{written}, but {' and '.join(parts)}. The grace "
        "period begins before the hook: when it is over the kubelet kills the process, and with it every request that "
        "is still running.",
        help=f"Set terminationGracePeriodSeconds to {total_s + 15:g} or more: the hook, the time for running requests, "
        "and some seconds to end. It is an upper bound; a pod that is done goes at once.",
        evidence=evidence,
    )
