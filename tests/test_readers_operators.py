"""Operators' own kinds: NIM, KubeAI, KAITO, AIBrix, Dynamo, and llm-d's autoscaler."""

from __future__ import annotations

import pytest

from gpulint.lint import check
from gpulint.load import Loaded, load_texts
from gpulint.metrics.table import Meaning
from gpulint.model.workload import Workload


def load(text: str) -> Loaded:
    loaded = load_texts({"file.yaml": text})
    assert not loaded.problems, [problem.reason for problem in loaded.problems]
    return loaded


def workloads(text: str) -> list[Workload]:
    return load(text).project.workloads


def one(text: str) -> Workload:
    (workload,) = workloads(text)
    return workload


def findings(text: str, *rules: str) -> list[tuple[str, str]]:
    found, failed = check(load(text), rules)
    assert not failed, [problem.reason for problem in failed]
    return [(finding.rule, finding.place.text()) for finding in found]


PARALLEL_RULES = ("parallel-size-exceeds-gpus", "unused-gpus", "missing-shared-memory")

# -- NIM

NIM = """
apiVersion: apps.nvidia.com/v1alpha1
kind: NIMService
metadata: {name: chat, namespace: nim}
spec:
  image: {repository: nvcr.io/nim/meta/llama-3.1-8b-instruct, tag: 1.12.0}
  env:
    - {name: NIM_MAX_MODEL_LEN, value: "8192"}
  nodeSelector: {nvidia.com/gpu.product: NVIDIA-L40S}
  storage: {sharedMemorySizeLimit: 16Gi}
  startupProbe: {probe: {initialDelaySeconds: 60, periodSeconds: 10, failureThreshold: 30}}
  resources: {limits: {nvidia.com/gpu: 2}}
"""
NIM_SCALE = """\
  scale:
    enabled: %s
    hpa:
      minReplicas: 1
      maxReplicas: 4
      metrics: [{type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 60}}}]
      behavior: {scaleDown: {stabilizationWindowSeconds: 10}}
"""


def test_nim_service() -> None:
    workload = one(NIM)
    (container,) = workload.containers
    assert (workload.ref.kind, workload.ref.namespace, workload.ref.name) == ("NIMService", "nim", "chat")
    assert container.image is not None
    assert container.image.value == "nvcr.io/nim/meta/llama-3.1-8b-instruct:1.12.0"
    assert container.gpu_count() == 2
    assert container.gpus[0].place.text() == "2"
    assert container.env["NIM_MAX_MODEL_LEN"].value == "8192"
    assert container.startup_probe is not None
    assert container.startup_probe.budget_s == 360
    assert container.shared_memory is not None
    assert (container.shared_memory.medium, container.shared_memory.size_mib) == ("Memory", 16 * 1024)
    placement = container.pod.placement
    assert placement is not None
    assert [gpu.id for gpu in placement.gpus] == ["l40s"]
    assert workload.complete
    assert not workload.multi_node


def test_a_nim_cache_is_no_workload() -> None:
    assert not workloads(
        "apiVersion: apps.nvidia.com/v1alpha1\nkind: NIMCache\nmetadata: {name: c}\n"
        "spec: {resources: {limits: {nvidia.com/gpu: 1}}}\n"
    )


def test_nim_autoscaler() -> None:
    project = load(NIM + NIM_SCALE % "true").project
    (scaler,) = project.autoscalers
    assert scaler.workload is project.workloads[0]
    assert project.workloads[0].autoscalers == [scaler]
    assert [metric.meanings for metric in scaler.metrics] == [{Meaning.CPU}]
    window = scaler.scale_down.stabilization_window_s
    assert window is not None
    assert window.value == 10
    assert findings(NIM + NIM_SCALE % "true", "cpu-autoscaling") == [("cpu-autoscaling", "cpu")]
    assert not load(NIM + NIM_SCALE % "false").project.autoscalers


