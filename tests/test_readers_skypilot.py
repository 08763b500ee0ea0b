"""SkyPilot: one workload per accelerator that a task may run on, and SkyServe's autoscaler."""

from __future__ import annotations

import pytest

from gpulint.lint import check, selected_rules
from gpulint.load import load_texts
from gpulint.metrics.table import Meaning
from gpulint.model.engine import Engine
from gpulint.model.project import Project
from gpulint.model.workload import Workload

RUN = """\
run: |
  python -m vllm.entrypoints.openai.api_server --model $MODEL \\
    --tensor-parallel-size $SKYPILOT_NUM_GPUS_PER_NODE
"""


def read(text: str) -> Project:
    loaded = load_texts({"serve.sky.yaml": text})
    assert not loaded.problems
    return loaded.project


def forms(resources: str, rest: str = RUN) -> list[Workload]:
    return read(f"envs: {{MODEL: org/model-7b}}\nresources: {{{resources}}}\n{rest}").workloads


def engine_of(workload: Workload) -> Engine:
    (engine,) = workload.engines
    return engine


@pytest.mark.parametrize(
    ("resources", "choices"),
    [
        ("accelerators: 'A100-80GB:8'", [("A100-80GB", 8)]),
        ("accelerators: L4", [("L4", 1)]),
        ("accelerators: {L4:8, H100:2}", [("L4", 8), ("H100", 2)]),
        ("accelerators: {L4: 8, H100: 2}", [("L4", 8), ("H100", 2)]),
        ("accelerators: ['L4:8', 'H100:2']", [("L4", 8), ("H100", 2)]),
        ("accelerators: 'L4:0.5'", [("L4", None)]),
        ("accelerators: 'H100:8+'", [("H100", None)]),
        ("any_of: [{accelerators: 'L4:2'}, {accelerators: {T4:4, L4:2}}]", [("L4", 2), ("T4", 4)]),
        (
            "ordered: [{accelerators: 'L4:2', use_spot: true}, {cloud: aws}], accelerators: 'T4:4'",
            [("T4", 4), ("L4", 2)],
        ),
        ("accelerators: 'L4:2', any_of: [{use_spot: true}, {use_spot: false}]", [("L4", 2)]),
        ("instance_type: p5.48xlarge", [("p5.48xlarge", 8)]),
    ],
)
def test_choices(resources: str, choices: list[tuple[str, int | None]]) -> None:
    workloads = forms(resources)
    found = [(request.resource, request.count) for w in workloads for c in w.containers for request in c.gpus]
    assert found == choices
    # Every form is the same object, with the count of its own accelerator.
    assert len({id(workload.ref) for workload in workloads}) == 1
    sizes = [engine_of(workload).tensor_parallel for workload in workloads]
    assert [size.value if size is not None else None for size in sizes] == [count for _, count in choices]


def test_a_task() -> None:
    (workload,) = forms("accelerators: 'L40S:4', image_id: 'docker:vllm/vllm-openai:v0.11.0'")
    assert str(workload.ref) == "SkyPilot task serve"
    (pod,) = workload.pods
    assert pod.placement is not None
    assert [gpu.id for gpu in pod.placement.gpus] == ["l40s"]
    assert pod.placement.why.value == "L40S:4"
    (container,) = workload.containers
    assert container.shared_memory is not None
    assert container.shared_memory.medium == "host"
    engine = engine_of(workload)
    assert engine.version == (0, 11, 0)
    assert engine.model is not None
    assert engine.model.value == "org/model-7b"
    tensor = engine.tensor_parallel
    assert tensor is not None
    assert tensor.place is not None
    # The size is that of the accelerator: what would be changed stands there.
    assert (tensor.value, tensor.place.text()) == (4, "'L40S:4'")
    assert not workload.multi_node
    assert not workload.batch


