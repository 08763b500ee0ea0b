"""A memory limit of the container far below the weights that pass through it."""

from __future__ import annotations

from collections.abc import Iterator

from gpulint.finding import Evidence, Finding
from gpulint.model.engine import Engine
from gpulint.rules import rule
from gpulint.rules.memory_words import evidence_of, gib, model_name, model_place

_SHARE = 0.5


@rule("host-memory-below-weights")
def check(engine: Engine) -> Iterator[Finding]:
    limit = engine.container.memory_limit_mib
    if limit is None or limit <= 0 or engine.name not in ("vllm", "sglang", "tgi", "lorax"):
        return
    if engine.nodes is not None and engine.nodes.value != 1:
        return
    from gpulint.model.serving import weights_of

    weights = weights_of(engine)
    if weights is None or weights.basis != "table" or engine.container.pod.workload.multi_node:
        return
    if limit >= _SHARE * weights.mib.low:
        return
    yield Finding(
        place=model_place(engine),
        message=f"The weights of {model_name(engine)} take about {gib(weights.mib.likely)}, but the container may use "
        f"{gib(limit)} of the host's memory. Weights pass through it on their way to the GPU; its page cache is "
        "reclaimable, so it may only be slow, but a loader that keeps them in memory is killed (exit code 137).",
        help=f"Raise limits.memory to {_rounded(weights.mib.likely)}Gi or more, or load with a streaming loader. Look "
        "at the container's last state: OOMKilled while it loads is this.",
        evidence=[*evidence_of(weights.facts), Evidence("memory limit", gib(limit))],
    )


def _rounded(mib: float) -> int:
    """GiB, up to a multiple of 8."""
    return -(-int(mib / 1024) // 8) * 8