def test_an_hpa_beside_a_nim_service_scales_its_deployment() -> None:
    hpa = (
        "---\napiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {name: h, namespace: nim}\n"
        "spec: {scaleTargetRef: {kind: Deployment, name: chat}, maxReplicas: 3}\n"
    )
    (scaler,) = load(NIM + hpa).project.autoscalers
    assert scaler.workload is not None
    assert scaler.workload.ref.kind == "NIMService"


def test_nim_over_several_nodes() -> None:
    workload = one(NIM + "  multiNode: {parallelism: {pipeline: 2, tensor: 8}}\n")
    (pod,) = workload.pods
    assert (workload.multi_node, pod.per_group) == (True, 2)
    assert workload.gpus_per_group() == 4


def test_nim_pipeline() -> None:
    text = """
apiVersion: apps.nvidia.com/v1alpha1
kind: NIMPipeline
metadata: {name: rag}
spec:
  services:
    - name: llm
      spec:
        image: {repository: nvcr.io/nim/meta/llama-3.1-8b-instruct, tag: 1.12.0}
        resources: {limits: {nvidia.com/gpu: 1}}
    - name: embedding
      enabled: false
      spec: {image: {repository: nvcr.io/nim/nvidia/nv-embedqa-e5-v5, tag: 1.0.0}}
"""
    workload = one(text)
    assert (workload.part, workload.place.text()) == ("llm", "llm")
    assert workload.containers[0].gpu_count() == 1


@pytest.mark.parametrize(
    ("claim", "count", "product", "unresolved"),
    [
        ("{claimCreationSpec: {devices: [{name: gpu, count: 2}]}}", 2, None, False),
        (
            "{claimCreationSpec: {devices: [{name: gpu, attributeSelectors: [{key: productName, op: Equal, "
            "value: {stringValue: NVIDIA H100 80GB HBM3}}]}]}}",
            1,
            "h100-sxm5-80gb",
            False,
        ),
        ("{resourceClaimTemplateName: elsewhere}", 0, None, True),
    ],
)
def test_nim_claims(claim: str, count: int, product: str | None, unresolved: bool) -> None:
    text = NIM.replace("  resources: {limits: {nvidia.com/gpu: 2}}\n", f"  draResources: [{claim}]\n")
    workload = one(text.replace("  nodeSelector: {nvidia.com/gpu.product: NVIDIA-L40S}\n", ""))
    (pod,) = workload.pods
    assert pod.containers[0].gpu_count() == count
    assert pod.dra_claims is unresolved
    assert workload.uses_gpus
    assert (pod.placement.gpus[0].id if pod.placement is not None else None) == product


# -- KubeAI

KUBEAI = """
apiVersion: kubeai.org/v1
kind: Model
metadata: {name: chat}
spec:
  url: hf://meta-llama/Llama-3.1-70B-Instruct
  engine: VLLM
  args:
    - --tensor-parallel-size=4
    - --max-model-len=8192
  env: {VLLM_LOGGING_LEVEL: DEBUG}
  minReplicas: 1
  maxReplicas: 4
  targetRequests: 32
  resourceProfile: nvidia-gpu-l4:2
"""


def test_kubeai_model() -> None:
    workload = one(KUBEAI)
    (container,) = workload.containers
    (request,) = container.gpus
    assert (request.resource, request.count, request.place.text()) == ("nvidia.com/gpu", 2, "nvidia-gpu-l4:2")
    engine = container.engine
    assert engine is not None
    assert (engine.name, engine.place.text()) == ("vllm", "VLLM")
    assert engine.model is not None
    assert (engine.model.value, engine.model.place and engine.model.place.text()) == (
        "meta-llama/Llama-3.1-70B-Instruct",
        "hf://meta-llama/Llama-3.1-70B-Instruct",
    )
    assert engine.tensor_parallel is not None
    assert engine.tensor_parallel.value == 4
    placement = container.pod.placement
    assert placement is not None
    assert [gpu.id for gpu in placement.gpus] == ["l4"]
    (scaler,) = workload.autoscalers
    (metric,) = scaler.metrics
    assert metric.meanings == {Meaning.CONCURRENCY}
    assert metric.threshold is not None
    assert metric.threshold.value == 32
    assert (scaler.min_replicas and scaler.min_replicas.value, scaler.max_replicas and scaler.max_replicas.value) == (
        1,
        4,
    )
    # Its delay is no stabilisation window: KubeAI decides on a mean over ten minutes.
    assert scaler.scale_down.stabilization_window_s is None


