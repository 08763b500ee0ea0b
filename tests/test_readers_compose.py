"""Docker Compose: services as workloads, with Compose's own variables, devices and shared memory."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpulint.lint import check, selected_rules
from gpulint.load import load_texts
from gpulint.model.workload import Container, Workload
from gpulint.readers.compose import interpolated
from gpulint.source.shell import joined


def services(text: str, path: str = "compose.yaml", **files: str) -> dict[str, Workload]:
    loaded = load_texts({path: text, **files})
    assert not loaded.problems
    return {workload.ref.name or "": workload for workload in loaded.project.workloads}


def service(body: str, **files: str) -> Container:
    text = "services:\n  llm:\n    image: vllm/vllm-openai:v0.11.0\n" + "".join(
        f"    {line}\n" for line in body.splitlines()
    )
    (container,) = services(text, **files)["llm"].containers
    return container


def reserve(device: str) -> str:
    return f"deploy: {{resources: {{reservations: {{devices: [{device}]}}}}}}"


def test_a_service() -> None:
    workloads = services(
        """
x-gpu: &gpu
  ipc: host
  deploy:
    replicas: 2
    resources:
      limits: {memory: 64g}
      reservations:
        devices: [{driver: nvidia, count: 4, capabilities: [gpu]}]
services:
  llm:
    <<: *gpu
    image: vllm/vllm-openai:v0.11.0
    command: --model org/model-7b --tensor-parallel-size 4
  web:
    build: .
