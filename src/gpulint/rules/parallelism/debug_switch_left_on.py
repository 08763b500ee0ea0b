"""A switch for debugging in a server."""

from __future__ import annotations

from collections.abc import Iterator

from gpulint.finding import Evidence, Finding, Level
from gpulint.model.workload import Container, EnvVar
from gpulint.rules import rule
from gpulint.rules.parallel import named

_ON = ("1", "true", "yes", "on")
_FOR_DEBUGGING = ("debug", "dev", "test", "bench", "profil", "sandbox")


@rule("debug-switch-left-on")
def check(container: Container) -> Iterator[Finding]:
    workload = container.pod.workload
    if workload.batch or (container.engine is None and not container.gpus):
        return
    names = (workload.ref.name, workload.ref.namespace, container.name)
    if any(word in (name or "").lower() for name in names for word in _FOR_DEBUGGING):
        return
    for given in container.env.values():
        found = _effect(given)
        if found is None:
            continue
        effect, level = found
        yield Finding(
            place=given.place,
            message=f"{named(container)} runs with {given.name}={given.value}: {effect}. It is for finding an error, "
            "and costs throughput in every request.",
            help=f"Remove {given.name}, and set it by hand on the day it is needed.",
            evidence=[Evidence(given.name, given.value, given.place)],
            level=level,
        )


def _effect(given: EnvVar) -> tuple[str, Level] | None:
    value = (given.value or "").strip().lower()
    match given.name:
        case "CUDA_LAUNCH_BLOCKING" if value in _ON:
            return (
                "each kernel waits for the one before to end, so the GPU idles between them and its utilisation falls",
                "warning",
            )
        case "VLLM_TRACE_FUNCTION" if value in _ON:
            return "vLLM writes every function call to a file", "warning"
        case "TORCH_DISTRIBUTED_DEBUG" if value == "detail":
            return "PyTorch checks every collective with another one before it", "warning"
        case "NCCL_DEBUG" if value == "trace":
            return "NCCL logs every call", "info"
    return None
