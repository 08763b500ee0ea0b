"""Tensor parallelism over GPUs of a host that do not all reach each other."""

from __future__ import annotations

from collections.abc import Iterator

from gpulint.finding import Evidence, Finding
from gpulint.model.host import KnownHost, Pair
from gpulint.model.landing import Landing
from gpulint.rules import rule
from gpulint.rules.parallel import evidence_of_gpus


@rule("tensor-parallel-across-unlinked-gpus")
def check(landing: Landing) -> Iterator[Finding]:
    container, engine = landing.container, landing.engine
    tensor = engine.tensor_parallel if engine is not None else None
    if engine is None or tensor is None or tensor.value is None or tensor.value < 2 or tensor.place is None:
        return
    if container.mig_slice is not None or container.pod.workload.multi_node or not landing.hosts:
        return
    if engine.nodes is not None and engine.nodes.value != 1:
        return
    size = tensor.value
    if all(_is_divided(known, size) for known in landing.hosts):
        known = landing.hosts[0]
        islands = ", ".join(f"{pair.first}-{pair.second}" for pair in known.host.pairs if pair.nvlink)
        largest = max(n for n in range(1, size) if known.host.group(n, _over_nvlink) is not None)
        yield Finding(
            place=tensor.place,
            message=f"{tensor.spelled} {size} takes more GPUs than reach each other over NVLink on "
            f"{landing.hosts_named()}: at most {largest} do ({islands}). Every layer waits for the all-reduce over the "
            "slowest pair, and the GPUs count that waiting as work.",
            help=f"Keep the tensor parallel group within NVLink: {tensor.spelled} {largest}, with pipeline "
            "parallelism or more replicas for the other GPUs. Compare tokens/s per GPU and p95 latency of both.",
            evidence=[
                Evidence(tensor.spelled, size, tensor.place),
                *evidence_of_gpus(container),
                *(Evidence("NVLink", islands, known.place) for known in landing.hosts[:1]),
            ],
        )
    elif all(_has_no_access(known, size) for known in landing.hosts):
        known = landing.hosts[0]
        pair = next(pair for pair in known.host.pairs if pair.p2p not in (None, "ok"))
        yield Finding(
            place=tensor.place,
            message=f"{tensor.spelled} {size} needs GPUs of {landing.hosts_named()} that cannot read each other's "
            f"memory (P2P between GPU {pair.first} and GPU {pair.second}: {str(pair.p2p).replace('-', ' ')}). What "
            "they exchange in every layer goes through the host's memory.",
            help="Leave /dev/shm large, expect the engine's own all-reduce to be off, and measure tokens/s per GPU "
            "against fewer GPUs per replica. In a virtual machine P2P is often switched off on purpose (ACS, IOMMU).",
            evidence=[
                Evidence(tensor.spelled, size, tensor.place),
                *evidence_of_gpus(container),
                Evidence("P2P", pair.p2p, known.place),
            ],
            level="info",
        )


def _over_nvlink(pair: Pair) -> bool:
    return bool(pair.nvlink)


def _is_divided(known: KnownHost, size: int) -> bool:
    """Whether some GPUs have NVLink, but no group of this size has it throughout."""
    host = known.host
    return host.link() == "bridge_pair" and len(host.gpus) >= size and host.group(size, _over_nvlink) is None


def _has_no_access(known: KnownHost, size: int) -> bool:
    """Whether in every group of this size some pair has neither NVLink nor P2P."""
    host = known.host
    return (
        host.link() == "pcie"
        and len(host.gpus) >= size
        and all(pair.p2p is not None for pair in host.pairs)
        and host.group(size, lambda pair: pair.p2p == "ok") is None
    )
