"""From a container's launch to an engine's settings: each trap of command lines, and where the settings stand."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpulint import engines
from gpulint.engines import _images, flags
from gpulint.engines.launch import Launch, Word, substituted, words_of
from gpulint.model.engine import Engine
from gpulint.model.values import Setting, Sourced
from gpulint.model.workload import EnvVar
from gpulint.source.text import Source
from gpulint.source.yaml import Document, Node, documents

VLLM = "vllm/vllm-openai:v0.11.0"
TGI = "ghcr.io/huggingface/text-generation-inference:3.3.5"


def root_of(text: str) -> Node:
    (document,) = documents(Source("pod.yaml", text))
    assert isinstance(document, Document)
    return document.root


def launch_of(container: Node, *, env_known: bool = True) -> Launch:
    env: dict[str, EnvVar] = {}
    for item in (container.get("env") or container).elements():
        name, value = item.get("name"), item.get("value")
        assert name is not None
        assert name.text is not None
        text = value.text if value is not None else None
        env[name.text] = EnvVar(name.text, text, (value or name).place, name.place)
    image, command, args = container.get("image"), container.get("command"), container.get("args")
    return Launch(
        Sourced(image.text, image.place, image.key_place) if image is not None and image.text else None,
        words_of(command, env) if command is not None else None,
        words_of(args, env) if args is not None else None,
        env,
        container.place,
        env_known=env_known,
    )


def read(text: str, *, env_known: bool = True) -> Engine | None:
    return engines.read(launch_of(root_of(text), env_known=env_known))


def engine(text: str, *, env_known: bool = True) -> Engine:
    found = read(text, env_known=env_known)
    assert found is not None
    return found


def served(*args: str, image: str = VLLM, **env: str | None) -> Engine:
    """The engine of an image that starts it, with args; environment variables without a value come from elsewhere."""
    variables = [{"name": name, **({} if value is None else {"value": value})} for name, value in env.items()]
    return engine(json.dumps({"image": image, "args": list(args), "env": variables}))


def script(text: str, **env: str | None) -> Engine:
    variables = [{"name": name, **({} if value is None else {"value": value})} for name, value in env.items()]
    return engine(json.dumps({"image": VLLM, "command": ["bash", "-c"], "args": [text], "env": variables}))


def value(setting: Setting[Any] | None) -> Any:
    assert setting is not None
    return setting.value


def written(setting: Setting[Any] | None) -> tuple[Any, str, str]:
    """Value, spelling, and the text at the place."""
    assert setting is not None
    assert setting.place is not None
    return setting.value, setting.spelled, setting.place.text()


# -- spellings


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        (["--tensor-parallel-size=4"], 4),
        (["--tensor-parallel-size", "4"], 4),
        (["--tensor_parallel_size", "4"], 4),
        (["--tensor_parallel_size=4"], 4),
        (["-tp", "4"], 4),
        (["-tp=4"], 4),
        (["--tensor-parallel", "4"], 4),
        (["--tensor", "4"], 4),
        (["--tensor-parallel-size", "2", "-tp", "4"], 4),
        (["--tensor-parallel-size", "four"], None),
        (["--tensor-parallel-size", "${TP}"], None),
        (["--tensor-parallel-size=$(TP)"], None),
        (["--tensor-parallel-size", "{{ .Values.tp }}"], None),
        (["--tensor-parallel-size", "<TP>"], None),
        (["--tensor-parallel-size", "CHANGE_ME"], None),
        (["--tensor-parallel-size"], None),
        (["--tensor-parallel-size", "--trust-remote-code"], None),
    ],
)
def test_spellings_of_one_flag(args: list[str], expected: int | None) -> None:
    found = served("--model", "a/b", *args)
    assert value(found.tensor_parallel) == expected
    assert found.tensor_parallel is not None
    assert not found.tensor_parallel.default
    assert found.arguments_known


@pytest.mark.parametrize(
    "args",
    [
        ["--tensor-parallel-size 4"],
        ["--model a/b --tensor-parallel-size 4"],
        ["--max-num", "4"],  # --max-num-seqs, --max-num-batched-tokens: ambiguous
        ["--no-such-flag", "4"],
        ["--config", "/etc/vllm.yaml"],
        ["$(EXTRA)"],
        ["a/b", "c/d"],
    ],
)
def test_what_cannot_be_read_leaves_no_defaults(args: list[str]) -> None:
    found = served("--model", "a/b", *args)
    assert not found.arguments_known
    assert found.tensor_parallel is not None
    assert (found.tensor_parallel.value, found.tensor_parallel.default) == (None, True)
    assert found.parallel_settings() == []
    assert found.gpus_used() is None
    assert value(found.model) == "a/b"


def test_an_abbreviation_is_looked_up_among_the_flags_of_the_version() -> None:
    # --num-scheduler-steps left in 0.10.1.
    table = flags.load("vllm.json")
    steps = table.find("--num-scheduler-steps", (0, 33, 0))
    assert steps is not None
    assert table.find("--num-s", (0, 10, 0)) is steps
    assert table.find("--num-s", (0, 10, 1)) is None
    assert table.find("--num-s", None) is None


def test_booleans() -> None:
    assert value(served("--model=a/b", "--enable-expert-parallel").expert_parallel) is True
    assert value(served("--model=a/b", "--enable_expert_parallel").expert_parallel) is True
    assert value(served("--model=a/b", "--no-enable-expert-parallel").expert_parallel) is False
    assert (
        value(served("--model=a/b", "--enable-expert-parallel", "--no-enable-expert-parallel").expert_parallel) is False
    )
    assert value(served("--model=a/b").expert_parallel) is False
    assert value(served("--model=a/b", "--enable-expert-parallel=true").expert_parallel) is None
    # The old StoreBoolean flags took a word: it is not the model.
    found = served("--enable-chunked-prefill", "false", "a/b", image="vllm/vllm-openai:v0.7.0")
    assert written(found.model)[:2] == ("a/b", "model")


def test_flags_with_many_values() -> None:
    found = served("--served-model-name", "x", "y", "--model", "a/b")
    assert value(found.model) == "a/b"
    assert found.arguments_known


def test_json_and_dotted_json() -> None:
    found = served("--model", "a/b", "--compilation-config.mode", "3", "-cc.pass_config.x=true", "-O3", "-tp", "2",
                   "--speculative-config", '{"model": "c/d"}')  # fmt: skip
    assert found.arguments_known
    assert (value(found.model), value(found.tensor_parallel)) == ("a/b", 2)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("32768", 32768), ("32k", 32000), ("32K", 32768), ("25.6k", 25600), ("1.5K", None), ("auto", None), ("-1", None)],
)
def test_human_numbers(text: str, expected: int | None) -> None:
    found = served("--model=a/b", f"--max-model-len={text}")
    assert value(found.max_model_len) == expected
    assert value(served("--model=a/b", "--max-model-len", text).max_model_len) == expected


def test_one_letter_flags_with_attached_values() -> None:
    assert value(served("--model=a/b", "-qawq").quantization) == "awq"
    assert value(served("--model=a/b", "-n2", image="vllm/vllm-openai:v0.12.0").nodes) == 2


# -- substitution and scripts


def test_kubernetes_substitution_keeps_the_place_of_the_reference() -> None:
    found = engine("""
