"""KServe and Knative: their servers as workloads, and what scales them."""

from __future__ import annotations

import math

import pytest

from gpulint.lint import check
from gpulint.load import Loaded, load_texts
from gpulint.metrics.table import Meaning
from gpulint.model.autoscaler import Autoscaler
from gpulint.model.project import Project
from gpulint.model.workload import Workload


def load(text: str) -> Loaded:
    loaded = load_texts({"file.yaml": text})
    assert not loaded.problems, [problem.reason for problem in loaded.problems]
    return loaded


def read(text: str) -> Project:
    return load(text).project


def rules_of(loaded: Loaded, *rules: str) -> list[tuple[str, str]]:
    """The findings of some rules, each with the text that it points at."""
    findings, failed = check(loaded, rules)
    assert not failed, [problem.reason for problem in failed]
    return [(finding.rule, finding.place.text()) for finding in findings]


def service(predictor: str, annotations: str = "", rest: str = "") -> str:
    return (
        "apiVersion: serving.kserve.io/v1beta1\nkind: InferenceService\n"
        f"metadata: {{name: chat, namespace: ns, annotations: {{{annotations}}}}}\n"
        f"spec:\n  predictor: {{{predictor}}}\n{rest}"
    )


GPU = "resources: {limits: {nvidia.com/gpu: 2}}"
CONTAINER = f"{{name: kserve-container, image: 'vllm/vllm-openai:v0.11.0', args: [--model, a/b], {GPU}}}"
STANDARD = "serving.kserve.io/deploymentMode: Standard"


def server(args: str, model_format: str = "huggingface") -> str:
    return f"model: {{modelFormat: {{name: {model_format}}}, args: [{args}], storageUri: 'hf://Qwen/Qwen3-8B', {GPU}}}"


# -- InferenceService


def test_own_containers_are_a_whole_pod() -> None:
    (workload,) = read(service(f"containers: [{CONTAINER}]")).workloads
    (container,) = workload.containers
    assert workload.complete
    assert not workload.multi_node
    assert container.gpu_count() == 2
    assert container.gpus[0].place.text() == "2"
    assert container.engine is not None
    assert container.engine.arguments_known
    assert container.engine.model is not None
    assert container.engine.model.value == "a/b"


@pytest.mark.parametrize(
    ("model", "is_vllm"),
    [
        (server("--gpu-memory-utilization=0.8"), True),
        (server("--max_model_len, '4096'"), True),
        (server("--backend=vllm"), True),
        (server("--backend=huggingface, --max-model-len=4096"), False),
        (server("--backend, huggingface, --max-model-len=4096"), False),
        (server("--model_name=chat"), False),
        (server("--model_name=chat", "vLLM"), True),
        (server("--max-model-len=4096", "onnx"), False),
        (f"huggingface: {{args: [--max-model-len=4096], {GPU}}}", True),
        (f"model: {{modelFormat: {{name: custom}}, runtime: my-vllm-runtime, {GPU}}}", True),
    ],
)
def test_the_engine_behind_a_runtime(model: str, is_vllm: bool) -> None:
    (workload,) = read(service(model)).workloads
    (container,) = workload.containers
    assert not workload.complete
    assert container.gpu_count() == 2
    assert (container.engine is not None) is is_vllm
    if container.engine is not None:
        assert not container.engine.arguments_known
        # The runtime may say it: what is not written here is no default.
        assert container.engine.tensor_parallel is not None
        assert container.engine.tensor_parallel.value is None


def test_arguments_for_a_runtime() -> None:
    text = service(server("--tensor-parallel-size=4, --max-model-len=1024"))
    (engine,) = read(text).workloads[0].engines
    assert engine.model is not None
    assert (engine.model.value, engine.model.spelled) == ("Qwen/Qwen3-8B", "storageUri")
    assert engine.tensor_parallel is not None
    assert engine.tensor_parallel.value == 4
    assert engine.tensor_parallel.place is not None
    assert engine.tensor_parallel.place.text() == "--tensor-parallel-size=4"
    assert rules_of(load(text), "parallel-size-exceeds-gpus", "missing-shared-memory", "unused-gpus") == [
        ("parallel-size-exceeds-gpus", "--tensor-parallel-size=4")
    ]


