"""A limit on requests in front of an engine that batches them."""

from __future__ import annotations

from collections.abc import Iterator

from gpulint.finding import Evidence, Finding
from gpulint.metrics.table import Meaning
from gpulint.model.autoscaler import Autoscaler, ScalingMetric
from gpulint.model.engine import Engine
from gpulint.model.workload import Workload
from gpulint.rules import rule
from gpulint.rules.advice import signals
from gpulint.source.text import Place

# Engines that put requests which arrive while others run into the same batch.
_BATCHING = frozenset({"vllm", "tgi", "sglang", "trtllm", "nim", "lmdeploy"})
# A batch of 8 and less leaves most of a GPU's memory bandwidth unused in decoding; no source gives a number, and
# Knative only says that a low limit costs throughput and latency (knative.dev, "Configuring concurrency").
_HARD_LIMIT, _SOFT_TARGET = 8, 4
_PROXIES = frozenset({"InferenceService", "Service", "Configuration"})


@rule("concurrency-limit-throttles-batching")
def check(workload: Workload) -> Iterator[Finding]:
    engine = next((engine for engine in workload.engines if engine.name in _BATCHING), None)
    if engine is None or not workload.uses_gpus:
        return
    for pod in workload.pods:
        limit = pod.concurrency_limit
        if limit is not None and 0 < limit.value <= _HARD_LIMIT:
            yield _finding(
                engine,
                workload,
                limit.place,
                limit.value,
                f"containerConcurrency is {limit.value}",
                "Set containerConcurrency to 0 and take a soft target for the autoscaler",
            )
            return
    for scaler in workload.autoscalers:
        for metric in scaler.metrics:
            found = _low(scaler, metric)
            if found is not None:
                value, place, words, remedy = found
                yield _finding(engine, workload, place, value, words, remedy)


def _low(scaler: Autoscaler, metric: ScalingMetric) -> tuple[float, Place, str, str] | None:
    ceiling = metric.ceiling
    if ceiling is not None and ceiling.place is not None and ceiling.value and ceiling.value <= _HARD_LIMIT:
        words = f"{ceiling.spelled} is {ceiling.value}"
        return ceiling.value, ceiling.place, words, f"Take {ceiling.spelled}"
    target = metric.threshold
    is_concurrency = metric.meanings == {Meaning.CONCURRENCY} and metric.name == "concurrency"
    if target is None or not is_concurrency or scaler.ref.kind not in _PROXIES:
        return None
    if 0 < target.value <= _SOFT_TARGET:
        return target.value, target.place, f"the autoscaler aims at {target.value:g}", "Take the target"
    return None


def _finding(engine: Engine, workload: Workload, place: Place, number: float, why: str, remedy: str) -> Finding:
    metrics = signals(engine.name, engine.version)
    batch = f"{metrics.running} and rate({metrics.tokens}[5m])" if metrics is not None else "batch size and tokens/s"
    limit = engine.max_num_seqs
    own = f" ({limit.spelled} {limit.value})" if limit is not None and not limit.default and limit.value else ""
    return Finding(
        place=place,
        message=(
            f"A replica of {workload.ref} gets {_requests(number)} at a time, for {why}, and {engine.label} can run "
            f"many more in one batch{own}. With so small a batch each token costs a full pass over the weights, and "
            "the GPU looks idle while requests wait at the proxy."
        ),
        help=(
            f"{remedy} from a load test: the number of requests at which tokens/s per replica stop rising, which is "
            f"tens for most models. Watch {batch}."
        ),
        evidence=[
            Evidence("engine", engine.label, engine.place),
            Evidence("workload", str(workload.ref), workload.place),
        ],
    )


def _requests(number: float) -> str:
    return f"{number:g} request" if number == 1 else f"{number:g} requests"
