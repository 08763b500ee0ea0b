"""KServe LLMInferenceService and LLMInferenceServiceConfig: vLLM, as KServe's presets start it."""

from __future__ import annotations

from functools import partial

from gpulint import engines
from gpulint.engines.launch import Launch, Word, words_of, words_of_text
from gpulint.model.autoscaler import Autoscaler, ScalingMetric
from gpulint.model.engine import Engine
from gpulint.model.project import Project
from gpulint.model.values import ObjectRef, Setting
from gpulint.model.workload import Container, Pod, Workload
from gpulint.readers import keda
from gpulint.readers._manifest import Manifest, sourced_int, text_at
from gpulint.readers._pods import elements, read_pod
from gpulint.readers.hpa import metric_meaning, scale_down
from gpulint.readers.kserve import hub_model, mounted_model
from gpulint.source.text import Place
from gpulint.source.yaml import Node

MARKS = (("LLMInferenceService",), ("containers", "baseRefs"))
KINDS = frozenset({("serving.kserve.io", kind) for kind in ("LLMInferenceService", "LLMInferenceServiceConfig")})

# The presets' container, and the variable whose words they append to the command line.
# Source: kserve/kserve@aaac4e2 config/llmisvcconfig/config-llm-template.yaml and its siblings.
_MAIN = "main"
_ADDITIONAL_ARGS = "VLLM_ADDITIONAL_ARGS"
_CONFIG = "LLMInferenceServiceConfig"
_DESIRED_REPLICAS = "wva_desired_replicas"
_DRA_ANNOTATION = "serving.kserve.io/exp-dra-device-class"


def read_object(manifest: Manifest, project: Project) -> None:
    """Adds a workload for the decode (or only) pods and one for the prefill pods: each has its own replicas."""
    spec = manifest.node.get("spec")
    if spec is None:
        return
    if manifest.kind == _CONFIG:
        project.bases.append((manifest.ref, manifest.node))
    elif spec.get("baseRefs") is not None:
        # What it is made of is known when every file has been read.
        project.completions.append(partial(_read_completed, manifest, project))
        return
    _read(manifest, spec, project)


def _read_completed(manifest: Manifest, project: Project, bases: Project) -> None:
    from gpulint.source.kustomize import Merged

    spec = _with_bases(manifest, bases) or manifest.node.at("spec")
    if spec is not None:
        node = Merged(manifest.node, {**dict(manifest.node.items()), "spec": spec})
        _read(Manifest(node, manifest.kind, manifest.api_version, manifest.ref), spec, project)


def _with_bases(manifest: Manifest, bases: Project) -> Node | None:
    """The specification with its base configurations below it, of which the later ones win; None if one is not known.

    Source: kserve/kserve@aaac4e2 pkg/controller/v1alpha2/llmisvc/config_merge.go, combineBaseRefsConfig and mergeSpecs.
    """
    from gpulint.source.kustomize import Merged, merged

    own, origin = manifest.node.get("spec"), manifest.name_node().place
    layers = []
    for reference in elements(own, "baseRefs") if own is not None else ():
        name = text_at(reference, "name")
        named = [each for each in bases.bases_for(origin, (_CONFIG,)) if each[0].name == name]
        # Those of its own namespace come first; others are those of KServe's.
        near = [each for each in named if each[0].namespace in (None, manifest.ref.namespace)] or named
        found = bases.nearest(near, origin, lambda each: each[1].place)
        layer = found[1].get("spec") if found is not None else None
        if layer is None:
            return None
        layers.append(layer)
    if own is None or not layers:
        return None
    spec: Node | None = layers[0]
    for layer in (*layers[1:], Merged(own, {key: node for key, node in own.items() if key != "baseRefs"})):
        spec = merged(spec, layer) if spec is not None else None
    return Merged(own, dict(spec.items())) if spec is not None else None


def _read(manifest: Manifest, spec: Node, project: Project) -> None:
    prefill = spec.get("prefill")
    for role, node in ((None, spec), ("prefill", prefill)):
        if node is None or not node.is_mapping:
            continue
        pods = _pods(manifest, spec, node, role)
        if not pods:
            continue
        workload = Workload(
            ref=manifest.ref,
            api_version=manifest.api_version,
            place=manifest.name_node().place,
            pods=pods,
            replicas=sourced_int(node.get("replicas")),
            multi_node=node.get("worker") is not None,
            part=role or ("decode" if prefill is not None else None),
        )
        if manifest.ref.name is not None and manifest.kind == "LLMInferenceService":
            # Source: kserve/kserve@aaac4e2 pkg/controller/v1alpha2/llmisvc, workload_{single,multi}_node.go.
            kind, group = ("LeaderWorkerSet", "-mn") if workload.multi_node else ("Deployment", "")
            name = f"{manifest.ref.name}-kserve{group}{'-prefill' if role == 'prefill' else ''}"
            workload.scaled_as.append(ObjectRef(kind, manifest.ref.namespace, name))
        project.workloads.append(workload)
        # What a base configuration says of scaling counts for those that take it in.
        scaler = _autoscaler(manifest, node, workload) if manifest.kind != _CONFIG else None
        if scaler is not None:
            project.autoscalers.append(scaler)


