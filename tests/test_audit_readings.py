"""What readers understand: readings that a comparison with real repositories found wanting."""

from __future__ import annotations

from typing import Any

import pytest

from gpulint.lint import check
from gpulint.load import Loaded, load_texts
from gpulint.model.engine import Engine
from gpulint.model.view import inspection, tree
from gpulint.model.workload import Workload


def load(text: str, path: str = "file.yaml", **others: str) -> Loaded:
    loaded = load_texts({path: text, **others})
    assert not loaded.problems, [problem.reason for problem in loaded.problems]
    return loaded


def one(text: str, path: str = "file.yaml") -> Workload:
    (workload,) = load(text, path).project.workloads
    return workload


def engine_of(text: str, path: str = "file.yaml") -> Engine:
    (engine,) = one(text, path).engines
    return engine


def given(engine: Engine, *names: str) -> dict[str, Any]:
    """What the file writes of these settings."""
    found = {name: getattr(engine, name) for name in names}
    return {name: setting.value for name, setting in found.items() if setting is not None and not setting.default}


SIZES = ("tensor_parallel", "pipeline_parallel", "data_parallel", "data_parallel_local")


# -- programs behind a variable


def pod(script: str) -> str:
    lines = "".join(f"\n          {line}" for line in script.splitlines())
    return f"""\
apiVersion: v1
kind: Pod
metadata: {{name: p}}
spec:
  containers:
    - name: c
      image: registry.example/base:1
      command: [bash, -c]
      args:
        - |{lines}
"""


@pytest.mark.parametrize(
    "script",
    [
        "$PREFIX vllm serve org/model-7b --max-model-len 4096",
        '"$RUNNER" python3 -m vllm.entrypoints.openai.api_server --model org/model-7b --max-model-len 4096',
        "$WRAPPER numactl --interleave=all vllm serve org/model-7b --max-model-len=4096",
        "$PYTHON -m vllm.entrypoints.openai.api_server --model=org/model-7b --max-model-len=4096",
    ],
)
def test_an_engine_behind_an_unknown_program(script: str) -> None:
    engine = engine_of(pod(script))
    assert given(engine, "model", "max_model_len") == {"model": "org/model-7b", "max_model_len": 4096}


@pytest.mark.parametrize(
    "script",
    [
        "$KUBECTL exec server -- vllm serve org/model-7b",  # in another pod
        "$TOOL --run vllm serve org/model-7b",
        "$BENCH -m org/vllm-7b",
        "$PREFIX",
    ],
)
def test_no_engine_behind_an_unknown_program(script: str) -> None:
    assert not [w for w in load(pod(script)).project.workloads if w.engines]


# -- KubeRay jobs

CLUSTER = """\
    headGroupSpec: {template: {spec: {containers: [{name: ray-head, image: 'rayproject/ray:2.40.0'}]}}}
    workerGroupSpecs:
      - groupName: gpus
        replicas: 2
        template:
          spec:
            nodeSelector: {cloud.google.com/gke-accelerator: nvidia-l4}
            containers: [{name: w, image: 'x/y:1', resources: {limits: {nvidia.com/gpu: 1}}}]
"""


def job(entrypoint: str) -> str:
    return f"""\
apiVersion: ray.io/v1
kind: RayJob
metadata: {{name: offline}}
spec:
  entrypoint: {entrypoint}
  rayClusterSpec:
{CLUSTER}"""


def test_the_engine_that_a_ray_job_starts() -> None:
    workload = one(job("vllm serve org/model-7b --tensor-parallel-size 2 --distributed-executor-backend ray"))
    (engine,) = workload.engines
    assert given(engine, "model", "tensor_parallel", "executor") == {
        "model": "org/model-7b",
        "tensor_parallel": 2,
        "executor": "ray",
    }
    hosted = workload.pods[-1]
    assert (hosted.role, hosted.hosted, engine.ray_cluster) == ("job", True, True)
    assert hosted.placement is not None
    assert [gpu.name for gpu in hosted.placement.gpus] == ["NVIDIA L4"]
    assert engine.place.text() == "vllm serve"
    assert workload.gpus_per_group() == 2  # the job's engine has no devices of its own


def test_a_ray_job_that_starts_no_engine() -> None:
    assert not one(job("python train.py --epochs 3")).engines


# -- KServe's LLMInferenceService