image: vllm/vllm-openai:v0.11.0
env:
- {name: N, value: "4"}
- {name: TP, value: "$(N)"}
- name: LEN
  valueFrom: {configMapKeyRef: {name: a, key: b}}
args: ["--model", "a/$(N)b", --tensor-parallel-size=$(TP), --max-model-len, $(LEN), --max-num-seqs=$$(N)]
""")
    assert written(found.tensor_parallel) == (4, "--tensor-parallel-size", "--tensor-parallel-size=$(TP)")
    assert written(found.max_model_len) == (None, "--max-model-len", "$(LEN)")
    assert written(found.model) == ("a/4b", "--model", "a/$(N)b")
    assert value(found.max_num_seqs) is None
    assert found.arguments_known


@pytest.mark.parametrize(
    ("text", "expected"),
    [("$(A)", "1"), ("x$(A)y", "x1y"), ("$$(A)", "$(A)"), ("$A ${A}", "$A ${A}"), ("$(B)", None), ("a$(nproc)", None)],
)
def test_references(text: str, expected: str | None) -> None:
    pieces = substituted(text, {"A": "1", "B": None})
    assert all(piece.start < piece.end for piece in pieces)
    found = [piece.text for piece in pieces]
    assert (None if None in found else "".join(str(part) for part in found)) == expected


def test_references_do_not_grow_without_bound() -> None:
    env = [{"name": "V0", "value": "x" * 1000}]
    env += [{"name": f"V{i}", "value": f"$(V{i - 1})" * 20} for i in range(1, 12)]
    launch = launch_of(root_of(json.dumps({"image": VLLM, "args": ["--model", "$(V11)" * 50], "env": env})))
    assert launch.args is not None
    assert launch.args[1].text is None


def test_a_script_in_a_block() -> None:
    found = engine("""
