"""InferenceServices with the runtimes that complete them; LLMInferenceServices with their bases and their scaling."""

from __future__ import annotations

import pytest

from gpulint.lint import check
from gpulint.load import Loaded, load_texts
from gpulint.model.engine import Engine
from gpulint.model.workload import Workload


def load(**texts: str) -> Loaded:
    loaded = load_texts({name.replace("__", "/") + ".yaml": text for name, text in texts.items()})
    assert not loaded.problems, [problem.reason for problem in loaded.problems]
    return loaded


def service(loaded: Loaded, overlay: str | None = None) -> Workload:
    found = [w for w in loaded.project.workloads if w.ref.kind.endswith("InferenceService") and w.overlay == overlay]
    assert len(found) == 1, found
    return found[0]


def engine_of(loaded: Loaded) -> Engine:
    engine = service(loaded).containers[0].engine
    assert engine is not None
    return engine


def findings(loaded: Loaded, *rules: str) -> list[tuple[str, str, str]]:
    """The findings of some rules: rule, path and the text that each points at."""
    found, failed = check(loaded, rules)
    assert not failed, [problem.reason for problem in failed]
    return [(finding.rule, finding.place.source.path, finding.place.text()) for finding in found]


def runtime(
    args: str = "'--model=/mnt/models', '--tensor-parallel-size=4'",
    *,
    kind: str = "ServingRuntime",
    name: str = "chat-runtime",
    formats: str = "{name: custom-llm, version: '1', autoSelect: true}",
    rest: str = "",
    container: str = "",
) -> str:
    return (
        f"apiVersion: serving.kserve.io/v1alpha1\nkind: {kind}\nmetadata: {{name: {name}}}\nspec:\n"
        f"  supportedModelFormats: [{formats}]\n  containers:\n  - name: kserve-container\n"
        f"    image: vllm/vllm-openai:v0.11.0\n    args: [{args}]\n{container}{rest}"
    )


def isvc(
    model: str = "resources: {limits: {nvidia.com/gpu: 2}}",
    *,
    named: str = "runtime: chat-runtime, ",
    model_format: str = "name: custom-llm",
    metadata: str = "name: chat",
    predictor: str = "",
) -> str:
    return (
        f"apiVersion: serving.kserve.io/v1beta1\nkind: InferenceService\nmetadata: {{{metadata}}}\nspec:\n  predictor:\n"
        f"    model: {{modelFormat: {{{model_format}}}, {named}{model}}}\n{predictor}"
    )


def test_arguments_of_the_runtime_meet_the_gpus_of_the_service() -> None:
    loaded = load(service=isvc(), runtimes__runtime=runtime())
    workload = service(loaded)
    assert workload.complete
    assert workload.containers[0].name == "kserve-container"
    assert workload.containers[0].gpu_count() == 2
    engine = engine_of(loaded)
    assert engine.arguments_known
    assert engine.version == (0, 11, 0)
    (finding,), _ = check(loaded, ["parallel-size-exceeds-gpus"])
    assert finding.place.source.path == "runtimes/runtime.yaml"
    assert finding.place.text() == "--tensor-parallel-size=4"
    assert str(finding.ref) == "InferenceService chat"
    assert "service.yaml" in finding.paths()


def test_the_arguments_of_the_service_come_last() -> None:
    model = "args: [--tensor-parallel-size=2], resources: {limits: {nvidia.com/gpu: 2}}"
    loaded = load(service=isvc(model), runtime=runtime())
    tensor_parallel = engine_of(loaded).tensor_parallel
    assert tensor_parallel is not None
    assert tensor_parallel.value == 2
    assert tensor_parallel.place is not None
    assert tensor_parallel.place.source.path == "service.yaml"
    assert findings(loaded, "parallel-size-exceeds-gpus") == []


def test_variables_of_both() -> None:
    container = "    env: [{name: TP, value: '8'}, {name: LEN, value: '4096'}]\n"
    model = "env: [{name: TP, value: '2'}], resources: {limits: {nvidia.com/gpu: 2}}"
    loaded = load(
        service=isvc(model),
        runtime=runtime(
            "'--model=a/b', '--tensor-parallel-size=$(TP)', '--max-model-len', '$(LEN)'", container=container
        ),
    )
    engine = engine_of(loaded)
    assert engine.tensor_parallel is not None
    assert engine.tensor_parallel.value == 2
    assert engine.max_model_len is not None
    assert engine.max_model_len.value == 4096