def test_an_llm_inference_service_without_a_word_of_accelerators_or_engines() -> None:
    workload = one(
        """\
apiVersion: serving.kserve.io/v1alpha2
kind: LLMInferenceService
metadata:
  name: chat
  annotations: {serving.kserve.io/exp-dra-device-class: gpu.example.com}
spec:
  model: {uri: 'hf://org/model-7b'}
  template:
    containers: [{name: main, resources: {limits: {cpu: '4'}}}]
"""
    )
    (engine,) = workload.engines
    assert (engine.name, given(engine, "model")) == ("vllm", {"model": "org/model-7b"})
    assert workload.uses_gpus  # by the claim that the annotation makes


# -- values of charts


def test_requests_deep_in_the_values_of_a_chart() -> None:
    loaded = load(
        """\
ray-cluster:
  additionalWorkerGroups:
    big:
      resources: {limits: {nvidia.com/gpu: 2}}
      nodeSelector: {cloud.google.com/gke-accelerator: nvidia-l4}
models:
  - name: small
    resources: {limits: {amd.com/gpu: 1}}
pods:
  containers: [{name: c, image: x, resources: {limits: {nvidia.com/gpu: 8}}}]
""",
        "values.yaml",
    )
    found = [(w.containers[0].gpus[0].resource, w.containers[0].gpu_count()) for w in loaded.project.workloads]
    assert found == [("nvidia.com/gpu", 2), ("amd.com/gpu", 1)]
    placement = loaded.project.workloads[0].pods[0].placement
    assert placement is not None
    assert [gpu.name for gpu in placement.gpus] == ["NVIDIA L4"]
    assert not any(w.complete for w in loaded.project.workloads)


# -- values of llm-d's modelservice chart


def modelservice(role: str, head: str = "uri: 'hf://org/model-7b'", more: str = "") -> str:
    return f"modelArtifacts: {{name: org/alias, {head}}}\n{more}decode:\n{role}"


SERVED = """\
  replicas: 3
  parallelism: {tensor: 2, dataLocal: 2}
  containers:
    - {name: vllm, image: 'vllm/vllm-openai:v0.11.0', modelCommand: vllmServe, args: [--max-model-len=4096]}
"""


def test_what_the_modelservice_chart_makes_of_a_role() -> None:
    workload = one(modelservice(SERVED), "values.yaml")
    (engine,) = workload.engines
    assert given(engine, "model", "max_model_len", *SIZES) == {
        "model": "org/model-7b",
        "max_model_len": 4096,
        "tensor_parallel": 2,
        "data_parallel_local": 2,
    }
    (request,) = workload.containers[0].gpus
    assert (request.resource, request.count, engine.gpus_used()) == ("nvidia.com/gpu", 4, 4)
    assert request.place.text() == "tensor: 2"
    assert workload.replicas is not None
    assert workload.replicas.value == 3
    assert not workload.complete


def test_the_roles_of_the_modelservice_chart_scale_on_their_own() -> None:
    loaded = load(
        modelservice(SERVED)
        + """\
prefill:
  containers:
    - {name: vllm, image: 'x/y:1', modelCommand: custom, command: [vllm, serve, a/b], args: [-tp, "2"]}
""",
        "values.yaml",
    )
    decode, prefill = loaded.project.workloads
    assert [(w.part, w.pods[0].role) for w in (decode, prefill)] == [("decode", "decode"), ("prefill", "prefill")]
    assert decode.ref is prefill.ref
    assert given(prefill.engines[0], "model", "tensor_parallel") == {"model": "a/b", "tensor_parallel": 2}


def test_a_role_of_the_modelservice_chart_that_is_off() -> None:
    assert not load(modelservice("  create: false\n" + SERVED), "values.yaml").project.workloads