@pytest.mark.parametrize(
    ("args", "uri", "model"),
    [
        ("--model_id=meta/one, --backend=vllm", "pvc://x", "meta/one"),
        ("--model_id, meta/one, --backend=vllm", "pvc://x", "meta/one"),
        ("--backend=vllm", "hf://meta/one:main", "meta/one"),
        ("--backend=vllm", "s3://bucket/one", None),
        ("--backend=vllm", "hf://${OWNER}/one", None),
    ],
)
def test_the_model_of_a_runtime(args: str, uri: str, model: str | None) -> None:
    text = service(server(args).replace("hf://Qwen/Qwen3-8B", uri))
    (engine,) = read(text).workloads[0].engines
    assert engine.model is not None
    assert engine.model.value == model


def test_several_nodes() -> None:
    worker = "workerSpec: {tensorParallelSize: 4, pipelineParallelSize: 3}"
    text = service(f"{server('--max-model-len=4096')}, {worker}")
    (workload,) = read(text).workloads
    assert workload.multi_node
    assert [(pod.role, pod.per_group) for pod in workload.pods] == [("predictor", 1), ("worker", 2)]
    (engine,) = workload.engines
    assert engine.tensor_parallel is not None
    assert (engine.tensor_parallel.value, engine.tensor_parallel.spelled) == (4, "workerSpec.tensorParallelSize")
    assert rules_of(load(text), "parallel-size-exceeds-gpus", "unused-gpus", "missing-shared-memory") == []


def test_each_component_has_pods_of_its_own() -> None:
    transformer = "  transformer:\n    containers: [{name: t, image: i, env: [{name: X, value: nvidia.com/gpu}]}]\n"
    predictor, other = read(service(f"containers: [{CONTAINER}]", rest=transformer)).workloads
    assert (predictor.uses_gpus, other.uses_gpus) == (True, False)
    assert [pod.role for pod in (*predictor.pods, *other.pods)] == ["predictor", "transformer"]
    assert [workload.part for workload in (predictor, other)] == ["predictor", "transformer"]


def test_each_component_scales_by_itself() -> None:
    transformer = (
        "  transformer: {scaleMetric: cpu, maxReplicas: 3, "
        "containers: [{name: t, image: i, env: [{name: X, value: nvidia.com/gpu}]}]}\n"
    )
    text = service(f"scaleMetric: concurrency, containers: [{CONTAINER}]", rest=transformer)
    of_predictor, of_transformer = read(text).autoscalers
    assert of_predictor.workload is not None
    assert of_transformer.workload is not None
    assert (of_predictor.workload.part, of_transformer.workload.part) == ("predictor", "transformer")
    assert rules_of(load(text), "cpu-autoscaling") == []


def test_objects_of_one_name_scale_themselves() -> None:
    text = service(f"scaleMetric: cpu, maxReplicas: 3, containers: [{CONTAINER}]")
    first, second = read(f"{text}---\n{text}").autoscalers
    assert first.workload is not None
    assert second.workload is not None
    assert first.workload is not second.workload


def test_placement_by_selector_and_by_annotation() -> None:
    by_selector = service(f"{server('')}, nodeSelector: {{nvidia.com/gpu.product: NVIDIA-L40S}}")
    by_annotation = service(server(""), "serving.kserve.io/gke-accelerator: nvidia-l4")
    for text, gpu in ((by_selector, "l40s"), (by_annotation, "l4")):
        placement = read(text).workloads[0].pods[0].placement
        assert placement is not None
        assert [board.id for board in placement.gpus] == [gpu]


@pytest.mark.parametrize("kind", ["ServingRuntime", "ClusterServingRuntime"])
def test_runtimes(kind: str) -> None:
    text = (
        f"apiVersion: serving.kserve.io/v1alpha1\nkind: {kind}\nmetadata: {{name: r}}\nspec:\n"
        f"  containers: [{CONTAINER}]\n  workerSpec: {{containers: [{{name: w, image: i, {GPU}}}]}}\n"
    )
    (workload,) = read(text).workloads
    assert not workload.complete
    assert workload.multi_node
    assert [(pod.role, pod.per_group) for pod in workload.pods] == [("head", 1), ("worker", None)]
    (engine,) = workload.engines
    assert not engine.arguments_known


