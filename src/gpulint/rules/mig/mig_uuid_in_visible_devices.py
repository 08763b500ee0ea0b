"""The UUID of a MIG slice in the variable from which the engine expects numbers."""

from __future__ import annotations

from collections.abc import Iterator

from gpulint.finding import Evidence, Finding
from gpulint.model.engine import Engine
from gpulint.rules import rule


@rule("mig-uuid-in-visible-devices")
def check(engine: Engine) -> Iterator[Finding]:
    variable = engine.container.env.get("CUDA_VISIBLE_DEVICES")
    if engine.name != "vllm" or variable is None or not (variable.value or "").strip().startswith("MIG-"):
        return
    way = (
        "Ask for the slice as a resource (nvidia.com/mig-…, or nvidia.com/gpu with the strategy single); the device "
        "plugin hands it over."
        if engine.container.pod.workload.api_version
        else "Choose the slice outside, where the runtime hands it over: NVIDIA_VISIBLE_DEVICES=MIG-…, or "
        '`--gpus "device=MIG-…"`.'
    )
    yield Finding(
        place=variable.place,
        message=f"CUDA_VISIBLE_DEVICES of {engine.ref} names a MIG slice by its UUID, and vLLM reads numbers from it: "
        "it ends with a ValueError (invalid literal for int) in most versions.",
        help=f"Leave the variable out. {way}",
        evidence=[Evidence("engine", engine.label, engine.place)],
    )
