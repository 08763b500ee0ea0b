"""An engine on several GPUs with the container runtime's small /dev/shm."""

from __future__ import annotations

from collections.abc import Iterator

from gpulint.finding import Evidence, Finding, Level
from gpulint.model.engine import Engine
from gpulint.rules import rule
from gpulint.rules.parallel import evidence_of_gpus, evidence_of_sizes, gpus_asked, place_of_sizes, ranks, spelled
from gpulint.rules.parallelism.tensor_parallel_over_pcie import is_pcie_only

# What containerd, CRI-O and Docker give a container that mounts nothing there.
_DEFAULT_MIB = 64


@rule("missing-shared-memory")
def check(engine: Engine) -> Iterator[Finding]:
    container, pod = engine.container, engine.container.pod
    workers = _workers(engine)
    if workers is None or workers < 2 or pod.host_ipc or not pod.complete or engine.accelerator not in (None, "rocm"):
        return
    if "NCCL_SHM_DISABLE" in container.env or engine.place is None:
        return
    memory = container.shared_memory
    is_small = memory is None or (
        memory.medium in ("Memory", "disk") and memory.size_mib is not None and memory.size_mib <= _DEFAULT_MIB
    )
    sizes = spelled(engine) or f"sharding over {workers} GPUs"
    evidence = [*evidence_of_sizes(engine), *evidence_of_gpus(container)]
    if is_small:
        # Without NVLink and without P2P, shared memory is what NCCL carries the data in (NVIDIA/nccl#525: the same job
        # that fails on T4 runs on an NVLink node).
        no_p2p = "NCCL_P2P_DISABLE" in container.env
        pcie = pod.placement is not None and is_pcie_only(pod.placement)
        level: Level | None = "error" if no_p2p or pcie else None
        if pcie and pod.placement is not None:
            evidence.append(Evidence("lands on", pod.placement.why.value, pod.placement.why.place))
        if no_p2p:
            disabled = container.env["NCCL_P2P_DISABLE"]
            evidence.append(Evidence(disabled.name, disabled.value, disabled.place))
        if memory is None:
            evidence.append(Evidence("shared memory", "nothing at /dev/shm: 64 MiB by default"))
            has = f"nothing is mounted at /dev/shm, which leaves it at {_DEFAULT_MIB} MiB"
        else:
            has = f"its /dev/shm is limited to {memory.size_mib:g} MiB"
        yield Finding(
            place=place_of_sizes(engine) if memory is None else memory.place,
            message=f"{workers} workers of {engine.label} share one container ({sizes}), but {has}. The workers and "
            "NCCL "
            'pass data through it: they stop with a bus error or "No space left on device", or hang at the start.',
            help="Mount memory there: a volume `emptyDir: {medium: Memory, sizeLimit: 8Gi}` at mountPath /dev/shm. "
            "What is used of it counts towards the container's memory limit. A slow or hanging start shows in the "
            "NCCL log (NCCL_DEBUG=INFO), not in GPU utilisation.",
            evidence=evidence,
            level=level,
        )
    elif memory is not None and memory.medium == "disk":
        yield Finding(
            place=memory.place,
            message=f"The /dev/shm of {engine.label} with {workers} workers ({sizes}) is an emptyDir on disk. What the "
            "workers pass each other then also goes to the node's disk and counts against its ephemeral storage.",
            help="Add `medium: Memory` to this emptyDir, with a sizeLimit such as 8Gi; what is used of it counts "
            "towards the container's memory limit.",
            evidence=evidence,
        )


def _workers(engine: Engine) -> int | None:
    """Workers of one model copy in the engine's container; None where that is not known."""
    container = engine.container
    asked = gpus_asked(container)
    if engine.one_process:
        return None
    if asked is None and not container.pod.dra_claims:
        return None
    if any(request.vendor not in ("nvidia", "amd") for request in container.gpus):
        return None
    total = ranks(engine)
    if total is None:
        return None
    several = engine.nodes is not None and engine.nodes.value != 1
    if container.pod.workload.multi_node or engine.ray_cluster or several:
        return min(total, asked) if asked is not None else None
    return total
