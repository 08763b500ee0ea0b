"""Autoscaling a GPU workload on the memory of the host."""

from __future__ import annotations

from collections.abc import Iterator

from gpulint.finding import Evidence, Finding
from gpulint.metrics.table import Meaning
from gpulint.model.autoscaler import Autoscaler
from gpulint.model.workload import Workload
from gpulint.rules import rule
from gpulint.rules.advice import watch_the_pool
from gpulint.rules.signals import (
    engine_signals,
    gpu_evidence,
    is_off_gpu,
    named,
    scaled_device,
    serves,
    target_text,
)


@rule("host-memory-autoscaling")
def check(scaler: Autoscaler) -> Iterator[Finding]:
    workload = scaler.workload
    if workload is None or not serves(workload):
        return
    for metric in scaler.metrics:
        if not metric.is_only(Meaning.HOST_MEMORY) or is_off_gpu(scaler, metric):
            continue
        beside = engine_signals(scaler, metric)
        yield Finding(
            place=metric.place,
            message=(
                f"{named(scaler)} scales {scaled_device(scaler, workload)} on host memory{target_text(metric)}"
                f"{' beside an engine signal' if beside else ''}. The host memory of a model server rises once, while "
                "the weights are read, and then hardly moves with load: replicas are added at start and not removed, "
                "or never added."
            ),
            help=watch_the_pool(scaler),
            evidence=[Evidence("scales", str(workload.ref), workload.place), *gpu_evidence(workload)],
            level="info" if beside or _keeps_cache_on_host(workload) else None,
        )


def _keeps_cache_on_host(workload: Workload) -> bool:
    """LMCache holds KV cache in host memory, which then can be what runs out."""
    return any(name.startswith("LMCACHE_") for container in workload.containers for name in container.env)
