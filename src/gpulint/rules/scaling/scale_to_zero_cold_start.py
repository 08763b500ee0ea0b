"""Scaling to zero what takes longer to come back than it may be idle."""

from __future__ import annotations

from collections.abc import Iterator

from gpulint.finding import Evidence, Finding, Level
from gpulint.model.autoscaler import Autoscaler
from gpulint.rules import rule
from gpulint.rules.signals import gpu_evidence, is_of_an_engine, named, scaled, scales_gpus, slowest_start

# Loading a language model takes minutes. Source: Google Cloud, "Best practices for autoscaling large language model
# (LLM) inference workloads with GPUs".
_QUICKEST_START_S = 120


@rule("scale-to-zero-cold-start")
def check(scaler: Autoscaler) -> Iterator[Finding]:
    low, high = scaler.min_replicas, scaler.max_replicas
    if low is None or low.value != 0 or (high is not None and high.value == 0) or not scales_gpus(scaler):
        return
    probe, idle = slowest_start(scaler), scaler.to_zero_after_s
    idle_s = idle.value if idle is not None else scaler.default_to_zero_after_s
    runs_engine = bool(scaler.workload.engines) if scaler.workload is not None else False
    runs_engine = runs_engine or any(is_of_an_engine(metric) for metric in scaler.metrics)
    if probe is None and not runs_engine:
        return  # nothing tells how long a start takes
    if probe is not None:
        start_s, start = probe.value, f"may take {probe.value:g} s, as its probe allows"
    else:
        start_s, start = _QUICKEST_START_S, "takes minutes for a language model"
    if scaler.holds_requests and idle_s is None and probe is None:
        return  # the platform's own way to have many models on few GPUs: it keeps the request and starts the server
    level: Level = "info"
    after = f" after {idle_s:g} s without load" if idle_s is not None else ""
    if idle_s is not None and idle_s < start_s:
        level = "warning"
        why = "It is taken away sooner than it could be started, so that every pause costs a whole start."
    else:
        why = "The first request after a pause waits for all of it."
    target = scaled(scaler)
    last = "its last replica" if target == "itself" else f"the last replica of {target}"
    evidence = []
    if idle is not None:
        evidence.append(Evidence("time without load", f"{idle.value:g} s", idle.place))
    if probe is not None:
        evidence.append(Evidence("startup budget", f"{probe.value:g} s", probe.place))
    if scaler.workload is not None:
        evidence += [
            Evidence("scales", str(scaler.workload.ref), scaler.workload.place),
            *gpu_evidence(scaler.workload),
        ]
    longer = f"to several times {probe.value:g} s" if probe is not None else "to several times a measured start"
    yield Finding(
        place=low.place,
        message=(f"{named(scaler)} takes {last} away{after}, and a start {start}. {why}"),
        help=(
            "Keep one replica (a minimum of 1), or measure the time from the first request to the first token after a "
            f"pause, see that clients wait that long, and set the time without load {longer}."
        ),
        evidence=evidence,
        level=level,
    )
