"""A limit of concurrent requests at which a large GPU computes almost nothing at a time."""

from __future__ import annotations

from collections.abc import Iterator

from gpulint.finding import Evidence, Finding
from gpulint.model.engine import Engine
from gpulint.rules import rule
from gpulint.rules.advice import signals
from gpulint.rules.memory_words import predicted
from gpulint.rules.serving_words import billions, generates, serves_on_whole_gpus, smallest_memory_mib

_FEW = 4
_LARGE_GPU_MIB = 40_000
_LARGEST_BILLIONS = 40
_LONG_CONTEXT = 65_536
# So many times the limit must the KV cache hold in requests of full length, where that can be told.
_ROOM = 4


@rule("small-batch-limit")
def check(engine: Engine) -> Iterator[Finding]:
    limit = engine.max_num_seqs
    if limit is None or limit.place is None or limit.value is None or not 0 < limit.value <= _FEW:
        return
    memory, size = smallest_memory_mib(engine.container.pod.placement), billions(engine)
    if memory is None or memory < _LARGE_GPU_MIB or size is None or size > _LARGEST_BILLIONS:
        return
    length = engine.max_model_len
    if length is not None and not length.default and (length.value is None or length.value >= _LONG_CONTEXT):
        return
    if not serves_on_whole_gpus(engine) or not generates(engine):
        return
    server = predicted(engine)
    requests_at_once = server.prediction.requests if server is not None and server.prediction is not None else None
    if requests_at_once is not None and requests_at_once.likely < _ROOM * limit.value:
        return
    placement = engine.container.pod.placement
    watch = signals(engine.name, engine.version)
    names = (
        f"{watch.queue} above 0 while {watch.kv_cache or watch.running} stays low proves it"
        if watch is not None
        else "requests that wait while the KV cache is nearly empty prove it"
    )
    requests = "one request" if limit.value == 1 else f"{limit.value} requests"
    yield Finding(
        place=limit.place,
        message=f"{limit.spelled} {limit.value} lets {engine.label} work on {requests} at a time on a GPU with "
        f"{memory / 1024:.0f} GiB. Each step reads all weights for these few tokens, so that throughput and "
        "utilisation are low because of this number; more replicas repeat it.",
        help="Raise it in steps (16, 64, 256) under load, until tokens/s no longer rise or p95 latency breaks its "
        f"bound: {names}.",
        evidence=[
            Evidence(limit.spelled, limit.value, limit.place),
            *([Evidence("lands on", placement.why.value, placement.why.place)] if placement is not None else []),
        ],
    )
