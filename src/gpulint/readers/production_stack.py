"""Values of vLLM's production stack chart: each model as the Deployment, or the Ray cluster, that the chart makes.

Source: vllm-project/production-stack@010004e helm/templates: deployment-vllm-multi.yaml, _helpers.tpl,
ray-cluster.yaml, scaledobject-vllm.yaml.
"""

from __future__ import annotations

from gpulint import engines
from gpulint.engines.launch import Launch, Word, argument_of
from gpulint.model.autoscaler import Autoscaler
from gpulint.model.engine import Engine
from gpulint.model.project import Project
from gpulint.model.quantity import quantity_mib
from gpulint.model.values import ObjectRef, Setting, Sourced
from gpulint.model.workload import Container, Pod, SharedMemory, Workload
from gpulint.readers import keda
from gpulint.readers._manifest import sourced, sourced_int, text_at
from gpulint.readers._pods import pod_of, read_container
from gpulint.source.shell import Piece
from gpulint.source.yaml import Node

MARKS = (("servingEngineSpec",), ("modelSpec",))
# The keys of `vllmConfig`, the flag that the chart passes for each, and the setting; `extraArgs` follow as they are.
_FLAGS = (
    ("maxModelLen", "max-model-len", "max_model_len"),
    ("dtype", "dtype", "dtype"),
    ("tensorParallelSize", "tensor-parallel-size", "tensor_parallel"),
    ("pipelineParallelSize", "pipeline-parallel-size", "pipeline_parallel"),
    ("maxNumSeqs", "max-num-seqs", "max_num_seqs"),
    ("gpuMemoryUtilization", "gpu-memory-utilization", "memory_fraction"),
)
_GPU = "nvidia.com/gpu"
# HAMi's shares, by the keys of a model.
_SHARES = {
    "limitGPUMem": "nvidia.com/gpumem",
    "limitGPUMemPercentage": "nvidia.com/gpumem-percentage",
    "limitGPUCores": "nvidia.com/gpucores",
}
_SHARED_MEMORY_MIB = 20 * 1024.0


def claims_file(root: Node) -> bool:
    return root.is_mapping and root.get("apiVersion") is None and root.at("servingEngineSpec", "modelSpec") is not None


def read_file(root: Node, project: Project) -> None:
    spec = root.get("servingEngineSpec")
    models = spec.get("modelSpec") if spec is not None else None
    if spec is None or models is None or _is_off(spec, "enableEngine"):
        return
    ref = ObjectRef("Chart", None, root.document.source.path.rpartition("/")[2])
    for model in models.elements():
        if model.is_mapping and not _is_off(model, "enabled"):
            _read(model, spec, ref, project)


def _is_off(node: Node, key: str) -> bool:
    found = node.get(key)
    return found is not None and found.value is False


def _read(model: Node, spec: Node, ref: ObjectRef, project: Project) -> None:
    name, ray = model.get("name"), model.get("raySpec")
    place = name.place if name is not None else model.place
    replicas = sourced_int(model.get("replicaCount"))
    if ray is None or _is_off(ray, "enabled"):
        pods = [_pod(model, _serving(model, _container(model, spec), spread=False))]
    else:
        pods = _ray_pods(model, ray, spec)
        pods[-1].per_group = replicas.value if replicas is not None else None
        replicas = None
    workload = Workload(
        ref=ref,
        api_version="",
        place=place,
        pods=pods,
        replicas=replicas,
        multi_node=len(pods) > 1,
        part=name.text if name is not None else None,
    )
    if not (workload.uses_gpus or workload.engines):
        return
    project.workloads.append(workload)
    scaling = model.get("keda")
    enabled = scaling.get("enabled") if scaling is not None else None
    if scaling is not None and enabled is not None and enabled.value is True and not workload.multi_node:
        _add(keda.autoscaler_of(scaling, ObjectRef("Values", None, ref.name)), workload, project)


def _add(scaler: Autoscaler, workload: Workload, project: Project) -> None:
    scaler.workload = workload
    workload.autoscalers.append(scaler)
    project.autoscalers.append(scaler)


def _ray_pods(model: Node, ray: Node, spec: Node) -> list[Pod]:
    """The head of a Ray cluster, which runs the engine on resources of its own, and the workers."""
    head = ray.get("headNode")
    serving = _serving(model, _container(head if head is not None else ray, spec), spread=True)
    if serving.name is None:
        serving.name = text_at(model, "name")
    worker = read_container(_container(model, spec), model, image=_image(model))
    worker.engine = None  # the node of a Ray cluster, whatever the image would start by itself
    pods = [_pod(model, serving), _pod(model, worker)]
    for pod, role in zip(pods, ("head", "worker"), strict=True):
        pod.role = role
    return pods


