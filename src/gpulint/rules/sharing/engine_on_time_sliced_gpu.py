"""Model servers on GPUs that are handed out several times."""

from __future__ import annotations

from collections.abc import Iterator

from gpulint.finding import Evidence, Finding, Level
from gpulint.model.project import Project
from gpulint.model.workload import Container
from gpulint.rules import rule
from gpulint.rules.sharing_words import containers_on

_MOST_NAMED = 3
_TAKES_MOST = frozenset({"vllm", "sglang", "tgi", "lmdeploy", "trtllm", "nim"})


@rule("engine-on-time-sliced-gpu")
def check(project: Project) -> Iterator[Finding]:
    for config in project.device_plugin_configs:
        for sharing in config.sharings:
            replicas = sharing.replicas
            if replicas is None or replicas.value < 2 or sharing.resource.value.startswith("nvidia.com/mig"):
                continue
            servers = [
                (container, request)
                for container, request in containers_on(project, sharing)
                if container.engine is not None and not _keeps_to_share(container, replicas.value)
            ]
            if not servers:
                continue
            labels = [f"{c.engine.label} in {c.ref}" for c, _ in servers if c.engine is not None]
            names = ", ".join(labels[:_MOST_NAMED]) + (" and others" if len(labels) > _MOST_NAMED else "")
            engines = {c.engine.name for c, _ in servers if c.engine is not None}
            takes = not engines.isdisjoint(_TAKES_MOST)
            slicing = sharing.strategy == "time-slicing"
            level: Level = "warning" if takes or slicing else "info"
            what = (
                "Time slices divide the GPU's time and neither its memory nor its faults: whoever needs memory last "
                "ends out of memory, whichever pod that is"
                if slicing
                else f"MPS gives each share 1/{replicas.value} of the memory, while these engines plan with all of it"
            )
            yield Finding(
                place=replicas.place,
                message=f"Each {sharing.resource.value} is handed out {replicas.value} times, also to {names}. {what}. "
                "The utilisation of the card is that of all its pods together and tells nothing about one of them.",
                help="Give model servers a GPU or a MIG slice of their own (a node group without sharing), or bound "
                f"each one's memory to its share: {_bounds(engines, replicas.value)}. Judge a server by its own "
                "metrics: queue, KV cache, tokens/s.",
                evidence=[
                    Evidence("replicas", replicas.value, replicas.place),
                    *(Evidence(str(c.ref), f"{r.resource}: {r.count}", r.place) for c, r in servers),
                ],
                level=level,
                ref=sharing.ref,
            )


def _bounds(engines: set[str], replicas: int) -> str:
    """How these engines are held to a share of the memory."""
    share = f"{0.9 / replicas:.2f}"
    known = {
        "vllm": f"--gpu-memory-utilization {share} for vLLM",
        "sglang": f"--mem-fraction-static {share} for SGLang",
        "tgi": f"--cuda-memory-fraction {share} for TGI",
        "ollama": "OLLAMA_MAX_LOADED_MODELS and OLLAMA_GPU_OVERHEAD for Ollama",
        "llamacpp": "a model and a --ctx-size that fit into it for llama.cpp",
    }
    return (
        ", ".join(text for name, text in known.items() if name in engines) or "a fraction of the memory, if it has one"
    )


def _keeps_to_share(container: Container, replicas: int) -> bool:
    """Whether an engine bounds its memory to its share, with a little to spare; a fixed cache is taken for a bound."""
    engine = container.engine
    if engine is None:
        return False
    if engine.kv_cache_memory_bytes is not None and engine.kv_cache_memory_bytes.value is not None:
        return True
    share = engine.memory_fraction
    return share is not None and share.value is not None and not share.default and share.value * replicas <= 1.0