"""
    )
    llm = workloads["llm"]
    assert (str(llm.ref), llm.replicas and llm.replicas.value, llm.complete) == ("compose service llm", 2, True)
    assert llm.place.text() == "llm"
    (container,) = llm.containers
    assert container.gpu_count() == 4
    assert container.gpus[0].place.text() == "4"
    assert container.memory_limit_mib == 65536
    assert llm.pods[0].host_ipc
    assert container.engine is not None
    assert container.engine.version == (0, 11, 0)
    tensor = container.engine.tensor_parallel
    assert tensor is not None
    assert tensor.place is not None
    assert (tensor.value, tensor.place.text()) == (4, "--tensor-parallel-size 4")
    assert workloads["web"].complete


@pytest.mark.parametrize(
    ("body", "count", "vendor"),
    [
        (reserve("{driver: nvidia, count: 2, capabilities: [gpu]}"), 2, "nvidia"),
        (reserve('{driver: nvidia, count: "2", capabilities: [gpu]}'), 2, "nvidia"),
        (reserve("{capabilities: [gpu], count: '${COUNT:-3}'}"), 3, "nvidia"),
        (reserve("{driver: nvidia, count: '${COUNT}', capabilities: [gpu]}"), None, "nvidia"),
        (reserve("{driver: nvidia, count: all, capabilities: [gpu]}"), None, "nvidia"),
        (reserve("{driver: nvidia, capabilities: [gpu]}"), None, "nvidia"),
        (reserve("{driver: nvidia, device_ids: ['0', '3'], capabilities: [gpu]}"), 2, "nvidia"),
        (reserve("{driver: nvidia, device_ids: ['0,3'], capabilities: [gpu]}"), 2, "nvidia"),
        (reserve("{driver: nvidia, device_ids: ['${IDS}'], capabilities: [gpu]}"), None, "nvidia"),
        (reserve("{driver: nvidia, device_ids: [MIG-5a1c], capabilities: [gpu]}"), None, "nvidia"),
        ("gpus: all", None, "nvidia"),
        ("gpus: [{driver: nvidia, count: 2}]", 2, "nvidia"),
        ("runtime: nvidia", None, "nvidia"),
        ("runtime: nvidia\nenvironment: {NVIDIA_VISIBLE_DEVICES: '0,1'}", 2, "nvidia"),
        ("runtime: nvidia\nenvironment: [NVIDIA_VISIBLE_DEVICES=all]", None, "nvidia"),
        ("runtime: habana\nenvironment: {HABANA_VISIBLE_DEVICES: all}", None, "habana"),
        ("devices: [/dev/kfd, /dev/dri]", None, "amd"),
    ],
)
def test_devices(body: str, count: int | None, vendor: str) -> None:
    (request,) = service(body).gpus
    assert (request.count, request.vendor) == (count, vendor)


@pytest.mark.parametrize(
    "body",
    [
        "shm_size: 1g",
        "runtime: nvidia\nenvironment: {NVIDIA_VISIBLE_DEVICES: void}",
        reserve("{driver: other, capabilities: [tpu]}"),
        "devices: [/dev/dri]",
    ],
)
def test_no_devices(body: str) -> None:
    assert service(body).gpus == []


@pytest.mark.parametrize(
    ("body", "medium", "size_mib"),
    [
        ("shm_size: 2gb", "Memory", 2048),
        ("shm_size: '64m'", "Memory", 64),
        ("shm_size: 1073741824", "Memory", 1024),
        ("shm_size: ${SHM}", "Memory", None),
        ("volumes: ['/dev/shm:/dev/shm']", "host", None),
        ("tmpfs: /dev/shm:size=1g,mode=1777", "Memory", 1024),
        ("ipc: 'service:other'", "unknown", None),
    ],
)
def test_shared_memory(body: str, medium: str, size_mib: float | None) -> None:
    memory = service(body).shared_memory
    assert memory is not None
    assert (memory.medium, memory.size_mib) == (medium, size_mib)


def test_nothing_at_shared_memory() -> None:
    assert service("ipc: private").shared_memory is None


def engine_model(body: str, **files: str) -> str | None:
    engine = service(body, **files).engine
    return engine.model.value if engine is not None and engine.model is not None else None


@pytest.mark.parametrize(
    ("body", "model"),
    [
        ("command: --model $MODEL", "org/from-file"),
        ("command: ['--model', '${MODEL}']", "org/from-file"),
        ("command: --model ${MODEL:-org/default}", "org/from-file"),
        ("command: --model ${NOWHERE:-org/default}", "org/default"),
        ("command: --model ${NOWHERE-org/default}", "org/default"),
        ("command: --model ${NOWHERE:-${MODEL}}", "org/from-file"),
        ("command: --model ${NOWHERE}", None),
        ("command: --model ${NOWHERE:?say which}", None),
        ("command: --model ${MODEL:+org/other}", "org/other"),
        ("command: --model 'org/quoted model'", "org/quoted model"),
        ("command: >-\n  --model\n  org/folded\n  --port 80", "org/folded"),
        ("entrypoint: bash -c\ncommand: ['vllm serve $$NAME']\nenvironment: {NAME: org/inside}", "org/inside"),
        ("entrypoint: ['vllm', 'serve']\ncommand: org/positional", "org/positional"),
    ],
)
def test_commands(body: str, model: str | None) -> None:
    assert engine_model(body, **{".env": "# what we serve\nMODEL='org/from-file' # for now\n"}) == model


def test_environment_files() -> None:
    files = {"conf/gpu.env": 'A=1\nexport B="two words"\nC\n', "other.env": "A=3\n"}
    container = service("env_file: [conf/gpu.env, {path: other.env}]\nenvironment: [B=4, D]", **files)
    assert {name: variable.value for name, variable in container.env.items()} == {"A": "3", "B": "4", "D": None}
    assert container.env["A"].place.source.path == "other.env"
    assert container.env["A"].place.text() == "3"


def test_a_missing_environment_file_may_set_anything() -> None:
    engine = service("env_file: nowhere.env\ncommand: --model a/b").engine
    assert engine is not None
    assert engine.ray_cluster  # as for Kubernetes' envFrom: what joins a cluster could stand there


@pytest.mark.parametrize("body", ["    gpus: all\n", "    image: a\n    gpus: all\n    extends: {service: b}\n"])
def test_a_part_of_a_service_is_not_complete(body: str) -> None:
    assert not services(f"services:\n  web: {{image: a}}\n  llm:\n{body}", "docker-compose.gpu.yml")["llm"].complete


@pytest.mark.parametrize(
    ("path", "text", "names"),
    [
        ("stack.yaml", "services: {a: {image: vllm/x, gpus: all}}", ["a"]),
        ("stack.yaml", "services: {a: {image: vllm/x, gpus: all}, b: {gpus: all}}", []),
        ("values.yaml", "services: {a: {image: vllm/x, gpus: all}}\nreplicas: 1", []),
        ("compose.yaml", "services: {a: {image: vllm/x, gpus: all}}\nreplicas: 1", []),
        ("compose.yaml", "services: [vllm, image]", []),
        ("compose.yaml", "apiVersion: v1\nservices: {a: {image: vllm/x}}", []),
    ],
)
def test_which_files_are_compose(path: str, text: str, names: Sequence[str]) -> None:
    assert list(services(text, path)) == names


def test_rules_run_on_services() -> None:
    text = """\
services:
  llm:
    image: vllm/vllm-openai:v0.11.0
    command: --model org/model-7b --tensor-parallel-size 4
    gpus: [{count: 2}]
"""
    findings, problems = check(load_texts({"compose.yaml": text}), selected_rules([], []))
    assert not problems
    found = {finding.rule: finding.finding.place for finding in findings}
    assert found["parallel-size-exceeds-gpus"].line == 4
    assert found["missing-shared-memory"].line == 4


@given(
    st.text(alphabet="$a_{}:-+? 'x", max_size=30), st.dictionaries(st.sampled_from("ax"), st.text("$yz", max_size=3))
)
def test_pieces_cover_the_text(text: str, known: dict[str, str]) -> None:
    pieces = interpolated(text, known)
    assert [piece.start for piece in pieces] == [0, *(piece.end for piece in pieces[:-1])]
    assert pieces[-1].end == len(text)
    if "$" not in text:
        assert joined(pieces)[1] == text
