"""A GPU for a container that only waits."""

from __future__ import annotations

from collections.abc import Iterator

from gpulint.finding import Finding
from gpulint.model.workload import Container
from gpulint.rules import rule
from gpulint.rules.parallel import evidence_of_gpus, named

# What runs until somebody takes it away; a pod of its own is made by hand and looked after.
_STAYING = frozenset({"Deployment", "StatefulSet", "ReplicaSet", "ReplicationController", "Rollout"})


@rule("gpu-held-by-idle-container")
def check(container: Container) -> Iterator[Finding]:
    workload = container.pod.workload
    if container.idles is None or container.ref.kind not in _STAYING or not container.gpus:
        return
    if workload.replicas is not None and workload.replicas.value == 0:
        return
    count = container.gpu_count()
    gpus = "a GPU" if count == 1 else f"{count} GPUs" if count else "GPUs"
    yield Finding(
        place=container.idles,
        message=f"{named(container)} of {container.ref} holds {gpus} and does nothing but wait. Here a utilisation of "
        "0 % does mean waste: nobody else gets the GPU while the pod is there, and averages over the cluster fall.",
        help="Scale it to 0 when nobody works in it, give it a MIG slice or a time-sliced share, or start the work as "
        "a Job, which gives the GPU back at its end.",
        evidence=evidence_of_gpus(container),
    )
