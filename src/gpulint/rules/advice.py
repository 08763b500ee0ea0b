"""What to check instead, in the words of the engine in front of the reader."""

from __future__ import annotations

from gpulint.model.workload import Workload

# Queue and batch-size metrics of each engine. Source: docs.vllm.ai design/metrics; TGI docs, "Metrics".
_SIGNALS = {
    "vllm": ("vllm:num_requests_waiting", "vllm:num_requests_running"),
    "tgi": ("tgi_queue_size", "tgi_batch_current_size"),
    "sglang": ("sglang:num_queue_reqs", "sglang:num_running_reqs"),
}


def queue_signal(workload: Workload) -> str:
    """The signal to scale on instead, named for the workload's engine where that is known."""
    engine = next((engine.name for engine in workload.engines), None)
    if engine in _SIGNALS:
        queue, running = _SIGNALS[engine]
        return (
            f"Scale on {queue} (throughput) or {running} (latency) per replica, and compare with tokens/s per replica "
            "and p95 latency to choose the target."
        )
    return (
        "Scale on the engine's queue length or running requests per replica, and compare with tokens/s per replica and "
        "p95 latency to choose the target."
    )
