"""Live mode as a user meets it: the real pynvml over a stand-in for the driver's library, one kind of host each."""

from __future__ import annotations

import ctypes
import json
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

import gpulint.live
from gpulint.cli import main
from gpulint.data import read_schema
from gpulint.hardware.cuda import cuda_of_image, cuda_required
from gpulint.lint import check
from gpulint.live.hostfile import HostError, measured, read_host_file, read_host_text, to_text
from gpulint.load import Loaded, load_texts
from gpulint.model.host import Host, HostGpu, MigDevice, Pair, Process
from gpulint.rules import rule_names
from gpulint.source.text import Source

STUB = Path(__file__).with_name("nvml_stub.c")
LIVE_RULES = [name for name, family in rule_names().items() if family == "live"]
SCHEMA = json.loads(read_schema("host"))
Run = Callable[..., "subprocess.CompletedProcess[str]"]

DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: chat, namespace: llm}
spec:
  selector: {matchLabels: {app: chat}}
  template:
    metadata: {labels: {app: chat}}
    spec:
      containers:
        - name: vllm
          image: vllm/vllm-openai:v0.11.0
          args:
            - --model=MODEL
            - --tensor-parallel-size=SIZE
          resources: {limits: {RESOURCE: COUNT}}
          volumeMounts: [{name: shm, mountPath: /dev/shm}]
      volumes: [{name: shm, emptyDir: {medium: Memory, sizeLimit: 8Gi}}]
"""


def deployment(
    size: int, *, resource: str = "nvidia.com/gpu", count: int | None = None, model: str = "Qwen/Qwen3-8B"
) -> str:
    text = DEPLOYMENT.replace("SIZE", str(size)).replace("RESOURCE", resource).replace("MODEL", model)
    return text.replace("COUNT", str(count or size))


def compiler() -> str:
    found = shutil.which("gcc") or shutil.which("cc") or shutil.which("clang")
    if found is None or sys.platform != "linux":
        pytest.skip("the stand-in for NVML needs Linux and a C compiler")
    return found


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Callable[[bool], Path]:
    """The folder of a freshly compiled libnvidia-ml.so.1, of today's driver or of an old one."""
    gcc = compiler()
    built: dict[bool, Path] = {}

    def build(old: bool) -> Path:
        if old not in built:
            folder = tmp_path_factory.mktemp("nvml")
            flags = ["-DOLD_DRIVER"] if old else []
            command = [gcc, "-shared", "-fPIC", "-w", *flags, "-o", str(folder / "libnvidia-ml.so.1"), str(STUB)]
            subprocess.run(command, check=True, timeout=60)
            built[old] = folder
        return built[old]

    return build


@pytest.fixture
def on(library: Callable[[bool], Path], tmp_path: Path) -> Run:
    """Runs `gpulint live` in an empty folder on a kind of host; the T4 has a driver of 2019."""

    def run(host: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        env = {name: value for name, value in os.environ.items() if name not in ("FORCE_COLOR", "NO_COLOR")}
        env |= {"NVML_STUB": host, "LD_LIBRARY_PATH": str(library(host == "t4"))}
        command = [sys.executable, "-m", "gpulint", "live", *arguments]
        return subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=60, check=False)

    return run


def described(on: Run, host: str, *arguments: str) -> dict[str, Any]:
    """The host's JSON, which keeps to the schema."""
    result = on(host, "--format", "json", *arguments)
    assert (result.returncode, result.stderr) == (0, "")
    data: dict[str, Any] = json.loads(result.stdout)
    jsonschema.Draft202012Validator(SCHEMA).validate(data)
    return data


def found(on: Run, host: str, *more: str) -> list[tuple[str, str, int]]:
    """Level, rule and line of what the live rules and those about links say of the folder."""
    rules = [*LIVE_RULES, "tensor-parallel-over-pcie", "weights-exceed-mig-slice", "tensor-parallel-across-mig-slices"]
    result = on(host, ".", "--format", "json", "--select", ",".join(rules), *more)
    assert result.stderr == ""
    findings = json.loads(result.stdout)["findings"]
    assert result.returncode == int(any(finding["level"] != "info" for finding in findings))
    return [(finding["level"], finding["rule"], finding["line"]) for finding in findings]


