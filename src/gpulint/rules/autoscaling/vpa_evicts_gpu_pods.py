"""A VerticalPodAutoscaler that restarts pods with GPUs."""

from __future__ import annotations

from collections.abc import Iterator

from gpulint.finding import Evidence, Finding, Fix
from gpulint.model.policies import VerticalAutoscaler
from gpulint.rules import rule
from gpulint.rules.signals import gpu_evidence, kind_of_device, serves
from gpulint.source.edits import ReplaceText

# Modes that change running pods. Source: kubernetes/autoscaler vertical-pod-autoscaler, docs/features.md.
_EVICTING = frozenset({"Auto", "Recreate", "InPlaceOrRecreate"})


@rule("vpa-evicts-gpu-pods")
def check(vertical: VerticalAutoscaler) -> Iterator[Finding]:
    workload, mode = vertical.workload, vertical.update_mode
    if workload is None or not serves(workload) or not vertical.resources:
        return
    if mode is not None and mode.value not in _EVICTING:
        return
    device = kind_of_device(workload)
    said = f"in mode {mode.value}" if mode is not None else "in its default mode"
    resources = " and ".join({"cpu": "CPU", "memory": "memory"}.get(name, name) for name in sorted(vertical.resources))
    in_place = " where it cannot resize them in place" if mode is not None and mode.value == "InPlaceOrRecreate" else ""
    shared = sorted(
        {
            metric.name
            for scaler in workload.autoscalers
            for metric in scaler.metrics
            if metric.type in ("Resource", "ContainerResource", "cpu", "memory") and metric.name in vertical.resources
        }
    )
    both = (
        f" An HPA scales the same pods on {' and '.join(shared)}, which VPA must not be combined with."
        if shared
        else ""
    )
    yield Finding(
        place=mode.place if mode is not None else vertical.target_place,
        message=(
            f"{vertical.ref.short} {said} evicts pods of {workload.ref} to change "
            f"their {resources}{in_place}. Each eviction costs the minutes of loading the model, and no amount of "
            f"{resources} changes what the {device} can serve.{both}"
        ),
        help='Set `updatePolicy: {updateMode: "Off"}`, read its recommendation and apply that with a rollout.',
        evidence=[
            Evidence(
                "updateMode", mode.value if mode is not None else "(default)", mode.place if mode is not None else None
            ),
            Evidence("scales", str(workload.ref), workload.place),
            *gpu_evidence(workload),
        ],
        fix=Fix('Set updateMode: "Off"', [ReplaceText(mode.place, mode.value, "Off")], safe=False)
        if mode is not None
        else None,
    )