def test_several_nodes() -> None:
    (workload,) = forms(
        "accelerators: 'H100:8'",
        "num_nodes: 2\nrun: |\n  vllm serve org/m --tensor-parallel-size $SKYPILOT_NUM_GPUS_PER_NODE "
        "--pipeline-parallel-size $SKYPILOT_NUM_NODES\n",
    )
    engine = engine_of(workload)
    assert workload.multi_node
    assert workload.gpus_per_group() == 16
    assert engine.gpus_used() == 16


def test_arithmetic_and_unset_variables() -> None:
    (workload,) = forms(
        "accelerators: 'A100:8'",
        "run: |\n  TP=2\n  DP=$((SKYPILOT_NUM_GPUS_PER_NODE / TP))\n"
        "  vllm serve $OTHER --tensor-parallel-size $TP --data-parallel-size $DP\n",
    )
    engine = engine_of(workload)
    assert engine.gpus_used() == 8
    assert engine.model is not None
    assert engine.model.value is None


def test_devices_that_a_launch_shows() -> None:
    (workload,) = forms(
        "accelerators: 'L4:4'", "run: CUDA_VISIBLE_DEVICES=0,1,2 vllm serve org/m --tensor-parallel-size 2\n"
    )
    engine = engine_of(workload)
    assert engine.chooses_devices
    assert engine.visible_devices is not None
    assert engine.visible_devices.value == 3


def test_a_training_task_is_a_batch() -> None:
    (workload,) = forms("accelerators: 'A100:8'", "run: torchrun train.py\n")
    assert workload.batch


def test_a_service() -> None:
    project = read(
        "name: chat\nenvs: {MODEL: org/m}\nresources: {accelerators: {L4:1, T4:1}}\n"
        + RUN
        + "service:\n  replica_policy:\n"
        "    min_replicas: 1\n    max_replicas: 4\n    target_qps_per_replica: 2.5\n    downscale_delay_seconds: 30\n"
    )
    (scaler,) = project.autoscalers
    assert str(scaler.ref) == "SkyPilot service chat"
    assert scaler.min_replicas is not None
    assert scaler.max_replicas is not None
    assert (scaler.min_replicas.value, scaler.max_replicas.value) == (1, 4)
    (metric,) = scaler.metrics
    assert metric.meanings == {Meaning.REQUEST_RATE}
    assert metric.threshold is not None
    assert metric.threshold.value == 2.5
    window = scaler.scale_down.stabilization_window_s
    assert window is not None
    assert (window.value, window.place.text(), scaler.scale_down.default_s) == (30, "30", 1200)
    assert all(workload.autoscalers == [scaler] for workload in project.workloads)
    assert scaler.workload is project.workloads[0]


@pytest.mark.parametrize(
    "text",
    [
        "resources: {accelerators: 'L4:1'}\nsetup: pip install vllm\n",
        "resources: {accelerators: 'L4:1'}\nrun: [vllm]\n",
        "resources: {accelerators: 'L4:1'}\nrun: vllm serve x\nsteps: []\n",
        "apiVersion: v1\nresources: {accelerators: 'L4:1'}\nrun: vllm serve x\n",
    ],
)
def test_other_files(text: str) -> None:
    assert not read(text).workloads


def test_the_documents_of_a_pipeline() -> None:
    task = "resources: {accelerators: 'L4:%s'}\nrun: vllm serve org/m\n"
    project = read(f"name: pipeline\n---\nname: a\n{task % 1}---\nname: b\n{task % 2}")
    assert [(w.ref.name, w.containers[0].gpu_count()) for w in project.workloads] == [("a", 1), ("b", 2)]


def test_one_finding_for_all_forms() -> None:
    text = "envs: {MODEL: org/m}\nresources:\n  accelerators: {L4:8, A10G:8, A100:8}\n" + RUN
    findings, problems = check(load_texts({"serve.yaml": text}), selected_rules([], []))
    assert not problems
    found = [(finding.rule, finding.finding.place.line) for finding in findings]
    assert found == [("tensor-parallel-over-pcie", 3)]
