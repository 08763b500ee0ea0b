"""What stands around workloads: nodes and pools, sharing of GPUs, DRA claims, budgets, vertical scaling, KEDA jobs."""

from __future__ import annotations

import pytest

from gpulint.lint import check
from gpulint.load import Loaded, load_texts
from gpulint.metrics.table import Meaning
from gpulint.model.project import Project
from gpulint.model.workload import Pod


def load(*texts: str) -> Loaded:
    loaded = load_texts({"file.yaml": "\n---\n".join(texts)})
    assert not loaded.problems, [problem.reason for problem in loaded.problems]
    return loaded


def read(*texts: str) -> Project:
    return load(*texts).project


def findings(*texts: str, rules: tuple[str, ...]) -> list[tuple[str, str]]:
    found, failed = check(load(*texts), rules)
    assert not failed, [problem.reason for problem in failed]
    return [(finding.rule, finding.place.text()) for finding in found]


def deployment(name: str, container: str, *, pod: str = "", labels: str = "{app: chat}", namespace: str = "ns") -> str:
    return (
        f"apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: {name}, namespace: {namespace}}}\n"
        f"spec: {{selector: {{}}, template: {{metadata: {{labels: {labels}}}, "
        f"spec: {{{pod}containers: [{container}]}}}}}}\n"
    )


ARGS = "[--model, a/b, --tensor-parallel-size=2]"
VLLM = f"{{name: vllm, image: 'vllm/vllm-openai:v0.11.0', args: {ARGS}, resources: {{%s}}}}"
GPUS = VLLM % "limits: {nvidia.com/gpu: 2}"

# -- nodes


def test_node() -> None:
    (node,) = read(
        "apiVersion: v1\nkind: Node\nmetadata:\n  name: n\n  labels: {nvidia.com/gpu.product: NVIDIA-A100-SXM4-80GB, "
        "nvidia.com/mig.config: all-1g.10gb, nvidia.com/gpu.count: '8'}\n"
    ).nodes
    assert node.labels["nvidia.com/mig.config"].place.text() == "all-1g.10gb"
    assert node.match is not None
    assert ([gpu.id for gpu in node.match.gpus], node.match.mig_profile) == (["a100-sxm4-80gb"], "1g.10gb")


def test_node_pool() -> None:
    (pool,) = read(
        """
apiVersion: karpenter.sh/v1
kind: NodePool
metadata: {name: gpus}
spec:
  template:
    metadata: {labels: {team: llm}}
    spec:
      requirements:
        - {key: karpenter.k8s.aws/instance-family, operator: In, values: [g6, g6e]}
        - {key: karpenter.sh/capacity-type, operator: In, values: [spot]}
        - {key: karpenter.k8s.aws/instance-gpu-count, operator: Gt, values: ["1"]}
  disruption: {consolidationPolicy: WhenEmptyOrUnderutilized, consolidateAfter: 1m30s}
  limits: {nvidia.com/gpu: 16}
"""
    ).node_pools
    assert pool.match is not None
    assert {gpu.id for gpu in pool.match.gpus} == {"l4", "l40s"}
    assert [(each.key.rpartition("/")[2], each.operator, each.values) for each in pool.requirements] == [
        ("instance-family", "In", ["g6", "g6e"]),
        ("capacity-type", "In", ["spot"]),
        ("instance-gpu-count", "Gt", ["1"]),
    ]
    assert pool.consolidation_policy is not None
    assert pool.consolidation_policy.value == "WhenEmptyOrUnderutilized"
    assert pool.consolidate_after_s is not None
    assert (pool.consolidate_after_s.value, pool.consolidate_after_s.place.text()) == (90, "1m30s")
    assert pool.gpu_limit is not None
    assert pool.gpu_limit.value == 16
    assert pool.labels["team"].value == "llm"


def test_a_pool_that_is_never_consolidated_and_says_nothing_of_gpus() -> None:
    (pool,) = read(
        "apiVersion: karpenter.sh/v1\nkind: NodePool\nmetadata: {name: any}\n"
        "spec: {template: {spec: {requirements: [{key: kubernetes.io/arch, operator: In, values: [amd64]}]}}, "
        "disruption: {consolidationPolicy: WhenEmpty, consolidateAfter: Never}}\n"
    ).node_pools
    assert pool.match is None
    assert pool.consolidation_off
    assert pool.consolidate_after_s is None


