"""What to check instead, in the words of the engine in front of the reader: the one home of that advice."""

from __future__ import annotations

from typing import NamedTuple

from gpulint.metrics.table import lookup
from gpulint.model.autoscaler import Autoscaler
from gpulint.model.engine import Version
from gpulint.model.workload import Workload


class Signals(NamedTuple):
    """The metrics of an engine that move with its load.

    `queue` and `running` are gauges of requests, `kv_cache` a gauge from 0 to 1, `tokens` a counter of generated
    tokens (of answered requests where the engine counts no tokens), `first_token` the histogram of the time to the
    first token in seconds. `switch` is what the engine serves them with, without which it serves none of them.
    """

    engine: str
    queue: str
    running: str
    kv_cache: str | None
    tokens: str
    first_token: str | None
    switch: str | None = None


# Names of today's versions; each has its source in the metric table.
_SIGNALS = {
    "vllm": Signals(
        "vLLM",
        "vllm:num_requests_waiting",
        "vllm:num_requests_running",
        "vllm:kv_cache_usage_perc",
        "vllm:generation_tokens_total",
        "vllm:time_to_first_token_seconds",
    ),
    "tgi": Signals("TGI", "tgi_queue_size", "tgi_batch_current_size", None, "tgi_request_generated_tokens_sum", None),
    "sglang": Signals(
        "SGLang",
        "sglang:num_queue_reqs",
        "sglang:num_running_reqs",
        "sglang:token_usage",
        "sglang:generation_tokens_total",
        "sglang:time_to_first_token_seconds",
        "--enable-metrics",
    ),
    "nim": Signals(
        "NIM",
        "num_requests_waiting",
        "num_requests_running",
        "gpu_cache_usage_perc",
        "generation_tokens_total",
        "time_to_first_token_seconds",
    ),
    # The gauges of Triton's TensorRT-LLM backend; other backends say less of their batches. Source: Gateway API
    # Inference Extension, Model Server Protocol.
    "triton": Signals(
        "Triton",
        'nv_trt_llm_request_metrics{request_type="waiting"}',
        'nv_trt_llm_request_metrics{request_type="scheduled"}',
        'nv_trt_llm_kv_cache_block_metrics{kv_cache_block_type="fraction"}',
        "nv_inference_request_success",
        None,
        "the TensorRT-LLM backend",
    ),
    # Source: NVIDIA/TensorRT-LLM@0005772 tensorrt_llm/serve/openai_server.py, @050f80d metrics/collector.py.
    "trtllm": Signals(
        "TensorRT-LLM",
        "trtllm_num_requests_waiting",
        "trtllm_num_requests_running",
        "trtllm_kv_cache_utilization",
        "trtllm_generation_tokens_total",
        "trtllm_time_to_first_token_seconds",
        "return_perf_metrics and enable_iter_perf_stats at /prometheus/metrics",
    ),
    "llamacpp": Signals(
        "llama.cpp",
        "llamacpp:requests_deferred",
        "llamacpp:requests_processing",
        None,
        "llamacpp:tokens_predicted_total",
        None,
        "--metrics",
    ),
    "lmdeploy": Signals(
        "LMDeploy",
        "lmdeploy:num_requests_waiting",
        "lmdeploy:num_requests_running",
        "lmdeploy:gpu_cache_usage_perc",
        "lmdeploy:generation_tokens_total",
        "lmdeploy:time_to_first_token_seconds",
    ),
}
# vLLM renamed its KV cache gauge in 0.9.2. Source: docs.vllm.ai design/metrics; vllm-project/vllm#18354.
_VLLM_KV_CACHE_RENAMED: Version = (0, 9, 2)
_VLLM_OLD_KV_CACHE = "vllm:gpu_cache_usage_perc"


def signals(engine: str, version: Version | None = None) -> Signals | None:
    """The load metrics of an engine by its id, as its version names them; None for an engine that is not known."""
    found = _SIGNALS.get(engine)
    if found is not None and engine == "vllm" and version is not None and version < _VLLM_KV_CACHE_RENAMED:
        return found._replace(kv_cache=_VLLM_OLD_KV_CACHE)
    return found


def signals_of(workload: Workload | None) -> Signals | None:
    """The load metrics of the engine that a workload runs; None where it runs none that is known."""
    for engine in workload.engines if workload is not None else ():
        found = signals(engine.name, engine.version)
        if found is not None:
            return found
    return None


def signals_near(scaler: Autoscaler) -> Signals | None:
    """The load metrics of the engine that an autoscaler scales, told by its workload, else by its other metrics."""
    found = signals_of(scaler.workload)
    if found is not None:
        return found
    for metric in scaler.metrics:
        for name in metric.query.metric_names() if metric.query is not None else (metric.name,):
            row = lookup(name)
            if row is not None and row.engine in _SIGNALS:
                return _SIGNALS[row.engine]
    return None


def scale_on_load(scaler: Autoscaler) -> str:
    """The signal to scale on instead, and how to find its target."""
    found = signals_near(scaler)
    if found is None:
        return (
            "Scale on the server's queue length (for throughput) or requests in progress (for latency) per replica. "
            "Find the target by a load test: the highest at which p95 latency holds; past the point where tokens/s per "
            "replica stops rising, a higher one only lengthens the queue."
        )
    switch = f" (served with {found.switch})" if found.switch else ""
    latency = f"p95 of {found.first_token}" if found.first_token else "p95 latency"
    return (
        f"Scale on {found.queue} (for throughput) or {found.running} (for latency) per replica{switch}. Find the "
        f"target by a load test: the highest at which {latency} holds; past the point where rate({found.tokens}[5m]) "
        "per replica stops rising, a higher one only lengthens the queue."
    )


def watch_the_pool(scaler: Autoscaler) -> str:
    """What tells how full a server is whose memory is reserved up front."""
    found = signals_near(scaler)
    if found is not None and found.kv_cache is not None:
        return (
            f"Scale on {found.kv_cache}, the used share of the KV cache inside the reserved memory (0 to 1), or on "
            f"{found.queue}: requests wait when the cache has no room for them."
        )
    if found is not None:
        return f"Scale on {found.queue} or {found.running}: requests wait when the KV cache has no room for them."
    return (
        "Scale on the engine's own KV cache usage (vLLM: vllm:kv_cache_usage_perc) or its queue: these fall when the "
        "load falls."
    )


def before_scaling_down(scaler: Autoscaler) -> str:
    """What must be looked at before a replica is taken away."""
    found = signals_near(scaler)
    if found is None:
        return "the running requests, KV cache usage and tokens/s of each replica"
    names = (found.running, found.kv_cache, f"rate({found.tokens}[5m])")
    return ", ".join(name for name in names if name) + " per replica"


# For alerts, which seldom say whose GPU it is: vLLM's names stand as the example.
IDLE_CHECK = (
    "Ask whether there is work before calling a GPU idle: no running requests over the same time, such as "
    "`sum by (pod) (max_over_time(vllm:num_requests_running[1h])) == 0`. While requests run, look at KV cache usage "
    "(vllm:kv_cache_usage_perc), batch size and tokens/s instead: they say what keeps the GPU from doing more."
)
SATURATION_CHECK = (
    "Alert on what users feel and on what fills up: waiting requests (`sum by (pod) (vllm:num_requests_waiting) > 0` "
    "for some minutes), KV cache usage (vllm:kv_cache_usage_perc > 0.9) and p95 latency. To see whether a busy GPU is "
    "also a productive one, compare tokens/s per GPU with what the model reached in a load test."
)
