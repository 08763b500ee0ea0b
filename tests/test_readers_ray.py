"""KubeRay clusters and Ray Serve configurations."""

from __future__ import annotations

import pytest

from gpulint.lint import check
from gpulint.load import Loaded, load_texts
from gpulint.metrics.table import Meaning
from gpulint.model.engine import Engine
from gpulint.model.workload import Workload


def load(text: str, path: str = "file.yaml") -> Loaded:
    loaded = load_texts({path: text})
    assert not loaded.problems, [problem.reason for problem in loaded.problems]
    return loaded


def one(text: str) -> Workload:
    (workload,) = load(text).project.workloads
    return workload


def rules_of(text: str, *rules: str) -> list[tuple[str, str]]:
    findings, failed = check(load(text), rules)
    assert not failed, [problem.reason for problem in failed]
    return [(finding.rule, finding.place.text()) for finding in findings]


PARALLEL_RULES = ("parallel-size-exceeds-gpus", "unused-gpus", "missing-shared-memory")


def container(args: str = "", gpus: int = 8, rest: str = "") -> str:
    limits = f"{{memory: 64Gi, nvidia.com/gpu: {gpus}}}" if gpus else "{memory: 8Gi}"
    return f"{{name: ray, image: 'vllm/vllm-openai:v0.11.0', {args}{rest}resources: {{limits: {limits}}}}}"


def pod(inner: str) -> str:
    return f"{{spec: {{containers: [{inner}], nodeSelector: {{cloud.google.com/gke-accelerator: nvidia-l4}}}}}}"


def cluster(head: str, group: str = "", options: str = "") -> str:
    groups = f"[{{groupName: big, {group}, template: {pod(container())}}}]" if group else "[]"
    return f"{{{options}headGroupSpec: {{template: {pod(head)}}}, workerGroupSpecs: {groups}}}"


def manifest(kind: str, spec: str) -> str:
    return f"apiVersion: ray.io/v1\nkind: {kind}\nmetadata: {{name: x}}\nspec: {spec}\n"


SERVE = "command: [bash, -c, '$KUBERAY_GEN_RAY_START_CMD; vllm serve a/b -tp 16 --distributed-executor-backend ray'], "


@pytest.mark.parametrize(
    ("kind", "wrap", "batch"),
    [
        ("RayCluster", "%s", False),
        ("RayJob", "{entrypoint: python x.py, rayClusterSpec: %s}", True),
        ("RayCronJob", "{jobTemplate: {rayClusterSpec: %s}}", True),
        ("RayService", "{rayClusterConfig: %s}", False),
    ],
)
def test_kinds(kind: str, wrap: str, batch: bool) -> None:
    workload = one(manifest(kind, wrap % cluster(container(gpus=0), "replicas: 2")))
    assert (workload.ref.kind, workload.ref.name, workload.batch) == (kind, "x", batch)
    assert [(pod.role, pod.per_group) for pod in workload.pods] == [("head", 1), ("big", 2)]
    assert workload.multi_node
    assert workload.complete
    assert workload.gpus_per_group() == 16


@pytest.mark.parametrize(
    ("group", "options", "pods"),
    [
        ("replicas: 2", "", 2),
        ("replicas: 2, minReplicas: 3, maxReplicas: 9", "", 3),
        ("replicas: 2, numOfHosts: 4", "", 8),
        ("minReplicas: 1, maxReplicas: 9", "", None),
        ("replicas: '${N}'", "", None),
        ("replicas: 2, minReplicas: 0, maxReplicas: 9", "enableInTreeAutoscaling: true, ", None),
        ("replicas: 2, minReplicas: 2, maxReplicas: 2", "enableInTreeAutoscaling: true, ", 2),
    ],
)
def test_pods_of_a_worker_group(group: str, options: str, pods: int | None) -> None:
    workload = one(manifest("RayCluster", cluster(container(gpus=0), group, options)))
    assert workload.pods[1].per_group == pods


@pytest.mark.parametrize(
    ("group", "finds"),
    [
        ("replicas: 1", []),  # 8 on the head and 8 on the worker
        ("replicas: 0", [("parallel-size-exceeds-gpus", "-tp 16")]),
        ("minReplicas: 0, maxReplicas: 4", []),
    ],
)
def test_an_engine_over_the_cluster(group: str, finds: list[tuple[str, str]]) -> None:
    text = manifest("RayCluster", cluster(container(SERVE), group))
    (engine,) = one(text).engines
    assert engine.ray_cluster
    assert rules_of(text, *PARALLEL_RULES) == finds


