"""An autoscaler whose minimum is its maximum."""

from __future__ import annotations

from collections.abc import Iterator

from gpulint.finding import Evidence, Finding
from gpulint.model.autoscaler import Autoscaler
from gpulint.model.project import Project
from gpulint.rules import rule
from gpulint.rules.signals import gpu_evidence, named, scaled, scales_gpus, short_name

_ALWAYS_SCALED = frozenset({"Model"})


@rule("fixed-replica-range")
def check(project: Project) -> Iterator[Finding]:
    # An overlay may set other bounds.
    patched = {(scaler.ref.kind, scaler.ref.name) for scaler in project.autoscalers if not scaler.complete}
    for scaler in project.autoscalers:
        if (scaler.ref.kind, scaler.ref.name) not in patched:
            yield from _fixed(scaler)


def _fixed(scaler: Autoscaler) -> Iterator[Finding]:
    low, high = scaler.lowest, scaler.max_replicas
    if low is None or high is None or low != high.value or low < 1 or scaler.schedules:
        return
    # Without a target of its own it may be meant as a plain number of replicas.
    # An operator's object that always scales itself has no other way to say a number (KubeAI).
    metric = next((metric for metric in scaler.metrics if metric.threshold is not None), None)
    if scaler.ref.kind in _ALWAYS_SCALED:
        return
    if metric is None or not scaler.actuates or not scaler.complete or not scales_gpus(scaler):
        return
    replicas = f"{low} replica{'s' if low != 1 else ''}"
    written = scaler.min_replicas
    evidence = [Evidence("target", f"{short_name(metric)}", metric.place)]
    if written is not None:
        evidence.append(Evidence("minimum", written.value, written.place))
    if scaler.workload is not None:
        evidence += gpu_evidence(scaler.workload)
    default = "" if written is not None else ", the default"
    yield Finding(
        place=high.place,
        message=(
            f"{named(scaler)} keeps {scaled(scaler)} at {replicas}: the minimum{default} and the maximum are both "
            f"{low}. Its target on {short_name(metric)} changes nothing, and idle GPUs at night as well as a queue by "
            "day come from here, not from the signal."
        ),
        help=(
            "Set the maximum to what the peak needs and the quota holds; or, where the number is meant to be fixed, "
            "write it as replicas and remove the autoscaler."
        ),
        evidence=evidence,
        ref=scaler.ref,
    )
