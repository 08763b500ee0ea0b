"""CUDA_VISIBLE_DEVICES with indices that the container does not have."""

from __future__ import annotations

from collections.abc import Iterator

from gpulint.finding import Evidence, Finding, Level
from gpulint.model.workload import Container
from gpulint.rules import rule
from gpulint.rules.parallel import evidence_of_gpus, named

_VARIABLE = "CUDA_VISIBLE_DEVICES"


@rule("cuda-devices-beyond-request")
def check(container: Container) -> Iterator[Finding]:
    given, count = container.env.get(_VARIABLE), container.gpu_count()
    if given is None or not given.value or not count or container.pod.dra_claims or container.privileged:
        return
    if "NVIDIA_VISIBLE_DEVICES" in container.env or any(r.vendor != "nvidia" or r.virtual for r in container.gpus):
        return
    words = [word.strip() for word in given.value.split(",")]
    if not all(word.isdecimal() and len(word) < 4 for word in words):
        return
    valid = 0
    for word in words:
        if int(word) >= count:
            break
        valid += 1
    else:
        return
    has = f"{count} GPU, index 0" if count == 1 else f"{count} GPUs, indices 0 to {count - 1}"
    level: Level = "error" if valid == 0 else "warning"
    seen = "is" if valid == 1 else "are"
    then = (
        "CUDA then shows no device at all, and the engine does not start"
        if valid == 0
        else f"CUDA stops at the first index that does not exist: of the {len(words)} listed {valid} {seen} visible"
    )
    yield Finding(
        place=given.place,
        message=f"{_VARIABLE}={given.value} lists devices that {named(container).replace('Container', 'container', 1)} "
        f"does not have: it is allotted {has}. Inside a container its GPUs are numbered from 0, whichever they are on "
        f"the node. {then}.",
        help=f"Remove {_VARIABLE}: the container sees the GPUs that it asks for and no others. If it is to use all "
        f"{len(words)}, ask for that many.",
        evidence=[Evidence(_VARIABLE, given.value, given.place), *evidence_of_gpus(container)],
        level=level,
    )
