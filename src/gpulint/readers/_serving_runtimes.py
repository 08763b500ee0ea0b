"""KServe's serving runtimes: which one completes an InferenceService, and the pods that the two make together.

Source: kserve/kserve@aaac4e2 pkg/controller/v1beta1/inferenceservice: components/predictor.go (reconcileModel,
buildPodSpec, reconcileWorker) and utils/utils.go (GetServingRuntime, MergeRuntimeContainers, MergePodSpec,
ReplacePlaceholders, UpdateImageTag); pkg/apis/serving/v1beta1/predictor_model.go (GetSupportingRuntimes).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

from gpulint.model.project import Project
from gpulint.readers._manifest import Manifest, text_at
from gpulint.readers._pods import elements
from gpulint.source.environment import with_text
from gpulint.source.kustomize import Merged, merged
from gpulint.source.yaml import Node

_NAMESPACED, _CLUSTER = "ServingRuntime", "ClusterServingRuntime"
_SERVER, _WORKER, _TRANSFORMER = "kserve-container", "worker-container", "transformer-container"
# What a runtime says of the pod; the rest of its PodSpec (hostIPC) is not taken over.
_OF_POD = ("nodeSelector", "affinity", "tolerations", "volumes", "resourceClaims")
# What a predictor's server has besides the fields of a container.
_OF_SERVER = frozenset({
    "args", "modelFormat", "name", "protocolVersion", "runtime", "runtimeVersion", "storage", "storageUri",
})  # fmt: skip
# The formats that the runtimes of KServe's own installation are chosen for: which of those and of the project's has
# precedence only the cluster knows. Source: kserve/kserve@aaac4e2 config/runtimes, autoSelect.
_BUILT_IN_FORMATS = frozenset({
    "autogluon", "huggingface", "lightgbm", "mlflow", "onnx", "openvino", "paddle", "pmml", "pytorch", "sklearn",
    "tensorflow", "tensorrt", "triton", "vLLM", "xgboost",
})  # fmt: skip
# Formats whose protocol is v2 unless a predictor says otherwise: v1 is that of all others.
# Source: kserve/kserve@aaac4e2 pkg/apis/serving/v1beta1/inference_service_defaults.go, setPredictorModelDefaults.
_V2_MODELS, _V2_KEYS = ("triton", "vLLM"), ("triton", "onnx", "huggingface")
# A runtime that no name asks for belongs to what lies in the same folders.
_FARTHEST_FOLDERS = 2
# Source: kserve/kserve@aaac4e2 pkg/constants/constants.go.
_SERVER_TYPE, _VLLM_SERVER, _VLLM_RUNTIME = "serving.kserve.io/server-type", "vllmserver", "kserve-vllmserver"
# The sizes of a worker, and the variables that hold them.
_SIZES = (("tensorParallelSize", "TENSOR_PARALLEL_SIZE"), ("pipelineParallelSize", "PIPELINE_PARALLEL_SIZE"))


class Template(NamedTuple):
    """The PodSpec of a pod, and its containers, of which the first is the server."""

    spec: Node
    containers: list[Node]


def completed(
    manifest: Manifest, predictor: Node, key: str, project: Project
) -> tuple[Template, Template | None] | None:
    """The pods of a predictor whose server stands under `key`, made with the project's runtime that completes it.

    The second is that of the workers, where there are any. None where there is no runtime, where it is not clear which
    it is, and where the two cannot be merged.
    """
    server = predictor.get(key)
    runtime = _runtime(manifest, predictor, key, server, project) if server is not None else None
    if server is None or runtime is None:
        return None
    spec = runtime.get("spec")
    base = _named(spec, _SERVER)
    pod = _pod(spec, predictor, key) if spec is not None else None
    container = _container(base, server) if base is not None else None
    if spec is None or pod is None or container is None:
        return None
    workers = None
    own = predictor.get("workerSpec")
    if own is not None:
        container = _with_sizes(container, spec.get("workerSpec"), own)
        workers = _workers(spec.get("workerSpec"), own)
    container = _with_image(_filled(container, manifest), server, runtime)
    return Template(pod, [container, *_others(spec, predictor)]), workers


# -- which runtime


def _runtime(manifest: Manifest, predictor: Node, key: str, server: Node, project: Project) -> Node | None:
    wanted = text_at(server, "runtime") if key == "model" else None
    origin = manifest.name_node().place
    namespace = manifest.ref.namespace
    found = [
        (ref, node)
        for ref, node in project.bases_for(origin, (_NAMESPACED, _CLUSTER))
        if ref.kind == _CLUSTER or ref.namespace is None or namespace is None or ref.namespace == namespace
    ]
    if wanted is not None:
        named = [each for each in found if each[0].name == wanted]
        if len(named) > 1:
            named = [each for each in named if project.is_near(origin, each[1].place, _FARTHEST_FOLDERS)]
    else:
        multi_node = predictor.get("workerSpec") is not None
        near = [each for each in found if project.is_near(origin, each[1].place, _FARTHEST_FOLDERS)]
        named = [each for each in near if _fits(each[1], key, server, multi_node=multi_node)]
        own = [each for each in named if each[0].kind == _NAMESPACED]
        name = text_at(server, "modelFormat", "name") if key == "model" else key
        if (not own and name in _BUILT_IN_FORMATS) or len({ref.name for ref, _ in own or named}) != 1:
            return None
    # Those of the namespace come first.
    for kind in (_NAMESPACED, _CLUSTER):
        of_kind = [each for each in named if each[0].kind == kind]
        if of_kind:
            chosen = project.nearest(of_kind, origin, lambda each: each[1].place)
            return chosen[1] if chosen is not None and text_at(chosen[1], "spec", "disabled") != "true" else None
    return None


def _fits(runtime: Node, key: str, server: Node, *, multi_node: bool) -> bool:
    """Whether a runtime is chosen for a server that names none."""
    spec = runtime.get("spec")
    if spec is None or text_at(spec, "disabled") == "true" or text_at(spec, "multiModel") == "true":
        return False
    if (spec.get("workerSpec") is not None) is not multi_node:
        return False
    name = text_at(server, "modelFormat", "name") if key == "model" else key
    version = text_at(server, "modelFormat", "version") if key == "model" else None
    formats = [each for each in elements(spec, "supportedModelFormats") if text_at(each, "autoSelect") == "true"]
    if not any(text_at(each, "name") == name and version in (None, text_at(each, "version")) for each in formats):
        return False
    is_v2 = name in _V2_MODELS if key == "model" else key in _V2_KEYS
    protocol = text_at(server, "protocolVersion") or ("v2" if is_v2 else "v1")
    protocols = spec.get("protocolVersions")
    spoken = [each.text for each in protocols.elements()] if protocols is not None else []
    return not spoken or protocol in spoken


# -- what the two make


def _named(holder: Node | None, name: str) -> Node | None:
    """The container of a name."""
    containers = elements(holder, "containers") if holder is not None else []
    return next((container for container in containers if text_at(container, "name") == name), None)


def _pod(runtime: Node, component: Node, key: str | None) -> Node | None:
    """The PodSpec: what the runtime says of the pod, with the component's own over it."""
    base = Merged(component, {name: node for name in _OF_POD if (node := runtime.get(name)) is not None})
    own = {name: node for name, node in component.items() if name not in ("containers", "workerSpec", key)}
    return merged(base, Merged(component, own))


