"""Probes, shutdown and what else the rules of the families startup, resources and sharing read; the arithmetic of a start."""

from __future__ import annotations

from pathlib import Path

import pytest

from gpulint.discovery import discover
from gpulint.load import load, load_texts
from gpulint.model.engine import Engine
from gpulint.model.workload import Container, Workload
from gpulint.rules.starting import budget, place_of_budget, start_of

POD = """\
apiVersion: v1
kind: Pod
metadata: {name: chat}
spec:
  POD
  containers:
    - name: vllm
      image: IMAGE
      args: [ARGS]
      resources: RESOURCES
      CONTAINER
"""


def workload(
    container: str = "",
    pod: str = "",
    *,
    image: str = "vllm/vllm-openai:v0.11.0",
    args: str = "--model=Qwen/Qwen3-8B",
    resources: str = "{limits: {nvidia.com/gpu: 1}}",
) -> Workload:
    text = POD.replace("RESOURCES", resources).replace("IMAGE", image).replace("ARGS", args)
    text = text.replace("CONTAINER", container).replace("POD", pod)
    (found,) = load_texts({"pod.yaml": text}).project.workloads
    return found


def container(text: str = "", **more: str) -> Container:
    (found,) = workload(text, **more).containers
    return found


def engine(text: str = "", **more: str) -> Engine:
    found = container(text, **more).engine
    assert found is not None
    return found


# -- probes


def test_a_probe_has_the_defaults_of_kubernetes() -> None:
    probe = container("livenessProbe: {httpGet: {path: /health, port: 8000}}").liveness_probe
    assert probe is not None
    settings = (probe.initial_delay_s, probe.period_s, probe.timeout_s, probe.failure_threshold)
    assert [(s.value, s.default, s.place) for s in settings if s is not None] == [
        (0, True, None),
        (10, True, None),
        (1, True, None),
        (3, True, None),
    ]
    assert (probe.budget_s, probe.patience_s) == (30, 30)
    assert (probe.action, probe.path, probe.port) == ("httpGet", "/health", "8000")
    assert budget(probe) == "3 × 10 s"
    assert place_of_budget(probe) is probe.place


def test_a_written_probe() -> None:
    found = container(
        "startupProbe: {tcpSocket: {port: http}, initialDelaySeconds: 5, periodSeconds: 2, failureThreshold: 40}"
    )
    probe = found.startup_probe
    assert probe is not None
    assert (probe.budget_s, probe.patience_s, probe.action, probe.port) == (85, 80, "tcpSocket", "http")
    assert budget(probe) == "5 s + 40 × 2 s"
    assert place_of_budget(probe).text() == "40"
    assert (found.liveness_probe, found.readiness_probe) == (None, None)


def test_the_delay_weighs_most() -> None:
    probe = container("livenessProbe: {httpGet: {port: 1}, initialDelaySeconds: 300}").liveness_probe
    assert probe is not None
    assert place_of_budget(probe).text() == "300"


@pytest.mark.parametrize("value", ["${DELAY}", "{{ delay }}", "<seconds>"])
def test_a_delay_that_nobody_knows(value: str) -> None:
    probe = container(f'readinessProbe: {{httpGet: {{port: 1}}, initialDelaySeconds: "{value}"}}').readiness_probe
    assert probe is not None
    assert probe.budget_s is None
    assert probe.patience_s == 30


@pytest.mark.parametrize("text", ["livenessProbe: null", "livenessProbe: yes", ""])
def test_no_probe(text: str) -> None:
    assert container(text).liveness_probe is None


# -- shutdown


@pytest.mark.parametrize(
    ("hook", "sleep_s"),
    [
        ("{sleep: {seconds: 15}}", 15),
        ("{exec: {command: [sleep, '20']}}", 20),
        ("{exec: {command: [/bin/sleep, 20s]}}", 20),
        ("{exec: {command: [/bin/sh, -c, sleep 30]}}", 30),
        ("{exec: {command: [bash, -c, 'sleep 1m;']}}", 60),
        ("{exec: {command: [sh, -c, 'sleep 5 && nginx -s quit']}}", None),
        ("{exec: {command: [sh, -c, 'sleep $DRAIN']}}", None),
        ("{exec: {command: [/drain.sh]}}", None),
        ("{exec: {command: []}}", None),
        ("{sleep: {seconds: x}}", None),
        ("{httpGet: {path: /drain, port: 8000}}", None),
    ],
)
def test_a_hook_that_sleeps(hook: str, sleep_s: float | None) -> None:
    found = container(f"lifecycle: {{preStop: {hook}}}")
    assert found.pre_stop
    assert (found.pre_stop_s.value if found.pre_stop_s is not None else None) == sleep_s


