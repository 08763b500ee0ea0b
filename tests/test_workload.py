"""What containers and workloads say of themselves: slices, groups of pods, and what runs beside an engine."""

from __future__ import annotations

import pytest

from gpulint.load import load_texts
from gpulint.model.workload import Workload

POD = """
apiVersion: v1
kind: Pod
metadata: {{name: p}}
spec:
  nodeSelector: {selector}
  containers:
    - name: engine
      image: vllm/vllm-openai:v0.11.0
      command: [sh, -c, {script}]
      env: {env}
      resources: {{limits: {limits}}}
"""

GROUP = """
apiVersion: leaderworkerset.x-k8s.io/v1
kind: LeaderWorkerSet
metadata: {{name: g}}
spec:
  leaderWorkerTemplate:
    size: {size}
    leaderTemplate:
      spec: {{containers: [{{name: l, image: a, resources: {{limits: {{nvidia.com/gpu: {leader}}}}}}}]}}
    workerTemplate:
      spec: {{containers: [{{name: w, image: a, resources: {{limits: {{nvidia.com/gpu: {worker}}}}}}}]}}
"""


def only(text: str) -> Workload:
    loaded = load_texts({"a.yaml": text})
    assert not loaded.problems
    (workload,) = loaded.project.workloads
    return workload


def pod(
    script: str = "vllm serve m/m", selector: str = "{}", env: str = "[]", limits: str = "{nvidia.com/gpu: 1}"
) -> Workload:
    return only(POD.format(script=script, selector=selector, env=env, limits=limits))


@pytest.mark.parametrize(
    ("selector", "limits", "profile", "memory_mib"),
    [
        ("{}", "{nvidia.com/mig-3g.40gb: 2}", "3g.40gb", (40192, 40448)),
        ("{nvidia.com/gpu.product: NVIDIA-A100-SXM4-80GB}", "{nvidia.com/mig-3g.40gb: 1}", "3g.40gb", (40192, 40192)),
        ("{nvidia.com/gpu.product: NVIDIA-A100-SXM4-40GB-MIG-1g.5gb}", "{nvidia.com/gpu: 1}", "1g.5gb", (4864, 4864)),
        # The board that is selected has no such profile: nothing is known of its memory.
        ("{nvidia.com/gpu.product: NVIDIA-H100-80GB-HBM3}", "{nvidia.com/mig-1g.5gb: 1}", "1g.5gb", None),
    ],
)
def test_slice(selector: str, limits: str, profile: str, memory_mib: tuple[int, int] | None) -> None:
    (container,) = pod(selector=selector, limits=limits).containers
    found = container.mig_slice
    assert found is not None
    assert (found.profile, found.memory_mib()) == (profile, memory_mib)
    assert profile in found.place.text()


@pytest.mark.parametrize(
    "limits",
    ["{nvidia.com/gpu: 1}", "{amd.com/gpu: 1}", "{}", "{nvidia.com/mig-1g.10gb: 1, nvidia.com/mig-2g.20gb: 1}"],
)
def test_no_slice(limits: str) -> None:
    workload = pod(limits=limits)
    assert workload.containers[0].mig_slice is None
    assert workload.mig_slices == []


@pytest.mark.parametrize(
    ("size", "leader", "worker", "total"),
    [("3", "1", "8", 17), ("1", "8", "8", 8), ("${SIZE}", "8", "8", None), ("2", "${GPUS}", "8", None)],
)
def test_gpus_of_a_group(size: str, leader: str, worker: str, total: int | None) -> None:
    text = GROUP.format(size=f'"{size}"' if "$" in size else size, leader=f'"{leader}"', worker=f'"{worker}"')
    assert only(text).gpus_per_group() == total


@pytest.mark.parametrize(
    ("script", "alone", "chooses_devices", "ray_cluster"),
    [
        ('"cd /models && ulimit -n 65536 && exec vllm serve m/m"', True, False, False),
        ('"python /app/other.py & vllm serve m/m"', False, False, False),
        ('"vllm serve m/m & vllm serve n/n"', False, False, False),
        ('"CUDA_VISIBLE_DEVICES=1 vllm serve m/m"', True, True, False),
        ('"ray start --head && vllm serve m/m -tp 16"', False, False, True),
    ],
)
def test_beside_an_engine(script: str, alone: bool, chooses_devices: bool, ray_cluster: bool) -> None:
    (engine,) = pod(script=script).engines
    assert (engine.alone, engine.chooses_devices, engine.ray_cluster) == (alone, chooses_devices, ray_cluster)


@pytest.mark.parametrize(
    ("env", "chooses_devices", "ray_cluster"),
    [
        ("[{name: CUDA_VISIBLE_DEVICES, value: '0'}]", True, False),
        ("[{name: RAY_ADDRESS, value: head}]", False, True),
        ("[{name: HF_HOME, value: /cache}]", False, False),
    ],
)
def test_environment_of_an_engine(env: str, chooses_devices: bool, ray_cluster: bool) -> None:
    (engine,) = pod(env=env).engines
    assert (engine.chooses_devices, engine.ray_cluster) == (chooses_devices, ray_cluster)
