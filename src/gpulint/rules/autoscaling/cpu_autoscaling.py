"""Autoscaling a GPU workload on CPU."""

from __future__ import annotations

from collections.abc import Iterator

from gpulint.finding import Evidence, Finding
from gpulint.metrics.table import Meaning
from gpulint.model.autoscaler import Autoscaler
from gpulint.rules import rule
from gpulint.rules.advice import queue_signal


@rule("cpu-autoscaling")
def check(scaler: Autoscaler) -> Iterator[Finding]:
    workload = scaler.workload
    if workload is None or not workload.uses_gpus or not scaler.metrics_known:
        return
    for metric in scaler.metrics:
        if not metric.is_only(Meaning.CPU) or _watches_a_container_without_gpus(scaler, metric.container):
            continue
        others = [other for other in scaler.metrics if not other.is_only(Meaning.CPU, Meaning.HOST_MEMORY)]
        target = f" at {metric.threshold.value:g}{'%' if metric.target_type == 'Utilization' else ''}" if metric.threshold else ""
        if others:
            message = (
                f"{scaler.ref.kind} {scaler.ref.name} adds CPU{target} to its other signals for the GPU workload "
                f"{workload.ref}. The largest proposal wins, so a busy CPU adds GPU replicas that the queue does not need."
            )
        else:
            message = (
                f"{scaler.ref.kind} {scaler.ref.name} scales the GPU workload {workload.ref} on CPU{target} alone. "
                "Requests wait for the GPU and its KV cache, not for the CPU: replicas are added late, or for the wrong "
                "reason, and each costs a GPU."
            )
        yield Finding(
            place=metric.place,
            message=message,
            help=queue_signal(workload),
            evidence=[
                Evidence("scales", str(workload.ref), workload.place),
                *(
                    Evidence("GPUs per replica", f"{request.resource}: {request.count or '?'}", request.place)
                    for container in workload.containers
                    for request in container.gpus
                ),
            ],
            level="info" if others else None,
        )


def _watches_a_container_without_gpus(scaler: Autoscaler, container_name: str | None) -> bool:
    """A ContainerResource metric on a router or tokenizer beside the engine is a choice, not a mistake."""
    if container_name is None or scaler.workload is None:
        return False
    return any(c.name == container_name and not c.gpus for c in scaler.workload.containers)
