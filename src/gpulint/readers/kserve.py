"""KServe InferenceService, ServingRuntime and ClusterServingRuntime."""

from __future__ import annotations

import math
from functools import partial

from gpulint import engines
from gpulint.engines.launch import Launch, Word, words_of
from gpulint.hardware.labels import match_label
from gpulint.metrics.promql import meanings, parse
from gpulint.metrics.table import Meaning
from gpulint.model.autoscaler import Autoscaler, ScalingMetric
from gpulint.model.engine import Engine
from gpulint.model.project import Project
from gpulint.model.values import ObjectRef, Setting, Sourced
from gpulint.model.workload import Container, Placement, Pod, Workload
from gpulint.readers import knative
from gpulint.readers._manifest import Manifest, count, sourced_int, sourced_number, text_at, texts
from gpulint.readers._pods import ACCELERATOR_WORDS, elements, read_pod
from gpulint.readers.hpa import metric_meaning, scale_down
from gpulint.source.yaml import Node

_OF_GPUS = (*ACCELERATOR_WORDS, *engines.marks(), "serving.kserve.io/gke-accelerator")
MARKS = (
    ("serving.kserve.io",),
    ("InferenceService", "ServingRuntime"),
    # Of an InferenceService and its runtime either may be the one that speaks of GPUs.
    (*_OF_GPUS, "modelFormat", "supportedModelFormats"),
)
_RUNTIMES = ("ServingRuntime", "ClusterServingRuntime")
KINDS = frozenset({("serving.kserve.io", kind) for kind in ("InferenceService", *_RUNTIMES)})

# The keys under which a component keeps its server; a runtime completes the container there.
# Source: kserve/kserve@aaac4e2 pkg/apis/serving/v1beta1, predictor.go and explainer.go.
_SERVERS = (
    "model", "sklearn", "xgboost", "tensorflow", "pytorch", "triton", "onnx", "huggingface", "pmml", "lightgbm",
    "paddle", "art",
)  # fmt: skip
# Source: kserve/kserve@aaac4e2 pkg/constants/constants.go, ParseDeploymentMode.
_MODES = {"Standard": "standard", "RawDeployment": "standard", "Knative": "knative", "Serverless": "knative"}
# Flags by which arguments of the Hugging Face server are known for its vLLM backend.
_TELLING = frozenset({
    "--gpu-memory-utilization", "--max-model-len", "--max-num-seqs", "--tensor-parallel-size", "--kv-cache-dtype",
    "--enforce-eager", "--max-num-batched-tokens", "--pipeline-parallel-size",
})  # fmt: skip
_HUGGING_FACE = "hf://"
# Where the model of a storage URI lies. Source: kserve/kserve@aaac4e2 pkg/constants/constants.go.
_MOUNTED = "/mnt/models"
_ACCELERATOR_ANNOTATION = "serving.kserve.io/gke-accelerator"


def read_object(manifest: Manifest, project: Project) -> None:
    spec = manifest.node.get("spec")
    if spec is None:
        return
    speaks = any(word in manifest.node.document.text for word in _OF_GPUS)
    if manifest.kind in _RUNTIMES:
        project.bases.append((manifest.ref, manifest.node))
        if speaks:
            _add(manifest, project, _runtime_pods(spec))
        return
    found = Project()
    for component in ("predictor", "transformer", "explainer"):
        node = spec.get(component)
        if node is not None and node.is_mapping:
            _read_component(manifest, node, component, found, project)
    if speaks or any(workload.uses_gpus for workload in found.workloads):
        _admit(found, project)
    else:
        project.completions.append(partial(_admit_if_serving, found, project))


def _read_component(manifest: Manifest, node: Node, component: str, found: Project, project: Project) -> None:
    """Adds the workload of a component and what scales it to `found`; `project` completes it later."""
    workload = _add(manifest, found, _component_pods(manifest, node, component), sourced_int(node.get("minReplicas")))
    if workload is None:
        return
    workload.part = component
    if manifest.ref.name is not None:
        # Source: kserve/kserve@aaac4e2 pkg/constants/constants.go, PredictorServiceName.
        own = text_at(node, "name") if component == "predictor" else None
        name = "-".join(part for part in (manifest.ref.name, own, component) if part)
        workload.scaled_as.append(ObjectRef("Deployment", manifest.ref.namespace, name))
    key = _server_key(node) if component == "predictor" else None
    if key is not None:
        project.completions.append(partial(_complete, manifest, node, key, workload))
    scaler = _autoscaler(manifest, node)
    if scaler is not None:
        scaler.part = component
        found.autoscalers.append(scaler)