def test_a_kubeai_model_that_needs_more_gpus_than_its_profile_gives() -> None:
    rules = (*PARALLEL_RULES, "tensor-parallel-over-pcie", "cpu-autoscaling")
    assert findings(KUBEAI, *rules) == [
        ("parallel-size-exceeds-gpus", "--tensor-parallel-size=4"),
        ("tensor-parallel-over-pcie", "--tensor-parallel-size=4"),
    ]
    assert findings(KUBEAI.replace("l4:2", "l4:4"), *PARALLEL_RULES) == []


@pytest.mark.parametrize(
    ("profile", "gpus"),
    [
        ("cpu:4", []),
        ("our-own-gpu:8", []),
        ("nvidia-gpu-h100:$N", [None]),
        ("amd-gpu-mi300x:8", [8]),
        ("nvidia-gpu-t4:0", []),
    ],
)
def test_kubeai_profiles(profile: str, gpus: list[int | None]) -> None:
    (container,) = one(KUBEAI.replace("nvidia-gpu-l4:2", profile)).containers
    assert [request.count for request in container.gpus] == gpus


def test_kubeai_without_autoscaling() -> None:
    assert not load(KUBEAI + "  autoscalingDisabled: true\n").project.autoscalers


# -- KAITO


def kaito(resource: str, inference: str) -> str:
    return (
        f"apiVersion: kaito.sh/v1beta1\nkind: Workspace\nmetadata: {{name: w}}\nresource: {resource}\n"
        f"inference: {inference}\n"
    )


def test_kaito_preset() -> None:
    workload = one(kaito("{instanceType: Standard_NC48ads_A100_v4}", "{preset: {name: phi-4}}"))
    (container,) = workload.containers
    (request,) = container.gpus
    assert (request.count, request.place.text()) == (2, "Standard_NC48ads_A100_v4")
    placement = container.pod.placement
    assert placement is not None
    assert ([gpu.id for gpu in placement.gpus], placement.gpus_per_node) == (["a100-pcie-80gb"], 2)
    assert not workload.complete
    assert workload.gpus_per_group() is None  # the number of nodes is KAITO's estimate


@pytest.mark.parametrize(
    ("resource", "resource_name", "count", "profile"),
    [
        ("{partition: {mode: mig, profile: 2g.20gb}}", "nvidia.com/mig-2g.20gb", 1, "2g.20gb"),
        ("{partition: {mode: accelerator, count: 2}}", "nvidia.com/gpu", 2, None),
    ],
)
def test_kaito_partitions(resource: str, resource_name: str, count: int, profile: str | None) -> None:
    (container,) = one(kaito(resource, "{preset: {name: phi-4}}")).containers
    (request,) = container.gpus
    assert (request.resource, request.count, request.mig_profile) == (resource_name, count, profile)


def test_kaito_over_several_nodes_is_not_known_to_its_end() -> None:
    workload = one(kaito("{instanceType: Standard_NC80adis_H100_v5, count: 6}", "{preset: {name: deepseek-r1}}"))
    assert workload.multi_node
    assert workload.gpus_per_group() is None