# -- what scales an InferenceService


def scaler_of(text: str) -> Autoscaler:
    (scaler,) = read(text).autoscalers
    assert scaler.workload is not None
    assert scaler.workload.autoscalers == [scaler]
    return scaler


@pytest.mark.parametrize("mode", ["Standard", "RawDeployment"])
def test_the_default_of_standard_mode_is_cpu(mode: str) -> None:
    text = service(
        f"minReplicas: 1, maxReplicas: 4, containers: [{CONTAINER}]", f"serving.kserve.io/deploymentMode: {mode}"
    )
    scaler = scaler_of(text)
    assert scaler.default_metric is not None
    assert scaler.default_metric.text() == "maxReplicas: 4"
    assert scaler.max_replicas is not None
    assert scaler.max_replicas.value == 4
    assert rules_of(load(text), "implicit-cpu-autoscaling", "cpu-autoscaling") == [
        ("implicit-cpu-autoscaling", "maxReplicas: 4")
    ]


@pytest.mark.parametrize(
    ("annotations", "bounds"),
    [
        ("", "maxReplicas: 4"),  # the cluster decides on the mode
        ("serving.kserve.io/deploymentMode: Knative", "maxReplicas: 4"),
        (STANDARD, "minReplicas: 2, maxReplicas: 2"),
        (STANDARD, "maxReplicas: 1"),
        (f"{STANDARD}, serving.kserve.io/autoscalerClass: keda", "maxReplicas: 4"),
    ],
)
def test_no_default_of_cpu(annotations: str, bounds: str) -> None:
    scaler = scaler_of(service(f"{bounds}, containers: [{CONTAINER}]", annotations))
    assert scaler.default_metric is None
    assert not scaler.metrics_known


@pytest.mark.parametrize(
    "annotations",
    [
        f"{STANDARD}, serving.kserve.io/autoscalerClass: none",
        f"{STANDARD}, serving.kserve.io/autoscalerClass: external",
        "serving.kserve.io/deploymentMode: ModelMesh",
    ],
)
def test_no_autoscaler(annotations: str) -> None:
    assert not read(service(f"maxReplicas: 4, containers: [{CONTAINER}]", annotations)).autoscalers


@pytest.mark.parametrize(
    ("metric", "meaning", "rule"),
    [
        ("scaleMetric: cpu, scaleTarget: 60", Meaning.CPU, "cpu-autoscaling"),
        ("scaleMetric: memory, scaleTarget: 60", Meaning.HOST_MEMORY, "host-memory-autoscaling"),
        ("scaleMetric: concurrency, scaleTarget: 60", Meaning.CONCURRENCY, None),
        ("scaleMetric: rps, scaleTarget: 60", Meaning.REQUEST_RATE, None),
    ],
)
def test_scale_metric(metric: str, meaning: Meaning, rule: str | None) -> None:
    text = service(f"maxReplicas: 4, {metric}, containers: [{CONTAINER}]")
    (found,) = scaler_of(text).metrics
    assert found.meanings == {meaning}
    assert found.threshold is not None
    assert found.threshold.value == 60
    name = metric.split(",")[0].split()[-1]
    assert found.place.text() == name
    assert rules_of(load(text), "cpu-autoscaling", "host-memory-autoscaling") == ([(rule, name)] if rule else [])


AUTO_SCALING = """
    autoScaling:
      behavior: {scaleDown: {stabilizationWindowSeconds: 0}}
      metrics:
        - type: External
          external:
            metric: {backend: prometheus, query: 'sum(vllm:num_requests_waiting)'}
            target: {type: Value, value: "5"}
        - type: PodMetric
          podmetric:
            metric: {backend: opentelemetry, metricNames: [DCGM_FI_DEV_GPU_UTIL]}
            target: {type: Value, value: "80"}
        - type: Resource
          resource: {name: cpu, target: {type: Utilization, averageUtilization: 50}}
"""


