"""VLLMRuntime of the production stack's operator."""

from __future__ import annotations

import pytest

from gpulint.lint import check
from gpulint.load import Loaded, load_texts
from gpulint.model.workload import Workload

SPEC = """\
  model: {modelURL: Qwen/Qwen3-8B, maxModelLen: 4096, dtype: bfloat16}
  vllmConfig: {tensorParallelSize: 4, gpuMemoryUtilization: "0.8", extraArgs: [--kv-cache-dtype=fp8], env: [{name: A, value: b}]}
  deploymentConfig:
    replicas: 2
    resources: {cpu: "8", memory: 32Gi, gpu: "2"}
    image: {registry: docker.io, name: "vllm/vllm-openai:v0.11.0"}
"""
SCALING = "  autoscalingConfig: {enabled: true, maxReplicas: 4"


def load(spec: str) -> Loaded:
    text = f"apiVersion: production-stack.vllm.ai/v1alpha1\nkind: VLLMRuntime\nmetadata: {{name: chat, namespace: ns}}\nspec:\n{spec}"
    loaded = load_texts({"runtime.yaml": text})
    assert not loaded.problems, [problem.reason for problem in loaded.problems]
    return loaded


def only(loaded: Loaded) -> Workload:
    (workload,) = loaded.project.workloads
    return workload


def rules_of(loaded: Loaded, *rules: str) -> list[tuple[str, str]]:
    findings, failed = check(loaded, rules)
    assert not failed, [problem.reason for problem in failed]
    return [(finding.rule, finding.place.text()) for finding in findings]


def test_a_runtime_is_a_deployment() -> None:
    loaded = load(SPEC)
    workload = only(loaded)
    assert workload.complete
    assert workload.replicas is not None
    assert workload.replicas.value == 2
    (container,) = workload.containers
    assert container.image is not None
    assert container.image.value == "docker.io/vllm/vllm-openai:v0.11.0"
    assert (container.gpu_count(), container.memory_limit_mib) == (2, 32 * 1024)
    assert set(container.env) == {"A"}
    engine = container.engine
    assert engine is not None
    assert (engine.version, engine.arguments_known) == ((0, 11, 0), True)
    for setting, value, spelled in (
        (engine.model, "Qwen/Qwen3-8B", "modelURL"),
        (engine.tensor_parallel, 4, "tensorParallelSize"),
        (engine.memory_fraction, 0.8, "gpuMemoryUtilization"),
        (engine.max_model_len, 4096, "maxModelLen"),
        (engine.kv_cache_dtype, "fp8", "--kv-cache-dtype"),
    ):
        assert setting is not None
        assert (setting.value, setting.spelled) == (value, spelled)
    assert rules_of(loaded, "parallel-size-exceeds-gpus", "missing-shared-memory") == [
        ("missing-shared-memory", "4"),
        ("parallel-size-exceeds-gpus", "4"),
    ]


@pytest.mark.parametrize(
    ("old", "new", "resource"),
    [
        ('gpu: "2"', 'gpu: "4", gpuType: amd.com/gpu', "amd.com/gpu"),
        ('gpu: "2"', 'gpu: "4", gpuType: nvidia.com/mig-1g.10gb', "nvidia.com/mig-1g.10gb"),
    ],
)
def test_other_devices(old: str, new: str, resource: str) -> None:
    (request,) = only(load(SPEC.replace(old, new))).containers[0].gpus
    assert (request.resource, request.count) == (resource, 4)


def test_shared_memory_and_where_it_lands() -> None:
    more = "    shmSize: 16Gi\n    toleration: [{key: nvidia.com/gpu, operator: Exists}]\n" + (
        "    nodeSelectorTerms: [{matchExpressions: "
        "[{key: cloud.google.com/gke-accelerator, operator: In, values: [nvidia-l4]}]}]\n"
    )
    loaded = load(SPEC + more)
    (pod,) = only(loaded).pods
    assert pod.placement is not None
    assert [gpu.name for gpu in pod.placement.gpus] == ["NVIDIA L4"]
    memory = pod.containers[0].shared_memory
    assert memory is not None
    assert (memory.medium, memory.size_mib) == ("Memory", 16 * 1024)
    assert rules_of(loaded, "missing-shared-memory") == []


def test_a_size_of_zero_is_none() -> None:
    engine = only(load(SPEC.replace("tensorParallelSize: 4", "tensorParallelSize: 0"))).containers[0].engine
    assert engine is not None
    assert engine.tensor_parallel is not None
    assert (engine.tensor_parallel.value, engine.tensor_parallel.default) == (1, True)


def test_it_scales_itself() -> None:
    down = ", minReplicas: 0, scaleDownPolicy: {stabilizationWindowSeconds: 10, scaleToZeroDelaySeconds: 600}"
    loaded = load(SPEC + SCALING + down + ", triggers: {requestsRunningThreshold: 7}}\n")
    (scaler,) = loaded.project.autoscalers
    assert scaler.workload is only(loaded)
    assert scaler.lowest == 0
    assert scaler.to_zero_after_s is not None
    assert scaler.to_zero_after_s.value == 600
    assert [(metric.name, metric.threshold and metric.threshold.value) for metric in scaler.metrics] == [
        ("vllm:num_requests_running", 7),
        ("vllm:generation_tokens_total", None),
        ("vllm:prompt_tokens_total", None),
    ]
    assert rules_of(loaded, "scale-down-without-stabilization", "scale-to-zero-cold-start", "cpu-autoscaling") == [
        ("scale-to-zero-cold-start", "0"),
        ("scale-down-without-stabilization", "10"),
    ]


def test_scaling_that_is_off() -> None:
    assert load(SPEC + SCALING.replace("true", "false") + "}\n").project.autoscalers == []


def test_one_replica_at_least_by_default() -> None:
    (scaler,) = load(SPEC + SCALING + "}\n").project.autoscalers
    assert scaler.lowest == 1