@pytest.mark.parametrize(
    ("head", "model"),
    [
        ("uri: 'hf://{{ .Values.modelArtifacts.name }}'", "org/alias"),
        ("""uri: 'hf://"{{ .Values.modelArtifacts.name }}"'""", "org/alias"),
        ("uri: 'pvc+hf://claim/cache/org/model-7b'", "org/model-7b"),
        ("uri: 'pvc://claim/path/to/model'", "/model-cache/path/to/model"),
        ("uri: 'pvc://claim/model', mountPath: /models", "/models/model"),
        ("uri: 'hf://{{ .Values.other }}'", None),
        ("uri: 'oci://registry.example/model'", None),
    ],
)
def test_the_model_of_the_modelservice_chart(head: str, model: str | None) -> None:
    setting = engine_of(modelservice(SERVED, head), "values.yaml").model
    assert setting is not None
    assert (setting.value, setting.spelled) == (model, "modelArtifacts.uri")


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ("accelerator: {type: amd}\n", [("amd.com/gpu", 4)]),
        ("accelerator: {type: mine, resources: {mine: nvidia.com/mig-1g.10gb}}\n", [("nvidia.com/mig-1g.10gb", 4)]),
        ("accelerator: {type: cpu}\n", []),
        ("accelerator: {type: nvidia, dra: true}\n", []),
    ],
)
def test_the_accelerators_of_the_modelservice_chart(more: str, expected: list[tuple[str, int]]) -> None:
    workload = one(modelservice(SERVED, more=more), "values.yaml")
    assert [(r.resource, r.count) for r in workload.gpu_requests] == expected
    assert workload.pods[0].dra_claims is ("dra" in more)


def test_what_the_values_write_beats_the_sizes() -> None:
    role = SERVED.replace("args: [--max-model-len=4096]", "args: [-tp, '8'], resources: {limits: {nvidia.com/gpu: 8}}")
    workload = one(modelservice(role), "values.yaml")
    assert workload.containers[0].gpu_count() == 8
    assert given(workload.engines[0], "tensor_parallel") == {"tensor_parallel": 8}


def test_sizes_that_another_file_of_values_may_give() -> None:
    role = SERVED.replace("  parallelism: {tensor: 2, dataLocal: 2}\n", "").replace(
        "args: [--max-model-len=4096]", "resources: {limits: {nvidia.com/gpu: 8}}"
    )
    loaded = load(modelservice(role), "values.yaml")
    (engine,) = loaded.project.workloads[0].engines
    assert engine.tensor_parallel is not None
    assert (engine.tensor_parallel.value, engine.gpus_used()) == (None, None)
    findings, _ = check(loaded, ["unused-gpus", "parallel-size-exceeds-gpus"])
    assert findings == []


def test_the_variables_that_the_modelservice_chart_sets() -> None:
    role = """\
  parallelism: {tensor: 4}
  acceleratorTypes: {labelKey: nvidia.com/gpu.product, labelValues: [NVIDIA-L4]}
  containers:
    - name: vllm
      image: x/y:1
      command: [bash, -c, 'exec vllm serve org/model-7b --tensor-parallel-size $TP_SIZE']
"""
    workload = one(modelservice(role), "values.yaml")
    assert given(workload.engines[0], "tensor_parallel") == {"tensor_parallel": 4}
    placement = workload.pods[0].placement
    assert placement is not None
    assert [gpu.name for gpu in placement.gpus] == ["NVIDIA L4"]


# -- values of the production stack

STACK = """\
servingEngineSpec:
  startupProbe: {initialDelaySeconds: 10, periodSeconds: 10, failureThreshold: 6}
  modelSpec:
    - name: chat
      repository: vllm/vllm-openai
      tag: v0.10.0
      modelURL: org/model-7b
      replicaCount: 2
      requestGPU: 4
      limitMemory: 64Gi
      nodeSelectorTerms:
        - matchExpressions: [{key: nvidia.com/gpu.product, operator: In, values: [NVIDIA-L4]}]
      vllmConfig:
        tensorParallelSize: 4
        maxModelLen: 8192
        gpuMemoryUtilization: 0.9
        extraArgs: ["--max-num-seqs", 64]
"""


