"""Fewer CPUs than vLLM has processes that need one."""

from __future__ import annotations

from collections.abc import Iterator

from gpulint.finding import Evidence, Finding
from gpulint.model.engine import Engine
from gpulint.rules import rule
from gpulint.rules.parallel import evidence_of_gpus
from gpulint.rules.serving_words import serves_on_whole_gpus


@rule("cpu-limit-starves-engine")
def check(engine: Engine) -> Iterator[Finding]:
    container = engine.container
    limit, gpus = container.cpu_limit, container.gpu_count()
    if engine.name != "vllm" or limit is None or not gpus or not serves_on_whole_gpus(engine):
        return
    # One API server, one engine core that polls, one worker per GPU. Source: docs.vllm.ai, configuration/optimization.
    processes = 2 + gpus
    if limit.value >= processes:
        return
    workers = "its worker" if gpus == 1 else f"{gpus} workers"
    yield Finding(
        place=limit.place,
        message=f"A limit of {limit.value:g} CPUs is less than {engine.label} of {engine.ref} has busy processes: the "
        f"API server, the engine core and {workers} make {processes}. The kernel holds them up by turns, and the GPU "
        "waits, which looks like want of load.",
        help=f"Request at least {processes} CPUs ({2 * processes} hyperthreads) and set no limit on CPU. Throttling "
        "shows in container_cpu_cfs_throttled_periods_total; more replicas would copy the shortage.",
        evidence=[Evidence("limits.cpu", limit.value, limit.place), *evidence_of_gpus(container)],
    )