def test_a_variable_that_the_service_takes_from_elsewhere() -> None:
    model = "env: [{name: TP, valueFrom: {secretKeyRef: {name: s, key: k}}}], resources: {limits: {nvidia.com/gpu: 2}}"
    container = "    env: [{name: TP, value: '8'}]\n"
    loaded = load(
        service=isvc(model), runtime=runtime("'--model=a/b', '--tensor-parallel-size=$(TP)'", container=container)
    )
    tensor_parallel = engine_of(loaded).tensor_parallel
    assert tensor_parallel is not None
    assert tensor_parallel.value is None


def test_the_metadata_of_the_service_fills_placeholders() -> None:
    args = "'--model=/mnt/models/{{.Name}}', '--tensor-parallel-size={{ .Annotations.tp }}', '--port={{.Other}}'"
    loaded = load(service=isvc(metadata="name: chat, annotations: {tp: '2'}"), runtime=runtime(args))
    engine = engine_of(loaded)
    assert engine.model is not None
    assert engine.model.value == "/mnt/models/chat"
    assert engine.tensor_parallel is not None
    assert engine.tensor_parallel.value == 2


@pytest.mark.parametrize(
    ("args", "uri", "model"),
    [
        ("'--model=/mnt/models'", "hf://Qwen/Qwen3-8B", "Qwen/Qwen3-8B"),
        ("'--model=/mnt/models/'", "hf://Qwen/Qwen3-8B", "Qwen/Qwen3-8B"),
        ("'--max-model-len=4096'", "hf://Qwen/Qwen3-8B", "Qwen/Qwen3-8B"),
        ("'--model=/mnt/models'", "pvc://claim/folder", "/mnt/models"),
        ("'--max-model-len=4096'", "pvc://claim/folder", None),
        ("'--model=org/other'", "hf://Qwen/Qwen3-8B", "org/other"),
    ],
)
def test_a_storage_uri_lies_at_the_mounted_path(args: str, uri: str, model: str | None) -> None:
    loaded = load(service=isvc(f"storageUri: '{uri}'"), runtime=runtime(args))
    engine = engine_of(loaded)
    assert engine.model is not None
    assert engine.model.value == model


def test_a_version_of_the_runtime() -> None:
    loaded = load(service=isvc("runtimeVersion: v0.9.2"), runtime=runtime())
    image = service(loaded).containers[0].image
    assert image is not None
    assert (image.value, image.place.text()) == ("vllm/vllm-openai:v0.9.2", "v0.9.2")
    assert engine_of(loaded).version == (0, 9, 2)


@pytest.mark.parametrize(
    ("limits", "image"), [("cpu: 4", "vllm/vllm-openai-cpu"), ("nvidia.com/gpu: 1", "vllm/vllm-openai")]
)
def test_the_image_of_kserves_vllm_server(limits: str, image: str) -> None:
    text = runtime().replace(
        "{name: chat-runtime}", "{name: r, annotations: {serving.kserve.io/server-type: vllmserver}}"
    )
    loaded = load(service=isvc(f"resources: {{limits: {{{limits}}}}}", named="runtime: r, "), runtime=text)
    found = service(loaded).containers[0].image
    assert found is not None
    assert found.value == f"{image}:v0.11.0"


def test_the_pods_settings_are_merged() -> None:
    volumes = (
        "    volumeMounts: [{name: shm, mountPath: /dev/shm}]\n"
        "  volumes: [{name: shm, emptyDir: {medium: Memory}}]\n  hostIPC: true\n"
        "  nodeSelector: {cloud.google.com/gke-accelerator: nvidia-l4}\n"
    )
    sidecar = "    containers: [{name: proxy, image: proxy:1}]\n"
    loaded = load(service=isvc(predictor=sidecar), runtime=runtime(rest=volumes))
    (pod,) = service(loaded).pods
    assert [container.name for container in pod.containers] == ["kserve-container", "proxy"]
    memory = pod.containers[0].shared_memory
    assert memory is not None
    assert memory.medium == "Memory"
    assert pod.placement is not None
    assert [gpu.name for gpu in pod.placement.gpus] == ["NVIDIA L4"]
    assert not pod.host_ipc  # KServe does not take that over


def test_shared_memory_of_the_runtime_is_seen() -> None:
    args = "'--model=a/b', '--tensor-parallel-size=2'"
    assert findings(load(service=isvc(), runtime=runtime(args)), "missing-shared-memory") == [
        ("missing-shared-memory", "runtime.yaml", "--tensor-parallel-size=2")
    ]


