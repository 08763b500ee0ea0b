"""A minimum of zero replicas that nobody wrote down."""

from __future__ import annotations

from collections.abc import Iterator

from gpulint.finding import Evidence, Finding, Fix, Level
from gpulint.model.autoscaler import Autoscaler
from gpulint.rules import rule
from gpulint.rules.signals import gpu_evidence, named, scaled, scales_gpus, slowest_start
from gpulint.source.edits import SetEntry


@rule("implicit-scale-to-zero")
def check(scaler: Autoscaler) -> Iterator[Finding]:
    if scaler.min_replicas is not None or scaler.default_min_replicas != 0 or not scaler.complete:
        return
    if not scales_gpus(scaler) or (scaler.idle_replicas is not None and scaler.idle_replicas.value > 0):
        return
    level: Level | None = None
    if scaler.holds_requests or any(metric.type == "cron" for metric in scaler.metrics):
        level = "info"  # what such platforms and schedules are chosen for
    probe, idle = slowest_start(scaler), scaler.to_zero_after_s
    idle_s = idle.value if idle is not None else scaler.default_to_zero_after_s
    after = f" after {idle_s:g} s without load" if idle_s is not None else ""
    start = f"up to {probe.value:g} s" if probe is not None else "minutes"
    meets = "waits until one has" if scaler.holds_requests else "fails until one has"
    evidence = []
    if idle is not None:
        evidence.append(Evidence("cooldown", f"{idle.value:g} s", idle.place))
    if probe is not None:
        evidence.append(Evidence("startup budget", f"{probe.value:g} s", probe.place))
    if scaler.workload is not None:
        evidence += [
            Evidence("scales", str(scaler.workload.ref), scaler.workload.place),
            *gpu_evidence(scaler.workload),
        ]
    yield Finding(
        place=idle.key_place if idle is not None else scaler.place,
        message=(
            f"{named(scaler)} takes {scaled(scaler)} down to no replica at all{after}: it sets no minimum, and "
            f"the default is 0. The next request finds no server and {meets} started and loaded the model, which takes "
            f"{start}."
        ),
        help=(
            "Write the minimum down: 1 keeps a replica loaded; 0 says that a cold start is acceptable, after it was "
            "measured from the first request to the first token."
        ),
        evidence=evidence,
        level=level,
        fix=Fix("Keep one replica", [SetEntry(most.place, "minReplicaCount", "1")], safe=False)
        if scaler.ref.kind == "ScaledObject" and (most := scaler.max_replicas) is not None
        else None,
    )