def test_a_model_of_the_production_stack() -> None:
    workload = one(STACK, "values.yaml")
    (container,) = workload.containers
    (engine,) = workload.engines
    assert given(engine, "model", "tensor_parallel", "max_model_len", "memory_fraction", "max_num_seqs") == {
        "model": "org/model-7b",
        "tensor_parallel": 4,
        "max_model_len": 8192,
        "memory_fraction": 0.9,
        "max_num_seqs": 64,
    }
    assert (engine.version_text, engine.arguments_known, engine.gpus_used()) == ("0.10.0", True, 4)
    assert engine.tensor_parallel is not None
    assert engine.tensor_parallel.spelled == "tensorParallelSize"
    assert engine.max_num_seqs is not None
    assert engine.max_num_seqs.spelled == "--max-num-seqs"
    assert (container.gpu_count(), container.memory_limit_mib) == (4, 64 * 1024)
    assert container.startup_probe is not None
    assert container.startup_probe.budget_s == 70
    assert container.shared_memory is not None
    assert (container.shared_memory.medium, container.shared_memory.size_mib) == ("Memory", 20 * 1024)
    placement = workload.pods[0].placement
    assert placement is not None
    assert [gpu.name for gpu in placement.gpus] == ["NVIDIA L4"]
    assert workload.replicas is not None
    assert (workload.replicas.value, workload.part, workload.complete) == (2, "chat", False)


@pytest.mark.parametrize(
    ("change", "count"),
    [
        (("    - name: chat\n", "    - name: chat\n      enabled: false\n"), 0),
        (("servingEngineSpec:\n", "servingEngineSpec:\n  enableEngine: false\n"), 0),
        (("    - name: chat\n", "    - name: chat\n      enabled: true\n"), 1),
    ],
)
def test_models_of_the_production_stack_that_are_off(change: tuple[str, str], count: int) -> None:
    assert len(load(STACK.replace(*change), "values.yaml").project.workloads) == count


def test_resources_of_the_production_stack_by_another_name() -> None:
    slices = one(
        STACK.replace("requestGPU: 4", "requestGPU: 4\n      requestGPUType: nvidia.com/mig-1g.10gb"), "v.yaml"
    )
    assert [(r.mig_profile, r.count) for r in slices.gpu_requests] == [("1g.10gb", 4)]
    shares = one(STACK.replace("requestGPU: 4", "requestGPU: 1\n      limitGPUMem: '3000'"), "v.yaml")
    assert [(r.count, r.virtual) for r in shares.gpu_requests] == [(1, True)]
    whole = one(STACK.replace("requestGPU: 4", "resources: {limits: {nvidia.com/gpu: 2}}"), "v.yaml")
    assert whole.containers[0].gpu_count() == 2


def test_a_ray_cluster_of_the_production_stack() -> None:
    text = STACK.replace("replicaCount: 2", "replicaCount: 1\n      raySpec: {headNode: {requestGPU: 4}}").replace(
        "tensorParallelSize: 4", "tensorParallelSize: 4\n        pipelineParallelSize: 2"
    )
    workload = one(text, "values.yaml")
    assert [(pod.role, pod.per_group, pod.containers[0].gpu_count()) for pod in workload.pods] == [
        ("head", 1, 4),
        ("worker", 1, 4),
    ]
    (engine,) = workload.engines
    assert engine.container.pod.role == "head"  # on what the head has
    assert (workload.multi_node, workload.replicas, engine.ray_cluster) == (True, None, True)
    assert given(engine, *SIZES) == {"tensor_parallel": 4, "pipeline_parallel": 2}


def test_the_scaled_object_of_a_model_of_the_production_stack() -> None:
    text = (
        STACK
        + """\
      keda:
        enabled: true
        minReplicaCount: 0
        maxReplicaCount: 5
        cooldownPeriod: 360
        triggers:
          - type: prometheus
            metadata: {serverAddress: 'http://prometheus', query: 'avg(DCGM_FI_DEV_GPU_UTIL)', threshold: '80'}
"""
    )
    loaded = load(text, "values.yaml")
    (scaler,) = loaded.project.autoscalers
    assert scaler.workload is loaded.project.workloads[0]
    assert scaler.min_replicas is not None
    assert scaler.max_replicas is not None
    assert scaler.to_zero_after_s is not None
    assert (scaler.min_replicas.value, scaler.max_replicas.value, scaler.to_zero_after_s.value) == (0, 5, 360)
    findings, failed = check(loaded, ["gpu-utilization-autoscaling"])
    assert not failed
    assert [finding.place.text() for finding in findings] == ["DCGM_FI_DEV_GPU_UTIL"]
    assert not load(text.replace("enabled: true", "enabled: false"), "values.yaml").project.autoscalers


def test_the_production_stack_released_by_argo_cd() -> None:
    values = "".join(f"        {line}\n" for line in STACK.splitlines())
    workload = one(
        f"""\
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {{name: stack}}
spec:
  source:
    chart: vllm-stack
    helm:
      valuesObject:
{values}"""
    )
    assert (str(workload.ref), workload.containers[0].gpu_count()) == ("Application stack", 4)