def test_a_gpu_of_the_runtime_scales_on_cpu() -> None:
    gpu = "    resources: {limits: {nvidia.com/gpu: 4}}\n"
    mode = "name: chat, annotations: {serving.kserve.io/deploymentMode: Standard}"
    scaled = isvc("storageUri: 'pvc://x'", metadata=mode, predictor="    maxReplicas: 3\n    scaleMetric: cpu\n")
    loaded = load(service=scaled, runtime=runtime(container=gpu))
    assert service(loaded).uses_gpus
    assert [finding[:2] for finding in findings(loaded, "cpu-autoscaling")] == [("cpu-autoscaling", "service.yaml")]


def test_services_without_gpus_are_nobodys_concern() -> None:
    text = runtime(name="sk", formats="{name: sklearn}").replace("vllm/vllm-openai:v0.11.0", "sk:1")
    text = text.replace("'--model=/mnt/models', '--tensor-parallel-size=4'", "--x")
    loaded = load(service=isvc("storageUri: 'pvc://x'", named="runtime: sk, "), runtime=text)
    assert loaded.project.workloads == []
    assert loaded.project.autoscalers == []


# -- which runtime


def test_a_runtime_of_the_namespace_comes_first() -> None:
    loaded = load(
        service=isvc(metadata="name: chat, namespace: team"),
        cluster=runtime(kind="ClusterServingRuntime").replace("v0.11.0", "v0.8.0"),
        own=runtime().replace("{name: chat-runtime}", "{name: chat-runtime, namespace: team}"),
        other=runtime().replace("{name: chat-runtime}", "{name: chat-runtime, namespace: else}"),
    )
    assert engine_of(loaded).version == (0, 11, 0)


@pytest.mark.parametrize(
    "texts",
    [
        {"service": isvc()},
        {"service": isvc(), "runtime": runtime(name="another")},
        {"service": isvc(), "a__runtime": runtime(), "b__runtime": runtime()},
        {"service": isvc(), "runtime": runtime(rest="  disabled: true\n")},
        {
            "service": isvc(metadata="name: c, namespace: a"),
            "runtime": runtime().replace("{name: chat-r", "{namespace: b, name: chat-r"),
        },
        {"service": isvc(), "runtime": runtime().replace("name: kserve-container", "name: main")},
    ],
)
def test_no_runtime_that_is_sure(texts: dict[str, str]) -> None:
    workload = service(load(**texts))
    assert not workload.complete
    assert workload.containers[0].name is None
    assert workload.containers[0].gpu_count() == 2


@pytest.mark.parametrize(
    ("model_format", "texts", "is_found"),
    [
        ("name: custom-llm", {"r": runtime()}, True),
        ("name: custom-llm", {"r": runtime(kind="ClusterServingRuntime")}, True),
        ("name: custom-llm, version: '1'", {"r": runtime()}, True),
        ("name: custom-llm, version: '2'", {"r": runtime()}, False),
        ("name: other", {"r": runtime()}, False),
        ("name: custom-llm", {"r": runtime(formats="{name: custom-llm}")}, False),
        ("name: custom-llm", {"r": runtime(rest="  multiModel: true\n")}, False),
        ("name: custom-llm", {"r": runtime(rest="  protocolVersions: [v2]\n")}, False),
        ("name: custom-llm", {"r": runtime(rest="  protocolVersions: [v2, v1]\n")}, True),
        ("name: custom-llm", {"r": runtime(), "s": runtime(name="second")}, False),
        ("name: custom-llm", {"a__b__c__r": runtime()}, False),
        # KServe brings runtimes of its own for this format: one of the namespace comes before them, no other.
        ("name: vLLM", {"r": runtime(formats="{name: vLLM, autoSelect: true}")}, True),
        ("name: vLLM", {"r": runtime(kind="ClusterServingRuntime", formats="{name: vLLM, autoSelect: true}")}, False),
    ],
)
def test_a_runtime_by_the_format(model_format: str, texts: dict[str, str], is_found: bool) -> None:
    workload = service(load(service=isvc(named="", model_format=model_format), **texts))
    assert (workload.containers[0].name == "kserve-container") is is_found


def test_objects_of_a_chart_mean_each_other() -> None:
    chart = {"c/Chart.yaml": "apiVersion: v2\nname: c\nversion: 1.0.0\n", "c/values.yaml": "gpus: 2\n"}
    own = isvc("resources: {limits: {nvidia.com/gpu: '{{ .Values.gpus }}'}}")
    loaded = load_texts({**chart, "c/templates/isvc.yaml": own, "c/templates/runtime.yaml": runtime()})
    workload = service(loaded)
    assert (workload.complete, workload.containers[0].gpu_count()) == (False, 2)
    assert [finding[0] for finding in findings(loaded, "parallel-size-exceeds-gpus")] == ["parallel-size-exceeds-gpus"]
    templated = runtime("'--model={{ .Values.model }}'")
    loaded = load_texts({**chart, "isvc.yaml": isvc(), "c/templates/runtime.yaml": templated})
    assert service(loaded).containers[0].name is None