def auto_scaling(class_: str) -> str:
    return (
        "apiVersion: serving.kserve.io/v1beta1\nkind: InferenceService\nmetadata:\n  name: chat\n"
        f"  annotations: {{{STANDARD}, serving.kserve.io/autoscalerClass: {class_}}}\n"
        f"spec:\n  predictor:\n    maxReplicas: 4\n    containers: [{CONTAINER}]{AUTO_SCALING}"
    )


def test_auto_scaling_by_keda() -> None:
    scaler = scaler_of(auto_scaling("keda"))
    assert scaler.metrics_known
    queue, utilization, cpu = scaler.metrics
    assert (queue.meanings, queue.target_type) == ({Meaning.QUEUE}, "AverageValue")
    assert queue.query is not None
    assert queue.place_of(queue.query.selectors[0]).text() == "vllm:num_requests_waiting"
    assert utilization.meanings == {Meaning.GPU_UTILIZATION}
    assert cpu.meanings == {Meaning.CPU}
    assert [metric.threshold.value for metric in scaler.metrics if metric.threshold is not None] == [5, 80, 50]
    assert scaler.scale_down.stabilization_window_s is not None
    assert scaler.scale_down.stabilization_window_s.value == 0


def test_an_hpa_takes_resource_metrics_alone() -> None:
    scaler = scaler_of(auto_scaling("hpa"))
    assert [metric.name for metric in scaler.metrics] == ["cpu"]
    assert not scaler.metrics_known
    assert scaler.scale_down.stabilization_window_s is None  # nor does it get the behaviour


def test_an_hpa_keeps_one_replica() -> None:
    def bounds(annotations: str) -> tuple[int | None, int | None]:
        scaler = scaler_of(service(f"minReplicas: 0, maxReplicas: 4, containers: [{CONTAINER}]", annotations))
        return scaler.min_replicas.value if scaler.min_replicas is not None else None, scaler.default_min_replicas

    assert bounds(STANDARD) == (None, 1)
    assert bounds(f"{STANDARD}, serving.kserve.io/autoscalerClass: keda") == (0, None)


@pytest.mark.parametrize(
    ("annotations", "metric", "target_type", "known"),
    [
        (STANDARD, "memory", "Utilization", True),
        ("serving.kserve.io/deploymentMode: Knative", "memory", "AverageValue", True),
        ("serving.kserve.io/deploymentMode: Knative", "concurrency", "AverageValue", True),
        (STANDARD, "concurrency", None, False),  # no metric of an HPA
        (f"{STANDARD}, serving.kserve.io/autoscalerClass: keda", "cpu", None, False),  # refused
    ],
)
def test_what_a_scale_metric_means_to_a_mode(
    annotations: str, metric: str, target_type: str | None, known: bool
) -> None:
    text = service(f"maxReplicas: 4, scaleMetric: {metric}, scaleTarget: 60, containers: [{CONTAINER}]", annotations)
    scaler = scaler_of(text)
    assert scaler.metrics_known is known
    assert [found.target_type for found in scaler.metrics] == ([target_type] if known else [])


def test_a_cpu_target_of_an_hpa_is_a_share() -> None:
    text = auto_scaling("hpa").replace("averageUtilization: 50", 'averageValue: "2"')
    (metric,) = scaler_of(text).metrics
    assert (metric.target_type, metric.threshold) == ("Utilization", None)


def test_a_predictor_with_a_name() -> None:
    (workload,) = read(service(f"name: blue, containers: [{CONTAINER}]")).workloads
    assert [ref.name for ref in workload.scaled_as] == ["chat-blue-predictor"]


def test_an_autoscaler_from_outside_reaches_the_pods() -> None:
    text = service(f"{server('')}", f"{STANDARD}, serving.kserve.io/autoscalerClass: external") + (
        "---\napiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {name: h, namespace: ns}\n"
        "spec:\n  scaleTargetRef: {kind: Deployment, name: chat-predictor}\n  maxReplicas: 3\n"
        "  metrics: [{type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 70}}}]\n"
    )
    assert rules_of(load(text), "cpu-autoscaling") == [("cpu-autoscaling", "cpu")]


# -- LLMInferenceService