# -- reading -----------------------------------------------------------------------------------------------------------


def test_h100_with_nvswitch(on: Run) -> None:
    data = described(on, "h100x8")
    assert (data["driver"], data["cuda"], data["hiddenGpus"]) == ("570.124.06", "12.8", 0)
    assert [gpu["index"] for gpu in data["gpus"]] == list(range(8))
    first = data["gpus"][0]
    assert (first["name"], first["productLabel"]) == ("NVIDIA H100 80GB HBM3", "NVIDIA-H100-80GB-HBM3")
    assert (first["memoryMib"], first["reservedMib"], first["usedMib"]) == (81559, 551, 4)
    assert (first["nvlinks"], first["nvswitch"], first["fabric"], first["mig"]) == (18, True, "completed", False)
    assert (first["pciDeviceId"], first["computeCapability"], first["powerLimitW"]) == ("0x2330", "9.0", 700)
    assert len(data["pairs"]) == 28
    assert {(pair["nvlink"], pair["nvlinks"], pair["p2p"]) for pair in data["pairs"]} == {(True, None, "ok")}
    text = on("h100x8").stdout
    assert "8 GPUs, driver 570.124.06, CUDA up to 12.8" in text
    assert "every GPU reaches every other over NVLink (NVSwitch)" in text


def test_l40s_over_pcie(on: Run) -> None:
    data = described(on, "l40sx4")
    assert {pair["nvlink"] for pair in data["pairs"]} == {False}
    assert {(pair["topology"], pair["p2p"]) for pair in data["pairs"]} == {
        ("PIX", "ok"),
        ("SYS", "topology-not-supported"),
    }
    assert data["gpus"][0]["mig"] is None
    assert "PCIe alone" in on("l40sx4").stdout


def test_a_bridge(on: Run) -> None:
    (pair,) = described(on, "a100x2")["pairs"]
    assert pair == {"gpus": [0, 1], "nvlink": True, "nvlinks": 12, "p2p": "ok", "topology": "PIX"}
    assert "NVLink between some: 0-1, 2-3; the others over PCIe" in on("a100x4").stdout


def test_mixed_mig(on: Run) -> None:
    (gpu,) = described(on, "mig")["gpus"]
    assert (gpu["mig"], gpu["migPending"]) == (True, True)
    devices = [(d["profile"], d["start"], d["size"], d["memoryMib"], d["usedMib"]) for d in gpu["migDevices"]]
    assert devices == [
        ("3g.20gb", 4, 4, 19968, 15000),
        ("2g.10gb", 0, 2, 9856, 12),
        ("1g.5gb", 2, 1, 4864, 6),
        ("1g.5gb", 3, 1, 4864, 6),
    ]
    text = on("mig").stdout
    assert "GPU utilisation is not available for a GPU in MIG mode" in text
    assert re.search(r"GPU 0  3g\.20gb .* 19\.5 GiB total, 4\.9 GiB free", text)


def test_an_old_driver_without_the_symbols(on: Run) -> None:
    data = described(on, "t4")
    (gpu,) = data["gpus"]
    assert (data["driver"], data["cuda"]) == ("418.226.00", "10.1")
    assert (gpu["name"], gpu["memoryMib"], gpu["usedMib"], gpu["reservedMib"]) == ("Tesla T4", 15109, 0, None)
    assert gpu["clockReasons"] == ["idle"]
    unknown = ("mig", "migDevices", "nvlinks", "nvswitch", "fabric", "pcieGpuGeneration", "remapFailure", "processes")
    assert [gpu[key] for key in unknown] == [None] * len(unknown)


def test_not_permitted(on: Run) -> None:
    data = described(on, "denied")
    assert data["hiddenGpus"] == 1
    (gpu,) = data["gpus"]
    assert {key: value for key, value in gpu.items() if value is not None} == {"index": 0}