def test_a_framework_by_its_key() -> None:
    text = isvc().replace("    model: {modelFormat: {name: custom-llm}, runtime: chat-runtime, ", "    triton: {")
    loaded = load(
        service=text, runtime=runtime(formats="{name: triton, autoSelect: true}", rest="  protocolVersions: [v2]\n")
    )
    assert service(loaded).containers[0].name == "kserve-container"


# -- several nodes, and kustomizations


def test_workers_of_the_runtime() -> None:
    workers = (
        "  workerSpec:\n    tensorParallelSize: 1\n    pipelineParallelSize: 3\n"
        "    containers: [{name: worker-container, image: 'vllm/vllm-openai:v0.11.0', command: [ray, start]}]\n"
    )
    args = "'--model=/mnt/models', '--tensor-parallel-size=$(TENSOR_PARALLEL_SIZE)', '--pipeline-parallel-size=$(PIPELINE_PARALLEL_SIZE)'"
    own = "    workerSpec:\n      tensorParallelSize: 2\n      containers: [{name: w, resources: {limits: {nvidia.com/gpu: 2}}}]\n"
    loaded = load(service=isvc(predictor=own), runtime=runtime(args, rest=workers))
    workload = service(loaded)
    assert [(pod.role, pod.per_group, pod.complete) for pod in workload.pods] == [
        ("predictor", 1, False),
        ("worker", 2, False),
    ]
    assert workload.pods[1].containers[0].name == "worker-container"
    assert workload.pods[1].containers[0].gpu_count() == 2
    engine = engine_of(loaded)
    assert engine.tensor_parallel is not None
    assert engine.tensor_parallel.value == 2
    assert engine.pipeline_parallel is not None
    assert engine.pipeline_parallel.value == 3
    assert engine.ray_cluster
    assert findings(loaded, "parallel-size-exceeds-gpus", "unused-gpus", "missing-shared-memory") == []


def test_an_overlay_is_completed_too() -> None:
    patch = "apiVersion: serving.kserve.io/v1beta1\nkind: InferenceService\nmetadata: {name: chat}\n" + (
        "spec: {predictor: {model: {resources: {limits: {nvidia.com/gpu: 1}}}}}\n"
    )
    loaded = load(
        base__service=isvc(),
        base__runtime=runtime(),
        base__kustomization="resources: [service.yaml, runtime.yaml]\n",
        over__kustomization="resources: [../base]\npatches: [{path: patch.yaml}]\n",
        over__patch=patch,
    )
    workload = service(loaded, "over")
    assert workload.complete
    assert workload.containers[0].gpu_count() == 1
    assert workload.engines[0].arguments_known


# -- LLMInferenceService


def llm(spec: str, kind: str = "LLMInferenceService", name: str = "llm") -> str:
    return f"apiVersion: serving.kserve.io/v1alpha2\nkind: {kind}\nmetadata: {{name: {name}}}\nspec:\n{spec}"


def config(template: str, name: str = "base", rest: str = "") -> str:
    return llm(f"  template: {{containers: [{{name: main, {template}}}]}}\n{rest}", "LLMInferenceServiceConfig", name)


GPUS = "  template: {containers: [{name: main, resources: {limits: {nvidia.com/gpu: 2}}}]}\n"
MODEL = "  model: {uri: 'hf://Qwen/Qwen3-8B'}\n"
SERVE = "image: 'vllm/vllm-openai:v0.11.0', command: [vllm, serve, /mnt/models, --tensor-parallel-size=4]"


def test_a_base_configuration_lies_below() -> None:
    loaded = load(service=llm(f"{MODEL}  baseRefs: [{{name: base}}]\n{GPUS}"), base=config(SERVE))
    workload = service(loaded)
    assert workload.containers[0].gpu_count() == 2
    engine = engine_of(loaded)
    assert engine.version == (0, 11, 0)
    assert engine.model is not None
    assert (engine.model.value, engine.model.spelled) == ("Qwen/Qwen3-8B", "model.uri")
    assert findings(loaded, "parallel-size-exceeds-gpus") == [
        ("parallel-size-exceeds-gpus", "base.yaml", "--tensor-parallel-size=4")
    ]