def llm(spec: str, kind: str = "LLMInferenceService") -> str:
    return f"apiVersion: serving.kserve.io/v1alpha2\nkind: {kind}\nmetadata: {{name: chat}}\nspec:\n{spec}"


def main(gpus: int, env: str = "", rest: str = "") -> str:
    return f"{{containers: [{{name: main, {rest}env: [{env}], resources: {{limits: {{nvidia.com/gpu: {gpus}}}}}}}]}}"


ADDITIONAL = (
    "{name: VLLM_ADDITIONAL_ARGS, value: \"--max-model-len 4096 --tensor-parallel-size=4 --hf-overrides '{}'\"}"
)


def test_additional_arguments_are_arguments() -> None:
    text = llm(f"  model: {{uri: 'hf://a/b', name: served}}\n  template: {main(2, ADDITIONAL)}\n")
    (workload,) = read(text).workloads
    (engine,) = workload.engines
    assert not workload.complete
    assert engine.arguments_known
    assert engine.model is not None
    assert engine.model.value == "a/b"
    assert engine.max_model_len is not None
    assert engine.max_model_len.value == 4096
    assert engine.max_model_len.place is not None
    assert engine.max_model_len.place.text() == "--max-model-len 4096"
    assert rules_of(load(text), "parallel-size-exceeds-gpus", "missing-shared-memory", "unused-gpus") == [
        ("parallel-size-exceeds-gpus", "--tensor-parallel-size=4")
    ]


@pytest.mark.parametrize(
    ("parallelism", "env", "tensor", "finds"),
    [
        ("{tensor: 8}", "", (8, "parallelism.tensor"), True),
        ("{tensor: 2}", "", (2, "parallelism.tensor"), False),
        ("{tensor: 8}", "{name: VLLM_ADDITIONAL_ARGS, value: -tp 2}", (2, "-tp"), False),  # said last
        ("{data: 16}", "", (1, "--tensor-parallel-size"), False),  # counts for groups of pods alone
    ],
)
def test_parallelism(parallelism: str, env: str, tensor: tuple[int, str], finds: bool) -> None:
    text = llm(f"  parallelism: {parallelism}\n  template: {main(2, env)}\n")
    (engine,) = read(text).workloads[0].engines
    assert engine.tensor_parallel is not None
    assert (engine.tensor_parallel.value, engine.tensor_parallel.spelled) == tensor
    assert engine.data_parallel is not None
    assert engine.data_parallel.value == 1
    assert bool(rules_of(load(text), "parallel-size-exceeds-gpus")) is finds


def test_a_group_of_pods_and_prefill() -> None:
    text = llm(
        "  replicas: 2\n"
        "  parallelism: {data: 16, dataLocal: 8, tensor: 1, expert: true}\n"
        f"  template: {main(8)}\n  worker: {main(8)}\n"
        f"  prefill: {{replicas: 3, parallelism: {{tensor: 4}}, template: {main(4)}}}\n"
    )
    decode, prefill = read(text).workloads
    assert decode.multi_node
    assert not prefill.multi_node
    assert [(ref.kind, ref.name) for workload in (decode, prefill) for ref in workload.scaled_as] == [
        ("LeaderWorkerSet", "chat-kserve-mn"),
        ("Deployment", "chat-kserve-prefill"),
    ]
    assert [(pod.role, pod.per_group) for pod in decode.pods] == [(None, 1), ("worker", 1)]
    assert [pod.role for pod in prefill.pods] == ["prefill"]
    assert (decode.part, prefill.part) == ("decode", "prefill")
    assert decode.replicas is not None
    assert prefill.replicas is not None
    assert (decode.replicas.value, prefill.replicas.value) == (2, 3)
    assert [engine.gpus_used() for engine in (*decode.engines, *prefill.engines)] == [8, 8, 4]
    assert rules_of(load(text), "parallel-size-exceeds-gpus", "unused-gpus", "missing-shared-memory") == []


