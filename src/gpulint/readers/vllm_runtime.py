"""VLLMRuntime of the production stack's operator: `vllm serve` in a Deployment of its own, scaled by KEDA.

Source: vllm-project/production-stack@a6c01db operator/internal/controller/vllmruntime_controller.go
(deploymentForVLLMRuntime, reconcileScaledObject) and operator/api/v1alpha1/vllmruntime_types.go.
"""

from __future__ import annotations

from gpulint import engines
from gpulint.engines.launch import Launch, Word, argument_of, words_of
from gpulint.metrics.table import lookup
from gpulint.model.autoscaler import Autoscaler, ScaleDown, ScalingMetric, ScalingPolicy
from gpulint.model.engine import Engine
from gpulint.model.project import Project
from gpulint.model.quantity import quantity_mib
from gpulint.model.values import ObjectRef, Setting, Sourced
from gpulint.model.workload import Container, Rollout, SharedMemory, Workload
from gpulint.readers._manifest import (
    Manifest,
    number_or_none,
    sourced,
    sourced_int,
    sourced_number,
    sourced_text,
    text_at,
)
from gpulint.readers._pods import pod_of, read_container
from gpulint.source.yaml import Node

_GROUP = "production-stack.vllm.ai"
MARKS = ((_GROUP,), ("VLLMRuntime",))
KINDS = frozenset({(_GROUP, "VLLMRuntime")})
# Where the specification keeps what becomes a flag, the flag, and the setting that it is.
_FLAGS = (
    (("model", "maxModelLen"), "max-model-len", "max_model_len"),
    (("model", "dtype"), "dtype", "dtype"),
    (("vllmConfig", "tensorParallelSize"), "tensor-parallel-size", "tensor_parallel"),
    (("model", "maxNumSeqs"), "max-num-seqs", "max_num_seqs"),
    (("vllmConfig", "gpuMemoryUtilization"), "gpu-memory-utilization", "memory_fraction"),
)
_GPU = "nvidia.com/gpu"
# The triggers that it sets, by the key of each threshold; a further one only keeps a replica while requests come in.
_TRIGGERS = (
    ("requestsRunningThreshold", "vllm:num_requests_running"),
    ("generationTokensThreshold", "vllm:generation_tokens_total"),
    ("promptTokensThreshold", "vllm:prompt_tokens_total"),
)
_TO_ZERO_S = 1800.0


def read_object(manifest: Manifest, project: Project) -> None:
    spec = manifest.node.get("spec")
    deployment = spec.get("deploymentConfig") if spec is not None else None
    if spec is None or deployment is None or not deployment.is_mapping:
        return
    pod = pod_of(_pod_spec(deployment), [_container(manifest, spec, deployment)])
    pod.complete = manifest.ref.name is not None
    strategy = deployment.get("deploymentStrategy")
    workload = Workload(
        ref=manifest.ref,
        api_version=manifest.api_version,
        place=manifest.name_node().place,
        pods=[pod],
        replicas=sourced_int(deployment.get("replicas")),
        rollout=Rollout((strategy or manifest.name_node()).place, sourced_text(strategy)),
    )
    if manifest.ref.name is not None:
        workload.scaled_as.append(ObjectRef("Deployment", manifest.ref.namespace, manifest.ref.name))
    project.workloads.append(workload)
    scaling = spec.get("autoscalingConfig")
    if scaling is not None and text_at(scaling, "enabled") == "true":
        project.autoscalers.append(_autoscaler(manifest, scaling))


def _container(manifest: Manifest, spec: Node, deployment: Node) -> Container:
    from gpulint.source.kustomize import Merged

    resources = deployment.get("resources")
    limits: dict[str, Node] = {}
    if resources is not None:
        kind = text_at(resources, "gpuType") or _GPU
        keys = (("cpu", "cpu"), ("memory", "memory"), ("gpu", kind))
        limits = {resource: node for key, resource in keys if (node := resources.get(key)) is not None}
    face = resources if resources is not None and resources.is_mapping else deployment
    fields: dict[str, Node] = {"resources": Merged(face, {"limits": Merged(face, limits)})}
    env = spec.at("vllmConfig", "env")
    if env is not None:
        fields["env"] = env
    container = read_container(
        Merged(deployment, fields), deployment, name=manifest.name_node(), image=_image(deployment.get("image"))
    )
    container.name = "vllm"
    container.engine = _engine(spec, container)
    if container.engine is not None:
        container.engine.container = container
    shared = deployment.get("shmSize")
    if shared is not None:
        container.shared_memory = SharedMemory("Memory", quantity_mib(shared.value), shared.entry_place)
    return container