def test_kuberay_mounts_shared_memory() -> None:
    asked = container(rest="volumeMounts: [], ")
    first, second = one(manifest("RayCluster", cluster(f"{asked}, {container()}", "replicas: 1"))).pods[0].containers
    assert first.shared_memory is not None
    assert (first.shared_memory.medium, first.shared_memory.size_mib) == ("Memory", 64 * 1024)
    assert second.shared_memory is None


@pytest.mark.parametrize(
    ("resources", "size_mib"),
    [
        ("{limits: {memory: 64Gi}, requests: {memory: 8Gi}}", 64 * 1024),
        ("{requests: {memory: 8Gi}}", 8 * 1024),
    ],
)
def test_the_size_of_shared_memory_is_the_limit(resources: str, size_mib: int) -> None:
    head = f"{{template: {{spec: {{containers: [{{name: ray, image: i, resources: {resources}}}]}}}}}}"
    gpus = f"workerGroupSpecs: [{{groupName: big, template: {pod(container())}}}]"
    (first,) = one(manifest("RayCluster", f"{{headGroupSpec: {head}, {gpus}}}")).pods[0].containers
    assert first.shared_memory is not None
    assert first.shared_memory.size_mib == size_mib


def test_no_shared_memory_beside_a_plasma_directory() -> None:
    head = f"{{rayStartParams: {{plasma-directory: /mnt}}, template: {pod(container())}}}"
    (first,) = one(manifest("RayCluster", f"{{headGroupSpec: {head}}}")).pods[0].containers
    assert first.shared_memory is None


def test_a_patch_of_a_cluster_is_not_complete() -> None:
    workload = one(manifest("RayCluster", f"{{workerGroupSpecs: [{{groupName: big, template: {pod(container())}}}]}}"))
    assert not workload.complete


# -- Ray Serve

CONFIG = """\
applications:
- name: llms
  import_path: ray.serve.llm:build_openai_app
  args:
    llm_configs:
    - model_loading_config: {model_id: chat, model_source: Qwen/Qwen3-8B}
      accelerator_type: L4
      engine_kwargs:
        tensor_parallel_size: 4
        pipeline_parallel_size: 2
        gpu_memory_utilization: 0.85
        max_model_len: 4096
        enable_expert_parallel: true
        enable_prefix_caching: false
        hf_overrides: {rope: 1}
      deployment_config:
        autoscaling_config: {min_replicas: 1, max_replicas: 6, target_ongoing_requests: 64, downscale_delay_s: 20}
"""


def service(config: str, group: str = "replicas: 1") -> str:
    inner = "".join(f"    {line}" for line in config.splitlines(keepends=True))
    return (
        "apiVersion: ray.io/v1\nkind: RayService\nmetadata: {name: x}\nspec:\n"
        f"  serveConfigV2: |\n{inner}  rayClusterConfig: {cluster(container(gpus=0), group)}\n"
    )


def settings(engine: Engine) -> dict[str, tuple[object, str]]:
    names = ("model", "tensor_parallel", "pipeline_parallel", "memory_fraction", "max_model_len", "expert_parallel")
    found = {name: getattr(engine, name) for name in names}
    return {name: (s.value, s.spelled) for name, s in found.items() if s is not None and not s.default}


EXPECTED = {
    "model": ("Qwen/Qwen3-8B", "model_source"),
    "tensor_parallel": (4, "tensor_parallel_size"),
    "pipeline_parallel": (2, "pipeline_parallel_size"),
    "memory_fraction": (0.85, "gpu_memory_utilization"),
    "max_model_len": (4096, "max_model_len"),
    "expert_parallel": (True, "enable_expert_parallel"),
}


@pytest.mark.parametrize("text", [CONFIG, service(CONFIG)], ids=["file", "RayService"])
def test_an_engine_of_ray_serve_llm(text: str) -> None:
    workload = one(text)
    (engine,) = workload.engines
    assert engine.name == "vllm"
    assert engine.arguments_known
    assert settings(engine) == EXPECTED
    size = engine.tensor_parallel
    assert size is not None
    assert size.place is not None
    line = next(number for number, line in enumerate(text.splitlines(), 1) if "tensor_parallel_size" in line)
    assert (size.place.text(), size.place.line) == ("4", line)
    hosted = engine.container.pod
    assert (hosted.hosted, hosted.complete, hosted.role) == (True, False, "model")
    assert hosted.placement is not None
    assert [board.id for board in hosted.placement.gpus] == ["l4"]
    assert workload.uses_gpus
    # Ray places its workers on the GPUs of the cluster: no rule compares them with one container.
    assert rules_of(text, *PARALLEL_RULES) == []
    assert rules_of(text, "tensor-parallel-over-pcie") == [("tensor-parallel-over-pcie", "4")]


