"""The engines beside vLLM and TGI: programs, images, settings by flag and by variable, and what stays unknown."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpulint import engines
from gpulint.engines import flags, vllm
from gpulint.engines.launch import Call, Launch, words_of
from gpulint.model.engine import Engine
from gpulint.model.values import Sourced
from gpulint.source.yaml import Node
from test_engines import engine, read, root_of, served, value, written

SGLANG = "lmsysorg/sglang:v0.5.5"
TRTLLM = "nvcr.io/nvidia/tensorrt-llm/release:1.1.0"
LLAMA = "ghcr.io/ggml-org/llama.cpp:server-cuda"


def run(line: str, image: str | None = None, **env: str) -> Engine:
    """The engine of a command line in the exec form."""
    variables = [{"name": name, "value": text} for name, text in env.items()]
    container = {"command": line.split(), "env": variables, **({"image": image} if image else {})}
    return engine(json.dumps(container))


def sglang(args: str, image: str = SGLANG) -> Engine:
    return run(f"python3 -m sglang.launch_server --model-path a/b {args}", image)


# -- programs and images


@pytest.mark.parametrize(
    ("container", "name", "display_name"),
    [
        ({"command": ["python", "-m", "sglang.launch_server", "--model-path=a/b"]}, "sglang", "SGLang"),
        ({"command": ["sglang", "serve"], "args": ["--model-path", "a/b"]}, "sglang", "SGLang"),
        ({"args": ["python3", "-m", "dynamo.sglang", "--model=a/b"]}, "sglang", "SGLang"),
        ({"command": ["trtllm-serve", "a/b"]}, "trtllm", "TensorRT-LLM"),
        ({"command": ["trtllm-serve", "serve", "a/b"]}, "trtllm", "TensorRT-LLM"),
        ({"command": ["mpirun", "-n", "8", "trtllm-llmapi-launch", "trtllm-serve", "a/b"]}, "trtllm", "TensorRT-LLM"),
        ({"command": ["python3", "-m", "dynamo.trtllm"], "args": ["--model-path", "a/b"]}, "trtllm", "TensorRT-LLM"),
        ({"command": ["sh", "-c", "cd /w && python3 -m dynamo.vllm --model a/b"]}, "vllm", "vLLM"),
        ({"command": ["python", "-m", "huggingfaceserver"], "args": ["--backend=vllm"]}, "vllm", "vLLM"),
        ({"image": "kserve/huggingfaceserver:v0.15.0-gpu", "args": ["--max_num_seqs=8"]}, "vllm", "vLLM"),
        ({"image": "nvcr.io/nim/meta/llama-3.1-8b-instruct:1.3.3"}, "nim", "NIM"),
        ({"image": "reg/nim/x/y:1", "env": [{"name": "NIM_MAX_MODEL_LEN", "value": "1"}]}, "nim", "NIM"),
        ({"args": ["tritonserver", "--model-store=/mnt/models"]}, "triton", "Triton"),
        ({"command": ["sh", "-c", "python3 /x/launch_triton_server.py --world_size 4"]}, "triton", "Triton"),
        ({"image": LLAMA, "args": ["-m", "/models/a.gguf"]}, "llamacpp", "llama.cpp"),
        ({"command": ["/app/llama-server"], "args": ["-m", "a.gguf"]}, "llamacpp", "llama.cpp"),
        ({"image": "ollama/ollama:0.11.11"}, "ollama", "Ollama"),
        ({"image": "ollama/ollama", "args": ["serve"]}, "ollama", "Ollama"),
        ({"command": ["sh", "-c", "ollama serve & sleep 5; ollama pull a; wait"]}, "ollama", "Ollama"),
        ({"command": ["sh", "-c", "lmdeploy serve api_server a/b"]}, "lmdeploy", "LMDeploy"),
        ({"image": "ghcr.io/predibase/lorax:main", "args": ["--model-id", "a/b"]}, "lorax", "LoRAX"),
        ({"command": ["lorax-launcher", "--model-id", "a/b"]}, "lorax", "LoRAX"),
    ],
)
def test_programs_and_images(container: dict[str, Any], name: str, display_name: str) -> None:
    found = engine(json.dumps(container))
    assert (found.name, found.display_name) == (name, display_name)


@pytest.mark.parametrize(
    "container",
    [
        {"command": ["python3", "-m", "sglang_router.launch_router", "--worker-urls", "http://a"]},
        {"image": SGLANG, "command": ["sleep", "infinity"]},
        {"image": SGLANG},
        {"command": ["sglang", "generate", "--model-path", "a/b"]},
        {"command": ["trtllm-serve", "disaggregated", "-c", "config.yaml"]},
        {"command": ["trtllm-build", "--tp_size", "4"]},
        {"image": TRTLLM},
        {"command": ["python3", "-m", "dynamo.frontend", "--http-port", "8000"]},
        {"image": "nvcr.io/nvidia/tritonserver:24.06-py3-sdk", "command": ["sleep", "infinity"]},
        {"image": "nvcr.io/nim/nvidia/nv-embedqa-e5-v5:1.0.1"},
        {"image": "nvcr.io/nim/nvidia/llama-3.2-nv-rerankqa-1b-v2:1.3"},
        {"image": "nvcr.io/nim/meta/llama-3.1-8b-instruct:1.3.3", "args": ["bash", "-c", "sleep 1"]},
        {"image": "kserve/huggingfaceserver:latest", "args": ["--model_id=a/b"]},
        {"image": "kserve/huggingfaceserver:latest", "args": ["--backend=huggingface", "--max-num-seqs=8"]},
        {"image": "ghcr.io/ggml-org/llama.cpp:full", "args": ["--convert"]},
        {"image": "ollama/ollama", "args": ["pull", "a"]},
        {"command": ["ollama", "run", "a"]},
        {"image": "reg/ollama-webui", "env": [{"name": "OLLAMA_BASE_URL", "value": "http://ollama:11434"}]},
        {"command": ["lmdeploy", "chat", "a/b"]},
        {"command": ["lmdeploy", "serve", "proxy"]},
    ],
)
def test_what_is_no_engine(container: dict[str, Any]) -> None:
    assert read(json.dumps(container)) is None


@pytest.mark.parametrize(
    ("line", "image", "version", "accelerator"),
    [
        ("sglang serve", "lmsysorg/sglang:v0.4.9.post3-cu126", "0.4.9.post3", None),
        ("sglang serve", "reg/mirror/sglang:v0.5.7-mooncake", "0.5.7", None),
        ("sglang serve", "lmsysorg/sglang:v0.5.8-rocm700-mi30x", "0.5.8", "rocm"),
        ("sglang serve", "lmsysorg/sglang:latest", None, None),
        ("sglang serve", "lmsysorg/sglang:v0.5.8-xeon", "0.5.8", "cpu"),
        ("python -m dynamo.sglang", "nvcr.io/nvidia/ai-dynamo/sglang-runtime:0.7.1", None, None),
        ("trtllm-serve a/b", TRTLLM, "1.1.0", None),
        ("tritonserver", "nvcr.io/nvidia/tritonserver:26.06-trtllm-python-py3", "26.06", None),
        ("ollama serve", "ollama/ollama:0.11.11-rocm", "0.11.11", "rocm"),
        ("lmdeploy serve api_server a/b", "openmmlab/lmdeploy:v0.9.2-cu12", "0.9.2", None),
        ("llama-server", "ghcr.io/ggml-org/llama.cpp:server-b4719", None, "cpu"),
        ("llama-server", "ghcr.io/ggml-org/llama.cpp:server-cuda-b4719", None, None),
        ("llama-server", "ghcr.io/ggml-org/llama.cpp:server-intel", None, "xpu"),
    ],
)
def test_versions_and_accelerators(line: str, image: str, version: str | None, accelerator: str | None) -> None:
    found = run(line, image)
    assert (found.version_text, found.accelerator) == (version, accelerator)


# -- SGLang


def test_sglang_settings() -> None:
    found = sglang(
        "--tp 4 --pp-size=2 --mem-fraction-static 0.8 --context-length 32768 --max-running-requests 64 "
        "--kv-cache-dtype fp8_e5m2 --quantization fp8 --dtype half --chunked-prefill-size 4096 --cpu-offload-gb 2"
    )
    assert found.arguments_known
    assert written(found.tensor_parallel) == (4, "--tp", "4")
    assert value(found.pipeline_parallel) == 2
    assert (value(found.memory_fraction), value(found.max_model_len), value(found.max_num_seqs)) == (0.8, 32768, 64)
    assert (value(found.kv_cache_dtype), value(found.quantization)) == ("fp8_e5m2", "fp8")
    assert (value(found.dtype), value(found.max_batched_tokens), value(found.cpu_offload_gib)) == ("half", 4096, 2)
    assert value(found.model) == "a/b"
    assert found.gpus_used() == 8


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        ("", 1),
        ("--tp-size 4", 4),
        ("--tensor-parallel-size 4", 4),
        ("--tensor-parallel-size=2 --dp 4", 8),
        ("--tp 8 --dp 8 --enable-dp-attention", 8),
        ("--tp 8 --dp-size 1", 8),
        ("--tp 16 --nnodes 2 --node-rank 0", 8),
        ("--tp 16 --nnodes $(SIZE)", None),
        ("--tp 4 --dwdp-size 4", None),
        ("--tp 4 --dp 2 $(EXTRA)", None),
        ("--tp_size 4", None),
        ("--config /etc/sglang.yaml", None),
    ],
)
def test_gpus_of_sglang(args: str, expected: int | None) -> None:
    assert sglang(args).gpus_used() == expected


def test_attention_copies_of_sglang_stand_inside_the_tensor_parallel_group() -> None:
    old = sglang("--tp 8 --dp 4 --enable-dp-attention")
    assert (value(old.attention_data_parallel), old.data_parallel) == (4, None)
    new = sglang("--tp 8 --attn-dp-size 4", "lmsysorg/sglang:v0.5.23")
    assert (value(new.attention_data_parallel), value(new.data_parallel)) == (4, 1)
    assert [setting.spelled for setting in new.parallel_settings()] == ["--tp"]


def test_sglang_by_version() -> None:
    # --pp names several flags of the newest versions, and one of 0.5.0.
    assert value(sglang("--pp 2", "lmsysorg/sglang:v0.5.0").pipeline_parallel) == 2
    newest = sglang("--pp 2", "lmsysorg/sglang:latest")
    assert not newest.arguments_known
    assert value(newest.pipeline_parallel) is None
    assert sglang("", "lmsysorg/sglang:v0.4.0").pipeline_parallel is None
    assert value(sglang("--ep 8").expert_parallel) is True
    assert value(sglang("--enable-ep-moe", "lmsysorg/sglang:v0.4.6").expert_parallel) is True
    assert sglang("--base-gpu-id 2").chooses_devices


def test_dynamo_reads_its_own_flags_first() -> None:
    own = "--endpoint dyn://a.b.c --dyn-tool-call-parser hermes --no-router-kv-events"
    for line, name in (("python3 -m dynamo.sglang --model-path a/b --tp 2", "sglang"),
                       ("python3 -m dynamo.vllm --model a/b -tp 2", "vllm")):  # fmt: skip
        found = run(f"{line} {own}")
        assert (found.name, found.arguments_known) == (name, True)
        assert (value(found.model), found.gpus_used()) == ("a/b", 2)
    assert not run(f"python3 -m sglang.launch_server --model-path a/b {own}").arguments_known


# -- TensorRT-LLM


def test_trtllm_settings() -> None:
    found = run(
        "trtllm-serve a/b --tp_size 4 --pp_size 2 --ep_size 4 --max_batch_size 64 --max_seq_len 8192 "
        "--max_num_tokens 4096 --kv_cache_free_gpu_memory_fraction 0.85",
        TRTLLM,
    )
    assert found.arguments_known
    assert written(found.model) == ("a/b", "model", "a/b")
    assert (value(found.tensor_parallel), value(found.pipeline_parallel), found.gpus_used()) == (4, 2, 8)
    assert (value(found.max_num_seqs), value(found.max_model_len), value(found.max_batched_tokens)) == (64, 8192, 4096)
    # A share of what the weights leave free is no share of the GPU.
    assert value(found.kv_cache_free_fraction) == 0.85
    assert found.memory_fraction is None
    assert value(found.expert_parallel) is True


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("trtllm-serve a/b", 1),
        ("trtllm-serve a/b --tp_size 2 --cp_size 2", 4),
        ("trtllm-serve a/b --tp_size 16 --gpus_per_node 8", 8),
        ("trtllm-serve a/b --tp_size 4 --gpus_per_node 8", 4),
        ("mpirun -n 1 --allow-run-as-root trtllm-serve a/b --tp_size 4", 4),
        ("mpirun -n 16 -H a,b trtllm-llmapi-launch trtllm-serve a/b --tp_size 16", None),
        ("srun -N 2 trtllm-serve a/b --tp_size 16", None),
        ("trtllm-serve a/b --tp-size 4", None),
        ("trtllm-serve a/b --tp_size 4 --extra_llm_api_options /x.yaml", None),
        ("python3 -m dynamo.trtllm --model-path a/b --tensor-parallel-size 4", 4),
        ("python3 -m dynamo.trtllm --model-path a/b --extra-engine-args /x.yaml", None),
    ],
)
def test_gpus_of_trtllm(line: str, expected: int | None) -> None:
    assert run(line).gpus_used() == expected


def test_what_a_file_of_trtllm_may_set_is_unknown() -> None:
    found = run("trtllm-serve a/b --tp_size 4 --config /x.yaml")
    assert (value(found.tensor_parallel), value(found.pipeline_parallel)) == (4, None)
    assert value(found.config) == "/x.yaml"
    assert not found.arguments_known
    worker = run("python3 -m dynamo.trtllm", DYN_TRTLLM_TENSOR_PARALLEL_SIZE="4", DYN_TRTLLM_EXTRA_ENGINE_ARGS="/x")
    assert written(worker.tensor_parallel)[:2] == (4, "DYN_TRTLLM_TENSOR_PARALLEL_SIZE")
    assert not worker.arguments_known
    attention = run("trtllm-serve a/b --tp_size 8 --enable_attention_dp")
    assert value(attention.attention_data_parallel) == 8
    assert attention.gpus_used() == 8


# -- NIM


def nim(**env: str) -> Engine:
    return served(image="nvcr.io/nim/meta/llama-3.1-70b-instruct:1.8.4", **env)


def test_nim_is_set_by_variables_and_has_no_defaults() -> None:
    found = nim(NIM_TENSOR_PARALLEL_SIZE="4", NIM_MAX_MODEL_LEN="8192", NIM_MODEL_NAME="hf://a/b", NIM_MAX_NUM_SEQS="x")
    assert written(found.tensor_parallel)[:2] == (4, "NIM_TENSOR_PARALLEL_SIZE")
    assert (value(found.max_model_len), value(found.model), value(found.max_num_seqs)) == (8192, "a/b", None)
    assert (value(found.pipeline_parallel), value(found.memory_fraction)) == (None, None)
    assert not found.arguments_known
    assert found.gpus_used() is None
    assert found.label == "NIM 1.8.4"


def test_nim_fraction_of_what_depends_on_the_profile() -> None:
    assert value(nim(NIM_GPU_MEM_FRACTION="0.85").memory_fraction) == 0.85
    old = nim(NIM_KVCACHE_PERCENT="0.7").memory_fraction
    assert written(old) == (None, "NIM_KVCACHE_PERCENT", '"0.7"')


@pytest.mark.parametrize(
    ("profile", "sizes", "gpus"),
    [
        ("tensorrt_llm-h100-fp8-tp2-pp1-latency", (2, 1), 2),
        ("vllm-bf16-tp4-pp2", (4, 2), 8),
        ("vllm-bf16-tp4", (4, None), None),
        ("4f904d571fe60ff24695b5ee2aa42da58cb460787a968f1e8a09f5a7e862728d", (None, None), None),
    ],
)
def test_nim_profiles_by_name(profile: str, sizes: tuple[int | None, int | None], gpus: int | None) -> None:
    found = nim(NIM_MODEL_PROFILE=profile)
    assert (value(found.tensor_parallel), value(found.pipeline_parallel)) == sizes
    assert found.gpus_used() == gpus


# -- Triton, llama.cpp, Ollama, LMDeploy, LoRAX


def test_triton_tells_nothing_of_its_gpus() -> None:
    found = run("mpirun -n 4 tritonserver --model-repository=/models")
    assert found.gpus_used() is None
    assert value(found.tensor_parallel) is None
    assert not found.arguments_known


def test_llamacpp_settings() -> None:
    found = run("llama-server -hf o/m-GGUF:Q4_K_M -c 16384 -np 4 -ctk q8_0 -ngl 99 --jinja --no-mmap", LLAMA)
    assert found.arguments_known
    assert value(found.model) == "o/m-GGUF"
    assert written(found.max_model_len) == (4096, "-c", "16384")
    assert (value(found.max_num_seqs), value(found.kv_cache_dtype)) == (4, "q8_0")
    assert found.uses_all_visible_gpus
    assert found.one_process
    assert value(found.cpu_offload_gib) is None
    by_env = served(image=LLAMA, LLAMA_ARG_MODEL="/m.gguf", LLAMA_ARG_CTX_SIZE="8192", LLAMA_ARG_N_PARALLEL="2")
    assert written(by_env.max_model_len)[:2] == (4096, "LLAMA_ARG_CTX_SIZE")
    assert value(by_env.model) == "/m.gguf"


@pytest.mark.parametrize(
    ("args", "length"),
    [
        ("-c 8192", 8192),
        ("--ctx_size 8192 --parallel 1", 8192),
        ("-c 8192 -np 2 --kv-unified", 8192),
        ("-c 8192 -np $(N)", None),
        ("-c 0 -np 4", None),
        ("-np 4", None),
    ],
)
def test_context_of_one_request_of_llamacpp(args: str, length: int | None) -> None:
    assert value(run(f"llama-server -m a.gguf {args}").max_model_len) == length


def test_llamacpp_on_one_gpu_and_on_other_machines() -> None:
    assert run("llama-server -m a.gguf -sm none").gpus_used() == 1
    assert run("llama-server -m a.gguf --rpc a:1,b:1").gpus_used() is None
    # Its one-dash flags are words: an unknown one is no `-c` with something attached to it.
    found = run("llama-server -m a.gguf -cxyz")
    assert not found.arguments_known
    assert value(found.max_model_len) is None


@pytest.mark.parametrize(
    ("tag", "env", "slots", "length"),
    [
        ("0.11.11", {}, 1, 4096),
        ("0.9.6", {}, None, 4096),
        ("0.6.0", {}, None, 2048),
        ("0.16.0", {}, 1, None),
        ("latest", {}, None, None),
        ("0.11.11", {"OLLAMA_NUM_PARALLEL": "4", "OLLAMA_CONTEXT_LENGTH": "8192"}, 4, 8192),
        ("0.11.11", {"OLLAMA_NUM_PARALLEL": "0"}, None, 4096),
    ],
)
def test_ollama_by_version_and_variables(tag: str, env: dict[str, str], slots: int | None, length: int | None) -> None:
    variables = [{"name": name, "value": text} for name, text in env.items()]
    found = engine(json.dumps({"image": f"ollama/ollama:{tag}", "env": variables}))
    assert (value(found.max_num_seqs), value(found.max_model_len)) == (slots, length)
    assert found.uses_all_visible_gpus
    assert found.one_process


def test_lmdeploy_settings() -> None:
    line = "lmdeploy serve api_server a/b --tp 2 --session-len 8192 --cache-max-entry-count 0.5 --quant-policy 8"
    found = run(f"{line} --max-batch-size 64 --model-format awq")
    assert found.arguments_known
    assert written(found.model) == ("a/b", "model_path", "a/b")
    assert (value(found.tensor_parallel), found.gpus_used()) == (2, 2)
    assert (value(found.max_model_len), value(found.max_num_seqs)) == (8192, 64)
    assert (value(found.kv_cache_free_fraction), found.memory_fraction) == (0.5, None)
    assert (value(found.kv_cache_dtype), value(found.quantization)) == ("int8", "awq")
    assert found.one_process
    assert not run(f"{line} --backend pytorch").one_process
    assert run(f"{line} --dp 2").gpus_used() is None
    early = run(line, "openmmlab/lmdeploy:v0.2.1")
    assert (value(early.memory_fraction), early.kv_cache_free_fraction) == (0.5, None)


def test_lorax_is_read_like_tgi() -> None:
    found = served("--model-id=a/b", "--quantize", "awq", image="ghcr.io/predibase/lorax:main", NUM_SHARD="2")
    assert (value(found.model), value(found.quantization), found.gpus_used()) == ("a/b", "awq", 2)
    assert value(found.max_model_len) is None
    assert found.arguments_known
    assert served("--model-id=a/b", image="ghcr.io/predibase/lorax:main").uses_all_visible_gpus


# -- vLLM elsewhere


def test_vllm_behind_kserves_server() -> None:
    found = run("python -m huggingfaceserver --backend=vllm --model_id=a/b --model_name m --max_model_len 2048 -tp 2")
    assert found.arguments_known
    assert written(found.model) == ("a/b", "--model_id", "--model_id=a/b")
    assert (value(found.max_model_len), found.gpus_used()) == (2048, 2)
    meant = run("python -m huggingfaceserver --model_id a/b --gpu-memory-utilization 0.8")
    assert not meant.arguments_known  # vLLM only for the models that it knows
    assert value(meant.memory_fraction) == 0.8


def test_vllm_omni_places_its_stages_by_itself() -> None:
    for found in (
        served("--model=a/b", image="vllm/vllm-omni:v0.20.0"),
        run("vllm serve a/b --omni --port 8000", "vllm/vllm-openai:v0.20.0"),
    ):
        assert not found.arguments_known
        assert found.gpus_used() is None


def test_context_parallel_ranks_take_gpus() -> None:
    found = served("--model=a/b", "-tp=2", "-pcp=2", "-dcp=2", image="vllm/vllm-openai:v0.20.0")
    assert (value(found.context_parallel), found.gpus_used()) == (2, 4)


def kwargs(node: Node) -> Engine:
    return vllm.from_engine_kwargs(node, node.place)


def test_engine_arguments_of_a_mapping() -> None:
    node = root_of("""