# -- sharing

PLUGIN = """\
version: v1
flags: {migStrategy: mixed}
sharing:
  timeSlicing:
    renameByDefault: true
    failRequestsGreaterThanOne: true
    resources:
      - name: nvidia.com/gpu
        replicas: 4
"""


def indented(text: str, by: int) -> str:
    return "".join(" " * by + line for line in text.splitlines(keepends=True))


@pytest.mark.parametrize(
    ("text", "config"),
    [
        (PLUGIN, None),
        (
            f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: p}}\ndata:\n  sliced: |\n{indented(PLUGIN, 4)}",
            "sliced",
        ),
        (f"config:\n  map:\n    sliced: |\n{indented(PLUGIN, 6)}", "sliced"),
        (
            f"gpu-operator:\n  devicePlugin:\n    config:\n      data:\n        sliced: |\n{indented(PLUGIN, 10)}",
            "sliced",
        ),
    ],
    ids=["file", "ConfigMap", "chart of the plugin", "chart around the operator"],
)
def test_device_plugin_configuration(text: str, config: str | None) -> None:
    (found,) = read(text).device_plugin_configs
    assert found.config == config
    assert found.mig_strategy is not None
    assert (found.mig_strategy.value, found.mig_strategy.place.text()) == ("mixed", "mixed")
    (sharing,) = found.sharings
    assert (sharing.strategy, sharing.resource.value, sharing.rename, sharing.one_only) == (
        "time-slicing",
        "nvidia.com/gpu",
        True,
        True,
    )
    assert sharing.replicas is not None
    assert (sharing.replicas.value, sharing.replicas.place.text()) == (4, "4")
    assert not found.unknown_keys


def test_mps_and_keys_that_the_format_does_not_have() -> None:
    text = (
        "version: v1\nresources: {nvidia.com/gpu: {pattern: '*'}}\n"
        "sharing: {mps: {resources: [{name: nvidia.com/gpu, replica: 4}]}}\n"
    )
    (found,) = read(text).device_plugin_configs
    assert [(sharing.strategy, sharing.replicas) for sharing in found.sharings] == [("mps", None)]
    assert [(key.value, key.place.text()) for key in found.unknown_keys] == [
        ("nvidia.com/gpu", "nvidia.com/gpu"),
        ("replica", "replica"),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "version: v1\nmig-configs: {}\n",
        "version: '3'\nservices: {a: {image: b, command: 'timeSlicing migStrategy'}}\n",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: notes}\ndata: {note: 'version: of migStrategy'}\n",
    ],
)
def test_no_device_plugin_configuration(text: str) -> None:
    assert not read(text).device_plugin_configs


def test_cluster_policy() -> None:
    spec = (
        "mig: {strategy: single}\ndevicePlugin: {config: {name: plugin, default: sliced}}\n"
        "migManager: {config: {name: '', default: all-disabled}}\ndcgmExporter: {config: {name: counters}}\n"
    )
    policy = f"apiVersion: nvidia.com/v1\nkind: ClusterPolicy\nmetadata: {{name: p}}\nspec:\n{indented(spec, 2)}"
    for text, kind in (
        (policy, "ClusterPolicy"),
        (spec, "chart values"),
        (f"op:\n{indented(spec, 2)}", "chart values"),
    ):
        (found,) = read(text).gpu_operators
        assert found.ref.kind == kind
        assert found.mig_strategy is not None
        assert found.mig_strategy.value == "single"
        assert found.device_plugin is not None
        assert found.device_plugin.name is not None
        assert found.device_plugin.default is not None
        assert (found.device_plugin.name.value, found.device_plugin.default.value) == ("plugin", "sliced")
        assert found.mig_manager is not None
        assert found.mig_manager.name is None
        assert found.mig_manager.default is not None
        assert found.mig_manager.default.place.text() == "all-disabled"
        assert found.dcgm_exporter is not None
        assert found.dcgm_exporter.default is None


