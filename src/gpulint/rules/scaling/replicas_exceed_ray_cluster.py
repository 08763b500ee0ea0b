"""More GPU replicas than the Ray cluster can ever hold."""

from __future__ import annotations

from collections.abc import Iterator

from gpulint.finding import Evidence, Finding
from gpulint.model.autoscaler import Autoscaler
from gpulint.model.workload import Workload
from gpulint.rules import rule


@rule("replicas-exceed-ray-cluster")
def check(scaler: Autoscaler) -> Iterator[Finding]:
    each, high, workload = scaler.gpus_per_replica, scaler.max_replicas, scaler.workload
    if each is None or each < 1 or high is None or workload is None:
        return
    held = _most_gpus(workload)
    if not held or high.value * each <= held:
        return
    fit = held // each
    grows = any(pod.per_group_max not in (None, pod.per_group) for pod in workload.pods)
    why = "with every worker group at its maximum" if grows else "its worker groups are fixed"
    yield Finding(
        place=high.place,
        message=(
            f"Ray Serve may ask for {high.value} replicas with {each} GPU{'s' if each != 1 else ''} each, and the Ray "
            f"cluster of {workload.ref} holds {held} ({why}). Replicas above {fit} stay pending, while Serve counts on "
            "them."
        ),
        help=(
            f"Set max_replicas to {fit}, or let the cluster grow: enableInTreeAutoscaling: true, and a maxReplicas of "
            "the GPU worker group that is high enough."
        ),
        evidence=[
            Evidence(
                f"GPUs of {pod.role or 'workers'}", f"{_pods(pod.per_group_max, pod.per_group)} × {count}", pod.place
            )
            for pod in workload.pods
            if not pod.hosted and (count := sum(container.gpu_count() or 0 for container in pod.containers))
        ],
    )


def _pods(most: int | None, fixed: int | None) -> int | None:
    return most if most is not None else fixed


def _most_gpus(workload: Workload) -> int | None:
    """GPUs of the Ray cluster when every group is as large as it may be; None where that cannot be known."""
    total = 0
    for pod in workload.pods:
        if pod.hosted:
            continue
        counts = [container.gpu_count() for container in pod.containers]
        if pod.dra_claims or not pod.complete or None in counts:
            return None
        on_pod = sum(count or 0 for count in counts)
        pods = _pods(pod.per_group_max, pod.per_group)
        if on_pod and pods is None:
            return None
        total += on_pod * (pods or 0)
    return total
