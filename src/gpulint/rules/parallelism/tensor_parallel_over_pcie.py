"""Tensor parallelism over GPUs whose only link is PCIe."""

from __future__ import annotations

from collections.abc import Iterator

from gpulint.finding import Evidence, Finding, Level
from gpulint.model.engine import Engine
from gpulint.model.workload import Placement
from gpulint.rules import rule
from gpulint.rules.parallel import evidence_of_gpus

# With one of these, whoever wrote the file has looked at how the GPUs reach each other.
_ACKNOWLEDGING = ("NCCL_P2P_DISABLE", "NCCL_P2P_LEVEL")


@rule("tensor-parallel-over-pcie")
def check(engine: Engine) -> Iterator[Finding]:
    container, placement = engine.container, engine.container.pod.placement
    tensor, pipeline = engine.tensor_parallel, engine.pipeline_parallel
    if tensor is None or tensor.value is None or tensor.value < 2 or tensor.place is None or placement is None:
        return
    if not is_pcie_only(placement) or container.mig_slice is not None or engine.accelerator is not None:
        return
    if any(request.vendor != "nvidia" or request.shared for request in container.gpus):
        return
    known = next((container.env[name] for name in _ACKNOWLEDGING if name in container.env), None)
    beside = pipeline is not None and pipeline.value is not None and pipeline.value > 1
    level: Level | None = "info" if known is not None or beside else None
    size = tensor.value
    gpu = names(placement)
    help_ = (
        f"Measure tokens/s per GPU and p95 latency of {tensor.spelled} {size} against fewer GPUs per replica (a "
        "quantised model, a shorter context)"
    )
    if pipeline is not None:
        help_ += (
            f" and against {pipeline.spelled} {size}, which sends activations once per stage instead of in every layer"
        )
    evidence = [
        Evidence(tensor.spelled, size, tensor.place),
        Evidence("lands on", placement.why.value, placement.why.place),
        Evidence("link between the GPUs", "PCIe"),
        *evidence_of_gpus(container),
    ]
    if known is not None:
        evidence.append(Evidence(known.name, known.value, known.place))
    yield Finding(
        place=tensor.place,
        message=f"{tensor.spelled} {size} splits every layer over {size} × {gpu}, which reach each other over PCIe "
        "alone. Each layer waits for an all-reduce between them; the GPUs count that waiting as work, so utilisation "
        "is high while tokens/s per GPU falls.",
        help=help_ + ". `nvidia-smi topo -m` on the node shows the links.",
        evidence=evidence,
        level=level,
    )


def is_pcie_only(placement: Placement) -> bool:
    """Whether the GPUs surely have no NVLink: the node type says PCIe, or no candidate board has a connector.

    A board that takes a bridge may have one.
    """
    if placement.interconnect is not None:
        return placement.interconnect == "pcie" and all(board.nvlink in (None, "none") for board in placement.gpus)
    return bool(placement.gpus) and all(board.nvlink == "none" for board in placement.gpus)


def names(placement: Placement) -> str:
    return " or ".join(dict.fromkeys(board.name for board in placement.gpus[:3])) or "GPUs"
