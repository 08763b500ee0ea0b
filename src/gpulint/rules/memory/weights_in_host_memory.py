"""Weights that cross the bus in every step."""

from __future__ import annotations

from collections.abc import Iterator

from gpulint.finding import Evidence, Finding, Level
from gpulint.model.engine import Engine
from gpulint.rules import rule

# The host's memory is as near there as another GPU's (NVLink-C2C).
_COHERENT = ("GH200", "GB200", "GB300", "Grace", "GB10")


@rule("weights-in-host-memory")
def check(engine: Engine) -> Iterator[Finding]:
    offload = engine.cpu_offload_gib
    if engine.name not in ("vllm", "sglang") or offload is None or offload.place is None or not offload.value:
        return
    container = engine.container
    if container.pod.workload.batch or not container.gpus:
        return
    placement = container.pod.placement
    boards = placement.gpus if placement is not None else ()
    level: Level | None = "info" if any(word in board.name for board in boards for word in _COHERENT) else None
    yield Finding(
        place=offload.place,
        message=f"{offload.spelled} {offload.value:g} keeps {offload.value:g} GiB of the weights of {engine.label} in "
        "the host's memory, from where they cross the bus in every step. The GPU waits for that: PCIe carries about 25 "
        "to 50 GB/s, the GPU's own memory ten to a hundred times as much.",
        help="Make the weights fit: a checkpoint in FP8 or 4 bits, a larger tensor parallel size, or a larger GPU "
        "(`gpulint fit` shows which). Judge by tokens/s; utilisation counts the waiting as work.",
        evidence=[Evidence(offload.spelled, offload.value, offload.place)],
        level=level,
    )