@pytest.mark.parametrize("text", [CONFIG, service(CONFIG)], ids=["file", "RayService"])
def test_what_scales_it(text: str) -> None:
    loaded = load(text)
    (scaler,) = loaded.project.autoscalers
    (metric,) = scaler.metrics
    assert metric.meanings == {Meaning.CONCURRENCY}
    assert metric.threshold is not None
    assert (metric.threshold.value, metric.threshold.place.text()) == (64, "64")
    assert scaler.min_replicas is not None
    assert scaler.max_replicas is not None
    assert (scaler.min_replicas.value, scaler.max_replicas.value) == (1, 6)
    assert scaler.workload is loaded.project.workloads[0]
    findings, failed = check(loaded, ["scale-down-without-stabilization", "cpu-autoscaling"])
    assert not failed
    (finding,) = findings
    assert finding.place.text() == "20"
    assert "downscale_delay_s to 300 s or more (without it, 600 s hold)" in finding.finding.help


def test_the_workers_of_a_service_still_add_up() -> None:
    workload = one(service(CONFIG, "replicas: 2"))
    assert workload.gpus_per_group() == 16
    assert workload.complete


def test_a_configuration_alone_is_no_whole_workload() -> None:
    workload = one(CONFIG)
    assert (workload.ref.kind, workload.ref.name) == ("Ray Serve config", "file.yaml")
    assert not workload.complete


@pytest.mark.parametrize(
    ("old", "new", "gpus"),
    [
        ("accelerator_type: L4", "accelerator_type: H100", {"h100-sxm5-80gb"}),
        ("accelerator_type: L4", "accelerator_type: UNKNOWN-X", set()),
        ("      accelerator_type: L4\n", "", {"l4"}),  # the one group that has GPUs
    ],
)
def test_where_the_model_lands(old: str, new: str, gpus: set[str]) -> None:
    placement = one(service(CONFIG.replace(old, new))).engines[0].container.pod.placement
    assert gpus <= {board.id for board in (placement.gpus if placement is not None else ())}
    assert bool(gpus) is (placement is not None)


@pytest.mark.parametrize(
    ("old", "new"),
    [("      engine_kwargs:", "      llm_engine: SGLang\n      engine_kwargs:"), ("chat,", "chat,")],
)
def test_other_engines_are_not_taken_for_vllm(old: str, new: str) -> None:
    assert bool(one(CONFIG.replace(old, new)).engines) is ("SGLang" not in new)


def test_prefill_and_decode() -> None:
    config = (
        "applications:\n- import_path: ray.serve.llm:build_pd_openai_app\n  args:\n"
        "    prefill_config: {model_loading_config: {model_id: a/b}, engine_kwargs: {tensor_parallel_size: 2}}\n"
        "    decode_config: {model_loading_config: {model_id: a/b}, engine_kwargs: {tensor_parallel_size: '${TP}'}}\n"
    )
    prefill, decode = one(config).engines
    assert prefill.model is not None
    assert (prefill.model.value, prefill.model.spelled) == ("a/b", "model_id")
    assert prefill.tensor_parallel is not None
    assert decode.tensor_parallel is not None
    assert (prefill.tensor_parallel.value, decode.tensor_parallel.value) == (2, None)


def test_plain_deployments_scale_by_gpu_replicas_alone() -> None:
    config = (
        "applications:\n- import_path: a:b\n  deployments:\n"
        "  - {name: a, ray_actor_options: {num_gpus: 1}, autoscaling_config: {max_replicas: 3, downscale_delay_s: 5}}\n"
        "  - {name: b, ray_actor_options: {num_cpus: 1}, autoscaling_config: {max_replicas: 3, downscale_delay_s: 5}}\n"
    )
    (scaler,) = load(service(config)).project.autoscalers
    assert scaler.scale_down.stabilization_window_s is not None
    assert scaler.scale_down.stabilization_window_s.place.line == 9


@pytest.mark.parametrize(
    "text", ["applications: []\n", "applications:\n- {name: x, llm_configs: import_path}\n", "[]\n"]
)
def test_other_files_are_left_alone(text: str) -> None:
    assert not load(text + "# import_path llm_configs\n").project.workloads