def test_kaito_template() -> None:
    template = (
        "{template: {spec: {containers: [{name: vllm, image: 'vllm/vllm-openai:v0.11.0', "
        "args: [--tensor-parallel-size=4], resources: {limits: {nvidia.com/gpu: 2}}}]}}}"
    )
    text = kaito("{instanceType: Standard_NC48ads_A100_v4}", template)
    workload = one(text)
    assert workload.complete
    assert workload.pods[0].placement is not None
    assert ("parallel-size-exceeds-gpus", "--tensor-parallel-size=4") in findings(text, *PARALLEL_RULES)


def test_kaito_tuning_is_no_server() -> None:
    text = kaito("{instanceType: Standard_NC24ads_A100_v4}", "{preset: {name: phi-4}}")
    assert not workloads(text.replace("inference:", "tuning:"))


@pytest.mark.parametrize(
    ("annotations", "names", "thresholds"),
    [
        (
            "{scaledobject.kaito.sh/metricName: 'vllm:num_requests_waiting', "
            "scaledobject.kaito.sh/threshold: '10', %s}",
            ["vllm:num_requests_waiting"],
            [10],
        ),
        (
            '{scaledobject.kaito.sh/metrics: "- {name: vllm:num_requests_waiting, upthreshold: 5}\\n", %s}',
            ["vllm:num_requests_waiting"],
            [5],
        ),
        (
            "{scaledobject.kaito.sh/metricName/0: 'vllm:num_requests_waiting', "
            "scaledobject.kaito.sh/upthreshold/0: '4', scaledobject.kaito.sh/metricName/1: DCGM_FI_DEV_GPU_UTIL, "
            "scaledobject.kaito.sh/upthreshold/1: '80', %s}",
            ["vllm:num_requests_waiting", "DCGM_FI_DEV_GPU_UTIL"],
            [4, 80],
        ),
    ],
)
def test_kaito_inference_set(annotations: str, names: list[str], thresholds: list[float]) -> None:
    def text(provision: str) -> str:
        rest = f"scaledobject.kaito.sh/auto-provision: '{provision}', scaledobject.kaito.sh/max-replicas: '5'"
        return (
            "apiVersion: kaito.sh/v1alpha1\nkind: InferenceSet\n"
            f"metadata: {{name: s, annotations: {annotations % rest}}}\n"
            "spec: {replicas: 2, template: {resource: {instanceType: Standard_NC24ads_A100_v4}, "
            "inference: {preset: {name: phi-4-mini-instruct}}}}\n"
        )

    project = load(text("true")).project
    (scaler,) = project.autoscalers
    assert scaler.workload is project.workloads[0]
    assert project.workloads[0].replicas is not None
    assert project.workloads[0].replicas.value == 2
    assert [metric.name for metric in scaler.metrics] == names
    assert [metric.threshold.value for metric in scaler.metrics if metric.threshold is not None] == thresholds
    assert scaler.metrics[0].meanings == {Meaning.QUEUE}
    assert scaler.max_replicas is not None
    assert scaler.max_replicas.value == 5
    assert not load(text("false")).project.autoscalers


# -- AIBrix


def vllm(args: str, gpus: int = 4) -> str:
    return (
        f"{{name: vllm, image: 'vllm/vllm-openai:v0.11.0', command: [vllm, serve, a/b, {args}], "
        f"resources: {{limits: {{nvidia.com/gpu: {gpus}}}}}}}"
    )


def storm_service(decode: str, options: str = "") -> str:
    return f"""
apiVersion: orchestration.aibrix.ai/v1alpha1
kind: StormService
metadata: {{name: pd, namespace: ns}}
spec:
  replicas: 1
  template:
    spec:
      roles:
        - name: router
          replicas: 1
          template: {{spec: {{containers: [{{name: lb, image: aibrix/sglang-router}}]}}}}
        - name: decode
          replicas: 3
          {options}
          template: {{metadata: {{labels: {{role: decode}}}}, spec: {{containers: [{decode}]}}}}
"""