def test_nothing_supported(on: Run) -> None:
    gpus = described(on, "silent")["gpus"]
    assert [gpu["name"] for gpu in gpus] == ["NVIDIA H100 80GB HBM3"] * 2
    rest = {"index", "name", "productLabel"}
    assert {value for gpu in gpus for key, value in gpu.items() if key not in rest} == {None}


def test_lost_in_the_middle(on: Run) -> None:
    data = described(on, "lost")
    assert [gpu["problem"] for gpu in data["gpus"]] == [None, "lost"]
    assert data["gpus"][1]["name"] == "NVIDIA H100 80GB HBM3"
    assert data["gpus"][1]["powerLimitW"] is None
    assert data["pairs"] == []
    assert "GPU 1: has fallen off the bus" in on("lost").stdout


@pytest.mark.parametrize(
    ("host", "sentence"),
    [
        ("none", "this host has an NVIDIA driver, but it has no GPU"),
        ("unloaded", "the NVIDIA driver is not loaded on this host"),
        ("forbidden", "this user may not talk to the NVIDIA driver"),
        ("mismatch", "the library and the kernel module of the NVIDIA driver have different versions"),
    ],
)
def test_where_nvml_does_not_answer(on: Run, host: str, sentence: str) -> None:
    for arguments in ([], ["."], ["--format", "json"]):
        result = on(host, *arguments)
        assert (result.returncode, result.stdout) == (2, "")
        assert result.stderr.startswith(f"gpulint: error: {sentence}")
        assert result.stderr.count("\n") == 1


def test_without_a_library(run_here: Callable[..., Any]) -> None:
    try:
        ctypes.CDLL("libnvidia-ml.so.1")
    except OSError:
        result = run_here("live")
        assert (result.exit_code, result.stdout) == (2, "")
        assert result.stderr.startswith("gpulint: error: this host has no NVIDIA driver library (libnvidia-ml.so.1)")
        assert result.stderr.count("\n") == 1
    else:
        pytest.skip("this host has an NVIDIA driver")


def test_without_the_package(run_here: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "gpulint.live.nvml", raising=False)
    monkeypatch.setitem(sys.modules, "pynvml", None)
    result = run_here("live")
    assert result.exit_code == 2
    assert result.stderr == "gpulint: error: gpulint live needs the package nvidia-ml-py: pip install 'gpulint[live]'\n"


# -- what it must not do -----------------------------------------------------------------------------------------------


def test_only_questions_are_asked_and_in_one_module() -> None:
    folder = Path(gpulint.live.__file__).parent
    text = (folder / "nvml.py").read_text(encoding="utf-8")
    asked = re.findall(r"nvml[A-Z]\w+", re.sub(r"nvmlClocksEventReasons|c_nvml\w+", "", text))
    assert asked
    for name in asked:
        assert re.fullmatch(r"nvml(Init|Shutdown|(System|Device|GpuInstance)Get\w*)", name), name
    package = folder.parent
    importing = [
        path for path in package.rglob("*.py") if re.search(r"^\s*(import|from) pynvml", path.read_text(), re.MULTILINE)
    ]
    assert importing == [folder / "nvml.py"]


def test_identifiers_are_told_only_when_asked_for(on: Run, tmp_path: Path) -> None:
    (tmp_path / "chat.yaml").write_text(deployment(1))
    secrets = ("5ec2e700", "13250240", "/opt/secret", "4242", '"hostName"', f"{socket.gethostname()}: ")
    for arguments in ([], ["--format", "json"], ["."], [".", "--format", "json"], ["--save", "host.json"]):
        result = on("busy", *arguments)
        saved = (tmp_path / "host.json").read_text() if "--save" in arguments else ""
        assert not [secret for secret in secrets if secret in result.stdout + result.stderr + saved]
    data = described(on, "busy", "--identifiers")
    (gpu,) = data["gpus"]
    assert (gpu["uuid"], gpu["serial"]) == ("GPU-5ec2e700-0000-4000-8000-000000000001", "1325024000001")
    assert gpu["processes"] == [{"usedMib": 60000, "gpuInstance": None, "pid": 4242, "name": "/opt/secret/server-4242"}]
    assert data["hostName"] == socket.gethostname()
    text = on("busy", "--identifiers").stdout
    assert not [secret for secret in secrets if not secret.startswith('"') and secret not in text]


