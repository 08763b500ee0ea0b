"""Fewer CPUs than vLLM has processes that need one."""

from __future__ import annotations

from collections.abc import Iterator

from gpulint.finding import Evidence, Finding
from gpulint.model.engine import Engine
from gpulint.rules import rule
from gpulint.rules.parallel import evidence_of_gpus
from gpulint.rules.serving_words import serves_on_whole_gpus

# Since when API server, engine core and workers are processes of their own (V1). Source: vLLM 0.8.0, release notes.
_SINCE = (0, 8)


@rule("cpu-limit-starves-engine")
def check(engine: Engine) -> Iterator[Finding]:
    container = engine.container
    limit, gpus = container.cpu_limit, container.gpu_count()
    if engine.name != "vllm" or limit is None or not gpus or not serves_on_whole_gpus(engine):
        return
    if engine.version is None or engine.version < _SINCE or container.pod.role == "worker":
        return
    first = container.env.get("VLLM_USE_V1")
    if first is not None and first.value != "1":
        return
    # One API server, one engine core that polls, one worker per GPU. Source: docs.vllm.ai, configuration/optimization.
    processes = 2 + gpus
    if limit.value >= processes:
        return
    on = "one GPU" if gpus == 1 else f"{gpus} GPUs"
    yield Finding(
        place=limit.place,
        message=f"The limit of {limit.value:g} CPU{'s' if limit.value != 1 else ''} is less than the {processes} cores "
        f"that {engine.label} of {engine.ref} needs on {on}: one for its API server, one for its engine core and one "
        "for each GPU. When the quota is used up they all stand still until the next period, and the GPU waits, which "
        "looks like a lack of requests.",
        help=f"Request at least {processes} CPUs ({2 * processes} hyperthreads) and set no limit on CPU. Throttling "
        "shows in container_cpu_cfs_throttled_periods_total; more replicas would copy the shortage.",
        evidence=[Evidence("limits.cpu", limit.value, limit.place), *evidence_of_gpus(container)],
    )
