"""An engine that serves without CUDA graphs."""

from __future__ import annotations

import re
from collections.abc import Iterator

from gpulint.finding import Evidence, Finding, Level
from gpulint.model.engine import Engine
from gpulint.rules import rule
from gpulint.rules.serving_words import billions, generates, serves_on_whole_gpus, smallest_memory_mib

# On boards up to this size the memory of the graphs may be what decides whether a model fits.
_SMALL_GPU_MIB = 17_000
# A stand-in for tests is served for its own sake by nobody.
_SMALL_BILLIONS = 1.0
# Vision models with cross attention, which vLLM captures since 0.8.2. Source: vllm-project/vllm#14917.
_UNCAPTURED = r"llama-3\.2-(?:11|90)b-vision"
_CAPTURED_SINCE = (0, 8, 2)


def _is_prefill(engine: Engine) -> bool:
    """Whether it computes prompts alone: these are long kernels, whose launches cost nothing."""
    pod = engine.container.pod
    file = engine.place.source.path.rpartition("/")[2]
    names = (pod.role, pod.workload.part, engine.ref.name, engine.container.name, file)
    return any("prefill" in (name or "").lower() for name in names)


def _cannot_capture(engine: Engine) -> bool:
    """Whether there are no graphs to be had: on TPUs, for some models, with all-to-all kernels that forbid them.

    Source: vllm/platforms/cuda.py on deepep_high_throughput.
    """
    name = engine.model.value if engine.model is not None else None
    kernels = engine.container.env.get("VLLM_ALL2ALL_BACKEND")
    is_old = engine.name == "vllm" and (engine.version is None or engine.version < _CAPTURED_SINCE)
    return (
        (is_old and name is not None and re.search(_UNCAPTURED, name, re.IGNORECASE) is not None)
        or (kernels is not None and kernels.value == "deepep_high_throughput")
        or re.search(r"(?:^|[/_.-])(?:tpu|hpu|xpu|neuron)(?:[/_.-]|$)", engine.place.source.path) is not None
    )


@rule("eager-execution")
def check(engine: Engine) -> Iterator[Finding]:
    eager = engine.eager
    if eager is None or eager.place is None or eager.value is not True:
        return
    if not serves_on_whole_gpus(engine) or not generates(engine) or _is_prefill(engine) or _cannot_capture(engine):
        return
    memory, size = smallest_memory_mib(engine.container.pod.placement), billions(engine)
    if memory is not None and memory <= _SMALL_GPU_MIB:
        return
    level: Level | None = "info" if size is not None and size < _SMALL_BILLIONS else None
    yield Finding(
        place=eager.place,
        message=f"CUDA graphs are off in {engine.label} of {engine.ref} ({eager.spelled}). In decoding the CPU "
        "then launches every kernel of every step, and the GPU waits in between: fewer tokens per second, at a "
        "utilisation that looks like a lack of requests.",
        help="Leave it out, and compare tokens/s and the time between tokens. Graphs take some memory and a longer "
        "start; if the memory does not suffice, lower the number of concurrent requests first.",
        evidence=[Evidence(eager.spelled, True, eager.place)],
        level=level,
    )
