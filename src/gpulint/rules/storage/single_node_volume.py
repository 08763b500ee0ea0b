"""Several replicas that share a volume which one node alone can attach."""

from __future__ import annotations

from collections.abc import Iterator

from gpulint.finding import Evidence, Finding, Level
from gpulint.model.project import Project
from gpulint.model.workload import Workload
from gpulint.rules import rule

_ONE_NODE = frozenset({"ReadWriteOnce", "ReadWriteOncePod"})


@rule("single-node-volume")
def check(project: Project) -> Iterator[Finding]:
    if not project.volume_claims:
        return
    for workload in project.workloads:
        if not (workload.uses_gpus or workload.engines) or workload.batch:
            continue
        most = _most_replicas(workload)
        if most is None:
            continue
        count, evidence = most
        for pod in workload.pods:
            for volume in pod.volumes.values():
                claim = project.claim_of(volume, pod)
                modes = claim.access_modes if claim is not None else None
                if claim is None or modes is None or volume.claim is None or not _ONE_NODE.issuperset(modes.value):
                    continue
                one_pod = "ReadWriteOncePod" in modes.value
                level: Level | None = "error" if one_pod else None
                what = "a single pod" if one_pod else "the pods of a single node"
                yield Finding(
                    place=volume.claim.place,
                    message=f"{workload.ref} may have {count} replicas, and all mount {claim.ref}, which "
                    f"{modes.value[0]} gives to {what}. A replica beyond that stays in ContainerCreating, holding its "
                    "GPUs, while the queue that asked for it grows.",
                    help="Use a volume that many nodes can read (ReadWriteMany, or ReadOnlyMany for a filled one), or "
                    "give each replica its own: volumeClaimTemplates in a StatefulSet, an ephemeral volume.",
                    evidence=[Evidence("accessModes", ", ".join(modes.value), modes.place), evidence],
                    level=level,
                    ref=workload.ref,
                )


def _most_replicas(workload: Workload) -> tuple[int, Evidence] | None:
    """The most replicas that a workload is told to have, where that is more than one."""
    found = []
    if workload.replicas is not None:
        found.append((workload.replicas.value, Evidence("replicas", workload.replicas.value, workload.replicas.place)))
    for scaler in workload.autoscalers:
        if scaler.max_replicas is not None:
            most = scaler.max_replicas
            found.append((most.value, Evidence(f"most replicas of {scaler.ref}", most.value, most.place)))
    largest = max(found, key=lambda each: each[0], default=None)
    return largest if largest is not None and largest[0] > 1 else None