# -- the engine and the replicas of a chart

CHART = """\
replicaCount: 3
image: {repository: nvcr.io/nim/meta/llama-3.1-8b-instruct, tag: 1.8.5}
resources: {limits: {nvidia.com/gpu: 1}}
"""


@pytest.mark.parametrize(
    ("image", "name", "version"),
    [
        ("repository: nvcr.io/nim/meta/llama-3.1-8b-instruct, tag: 1.8.5", "nim", "1.8.5"),
        ("repository: ghcr.io/huggingface/text-generation-inference, tag: 3.0.0-rocm", "tgi", "3.0.0"),
        ("repository: vllm/vllm-openai, tag: v0.11.0", "vllm", "0.11.0"),
    ],
)
def test_the_image_of_a_chart_tells_its_engine_and_nothing_of_its_arguments(
    image: str, name: str, version: str
) -> None:
    own = "repository: nvcr.io/nim/meta/llama-3.1-8b-instruct, tag: 1.8.5"
    engine = engine_of(CHART.replace(own, image), "values.yaml")
    assert (engine.name, engine.version_text, engine.arguments_known, engine.gpus_used()) == (
        name,
        version,
        False,
        None,
    )
    assert set(given(engine, "model", "max_model_len", *SIZES).values()) <= {None}


def test_an_image_of_a_chart_that_is_no_engine() -> None:
    assert not one(CHART.replace("nvcr.io/nim/meta/llama-3.1-8b-instruct", "registry.example/app"), "v.yaml").engines


@pytest.mark.parametrize(
    ("more", "replicas"),
    [
        ("", 3),
        ("autoscaling: {enabled: false}\n", 3),
        ("autoscaling: {enabled: true, maxReplicas: 4}\n", None),  # the chart leaves them to the autoscaler
    ],
)
def test_the_replicas_of_a_chart(more: str, replicas: int | None) -> None:
    found = one(CHART + more, "values.yaml").replicas
    assert (found.value if found is not None else None) == replicas


# -- names that the API server completes


def test_a_generated_name() -> None:
    workload = one(
        """\
apiVersion: batch/v1
kind: Job
metadata: {generateName: load-}
spec:
  template: {spec: {containers: [{name: c, image: 'x:1', resources: {limits: {nvidia.com/gpu: 1}}}]}}
"""
    )
    assert (str(workload.ref), workload.place.text(), workload.complete) == ("Job load-", "load-", True)


# -- resource profiles of KubeAI

PROFILES = """\
resourceProfiles:
  mine:
    limits: {nvidia.com/gpu: 2, memory: 64Gi}
    nodeSelector: {cloud.google.com/gke-accelerator: nvidia-l4}
  nvidia-gpu-h100:
    nodeSelector: {cloud.google.com/gke-accelerator: nvidia-h100-80gb}
  nothing: {}
"""


def kubeai(profile: str) -> str:
    return f"""\
apiVersion: kubeai.org/v1
kind: Model
metadata: {{name: m}}
spec: {{features: [TextGeneration], url: 'hf://org/model-7b', engine: VLLM, resourceProfile: '{profile}'}}
"""


@pytest.mark.parametrize(
    ("profile", "gpus", "boards"),
    [
        ("mine:2", [("nvidia.com/gpu", 4)], ["NVIDIA L4"]),
        ("mine:${N}", [("nvidia.com/gpu", None)], ["NVIDIA L4"]),
        ("nvidia-gpu-h100:2", [("nvidia.com/gpu", 2)], ["NVIDIA H100 80GB HBM3"]),  # the values move it, no more
        ("nothing:1", [], []),
        ("elsewhere:1", [], []),
    ],
)
def test_profiles_in_the_values_of_kubeai(profile: str, gpus: list[tuple[str, int | None]], boards: list[str]) -> None:
    (workload,) = load(kubeai(profile), "models/m.yaml", **{"values.yaml": PROFILES}).project.workloads
    (container,) = workload.containers
    assert [(request.resource, request.count) for request in container.gpus] == gpus
    assert all(request.place.text().strip("'") == profile for request in container.gpus)
    placement = workload.pods[0].placement
    assert ([gpu.name for gpu in placement.gpus] if placement is not None else []) == boards