def _admit_if_serving(found: Project, project: Project, _bases: Project) -> None:
    """Adds an InferenceService that its runtime has given a GPU or an engine."""
    if any(workload.uses_gpus or workload.engines for workload in found.workloads):
        _admit(found, project)


def _admit(found: Project, project: Project) -> None:
    project.workloads += found.workloads
    project.autoscalers += found.autoscalers


def _add(
    manifest: Manifest, project: Project, pods: list[Pod], replicas: Sourced[int] | None = None
) -> Workload | None:
    if not pods:
        return None
    workload = Workload(
        ref=manifest.ref,
        api_version=manifest.api_version,
        place=manifest.name_node().place,
        pods=pods,
        replicas=replicas,
        multi_node=len(pods) > 1,
    )
    project.workloads.append(workload)
    return workload


# -- pods


def _runtime_pods(spec: Node) -> list[Pod]:
    """The pods of a runtime as it stands: an InferenceService sets resources and adds arguments."""
    pods = [read_pod(spec)]
    worker = spec.get("workerSpec")
    if worker is not None and worker.is_mapping:
        pods = [read_pod(spec, role="head"), read_pod(worker, role="worker", per_group=None)]
    for pod in pods:
        pod.complete = False
        for container in pod.containers:
            if container.engine is not None:
                container.engine.arguments_known = False
    return [pod for pod in pods if pod.containers]


def _server_key(component: Node) -> str | None:
    """The key under which a component has a server that a runtime completes."""
    return next((key for key in _SERVERS if (node := component.get(key)) is not None and node.is_mapping), None)


def _component_pods(manifest: Manifest, component: Node, role: str) -> list[Pod]:
    """The pods of a component. What stands under `model` or a framework's name is completed by a runtime."""
    key = _server_key(component)
    server = component.get(key) if key is not None else None
    worker = component.get("workerSpec")
    own = elements(component, "containers")
    head = read_pod(component, role=role, containers_at=[server, *own] if server is not None else own)
    if server is not None and head.containers:
        _run_by_runtime(head.containers[0], server, key or "", worker)
    head.complete = server is None and worker is None and head.complete and manifest.ref.name is not None
    pods = [_of_component(head, manifest, component)]
    if worker is not None:
        pods.append(_worker_pod(read_pod(worker), worker))
    return [pod for pod in pods if pod.containers or pod.role == "worker"]


def _complete(manifest: Manifest, component: Node, key: str, workload: Workload, project: Project) -> None:
    """Gives a predictor the pods that it makes with its runtime, if that is in the project."""
    from gpulint.readers import _serving_runtimes

    found = _serving_runtimes.completed(manifest, component, key, project)
    server, worker = component.get(key), component.get("workerSpec")
    if found is None or server is None:
        return
    template, workers = found
    head = read_pod(template.spec, role="predictor", containers_at=template.containers)
    container = head.containers[0]
    if container.engine is None:
        _run_by_runtime(container, server, key, worker)
    else:
        container.engine.model = mounted_model(container.engine, server.get("storageUri"), "storageUri")
        container.engine.ray_cluster = container.engine.ray_cluster or worker is not None
        if worker is None and not container.engine.arguments_known:
            _keep_to_one_pod(container.engine)
    # Who installs a chart may add to it.
    is_whole = manifest.ref.name is not None and component.document.source.path not in project.releases
    head.complete = worker is None and head.complete and is_whole
    pods = [_of_component(head, manifest, component)]
    if workers is not None:
        pods.append(_worker_pod(read_pod(workers.spec, containers_at=workers.containers), workers.spec))
    workload.pods = pods
    for pod in pods:
        pod.workload = workload


def _of_component(head: Pod, manifest: Manifest, component: Node) -> Pod:
    """The pod with what an InferenceService says beside its PodSpec."""
    head.placement = head.placement or _annotated_placement(manifest, component)
    annotations = {**manifest.annotations(), **texts(component.get("annotations"))}
    mode = annotations.get("serving.kserve.io/deploymentMode")
    if mode is None or _MODES.get(mode.value) == "knative":
        # Nothing else enforces it. Source: kserve/kserve pkg/controller/v1beta1/inferenceservice/reconcilers.
        head.concurrency_limit = sourced_int(component.get("containerConcurrency"))
    return head