# -- the same rules, measured ------------------------------------------------------------------------------------------


def test_tensor_parallelism_on_each_host(on: Run, tmp_path: Path) -> None:
    chat = tmp_path / "chat.yaml"
    chat.write_text(deployment(4))
    assert found(on, "h100x8") == []
    # P2P within pairs alone is no surprise on a host without NVLink, but worth knowing.
    assert found(on, "l40sx4") == [
        ("info", "tensor-parallel-across-unlinked-gpus", 14),
        ("warning", "tensor-parallel-over-pcie", 14),
    ]
    assert found(on, "a100x4") == [("warning", "tensor-parallel-across-unlinked-gpus", 14)]
    assert found(on, "a100x2") == [("error", "more-gpus-than-host", 15)]
    chat.write_text(deployment(2))
    assert found(on, "a100x2") == []
    assert found(on, "a100x4") == []


def test_without_an_answer_there_is_no_finding(on: Run, tmp_path: Path) -> None:
    (tmp_path / "chat.yaml").write_text(deployment(2))
    assert found(on, "silent") == []
    assert found(on, "denied") == []


def test_slices(on: Run, tmp_path: Path) -> None:
    chat = tmp_path / "chat.yaml"
    chat.write_text(deployment(1, resource="nvidia.com/mig-3g.20gb"))
    # Of the 19.5 GiB of the slice, 14.6 are in use; the GPU as a whole looks free.
    assert found(on, "mig") == [("warning", "gpu-memory-already-taken", 11)]
    chat.write_text(deployment(1, resource="nvidia.com/mig-1g.5gb", model="Qwen/Qwen3-8B"))
    assert found(on, "mig") == [("error", "weights-exceed-mig-slice", 13)]
    chat.write_text(deployment(1, resource="nvidia.com/mig-4g.20gb"))
    assert found(on, "mig") == [("error", "mig-profile-not-on-host", 15)]
    chat.write_text(deployment(1, resource="nvidia.com/mig-1g.5gb", model="Qwen/Qwen3-0.6B"))
    assert found(on, "mig") == []
    assert found(on, "pending") == [("warning", "pending-mig-mode", 18), ("error", "mig-profile-not-on-host", 15)]


def test_an_ill_gpu(on: Run, tmp_path: Path) -> None:
    (tmp_path / "empty.yaml").write_text("{}\n")
    assert sorted(rule for _, rule, _ in found(on, "ill")) == [
        "faulty-gpu-memory",
        "throttled-gpu",
        "throttled-gpu",
        "unusable-gpu",
        "unusable-gpu",
    ]
    assert [(level, rule) for level, rule, _ in found(on, "lost")] == [("error", "unusable-gpu")]


def test_memory_and_driver(on: Run, tmp_path: Path) -> None:
    (tmp_path / "chat.yaml").write_text(deployment(1))
    assert found(on, "busy") == [("warning", "gpu-memory-already-taken", 11)]
    assert found(on, "t4") == [("warning", "driver-older-than-cuda", 11)]


# -- hosts in files ----------------------------------------------------------------------------------------------------


@pytest.fixture
def run_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: CliRunner().invoke(main, arguments)


def test_a_saved_host_is_checked_elsewhere(on: Run, run_here: Callable[..., Any], tmp_path: Path) -> None:
    saved = on("a100x4", "--save", "bridges.json")
    assert saved.returncode == 0
    assert "4 GPUs" in saved.stdout
    (tmp_path / "chat.yaml").write_text(deployment(4))
    how = ("--select", "live,parallelism", "--format", "concise")
    result = run_here("check", "--host", "bridges.json", *how)
    assert result.exit_code == 1
    assert "chat.yaml:14:15: warning[tensor-parallel-across-unlinked-gpus]" in result.stdout
    # The same, as `live` says it: only the host's name differs.
    live = on("a100x4", ".", *how).stdout
    assert live.replace("this host", "the host in bridges.json") == result.stdout