def test_no_hook() -> None:
    assert not container("lifecycle: {postStart: {sleep: {seconds: 3}}}").pre_stop


def test_the_grace_period() -> None:
    (pod,) = workload().pods
    assert pod.termination_grace_s is not None
    assert (pod.termination_grace_s.value, pod.termination_grace_s.default) == (30, True)
    (pod,) = workload(pod="terminationGracePeriodSeconds: 0").pods
    assert pod.termination_grace_s is not None
    assert (pod.termination_grace_s.value, pod.termination_grace_s.default) == (0, False)


def test_vllm_drains_from_its_version_on() -> None:
    assert engine().shutdown_timeout_s is None
    newer = engine(image="vllm/vllm-openai:v0.19.0", args="--model=a/b, --shutdown-timeout=60").shutdown_timeout_s
    assert newer is not None
    assert (newer.value, newer.default) == (60, False)


def test_a_deployment_has_a_deadline() -> None:
    text = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: chat}
spec:
  DEADLINE
  selector: {matchLabels: {app: chat}}
  template:
    spec: {containers: [{name: vllm, image: vllm/vllm-openai:v0.11.0, resources: {limits: {nvidia.com/gpu: 1}}}]}
"""
    for written, value, default in (("", 600, True), ("progressDeadlineSeconds: 1800", 1800, False)):
        (found,) = load_texts({"deployment.yaml": text.replace("DEADLINE", written)}).project.workloads
        assert found.rollout is not None
        deadline = found.rollout.progress_deadline_s
        assert deadline is not None
        assert (deadline.value, deadline.default) == (value, default)


# -- resources


def test_both_sides_of_resources() -> None:
    (request,) = container(resources='{requests: {nvidia.com/gpu: 1}, limits: {nvidia.com/gpu: "2"}}').gpus
    assert request.limit is not None
    assert request.requested is not None
    assert (request.count, request.limit.value, request.requested.value) == (2, "2", "1")
    (request,) = container(resources="{requests: {nvidia.com/gpu: 1}}").gpus
    assert (request.count, request.limit) == (1, None)


def test_tolerations() -> None:
    text = "tolerations: [{key: nvidia.com/gpu, operator: Exists}, {key: a, value: b, effect: NoSchedule}, {operator: Exists}]"
    (pod,) = workload(pod=text).pods
    assert [(t.key.value if t.key is not None else None, t.operator, t.value, t.effect) for t in pod.tolerations] == [
        ("nvidia.com/gpu", "Exists", None, None),
        ("a", "Equal", "b", "NoSchedule"),
        (None, "Exists", None, None),
    ]


def test_reservations_of_compose() -> None:
    text = """\
services:
  vllm:
    image: vllm/vllm-openai:v0.11.0
    deploy:
      resources:
        reservations:
          devices:
            - {driver: nvidia, count: 1, capabilities: [gpu]}
            - {driver: nvidia, device_ids: ["0"]}
"""
    (found,) = load_texts({"compose.yaml": text}).project.workloads
    first, second = found.containers[0].reservations
    assert (first.gpu, first.capabilities is not None, first.count is not None, first.device_ids) == (
        True,
        True,
        True,
        None,
    )
    assert (second.gpu, second.capabilities, second.count, second.device_ids is not None) == (False, None, None, True)


@pytest.mark.parametrize(
    ("check", "budget_s", "action"),
    [
        ("{test: [CMD, curl, -f, http://localhost/health]}", 90, "httpGet"),
        ("{test: curl localhost, start_period: 2m, interval: 5s, retries: 6}", 150, "httpGet"),
        ("{test: [CMD-SHELL, test -f /ready], interval: 1m30s}", 270, "exec"),
        ('{test: curl localhost, interval: "${EVERY}"}', None, "httpGet"),
    ],
)
def test_a_health_check(check: str, budget_s: float | None, action: str) -> None:
    text = f"""\
