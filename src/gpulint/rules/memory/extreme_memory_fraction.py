"""A share of the GPU's memory that leaves nothing beside the engine's pool, or that no engine takes."""

from __future__ import annotations

from collections.abc import Iterator

from gpulint.finding import Evidence, Finding
from gpulint.model.engine import Engine
from gpulint.rules import rule
from gpulint.rules.advice import signals

# The largest share with some room. TGI's own reserve stands below its fraction already (1.0 is its default).
_LARGEST = {"vllm": 0.97, "sglang": 0.95}
_LARGEST_OF_FREE = 0.97


@rule("extreme-memory-fraction")
def check(engine: Engine) -> Iterator[Finding]:
    share, free = engine.memory_fraction, engine.kv_cache_free_fraction
    setting = share if share is not None and share.place is not None else free
    if setting is None or setting.place is None or setting.value is None:
        return
    if any(request.virtual for request in engine.container.gpus):
        return  # of the quota that the vGPU layer reports
    value = setting.value
    evidence = [Evidence(setting.spelled, value, setting.place)]
    if value > 1 or value <= 0:
        percent = f" ({value:g} % would be {value / 100:g})" if 1 < value <= 100 else ""
        yield Finding(
            place=setting.place,
            message=f"{setting.spelled} {value:g} is no share of the memory: it must lie above 0 and at most at "
            f"1{percent}. {engine.label} refuses to start.",
            help="Write the share as a fraction, such as 0.9.",
            evidence=evidence,
            level="error",
        )
        return
    largest = _LARGEST.get(engine.name) if setting is share else _LARGEST_OF_FREE
    if largest is None or value <= largest:
        return
    watch = signals(engine.name, engine.version)
    metric = watch.kv_cache if watch is not None and watch.kv_cache is not None else "the usage of the KV cache"
    yield Finding(
        place=setting.place,
        message=f"{setting.spelled} {value:g} leaves {1 - value:.2g} of the memory for all that lies outside "
        f"{engine.label}'s pool: the CUDA context, NCCL's buffers, CUDA graphs and peaks of activations. It may start, "
        "and run out of memory under load.",
        help="Begin at the default and raise it in small steps under the longest prompts. Whether there is need shows "
        f"in {metric} at p95 and in preemptions, not in how little memory is free.",
        evidence=evidence,
    )
