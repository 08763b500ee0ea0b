"""Readers of further kinds with pod templates: jobs of several roles, Rollouts, wrapped objects, unknown kinds."""

from __future__ import annotations

import pytest

from gpulint.lint import check
from gpulint.load import load_texts
from gpulint.model.project import Project
from gpulint.model.workload import Workload

CONTAINER = (
    "{name: vllm, image: 'vllm/vllm-openai:v0.11.0', args: [--model, a/b], resources: {limits: {nvidia.com/gpu: 8}}}"
)
PLAIN = f"podSpec: {{containers: [{CONTAINER}]}}"
POD = f"{{spec: {{containers: [{CONTAINER}]}}}}"


def read(*texts: str) -> Project:
    loaded = load_texts({f"file{index}.yaml": text for index, text in enumerate(texts)})
    assert not loaded.problems, [problem.reason for problem in loaded.problems]
    return loaded.project


def one(text: str) -> Workload:
    (workload,) = read(text).workloads
    return workload


def manifest(api_version: str, kind: str, spec: str) -> str:
    return f"apiVersion: {api_version}\nkind: {kind}\nmetadata: {{name: x}}\nspec: {spec}\n"


@pytest.mark.parametrize(
    ("api_version", "kind", "spec", "complete"),
    [
        ("argoproj.io/v1alpha1", "Rollout", f"{{selector: {{}}, template: {POD}}}", True),
        ("apps.kruise.io/v1alpha1", "CloneSet", f"{{selector: {{}}, template: {POD}}}", True),
        ("kubeflow.org/v1", "Notebook", f"{{template: {POD}}}", True),
        # an unknown kind of a Deployment's shape, and unknown kinds of other shapes
        ("example.com/v1", "Server", f"{{selector: {{matchLabels: {{a: b}}}}, template: {POD}}}", True),
        ("example.com/v1", "Server", f"{{template: {POD}}}", False),
        ("example.com/v1", "Server", f"{{roles: [{{name: a, podTemplate: {POD}}}]}}", False),
        ("example.com/v1", "Server", f"{{engine: {{workerTemplate: {POD}}}}}", False),
        ("grove.io/v1alpha1", "PodCliqueSet", f"{{template: {{cliques: [{{spec: {{{PLAIN}}}}}]}}}}", False),
    ],
)  # fmt: skip
def test_kinds_of_one_template(api_version: str, kind: str, spec: str, complete: bool) -> None:
    workload = one(manifest(api_version, kind, spec))
    (container,) = workload.containers
    assert (workload.ref.kind, workload.ref.name) == (kind, "x")
    assert container.gpu_count() == 8
    assert container.gpus[0].place.text() == "8"
    assert container.engine is not None
    assert workload.complete is complete
    assert workload.multi_node is not complete
    assert not workload.batch


@pytest.mark.parametrize(
    ("api_version", "kind", "spec", "roles"),
    [
        (
            "kubeflow.org/v2beta1",
            "MPIJob",
            f"{{mpiReplicaSpecs: {{Launcher: {{template: {POD}}}, Worker: {{replicas: 4, template: {POD}}}}}}}",
            [("Launcher", 1), ("Worker", 4)],
        ),
        (
            "kubeflow.org/v1",
            "PyTorchJob",
            f"{{pytorchReplicaSpecs: {{Worker: {{replicas: '${{N}}', template: {POD}}}}}}}",
            [("Worker", None)],
        ),
        ("kubeflow.org/v1", "TFJob", f"{{tfReplicaSpecs: {{PS: {{template: {POD}}}}}}}", [("PS", 1)]),
        ("batch.volcano.sh/v1alpha1", "Job", f"{{tasks: [{{name: a, replicas: 2, template: {POD}}}]}}", [("a", 2)]),
        (
            "jobset.x-k8s.io/v1alpha2",
            "JobSet",
            f"{{replicatedJobs: [{{name: a, replicas: 2, template: {{spec: {{parallelism: 3, template: {POD}}}}}}}]}}",
            [("a", 6)],
        ),
    ],
)
def test_jobs_of_several_pods(api_version: str, kind: str, spec: str, roles: list[tuple[str, int | None]]) -> None:
    workload = one(manifest(api_version, kind, spec))
    assert [(pod.role, pod.per_group) for pod in workload.pods] == roles
    assert workload.batch
    assert workload.multi_node is (roles != [("PS", 1)])
    assert workload.complete