services:
  vllm:
    image: vllm/vllm-openai:v0.11.0
    gpus: all
    healthcheck: {check}
  ui:
    image: ui:1
    depends_on: {{vllm: {{condition: service_healthy}}, db: {{condition: service_started}}}}
"""
    first, second = load_texts({"compose.yaml": text}).project.workloads
    probe = first.containers[0].health_check
    assert probe is not None
    assert (probe.budget_s, probe.action) == (budget_s, action)
    assert [service.value for service in first.containers[0].awaited_by] == ["ui"]
    assert not second.containers[0].awaited_by


@pytest.mark.parametrize("check", ["{disable: true, test: curl a}", "{test: [NONE]}", "{interval: 5s}"])
def test_no_health_check(check: str) -> None:
    text = f"services: {{vllm: {{image: vllm/vllm-openai:v0.11.0, gpus: all, healthcheck: {check}}}}}\n"
    (found,) = load_texts({"compose.yaml": text}).project.workloads
    assert found.containers[0].health_check is None


def test_gpus_that_ray_is_told_of() -> None:
    text = """\
apiVersion: ray.io/v1
kind: RayCluster
metadata: {name: llm}
spec:
  headGroupSpec:
    rayStartParams: {num-gpus: "4"}
    template: {spec: {containers: [{name: head, image: rayproject/ray:2.49.0, resources: {limits: {nvidia.com/gpu: 2}}}]}}
"""
    (found,) = load_texts({"ray.yaml": text}).project.workloads
    (pod,) = found.pods
    assert pod.ray_gpus is not None
    assert pod.ray_gpus.value == 4


# -- labels that scripts give nodes


@pytest.mark.parametrize(
    ("command", "name"),
    [
        ("kubectl label nodes gpu-1 nvidia.com/mig.config=all-1g.10gb --overwrite", "gpu-1"),
        ("kubectl --context prod label node/gpu-1 nvidia.com/mig.config=all-1g.10gb", "gpu-1"),
        ("oc label node -l pool=gpu nvidia.com/mig.config=all-1g.10gb", None),
        ("kubectl label no a b nvidia.com/mig.config=all-1g.10gb x- y=z", None),
        ('kubectl label node "$NODE" nvidia.com/mig.config=all-1g.10gb', None),
    ],
)
def test_a_script_labels_a_node(command: str, name: str | None) -> None:
    (node,) = load_texts({"mig.sh": f"set -e\n{command}\n"}).project.nodes
    label = node.labels["nvidia.com/mig.config"]
    assert (node.ref.name, label.value, label.place.text(), label.place.line) == (name, "all-1g.10gb", "all-1g.10gb", 2)


@pytest.mark.parametrize(
    "command",
    [
        "kubectl label pod a nvidia.com/mig.config=all-1g.10gb",
        "kubectl label node a nvidia.com/mig.config=$CONFIG",
        "kubectl label node a nvidia.com/mig.config-",
        "kubectl get node -L nvidia.com/mig.config",
        "echo kubectl label node a nvidia.com/mig.config=all-1g.10gb",
        "kubectl",
    ],
)
def test_no_label_of_a_node(command: str) -> None:
    assert not load_texts({"mig.sh": f"{command} # nvidia.com/mig.config\n"}).project.nodes


# -- how long a start takes


def least_s(args: str, **more: str) -> float:
    start = start_of(engine(args=args, **more))
    assert start is not None
    return start.least_s


def test_a_larger_model_takes_longer() -> None:
    sizes = [least_s(f"--model=Qwen/Qwen3-{size}") for size in ("0.6B", "1.7B", "8B", "32B")]
    assert sizes == sorted(sizes)
    assert sizes[0] > 60


def test_the_numbers_of_a_start() -> None:
    """8.03 billion parameters in 16 bits are 15,317 MiB, at 125 MiB/s 123 s, beside the engine's own minute."""
    assert least_s("--model=meta-llama/Llama-3.1-8B-Instruct") == pytest.approx(60 + 15317 / 125, abs=1)