def _worker_pod(pod: Pod, worker: Node) -> Pod:
    """A pod of workers: the head runs the first pipeline stage, each worker another one."""
    stages = count(worker.get("pipelineParallelSize"), default=2)
    pod.role, pod.per_group = "worker", max(stages - 1, 0) if stages is not None else None
    pod.complete = False
    return pod


def _annotated_placement(manifest: Manifest, component: Node) -> Placement | None:
    """KServe selects nodes by GKE's label with this annotation's value, for pods with a limit of nvidia.com/gpu.

    Source: kserve/kserve@aaac4e2 pkg/webhook/admission/pod/accelerator_injector.go, InjectGKEAcceleratorSelector.
    """
    annotations = {**manifest.annotations(), **texts(component.get("annotations"))}
    product = annotations.get(_ACCELERATOR_ANNOTATION)
    match = match_label("cloud.google.com/gke-accelerator", product.value) if product is not None else None
    if match is None or product is None:
        return None
    why = Sourced(f"{_ACCELERATOR_ANNOTATION}: {product.value}", product.place, product.key_place)
    return Placement(match.gpus, why, match.mig_profile, match.shared, match.gpu_count, match.interconnect)


# -- the engine behind a runtime


def _run_by_runtime(container: Container, server: Node, key: str, worker: Node | None) -> None:
    """Gives a container whose command is a runtime's the engine that this is, with arguments that are not all known."""
    container.engine = container.engine or _runtime_engine(container, server, key, worker)
    if container.engine is not None:
        container.engine.container = container
        container.engine.arguments_known = False
        if worker is None:
            _keep_to_one_pod(container.engine)


def _runtime_engine(container: Container, server: Node, key: str, worker: Node | None) -> Engine | None:
    """vLLM, where a server of the format Hugging Face or vLLM is told what only vLLM understands.

    KServe appends these arguments to those of the runtime, so they win.
    Source: kserve/kserve@aaac4e2 pkg/controller/v1beta1/inferenceservice/utils/utils.go, MergeRuntimeContainers;
    huggingfaceserver's arguments.
    """
    args = server.get("args")
    words = words_of(args, container.env) if args is not None and args.is_sequence else []
    formats = {key.lower(), (text_at(server, "modelFormat", "name") or "").lower()}
    runtime = (text_at(server, "runtime") or "").lower()
    if not ("vllm" in formats or "vllm" in runtime or ("huggingface" in formats and _is_for_vllm(words))):
        return None
    # No args of its own: the runtime's come before, so that a flag not seen here is no default.
    launch = Launch(container.image, None, None, container.env, container.place, env_known=False)
    engine = engines.start("vllm", launch, words, server.key_place)
    if engine is None:
        return None
    if engine.model is None or engine.model.value is None:
        engine.model = _model(server, words) or engine.model
    if worker is not None:
        engine.ray_cluster = True
        for field, name in (("tensor_parallel", "tensorParallelSize"), ("pipeline_parallel", "pipelineParallelSize")):
            size = worker.get(name)
            if size is not None:
                found = sourced_int(size)
                setting = Setting(found.value if found is not None else None, f"workerSpec.{name}", size.entry_place)
                setattr(engine, field, setting)
    return engine


def _keep_to_one_pod(engine: Engine) -> None:
    """In a pod without workers, whatever the runtime adds to a size that is written can only take more of its GPUs."""
    if engine.tensor_parallel is None or engine.tensor_parallel.default:
        return
    for field in ("pipeline_parallel", "context_parallel", "data_parallel", "nodes"):
        setting: Setting[int] | None = getattr(engine, field)
        if setting is not None and setting.default:
            setting.value = 1
    if engine.executor is not None and engine.executor.default:
        engine.executor = None  # no other node that it could reach


def mounted_model(engine: Engine, uri: Node | None, spelled: str) -> Setting[str] | None:
    """The engine's model: what a storage URI names where the engine serves the folder of that, or is told nothing."""
    model = engine.model
    if model is None or uri is None:
        return model
    is_mounted = model.value is None if model.place is None else (model.value or "").rstrip("/") == _MOUNTED
    found = hub_model(uri, spelled) if is_mounted else model
    return found if found.value is not None or model.value is None else model


