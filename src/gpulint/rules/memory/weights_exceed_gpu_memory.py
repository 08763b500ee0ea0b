"""A model whose weights do not fit its GPUs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from gpulint.finding import Confidence, Evidence, Finding, Level
from gpulint.model.engine import Engine
from gpulint.rules import rule
from gpulint.rules.memory_words import between, changes, evidence_of, gib, model_name, model_place, on_gpus, predicted
from gpulint.source.text import Place

if TYPE_CHECKING:
    from gpulint.model.serving import Server


def _place(engine: Engine, server: Server) -> Place:
    """The model; where a task may run on several kinds of GPU, the kind on which it does not fit."""
    chosen = server.gpus.place if server.gpus is not None else None
    if chosen is not None and engine.ref.kind.startswith("SkyPilot"):
        return chosen
    return model_place(engine)


@rule("weights-exceed-gpu-memory")
def check(engine: Engine) -> Iterator[Finding]:
    server = predicted(engine)
    if server is None or server.weights is None or server.prediction is None or engine.name == "llamacpp":
        return
    found, weights = server.prediction, server.weights
    memory, budget = found.serving.gpu_memory, found.budget
    if memory is None or budget is None or weights.basis == "path":
        return
    # What the engine may use, where the weights count against it; a cache of fixed size stands beside the whole GPU.
    room = memory if found.serving.kv_cache_mib is not None else budget
    certain = weights.floor > room.high and engine.arguments_known
    if not certain and weights.mib.likely <= room.high:
        return
    if not certain and weights.basis == "name" and weights.mib.likely <= memory.high:
        return  # a size read from a name is too rough for the last tenth
    level: Level = "error" if certain else "warning"
    confidence: Confidence = "high" if certain and weights.basis == "table" else "medium"
    need = f"at least {gib(weights.floor)}" if certain else f"about {gib(weights.mib.likely)}"
    each = " on each GPU" if (server.ranks or 1) > 1 else ""
    beyond = (weights.floor if certain else weights.mib.likely) > memory.high
    has = f"{on_gpus(server)} has {gib(memory.likely)}"
    if not beyond:
        share = engine.memory_fraction
        how = f" at {share.spelled} {share.value:g}" if share is not None and share.value is not None else ""
        has = f"{engine.label} may use {gib(room.likely)} of {on_gpus(server)}{how}"
    remedy = changes(server)
    yield Finding(
        place=_place(engine, server),
        message=f"The weights of {model_name(engine)} take {need}{each}, but {has}. "
        + (
            "Loading ends out of memory, over and over."
            if beyond
            else "Nothing is left for a KV cache, and the engine does not start."
        ),
        help=(f"With one of these it fits: {remedy}. " if remedy else "Spread it over more or larger GPUs, or take a ")
        + ("" if remedy else "checkpoint with fewer bytes per parameter (FP8, AWQ or GPTQ). ")
        + "`gpulint fit --explain` shows the calculation.",
        evidence=[*evidence_of(server.facts), Evidence("weights per GPU", between(weights.mib))],
        level=level,
        confidence=confidence,
    )