def _container(base: Node, own: Node) -> Node | None:
    """A runtime's container with a predictor's fields over it; its arguments come behind those of the runtime."""
    fields = {name: node for name, node in own.items() if name not in _OF_SERVER}
    found = merged(base, Merged(own, fields))
    if found is None:
        return None
    parts = dict(found.items())
    arguments = [node for each in (base, own) if (node := each.get("args")) is not None and node.is_sequence]
    if arguments:
        parts["args"] = Merged(arguments[0], [word for each in arguments for word in each.elements()])
    env = parts.get("env")
    if env is not None:
        # A variable of both is the predictor's, whether it gives a value or says where one comes from.
        own_env = {text_at(each, "name"): each for each in elements(own, "env")}
        parts["env"] = Merged(env, [own_env.get(text_at(each, "name"), each) for each in env.elements()])
    return Merged(base, parts)


def _others(spec: Node, predictor: Node) -> Iterator[Node]:
    """The further containers of the pod: a transformer of both, then the runtime's, then the predictor's own."""
    base, own = _named(spec, _TRANSFORMER), _named(predictor, _TRANSFORMER)
    transformer = _container(base, own) if base is not None and own is not None else base or own
    if transformer is not None:
        yield transformer
    taken = (_SERVER, _TRANSFORMER)
    yield from (each for each in elements(spec, "containers") if text_at(each, "name") not in taken)
    yield from (each for each in elements(predictor, "containers") if text_at(each, "name") != _TRANSFORMER)


