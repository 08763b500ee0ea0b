"""The node's IPC namespace in place of a volume for shared memory."""

from __future__ import annotations

from collections.abc import Iterator

from gpulint.finding import Evidence, Finding
from gpulint.model.workload import Container, Workload
from gpulint.rules import rule
from gpulint.rules.parallel import ranks

# Shares of GPUs that nos makes by MPS. Source: nebuly-ai/nos docs, "Configuration: MPS".
_NOS = "nvidia.com/gpu-"


@rule("host-ipc")
def check(workload: Workload) -> Iterator[Finding]:
    if workload.batch or workload.ref.kind == "DaemonSet" or not (workload.uses_gpus or workload.engines):
        return
    for pod in workload.pods:
        shared = next((each for each in pod.host_namespaces if each.value == "hostIPC"), None)
        if shared is None or any(container.privileged or _uses_mps(container) for container in pod.containers):
            continue
        engine = next((c.engine for c in pod.containers if c.engine is not None), None)
        alone = engine is not None and ranks(engine) == 1
        why = (
            "One GPU's worker needs little of it" if alone else "The workers need memory at /dev/shm, not the namespace"
        )
        yield Finding(
            place=shared.place,
            message=f"The pods of {workload.ref} share the node's IPC namespace (hostIPC). {why}; any other process of "
            "the node that does so can read and change what is passed there, and a namespace with the baseline pod "
            "security standard refuses the pod.",
            help="Remove it and mount memory: a volume `emptyDir: {medium: Memory, sizeLimit: 8Gi}` at mountPath "
            "/dev/shm.",
            evidence=[Evidence("engine", engine.label, engine.place)] if engine is not None else [],
        )


def _uses_mps(container: Container) -> bool:
    """Whether it may be a client of MPS, which older versions and GKE's reach through the node's namespace.

    Source: cloud.google.com/kubernetes-engine/docs/how-to/nvidia-mps-gpus.
    """
    placement = container.pod.placement
    return (
        any(request.shared or request.resource.startswith(_NOS) for request in container.gpus)
        or (placement is not None and placement.shared)
        or any(name.startswith("CUDA_MPS_") for name in container.env)
    )
