"""Values of bjw-s's app-template chart."""

from __future__ import annotations

import pytest

from gpulint.lint import check
from gpulint.load import Loaded, load_texts
from gpulint.model.workload import Workload

VALUES = """\
defaultPodOptions:
  nodeSelector: {nvidia.com/gpu.product: NVIDIA-L4}
controllers:
  llm:
    replicas: 2
    pod: {terminationGracePeriodSeconds: 90}
    containers:
      app:
        image: {repository: vllm/vllm-openai, tag: v0.11.0}
        args: [--model=a/b, --tensor-parallel-size=4]
        env: {TZ: Europe/Berlin, HF_TOKEN: {valueFrom: {secretKeyRef: {name: s, key: t}}}}
        probes:
          startup: {enabled: true, custom: true, spec: {failureThreshold: 6, periodSeconds: 10, httpGet: {path: /health}}}
          liveness: {enabled: false, spec: {periodSeconds: 1}}
        resources: {limits: {nvidia.com/gpu: 2}}
persistence:
  shm: {type: emptyDir, medium: Memory, sizeLimit: 8Gi, globalMounts: [{path: /dev/shm}]}
  models: {existingClaim: models, globalMounts: [{path: /models}]}
"""


def load(**texts: str) -> Loaded:
    loaded = load_texts({f"{name}.yaml": text for name, text in texts.items()})
    assert not loaded.problems, [problem.reason for problem in loaded.problems]
    return loaded


def only(loaded: Loaded) -> Workload:
    (workload,) = loaded.project.workloads
    return workload


def test_a_controller_is_a_pod() -> None:
    workload = only(load(values=VALUES))
    assert (str(workload.ref), workload.part, workload.complete) == ("Chart values.yaml", "llm", False)
    assert workload.replicas is not None
    assert workload.replicas.value == 2
    (pod,) = workload.pods
    assert pod.placement is not None
    assert [gpu.name for gpu in pod.placement.gpus] == ["NVIDIA L4"]
    (container,) = pod.containers
    assert (container.name, container.gpu_count()) == ("app", 2)
    assert {name: variable.value for name, variable in container.env.items()} == {
        "TZ": "Europe/Berlin",
        "HF_TOKEN": None,
    }
    memory = container.shared_memory
    assert memory is not None
    assert (memory.medium, memory.size_mib) == ("Memory", 8 * 1024)
    assert container.startup_probe is not None
    assert container.startup_probe.budget_s == 60
    assert container.liveness_probe is None
    engine = container.engine
    assert engine is not None
    assert (engine.version, engine.arguments_known) == ((0, 11, 0), True)


def test_in_a_release() -> None:
    head = "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {name: llm, namespace: ai}\nspec:\n  values:\n"
    loaded = load(release=head + "".join(f"    {line}\n" for line in VALUES.splitlines()))
    assert str(only(loaded).ref) == "HelmRelease ai/llm"
    findings, failed = check(loaded, ["parallel-size-exceeds-gpus"])
    assert not failed
    assert [finding.place.text() for finding in findings] == ["--tensor-parallel-size=4"]


@pytest.mark.parametrize(
    ("old", "new", "medium"),
    [
        ("globalMounts: [{path: /dev/shm}]", "advancedMounts: {llm: {app: [{path: /dev/shm}]}}", "Memory"),
        ("globalMounts: [{path: /dev/shm}]", "advancedMounts: {llm: {other: [{path: /dev/shm}]}}", None),
        ("type: emptyDir, medium: Memory, sizeLimit: 8Gi", "type: hostPath, hostPath: /dev/shm", "host"),
        ("type: emptyDir, medium: Memory, sizeLimit: 8Gi", "type: emptyDir", "disk"),
        ("type: emptyDir", "enabled: false, type: emptyDir", None),
    ],
)
def test_mounts(old: str, new: str, medium: str | None) -> None:
    memory = only(load(values=VALUES.replace(old, new))).containers[0].shared_memory
    assert (memory.medium if memory is not None else None) == medium


def test_a_command_in_one_text() -> None:
    text = VALUES.replace("[--model=a/b, --tensor-parallel-size=4]", "--model=a/b")
    engine = only(load(values=text)).containers[0].engine
    assert engine is not None
    assert engine.model is not None
    assert engine.model.value == "a/b"


@pytest.mark.parametrize(
    "text",
    [
        VALUES.replace("    replicas: 2\n", "    enabled: false\n"),
        VALUES.replace("      app:\n", "      app:\n        enabled: false\n"),
        VALUES.replace("vllm/vllm-openai", "web").replace("nvidia.com/gpu: 2", "cpu: 1").replace("--model", "--vllm-x"),
        "controllers: {a: {containers: [{name: vllm}]}}\n",
        "controllers: {a: {containers: {b: {name: vllm}}}}\n",
    ],
)
def test_what_is_nothing(text: str) -> None:
    assert load(values=text).project.workloads == []
