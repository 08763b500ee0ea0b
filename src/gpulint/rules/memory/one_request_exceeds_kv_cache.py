"""A context so long that the KV cache cannot hold one request of it."""

from __future__ import annotations

from collections.abc import Iterator

from gpulint.finding import Evidence, Finding, Level
from gpulint.model.engine import Engine
from gpulint.rules import rule
from gpulint.rules.memory_words import between, changes, evidence_of, gib, model_name, model_place, on_gpus, predicted

# How far into the upper half of the range the need must lie where no logs confirm every term.
_UNCONFIRMED = 0.75
# Engines that check at their start that one request of full length fits; what each says is in its page.
_CHECKED = {"vllm": "vLLM checks this at its start and ends", "tgi": "TGI checks this at its start and ends"}


@rule("one-request-exceeds-kv-cache")
def check(engine: Engine) -> Iterator[Finding]:
    server = predicted(engine)
    length = engine.max_model_len
    if server is None or server.prediction is None or server.weights is None or engine.name not in _CHECKED:
        return
    found, weights = server.prediction, server.weights
    cache, need, tokens = found.kv_cache, found.request_mib, found.serving.max_model_len
    if cache is None or need is None or tokens is None or length is None or weights.basis not in ("table", "copy"):
        return
    enough = cache.likely if found.calibrated else cache.likely + _UNCONFIRMED * (cache.high - cache.likely)
    if cache.likely <= 0 or enough >= need:
        return  # see weights-exceed-gpu-memory; or it fits as far as can be told
    if engine.name == "tgi" and length.default:
        return  # it takes what fits
    certain = cache.high < need and engine.arguments_known and weights.basis == "table"
    level: Level = "error" if certain and engine.name == "vllm" else "warning"
    what = f"the {tokens} tokens of {model_name(engine)} ({length.spelled} is not given)"
    if not length.default:
        what = f"{tokens} tokens ({length.spelled})"
    left = f"at most {gib(cache.high)}" if certain else f"about {gib(cache.likely)}"
    remedy = changes(server)
    yield Finding(
        place=length.place or model_place(engine),
        message=f"One request of {what} needs {gib(need)} of KV cache on each GPU, but {left} "
        f"{'is' if certain else 'are'} left on {on_gpus(server)} beside the weights. "
        + f"{_CHECKED[engine.name]}{'' if certain else ' where it is so'}.",
        help=(f"With one of these it fits: {remedy}. " if remedy else f"Lower {length.spelled} or take more GPUs. ")
        + "How many requests run at once is the size of the KV cache divided by their length: `gpulint fit --explain` "
        "shows both.",
        evidence=[
            *evidence_of(server.facts),
            Evidence("weights per GPU", between(weights.mib)),
            Evidence("left for the KV cache", between(cache)),
        ],
        level=level,
    )