# -- nodes


@pytest.mark.parametrize(
    ("values", "boards"),
    [
        ("[NVIDIA-L20]", ["NVIDIA L20"]),
        ("[NVIDIA-L20, NVIDIA-H20-SXM5-96GB]", ["NVIDIA H20", "NVIDIA L20"]),
        ("[NVIDIA-L20, Another-Board]", None),
    ],
)
def test_the_gpu_label_of_volcengine(values: str, boards: list[str] | None) -> None:
    terms = f"[{{matchExpressions: [{{key: machine.cluster.vke.volcengine.com/gpu-name, operator: In, values: {values}}}]}}]"
    workload = one(
        f"""\
apiVersion: v1
kind: Pod
metadata: {{name: p}}
spec:
  affinity: {{nodeAffinity: {{requiredDuringSchedulingIgnoredDuringExecution: {{nodeSelectorTerms: {terms}}}}}}}
  containers: [{{name: c, image: 'x:1', resources: {{limits: {{nvidia.com/gpu: 1}}}}}}]
"""
    )
    placement = workload.pods[0].placement
    assert (sorted(gpu.name for gpu in placement.gpus) if placement is not None else None) == boards


# -- SkyPilot


def test_a_sky_pilot_task_that_runs_its_engine_with_docker() -> None:
    text = """\
resources: {accelerators: {L4: 4}, ports: 8080}
envs: {MODEL_ID: org/model-7b}
run: |
  docker run --gpus GPUS --shm-size 1g -p 8080:80 -v ~/data:/data \\
    ghcr.io/huggingface/text-generation-inference:3.0.0 --model-id $MODEL_ID --num-shard 2
"""
    workload = one(text.replace("GPUS", "all"), "task.yaml")
    (container,) = workload.containers
    (engine,) = workload.engines
    assert (engine.name, engine.version_text) == ("tgi", "3.0.0")
    assert given(engine, "model", "tensor_parallel") == {"model": "org/model-7b", "tensor_parallel": 2}
    assert [(request.resource, request.count) for request in container.gpus] == [("L4", 4)]
    assert container.shared_memory is not None
    assert (container.shared_memory.size_mib, workload.batch, engine.container.pod.workload) == (1024, False, workload)
    assert [port.value for port in container.published] == [8080]
    assert one(text.replace("GPUS", "2"), "task.yaml").containers[0].gpu_count() == 2


def test_a_sky_pilot_task_that_runs_another_program_with_docker() -> None:
    workload = one("resources: {accelerators: L4}\nrun: docker run --gpus all registry.example/train:1\n", "task.yaml")
    assert (workload.containers[0].name, workload.batch, workload.engines) == ("run", True, [])


def test_values_that_repeat_themselves_without_end() -> None:
    levels = ["l0: &l0 {resources: {limits: {nvidia.com/gpu: 1}}}\n"]
    levels += [f"l{level}: &l{level} [{', '.join([f'*l{level - 1}'] * 300)}]\n" for level in range(1, 5)]
    assert len(load("".join(levels), "values.yaml").project.workloads) == 1


# -- docker compose


def test_places_behind_an_escaped_dollar() -> None:
    text = """\
services:
  a:
    image: vllm/vllm-openai:v0.11.0
    environment: {M: org/model-7b}
    entrypoint:
      /bin/bash -c "
      vllm serve \\
      --model $${M} \\
      --max-model-len 4096"
"""
    model = engine_of(text, "compose.yaml").model
    assert model is not None
    assert model.place is not None
    assert (model.value, model.place.text(), model.place.line) == ("org/model-7b", "--model $${M}", 8)


# -- what `gpulint inspect` shows


def test_inspect_tells_the_parts_of_an_object_apart() -> None:
    loaded = load(
        modelservice(SERVED)
        + "prefill: {containers: [{name: vllm, image: 'x/y:1', modelCommand: vllmServe}]}\n"
        + "more: {resources: {limits: {nvidia.com/gpu: 1}}}\n",
        "values.yaml",
    )
    data = inspection(loaded.project, loaded.scope)
    assert sorted(workload.get("part", "-") for workload in data["workloads"]) == ["-", "decode", "prefill"]
    assert "Chart values.yaml (decode)  values.yaml:2" in tree(data, color=False).splitlines()