def _autoscaler(manifest: Manifest, node: Node, workload: Workload) -> Autoscaler | None:
    """What `scaling` makes: an HPA or a ScaledObject on the number that the Workload Variant Autoscaler computes, or a
    ScaledObject with triggers of its own.

    Source: kserve/kserve@aaac4e2 pkg/controller/v1alpha2/llmisvc/scaling.go (expectedHPA, expectedScaledObject,
    expectedDirectScaledObject) and pkg/apis/serving/v1alpha2/llm_inference_service_types.go (ScalingSpec).
    """
    scaling = node.get("scaling")
    if scaling is None or not scaling.is_mapping:
        return None
    variants, triggered = scaling.get("wva"), scaling.get("keda")
    hpa = variants.get("hpa") if variants is not None else None
    scaled = (variants.get("keda") if variants is not None else None) or triggered
    if scaled is not None and scaled.is_mapping:
        scaler = keda.autoscaler_of(scaled, manifest.ref)
    else:
        behavior = hpa.at("behavior", "scaleDown") if hpa is not None else None
        scaler = Autoscaler(manifest.ref, scaling.key_place, None, scaling.key_place, scale_down=scale_down(behavior))
    scaler.place, scaler.complete = scaling.key_place, True
    scaler.target, scaler.target_place = manifest.ref, manifest.name_node().place
    scaler.part = workload.part
    scaler.min_replicas = sourced_int(scaling.get("minReplicas"))
    scaler.max_replicas = sourced_int(scaling.get("maxReplicas"))
    scaler.default_min_replicas = 1 if scaling.get("minReplicas") is None else None
    scaler.default_max_replicas = None
    if variants is not None:
        desired = (hpa or scaled or variants).key_place
        scaler.metrics, scaler.metrics_known = [_desired_replicas(desired)], True
    return scaler


def _desired_replicas(place: Place) -> ScalingMetric:
    return ScalingMetric("External", _DESIRED_REPLICAS, place, metric_meaning(_DESIRED_REPLICAS), target_type="Value")


def _pods(manifest: Manifest, spec: Node, node: Node, role: str | None) -> list[Pod]:
    """The containers stand directly under `template` and `worker`. Presets and base configurations complete them."""
    template, worker = node.get("template"), node.get("worker")
    pods: list[Pod] = []
    for of, per_group in ((template, 1), (worker, _workers(node))):
        if of is None or not of.is_mapping:
            continue
        name = role or ("worker" if of is worker else None)
        pod = read_pod(of, role=name, per_group=per_group)
        pod.complete = False
        pod.dra_claims = pod.dra_claims or _DRA_ANNOTATION in manifest.annotations()
        for container, at in zip(pod.containers, elements(of, "containers"), strict=False):
            if container.name == _MAIN and at.get("command") is None:
                container.engine = _engine(manifest, spec, node, container, at)
            elif container.name == _MAIN and container.engine is not None:
                container.engine.model = mounted_model(container.engine, spec.at("model", "uri"), "model.uri")
        pods.append(pod)
    return [pod for pod in pods if pod.containers]


def _workers(node: Node) -> int | None:
    """Pods of a group besides its leader.

    Source: kserve/kserve@aaac4e2 pkg/apis/serving/v1alpha2/llm_inference_service_types_func.go, GetSize.
    """
    data, local = sourced_int(node.at("parallelism", "data")), sourced_int(node.at("parallelism", "dataLocal"))
    stages = sourced_int(node.at("parallelism", "pipeline"))
    if data is not None or local is not None:
        return max((data.value if data else 1) // max(local.value if local else 1, 1), 1) - 1
    return max(stages.value - 1, 0) if stages is not None else None


def _engine(manifest: Manifest, spec: Node, node: Node, container: Container, at: Node) -> Engine | None:
    """`vllm serve`, with the arguments of the specification, of the variable and of the container, in this order."""
    args = at.get("args")
    given = words_of(args, container.env) if args is not None and args.is_sequence else []
    additional = _additional_words(at)
    env = {name: variable for name, variable in container.env.items() if name != _ADDITIONAL_ARGS}
    words = [*(additional or ()), *given]
    is_whole = manifest.kind == "LLMInferenceService" and spec.get("baseRefs") is None and additional is not None
    own = words if is_whole else None  # what a base configuration adds is not known
    launch = Launch(container.image, None, own, env, container.place, env_known=at.get("envFrom") is None)
    engine = engines.start("vllm", launch, words, container.place)
    if engine is None:
        return None
    engine.container = container
    uri = spec.at("model", "uri")
    if uri is not None:
        engine.model = hub_model(uri, "model.uri")
    parallelism = node.get("parallelism")
    is_group = node.get("worker") is not None
    for field, key in (
        ("tensor_parallel", "tensor"),
        ("pipeline_parallel", "pipeline"),
        ("data_parallel", "data"),
        ("data_parallel_local", "dataLocal"),
    ):
        current: Setting[int] | None = getattr(engine, field)
        if current is not None and not current.default:
            continue
        size = parallelism.get(key) if parallelism is not None else None
        if size is not None and (key == "tensor" or is_group):
            found = sourced_int(size)
            setattr(engine, field, Setting(found.value if found else None, f"parallelism.{key}", size.entry_place))
    if is_group and engine.data_parallel_local is None and parallelism is not None and parallelism.get("data"):
        engine.data_parallel_local = Setting(1, "parallelism.dataLocal", None, default=True)
    return engine


def _additional_words(container: Node) -> list[Word] | None:
    for variable in elements(container, "env"):
        if text_at(variable, "name") == _ADDITIONAL_ARGS:
            value = variable.get("value")
            return words_of_text(value) if value is not None else None
    return []
