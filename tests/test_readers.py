"""Readers: each format becomes the same objects, with the places of what they hold."""

from __future__ import annotations

import pytest

from gpulint.load import load_texts
from gpulint.metrics.table import Meaning
from gpulint.model.autoscaler import Autoscaler
from gpulint.model.project import Project
from gpulint.model.workload import Container, Workload


def read(text: str, path: str = "file.yaml") -> Project:
    loaded = load_texts({path: text})
    assert not loaded.problems, [problem.reason for problem in loaded.problems]
    return loaded.project


def one_workload(text: str) -> Workload:
    (workload,) = read(text).workloads
    return workload


def one_scaler(text: str) -> Autoscaler:
    (scaler,) = read(text).autoscalers
    return scaler


CONTAINER = "{name: vllm, image: 'vllm/vllm-openai:v0.11.0', resources: {limits: {nvidia.com/gpu: 2}}}"


@pytest.mark.parametrize(
    ("api_version", "kind", "spec", "batch"),
    [
        ("v1", "Pod", "{containers: [%s]}", False),
        ("apps/v1", "Deployment", "{selector: {}, template: {spec: {containers: [%s]}}}", False),
        ("apps/v1", "StatefulSet", "{selector: {}, template: {spec: {containers: [%s]}}}", False),
        ("apps/v1", "DaemonSet", "{selector: {}, template: {spec: {containers: [%s]}}}", False),
        ("apps/v1", "ReplicaSet", "{selector: {}, template: {spec: {containers: [%s]}}}", False),
        ("batch/v1", "Job", "{template: {spec: {containers: [%s]}}}", True),
        ("batch/v1", "CronJob", "{jobTemplate: {spec: {template: {spec: {containers: [%s]}}}}}", True),
    ],
)
def test_kinds(api_version: str, kind: str, spec: str, batch: bool) -> None:
    workload = one_workload(
        f"apiVersion: {api_version}\nkind: {kind}\nmetadata: {{name: x, namespace: ns}}\nspec: {spec % CONTAINER}\n"
    )
    (container,) = workload.containers
    assert (workload.ref.kind, workload.ref.namespace, workload.ref.name) == (kind, "ns", "x")
    assert container.gpu_count() == 2
    assert container.gpus[0].place.text() == "2"
    assert container.gpus[0].key_place.text() == "nvidia.com/gpu"
    assert container.engine is not None
    assert container.engine.name == "vllm"
    assert workload.complete
    assert workload.batch is batch


def test_another_group_s_kind_is_something_else() -> None:
    text = f"apiVersion: example.com/v1\nkind: Deployment\nmetadata: {{name: x}}\nspec: {{template: {{spec: {{containers: [{CONTAINER}]}}}}}}\n"
    assert not read(text).workloads


def test_list_kinds() -> None:
    item = f"{{apiVersion: v1, kind: Pod, metadata: {{name: %s}}, spec: {{containers: [{CONTAINER}]}}}}"
    project = read(f"apiVersion: v1\nkind: List\nitems:\n- {item % 'a'}\n- {item % 'b'}\n")
    assert [workload.ref.name for workload in project.workloads] == ["a", "b"]
    assert project.workloads[1].place.node_path() == "items[1].metadata.name"


def test_leader_worker_set() -> None:
    workload = one_workload(
        f"""
apiVersion: leaderworkerset.x-k8s.io/v1
kind: LeaderWorkerSet
metadata: {{name: big}}
spec:
  leaderWorkerTemplate:
    size: 4
    leaderTemplate: {{spec: {{containers: [{CONTAINER}]}}}}
    workerTemplate: {{spec: {{containers: [{CONTAINER}]}}}}
"""
    )
    assert workload.multi_node
    assert [(pod.role, pod.per_group) for pod in workload.pods] == [("leader", 1), ("worker", 3)]


@pytest.mark.parametrize("missing", ["selector", "image"])
def test_a_patch_is_not_complete(missing: str) -> None:
    selector = "" if missing == "selector" else "selector: {matchLabels: {a: b}}, "
    image = "" if missing == "image" else "image: 'vllm/vllm-openai:v0.11.0', "
    workload = one_workload(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: x}\nspec: {"
        f"{selector}template: {{spec: {{containers: [{{name: c, {image}resources: {{limits: {{nvidia.com/gpu: 1}}}}}}]}}}}}}\n"
    )
    assert not workload.complete