def _workers(base: Node | None, own: Node) -> Template | None:
    spec = _pod(base, own, None) if base is not None else own
    if spec is None:
        return None
    if base is not None:
        sizes = {key: node for key, _ in _SIZES if (node := base.get(key)) is not None}
        spec = Merged(own, {**sizes, **dict(spec.items())})
    container, over = _named(base, _WORKER), next(iter(elements(own, "containers")), None)
    found = _container(container, over) if container is not None and over is not None else container or over
    return Template(spec, [found] if found is not None else [])


def _with_sizes(container: Node, base: Node | None, own: Node) -> Node:
    """The container with the variables that hold the parallel sizes of a group of pods, as far as they are written."""
    variables: list[Node] = []
    for key, name in _SIZES:
        size = own.get(key) or (base.get(key) if base is not None else None)
        if size is not None:
            variables.append(Merged(own, {"name": with_text(size, name, size.key_place), "value": size}))
    env = container.get("env")
    names = {text_at(each, "name") for each in variables}
    kept = [each for each in env.elements() if text_at(each, "name") not in names] if env is not None else []
    face = env if env is not None else container
    return Merged(container, {**dict(container.items()), "env": Merged(face, [*kept, *variables])})


# -- placeholders and the image


@cache
def _placeholder() -> re.Pattern[str]:
    return re.compile(r"\{\{-?\s*\.(Name|Namespace|(Labels|Annotations)\.(\w+))\s*-?\}\}")


def _filled(container: Node, manifest: Manifest) -> Node:
    """The container with what it takes from the metadata of the InferenceService (`{{.Name}}`) written in."""
    metadata = manifest.node.get("metadata")

    def value(match: re.Match[str]) -> str:
        word, holder, key = match.groups()
        steps = (holder.lower(), key) if holder else (word.lower(),)
        text = text_at(metadata, *steps)
        return match.group() if text is None else text

    def filled(node: Node) -> Node:
        text = node.text
        if text is None or "{{" not in text:
            return node
        new = _placeholder().sub(value, text)
        return with_text(node, new, node.place) if new != text and "\n" not in text else node

    parts = dict(container.items())
    for key in ("command", "args"):
        words = parts.get(key)
        if words is not None and words.is_sequence:
            parts[key] = Merged(words, [filled(word) for word in words.elements()])
    env = parts.get("env")
    if env is not None and env.is_sequence:
        variables = []
        for each in env.elements():
            given = each.get("value")
            variables.append(each if given is None else Merged(each, {**dict(each.items()), "value": filled(given)}))
        parts["env"] = Merged(env, variables)
    return Merged(container, parts)


def _with_image(container: Node, server: Node, runtime: Node) -> Node:
    """The container with the image that KServe makes of the runtime's: of another version, or built for CPUs."""
    image, version = container.get("image"), server.get("runtimeVersion")
    if image is None or image.text is None or "@sha256:" in image.text:
        return container
    name, colon, tag = image.text.rpartition(":")
    if not colon or "/" in tag:
        name, tag = image.text, ""
    if version is not None and version.text is not None:
        new = with_text(version, f"{name}:{version.raw.value}", version.place)
    elif tag and _is_vllm_server(runtime) and not _wants_gpu(container) and not name.endswith("-cpu"):
        new = with_text(image, f"{name}-cpu:{tag}", image.place)
    else:
        return container
    return Merged(container, {**dict(container.items()), "image": new})


def _is_vllm_server(runtime: Node) -> bool:
    annotation = text_at(runtime, "metadata", "annotations", _SERVER_TYPE)
    return annotation == _VLLM_SERVER or (not annotation and text_at(runtime, "metadata", "name") == _VLLM_RUNTIME)


def _wants_gpu(container: Node) -> bool:
    limits = container.at("resources", "limits")
    names = limits.keys() if limits is not None else ()
    return any(name == "nvidia.com/gpu" or name.startswith("nvidia.com/mig-") for name in names)