@pytest.mark.parametrize(("completions", "pods", "multi_node"), [("3", 6, True), ("10", 1, False), ("'${N}'", 6, True)])
def test_pods_that_work_off_a_queue_are_no_group(completions: str, pods: int, multi_node: bool) -> None:
    job = f"{{parallelism: 3, completions: {completions}, template: {POD}}}"
    text = f"{{replicatedJobs: [{{name: a, replicas: 2, template: {{spec: {job}}}}}]}}"
    workload = one(manifest("jobset.x-k8s.io/v1alpha2", "JobSet", text))
    assert (workload.pods[0].per_group, workload.multi_node) == (pods, multi_node)


def test_openshift_template_and_app_wrapper_hold_objects() -> None:
    spec = f"{{selector: {{}}, template: {POD}}}"
    inner = f"{{apiVersion: apps/v1, kind: Deployment, metadata: {{name: '${{NAME}}'}}, spec: {spec}}}"
    for text in (
        f"apiVersion: template.openshift.io/v1\nkind: Template\nmetadata: {{name: t}}\nobjects:\n- {inner}\n",
        "apiVersion: workload.codeflare.dev/v1beta2\nkind: AppWrapper\nmetadata: {name: t}\n"
        f"spec: {{components: [{{template: {inner}}}]}}\n",
    ):
        workload = one(text)
        assert (workload.ref.kind, workload.ref.name) == ("Deployment", "${NAME}")


def test_parameters_of_a_template_are_unknown() -> None:
    container = CONTAINER.replace("8}", "'${GPUS}'}").replace("[--model, a/b]", "['--tensor-parallel-size=${TP}']")
    workload = one(
        "apiVersion: template.openshift.io/v1\nkind: Template\nobjects:\n- apiVersion: v1\n  kind: Pod\n"
        f"  metadata: {{name: p}}\n  spec: {{containers: [{container}]}}\n"
    )
    (engine,) = workload.engines
    assert workload.containers[0].gpu_count() is None
    assert engine.tensor_parallel is not None
    assert engine.tensor_parallel.value is None


def test_rules_are_silent_about_what_an_unknown_operator_makes_of_a_template() -> None:
    container = CONTAINER.replace("8}", "2}").replace("[--model, a/b]", "[--model, a/b, --tensor-parallel-size=4]")
    rules = ["parallel-size-exceeds-gpus", "unused-gpus", "missing-shared-memory"]
    text = "{%stemplate: {spec: {containers: [" + container + "]}}}"
    whole = load_texts({"a.yaml": manifest("example.com/v1", "Server", text % "selector: {matchLabels: {a: b}}, ")})
    part = load_texts({"a.yaml": manifest("example.com/v1", "Server", text % "")})
    assert sorted(f.rule for f in check(whole, rules)[0]) == ["missing-shared-memory", "parallel-size-exceeds-gpus"]
    assert check(part, rules) == ([], [])


def test_what_says_nothing_of_gpus_and_what_only_describes_is_left_out() -> None:
    plain = "{spec: {containers: [{name: c, image: nginx, env: [{name: A, value: nvidia.com/gpu}]}]}}"
    assert not read(manifest("example.com/v1", "Thing", f"{{template: {plain}}}")).workloads
    crd = manifest("apiextensions.k8s.io/v1", "CustomResourceDefinition", f"{{example: {{template: {POD}}}}}")
    assert not read(crd).workloads


HPA = """\
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: h}
spec:
  scaleTargetRef: {apiVersion: argoproj.io/v1alpha1, kind: Rollout, name: chat}
  maxReplicas: 4
  metrics: [{type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 60}}}]
"""


@pytest.mark.parametrize(
    "rollout",
    [
        f"spec: {{selector: {{}}, template: {POD}}}",
        "spec: {workloadRef: {apiVersion: apps/v1, kind: Deployment, name: chat-pods}}",
    ],
)
def test_an_autoscaler_of_a_rollout_reaches_the_pods(rollout: str) -> None:
    deployment = manifest("apps/v1", "Deployment", f"{{selector: {{}}, template: {POD}}}").replace(
        "x}", "chat-pods}", 1
    )
    loaded = load_texts({
        "deployment.yaml": deployment,
        "rollout.yaml": f"apiVersion: argoproj.io/v1alpha1\nkind: Rollout\nmetadata: {{name: chat}}\n{rollout}\n",
        "hpa.yaml": HPA,
    })  # fmt: skip
    (scaler,) = loaded.project.autoscalers
    assert scaler.workload is not None
    assert scaler.workload.containers[0].gpu_count() == 8
    assert scaler.workload.ref.kind == ("Deployment" if "workloadRef" in rollout else "Rollout")
    findings, failed = check(loaded, ["cpu-autoscaling"])
    assert not failed
    assert [(finding.rule, finding.place.source.path) for finding in findings] == [("cpu-autoscaling", "hpa.yaml")]