def container_of(body: str, pod: str = "") -> Container:
    text = (
        "apiVersion: v1\nkind: Pod\nmetadata: {name: x}\nspec:\n"
        + pod
        + "  containers:\n  - name: c\n    image: i\n"
        + body
    )
    (container,) = one_workload(text).containers
    return container


@pytest.mark.parametrize(
    ("resources", "count", "profile", "vendor"),
    [
        ("limits: {nvidia.com/gpu: '4'}", 4, None, "nvidia"),
        ("requests: {nvidia.com/gpu: 4}", 4, None, "nvidia"),
        ("limits: {nvidia.com/gpu: 4}, requests: {nvidia.com/gpu: 8}", 4, None, "nvidia"),
        ("limits: {'nvidia.com/gpu ': 1}", 1, None, "nvidia"),
        ("limits: {nvidia.com/mig-1g.10gb: 1}", 1, "1g.10gb", "nvidia"),
        ("limits: {nvidia.com/mig-1g.10gb.me: 1}", 1, "1g.10gb+me", "nvidia"),
        ("limits: {nvidia.com/gpu: '${GPUS}'}", None, None, "nvidia"),
        ("limits: {amd.com/gpu: 8}", 8, None, "amd"),
        ("limits: {google.com/tpu: 4}", 4, None, "google-tpu"),
    ],
)
def test_gpu_requests(resources: str, count: int | None, profile: str | None, vendor: str) -> None:
    container = container_of(f"    resources: {{{resources}}}\n")
    (request,) = container.gpus
    assert (request.count, request.mig_profile, request.vendor) == (count, profile, vendor)
    assert container.gpu_count() == count


def test_no_gpus() -> None:
    project = read(
        "apiVersion: v1\nkind: Pod\nmetadata: {name: vllm}\nspec: {containers: [{name: c, image: vllm/vllm-openai, resources: {limits: {nvidia.com/gpu: 0}}}]}\n"
    )
    assert project.workloads[0].containers[0].gpu_count() == 0


def test_hami_shares_are_virtual() -> None:
    container = container_of("    resources: {limits: {nvidia.com/gpu: 2, nvidia.com/gpumem: 3000}}\n")
    (request,) = container.gpus
    assert request.virtual


@pytest.mark.parametrize(
    ("volume", "medium", "size_mib"),
    [
        ("emptyDir: {medium: Memory, sizeLimit: 8Gi}", "Memory", 8192),
        ("emptyDir: {medium: Memory}", "Memory", None),
        ("emptyDir: {}", "disk", None),
        ("hostPath: {path: /dev/shm}", "host", None),
        ("persistentVolumeClaim: {claimName: x}", "unknown", None),
    ],
)
def test_shared_memory(volume: str, medium: str, size_mib: float | None) -> None:
    container = container_of(
        "    resources: {limits: {nvidia.com/gpu: 1}}\n    volumeMounts: [{name: shm, mountPath: /dev/shm/}]\n"
        f"  volumes: [{{name: shm, {volume}}}]\n"
    )
    assert container.shared_memory is not None
    assert (container.shared_memory.medium, container.shared_memory.size_mib) == (medium, size_mib)


@pytest.mark.parametrize(
    ("selector", "gpus"),
    [
        ("  nodeSelector: {nvidia.com/gpu.product: NVIDIA-L40S}\n", ["l40s"]),
        ("  nodeSelector: {cloud.google.com/gke-accelerator: nvidia-l4}\n", ["l4"]),
        ("  nodeSelector: {node.kubernetes.io/instance-type: p5.48xlarge}\n", ["h100-sxm5-80gb"]),
        (
            "  affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: "
            "[{matchExpressions: [{key: nvidia.com/gpu.product, operator: In, values: [NVIDIA-L40S, NVIDIA-L4]}]}]}}}\n",
            ["l40s", "l4"],
        ),
    ],
)
def test_placement(selector: str, gpus: list[str]) -> None:
    container = container_of("    resources: {limits: {nvidia.com/gpu: 1}}\n", selector)
    placement = container.pod.placement
    assert placement is not None
    assert [gpu.id for gpu in placement.gpus] == gpus