# -- DRA

PARALLEL_RULES = ("parallel-size-exceeds-gpus", "unused-gpus")
USES = "resourceClaims: [{name: gpus, resourceClaimTemplateName: two}], "
CLAIMED = VLLM % "claims: [{name: gpus}]"


def template(requests: str, *, version: str = "v1", config: str = "", name: str = "two", namespace: str = "ns") -> str:
    return (
        f"apiVersion: resource.k8s.io/{version}\nkind: ResourceClaimTemplate\n"
        f"metadata: {{name: {name}, namespace: {namespace}}}\n"
        f"spec: {{spec: {{devices: {{requests: [{requests}]{config}}}}}}}\n"
    )


def claimed_pod(*objects: str, container: str = CLAIMED) -> Pod:
    (workload,) = read(deployment("d", container, pod=USES), *objects).workloads
    return workload.pods[0]


EXACT = "{name: gpu, exactly: {deviceClassName: gpu.nvidia.com, count: %s%s}}"
SELECTORS = ', selectors: [{cel: {expression: "%s"}}]'


@pytest.mark.parametrize(
    ("requests", "version", "count"),
    [
        (EXACT % (2, ""), "v1", 2),
        ("{name: gpu, exactly: {deviceClassName: gpu.nvidia.com}}", "v1beta2", 1),
        ("{name: gpu, deviceClassName: gpu.nvidia.com, count: 2}", "v1beta1", 2),
        (EXACT % (1, "") + ", {name: nic, exactly: {deviceClassName: efa.networking.k8s.aws, count: 4}}", "v1", 1),
        (EXACT % (1, "") + ", {name: more, exactly: {deviceClassName: gpu.nvidia.com, count: 3}}", "v1", 4),
        ("{name: gpu, exactly: {deviceClassName: gpu.nvidia.com, allocationMode: All}}", "v1", None),
        ("{name: gpu, exactly: {deviceClassName: gpu.nvidia.com, adminAccess: true}}", "v1", 0),
        (
            "{name: gpu, firstAvailable: [{name: a, deviceClassName: gpu.nvidia.com, count: 2}, "
            "{name: b, deviceClassName: gpu.nvidia.com, count: 2}]}",
            "v1",
            2,
        ),
        (
            "{name: gpu, firstAvailable: [{name: a, deviceClassName: gpu.nvidia.com, count: 2}, "
            "{name: b, deviceClassName: gpu.nvidia.com, count: 4}]}",
            "v1",
            None,
        ),
    ],
)
def test_devices_of_a_claim(requests: str, version: str, count: int | None) -> None:
    pod = claimed_pod(template(requests, version=version))
    assert not pod.dra_claims
    assert pod.containers[0].gpu_count() == count


@pytest.mark.parametrize(
    "objects",
    [
        (),  # not among the files
        (template(EXACT % (2, ""), namespace="other"),),
        (template("{name: x, exactly: {deviceClassName: gpu.example.com}}"),),
        (template("{name: x, exactly: {deviceClassName: mig.nvidia.com}}"),),  # of which profile?
        (template(EXACT % (1, SELECTORS % "device.attributes['gpu.nvidia.com'].type == 'vfio'")),),
    ],
)
def test_a_claim_that_cannot_be_told(objects: tuple[str, ...]) -> None:
    pod = claimed_pod(*objects)
    assert pod.dra_claims
    assert not pod.containers[0].gpus
    assert pod.workload.uses_gpus


def test_parallel_sizes_against_a_claim() -> None:
    def found(count: int) -> list[tuple[str, str]]:
        texts = (deployment("d", CLAIMED, pod=USES), template(EXACT % (count, "")))
        return findings(*texts, rules=PARALLEL_RULES)

    assert found(2) == []
    assert found(1) == [("parallel-size-exceeds-gpus", "--tensor-parallel-size=2")]
    assert [rule for rule, _ in found(4)] == ["unused-gpus"]


