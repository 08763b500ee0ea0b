"""An engine for GPUs in a container that asks for none."""

from __future__ import annotations

from collections.abc import Iterator

from gpulint.finding import Evidence, Finding
from gpulint.model.engine import Engine
from gpulint.model.project import Project
from gpulint.rules import rule
from gpulint.rules.forms import forms_of
from gpulint.rules.parallel import named

# Images that run on NVIDIA's GPUs and nothing else, as published: the last parts of their names. TGI, Ollama and
# llama.cpp fall back to the CPU.
_IMAGES = {
    "vllm": ("vllm/vllm-openai",),
    "sglang": ("lmsysorg/sglang",),
    "lmdeploy": ("openmmlab/lmdeploy",),
    "trtllm": ("nvidia/tensorrt-llm/release",),
    "nim": ("nvcr.io/nim/",),
}
_OTHER_TAGS = ("cpu", "rocm", "intel", "xpu", "tpu", "hpu", "gaudi", "neuron", "npu")
_KINDS = frozenset({"Deployment", "StatefulSet", "DaemonSet", "Pod", "ReplicaSet", "Job", "Rollout", "LeaderWorkerSet"})
_COMPOSE = "compose service"
# Resources of Kubernetes itself; any other may be an accelerator of another kind.
_PLAIN = frozenset({"cpu", "memory", "ephemeral-storage"})
# Annotations and labels by which schedulers hand out GPUs without a resource (KAI, HAMi, Run:ai, Volcano).
_SHARING_WORDS = ("gpu-fraction", "gpu-memory", "gpu-count", "vgpu")


@rule("engine-without-gpu")
def check(project: Project) -> Iterator[Finding]:
    for workload in project.workloads:
        found = [finding for engine in workload.engines for finding in _of(engine)]
        if found and not any(form.uses_gpus for form in forms_of(project, workload)):
            for finding in found:
                finding.ref = workload.ref
                yield finding


def _of(engine: Engine) -> Iterator[Finding]:
    container, pod = engine.container, engine.container.pod
    image = container.image.value if container.image is not None else ""
    if not _is_for_nvidia(engine.name, image) or engine.accelerator is not None:
        return
    if not pod.complete or pod.dra_claims or pod.claims or container.claims or container.idles is not None:
        return
    if any(other.gpus for other in pod.containers) or pod.placement is not None:
        return
    if any(resource not in _PLAIN and "hugepages" not in resource for resource in container.requested or ()):
        return
    if any(word in key for key in (*pod.annotations, *pod.labels) for word in _SHARING_WORDS):
        return
    shown = container.env.get("NVIDIA_VISIBLE_DEVICES")
    evidence = [Evidence("image", image, container.image.place if container.image is not None else None)]
    if engine.ref.kind == _COMPOSE:
        if shown is not None or container.privileged:
            return  # a host whose default runtime is NVIDIA's
        yield Finding(
            place=container.image.place if container.image is not None else container.place,
            message=f"Service {container.name} runs {engine.label} and reserves no GPU. Docker starts the container "
            "without one, and the engine ends with an error about a missing CUDA device or driver.",
            help="Reserve them: `gpus: all`, or deploy.resources.reservations.devices with driver: nvidia, count: 1 "
            "and capabilities: [gpu].",
            evidence=evidence,
        )
        return
    if engine.ref.kind not in _KINDS:
        return
    if shown is not None:
        evidence.append(Evidence(shown.name, shown.value, shown.place))
    yield Finding(
        place=container.image.place if container.image is not None else container.place,
        message=f"{named(container)} runs {engine.label} and asks for no GPU. The scheduler may put it on a node "
        "without one, where it cannot start; on a node whose default runtime is NVIDIA's the image's "
        "NVIDIA_VISIBLE_DEVICES=all gives it every GPU there, also those of other pods.",
        help="Set resources.limits nvidia.com/gpu to the number of GPUs that the parallel sizes multiply to.",
        evidence=evidence,
    )


def _is_for_nvidia(engine: str, image: str) -> bool:
    repository, _, tag = image.partition("@")[0].rpartition(":")
    name = repository if repository and "/" not in tag else image
    if "/" in tag:
        tag = ""
    official = any(
        part in f"/{name}/" if part.endswith("/") else name.endswith(part) for part in _IMAGES.get(engine, ())
    )
    return official and not any(word in tag for word in _OTHER_TAGS)