def test_storm_service_roles() -> None:
    router, decode = workloads(storm_service(vllm("--tensor-parallel-size=4")))
    assert router.ref is decode.ref
    assert (router.part, decode.part, decode.place.text()) == ("router", "decode", "decode")
    assert decode.replicas is not None
    assert decode.replicas.value == 3
    assert (decode.multi_node, decode.pods[0].per_group) == (False, 1)
    assert decode.containers[0].gpu_count() == 4


def test_pods_of_a_role_that_work_as_one() -> None:
    text = storm_service(vllm("--tensor-parallel-size=8"), "podGroupSize: 2")
    _, decode = workloads(text)
    assert decode.multi_node
    assert decode.gpus_per_group() == 8
    assert findings(text, "parallel-size-exceeds-gpus") == []
    assert findings(text.replace("podGroupSize: 2", ""), "parallel-size-exceeds-gpus") == [
        ("parallel-size-exceeds-gpus", "--tensor-parallel-size=8")
    ]


@pytest.mark.parametrize(
    ("selector", "parts"), [("subTargetSelector: {roleName: router}, ", ["router"]), ("", ["router", "decode"])]
)
def test_what_a_pod_autoscaler_scales(selector: str, parts: list[str]) -> None:
    scaler_text = (
        "---\napiVersion: autoscaling.aibrix.ai/v1alpha1\nkind: PodAutoscaler\nmetadata: {name: a, namespace: ns}\n"
        "spec: {scaleTargetRef: {kind: StormService, name: pd}, "
        f"{selector}minReplicas: 1, maxReplicas: 4, scalingStrategy: KPA, "
        "metricsSources: [{metricSourceType: resource, targetMetric: cpu, targetValue: '70'}]}\n"
    )
    text = storm_service(vllm("--tensor-parallel-size=4")) + scaler_text
    project = load(text).project
    (scaler,) = project.autoscalers
    assert [workload.part for workload in project.workloads if scaler in workload.autoscalers] == parts
    assert scaler.workload is not None
    # Without a role, the part that holds GPUs stands for the whole.
    assert scaler.workload.part == ("router" if selector else "decode")
    assert findings(text, "cpu-autoscaling") == ([] if selector else [("cpu-autoscaling", "cpu")])


@pytest.mark.parametrize(
    ("strategy", "target_types", "low"), [("HPA", ["Utilization", "AverageValue"], 1), ("APA", ["AverageValue"] * 2, 0)]
)
def test_what_a_strategy_makes_of_resources(strategy: str, target_types: list[str], low: int) -> None:
    sources = ", ".join(
        f"{{metricSourceType: resource, targetMetric: {name}, targetValue: '70'}}" for name in ("cpu", "memory")
    )
    (scaler,) = load(
        "apiVersion: autoscaling.aibrix.ai/v1alpha1\nkind: PodAutoscaler\nmetadata: {name: a}\n"
        "spec: {scaleTargetRef: {kind: Deployment, name: d}, minReplicas: 0, maxReplicas: 4, "
        f"scalingStrategy: {strategy}, metricsSources: [{sources}]}}\n"
    ).project.autoscalers
    assert [metric.type for metric in scaler.metrics] == ["Resource", "Resource"]
    assert [metric.target_type for metric in scaler.metrics] == target_types
    assert scaler.lowest == low


def test_ray_cluster_fleet() -> None:
    def text(pipeline: int) -> str:
        serve = f"vllm serve a/b --tensor-parallel-size 8 --pipeline-parallel-size {pipeline}"
        return f"""
apiVersion: orchestration.aibrix.ai/v1alpha1
kind: RayClusterFleet
metadata: {{name: big}}
spec:
  replicas: 2
  selector: {{}}
  template:
    spec:
      headGroupSpec:
        template:
          spec:
            containers:
              - name: head
                image: vllm/vllm-openai:v0.11.0
                command: [bash, -c, {serve}]
                resources: {{limits: {{nvidia.com/gpu: 8}}}}
      workerGroupSpecs:
        - groupName: w
          replicas: 1
          template:
            spec:
              containers:
                - {{name: worker, image: rayproject/ray, resources: {{limits: {{nvidia.com/gpu: 8}}}}}}
"""

    workload = one(text(2))
    assert workload.multi_node
    assert workload.gpus_per_group() == 16
    assert workload.replicas is not None
    assert workload.replicas.value == 2
    assert findings(text(2), *PARALLEL_RULES) == []
    assert findings(text(4), *PARALLEL_RULES) == [("parallel-size-exceeds-gpus", "--tensor-parallel-size 8")]


