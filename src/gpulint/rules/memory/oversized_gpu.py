"""A very small model alone on a large GPU."""

from __future__ import annotations

from collections.abc import Iterator

from gpulint.finding import Evidence, Finding
from gpulint.model.engine import Engine
from gpulint.rules import rule
from gpulint.rules.memory_words import between, evidence_of, gib, model_name, model_place, predicted

_LARGE_MIB = 38 * 1024
_SHARE = 0.06


@rule("oversized-gpu")
def check(engine: Engine) -> Iterator[Finding]:
    server = predicted(engine)
    if (
        not engine.arguments_known
        or server is None
        or server.prediction is None
        or server.gpus is None
        or server.weights is None
    ):
        return
    memory, weights, gpus = server.gpus.memory, server.weights, server.gpus
    if memory is None or memory.low < _LARGE_MIB or server.ranks != 1 or gpus.shared or weights.basis != "table":
        return
    asked = engine.container.gpu_count() if engine.container.gpus else gpus.count
    if asked != 1 or server.copies != 1 or not engine.alone or weights.mib.high > _SHARE * memory.low:
        return
    mig = all(board.mig_capable for board in gpus.boards)
    requests = server.prediction.requests
    holds = (
        f", and the KV cache holds {requests.likely:.0f} requests of {server.prediction.serving.max_model_len} tokens"
        if requests is not None and requests.likely >= 1
        else ""
    )
    yield Finding(
        place=model_place(engine),
        message=f"The model {model_name(engine)} takes {gib(weights.mib.likely)} of an {gpus.name} with "
        f"{gib(memory.likely)}{holds}. Here low utilisation can be real waste.",
        help="Look at tokens/s and at the highest usage of the KV cache over a week before you decide: a large batch "
        "or long contexts may need the memory. If they do not, take "
        + ("a MIG slice or a smaller GPU." if mig else "a smaller GPU."),
        evidence=[*evidence_of(server.facts), Evidence("weights", between(weights.mib))],
    )
