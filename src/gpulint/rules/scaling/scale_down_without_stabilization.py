"""Removing GPU replicas sooner than a new one could start."""

from __future__ import annotations

from collections.abc import Iterator

from gpulint.finding import Evidence, Finding, Fix, Level
from gpulint.model.autoscaler import Autoscaler
from gpulint.rules import rule
from gpulint.rules.advice import before_scaling_down
from gpulint.rules.signals import gpu_evidence, named, scales_gpus, slowest_start, target_name
from gpulint.source.edits import SetEntry

# Below this, a dip between two bursts of requests costs replicas. The API's own default is 300 s.
# Source: Kubernetes, Horizontal Pod Autoscaling, "Stabilization window"; Google Cloud's guide to autoscaling inference.
_SHORTEST_WINDOW_S = 60
_DEFAULT_WINDOW_S = 300
# The API takes no longer one.
_WINDOW, _LONGEST_WINDOW_S = "stabilizationWindowSeconds", 3600


@rule("scale-down-without-stabilization")
def check(scaler: Autoscaler) -> Iterator[Finding]:
    window = scaler.scale_down.stabilization_window_s
    workload = scaler.workload
    if window is None or scaler.scale_down.disabled or _is_fixed(scaler):
        return
    if not scales_gpus(scaler):
        return
    probe = slowest_start(scaler)
    level: Level | None = None
    target = target_name(scaler)
    if window.value < _SHORTEST_WINDOW_S:
        when = f"after {window.value:g} s of lower load" if window.value > 0 else "as soon as the load dips"
        first = f"{named(scaler)} removes replicas of {target} {when}"
        cost = f"up to {probe.value:g} s, as its startup probe allows," if probe is not None else "minutes"
    elif probe is not None and window.value < probe.value:
        level = "info"  # the probe's budget is an upper bound, not the time that a start takes
        first = (
            f"{named(scaler)} waits {window.value:g} s before it removes replicas of {target}, which may take "
            f"{probe.value:g} s to start"
        )
        cost = "that long"
    else:
        return
    evidence = [Evidence(scaler.scale_down.spelled, f"{window.value:g} s", window.place)]
    evidence += [
        Evidence("scale-down policy", f"{policy.value:g} {policy.type} in {policy.period_s:g} s", policy.place)
        for policy in scaler.scale_down.policies
        if policy.value is not None and policy.period_s is not None
    ]
    if probe is not None:
        evidence.append(Evidence("startup budget", f"{probe.value:g} s", probe.place))
    if workload is not None:
        evidence += [Evidence("scales", str(workload.ref), workload.place), *gpu_evidence(workload)]
    longest = max(_DEFAULT_WINDOW_S, probe.value if probe is not None else 0)
    default = f" (without it, {scaler.scale_down.default_s:g} s hold)"
    yield Finding(
        place=window.place,
        message=(
            f"{first}. A new one takes {cost} to load the model, and a quiet moment is no spare capacity: the next "
            "burst meets fewer replicas and queues."
        ),
        help=(
            f"Set {_current(scaler.scale_down.spelled)} to {longest:g} s or more{default}, and look at "
            f"{before_scaling_down(scaler)} before taking one away."
        ),
        evidence=evidence,
        level=level,
        fix=Fix(f"Wait {longest:g} s", [SetEntry(window.place, _WINDOW, f"{longest:g}")], safe=False)
        if level is None and scaler.scale_down.spelled == _WINDOW and longest <= _LONGEST_WINDOW_S
        else None,
    )


def _current(spelled: str) -> str:
    """The name under which newer releases of AIBrix look for the delay; they pass over the old one."""
    if spelled.startswith("kpa."):
        return f"autoscaling.aibrix.ai/scale-down-cooldown-window (in older releases {spelled})"
    return spelled


def _is_fixed(scaler: Autoscaler) -> bool:
    low, high = scaler.min_replicas, scaler.max_replicas
    return low is not None and high is not None and low.value == high.value