def test_later_bases_win_and_the_service_over_all() -> None:
    first = config(
        "image: 'vllm/vllm-openai:v0.9.0', env: [{name: VLLM_ADDITIONAL_ARGS, value: --max-model-len=1}]", "a"
    )
    second = config("image: 'vllm/vllm-openai:v0.10.0'", "b", "  parallelism: {tensor: 2}\n")
    args = (
        "  template: {containers: [{name: main, args: [--max-num-seqs=8], resources: {limits: {nvidia.com/gpu: 2}}}]}\n"
    )
    loaded = load(service=llm(f"{MODEL}  baseRefs: [{{name: a}}, {{name: b}}]\n{args}"), first=first, second=second)
    engine = engine_of(loaded)
    assert engine.version == (0, 10, 0)
    assert engine.arguments_known
    for setting, value in ((engine.tensor_parallel, 2), (engine.max_model_len, 1), (engine.max_num_seqs, 8)):
        assert setting is not None
        assert setting.value == value


@pytest.mark.parametrize(
    "bases", [{}, {"one": config(SERVE, "other")}, {"a__one": config(SERVE), "b__one": config(SERVE)}]
)
def test_a_base_that_is_not_sure(bases: dict[str, str]) -> None:
    engine = engine_of(load(service=llm(f"{MODEL}  baseRefs: [{{name: base}}]\n{GPUS}"), **bases))
    assert engine.version is None
    assert not engine.arguments_known


SCALING = "  scaling:\n    maxReplicas: 4\n"


def test_scaling_by_the_variant_autoscaler() -> None:
    hpa = "    wva: {hpa: {behavior: {scaleDown: {stabilizationWindowSeconds: 30}}}}\n"
    loaded = load(service=llm(MODEL + GPUS + SCALING + hpa))
    (scaler,) = loaded.project.autoscalers
    assert scaler.workload is service(loaded)
    assert (scaler.min_replicas, scaler.lowest) == (None, 1)
    assert scaler.max_replicas is not None
    assert scaler.max_replicas.value == 4
    assert [metric.name for metric in scaler.metrics] == ["wva_desired_replicas"]
    assert scaler.metrics_known
    assert findings(loaded, "scale-down-without-stabilization") == [
        ("scale-down-without-stabilization", "service.yaml", "30")
    ]


def test_scaling_by_triggers() -> None:
    keda = "    keda: {idleReplicaCount: 0, cooldownPeriod: 60, triggers: [{type: cpu, metadata: {value: '60'}}]}\n"
    loaded = load(service=llm(MODEL + GPUS + SCALING + keda))
    (scaler,) = loaded.project.autoscalers
    assert scaler.idle_replicas is not None
    assert scaler.idle_replicas.value == 0
    assert scaler.lowest == 1
    assert [finding[0] for finding in findings(loaded, "cpu-autoscaling")] == ["cpu-autoscaling"]


def test_prefill_scales_by_itself() -> None:
    prefill = "  prefill:\n    template: {containers: [{name: main, resources: {limits: {nvidia.com/gpu: 1}}}]}\n"
    scaling = "    scaling:\n      maxReplicas: 2\n      keda: {triggers: [{type: cpu, metadata: {value: '60'}}]}\n"
    loaded = load(service=llm(MODEL + GPUS + SCALING + "    wva: {keda: {}}\n" + prefill + scaling))
    decode, other = loaded.project.autoscalers
    assert [(scaler.part, scaler.workload and scaler.workload.part) for scaler in (decode, other)] == [
        ("decode", "decode"),
        ("prefill", "prefill"),
    ]
    assert [metric.name for metric in decode.metrics] == ["wva_desired_replicas"]
    assert [finding[0] for finding in findings(loaded, "cpu-autoscaling")] == ["cpu-autoscaling"]


def test_scaling_of_a_base() -> None:
    base = config("image: 'vllm/vllm-openai:v0.11.0'", rest=SCALING + "    keda: {triggers: [{type: cpu}]}\n")
    loaded = load(service=llm(f"{MODEL}  baseRefs: [{{name: base}}]\n{GPUS}"), base=base)
    (scaler,) = loaded.project.autoscalers
    assert scaler.workload is service(loaded)
    assert scaler.place.source.path == "base.yaml"


def test_a_variant_autoscaling_joins_the_deployment_that_kserve_makes() -> None:
    variant = "apiVersion: llmd.ai/v1alpha1\nkind: VariantAutoscaling\nmetadata: {name: v}\n" + (
        "spec: {scaleTargetRef: {kind: Deployment, name: llm-kserve}, modelID: x}\n"
    )
    loaded = load(service=llm(MODEL + GPUS), variant=variant)
    (scaler,) = loaded.project.autoscalers
    assert scaler.workload is service(loaded)
