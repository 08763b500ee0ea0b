"""An engine that computes the same beginnings of prompts again and again."""

from __future__ import annotations

from collections.abc import Iterator

from gpulint.finding import Evidence, Finding
from gpulint.model.engine import Engine
from gpulint.rules import rule
from gpulint.rules.serving_words import generates, serves_on_whole_gpus

_HITS = {"vllm": "vllm:prefix_cache_hits over vllm:prefix_cache_queries", "sglang": "sglang:cache_hit_rate"}


@rule("prefix-caching-off")
def check(engine: Engine) -> Iterator[Finding]:
    caching = engine.prefix_caching
    if caching is None or caching.place is None or caching.value is not False or engine.name not in _HITS:
        return
    if not serves_on_whole_gpus(engine) or not generates(engine):
        return
    yield Finding(
        place=caching.place,
        message=f"The server of {engine.ref} ({engine.label}) computes the shared beginning of prompts anew for each "
        f"request ({caching.spelled}). A system prompt, a document or the earlier turns of a chat then take GPU time "
        "and KV cache once per request.",
        help=f"Leave it out, and see by {_HITS[engine.name]} how much is shared. Keep it off for benchmarks, or where "
        "tenants must not learn of each other's prompts by their timing.",
        evidence=[Evidence("prefix caching", "off", caching.place)],
    )