def _is_for_vllm(words: list[Word]) -> bool:
    flags = {}
    for index, word in enumerate(words):
        name, equals, value = (word.text or word.prefix).partition("=")
        after = words[index + 1].text if index + 1 < len(words) else None
        flags[name.replace("_", "-")] = value if equals else after
    backend = flags.get("--backend")
    return backend == "vllm" or (backend in (None, "auto") and not _TELLING.isdisjoint(flags))


def _model(server: Node, words: list[Word]) -> Setting[str] | None:
    """The model that the Hugging Face server is told to fetch, or that is mounted from the Hub."""
    for index, word in enumerate(words):
        name, equals, value = (word.text or "").partition("=")
        if name.replace("_", "-") == "--model-id":
            at = word if equals or index + 1 == len(words) else words[index + 1]
            return Setting((value if equals else at.text) or None, name, at.place)
    uri = server.get("storageUri")
    if uri is None:
        return None
    return hub_model(uri, "storageUri")


def hub_model(uri: Node, spelled: str) -> Setting[str]:
    """The model of a storage URI: known where it is one of the Hugging Face Hub (`hf://owner/name:revision`)."""
    text = uri.text or ""
    name = text[len(_HUGGING_FACE) :].partition(":")[0] if text.startswith(_HUGGING_FACE) else ""
    is_known = name.count("/") == 1 and not any(mark in name for mark in "${}<>")
    return Setting(name if is_known else None, spelled, uri.entry_place)


# -- autoscaling


def _autoscaler(manifest: Manifest, component: Node) -> Autoscaler | None:
    """What scales a component: an HPA or KEDA in standard mode, Knative's autoscaler else; the cluster has a default.

    In standard mode the class is hpa unless an annotation says otherwise, a component without a metric is scaled on CPU
    at 80 %, and an HPA has a minimum of at least one.
    Source: kserve/kserve@aaac4e2 pkg/controller/v1beta1/inferenceservice/reconcilers: hpa/hpa_reconciler.go
    (getHPAMetrics, createHPA), keda/keda_reconciler.go and autoscaler/autoscaler_reconciler.go; knative.
    """
    annotations = {**manifest.annotations(), **texts(component.get("annotations"))}
    mode_text = annotations.get("serving.kserve.io/deploymentMode")
    mode = _MODES.get(mode_text.value) if mode_text is not None else None
    class_text = annotations.get("serving.kserve.io/autoscalerClass")
    class_ = class_text.value if class_text is not None else None
    if (mode_text is not None and mode is None) or class_ in ("none", "external"):
        return None
    scaling, metric = component.get("autoScaling"), component.get("scaleMetric")
    low, high = sourced_int(component.get("minReplicas")), sourced_int(component.get("maxReplicas"))
    makes_hpa = mode == "standard" and class_ in (None, "hpa")
    raises_minimum = makes_hpa and low is not None and low.value < 1
    is_annotated = mode != "standard" and knative.is_configured(annotations)
    if scaling is None and metric is None and high is None and low is None and not is_annotated:
        return None
    scaler = Autoscaler(
        ref=manifest.ref,
        place=component.key_place,
        target=manifest.ref,
        target_place=manifest.name_node().place,
        metrics_known=False,
        min_replicas=None if raises_minimum else low,
        max_replicas=high,
        default_min_replicas=1 if component.get("minReplicas") is None or raises_minimum else None,
        default_max_replicas=math.inf if mode == "knative" and component.get("maxReplicas") is None else None,
        holds_requests=mode != "standard",
        raised_from=low if raises_minimum else None,
        # Only Knative and KEDA go to zero; without a mode and a class, a minimum of zero is meant for Knative.
        default_to_zero_after_s=knative.STABLE_WINDOW_S if mode != "standard" and class_ is None else None,
    )
    if is_annotated and scaling is None:
        from_annotations = knative.autoscaler(manifest, annotations)
        from_annotations.place = scaler.place
        from_annotations.min_replicas = low or from_annotations.min_replicas
        from_annotations.max_replicas = high or from_annotations.max_replicas
        from_annotations.default_min_replicas = scaler.default_min_replicas
        from_annotations.default_max_replicas = scaler.default_max_replicas
        scaler = from_annotations
    if scaling is not None and scaling.is_mapping:
        scaler.metrics, scaler.metrics_known = _metrics(scaling.get("metrics"), is_hpa=class_ in (None, "hpa"))
        if class_ in (None, "hpa"):
            written = [metric for each in elements(scaling, "metrics") for metric in _metric(each, is_hpa=True)]
            scaler.ignored = [metric for metric in written if metric.type != "Resource"]
            scaler.ignored_because = class_text
        if class_ == "keda":
            # Of the behaviour only the windows are passed on, and nothing to an HPA.
            scaler.scale_down = scale_down(scaling.at("behavior", "scaleDown"))
            scaler.scale_down.policies, scaler.scale_down.disabled = [], False
    elif metric is not None and metric.text is not None:
        target = sourced_number(component.get("scaleTarget"))
        if makes_hpa and metric.text == "memory" and target is None:
            scaler.default_metric = metric.entry_place  # KServe has no default target for it and sets no metric
        elif mode != "standard" or (makes_hpa and metric.text in ("cpu", "memory")):
            scaler.metrics, scaler.metrics_known = [knative.scaling_metric(metric.text, metric.place, target)], True
            if metric.text == "memory":
                # A share of the request for the HPA of standard mode, MiB for Knative's.
                scaler.metrics[0].target_type = {"standard": "Utilization", "knative": "AverageValue"}.get(mode or "")
    elif makes_hpa and high is not None and high.value > max(_lowest(low), 1):
        maximum = component.get("maxReplicas")
        scaler.default_metric = maximum.entry_place if maximum is not None else None
    return scaler