# -- Dynamo

DYNAMO = """
apiVersion: nvidia.com/v1alpha1
kind: DynamoGraphDeployment
metadata: {name: graph, namespace: ns}
spec:
  envs: [{name: SIZE, value: "1"}, {name: LEVEL, value: info}]
  services:
    Frontend:
      componentType: frontend
      replicas: 1
      extraPodSpec: {mainContainer: {image: 'nvcr.io/nvidia/ai-dynamo/vllm-runtime:0.5.0'}}
    Decode:
      componentType: worker
      replicas: 2
      envs: [{name: SIZE, value: "4"}]
      MULTINODE
      resources: {limits: {gpu: "2", memory: 64Gi}}
      extraPodSpec:
        nodeSelector: {cloud.google.com/gke-accelerator: nvidia-h100-80gb}
        mainContainer:
          image: vllm/vllm-openai:v0.11.0
          command: [vllm, serve, a/b]
          args: [--tensor-parallel-size=$(SIZE)]
"""


def test_dynamo_graph() -> None:
    text = DYNAMO.replace("MULTINODE", "")
    frontend, decode = workloads(text)
    assert (frontend.part, decode.part) == ("Frontend", "Decode")
    assert decode.place.text() == "Decode"
    assert not frontend.uses_gpus
    (container,) = decode.containers
    (request,) = container.gpus
    assert (request.resource, request.count, request.place.text()) == ("nvidia.com/gpu", 2, '"2"')
    assert container.memory_limit_mib == 64 * 1024
    assert {name: variable.value for name, variable in container.env.items()} == {"SIZE": "4", "LEVEL": "info"}
    assert container.engine is not None
    assert container.engine.tensor_parallel is not None
    assert container.engine.tensor_parallel.value == 4
    # The operator mounts memory at /dev/shm.
    assert container.shared_memory is not None
    assert container.shared_memory.medium == "Memory"
    assert decode.pods[0].placement is not None
    assert findings(text, *PARALLEL_RULES) == [("parallel-size-exceeds-gpus", "--tensor-parallel-size=$(SIZE)")]


def test_dynamo_over_several_nodes() -> None:
    text = DYNAMO.replace("MULTINODE", "multinode: {nodeCount: 2}")
    _, decode = workloads(text)
    assert decode.multi_node
    assert decode.gpus_per_group() == 4
    assert findings(text, *PARALLEL_RULES) == []


def test_dynamo_shared_memory_switched_off() -> None:
    text = DYNAMO.replace("MULTINODE", "multinode: {nodeCount: 2}\n      sharedMemory: {disabled: true}")
    assert workloads(text)[1].containers[0].shared_memory is None


@pytest.mark.parametrize(
    ("resources", "name", "count"),
    [
        ("{requests: {gpu: '4'}}", "nvidia.com/gpu", 4),
        ("{limits: {gpu: '2', gpuType: amd.com/gpu}}", "amd.com/gpu", 2),
        ("{limits: {custom: {nvidia.com/mig-1g.10gb: '1'}}}", "nvidia.com/mig-1g.10gb", 1),
        ("{limits: {gpu: '${GPUS}'}}", "nvidia.com/gpu", None),
    ],
)
def test_dynamo_resources(resources: str, name: str, count: int | None) -> None:
    text = DYNAMO.replace("MULTINODE", "").replace('{limits: {gpu: "2", memory: 64Gi}}', resources)
    (request,) = workloads(text)[1].containers[0].gpus
    assert (request.resource, request.count) == (name, count)


