"""A checkpoint in FP8 on GPUs that cannot compute in FP8."""

from __future__ import annotations

from collections.abc import Iterator

from gpulint.finding import Evidence, Finding, Level
from gpulint.model.engine import Engine
from gpulint.model.project import Project
from gpulint.rules import rule
from gpulint.rules.memory_words import model_name

# Tensor cores for FP8 came with Ada (8.9). Source: NVIDIA CUDA C++ Programming Guide, "Compute Capabilities".
_FP8_UNITS = (8, 9)
# Since when vLLM runs FP8 weights in 16 bits on older ones (Marlin). Source: vLLM, quantization/fp8.
_MARLIN_SINCE = {(8, 0): (0, 5, 1), (7, 5): (0, 14, 0)}


@rule("fp8-without-fp8-units")
def check(project: Project) -> Iterator[Finding]:
    seen: set[tuple[str, str, str]] = set()
    for workload in project.workloads:
        for engine in workload.engines:
            for finding in _of_engine(engine):
                # A task may list one board several times, in different numbers.
                key = (finding.place.source.path, str(engine.ref), finding.message)
                if key not in seen:
                    seen.add(key)
                    yield finding


def _of_engine(engine: Engine) -> Iterator[Finding]:
    placement = engine.container.pod.placement
    if engine.name not in ("vllm", "sglang") or placement is None or not placement.gpus or not engine.sole:
        return
    capabilities = [board.compute_capability for board in placement.gpus if board.vendor == "nvidia"]
    known = [capability for capability in capabilities if capability is not None]
    if not known or len(known) != len(placement.gpus) or max(known) >= _FP8_UNITS or not _is_fp8(engine):
        return
    name = placement.gpus[0].name
    best = max(known)
    level, what = _outcome(engine, best)
    yield Finding(
        place=placement.why.place,
        message=f"The weights of {model_name(engine)} are in FP8, and an {name} has no units for it (compute "
        f"capability {best[0]}.{best[1]}, FP8 needs 8.9). {what}",
        help="Take GPUs from Ada or Hopper on (L4, L40S, H100), or a checkpoint in BF16, INT8 or 4 bits for these.",
        evidence=[
            Evidence("model", model_name(engine), engine.model.place if engine.model is not None else None),
            Evidence("lands on", placement.why.value, placement.why.place),
        ],
        level=level,
        ref=engine.ref,
    )


def _outcome(engine: Engine, capability: tuple[int, int]) -> tuple[Level | None, str]:
    if engine.name == "sglang":
        return None, "SGLang's kernels for such weights are made for newer GPUs: here it fails, or is far slower."
    since = next((first for least, first in _MARLIN_SINCE.items() if capability >= least), None)
    if since is None or (engine.version is not None and engine.version < since):
        return "error", f"{engine.label} refuses it there."
    return (
        "info",
        "vLLM computes with such weights in 16 bits there: they take half the memory, without the speed of FP8.",
    )


def _is_fp8(engine: Engine) -> bool:
    quantization = engine.quantization
    if quantization is not None and not quantization.default:
        return quantization.value in ("fp8", "fbgemm_fp8")
    from gpulint.capacity.models import model

    name = engine.model.value if engine.model is not None else None
    shape = model(name) if name is not None else None
    if shape is not None:
        return shape.quantization is not None and shape.quantization.method == "fp8"
    return name is not None and name.lower().endswith(("-fp8", "-fp8-dynamic"))
