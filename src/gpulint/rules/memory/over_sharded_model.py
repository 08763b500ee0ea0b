"""A small model spread over many GPUs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from gpulint.finding import Evidence, Finding
from gpulint.model.engine import Engine
from gpulint.rules import rule
from gpulint.rules.memory_words import evidence_of, gib, model_name, predicted

_SIZES = (4, 8, 16)  # tensor parallel sizes of which the first needs a really small model
_SHARE_FROM_4 = 0.35
_SHARE_FROM_8 = 0.6
_LONG_CONTEXT = 65536


@rule("over-sharded-model")
def check(engine: Engine) -> Iterator[Finding]:
    server = predicted(engine)
    size = engine.tensor_parallel
    if (
        not engine.arguments_known
        or server is None
        or server.prediction is None
        or size is None
        or size.value is None
        or size.place is None
    ):
        return
    serving = server.prediction.serving
    shape, memory = serving.shape, serving.gpu_memory
    if size.value < _SIZES[0] or shape is None or memory is None or serving.pipeline_parallel != 1:
        return
    if engine.name not in ("vllm", "sglang") or shape.experts or (serving.max_model_len or 0) >= _LONG_CONTEXT:
        return
    from gpulint.capacity.fit import predict
    from gpulint.model.serving import weights_of

    whole = weights_of(engine)
    if whole is None:
        return
    limit = _SHARE_FROM_8 if size.value >= _SIZES[1] else _SHARE_FROM_4
    if whole.mib.likely > limit * memory.low:
        return
    alone = predict(replace(serving, weights=whole.mib, tensor_parallel=1))
    if alone.verdict != "fits" or alone.requests is None or alone.requests.low < 8:
        return
    gpus = server.gpus.name if server.gpus is not None else "GPU"
    yield Finding(
        place=size.place,
        message=f"The model {model_name(engine)} is spread over {size.value} GPUs ({size.spelled}), but its weights of "
        f"{gib(whole.mib.likely)} fit one {gpus} with {alone.requests.likely:.0f} requests of "
        f"{serving.max_model_len} tokens beside them. Each layer then waits for an all-reduce, whose kernels count as "
        "busy GPU while tokens/s per GPU fall.",
        help=f"Compare tokens/s per GPU and p95 latency with {size.value} replicas of one GPU (or {size.value // 2} of "
        "two): the same memory without the communication. Where the latency of a single request is what counts, keep "
        "it.",
        evidence=[
            *evidence_of(server.facts),
            Evidence("requests at a time on one GPU", f"{alone.requests.likely:.0f}"),
        ],
    )