image: vllm/vllm-openai:v0.11.0
env:
- {name: MODEL, value: a/b}
command: ["/bin/bash", "-euo", "pipefail", "-c"]
args:
- |
  TP=2
  # vllm serve c/d --tensor-parallel-size 8
  CUDA_VISIBLE_DEVICES=0,1 exec vllm serve "$(MODEL)" \\
    --tensor-parallel-size $TP --pipeline-parallel-size=${PP:-2} \\
    --gpu-memory-utilization \\
      0.85
""")
    assert written(found.model) == ("a/b", "model", '"$(MODEL)"')
    assert written(found.tensor_parallel) == (2, "--tensor-parallel-size", "--tensor-parallel-size $TP")
    assert written(found.pipeline_parallel) == (2, "--pipeline-parallel-size", "--pipeline-parallel-size=${PP:-2}")
    assert written(found.memory_fraction) == (0.85, "--gpu-memory-utilization", "0.85")
    assert found.place.text() == "vllm serve"
    assert found.place.line == 10
    assert found.gpus_used() == 4


def test_a_folded_script_and_a_quoted_one() -> None:
    for style in (">-\n    vllm serve a/b\n    --tensor-parallel-size 2\n    --max-model-len 4096",
                  '"vllm serve \\"a/b\\" --tensor-parallel-size 2\n    --max-model-len 4096"'):  # fmt: skip
        found = engine(f"command:\n  - sh\n  - -c\n  - {style}\n")
        assert value(found.model) == "a/b"
        assert written(found.tensor_parallel) == (2, "--tensor-parallel-size", "--tensor-parallel-size 2")
        assert written(found.max_model_len) == (4096, "--max-model-len", "--max-model-len 4096")


def test_arguments_after_the_script_are_its_parameters() -> None:
    found = engine("""
