"""An engine that takes most of a GPU which it shares with others."""

from __future__ import annotations

from collections.abc import Iterator

from gpulint.finding import Evidence, Finding
from gpulint.model.engine import Engine
from gpulint.rules import rule

# Without the flag; both change with the version and the GPU, but never fall to a half.
_DEFAULTS = {"vllm": 0.9, "sglang": 0.85}


@rule("shared-gpu-overcommit")
def check(engine: Engine) -> Iterator[Finding]:
    container, share = engine.container, engine.memory_fraction
    if engine.name not in _DEFAULTS or share is None or not engine.arguments_known or not engine.sole:
        return
    if engine.kv_cache_memory_bytes is not None and engine.kv_cache_memory_bytes.value is not None:
        return
    shared = next((request for request in container.gpus if request.shared and not request.virtual), None)
    placement = container.pod.placement
    if shared is None and (placement is None or not placement.shared or not container.gpus):
        return
    if share.value is None and not share.default:
        return
    value = share.value if share.value is not None else _DEFAULTS[engine.name]
    if not 0.5 < value <= 1 or any(request.virtual for request in container.gpus):
        return
    if any("CUDA_MPS_PINNED_DEVICE_MEM_LIMIT" in name for name in container.env):
        return
    request = shared if shared is not None else container.gpus[0]
    why = (
        Evidence("shared GPU", request.resource, request.key_place)
        if shared is not None or placement is None
        else Evidence("shared GPU", placement.why.value, placement.why.place)
    )
    default = " by default" if share.default else ""
    half = 0.45
    yield Finding(
        place=share.place or (why.place if why.place is not None else request.place),
        message=f"Of a GPU that it shares with others, {engine.label} takes {value:g} of the memory{default} "
        f"({share.spelled}). The fraction is of the whole GPU, and sharing does not divide its memory: whoever "
        "starts second finds too little free and ends.",
        help=f"Divide the memory: with two engines on a GPU {share.spelled} {half} each. Or give each its own MIG "
        "slice, whose memory nobody else can take.",
        evidence=[Evidence(share.spelled, value, share.place), why],
    )