def _image(node: Node | None) -> Sourced[str] | None:
    name, registry = (node.get("name"), text_at(node, "registry")) if node is not None else (None, None)
    if name is None or name.text is None:
        return None
    return sourced(f"{registry}/{name.text}" if registry else name.text, name)


def _engine(spec: Node, container: Container) -> Engine | None:
    """`vllm serve` with the model, the flags of the specification and the arguments that follow them."""
    words: list[Word] = []
    for steps, flag, _ in _FLAGS:
        value = spec.at(*steps)
        number = number_or_none(value) if value is not None else None
        word = argument_of(flag, value, switches=False) if value is not None and number != 0 else None
        if word is not None:
            words.append(word)
    extra = spec.at("vllmConfig", "extraArgs")
    if extra is not None and extra.is_sequence:
        words += words_of(extra, container.env)
    url = spec.at("model", "modelURL")
    launch = Launch(container.image, [], words, container.env, container.place)
    engine = engines.start("vllm", launch, words, (url or spec).entry_place)
    if engine is None:
        return None
    for steps, _, name in _FLAGS:
        value, setting = spec.at(*steps), getattr(engine, name)
        at = setting.place
        if value is not None and at is not None and value.place.start <= at.start < value.place.end:
            setting.spelled = steps[-1]
    if url is not None:
        known = url.text is not None and not any(mark in url.text for mark in "${}<>")
        engine.model = Setting(url.text if known else None, "modelURL", url.entry_place)
    return engine


def _pod_spec(deployment: Node) -> Node:
    """The PodSpec's fields under their names there."""
    from gpulint.source.kustomize import Merged

    parts: dict[str, Node] = {}
    tolerations, terms = deployment.get("toleration"), deployment.get("nodeSelectorTerms")
    if tolerations is not None:
        parts["tolerations"] = tolerations
    if terms is not None:
        required = Merged(deployment, {"nodeSelectorTerms": terms})
        selected = Merged(deployment, {"requiredDuringSchedulingIgnoredDuringExecution": required})
        parts["affinity"] = Merged(deployment, {"nodeAffinity": selected})
    return Merged(deployment, parts)


def _autoscaler(manifest: Manifest, scaling: Node) -> Autoscaler:
    triggers, down = scaling.get("triggers"), scaling.get("scaleDownPolicy")
    metrics = []
    for key, name in _TRIGGERS:
        threshold, metric = triggers.get(key) if triggers is not None else None, lookup(name)
        at = threshold.entry_place if threshold is not None else scaling.key_place
        meanings = frozenset({metric.meaning}) if metric is not None else frozenset()
        metrics.append(
            ScalingMetric(
                "prometheus",
                name,
                at,
                meanings,
                target_type="AverageValue",
                threshold=sourced_number(threshold),
            )
        )
    return Autoscaler(
        ref=manifest.ref,
        place=scaling.key_place,
        target=manifest.ref,
        target_place=manifest.name_node().place,
        metrics=metrics,
        min_replicas=sourced_int(scaling.get("minReplicas")),
        max_replicas=sourced_int(scaling.get("maxReplicas")),
        scale_down=_scale_down(down) if down is not None else ScaleDown(),
        default_min_replicas=1 if scaling.get("minReplicas") is None else None,
        to_zero_after_s=sourced_number(down.get("scaleToZeroDelaySeconds")) if down is not None else None,
        default_to_zero_after_s=_TO_ZERO_S,
    )


def _scale_down(down: Node) -> ScaleDown:
    """At most `podValue` pods in `periodSeconds`: one a minute unless told otherwise."""
    value, period = down.get("podValue"), down.get("periodSeconds")
    policy = ScalingPolicy(
        "Pods",
        number_or_none(value) if value is not None else 1,
        number_or_none(period) if period is not None else 60,
        (value or down).key_place,
    )
    return ScaleDown(sourced_number(down.get("stabilizationWindowSeconds")), [policy])