def test_where_the_count_of_a_claim_stands() -> None:
    (request,) = claimed_pod(template(EXACT % (2, ""))).containers[0].gpus
    assert (request.resource, request.vendor, request.shared) == ("gpu.nvidia.com", "nvidia", False)
    assert (request.place.text(), request.key_place.text()) == ("2", "count")


def test_the_board_that_a_claim_selects() -> None:
    product = "device.attributes['gpu.nvidia.com'].productName == 'NVIDIA L40S' && device.driver == 'gpu.nvidia.com'"
    pod = claimed_pod(template(EXACT % (2, SELECTORS % product)))
    assert pod.placement is not None
    assert [gpu.id for gpu in pod.placement.gpus] == ["l40s"]
    assert pod.placement.why.place.text() == f'"{product}"'


def test_alternatives_in_a_selector_say_nothing() -> None:
    product = "device.attributes['gpu.nvidia.com'].productName"
    either = f"{product} == 'NVIDIA L40S' || {product} == 'NVIDIA L4'"
    pod = claimed_pod(template(EXACT % (2, SELECTORS % either)))
    assert pod.placement is None
    assert pod.containers[0].gpu_count() == 2


MIG_SLICES = "{name: s, exactly: {deviceClassName: mig.nvidia.com, count: 2%s}}"


def test_a_mig_slice_by_claim() -> None:
    claim = template(MIG_SLICES % (SELECTORS % "device.attributes['gpu.nvidia.com'].profile == '1g.10gb'"))
    found = claimed_pod(claim).containers[0].mig_slice
    assert found is not None
    assert (found.profile, found.count) == ("1g.10gb", 2)
    assert "1g.10gb" in found.place.text()
    rule = "tensor-parallel-across-mig-slices"
    assert [name for name, _ in findings(deployment("d", CLAIMED, pod=USES), claim, rules=(rule,))] == [rule]


@pytest.mark.parametrize(
    ("expression", "known"),
    [
        ("device.driver == 'gpu.nvidia.com' && device.attributes['gpu.nvidia.com'].type == 'gpu'", True),
        ("device.driver == 'gpu.nvidia.com'", False),  # a slice may be meant
        ("device.driver == 'gpu.example.com'", False),
    ],
)
def test_a_device_class_of_the_project(expression: str, known: bool) -> None:
    device_class = (
        "apiVersion: resource.k8s.io/v1\nkind: DeviceClass\nmetadata: {name: big}\n"
        f'spec: {{selectors: [{{cel: {{expression: "{expression}"}}}}]}}\n'
    )
    pod = claimed_pod(template("{name: g, exactly: {deviceClassName: big, count: 2}}"), device_class)
    assert pod.dra_claims is not known
    assert [request.count for request in pod.containers[0].gpus] == ([2] if known else [])


def test_one_request_of_a_claim() -> None:
    container = VLLM % "claims: [{name: gpus, request: a}]"
    requests = ", ".join(f"{{name: {name}, exactly: {{deviceClassName: gpu.nvidia.com, count: 2}}}}" for name in "ab")
    assert claimed_pod(template(requests), container=container).containers[0].gpu_count() == 2


def test_devices_that_several_containers_share() -> None:
    sidecar = "{name: other, image: i, resources: {claims: [{name: gpus}]}}"
    pod = claimed_pod(template(EXACT % (2, "")), container=f"{CLAIMED}, {sidecar}")
    assert [[request.shared for request in container.gpus] for container in pod.containers] == [[True], [True]]
    config = (
        ", config: [{requests: [gpu], opaque: {driver: gpu.nvidia.com, parameters: {kind: GpuConfig, "
        "sharing: {strategy: TimeSlicing}}}}]"
    )
    (request,) = claimed_pod(template(EXACT % (2, ""), config=config)).containers[0].gpus
    assert request.shared


def test_a_claim_by_its_own_name() -> None:
    claim = (
        "apiVersion: resource.k8s.io/v1\nkind: ResourceClaim\nmetadata: {name: two, namespace: ns}\n"
        f"spec: {{devices: {{requests: [{EXACT % (2, '')}]}}}}\n"
    )
    uses = "resourceClaims: [{name: gpus, resourceClaimName: two}], "
    (workload,) = read(deployment("d", CLAIMED, pod=uses), claim).workloads
    (request,) = workload.containers[0].gpus
    assert (request.count, request.shared) == (2, True)