@pytest.mark.parametrize(
    ("kind", "rest"), [("LLMInferenceService", "  baseRefs: [{name: base}]\n"), ("LLMInferenceServiceConfig", "")]
)
def test_what_a_base_may_add_is_unknown(kind: str, rest: str) -> None:
    (engine,) = read(llm(f"{rest}  template: {main(2, ADDITIONAL)}\n", kind)).workloads[0].engines
    assert not engine.arguments_known
    assert engine.tensor_parallel is not None
    assert engine.tensor_parallel.value == 4
    assert engine.pipeline_parallel is not None
    assert engine.pipeline_parallel.value is None


def test_a_command_of_its_own() -> None:
    own = "image: i, command: [vllm, serve, c/d, '-tp', '2'], "
    (engine,) = read(llm(f"  parallelism: {{tensor: 8}}\n  template: {main(2, rest=own)}\n")).workloads[0].engines
    assert engine.tensor_parallel is not None
    assert engine.tensor_parallel.value == 2
    assert engine.model is not None
    assert engine.model.value == "c/d"


# -- Knative


def knative(annotations: str) -> str:
    return (
        "apiVersion: serving.knative.dev/v1\nkind: Service\nmetadata: {name: chat}\nspec:\n  template:\n"
        f"    metadata:\n      annotations: {{{annotations}}}\n    spec: {{containers: [{CONTAINER}]}}\n"
    )


HPA_CLASS = "autoscaling.knative.dev/class: hpa.autoscaling.knative.dev"
HOST_MEMORY = "host-memory-autoscaling"
METRIC, TARGET = "autoscaling.knative.dev/metric", "autoscaling.knative.dev/target: '70'"
KPA_CLASS = "autoscaling.knative.dev/class: kpa.autoscaling.knative.dev"


def test_a_knative_service_without_annotations() -> None:
    project = read(knative(""))
    (workload,) = project.workloads
    assert workload.complete
    assert workload.uses_gpus
    assert not project.autoscalers


@pytest.mark.parametrize(
    ("annotations", "meaning", "known", "finds"),
    [
        (f"{HPA_CLASS}, {METRIC}: cpu, {TARGET}", Meaning.CPU, True, [("cpu-autoscaling", "cpu")]),
        (f"{HPA_CLASS}, {TARGET}", Meaning.CPU, True, [("cpu-autoscaling", "hpa.autoscaling.knative.dev")]),
        (f"{HPA_CLASS}, {METRIC}: memory, {TARGET}", Meaning.HOST_MEMORY, True, [(HOST_MEMORY, "memory")]),
        (f"{HPA_CLASS}", None, True, [("implicit-cpu-autoscaling", "hpa.autoscaling.knative.dev")]),
        (f"{KPA_CLASS}, autoscaling.knative.dev/target: '8'", Meaning.CONCURRENCY, True, []),
        ("autoscaling.knative.dev/target: '8'", Meaning.CONCURRENCY, False, []),
        ("autoscaling.knative.dev/metric: rps, autoscaling.knative.dev/target: '8'", Meaning.REQUEST_RATE, True, []),
        ("autoscaling.knative.dev/max-scale: '8'", None, False, []),
        ("autoscaling.knative.dev/class: other.example.com, autoscaling.knative.dev/target: '8'", None, False, []),
    ],
)  # fmt: skip
def test_knative_annotations(
    annotations: str, meaning: Meaning | None, known: bool, finds: list[tuple[str, str]]
) -> None:
    text = knative(annotations)
    scaler = scaler_of(text)
    assert [metric.meanings for metric in scaler.metrics] == ([{meaning}] if meaning is not None else [])
    assert scaler.metrics_known is known
    assert rules_of(load(text), "cpu-autoscaling", "implicit-cpu-autoscaling", "host-memory-autoscaling") == finds


@pytest.mark.parametrize(
    ("annotations", "window_s", "finds"),
    [
        ("window: 20s", 20, True),
        ("window: 20s, autoscaling.knative.dev/scale-down-delay: 10s", 30, True),
        ("window: 20s, autoscaling.knative.dev/scale-down-delay: 15m", 900, False),
        ("scale-down-delay: 15m", 900, False),
        ("scale-down-delay: 0s", None, False),  # the average over a minute is left
        ("min-scale: '1'", None, False),
    ],
)
def test_how_soon_knative_scales_down(annotations: str, window_s: float | None, finds: bool) -> None:
    text = knative(f"autoscaling.knative.dev/target: '8', autoscaling.knative.dev/{annotations}")
    window = scaler_of(text).scale_down.stabilization_window_s
    assert (window.value if window is not None else None) == window_s
    found = check(load(text), ["scale-down-without-stabilization"])[0]
    assert bool(found) is finds
    assert all("without it, 60 s hold" in finding.finding.help for finding in found)


