"""A /dev/shm that may grow beyond what its container may use."""

from __future__ import annotations

from collections.abc import Iterator

from gpulint.finding import Evidence, Finding
from gpulint.model.workload import Container
from gpulint.rules import rule
from gpulint.rules.memory_words import gib
from gpulint.rules.parallel import named


@rule("shared-memory-above-limit")
def check(container: Container) -> Iterator[Finding]:
    memory, limit_mib = container.shared_memory, container.memory_limit_mib
    if memory is None or memory.medium != "Memory" or memory.size_mib is None or not limit_mib:
        return
    if memory.size_mib < limit_mib or memory.place is container.place or container.pod.dra_claims:
        return
    if container.pod.role is not None and container.ref.kind.startswith("Ray"):
        return  # KubeRay makes it so
    if not container.gpus and container.engine is None:
        return
    yield Finding(
        place=memory.place,
        message=f"The /dev/shm of {named(container).replace('Container', 'container', 1)} may grow to "
        f"{gib(memory.size_mib)}, and its memory limit is {gib(limit_mib)}. What lies there counts towards the limit: "
        "the kernel ends the engine (OOMKilled) before the volume is full.",
        help="Let the sizeLimit be what NCCL and the workers need, 8Gi to 16Gi as a rule, and the memory limit that "
        "much above what the engine takes.",
        evidence=[
            Evidence("sizeLimit", gib(memory.size_mib), memory.place),
            Evidence("memory limit", gib(limit_mib)),
        ],
    )