@pytest.mark.parametrize(
    "selector",
    [
        "",
        "  nodeSelector: {nvidia.com/gpu.product: '${PRODUCT}'}\n",
        "  nodeSelector: {app: gpu}\n",
        # two terms are alternatives, an unknown value could be anything, NotIn says little
        "  affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: "
        "[{matchExpressions: [{key: nvidia.com/gpu.product, operator: In, values: [NVIDIA-L40S]}]}, {}]}}}\n",
        "  affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: "
        "[{matchExpressions: [{key: nvidia.com/gpu.product, operator: In, values: [NVIDIA-L40S, NVIDIA-X1]}]}]}}}\n",
        "  affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: "
        "[{matchExpressions: [{key: nvidia.com/gpu.product, operator: NotIn, values: [NVIDIA-L40S]}]}]}}}\n",
    ],
)
def test_unknown_placement(selector: str) -> None:
    assert container_of("    resources: {limits: {nvidia.com/gpu: 1}}\n", selector).pod.placement is None


# -- autoscalers

HPA = "apiVersion: autoscaling/{version}\nkind: HorizontalPodAutoscaler\nmetadata: {{name: h}}\nspec:\n  scaleTargetRef: {{kind: Deployment, name: d}}\n  maxReplicas: 4\n{rest}"


@pytest.mark.parametrize(
    ("version", "rest", "meaning", "place", "target_type", "threshold"),
    [
        ("v1", "  targetCPUUtilizationPercentage: 60\n", Meaning.CPU, "targetCPUUtilizationPercentage: 60", "Utilization", 60),
        ("v2", "  metrics: [{type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 70}}}]\n", Meaning.CPU, "cpu", "Utilization", 70),
        ("v2beta2", "  metrics: [{type: Resource, resource: {name: memory, target: {type: AverageValue, averageValue: 4Gi}}}]\n", Meaning.HOST_MEMORY, "memory", "AverageValue", 4 * 2**30),
        ("v2beta1", "  metrics: [{type: Resource, resource: {name: cpu, targetAverageUtilization: 50}}]\n", Meaning.CPU, "cpu", "Utilization", 50),
        ("v2beta1", "  metrics: [{type: Pods, pods: {metricName: DCGM_FI_DEV_GPU_UTIL, targetAverageValue: 40}}]\n", Meaning.GPU_UTILIZATION, "DCGM_FI_DEV_GPU_UTIL", "AverageValue", 40),
        ("v2", "  metrics: [{type: Pods, pods: {metric: {name: vllm:num_requests_waiting}, target: {type: AverageValue, averageValue: 500m}}}]\n", Meaning.QUEUE, "vllm:num_requests_waiting", "AverageValue", 0.5),
        ("v2", "  metrics: [{type: Object, object: {metric: {name: gpu_utilization}, describedObject: {kind: Service, name: s}, target: {type: Value, value: 80}}}]\n", Meaning.GPU_UTILIZATION, "gpu_utilization", "Value", 80),
        ("v2", "  metrics: [{type: External, external: {metric: {name: 'prometheus.googleapis.com|vllm:num_requests_waiting|gauge'}, target: {type: AverageValue, averageValue: 5}}}]\n", Meaning.QUEUE, "'prometheus.googleapis.com|vllm:num_requests_waiting|gauge'", "AverageValue", 5),
    ],
)  # fmt: skip
def test_hpa_metrics(version: str, rest: str, meaning: Meaning, place: str, target_type: str, threshold: float) -> None:
    scaler = one_scaler(HPA.format(version=version, rest=rest))
    (metric,) = scaler.metrics
    assert metric.meanings == {meaning}
    assert metric.place.text() == place
    assert metric.target_type == target_type
    assert metric.threshold is not None
    assert metric.threshold.value == threshold
    assert scaler.metrics_known
    assert scaler.default_metric is None


@pytest.mark.parametrize(
    ("version", "rest"), [("v1", ""), ("v2", ""), ("v2", "  metrics: []\n"), ("v2", "  metrics:\n")]
)
def test_hpa_without_metrics(version: str, rest: str) -> None:
    scaler = one_scaler(HPA.format(version=version, rest=rest))
    assert scaler.default_metric is not None
    assert scaler.default_metric.text() == "spec"


def test_hpa_patch() -> None:
    scaler = one_scaler(
        "apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {name: h}\nspec: {maxReplicas: 9}\n"
    )
    assert not scaler.complete
    assert not scaler.metrics_known
    assert scaler.default_metric is None


