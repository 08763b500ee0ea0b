"""A share that leaves much of a GPU unused, though nobody else is on it."""

from __future__ import annotations

from collections.abc import Iterator

from gpulint.finding import Evidence, Finding
from gpulint.model.project import Project
from gpulint.rules import rule
from gpulint.rules.advice import signals
from gpulint.rules.parallel import evidence_of_gpus, named
from gpulint.rules.serving_words import generates, serves_on_whole_gpus

_SMALLEST = {"vllm": 0.7, "sglang": 0.65}
# Boards whose memory is the host's as well.
_UNIFIED = ("GB10", "GH200", "Grace", "Jetson", "Orin", "Thor")


@rule("small-memory-fraction")
def check(project: Project) -> Iterator[Finding]:
    if any(config.sharings for config in project.device_plugin_configs):
        return  # what asks for a whole GPU may get a share of one
    for workload in project.workloads:
        for pod in workload.pods:
            engines = [container.engine for container in pod.containers if container.engine is not None]
            if len(engines) != 1 or not workload.api_version or not pod.complete:
                continue
            engine = engines[0]
            share, container = engine.memory_fraction, engine.container
            smallest = _SMALLEST.get(engine.name)
            if smallest is None or share is None or share.place is None or share.value is None:
                continue
            if not 0 < share.value < smallest or not serves_on_whole_gpus(engine) or not generates(engine):
                continue
            if engine.kv_cache_memory_bytes is not None and not engine.kv_cache_memory_bytes.default:
                continue
            if not engine.alone or any(
                name in container.env for name in ("NVIDIA_VISIBLE_DEVICES", "LMCACHE_CONFIG_FILE")
            ):
                continue
            boards = pod.placement.gpus if pod.placement is not None else ()
            if any(word in board.name for board in boards for word in _UNIFIED):
                continue
            watch = signals(engine.name, engine.version)
            metric = watch.kv_cache if watch is not None and watch.kv_cache is not None else "the KV cache's usage"
            yield Finding(
                place=share.place,
                message=f"{share.spelled} {share.value:g} leaves {1 - share.value:.0%} of each GPU unused, and "
                f"{named(container)} of {workload.ref} has them alone. The KV cache gets so much less: fewer requests "
                "fit into a batch, and utilisation is low for want of memory, not of work.",
                help=f"Leave the flag out, and look at {metric} at p95, preemptions and the size of batches before "
                "calling the GPU too large.",
                evidence=[Evidence(share.spelled, share.value, share.place), *evidence_of_gpus(container)],
                ref=workload.ref,
            )
