"""What a GPU's memory will hold: the arithmetic against start-up logs, and the commands that show it."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from gpulint.capacity.config_json import ConfigJsonError, shape_of_config
from gpulint.capacity.fit import CapacityError, Serving, predict
from gpulint.capacity.gpu_memory import cuda_memory_mib
from gpulint.capacity.kv_cache import kv_layout
from gpulint.capacity.models import ModelShape, all_models, model, variant
from gpulint.capacity.overhead import sglang_static_fraction, vllm_batch
from gpulint.capacity.weights import Range, weights_mib
from gpulint.cli import main
from gpulint.data import read_schema
from gpulint.hardware.named import named_gpu
from gpulint.model.what_fits import divides
from gpulint.readers._typed import NotAnEngine, engine_of

GIB = 2**30
H100 = Range(79.19 * 1024, 79.19 * 1024, 79.19 * 1024)
SCHEMA = json.loads(read_schema("fit"))


def shape_of(model_id: str) -> ModelShape:
    found = model(model_id)
    assert found is not None, model_id
    return found


def serving(model_id: str, memory: Range = H100, **settings: Any) -> Serving:
    shape = shape_of(model_id)
    quantization = settings.pop("quantization", None)
    weights = weights_mib(
        shape,
        dtype=settings.get("dtype"),
        quantization=quantization,
        tensor_parallel=settings.get("tensor_parallel", 1),
        pipeline_parallel=settings.get("pipeline_parallel", 1),
    )
    return Serving(engine="vllm", weights=weights, gpu_memory=memory, shape=shape, nvswitch=True, **settings)


# --- against logs --------------------------------------------------------------------------------------------------

PR_205 = {"version": (0, 19, 0), "memory_fraction": 0.95, "max_num_seqs": 1024, "max_batched_tokens": 8192}


@pytest.mark.parametrize(
    ("model_id", "settings", "tokens"),
    [  # vLLM 0.19.0 on H100, llm-d-planner pull request 205: the log's "GPU KV cache size"
        ("meta-llama/Llama-3.1-8B-Instruct", {}, 476_016),
        ("meta-llama/Llama-3.1-8B-Instruct", {"kv_cache_dtype": "fp8"}, 952_032),
        ("meta-llama/Llama-3.1-8B-Instruct", {"dtype": "float32"}, 175_296),
        ("meta-llama/Llama-3.1-8B-Instruct", {"pipeline_parallel": 4}, 2_257_264),
        ("Qwen/Qwen2.5-7B-Instruct", {"tensor_parallel": 4}, 5_043_280),
        ("mistralai/Mixtral-8x7B-Instruct-v0.1", {"tensor_parallel": 2}, 465_936),
        ("google/gemma-2-27b-it", {}, 58_672),
        ("google/gemma-3-4b-it", {}, 468_144),
    ],
)
def test_tokens_within_one_percent_of_the_log(model_id: str, settings: dict[str, Any], tokens: int) -> None:
    found = predict(serving(model_id, max_model_len=8192, **PR_205, **settings))
    assert found.tokens is not None
    assert found.tokens.likely == pytest.approx(tokens, rel=0.01)
    assert found.tokens.low <= tokens <= found.tokens.high
    assert found.verdict == "fits"
    assert found.calibrated


@pytest.mark.parametrize(
    ("model_id", "version", "length", "gib", "tokens", "requests"),
    [
        # 23+23 layers of gemma-2-27b in two groups; 10+52 of gemma-3-27b in seven (llm-d-planner pull request 205)
        ("google/gemma-2-27b-it", (0, 19, 0), 8192, 20.59, 58_672, 7.16),
        ("google/gemma-3-27b-it", (0, 19, 0), 8192, 19.53, 36_560, 4.46),
        ("openai/gpt-oss-20b", (0, 19, 0), 8192, 58.47, 1_277_184, 155.75),
        ("meta-llama/Llama-3.1-8B-Instruct", (0, 19, 0), 8192, 58.11, 476_016, 58.11),
    ],
)
def test_a_cache_of_a_logged_size_holds_the_logged_tokens(
    model_id: str, version: tuple[int, ...], length: int, gib: float, tokens: int, requests: float
) -> None:
    layout = kv_layout(
        shape_of(model_id),
        kv_cache_dtype=None,
        tensor_parallel=1,
        pipeline_parallel=1,
        tokens_from_requests=version >= (0, 21),
    )
    assert layout is not None
    assert layout.tokens(gib * GIB, length, 8192) == pytest.approx(tokens, rel=0.001)
    assert layout.requests(gib * GIB, length, 8192) == pytest.approx(requests, rel=0.001)


@pytest.mark.parametrize(("gib", "tokens"), [(17.02, 3_382_054), (16.58, 3_292_687)])
def test_states_of_linear_attention_make_the_blocks(gib: float, tokens: int) -> None:
    """Qwen3.6-35B-A3B, tp 2, FP8 KV cache, 262144 tokens, vLLM 0.25.1: club-3090 issues 851 and 858."""
    layout = kv_layout(
        shape_of("nvidia/Qwen3.6-35B-A3B-NVFP4"),
        kv_cache_dtype="fp8",
        tensor_parallel=2,
        pipeline_parallel=1,
        tokens_from_requests=True,
    )
    assert layout is not None
    assert layout.block_tokens == 2096
    assert layout.tokens(gib * GIB, 262_144, 8192) == pytest.approx(tokens, rel=0.001)


def test_one_request_of_gpt_oss_needs_what_the_log_says() -> None:
    """4.54 GiB for 131072 tokens of gpt-oss-120b, 1024 of them in flight: vLLM issue 27508."""
    layout = kv_layout(shape_of("openai/gpt-oss-120b"), kv_cache_dtype=None, tensor_parallel=1, pipeline_parallel=1)
    assert layout is not None
    assert layout.request_bytes(131_072, 1024) / GIB == pytest.approx(4.54, abs=0.01)


@pytest.mark.parametrize(
    ("model_id", "memory_gib", "settings", "fits"),
    [
        # vLLM issue 10517: an RTX 3090 holds 20,000 tokens of Llama-3.1-8B and not 29,000
        ("meta-llama/Llama-3.1-8B-Instruct", 23.58, {"version": (0, 6, 4), "max_model_len": 20000}, True),
        ("meta-llama/Llama-3.1-8B-Instruct", 23.58, {"version": (0, 6, 4), "max_model_len": 29000}, False),
        # vLLM 0.10.0 on an RTX 5080: 40960 tokens of Qwen3-4B do not fit, 35600 do
        ("Qwen/Qwen3-4B", 15.47, {"version": (0, 10, 0), "max_model_len": 40960}, False),
        ("Qwen/Qwen3-4B", 15.47, {"version": (0, 10, 0), "max_model_len": 35600}, True),
    ],
)
def test_near_the_limit_the_likely_values_decide_as_the_engine_did(
    model_id: str, memory_gib: float, settings: dict[str, Any], fits: bool
) -> None:
    memory = Range(memory_gib * 1024, memory_gib * 1024, memory_gib * 1024)
    found = predict(serving(model_id, memory, memory_fraction=0.9, capability=(8, 6), **settings))
    assert found.kv_cache is not None
    assert found.request_mib is not None
    assert (found.kv_cache.likely >= found.request_mib) is fits
    assert found.verdict != ("does not fit" if fits else "fits")


@pytest.mark.parametrize(
    ("name", "base", "method"),
    [
        ("nvidia/Llama-3.1-8B-Instruct-FP8", "meta-llama/Llama-3.1-8B-Instruct", "fp8"),
        ("unsloth/Qwen2.5-7B-Instruct-bnb-4bit", "Qwen/Qwen2.5-7B-Instruct", "bitsandbytes"),
        ("someone/Qwen3-8B-AWQ-INT4", "Qwen/Qwen3-8B", "awq"),
        ("neuralmagic/Llama-3.1-8B-Instruct-quantized.w8a8", "meta-llama/Llama-3.1-8B-Instruct", "int8"),
        ("someone/Qwen3-32B-FP8-dynamic", "Qwen/Qwen3-32B", "fp8"),
        ("/models/Qwen3-32B-NVFP4/", "Qwen/Qwen3-32B", "nvfp4"),
        ("someone/Qwen3-8B", "Qwen/Qwen3-8B", None),
        ("someone/Qwen3-8B-finetuned", None, None),
        ("someone/FP8", None, None),
        ("", None, None),
    ],
)
def test_copies_by_their_names(name: str, base: str | None, method: str | None) -> None:
    found = variant(name)
    assert (found[0].id, found[1]) == (base, method) if found is not None else base is None


# --- properties ----------------------------------------------------------------------------------------------------

VERSIONS = st.sampled_from([None, (0, 6, 4), (0, 8, 5), (0, 11, 0), (0, 19, 0), (0, 22, 0), (0, 33, 0)])


@given(
    st.sampled_from(all_models()),
    st.sampled_from(["vllm", "sglang", "tgi", "trtllm", "lmdeploy", "llamacpp"]),
    VERSIONS,
    st.sampled_from([1, 2, 4, 8]),
    st.floats(8, 300),
    st.integers(1, 2_000_000),
)
def test_ranges_are_ordered_and_more_memory_never_hurts(
    shape: ModelShape, engine: str, version: tuple[int, ...] | None, tp: int, gib: float, length: int
) -> None:
    weights = weights_mib(shape, dtype=None, quantization=None, tensor_parallel=tp, pipeline_parallel=1)
    memory = Range(gib * 1000, gib * 1024, gib * 1030)
    one = Serving(
        engine=engine,
        weights=weights,
        gpu_memory=memory,
        shape=shape,
        version=version,
        tensor_parallel=tp,
        max_model_len=length,
        max_num_seqs=64,
        max_batched_tokens=2048,
        memory_fraction=0.9,
    )
    found = predict(one)
    for value in (found.kv_cache, found.tokens, found.requests, *(term.mib for term in found.terms)):
        assert value is None or value.low <= value.likely <= value.high
    if weights is None:
        assert found.verdict == "unknown"
        return
    larger = predict(replace(one, gpu_memory=Range(*(2 * each for each in memory))))
    order = ["does not fit", "uncertain", "fits"]
    assert order.index(larger.verdict) >= order.index(found.verdict)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"memory_fraction": -0.1}, "memory_fraction is -0.1"),
        ({"memory_fraction": 1.5}, "at most 1"),
        ({"tensor_parallel": 0}, "tensor_parallel is 0"),
        ({"max_model_len": -5}, "max_model_len is -5"),
        ({"kv_cache_mib": -1.0}, "the KV cache is set to -1 MiB"),
        ({"pipeline_parallel": 99}, "has 32 layers"),
    ],
)
def test_nonsense_is_named(settings: dict[str, Any], words: str) -> None:
    valid = serving("meta-llama/Llama-3.1-8B-Instruct")
    with pytest.raises(CapacityError, match=re.escape(words)):
        predict(replace(valid, **settings))


def test_batch_defaults_follow_the_gpu_and_the_version() -> None:
    def batch(version: tuple[int, ...], gib: float, name: str, length: int | None = 8192) -> tuple[int, int]:
        found = vllm_batch(
            version, sequences=None, tokens=None, max_model_len=length, gpu_memory_mib=gib * 1024, gpu_name=name
        )
        return found.sequences, found.tokens

    assert batch((0, 11, 0), 79.2, "NVIDIA H100 80GB HBM3") == (1024, 8192)
    assert batch((0, 11, 0), 79.2, "NVIDIA A100-SXM4-80GB") == (256, 2048)
    assert batch((0, 8, 5), 79.2, "NVIDIA A100-SXM4-80GB") == (1024, 8192)
    assert batch((0, 33, 0), 178.0, "NVIDIA B200") == (1024, 16384)
    assert batch((0, 6, 4), 23.6, "NVIDIA GeForce RTX 3090", 20000) == (256, 20000)


def test_sglang_fraction_by_version() -> None:
    old, _ = sglang_static_fraction((0, 4, 5), gpu_memory_mib=79.2 * 1024, tensor_parallel=8)
    assert old.likely == 0.81
    new, _ = sglang_static_fraction((0, 5, 5), gpu_memory_mib=22 * 1024, tensor_parallel=1)
    assert new.likely == pytest.approx((22528 - 512 - 4096 * 1.5 - 48 * 2 - 128) / 22528, abs=0.001)


@pytest.mark.parametrize(
    ("model_id", "size", "taken"),
    [
        ("Qwen/Qwen3-14B", 5, False),  # pull request 205: 151936 is not divisible by 5
        ("Qwen/Qwen3-30B-A3B-FP8", 4, False),  # 768 / 4 is no multiple of 128
        ("Qwen/Qwen3-30B-A3B-FP8", 2, True),
        ("meta-llama/Llama-3.3-70B-Instruct", 8, True),
    ],
)
def test_tensor_parallel_sizes_that_vllm_takes(model_id: str, size: int, taken: bool) -> None:
    assert divides(shape_of(model_id), size) is taken


# --- GPUs and commands that people name ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "name", "gib"),
    [
        ("H100", "NVIDIA H100 80GB HBM3", 79.19),
        ("NVIDIA L4", "NVIDIA L4", 22.03),
        ("RTX 3090", "NVIDIA GeForce RTX 3090", 23.58),
        ("nvidia.com/gpu.product=NVIDIA-A10G", "NVIDIA A10G", 22.3),
        ("g6.xlarge", "NVIDIA L4", 22.03),
        ("RTX 5090", "NVIDIA GeForce RTX 5090", 31.36),
    ],
)
def test_named_gpus_have_the_memory_that_logs_show(text: str, name: str, gib: float) -> None:
    found = named_gpu(text)
    assert found is not None
    assert found.name == name
    assert found.memory is not None
    assert found.memory.low / 1024 <= gib <= found.memory.high / 1024
    assert found.memory.likely / 1024 == pytest.approx(gib, rel=0.015)


def test_named_slices() -> None:
    found = named_gpu("A100-SXM4-80GB:1g.10gb")
    assert found is not None
    assert found.profile == "1g.10gb"
    assert found.memory is not None
    assert found.memory.likely == 9728
    assert named_gpu("L4:1g.10gb") is None
    assert named_gpu("no such board") is None


def test_cuda_offers_less_than_nvml_reports() -> None:
    assert cuda_memory_mib(81559).high < 81559


@pytest.mark.parametrize(
    ("argv", "engine", "model_id", "tensor"),
    [
        (["vllm", "serve", "Qwen/Qwen3-8B", "-tp", "2"], "vllm", "Qwen/Qwen3-8B", 2),
        (["CUDA_VISIBLE_DEVICES=0", "vllm", "serve", "a/b"], "vllm", "a/b", 1),
        (["python3", "-m", "sglang.launch_server", "--model-path", "a/b", "--tp", "4"], "sglang", "a/b", 4),
        (["text-generation-launcher", "--model-id", "a/b", "--num-shard", "2"], "tgi", "a/b", 2),
        (["trtllm-serve", "a/b", "--tp_size", "2"], "trtllm", "a/b", 2),
        (["lmdeploy", "serve", "api_server", "a/b", "--tp", "2"], "lmdeploy", "a/b", 2),
        (["docker", "run", "--gpus", "all", "vllm/vllm-openai:v0.9.1", "--model", "a/b"], "vllm", "a/b", 1),
    ],
)
def test_typed_commands(argv: list[str], engine: str, model_id: str, tensor: int) -> None:
    found = engine_of(argv)
    assert found.name == engine
    assert found.model is not None
    assert found.model.value == model_id
    assert found.tensor_parallel is not None
    assert found.tensor_parallel.value == tensor


@pytest.mark.parametrize("argv", [[], ["nginx"], ["A=b"], ["docker", "ps"], ["vllm", "bench"], ["\udc80"]])
def test_commands_that_start_no_engine(argv: list[str]) -> None:
    with pytest.raises(NotAnEngine):
        engine_of(argv)


def test_a_version_stands_for_the_image() -> None:
    assert engine_of(["vllm", "serve", "a/b"], "0.19.1").version == (0, 19, 1)
    assert engine_of(
        ["docker", "run", "--gpus", "all", "vllm/vllm-openai:v0.9.1", "--model", "a/b"], "0.19"
    ).version == (
        0,
        9,
        1,
    )


# --- the command line ----------------------------------------------------------------------------------------------


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["fit", *arguments])


def servers(*arguments: str) -> list[dict[str, Any]]:
    result = run("--format", "json", *arguments)
    assert result.exit_code == 0, result.output
    data = json.loads(result.stdout)
    jsonschema.validate(data, SCHEMA)
    found: list[dict[str, Any]] = data["servers"]
    return found


def test_a_typed_command_as_json() -> None:
    (server,) = servers(
        "--gpu", "H100-SXM5-80GB", "--gpu-memory-gib", "79.19", "--engine-version", "0.19.0", "--length", "2048",
        "--", "vllm", "serve", "meta-llama/Llama-3.1-8B-Instruct", "--max-model-len", "8192",
        "--gpu-memory-utilization", "0.95",
    )  # fmt: skip
    assert server["verdict"] == "fits"
    assert server["kvCacheTokens"]["likely"] == pytest.approx(476_016, rel=0.01)
    assert server["concurrencyAtMaxLength"]["likely"] == pytest.approx(58.11, rel=0.01)
    assert server["concurrencyAt"][0]["requests"]["likely"] == pytest.approx(232.43, rel=0.01)
    assert server["maxNumSeqs"] == 1024
    assert server["validated"] is True
    assert server["wouldFit"] == []


def test_what_would_fit_on_a_slice_and_on_gpus() -> None:
    command = ("vllm", "serve", "meta-llama/Llama-3.1-8B-Instruct", "--max-model-len", "8192")
    (server,) = servers("--gpu", "A100-SXM4-80GB:1g.10gb", "--engine-version", "0.11.0", "--", *command)
    assert server["verdict"] == "does not fit"
    assert [change["change"] for change in server["wouldFit"]] == ["MIG profile 3g.40gb"]
    (server,) = servers("--gpu", "L4", "--engine-version", "0.11.0", "--", "vllm", "serve", "Qwen/Qwen3-14B")
    changes = [change["change"] for change in server["wouldFit"]]
    assert server["verdict"] == "does not fit"
    assert "--tensor-parallel-size 2, on 2 GPUs" in changes
    assert "a checkpoint in FP8" in changes


def test_an_unknown_gpu_leaves_the_weights_and_names_a_gpu() -> None:
    (server,) = servers("--", "vllm", "serve", "Qwen/Qwen3-32B", "--max-model-len", "8192")
    assert server["verdict"] == "unknown"
    assert server["gpu"] is None
    assert server["weightsGib"]["likely"] == pytest.approx(61.0, abs=0.2)
    assert server["wouldFit"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--gpu", "nonsense", "--", "vllm", "serve", "a/b"), "no GPU is known as 'nonsense'"),
        (("--gpu-memory-gib", "-3", "--", "vllm", "serve", "a/b"), "must be above 0"),
        (("--gpu-memory-gib", "nan", "--", "vllm", "serve", "a/b"), "must be above 0"),
        (("--engine-version", "new", "--", "vllm", "serve", "a/b"), "no version such as"),
        (("--gpu", "L4", "--", "nginx"), "no engine that gpulint knows"),
        (("--gpu", "L4", "--"), "no command follows --"),
        (("somewhere", "--gpu", "L4", "--", "vllm", "serve", "a/b"), "not both"),
        (("--format", "xml"), "unknown format 'xml'"),
        (("--gpu", "L4", "--", "vllm", "serve", "Qwen/Qwen3-8B", "-tp", "0"), "-tp 0: must be at least 1"),
        (
            ("--gpu", "L4", "--", "vllm", "serve", "Qwen/Qwen3-8B", "--gpu-memory-utilization", "-0.5"),
            "memory_fraction is -0.5",
        ),
    ],
)
def test_bad_input_is_one_line_and_status_2(arguments: tuple[str, ...], words: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert words in result.stderr
    assert "Traceback" not in result.output


MANIFEST = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: "<b>chat</b>"}
spec:
  replicas: 2
  selector: {matchLabels: {app: chat}}
  template:
    metadata: {labels: {app: chat}}
    spec:
      nodeSelector: {nvidia.com/gpu.product: NVIDIA-L4}
      containers:
        - name: vllm
          image: vllm/vllm-openai:v0.11.0
          args: [--model=MODEL, --max-model-len=8192]
          resources: {limits: {nvidia.com/gpu: 1}}
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "small.yaml").write_text(MANIFEST.replace("MODEL", "Qwen/Qwen3-8B"))
    (tmp_path / "large.yaml").write_text(MANIFEST.replace("MODEL", "Qwen/Qwen3-32B").replace("chat", "large"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_files_as_a_table(project: Path) -> None:
    result = run(str(project), "--explain", "--color", "never")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0].split() == ["server", "model", "GPU", "weights", "KV", "cache", "tokens", "requests", "verdict"]
    assert "large.yaml:14" in result.stdout
    assert re.search(r"\[█+▓+▒*░+·+\] 22\.1 GiB", result.stdout)
    assert "the GPU ends here; 62.6 GiB are asked for" in result.stdout
    assert "in all 2 copies" in result.stdout
    assert "36 layers × 2 × 8 KV heads × 128 × 2 bytes = 147456 bytes per token" in result.stdout
    assert "\x1b" not in result.stdout


def test_named_files_are_the_scope(project: Path) -> None:
    assert [server["path"] for server in servers("small.yaml")] == ["small.yaml"]
    assert len(servers(".")) == 2


def test_the_page_stands_alone(project: Path) -> None:
    target = project / "fit.html"
    result = run("--format", f"html={target}", "--format", "json", ".")
    assert result.exit_code == 0, result.output
    page = target.read_text()
    assert page.startswith("<!DOCTYPE html>")
    assert not re.search(r"<script|https?://|@import|url\(|src=|<link|onload", page)
    assert "<b>chat</b>" not in page
    assert "&lt;b&gt;chat&lt;/b&gt;" in page
    bars = re.findall(r"<svg.*?</svg>", page, re.DOTALL)
    assert len(bars) == 2
    for bar in bars:
        widths = [float(width) for width in re.findall(r'<rect [^>]*width="([\d.]+)"', bar)]
        assert sum(widths) == pytest.approx(1000, abs=1)
    assert page.count("<details>") == page.count("</details>") == 2


DOCS = Path(__file__).resolve().parent.parent / "docs" / "fit.md"
SHOWN = re.findall(r"```console\n\$ gpulint (fit [^\n]*)\n((?!\$)[^`]+)```", DOCS.read_text(encoding="utf-8"))


@pytest.mark.parametrize(("command", "shown"), SHOWN, ids=[command for command, _ in SHOWN])
def test_the_documentation_shows_what_is_printed(command: str, shown: str) -> None:
    result = CliRunner().invoke(main, shlex.split(command), env={"COLUMNS": "100", "NO_COLOR": "1"})
    assert result.exit_code == 0
    assert result.stdout.rpartition("\n\nGiB are per GPU")[0] == shown.rstrip()


def test_the_documentation_works_through_the_models_people_ask_about() -> None:
    commands = " ".join(command for command, _ in SHOWN)
    for name in ("Llama-3.3-70B", "DeepSeek-R1", "Qwen3-235B", "gpt-oss-120b", ":1g.10gb"):
        assert name in commands


def test_a_run_without_engines_imports_no_arithmetic(project: Path) -> None:
    def imported(manifest: str) -> str:
        for file in project.glob("*.yaml"):
            file.unlink()
        (project / "one.yaml").write_text(manifest)
        program = (
            "from gpulint.cli import main\nimport sys\nmain(['check', '--exit-zero'], standalone_mode=False)\n"
            "print(*(name for name in sys.modules if name.startswith('gpulint.capacity')), file=sys.stderr)"
        )
        return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stderr

    assert (
        imported("apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {containers: [{name: a, image: nvidia}]}")
        == "\n"
    )
    assert "gpulint.capacity.fit" in imported(MANIFEST.replace("MODEL", "Qwen/Qwen3-8B"))


# --- config.json ---------------------------------------------------------------------------------------------------

LLAMA = {
    "num_hidden_layers": 32, "hidden_size": 4096, "num_attention_heads": 32, "num_key_value_heads": 8,
    "intermediate_size": 14336, "vocab_size": 128256, "max_position_embeddings": 131072, "torch_dtype": "bfloat16",
}  # fmt: skip


def test_a_config_has_the_parameters_of_its_table_row() -> None:
    shape = shape_of_config(LLAMA, "local")
    assert shape.params_total == shape_of("meta-llama/Llama-3.1-8B-Instruct").params_total
    assert (shape.attention, shape.head_dim, shape.max_position_embeddings) == ("full", 128, 131072)


def test_configs_of_other_architectures() -> None:
    deepseek = {
        **LLAMA, "kv_lora_rank": 512, "qk_rope_head_dim": 64, "qk_nope_head_dim": 128, "v_head_dim": 128,
        "q_lora_rank": 1536, "n_routed_experts": 256, "num_experts_per_tok": 8, "moe_intermediate_size": 2048,
        "n_shared_experts": 1, "first_k_dense_replace": 3, "num_hidden_layers": 61, "hidden_size": 7168,
        "num_attention_heads": 128, "num_key_value_heads": 128, "intermediate_size": 18432, "vocab_size": 129280,
        "quantization_config": {"quant_method": "fp8", "weight_block_size": [128, 128]},
    }  # fmt: skip
    shape = shape_of_config(deepseek, "local")
    assert shape.attention == "mla"
    assert shape.params_total == pytest.approx(shape_of("deepseek-ai/DeepSeek-R1").params_total, rel=0.002)
    assert shape.quantization is not None
    assert shape.quantization.bits == 8
    gemma = shape_of_config({"text_config": {**LLAMA, "sliding_window": 1024, "sliding_window_pattern": 6}}, "local")
    assert gemma.attention == "sliding"
    assert gemma.layer_types == {"full_attention": 5, "sliding_attention": 27}
    qwen = shape_of_config({**LLAMA, "sliding_window": 4096, "use_sliding_window": False}, "local")
    assert qwen.attention == "full"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ([], "not an object"),
        ({}, "num_hidden_layers is missing"),
        ({**LLAMA, "num_hidden_layers": 0}, "num_hidden_layers is 0"),
        ({**LLAMA, "num_hidden_layers": -4}, "num_hidden_layers is -4"),
        ({**LLAMA, "hidden_size": "large"}, "hidden_size is 'large'"),
        ({**LLAMA, "vocab_size": True}, "vocab_size is True"),
        ({**LLAMA, "hidden_size": 10**18}, "hidden_size is 1000000000000000000"),
        ({**LLAMA, "num_key_value_heads": 33}, "more than num_attention_heads"),
        ({"text_config": [1]}, "text_config is not an object"),
        ({**LLAMA, "layer_types": "all"}, "layer_types is not a list"),
        ({**LLAMA, "quantization_config": {"bits": 4}}, "has no quant_method"),
    ],
)
def test_configs_of_the_wrong_shape(content: object, words: str) -> None:
    with pytest.raises(ConfigJsonError, match=re.escape(words)):
        shape_of_config(content, "local")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 10**12) | st.floats(allow_nan=False) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
CONFIGS = st.dictionaries(
    st.sampled_from([
        *LLAMA, "text_config", "quantization_config", "layer_types", "sliding_window", "num_experts", "head_dim",
        "kv_lora_rank", "linear_num_value_heads", "sliding_window_pattern", "attention_chunk_size",
    ]),
    JSON,
)  # fmt: skip


@given(CONFIGS)
def test_any_config_is_read_or_refused(changes: dict[str, Any]) -> None:
    try:
        shape = shape_of_config({**LLAMA, **changes}, "local")
    except ConfigJsonError:
        return
    assert shape.layers >= 1
    assert kv_layout(shape, kv_cache_dtype=None, tensor_parallel=1, pipeline_parallel=1) is None or shape.head_dim != 0


def test_a_local_config_beats_the_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "Qwen" / "Qwen3-8B"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(LLAMA))
    (server,) = servers("--gpu", "H100-SXM5-80GB", "--", "vllm", "serve", "Qwen/Qwen3-8B")
    assert server["maxModelLen"] == 131072
    (server,) = servers(
        "--gpu", "L4", "--model-config", str(folder / "config.json"), "--", "vllm", "serve", "/models/x"
    )
    assert server["weightsGib"]["likely"] == pytest.approx(14.96, abs=0.1)
    (folder / "config.json").write_text('{"num_hidden_layers": 0}')
    result = run("--gpu", "L4", "--", "vllm", "serve", "Qwen/Qwen3-8B")
    assert result.exit_code == 2
    assert "num_hidden_layers is 0" in result.stderr


# --- gpulint models ------------------------------------------------------------------------------------------------


def models(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["models", *arguments])


def test_models_lists_explains_and_suggests() -> None:
    listed = models()
    assert listed.exit_code == 0
    assert len(listed.stdout.splitlines()) == len(all_models()) + 1
    explained = models("deepseek-ai/DeepSeek-R1").stdout
    assert "671.03 billion parameters" in explained
    assert "70272 bytes per token" in explained
    assert "source: " in explained
    assert json.loads(models("Qwen/Qwen3-8B", "--format", "json").stdout)["models"][0]["layers"] == 36
    unknown = models("Qwen/Qwen3-8BB")
    assert unknown.exit_code == 2
    assert "did you mean Qwen/Qwen3-8B" in unknown.stderr


def test_models_explains_a_config(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(LLAMA))
    assert "8.03 billion parameters" in models(str(tmp_path)).stdout
    (tmp_path / "config.json").write_text("{")
    result = models(str(tmp_path / "config.json"))
    assert result.exit_code == 2
    assert "no JSON" in result.stderr


# --- the hub -------------------------------------------------------------------------------------------------------


class Hub(BaseHTTPRequestHandler):
    """As much of a hub as a download of one small file takes."""

    asked: list[str] = []  # noqa: RUF012

    def do_HEAD(self) -> None:
        self.answer(body=False)

    def do_GET(self) -> None:
        self.answer(body=True)

    def answer(self, *, body: bool) -> None:
        Hub.asked.append(self.path)
        found = self.path == "/owner/model/resolve/main/config.json"
        content = json.dumps(LLAMA).encode() if found else b"{}"
        self.send_response(200 if found else 404)
        if found:
            self.send_header("ETag", '"0123456789"')
            self.send_header("X-Repo-Commit", "0" * 40)
        else:
            self.send_header("X-Error-Code", "RepoNotFound")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if body:
            self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    pytest.importorskip("huggingface_hub")
    from huggingface_hub import constants

    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    address = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setattr(constants, "ENDPOINT", address)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", address + "/{repo_id}/resolve/{revision}/{filename}")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    Hub.asked.clear()
    yield
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.usefixtures("hub")
def test_the_hub_is_read_when_asked(tmp_path: Path) -> None:
    from gpulint.capacity import hub as reader

    shape = reader.shape_of_hub("owner/model")
    assert shape.layers == 32
    assert any(path.endswith("/config.json") for path in Hub.asked)
    with pytest.raises(reader.HubError, match="owner/other: no config"):
        reader.shape_of_hub("owner/other")
    with pytest.raises(reader.HubError):
        reader.shape_of_hub("not a repository id at all/x/y")


@pytest.mark.usefixtures("hub")
def test_the_hub_is_never_read_unasked() -> None:
    (server,) = servers("--gpu", "L4", "--", "vllm", "serve", "owner/model-7b")
    assert server["modelBasis"] == "name"
    assert Hub.asked == []