def test_hpa_behavior() -> None:
    scaler = one_scaler(
        HPA.format(
            version="v2",
            rest="  minReplicas: 2\n  behavior: {scaleDown: {stabilizationWindowSeconds: 30, policies: [{type: Percent, value: 100, periodSeconds: 15}]}}\n",
        )
    )
    window = scaler.scale_down.stabilization_window_s
    assert window is not None
    assert (window.value, window.place.text()) == (30, "30")
    (policy,) = scaler.scale_down.policies
    assert (policy.type, policy.value, policy.period_s) == ("Percent", 100, 15)
    assert scaler.min_replicas is not None
    assert scaler.min_replicas.value == 2


def test_keda() -> None:
    scaler = one_scaler(
        """
apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata: {name: s}
spec:
  scaleTargetRef: {name: d}
  minReplicaCount: 1
  triggers:
    - type: prometheus
      metadata: {query: 'sum(vllm:num_requests_waiting) + avg(DCGM_FI_DEV_GPU_UTIL)', threshold: "5"}
    - type: memory
      metricType: Utilization
      metadata: {value: "80"}
    - type: cron
      metadata: {start: 0 8 * * *, end: 0 18 * * *, desiredReplicas: "4"}
  advanced:
    horizontalPodAutoscalerConfig:
      behavior: {scaleDown: {stabilizationWindowSeconds: 0, selectPolicy: Disabled}}
"""
    )
    assert scaler.target is not None
    assert scaler.target.kind == "Deployment"
    query, memory, cron = scaler.metrics
    assert query.meanings == {Meaning.QUEUE, Meaning.GPU_UTILIZATION}
    assert query.query is not None
    assert [query.place_of(selector).text() for selector in query.query.selectors] == [
        "vllm:num_requests_waiting",
        "DCGM_FI_DEV_GPU_UTIL",
    ]
    assert memory.meanings == {Meaning.HOST_MEMORY}
    assert not cron.meanings
    assert scaler.scale_down.disabled


@pytest.mark.parametrize(
    ("trigger", "activation", "missing_is_zero"),
    [
        ("{type: prometheus, metadata: {query: up, threshold: '5', activationThreshold: '2'}}", 2, True),
        ("{type: prometheus, metadata: {query: up, threshold: '5', ignoreNullValues: 'false'}}", None, False),
        ("{type: gcp-stackdriver, metadata: {filter: f, targetValue: '5', activationTargetValue: '2'}}", 2, None),
        ("{type: datadog, metadata: {query: q, queryValue: '5', activationQueryValue: '2'}}", 2, None),
    ],
)
def test_keda_scalers_spell_it_their_own_way(
    trigger: str, activation: float | None, missing_is_zero: bool | None
) -> None:
    (metric,) = one_scaler(
        "apiVersion: keda.sh/v1alpha1\nkind: ScaledObject\nmetadata: {name: s}\n"
        f"spec: {{scaleTargetRef: {{name: d}}, triggers: [{trigger}]}}\n"
    ).metrics
    assert metric.threshold is not None
    assert metric.threshold.value == 5
    assert (metric.activation.value if metric.activation is not None else None) == activation
    assert metric.missing_is_zero is missing_is_zero


# -- monitoring

RULES = """\
groups:
  - name: gpu
    rules:
      - record: pod:gpu_util:avg
        expr: avg by (pod) (DCGM_FI_DEV_GPU_UTIL)
      - alert: Idle
        expr: |
          pod:gpu_util:avg < 20
            and on (pod) vllm:num_requests_running == 0
        for: 1h30m
        labels: {severity: info}
        annotations: {summary: "GPU idle"}
"""


def indented(text: str, by: int) -> str:
    return "".join(" " * by + line for line in text.splitlines(keepends=True))