def test_a_saved_host_says_nothing_about_now(on: Run, run_here: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "chat.yaml").write_text(deployment(1))
    on("busy", "--save", "busy.json")
    result = run_here("check", "--host", "busy.json", "--select", "live")
    assert (result.exit_code, result.stdout) == (0, "No findings in 2 files.\n")


def test_several_hosts_are_alternatives(on: Run, run_here: Callable[..., Any], tmp_path: Path) -> None:
    on("a100x2", "--save", "small.json")
    on("h100x8", "--save", "large.json")
    (tmp_path / "chat.yaml").write_text(deployment(8))
    select = ("--select", "live,tensor-parallel-over-pcie", "--format", "concise")
    assert "more-gpus-than-host" in run_here("check", "--host", "small.json", *select).stdout
    assert run_here("check", "--host", "small.json", "--host", "large.json", *select).exit_code == 0


def test_a_host_brings_no_other_file_into_the_scope(on: Run, run_here: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    on("a100x2", "--save", "host.json")
    (tmp_path / "one.yaml").write_text(deployment(1))
    (tmp_path / "two.yaml").write_text(deployment(4).replace("chat", "other"))
    assert run_here("check", "--host", "host.json", "--select", "live", "one.yaml").exit_code == 0
    assert run_here("check", "--host", "host.json", "--select", "live").exit_code == 1


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "not the JSON of a host: Expecting property name"),
        ("[]", "not the JSON of a host: [] is not of type 'object'"),
        ('{"version": 2, "gpus": [{"index": 0}]}', "not the JSON of a host: version: 1 was expected"),
        (
            '{"version": 1, "gpus": [{"index": 0, "memory": 1}]}',
            "not the JSON of a host: gpus[0]: Additional properties",
        ),
        ('{"version": 1, "gpus": [{"index": 0}, {"index": 0}]}', "two GPUs have the same index"),
        ("\udcff", "not valid UTF-8"),
    ],
)
def test_a_file_that_is_no_host(run_here: Callable[..., Any], tmp_path: Path, text: str, reason: str) -> None:
    (tmp_path / "host.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    result = run_here("check", "--host", "host.json")
    assert result.exit_code == 2
    assert result.stderr.startswith(f"gpulint: error: host.json: {reason}")
    assert result.stderr.count("\n") == 1


def test_a_file_that_is_not_there(run_here: Callable[..., Any]) -> None:
    result = run_here("check", "--host", "missing.json")
    assert (result.exit_code, result.stderr) == (2, "gpulint: error: missing.json: no such file or directory\n")
    assert run_here("live", "--format", "sarif").stderr.startswith("gpulint: error: unknown format 'sarif'")


words = st.text(st.characters(codec="utf-8", exclude_characters="\x7f", exclude_categories=["Cc", "Cs"]), max_size=12)
sizes = st.integers(0, 10**6)


def optional(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | strategy


gpus = st.builds(
    HostGpu,
    index=sizes,
    name=optional(words),
    memory_mib=optional(sizes),
    mig=optional(st.booleans()),
    mig_devices=optional(
        st.lists(st.builds(MigDevice, profile=optional(words), memory_mib=optional(sizes)), max_size=3).map(tuple)
    ),
    clock_reasons=optional(st.lists(words, max_size=2).map(tuple)),
    processes=optional(
        st.lists(st.builds(Process, used_mib=optional(sizes), name=optional(words)), max_size=2).map(tuple)
    ),
    uuid=optional(words),
)
hosts = st.builds(
    Host,
    driver=optional(words),
    cuda=optional(st.from_regex(r"[0-9]{1,2}\.[0-9]", fullmatch=True)),
    host_name=optional(words),
    hidden_gpus=sizes,
    gpus=st.lists(gpus, min_size=1, max_size=3, unique_by=lambda gpu: gpu.index).map(tuple),
    pairs=st.lists(st.builds(Pair, first=sizes, second=sizes, nvlink=optional(st.booleans())), max_size=3).map(tuple),
)


@given(hosts)
def test_what_is_written_is_read_again(host: Host) -> None:
    text = to_text(host)
    jsonschema.Draft202012Validator(SCHEMA).validate(json.loads(text))
    known = measured(host)
    assert read_host_text(Source("host.json", text)).host == host
    for gpu in host.gpus:
        place = known.place_of(gpu, "memoryMib")
        assert place.text() == f'"memoryMib": {json.dumps(gpu.memory_mib)}'


def test_read_host_file_says_which_file(tmp_path: Path) -> None:
    with pytest.raises(HostError, match="is a directory"):
        read_host_file(str(tmp_path))


# -- where pods land ---------------------------------------------------------------------------------------------------


def landed(text: str, *described_hosts: dict[str, Any]) -> Loaded:
    files = {f"host-{number}.json": json.dumps({"version": 1, **host}) for number, host in enumerate(described_hosts)}
    return load_texts({"chat.yaml": text, **files})


def test_a_pod_without_a_label_gets_the_gpus_of_the_host() -> None:
    host = {"gpus": [{"index": 0, "name": "NVIDIA L40S", "memoryMib": 45000}]}
    (workload,) = landed(deployment(1), host).project.workloads
    placement = workload.pods[0].placement
    assert placement is not None
    assert [(board.id, board.memory_mib) for board in placement.gpus] == [("l40s", 45000)]
    assert placement.why.value == "the host in host-0.json: 1 × NVIDIA L40S"
    assert (placement.gpus_per_node, placement.interconnect) == (1, "none")


def test_a_pod_with_a_label_gets_the_host_that_matches() -> None:
    large = {"gpus": [{"index": 0, "name": "NVIDIA H100 80GB HBM3", "memoryMib": 81000}]}
    small = {"gpus": [{"index": 0, "name": "NVIDIA L40S", "memoryMib": 45000}]}
    selector = "    spec:\n      nodeSelector: {nvidia.com/gpu.product: NVIDIA-L40S}\n"
    (workload,) = landed(deployment(1).replace("    spec:\n", selector), large, small).project.workloads
    placement = workload.pods[0].placement
    assert placement is not None
    assert [(board.id, board.memory_mib) for board in placement.gpus] == [("l40s", 45000)]
    assert placement.why.value == "nvidia.com/gpu.product: NVIDIA-L40S"


def test_hosts_that_differ_leave_what_they_share() -> None:
    four = [{"index": index, "name": "NVIDIA L40S"} for index in range(4)]
    pairs = [{"gpus": [a, b], "nvlink": False} for a in range(4) for b in range(a + 1, 4)]
    one = {"gpus": [{"index": 0, "name": "Tesla T4"}]}
    (workload,) = landed(deployment(1), {"gpus": four, "pairs": pairs}, one).project.workloads
    placement = workload.pods[0].placement
    assert placement is not None
    assert [board.id for board in placement.gpus] == ["l40s", "t4"]
    assert (placement.gpus_per_node, placement.interconnect) == (None, None)


def test_slices_have_the_memory_that_was_measured() -> None:
    devices = [{"profile": "3g.20gb", "memoryMib": 19000}, {"profile": "3g.20gb", "memoryMib": 19100}]
    host = {"gpus": [{"index": 0, "name": "NVIDIA A100-SXM4-40GB", "mig": True, "migDevices": devices}]}
    for resource in ("nvidia.com/mig-3g.20gb", "nvidia.com/gpu"):
        (workload,) = landed(deployment(1, resource=resource), host).project.workloads
        slices = workload.containers[0].mig_slice
        assert slices is not None
        assert (slices.profile, slices.memory_mib()) == ("3g.20gb", (19000, 19100))
        assert [board.id for board in slices.gpus] == ["a100-sxm4-40gb"]


def test_whole_gpus_are_slices_only_where_the_strategy_may_be_single() -> None:
    devices = [{"profile": "3g.20gb"}, {"profile": "3g.20gb"}]
    host = {"version": 1, "gpus": [{"index": 0, "name": "NVIDIA A100-SXM4-40GB", "mig": True, "migDevices": devices}]}
    plugin = "version: v1\nflags: {migStrategy: mixed}\nsharing: {timeSlicing: {resources: []}}\n"
    loaded = load_texts({"chat.yaml": deployment(1), "host.json": json.dumps(host), "plugin.yaml": plugin})
    assert loaded.project.device_plugin_configs
    (workload,) = loaded.project.workloads
    assert workload.containers[0].mig_slice is None
    findings, failed = check(loaded, ["more-gpus-than-host"])
    assert not failed
    assert [finding.finding.message for finding in findings] == [
        "Container vllm asks for 1 GPU, but the host in host.json has 0. It is never started there."
    ]


def test_a_board_in_no_table_is_what_was_measured() -> None:
    gpu = {"index": 0, "name": "NVIDIA Prototype 9000", "memoryMib": 300000, "computeCapability": "13.0"}
    (workload,) = landed(deployment(1), {"gpus": [gpu]}).project.workloads
    placement = workload.pods[0].placement
    assert placement is not None
    (board,) = placement.gpus
    assert (board.name, board.memory_mib, board.compute_capability) == ("NVIDIA Prototype 9000", 300000, (13, 0))
    assert (board.nvlink, board.mig_family) == (None, None)


def test_a_fragment_lands_nowhere() -> None:
    """The patch of an overlay: the pod's node selector may stand in another one."""
    text = "\n".join(line for line in deployment(4).splitlines() if "image:" not in line)
    loaded = landed(text, {"gpus": [{"index": 0, "name": "NVIDIA L40S"}]})
    assert loaded.project.landings == []


def test_other_nodes_are_worth_knowing_at_most() -> None:
    """A host from a file may be one of several kinds; the one that is being measured is the one that is meant."""
    selector = "    spec:\n      nodeSelector: {nvidia.com/gpu.product: NVIDIA-H100-80GB-HBM3}\n"
    other = deployment(1).replace("    spec:\n", selector).replace("chat", "other")
    host = {"gpus": [{"index": 0, "name": "NVIDIA L40S"}]}
    for text, live, saved in ((other, ["error"], ["error"]), (f"{other}---\n{deployment(1)}", [], ["info"])):
        loaded = landed(text, host)
        assert [finding.level for finding in check(loaded, ["gpu-not-on-host"])[0]] == live
        loaded.project.hosts[0].current = False
        assert [finding.level for finding in check(loaded, ["gpu-not-on-host"])[0]] == saved


def test_other_accelerators_are_left_alone() -> None:
    host = {"gpus": [{"index": 0, "name": "NVIDIA L40S"}]}
    loaded = landed(deployment(1, resource="amd.com/gpu"), host)
    assert loaded.project.landings == []
    assert loaded.project.workloads[0].pods[0].placement is None


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ("lmsysorg/sglang:v0.5.6-cu130", (13, 0)),
        ("registry.example.com/vllm:0.11.0-cuda12.8.1-py312", (12, 8)),
        ("nvidia/cuda:12.4.1-runtime-ubuntu22.04", (12, 4)),
        ("nvcr.io/nvidia/cuda:13.0.0-base", (13, 0)),
        ("vllm/vllm-openai:v0.11.0", (12, 4)),
        ("vllm/vllm-openai:v0.32.1", (13, 0)),
        ("vllm/vllm-openai:v0.4.2", None),
        ("vllm/vllm-openai:v0.11.0-cu118", (11, 8)),
        ("vllm/vllm-openai:latest", None),
        ("vllm/vllm-openai", None),
        ("localhost:5000/vllm", None),
        ("example.com/doc128:1", None),
        ("example.com/x:focus128", None),
        ("example.com/x:cu12", None),
    ],
)
def test_cuda_of_image(image: str, expected: tuple[int, int] | None) -> None:
    assert cuda_of_image(image) == expected


def test_cuda_required() -> None:
    assert cuda_required("cuda>=12.8 brand=tesla,driver>=535,driver<536") == (12, 8)
    assert cuda_required("driver>=535") is None
