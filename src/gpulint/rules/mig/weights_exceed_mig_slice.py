"""A model whose weights do not fit the MIG slice."""

from __future__ import annotations

from collections.abc import Iterator

from gpulint.finding import Confidence, Evidence, Finding, Level
from gpulint.hardware.mig import family_of
from gpulint.model.engine import Engine
from gpulint.model.workload import MigSlice
from gpulint.rules import rule
from gpulint.rules.memory_words import evidence_of, gib
from gpulint.rules.parallel import ranks

# Drivers differ by this much in what they report for the same slice.
_DRIVERS = 1.02


@rule("weights-exceed-mig-slice")
def check(engine: Engine) -> Iterator[Finding]:
    slices = engine.container.mig_slice
    if slices is None or ranks(engine) != 1:
        return
    from gpulint.model.serving import weights_of

    memory, weights = slices.memory_mib(), weights_of(engine)
    if memory is None or weights is None or weights.mib.likely <= memory[1] * _DRIVERS:
        return
    certain = weights.floor > memory[1] * _DRIVERS
    level: Level = "error" if certain else "warning" if weights.basis != "path" else "info"
    confidence: Confidence = "high" if certain else "medium"
    need = weights.floor if certain else weights.mib.likely
    how = "take at least" if certain else "take about"
    model = engine.model
    name = model.value if model is not None else "the model"
    place = model.place if model is not None and model.place is not None else slices.place
    fitting = larger_profile(slices, weights.mib.likely / 0.85)
    larger = f"such as {fitting}" if fitting else "or a whole GPU"
    yield Finding(
        place=place,
        message=f"The weights of {name} {how} {gib(need)}, but a {slices.profile} slice has {gib(memory[1])}. Loading "
        "fails with CUDA out of memory, however empty the rest of the GPU is.",
        help=f"Take a larger profile, {larger}, or a checkpoint with fewer bytes per parameter (FP8, AWQ or GPTQ). "
        "Leave room in the slice for the KV cache too: it sets how many requests run at once.",
        evidence=[
            *evidence_of(weights.facts),
            Evidence("MIG profile", slices.profile, slices.place),
            Evidence("memory of the slice", gib(memory[1])),
        ],
        level=level,
        confidence=confidence,
    )


def larger_profile(slices: MigSlice, need_mib: float) -> str | None:
    """The smallest profile of the same boards with this much memory; None where there is none on one of them."""
    found: set[str] = set()
    for board in slices.gpus:
        family = family_of(board)
        if family is None:
            return None
        fitting = [
            p for p in family.profiles if not p.attributes and p.memory_mib is not None and p.memory_mib >= need_mib
        ]
        if not fitting:
            return None
        found.add(min(fitting, key=lambda p: (p.memory_slices, p.compute_slices)).name)
    return " or ".join(sorted(found)) if 0 < len(found) <= 2 else None