@pytest.mark.parametrize(
    "text",
    [
        RULES,
        "apiVersion: monitoring.coreos.com/v1\nkind: PrometheusRule\nmetadata: {name: r}\nspec:\n" + indented(RULES, 2),
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: r}\ndata:\n  gpu.rules: |\n" + indented(RULES, 4),
    ],
    ids=["file", "PrometheusRule", "ConfigMap"],
)
def test_rules(text: str) -> None:
    project = read(text)
    (record,) = project.recording_rules
    assert record.name == "pod:gpu_util:avg"
    (alert,) = project.alerts
    assert (alert.name, alert.for_s, alert.labels) == ("Idle", 5400, {"severity": "info"})
    assert alert.words == "Idle GPU idle"
    query = alert.expression.query
    assert query is not None
    assert [alert.expression.place_of(selector).text() for selector in query.selectors] == [
        "pod:gpu_util:avg",
        "vllm:num_requests_running",
    ]
    assert project.meanings_of(["pod:gpu_util:avg"], alert.place) == {Meaning.GPU_UTILIZATION}


def test_adapter_alias() -> None:
    adapter = """\
rules:
  custom:
    - seriesQuery: DCGM_FI_DEV_GPU_UTIL{exported_pod!=""}
      name: {matches: ^(.*)$, as: busy}
      metricsQuery: avg(<<.Series>>{<<.LabelMatchers>>}) by (<<.GroupBy>>)
"""
    hpa = HPA.format(
        version="v2",
        rest="  metrics: [{type: Pods, pods: {metric: {name: busy}, target: {type: AverageValue, averageValue: 50}}}]\n",
    )
    project = load_texts({"adapter-values.yaml": adapter, "hpa.yaml": hpa}).project
    (metric,) = project.autoscalers[0].metrics
    assert metric.meanings == {Meaning.GPU_UTILIZATION}
    assert metric.via is not None
    assert metric.via.source.path == "adapter-values.yaml"


# -- MIG

MIG = """\
version: v1
mig-configs:
  all-disabled:
    - devices: all
      mig-enabled: false
  mixed:
    - device-filter: ["0x20B210DE"]
      devices: [0, 1]
      mig-enabled: true
      mig-devices:
        "3g.40gb": 1
        "1g.10gb": 4
"""


@pytest.mark.parametrize(
    "text",
    [MIG, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: m}\ndata:\n  config.yaml: |\n" + indented(MIG, 4)],
    ids=["file", "ConfigMap"],
)
def test_mig_plan(text: str) -> None:
    (plan,) = read(text).mig_plans
    assert not plan.schema_errors
    off, mixed = plan.layouts
    assert (off.config, off.enabled, off.devices) == ("all-disabled", False, None)
    assert (mixed.enabled, mixed.devices) == (True, [0, 1])
    assert [device.value for device in mixed.device_filter] == ["0x20B210DE"]
    assert [(c.profile.value, c.count.value, c.profile.place.text()) for c in mixed.profiles] == [
        ("3g.40gb", 1, '"3g.40gb"'),
        ("1g.10gb", 4, '"1g.10gb"'),
    ]


@pytest.mark.parametrize(
    ("old", "new", "place", "words"),
    [
        ("version: v1", "version: v2", "v2", "only version"),
        ("mig-enabled: true", "mig-enabled: maybe", "maybe", "true or false"),
        ("devices: [0, 1]", "devices: some", "some", "word all"),
        ('"1g.10gb": 4', '"1g.10gb": four', "four", "whole number"),
        ('"3g.40gb": 1', '"3g-40gb": 1', '"3g-40gb"', "MIG profile"),
        ("mig-enabled: false", "mig-enabled: false\n      mig-device: {}", "mig-device", "mig-device"),
        ('["0x20B210DE"]', '["20B210DE"]', '"20B210DE"', "PCI device id"),
    ],
)
def test_mig_plan_against_its_schema(old: str, new: str, place: str, words: str) -> None:
    (plan,) = read(MIG.replace(old, new, 1)).mig_plans
    assert plan.schema_errors
    error = plan.schema_errors[0]
    assert words in error.message
    assert error.place.text() == place


def test_duplicate_keys_are_noted() -> None:
    project = read(
        "apiVersion: v1\nkind: Pod\nmetadata: {name: x}\nspec:\n  containers:\n  - name: c\n    image: i\n"
        "    resources: {limits: {nvidia.com/gpu: 1}}\n    resources: {limits: {nvidia.com/gpu: 2}}\n"
    )
    (duplicate,) = project.duplicate_keys
    assert duplicate.key == "resources"
    assert (duplicate.place.line, duplicate.first.line) == (9, 8)
    assert project.workloads[0].containers[0].gpu_count() == 2