tensor_parallel_size: 4
max_model_len: 8192
enable_expert_parallel: true
gpu_memory_utilization: null
quantization: fp8
hf_overrides: {rope: 1}
""")
    found = kwargs(node)
    assert found.arguments_known
    assert written(found.tensor_parallel) == (4, "tensor_parallel_size", "4")
    assert value(found.max_model_len) == 8192
    assert value(found.expert_parallel) is True
    assert found.memory_fraction is not None
    assert (found.memory_fraction.default, found.memory_fraction.spelled) == (True, "gpu_memory_utilization")
    assert value(found.pipeline_parallel) == 1
    assert value(kwargs(root_of("enable_expert_parallel: false")).expert_parallel) is False
    node = root_of("a: 1")
    assert vllm.from_engine_kwargs(None, node.place).gpus_used() == 1
    assert kwargs(root_of("no_such_argument: 1")).gpus_used() is None
    assert kwargs(root_of("'{{ x }}'")).gpus_used() is None


def configured(file: str, *args: str) -> Engine:
    """vLLM with a file of this content."""
    node = root_of(json.dumps(["--config=/etc/vllm.yaml", *args]))
    words = words_of(node, {})
    launch = Launch(Sourced("vllm/vllm-openai:v0.20.0", node.place, node.place), None, words, {}, node.place)
    return vllm.configured(Call(launch, [], words, {}, node.place), root_of(file))


def test_a_config_file_lies_under_the_command_line() -> None:
    found = served("--config=/etc/vllm.yaml", "--model=a/b", "-tp=2", image="vllm/vllm-openai:v0.20.0")
    assert (value(found.config), found.arguments_known, value(found.memory_fraction)) == ("/etc/vllm.yaml", False, None)
    found = configured(
        "tensor-parallel-size: 8\nmax_model_len: 4096\nmodel: c/d\nenforce-eager: false", "--model=a/b", "-tp=2"
    )
    assert found.arguments_known
    assert found.config is None
    assert (value(found.model), value(found.tensor_parallel)) == ("a/b", 2)
    assert written(found.max_model_len) == (4096, "max_model_len", "4096")
    assert (value(found.memory_fraction), found.gpus_used()) == (0.92, 2)


def test_a_config_file_does_not_make_known_what_the_command_line_hides() -> None:
    found = configured("max-model-len: 4096", "--model=a/b", "$(EXTRA)")
    assert not found.arguments_known
    assert (value(found.max_model_len), value(found.tensor_parallel)) == (4096, None)


# -- tables and properties

TABLES = [
    "sglang.json", "trtllm.json", "dynamo.json", "dynamo_trtllm.json", "lmdeploy.json", "llamacpp.json", "lorax.json",
    "huggingfaceserver.json",
]  # fmt: skip


@pytest.mark.parametrize("name", TABLES)
def test_tables_are_sound(name: str) -> None:
    table = flags.load(name)
    for flag in table.flags.values():
        assert flag.name.startswith("--")
        assert flag.kind in ("value", "boolean", "optional", "many")
        assert flag.defaults[0][0] is None
        since = [version for version, _ in flag.defaults[1:] if version is not None]
        assert since == sorted(since)
        assert len(since) == len(flag.defaults) - 1
        if flag.added is not None and flag.removed is not None:
            assert flag.added < flag.removed


def test_tables_are_read_only_for_what_uses_them() -> None:
    flags.load.cache_clear()
    engines.marks()
    read('{"image": "nginx", "args": ["--model", "a"]}')
    assert flags.load.cache_info().currsize == 0


LINES = [
    "sglang serve", "python3 -m sglang.launch_server", "python -m dynamo.sglang", "trtllm-serve", "mpirun trtllm-serve",
    "python -m dynamo.trtllm", "python -m dynamo.vllm", "python -m huggingfaceserver --backend vllm", "llama-server",
    "ollama serve", "lmdeploy serve api_server", "lorax-launcher", "tritonserver", "/opt/nim/start_server.sh",
]  # fmt: skip
FRAGMENTS = [
    "--", "-", "=", "tp", "-size", "_size", "4", "0", "-1", "$(X)", "$(A)", "<x>", "auto", "é", "a/b", "--tp-size",
    "-c", "-np", "--dp", "--enable-dp-attention", "--gpus_per_node", "--config", "--model-path",
    "--quant-policy", "--nnodes",
]  # fmt: skip
WORDS = st.lists(st.lists(st.sampled_from(FRAGMENTS), min_size=1, max_size=4).map("".join), max_size=8)
IMAGES = st.sampled_from(
    [SGLANG, TRTLLM, LLAMA, "ollama/ollama:0.3.0", "openmmlab/lmdeploy:v0.2.0", "/nim/llama:1", ""]
)


@settings(deadline=None, max_examples=300)
@given(st.sampled_from(LINES), WORDS, IMAGES)
def test_any_arguments_are_read_without_an_error(line: str, words: list[str], image: str) -> None:
    content = {"image": image, "command": [*line.split(), *words], "env": [{"name": "A", "value": "4"}]}
    found = read(json.dumps(content, ensure_ascii=False))
    if found is not None:
        used = found.gpus_used()
        assert used is None or used >= 1
        assert all(not setting.default for setting in found.parallel_settings())


@settings(deadline=None, max_examples=100)
@given(st.integers(1, 16), st.integers(1, 4), st.integers(1, 4), st.booleans())
def test_sizes_come_back_from_any_engine(tensor: int, pipeline: int, data: int, attached: bool) -> None:
    equals = "=" if attached else " "
    for line, names in (
        ("sglang serve --model-path a/b", ("--tp-size", "--pp-size", "--dp-size")),
        ("trtllm-serve a/b", ("--tp_size", "--pp_size", None)),
        ("python3 -m dynamo.trtllm", ("--tensor-parallel-size", "--pipeline-parallel-size", None)),
        ("python3 -m dynamo.vllm --model a/b", ("-tp", "-pp", "-dp")),
    ):
        sizes = [size for name, size in zip(names, (tensor, pipeline, data), strict=True) if name is not None]
        given_flags = [f"{name}{equals}{size}" for name, size in zip(names, sizes, strict=False) if name is not None]
        found = run(" ".join([line, *given_flags]))
        product = 1
        for size in sizes:
            product *= size
        assert found.gpus_used() == product
        assert [setting.value for setting in found.parallel_settings()] == sizes