def test_bounds_in_both_spellings() -> None:
    for low, high in (("min-scale", "max-scale"), ("minScale", "maxScale")):
        scaler = scaler_of(knative(f"autoscaling.knative.dev/{low}: '1', autoscaling.knative.dev/{high}: '5'"))
        assert scaler.min_replicas is not None
        assert scaler.max_replicas is not None
        assert (scaler.min_replicas.value, scaler.max_replicas.value) == (1, 5)
        assert scaler.max_replicas.place.text() == "'5'"


@pytest.mark.parametrize(
    ("annotations", "low", "high"),
    [
        (f"{HPA_CLASS}, autoscaling.knative.dev/min-scale: '0'", 1, None),  # an HPA does not go to zero
        (f"{KPA_CLASS}, autoscaling.knative.dev/min-scale: '0'", 0, None),
        (f"{KPA_CLASS}, autoscaling.knative.dev/max-scale: '0'", 0, math.inf),  # 0 is no bound
    ],
)
def test_bounds_of_zero(annotations: str, low: int, high: float | None) -> None:
    scaler = scaler_of(knative(annotations))
    assert scaler.lowest == low
    assert scaler.max_replicas is None
    assert high is None or scaler.default_max_replicas == high


def test_the_window_of_an_hpa_stabilizes_it() -> None:
    text = knative(f"{HPA_CLASS}, {TARGET}, autoscaling.knative.dev/window: 20s")
    window = scaler_of(text).scale_down.stabilization_window_s
    assert window is not None
    assert window.value == 20
    assert rules_of(load(text), "scale-down-without-stabilization") == [("scale-down-without-stabilization", "20s")]


@pytest.mark.parametrize(
    ("annotations", "seconds"),
    [
        ("window: 90s", 90),
        ("window: 20s", None),
        ("scale-to-zero-pod-retention-period: 5m", 360),
        ("scaleToZeroPodRetentionPeriod: 5m", 360),
        ("window: 90s, autoscaling.knative.dev/scale-to-zero-pod-retention-period: 60s", 150),
    ],
)
def test_when_knative_goes_to_zero(annotations: str, seconds: float | None) -> None:
    scaler = scaler_of(knative(f"autoscaling.knative.dev/{annotations}"))
    assert (scaler.to_zero_after_s.value if scaler.to_zero_after_s is not None else None) == seconds
    assert scaler.default_to_zero_after_s is None


def test_annotations_of_knative_on_an_inference_service() -> None:
    text = service(
        f"{server('')}, maxReplicas: 3",
        f"{HPA_CLASS}, autoscaling.knative.dev/metric: cpu, autoscaling.knative.dev/target: '60'",
    )
    scaler = scaler_of(text)
    assert scaler.max_replicas is not None
    assert scaler.max_replicas.value == 3
    assert rules_of(load(text), "cpu-autoscaling") == [("cpu-autoscaling", "cpu")]
    in_standard_mode = text.replace("annotations: {", f"annotations: {{{STANDARD}, ")
    assert rules_of(load(in_standard_mode), "cpu-autoscaling", "implicit-cpu-autoscaling") == [
        ("implicit-cpu-autoscaling", "maxReplicas: 3")
    ]


def test_ref_and_place_of_a_workload() -> None:
    def shown(workload: Workload) -> tuple[str, str | None, str]:
        return workload.ref.kind, workload.ref.name, workload.place.text()

    assert shown(read(service(server(""))).workloads[0]) == ("InferenceService", "chat", "chat")
    assert shown(read(knative("")).workloads[0]) == ("Service", "chat", "chat")
    assert shown(read(llm(f"  template: {main(1)}\n")).workloads[0]) == ("LLMInferenceService", "chat", "chat")