def test_what_scales_a_service_of_a_dynamo_graph() -> None:
    hpa = (
        "---\napiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {name: h, namespace: ns}\n"
        "spec: {scaleTargetRef: {kind: DynamoGraphDeploymentScalingAdapter, name: graph-decode}, maxReplicas: 3, "
        "metrics: [{type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 70}}}]}\n"
    )
    text = DYNAMO.replace("MULTINODE", "") + hpa
    (scaler,) = load(text).project.autoscalers
    assert scaler.workload is not None
    assert scaler.workload.part == "Decode"
    assert findings(text, "cpu-autoscaling") == [("cpu-autoscaling", "cpu")]


@pytest.mark.parametrize("size", ["16Gi", "0", None])
def test_dynamo_v1beta1(size: str | None) -> None:
    shared = f"\n      sharedMemorySize: '{size}'" if size is not None else ""
    text = f"""
apiVersion: nvidia.com/v1beta1
kind: DynamoGraphDeployment
metadata: {{name: graph}}
spec:
  env: [{{name: SIZE, value: "2"}}]
  components:
    - name: decode
      type: decode
      replicas: 1{shared}
      podTemplate:
        metadata: {{labels: {{team: a}}}}
        spec:
          containers:
            - {{name: sidecar, image: busybox}}
            - name: main
              image: vllm/vllm-openai:v0.11.0
              command: [vllm, serve, a/b, --tensor-parallel-size=$(SIZE)]
              resources: {{limits: {{nvidia.com/gpu: 2}}}}
"""
    workload = one(text)
    assert (workload.part, workload.pods[0].labels) == ("decode", {"team": "a"})
    main, sidecar = workload.containers
    assert (main.name, main.gpu_count(), sidecar.name) == ("main", 2, "sidecar")
    memory = main.shared_memory
    assert (memory.size_mib if memory is not None else "none") == {"16Gi": 16 * 1024, "0": "none", None: None}[size]
    assert findings(text, *PARALLEL_RULES) == (
        [("missing-shared-memory", "--tensor-parallel-size=$(SIZE)")] if size == "0" else []
    )


def test_dynamo_component() -> None:
    text = """
apiVersion: nvidia.com/v1alpha1
kind: DynamoComponentDeployment
metadata: {name: worker}
spec:
  resources: {limits: {gpu: "1"}}
  gpuMemoryService: {enabled: true}
  extraPodSpec: {mainContainer: {image: 'vllm/vllm-openai:v0.11.0', args: [--model, a/b, --tensor-parallel-size=2]}}
"""
    workload = one(text)
    assert workload.part is None
    assert not workload.complete
    assert findings(text, *PARALLEL_RULES) == []
    without = text.replace("  gpuMemoryService: {enabled: true}\n", "")
    assert [rule for rule, _ in findings(without, *PARALLEL_RULES)] == ["parallel-size-exceeds-gpus"]


# -- llm-d


@pytest.mark.parametrize("target", ["scaleTargetRef: {kind: Deployment, name: chat}, ", ""])
def test_variant_autoscaling(target: str) -> None:
    deployment = (
        "---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: chat}\nspec: {selector: {}, template: {spec: "
        f"{{containers: [{vllm('--tensor-parallel-size=4')}]}}}}}}\n"
    )
    text = (
        "apiVersion: llmd.ai/v1alpha1\nkind: VariantAutoscaling\nmetadata: {name: chat}\n"
        f"spec: {{{target}modelID: a/b}}\n"
    )
    project = load(text + deployment).project
    (scaler,) = project.autoscalers
    assert scaler.workload is project.workloads[0]
    assert not scaler.actuates
    assert not scaler.metrics_known
    assert findings(text + deployment, "cpu-autoscaling", "implicit-cpu-autoscaling") == []