command: [sh, -c, 'exec vllm serve "$@" --max-num-seqs $1', --]
args: ["64", --tensor-parallel-size, "4"]
""")
    assert written(found.tensor_parallel) == (4, "--tensor-parallel-size", "4")
    assert value(found.max_num_seqs) == 64
    assert written(found.model) == ("64", "model", "64")


@pytest.mark.parametrize(
    "text", ["vllm serve a/b $EXTRA_ARGS", 'vllm serve a/b "${A[@]}"', "vllm serve $ARGS", "vllm serve a/b --$X 4"]
)
def test_unknown_words_that_may_hide_flags(text: str) -> None:
    assert not script(text).arguments_known


@pytest.mark.parametrize("text", ["vllm serve $MODEL", "vllm serve a/b --tensor-parallel-size $(nproc) --host $HOST"])
def test_unknown_words_in_the_place_of_a_value(text: str) -> None:
    assert script(text).arguments_known


def test_variables_that_hold_flags() -> None:
    found = script("vllm serve a/b $EXTRA_ARGS", EXTRA_ARGS="--tensor-parallel-size 4 --max-model-len=8k")
    assert found.arguments_known
    assert written(found.tensor_parallel) == (4, "--tensor-parallel-size", "$EXTRA_ARGS")
    assert value(found.max_model_len) == 8000
    assert not script("vllm serve a/b $EXTRA_ARGS", EXTRA_ARGS=None).arguments_known


def test_environment_from_elsewhere_as_a_whole_may_override_defaults() -> None:
    text = "command: [sh, -c, 'vllm serve a/b --tensor-parallel-size ${TP:-2}']"
    assert value(engine(text).tensor_parallel) == 2
    assert value(engine(text, env_known=False).tensor_parallel) is None


def test_several_launches() -> None:
    first = script("if [ $A ]; then vllm serve a/b -tp 2; else vllm serve c/d -tp 4; fi")
    assert (value(first.model), first.sole) == ("a/b", False)
    assert not script("for i in 0 1; do vllm serve a/b & done; wait").sole
    assert not script("vllm serve a/b & text-generation-launcher --model-id c/d").sole
    assert script("while true; do vllm serve a/b; done").sole


# -- programs and images


@pytest.mark.parametrize(
    "command",
    [
        ["vllm", "serve", "a/b"],
        ["/opt/venv/bin/vllm", "serve", "a/b"],
        ["python3", "-m", "vllm.entrypoints.openai.api_server", "--model", "a/b"],
        ["python", "-u", "-m", "vllm.entrypoints.api_server", "--model=a/b"],
        ["python3", "/workspace/vllm/entrypoints/openai/api_server.py", "--model", "a/b"],
        ["env", "A=1", "numactl", "--cpunodebind=0", "vllm", "serve", "a/b"],
        ["/opt/nvidia/nvidia_entrypoint.sh", "vllm", "serve", "a/b"],
        ["uv", "run", "vllm", "serve", "a/b"],
        ["bash", "-c", "nohup time vllm serve a/b > log 2>&1 & wait"],
        ["bash", "-c", "bash -c 'vllm serve a/b'"],
        ["bash", "-c", 'CMD="vllm serve"; $CMD a/b'],
    ],
)
def test_programs(command: list[str]) -> None:
    for key in ("command", "args"):
        found = engine(json.dumps({"image": "registry/some-vllm:1", key: command}))
        assert (found.name, value(found.model), found.version) == ("vllm", "a/b", None)
    assert value(engine(json.dumps({"command": command})).tensor_parallel) == 1


@pytest.mark.parametrize(
    "container",
    [
        {"command": ["vllm", "bench", "serve"]},
        {"command": ["echo", "vllm", "serve"]},
        {"command": ["pip", "install", "vllm"]},
        {"command": ["sleep", "infinity"], "image": VLLM},
        {"args": ["sleep", "infinity"], "image": VLLM},
        {"args": ["bash", "-c", "sleep 1"], "image": VLLM},
        {"command": ["ray", "start", "--address=head"], "image": VLLM},
        {"image": "lmcache/vllm-router:v0.1", "args": ["--model", "a/b"]},
        {"image": "ghcr.io/llm-d/llm-d-routing-sidecar:v0.4.0", "args": ["--vllm-port=8200", "--model=a/b"]},
        {"image": "registry/vllm-benchmark:1", "args": ["--model", "a/b"]},
        {"image": "registry/vllm-custom:1", "args": ["--unrelated"]},
        {"image": "registry/vllm-custom:1"},
        {"image": "kserve/huggingfaceserver:latest", "args": ["--model_id=a/b", "--backend=huggingface"]},
        {"image": "nginx", "args": ["--model", "a/b"]},
        {"image": "opea/llm-textgen", "env": [{"name": "TGI_ENDPOINT", "value": "http://text-generation-inference"}]},
    ],
)
def test_what_is_no_engine(container: dict[str, Any]) -> None:
    assert read(json.dumps(container)) is None


@pytest.mark.parametrize(
    ("image", "version", "accelerator"),
    [
        ("vllm/vllm-openai:v0.11.0", "0.11.0", None),
        ("vllm/vllm-openai:v0.6.3.post1-cu121", "0.6.3.post1", None),
        ("reg:5000/mirror/vllm/vllm-openai:0.8.5.post1@sha256:aa", "0.8.5.post1", None),
        ("vllm/vllm-openai-cpu:v0.19.0", "0.19.0", "cpu"),
        ("vllm/vllm-openai:v0.11.0rc2", "0.11.0rc2", None),
        ("vllm/vllm-openai:latest", None, None),
        ("vllm/vllm-openai:nightly-1f2e3d", None, None),
        ("vllm/vllm-openai@sha256:aa", None, None),
        ("vllm/vllm-openai", None, None),
        ("lmcache/vllm-openai:v0.3.9", None, None),
        ("ghcr.io/llm-d/llm-d-xpu:v0.4.0", None, "xpu"),
        ("rocm/vllm:rocm6.4.1_vllm_0.10.1", None, "rocm"),
        ("opea/vllm-gaudi:1.22.0", None, "gaudi"),
    ],
)
def test_versions_and_accelerators(image: str, version: str | None, accelerator: str | None) -> None:
    found = served("--model=a/b", image=image)
    assert (found.version_text, found.accelerator) == (version, accelerator)
    assert found.label == (f"vLLM {version}" if version else "vLLM")


def test_versions_compare() -> None:
    versions = [_images.version(tag)[0] for tag in ("v0.8.4", "0.8.5", "v0.8.5.post1", "v0.10.0", "v0.33.0")]
    known = [version for version in versions if version is not None]
    assert len(known) == len(versions)
    assert known == sorted(known)
    assert _images.version("2025-05-27-v1") == (None, None)
    assert _images.version("1.0.0.0") == (None, None)


@pytest.mark.parametrize(
    ("image", "fraction", "seqs"),
    [
        ("vllm/vllm-openai:v0.6.0", 0.9, 256),
        ("vllm/vllm-openai:v0.19.1", 0.9, None),
        ("vllm/vllm-openai:v0.20.0", 0.92, None),
        ("vllm/vllm-openai:v9.0.0", 0.92, None),
        ("vllm/vllm-openai:latest", None, None),
    ],
)
def test_defaults_by_version(image: str, fraction: float | None, seqs: int | None) -> None:
    found = served("--model=a/b", image=image)
    assert found.memory_fraction is not None
    assert (found.memory_fraction.value, found.memory_fraction.default) == (fraction, True)
    assert value(found.max_num_seqs) == seqs
    assert value(found.tensor_parallel) == 1
    assert (found.data_parallel is None) == (image.endswith("v0.6.0"))
    assert found.gpus_used() == 1


def test_an_image_alone_is_an_engine_without_defaults() -> None:
    found = engine(f"image: {VLLM}")
    assert not found.arguments_known
    assert found.place.text() == VLLM
    assert value(found.tensor_parallel) is None


def test_an_image_to_be_filled_in_is_told_by_its_environment() -> None:
    assert (
        served("--model=a/b", "--tensor-parallel-size=2", image="IMAGE_URL", VLLM_LOGGING_LEVEL="INFO").name == "vllm"
    )
    assert served("--model=a/b", "--tensor-parallel-size=2", image="${VLLM_IMAGE}").name == "vllm"
    assert read('{"image": "IMAGE_URL", "args": ["--model=a/b"]}') is None


# -- parallelism


def test_ray_over_several_nodes() -> None:
    found = script("ray start --head --port=6379 && vllm serve a/b --tensor-parallel-size 16")
    assert written(found.executor) == ("ray", "ray start", "ray start")
    assert value(script("$KUBERAY_GEN_RAY_START_CMD; vllm serve a/b -tp 16").executor) == "ray"
    assert value(script("bash /x/multi-node-serving.sh leader; vllm serve a/b -tp 16").executor) == "ray"
    assert value(script("ray start --head; vllm serve a/b --distributed-executor-backend mp").executor) == "mp"
    assert value(served("--model=a/b", "--worker-use-ray", image="vllm/vllm-openai:v0.5.0").executor) == "ray"


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        (["-tp", "4", "-pp", "2"], 8),
        (["-tp", "2", "-dp", "4"], 8),
        (["-tp", "2", "-dp", "8", "-dpl", "4"], 8),
        (["-dp", "8", "--data-parallel-rank", "3"], 1),
        (["-tp", "8", "-pp", "2", "--nnodes", "2"], 8),
        (["-tp", "8", "--nnodes", "$(SIZE)"], None),
        (["-tp", "0"], None),
    ],
)
def test_gpus_used(args: list[str], expected: int | None) -> None:
    assert served("--model=a/b", *args, image="vllm/vllm-openai:v0.20.0").gpus_used() == expected


# -- TGI


def test_tgi_reads_flags_before_variables() -> None:
    found = served("--model-id", "a/b", "--num-shard=2", image=TGI, NUM_SHARD="4", MAX_TOTAL_TOKENS="4096", DTYPE=None)
    assert found.label == "TGI 3.3.5"
    assert written(found.model) == ("a/b", "--model-id", "a/b")
    assert written(found.tensor_parallel) == (2, "--num-shard", "--num-shard=2")
    assert written(found.max_model_len)[:2] == (4096, "MAX_TOTAL_TOKENS")
    assert value(found.dtype) is None
    assert found.dtype is not None
    assert not found.dtype.default
    assert value(found.memory_fraction) == 1.0
    assert not found.uses_all_visible_gpus
    assert found.gpus_used() == 2


def test_tgi_takes_all_gpus_unless_told() -> None:
    found = served("--model-id=a/b", image=TGI)
    assert found.uses_all_visible_gpus
    assert found.gpus_used() is None
    single = served("--model-id=a/b", image=TGI, SHARDED="false")
    assert not single.uses_all_visible_gpus
    assert written(single.tensor_parallel)[:2] == (1, "SHARDED")
    assert served("--model-id=a/b", "--sharded", "true", image=TGI).uses_all_visible_gpus


def test_tgi_settings_from_the_environment_alone() -> None:
    env = [{"name": "MODEL_ID", "value": "a/b"}, {"name": "NUM_SHARD", "value": "4"}]
    found = engine(json.dumps({"image": f"{TGI}-rocm", "env": env}))
    assert (found.accelerator, found.version, found.arguments_known) == ("rocm", (3, 3, 5), True)
    assert written(found.tensor_parallel) == (4, "NUM_SHARD", '"4"')
    assert not engine(f"image: {TGI}").arguments_known


def test_tgi_in_a_script() -> None:
    line = "export NUM_SHARD=4; QUANTIZE=awq text-generation-launcher --port 80"
    found = engine(json.dumps({"command": ["sh", "-c", line]}))
    assert written(found.tensor_parallel) == (4, "NUM_SHARD", "NUM_SHARD=4")
    assert written(found.quantization) == ("awq", "QUANTIZE", "QUANTIZE=awq")


def test_tgi_has_neither_underscores_nor_abbreviations() -> None:
    for flag in ("--num_shard", "--num-sh"):
        found = served("--model-id=a/b", f"{flag}=2", image=TGI)
        assert not found.arguments_known
        assert value(found.tensor_parallel) is None


# -- tables


@pytest.mark.parametrize("name", ["vllm.json", "tgi.json"])
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


def test_marks_are_in_lower_case() -> None:
    assert engines.marks()
    assert all(mark and mark == mark.lower() for mark in engines.marks())


# -- properties

FRAGMENTS = [
    *("--", "-", "=", ".", "_", "no-", "tensor-parallel-size", "tp", "enable-expert-parallel", "--model", "-O3", "4"),
    *("$(A)", "$(X)", "$$", " ", "\n", "{", "}", "<x>", "é", "'", '"', "a/b", "vllm", "serve", "sh", "-c"),
]
WORDS = st.one_of(st.text(max_size=8), st.lists(st.sampled_from(FRAGMENTS), max_size=5).map("".join))


@settings(deadline=None, max_examples=300)
@given(st.lists(WORDS, max_size=8), st.sampled_from([VLLM, TGI, "vllm/vllm-openai:v0.5.0", ""]), st.booleans())
def test_any_arguments_are_read_without_an_error(words: list[str], image: str, is_command: bool) -> None:
    words = [word for word in words if word.isprintable() or word == "\n"]
    content = {"image": image, ("command" if is_command else "args"): words, "env": [{"name": "A", "value": "4"}]}
    found = read(json.dumps(content, ensure_ascii=False))
    if found is not None:
        assert found.gpus_used() is None or found.gpus_used() >= 1  # type: ignore[operator]


CONVERSIONS: dict[str, tuple[str, st.SearchStrategy[Any]]] = {
    "tensor_parallel": ("--tensor-parallel-size", st.integers(1, 64)),
    "pipeline_parallel": ("--pipeline-parallel-size", st.integers(1, 16)),
    "data_parallel": ("--data-parallel-size", st.integers(1, 16)),
    "memory_fraction": ("--gpu-memory-utilization", st.integers(1, 99).map(lambda n: n / 100)),
    "max_model_len": ("--max-model-len", st.integers(1, 10**6)),
    "max_num_seqs": ("--max-num-seqs", st.integers(1, 1024)),
    "max_batched_tokens": ("--max-num-batched-tokens", st.integers(1, 10**6)),
    "kv_cache_dtype": ("--kv-cache-dtype", st.sampled_from(["auto", "fp8", "fp8_e5m2"])),
    "quantization": ("--quantization", st.sampled_from(["awq", "fp8", "gptq_marlin"])),
    "dtype": ("--dtype", st.sampled_from(["half", "bfloat16"])),
    "cpu_offload_gib": ("--cpu-offload-gb", st.integers(0, 64).map(float)),
}
CHOSEN = st.fixed_dictionaries({}, optional={name: strategy for name, (_, strategy) in CONVERSIONS.items()})


@settings(deadline=None, max_examples=150)
@given(CHOSEN, st.lists(st.booleans(), min_size=33, max_size=33), st.randoms(use_true_random=False))
def test_written_flags_come_back(chosen: dict[str, Any], coins: list[bool], random: Any) -> None:
    parts: list[list[str]] = [["--trust-remote-code"], ["--served-model-name", "n"]]
    for name, content in chosen.items():
        flag = CONVERSIONS[name][0]
        flag = flag.replace("-", "_").replace("__", "--", 1) if coins.pop() else flag
        parts.append([f"{flag}={content}"] if coins.pop() else [flag, str(content)])
    random.shuffle(parts)
    args = ["a/b", *(word for part in parts for word in part)]
    for found in (
        engine(json.dumps({"command": ["vllm", "serve"], "args": args})),
        script("vllm serve " + " ".join(args)),
    ):
        assert found.arguments_known
        assert value(found.model) == "a/b"
        for name, (flag, _) in CONVERSIONS.items():
            setting = getattr(found, name)
            assert setting.default == (name not in chosen)
            if name in chosen:
                assert setting.value == chosen[name]
                assert setting.spelled.replace("_", "-") == flag
                assert setting.place.text().endswith(str(chosen[name]))


def test_words_know_their_places() -> None:
    node = root_of("args: ['it''s', \"a\\tb\", c d, '', 4]").get("args")
    assert node is not None
    words = words_of(node, {})
    assert [word.text for word in words] == ["it's", "a\tb", "c d", "", "4"]
    assert [word.place.text() for word in words] == ["it''s", "a\\tb", "c d", "''", "4"]
    assert isinstance(words[0], Word)
