"""A transport of NCCL switched off for good."""

from __future__ import annotations

from collections.abc import Iterator

from gpulint.finding import Evidence, Finding, Level
from gpulint.model.engine import Engine
from gpulint.model.workload import Placement
from gpulint.rules import rule
from gpulint.rules.parallel import evidence_of_gpus, ranks
from gpulint.rules.parallelism.tensor_parallel_over_pcie import is_pcie_only, names

_ON = ("1", "true", "yes", "on")
# Several GPUs on one machine of one's own are often cards for games, whose driver has no P2P.
_OWN_MACHINE = ("compose service", "docker run", "shell script", "systemd unit", "Dockerfile", "Python launcher")


@rule("nccl-transport-disabled")
def check(engine: Engine) -> Iterator[Finding]:
    container, placement = engine.container, engine.container.pod.placement
    size = ranks(engine)
    if size is None or size < 2 or engine.accelerator is not None or container.mig_slice is not None:
        return
    for name, what, instead in (
        ("NCCL_P2P_DISABLE", "NVLink and PCIe peer-to-peer", "copies every message through the host's memory"),
        ("NCCL_SHM_DISABLE", "shared memory", "sends what cannot go peer-to-peer through the network stack"),
        ("NCCL_IB_DISABLE", "InfiniBand and RoCE", "sends every message between the nodes over TCP"),
    ):
        given = container.env.get(name)
        if given is None or given.value is None or given.value.strip().lower() not in _ON:
            continue
        if name == "NCCL_IB_DISABLE" and not container.pod.workload.multi_node:
            continue
        level = _level(engine, name, placement)
        gpus = f" between {names(placement)}" if placement is not None and placement.gpus else ""
        evidence = [Evidence(name, given.value, given.place), Evidence("workers", size), *evidence_of_gpus(container)]
        if placement is not None:
            evidence.append(Evidence("lands on", placement.why.value, placement.why.place))
        yield Finding(
            place=given.place,
            message=f"{name}={given.value} turns off {what}{gpus}, and NCCL {instead}. With {size} workers each layer "
            "waits for that; the waiting counts as GPU utilisation, while tokens/s fall.",
            help="Such a switch is a work-around for a hang: look for its cause (/dev/shm of 64 MiB, ACS or an IOMMU, "
            "memlock for RDMA) in the log of NCCL_DEBUG=INFO, then remove it and compare tokens/s per GPU.",
            evidence=evidence,
            level=level,
        )


def _level(engine: Engine, name: str, placement: Placement | None) -> Level | None:
    """P2P that the cards do not have anyway is no loss."""
    if name != "NCCL_P2P_DISABLE":
        return None
    if placement is not None and placement.gpus:
        return "info" if is_pcie_only(placement) else None
    return "info" if engine.ref.kind in _OWN_MACHINE else None