# -- budgets


def budget(selector: str, namespace: str = "ns") -> str:
    return (
        f"apiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata: {{name: b, namespace: {namespace}}}\n"
        f"spec: {{maxUnavailable: 25%{selector}}}\n"
    )


@pytest.mark.parametrize(
    ("selector", "namespace", "names"),
    [
        (", selector: {matchLabels: {app: chat}}", "ns", ["one"]),
        (", selector: {matchLabels: {app: chat}}", "elsewhere", []),
        (", selector: {matchExpressions: [{key: app, operator: In, values: [chat, search]}]}", "ns", ["one", "two"]),
        (", selector: {matchExpressions: [{key: app, operator: NotIn, values: [chat]}]}", "ns", ["two"]),
        (", selector: {matchExpressions: [{key: app, operator: Exists}]}", "ns", ["one", "two"]),
        (", selector: {matchExpressions: [{key: app, operator: DoesNotExist}]}", "ns", []),
        (", selector: {}", "ns", ["one", "two"]),
        ("", "ns", []),
    ],
)
def test_disruption_budget(selector: str, namespace: str, names: list[str]) -> None:
    project = read(
        budget(selector, namespace), deployment("one", GPUS), deployment("two", GPUS, labels="{app: search}")
    )
    (found,) = project.disruption_budgets
    assert [workload.ref.name for workload in found.workloads] == names
    assert [workload.ref.name for workload in project.workloads if found in workload.disruption_budgets] == names
    assert found.max_unavailable is not None
    assert (found.max_unavailable.value, found.max_unavailable.place.text()) == ("25%", "25%")
    assert found.min_available is None


# -- vertical scaling


@pytest.mark.parametrize(
    ("policy", "resources"),
    [
        ("", {"cpu", "memory"}),
        (", resourcePolicy: {containerPolicies: [{containerName: '*', controlledResources: [memory]}]}", {"memory"}),
        (", resourcePolicy: {containerPolicies: [{containerName: '*', mode: 'Off'}]}", set()),
    ],
)
def test_vertical_pod_autoscaler(policy: str, resources: set[str]) -> None:
    text = (
        "apiVersion: autoscaling.k8s.io/v1\nkind: VerticalPodAutoscaler\nmetadata: {name: v, namespace: ns}\n"
        f"spec: {{targetRef: {{kind: Deployment, name: d}}, updatePolicy: {{updateMode: 'Off'}}{policy}}}\n"
    )
    project = read(text, deployment("d", GPUS))
    (found,) = project.vertical_autoscalers
    assert found.workload is project.workloads[0]
    assert project.workloads[0].vertical_autoscalers == [found]
    assert found.update_mode is not None
    assert found.update_mode.value == "Off"
    assert found.resources == resources
    # It changes no number of replicas: rules about autoscalers do not see it.
    assert not project.autoscalers


# -- KEDA jobs


def test_scaled_job() -> None:
    text = (
        "apiVersion: keda.sh/v1alpha1\nkind: ScaledJob\nmetadata: {name: batch}\nspec:\n"
        f"  jobTargetRef: {{template: {{spec: {{containers: [{GPUS}]}}}}}}\n"
        "  maxReplicaCount: 8\n"
        "  triggers: [{type: prometheus, metadata: {query: sum(vllm:num_requests_waiting), threshold: '5'}}, "
        "{type: cpu, metadata: {value: '60'}}]\n"
    )
    project = read(text)
    (workload,) = project.workloads
    (scaler,) = project.autoscalers
    assert (workload.ref.kind, workload.batch, scaler.workload) == ("ScaledJob", True, workload)
    assert [metric.meanings for metric in scaler.metrics] == [{Meaning.QUEUE}, {Meaning.CPU}]
    assert scaler.max_replicas is not None
    assert scaler.max_replicas.value == 8
    # A job runs to its end: it is no server that waits for load.
    assert findings(text, rules=("cpu-autoscaling",)) == []
