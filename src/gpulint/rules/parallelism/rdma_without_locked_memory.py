"""RDMA without the right to lock memory."""

from __future__ import annotations

from collections.abc import Iterator

from gpulint.finding import Evidence, Finding
from gpulint.model.workload import Container
from gpulint.rules import rule
from gpulint.rules.parallel import evidence_of_gpus, named


@rule("rdma-without-locked-memory")
def check(container: Container) -> Iterator[Finding]:
    devices = sorted(name for name in container.requested or () if name.startswith("rdma/"))
    if not devices or not container.gpus or not container.pod.complete or container.privileged:
        return
    if container.capabilities & {"IPC_LOCK", "ALL", "SYS_RESOURCE"} or _goes_without(container):
        return
    yield Finding(
        place=container.place,
        message=f"{named(container)} asks for {devices[0]} and has no right to lock memory (IPC_LOCK). Registering "
        "memory for RDMA then fails where the runtime's memlock limit is small, and NCCL falls back to TCP or stops: "
        "the GPUs wait at full utilisation.",
        help="Add IPC_LOCK to securityContext.capabilities.add. In the log of NCCL_DEBUG=INFO `via NET/IB/GDRDMA` is "
        "right, `via NET/Socket` is not.",
        evidence=[Evidence("asks for", devices[0]), *evidence_of_gpus(container)],
    )


def _goes_without(container: Container) -> bool:
    """Whether NCCL is told to leave RDMA alone."""
    net, disabled = container.env.get("NCCL_NET"), container.env.get("NCCL_IB_DISABLE")
    return (net is not None and (net.value or "").lower() == "socket") or (
        disabled is not None and disabled.value == "1"
    )
