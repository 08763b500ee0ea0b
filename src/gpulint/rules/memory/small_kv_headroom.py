"""A KV cache too small to batch."""

from __future__ import annotations

from collections.abc import Iterator

from gpulint.finding import Evidence, Finding
from gpulint.model.engine import Engine
from gpulint.rules import rule
from gpulint.rules.advice import signals
from gpulint.rules.memory_words import between, changes, evidence_of, gib, model_name, model_place, on_gpus, predicted

# Less than this share of the engine's memory, and fewer requests of full length than this: both must hold.
_SHARE = 0.1
_REQUESTS = 4.0


@rule("small-kv-headroom")
def check(engine: Engine) -> Iterator[Finding]:
    server = predicted(engine)
    if server is None or server.prediction is None or server.weights is None or engine.name not in ("vllm", "sglang"):
        return
    found, weights, length = server.prediction, server.weights, engine.max_model_len
    cache, budget, requests = found.kv_cache, found.budget, found.requests
    if (
        cache is None
        or budget is None
        or requests is None
        or not engine.arguments_known
        or weights.basis != "table"
        or length is None
    ):
        return
    if found.serving.kv_cache_mib is not None or requests.likely < 1 or cache.likely <= 0:
        return  # chosen, or see one-request-exceeds-kv-cache
    if requests.likely >= _REQUESTS or cache.likely >= _SHARE * budget.likely:
        return
    wanted = engine.max_num_seqs
    if wanted is not None and not wanted.default and (wanted.value or 0) <= requests.likely:
        return
    watch = signals(engine.name, engine.version)
    metric = watch.kv_cache if watch is not None else None
    remedy = changes(server)
    tokens = f", {found.tokens.likely:,.0f} tokens" if found.tokens is not None else ""
    yield Finding(
        place=model_place(engine),
        message=f"The weights of {model_name(engine)} leave about {gib(cache.likely)} of {on_gpus(server)} for the KV "
        f"cache{tokens}: {requests.likely:.1f} requests of {found.serving.max_model_len} tokens at a time. The batch "
        "stays small however many requests wait, so that utilisation is low and throughput too, and more replicas only "
        "repeat it.",
        help="Give the cache more memory before adding replicas: a larger tensor parallel size, a checkpoint in FP8 or "
        "4 bits, or an FP8 KV cache"
        + (f" ({remedy})" if remedy else "")
        + f". Watch {metric or 'the usage of the KV cache'} and preemptions under load.",
        evidence=[
            *evidence_of(server.facts),
            Evidence("weights per GPU", between(weights.mib)),
            Evidence("left for the KV cache", between(cache)),
        ],
    )