def test_what_makes_a_start_shorter() -> None:
    usual = least_s("--model=Qwen/Qwen3-8B")
    assert least_s("--model=Qwen/Qwen3-8B, --enforce-eager") == usual - 30
    assert least_s("--model=Qwen/Qwen3-8B", image="vllm/vllm-openai:v0.6.3") == usual - 30
    many = least_s("--model=Qwen/Qwen3-8B, --tensor-parallel-size=8", resources="{limits: {nvidia.com/gpu: 8}}")
    assert many - 60 == pytest.approx((usual - 60) / 4)
    assert least_s("--model=Qwen/Qwen3-8B-AWQ") < usual


def test_quantising_at_the_start_reads_the_whole_checkpoint() -> None:
    assert least_s("--model=Qwen/Qwen3-8B, --quantization=fp8") == least_s("--model=Qwen/Qwen3-8B")


@pytest.mark.parametrize(
    ("args", "image"),
    [
        ("--model=s3://models/qwen, --load-format=runai_streamer", "vllm/vllm-openai:v0.11.0"),
        ("--model=Qwen/Qwen3-8B, --load-format=tensorizer", "vllm/vllm-openai:v0.11.0"),
        ("serve", "ollama/ollama:0.11.11"),
    ],
)
def test_a_start_that_nobody_knows(args: str, image: str) -> None:
    assert start_of(engine(args=args, image=image)) is None


def test_an_unknown_model_is_taken_for_a_small_one() -> None:
    start = start_of(engine(args="--model=$(MODEL)"))
    assert start is not None
    assert start.weights_mib is None
    assert start.least_s < least_s("--model=Qwen/Qwen3-8B")


@pytest.mark.parametrize(
    ("model", "path", "kind", "kept"),
    [
        ("/models/Qwen3-8B", "/models", "emptyDir: {}", True),
        ("/models/Qwen3-8B", "/models", "persistentVolumeClaim: {claimName: a}", True),
        ("Qwen/Qwen3-8B", "/root/.cache/huggingface", "persistentVolumeClaim: {claimName: a}", True),
        ("Qwen/Qwen3-8B", "/root/.cache/huggingface", "emptyDir: {}", False),
        ("Qwen/Qwen3-8B", "/logs", "persistentVolumeClaim: {claimName: a}", False),
    ],
)
def test_weights_that_may_be_there_already(model: str, path: str, kind: str, kept: bool) -> None:
    """What an init container puts into a folder is there as well; what the engine downloads comes every time."""
    found = engine(
        f"volumeMounts: [{{name: models, mountPath: {path}}}]",
        pod=f"volumes: [{{name: models, {kind}}}]",
        args=f"--model={model}",
    )
    start = start_of(found)
    assert start is not None
    assert start.kept is kept
    assert start.may_do(start.least_s - 10) is kept
    assert not start.may_do(start.own_s)


# -- several repositories in one folder

SHARED = """\
version: v1
sharing: {timeSlicing: {resources: [{name: nvidia.com/gpu, replicas: 4}]}}
"""


def test_a_repository_within_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("one", "two"):
        (tmp_path / name / ".github").mkdir(parents=True)
        (tmp_path / name / "apps").mkdir()
        text = POD.replace("RESOURCES", "{limits: {nvidia.com/gpu: 2}}").replace("IMAGE", "registry.example/a:1")
        (tmp_path / name / "apps" / "pod.yaml").write_text(
            text.replace("ARGS", "").replace("CONTAINER", "").replace("POD", "")
        )
    (tmp_path / "one" / "config.yaml").write_text(SHARED)
    project = load(discover(["."], [])).project
    (config,) = project.device_plugin_configs
    near = [w.place.source.path for w in project.workloads if project.of_one_repository(w.place, config.place)]
    assert near == ["one/apps/pod.yaml"]


def test_without_marks_all_is_one_repository() -> None:
    pod = (
        "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {containers: [{name: a, image: a:1, resources: GPU}]}\n"
    )
    files = {"a/config.yaml": SHARED, "b/pod.yaml": pod.replace("GPU", "{limits: {nvidia.com/gpu: 1}}")}
    project = load_texts(files).project
    (config,), (found,) = project.device_plugin_configs, project.workloads
    assert project.of_one_repository(found.place, config.place)