def _lowest(minimum: Sourced[int] | None) -> int:
    return minimum.value if minimum is not None else 1


def _metrics(node: Node | None, *, is_hpa: bool) -> tuple[list[ScalingMetric], bool]:
    """The metrics of `autoScaling`, and whether these are all; the class hpa passes over all but Resource metrics."""
    elements_ = node.elements() if node is not None else ()
    found = [metric for element in elements_ for metric in _metric(element, is_hpa=is_hpa)]
    if is_hpa:
        acting = [metric for metric in found if metric.type == "Resource"]
        return acting, bool(acting) and len(acting) == len(found)
    return found, bool(found) and node is not None and len(found) >= len(list(node.elements()))


def _metric(element: Node, *, is_hpa: bool) -> list[ScalingMetric]:
    """The signals of an entry of `autoScaling.metrics`; KEDA gets no target but `value` for what is no resource."""
    kind = text_at(element, "type")
    if kind == "External":
        query = element.at("external", "metric", "query")
        if query is None or query.text is None:
            return []
        return [_queried(query, element.at("external", "target"))]
    if kind == "PodMetric":
        block = element.get("podmetric")
        names = block.at("metric", "metricNames") if block is not None else None
        target = block.get("target") if block is not None else None
        threshold = sourced_number(target.get("value")) if target is not None else None
        return [
            ScalingMetric("Pods", name.text, name.place, metric_meaning(name.text), threshold=threshold)
            for name in (names.elements() if names is not None else ())
            if name.text is not None
        ]
    name = element.at("resource", "name")
    if kind != "Resource" or name is None or name.text not in ("cpu", "memory"):
        return []
    target = element.at("resource", "target")
    # The HPA on CPU has a share as its target, whatever else is written.
    is_share = target is None or target.get("averageValue") is None or (is_hpa and name.text == "cpu")
    key = "averageUtilization" if is_share else "averageValue"
    threshold = sourced_number(target.get(key)) if target is not None else None
    return [
        ScalingMetric(
            "Resource",
            name.text,
            name.place,
            frozenset({Meaning.CPU if name.text == "cpu" else Meaning.HOST_MEMORY}),
            target_type="Utilization" if is_share else "AverageValue",
            threshold=threshold,
        )
    ]


def _queried(query: Node, target: Node | None) -> ScalingMetric:
    parsed = parse(query.text or "")
    value = target.get("value") if target is not None else None
    return ScalingMetric(
        type="prometheus",
        name=query.text or "",
        place=query.place,
        meanings=meanings(parsed) if parsed is not None else frozenset(),
        query=parsed,
        query_node=query,
        target_type="AverageValue",  # KServe names no metricType, and this is KEDA's default
        threshold=sourced_number(value),
    )