def _serving(model: Node, container_node: Node, *, spread: bool) -> Container:
    container = read_container(container_node, model, image=_image(model))
    container.engine = _engine(model, container, spread=spread)
    if container.engine is not None:
        container.engine.container = container
    container.shared_memory = container.shared_memory or _shared_memory(model)
    return container


def _container(model: Node, spec: Node) -> Node:
    """The fields of a Container that the chart fills from a model's keys and from those of all engines."""

    from gpulint.source.kustomize import Merged

    found = {key: node for key in ("name", "env") if (node := model.get(key)) is not None}
    for key in ("startupProbe", "livenessProbe", "readinessProbe"):
        probe = spec.get(key)
        if probe is not None:
            found[key] = probe
    mounts = model.get("extraVolumeMounts")
    if mounts is not None:
        found["volumeMounts"] = mounts
    own = model.get("resources")
    if own is not None and own.keys():
        return Merged(model, {**found, "resources": own})
    limits: dict[str, Node] = {}
    count, kind = model.get("requestGPU"), text_at(model, "requestGPUType") or _GPU
    if count is not None:
        limits[kind] = count
    for key, resource in (("limitMemory", "memory"), ("limitCPU", "cpu"), *_SHARES.items()):
        value = model.get(key)
        if value is not None:
            limits[resource] = value
    requests = {
        resource: value
        for key, resource in (("requestMemory", "memory"), ("requestCPU", "cpu"))
        if (value := model.get(key)) is not None
    }
    resources = Merged(model, {"limits": Merged(model, limits), "requests": Merged(model, requests)})
    return Merged(model, {**found, "resources": resources})


def _image(model: Node) -> Sourced[str] | None:
    repository, tag = model.get("repository"), text_at(model, "tag")
    if repository is None or repository.text is None:
        return None
    return sourced(f"{repository.text}:{tag}" if tag else repository.text, repository)


def _pod(model: Node, container: Container) -> Pod:
    from gpulint.source.kustomize import Merged

    terms = model.get("nodeSelectorTerms")
    node = model
    if terms is not None and model.at("affinity", "nodeAffinity") is None:
        required = Merged(terms, {"nodeSelectorTerms": terms})
        affinity = Merged(terms, {"requiredDuringSchedulingIgnoredDuringExecution": required})
        node = Merged(model, {**dict(model.items()), "affinity": Merged(terms, {"nodeAffinity": affinity})})
    pod = pod_of(node, [container])
    pod.complete = False
    return pod


def _engine(model: Node, container: Container, *, spread: bool) -> Engine | None:
    """`vllm serve` with the model, the configuration's flags and the arguments that follow them."""
    url, config = model.get("modelURL"), model.get("vllmConfig")
    if url is None:
        return None
    words = []
    for key, flag, _ in _FLAGS:
        value = config.get(key) if config is not None else None
        word = argument_of(flag, value, switches=False) if value is not None else None
        if word is not None:
            words.append(word)
    extra = config.get("extraArgs") if config is not None else None
    for element in extra.elements() if extra is not None else ():
        text = element.text
        words.append(Word(element, [Piece(text, 0, len(text or ""))], 0, len(text or "")))
    launch = Launch(container.image, None, words, container.env, container.place)
    engine = engines.start("vllm", launch, words, url.place)
    if engine is not None:
        for key, _, name in _FLAGS:
            value, setting = config.get(key) if config is not None else None, getattr(engine, name)
            if value is not None and setting.place is not None and setting.place.start == value.place.start:
                setting.spelled = key
        known = url.text is not None and not any(mark in url.text for mark in "${}<>")
        engine.model = Setting(url.text if known else None, "modelURL", url.entry_place)
        if spread:
            engine.ray_cluster = True
            engine.executor = Setting("ray", "raySpec", None, default=True)
    return engine


def _shared_memory(model: Node) -> SharedMemory | None:
    """The chart mounts memory at /dev/shm where the tensor parallel size is written."""
    size, written = model.at("vllmConfig", "tensorParallelSize"), model.get("shmSize")
    if size is None:
        return None
    mib = quantity_mib(written.value) if written is not None else _SHARED_MEMORY_MIB
    return SharedMemory("Memory", mib, (written or size).entry_place)
