"""Files that engines read by themselves, versions that a launch installs, and the devices that it shows to an engine."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpulint.discovery import discover
from gpulint.lint import check, selected_rules
from gpulint.load import Loaded, load_texts
from gpulint.model.engine import Engine
from gpulint.model.values import Setting
from gpulint.source.text import Source
from gpulint.source.textproto import NotTextProto, each, message


def read(**files: str) -> Loaded:
    """A project of these files; `__` in a name stands for a dot, `___` for a slash."""
    loaded = load_texts({name.replace("___", "/").replace("__", "."): text for name, text in files.items()})
    assert not loaded.problems
    return loaded


def engines(loaded: Loaded) -> list[Engine]:
    return [engine for workload in loaded.project.workloads for engine in workload.engines]


def only(loaded: Loaded) -> Engine:
    (engine,) = engines(loaded)
    return engine


def value(setting: Setting[object] | Setting[int] | Setting[str] | Setting[float] | Setting[bool] | None) -> object:
    return setting.value if setting is not None else None


def at(setting: Setting[int] | Setting[float] | Setting[str] | None) -> tuple[object, str, str, int]:
    """Value, spelling, and where it stands: path and line."""
    assert setting is not None
    assert setting.place is not None
    return setting.value, setting.spelled, setting.place.source.path, setting.place.line


def rules(loaded: Loaded, *names: str) -> list[tuple[str, int]]:
    """What these rules report: names and lines."""
    findings, failed = check(loaded, selected_rules(list(names), []))
    assert not failed
    return [(found.rule, found.finding.place.line) for found in findings]


PARALLEL = ("unused-gpus", "parallel-size-exceeds-gpus")


# -- devices


def pod(script: str, gpus: int = 4, env: str = "[]") -> str:
    lines = "\n".join(f"            {line}" for line in script.splitlines())
    return f"""\
apiVersion: v1
kind: Pod
metadata: {{name: chat}}
spec:
  containers:
    - name: vllm
      image: vllm/vllm-openai:v0.11.0
      env: {env}
      resources: {{limits: {{nvidia.com/gpu: {gpus}}}}}
      command: [bash, -c]
      args:
        - |
{lines}
"""


@pytest.mark.parametrize(
    ("script", "shown", "shares", "found"),
    [
        ("CUDA_VISIBLE_DEVICES=0,1,2 vllm serve a/b -tp 2 &\nCUDA_VISIBLE_DEVICES=3 vllm serve c/d", 3, False,
         [("unused-gpus", 13)]),
        ("CUDA_VISIBLE_DEVICES=0,1 vllm serve a/b -tp 2 &\nCUDA_VISIBLE_DEVICES=2,3 vllm serve c/d -tp 2", 2, False, []),
        # The second may use what the first leaves.
        ("CUDA_VISIBLE_DEVICES=0,1,2 vllm serve a/b -tp 2 &\nCUDA_VISIBLE_DEVICES=2,3 vllm serve c/d -tp 2", 3, True, []),
        ("CUDA_VISIBLE_DEVICES=0,1,2 vllm serve a/b -tp 2 &\nvllm serve c/d --port 1", 3, True, []),
        ("export CUDA_VISIBLE_DEVICES=0,1,2\npython rerank.py &\nvllm serve a/b -tp 2", 3, True, []),
        ("CUDA_VISIBLE_DEVICES=0,1,2 vllm serve a/b -tp 2 &\npython proxy.py", 3, False, [("unused-gpus", 13)]),
        ("CUDA_VISIBLE_DEVICES=0 vllm serve a/b -tp 2", 1, False, [("parallel-size-exceeds-gpus", 13)]),
        ("CUDA_VISIBLE_DEVICES=$1 vllm serve a/b -tp 2", None, False, []),
        ("CUDA_VISIBLE_DEVICES=MIG-a,MIG-b vllm serve a/b", None, False, []),
        ("CUDA_VISIBLE_DEVICES=GPU-a,GPU-b vllm serve a/b -tp 4", 2, False, [("parallel-size-exceeds-gpus", 13)]),
        ("HIP_VISIBLE_DEVICES=0 CUDA_VISIBLE_DEVICES=0,1 vllm serve a/b -tp 4", None, False, []),
        ("ray start --head\nCUDA_VISIBLE_DEVICES=0 vllm serve a/b -tp 4 --nnodes 2", 1, False, []),
    ],
)  # fmt: skip
def test_devices_that_a_launch_shows(
    script: str, shown: int | None, shares: bool, found: list[tuple[str, int]]
) -> None:
    loaded = read(pod__yaml=pod(script))
    engine = engines(loaded)[0]
    assert engine.chooses_devices
    assert (value(engine.visible_devices), engine.shares_devices) == (shown, shares)
    assert rules(loaded, *PARALLEL) == found


def test_devices_of_a_container() -> None:
    env = '[{name: CUDA_VISIBLE_DEVICES, value: "0"}]'
    assert rules(read(pod__yaml=pod("vllm serve a/b -tp 2", 2, env)), *PARALLEL) == [("parallel-size-exceeds-gpus", 8)]
    # One of two is hidden from the only program.
    assert rules(read(pod__yaml=pod("vllm serve a/b", 2, env)), *PARALLEL) == [("unused-gpus", 9)]
    assert rules(read(pod__yaml=pod("vllm serve a/b", 1, env)), *PARALLEL) == []
    script = "CUDA_VISIBLE_DEVICES=0,1 vllm serve a/b &\nCUDA_VISIBLE_DEVICES=2,3 vllm serve a/b -tp 2\n"
    assert rules(read(run__sh=script), *PARALLEL) == [("unused-gpus", 1)]
    assert rules(read(run__sh=script.replace("2,3", "1,3")), *PARALLEL) == []
    assert rules(read(run__sh='CUDA_VISIBLE_DEVICES=0,1 vllm serve a/b "$@"\n'), *PARALLEL) == []
    assert rules(read(run__sh="CUDA_VISIBLE_DEVICES=0,1 vllm serve a/b -tp 4\n"), *PARALLEL) == [
        ("parallel-size-exceeds-gpus", 1)
    ]


# -- versions


@pytest.mark.parametrize(
    ("line", "version"),
    [
        ("pip install vllm==0.6.1.post2", "0.6.1.post2"),
        ("pip3 install -q transformers 'vllm[audio] == 0.9.1' accelerate", "0.9.1"),
        ("python3 -m pip install vllm==0.5.3post1", "0.5.3.post1"),
        ("uv pip install --pre vllm==0.10.1+gptoss --torch-backend=auto", "0.10.1"),
        ("uv run --with vllm==0.11.0 python -c 1", "0.11.0"),
        ("V=0.8.5\npip install vllm==$V", "0.8.5"),
        ("pip install https://github.com/vllm-project/vllm/releases/download/v0.4.0/vllm-0.4.0-cp310-x86.whl", "0.4.0"),
        ("pip install git+https://github.com/vllm-project/vllm.git@v0.7.3", "0.7.3"),
        ("pip install git+https://github.com/vllm-project/vllm.git@e24336b5a772ab3aa6ad83527b880f9e5050ea2a", None),
        ("pip install 'vllm>=0.8.3'", None),
        ("pip install vllm==0.6.*", None),
        ("pip install vllm", None),
        ("pip install vllm-flash-attn==2.6.2", None),
        ("pip install vllm==$UNKNOWN", None),
        ("if true; then pip install vllm==0.6.0; else pip install vllm==0.7.0; fi", None),
        ("pip download vllm==0.6.0", None),
        ("pip uninstall vllm==0.6.0", None),
    ],
)
def test_the_version_that_a_script_installs(line: str, version: str | None) -> None:
    assert only(read(serve__sh=f"{line}\nvllm serve a/b\n")).version_text == version


def test_a_version_that_a_task_or_an_image_installs() -> None:
    task = "resources: {accelerators: 'L4:1'}\nsetup: |\n  pip install vllm==0.10.0\nrun: vllm serve a/b\n"
    engine = only(read(task__yaml=task))
    assert (engine.version, engine.label) == ((0, 10, 0), "vLLM 0.10.0")
    image = 'FROM python:3.12 AS base\nARG V=0.5.1\nRUN uv pip install "sglang[all]==$V"\n\nFROM base\n'
    engine = only(read(Dockerfile=f'{image}CMD ["python", "-m", "sglang.launch_server", "--model-path", "a/b"]\n'))
    assert engine.version_text == "0.5.1"
    newer = 'FROM vllm/vllm-openai:v0.10.0\nRUN pip install {}\nCMD ["--model", "a/b"]\n'
    assert only(read(Dockerfile=newer.format("vllm==0.11.0"))).version_text == "0.11.0"
    assert only(read(Dockerfile=newer.format("boto3 vllm"))).version_text == "0.10.0"
    assert only(read(Dockerfile=newer.format("-U vllm"))).version_text is None


# -- files of options

TRTLLM = "tensor_parallel_size: 4\nmax_batch_size: 64\nkv_cache_config:\n  free_gpu_memory_fraction: 0.8\n"


def test_options_that_a_script_writes() -> None:
    engine = only(
        read(
            serve__sh="file=/tmp/extra.yml\ncat >${file} <<EOF\nmax_seq_len: ${LEN}\n" + TRTLLM
            + "EOF\ntrtllm-serve a/b --max_num_tokens 2048 --extra_llm_api_options $file\n"
        )
    )  # fmt: skip
    assert at(engine.tensor_parallel) == (4, "tensor_parallel_size", "serve.sh", 4)
    assert at(engine.kv_cache_free_fraction) == (0.8, "free_gpu_memory_fraction", "serve.sh", 7)
    assert (value(engine.max_batched_tokens), value(engine.max_num_seqs), value(engine.max_model_len)) == (
        2048,
        64,
        None,
    )
    assert (engine.config, engine.arguments_known, engine.gpus_used()) == (None, True, 4)


def test_what_command_line_and_options_disagree_on_is_unknown() -> None:
    files = {"serve__sh": "trtllm-serve a/b --tp_size 2 --pp_size 2 --config=c.yaml --free_gpu_memory_fraction 0.5\n"}
    engine = only(
        read(**files, c__yaml="tensor_parallel_size: 4\npipeline_parallel_size: 2\nkv_cache_config: {dtype: fp8}\n")
    )
    assert (value(engine.tensor_parallel), value(engine.pipeline_parallel)) == (None, 2)
    assert (value(engine.kv_cache_free_fraction), value(engine.kv_cache_dtype)) == (None, "fp8")
    assert not only(read(**files)).arguments_known


@pytest.mark.parametrize(
    ("options", "attention", "experts", "nodes"),
    [
        ("tensor_parallel_size: 8\nenable_attention_dp: true\nmoe_expert_parallel_size: 8\n", 8, True, None),
        ("tensor_parallel_size: 16\ngpus_per_node: 8\n", None, None, 2),
        ("world_size: 2\nenable_attention_dp: false\n", None, None, None),
    ],
)
def test_options_of_tensorrt_llm(options: str, attention: int | None, experts: bool | None, nodes: int | None) -> None:
    engine = only(read(serve__sh="trtllm-serve a/b --config c.yaml\n", c__yaml=options))
    assert value(engine.attention_data_parallel) == attention
    assert value(engine.expert_parallel) is experts
    assert value(engine.nodes) == nodes


def test_options_of_sglang_lie_under_the_command_line() -> None:
    file = "model-path: c/d\ntp: 4\ndp_size: 4\nenable-dp-attention: true\nmem-fraction-static: 0.8\n"
    line = "python -m sglang.launch_server --config cfg/sglang.yaml --model-path a/b --mem-fraction-static 0.7\n"
    engine = only(read(run___serve__sh=line, cfg___sglang__yaml=file))
    assert (value(engine.model), value(engine.memory_fraction)) == ("a/b", 0.7)
    assert at(engine.tensor_parallel) == (4, "tp", "cfg/sglang.yaml", 2)
    assert (value(engine.attention_data_parallel), engine.data_parallel) == (4, None)
    assert (engine.arguments_known, engine.gpus_used()) == (True, 4)
    assert not only(read(serve__sh=line)).arguments_known


def test_options_in_a_config_map() -> None:
    config = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: options}\ndata:\n  extra.yaml: |\n    tensor_parallel_size: 4\n"
    deployment = """\
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: chat}
spec:
  selector: {matchLabels: {app: chat}}
  template:
    metadata: {labels: {app: chat}}
    spec:
      containers:
        - name: engine
          image: nvcr.io/nvidia/tensorrt-llm/release:1.1.0
          command: [trtllm-serve, a/b, --extra_llm_api_options, /config/extra.yaml]
          resources: {limits: {nvidia.com/gpu: 2}}
          volumeMounts: [{name: config, mountPath: /config}]
      volumes: [{name: config, configMap: {name: options}}]
"""
    loaded = read(all__yaml=config + deployment)
    assert at(only(loaded).tensor_parallel) == (4, "tensor_parallel_size", "all.yaml", 6)
    assert rules(loaded, *PARALLEL) == [("parallel-size-exceeds-gpus", 6)]


COMPOSE = """\
services:
  engine:
    image: vllm/vllm-openai:v0.11.0
    command: [--model, a/b, --config, {path}]
    working_dir: /work
    {mount}
    deploy: {{resources: {{reservations: {{devices: [{{capabilities: [gpu], count: 2}}]}}}}}}
{more}
"""


@pytest.mark.parametrize(
    ("path", "mount", "more"),
    [
        ("/etc/vllm.yaml", "volumes: ['./vllm.yaml:/etc/vllm.yaml:ro']", ""),
        ("/etc/vllm.yaml", "volumes: ['.:/etc']", ""),
        ("conf/vllm.yaml", "volumes: ['./:/work/conf']", ""),
        ("/etc/vllm.yaml", "volumes: [{type: bind, source: ./vllm.yaml, target: /etc/vllm.yaml}]", ""),
        ("/options", "configs: [options]", "configs: {options: {file: ./vllm.yaml}}"),
        ("/o", "configs: [{source: o, target: /o}]", "configs: {o: {content: 'tensor-parallel-size: 4'}}"),
    ],
)
def test_options_that_a_service_mounts(path: str, mount: str, more: str) -> None:
    compose = COMPOSE.format(path=path, mount=mount, more=more)
    loaded = read(app___compose__yaml=compose, app___vllm__yaml="tensor-parallel-size: 4\n")
    engine = only(loaded)
    assert (value(engine.tensor_parallel), engine.arguments_known) == (4, True)
    assert [name for name, _ in rules(loaded, *PARALLEL)] == ["parallel-size-exceeds-gpus"]


def test_a_volume_is_no_folder_of_the_project() -> None:
    compose = COMPOSE.format(path="/etc/vllm.yaml", mount="volumes: ['vllm.yaml:/etc/vllm.yaml', '/:/etc']", more="")
    assert not only(read(compose__yaml=compose, vllm__yaml="tensor-parallel-size: 4\n")).arguments_known


@pytest.mark.parametrize(
    "mount",
    [
        "-v ./vllm.yaml:/o.yaml",
        "-v$PWD/vllm.yaml:/o.yaml:ro",
        '--volume "$(pwd)/vllm.yaml:/o.yaml"',
        "--mount type=bind,source=vllm.yaml,target=/o.yaml",
    ],
)
def test_options_that_docker_run_mounts(mount: str) -> None:
    line = f"docker run --gpus 2 {mount} vllm/vllm-openai:v0.11.0 --model a/b --config /o.yaml\n"
    engine = only(read(serve__sh=line, vllm__yaml="tensor-parallel-size: 4\n"))
    assert value(engine.tensor_parallel) == 4


@pytest.mark.parametrize(
    "text",
    [
        'COPY vllm.yaml /etc/vllm.yaml\nCMD ["vllm", "serve", "a/b", "--config", "/etc/vllm.yaml"]\n',
        "WORKDIR /app\nCOPY . .\nCMD vllm serve a/b --config vllm.yaml\n",
        "WORKDIR /app\nCOPY vllm.yaml other.txt conf/\nCMD vllm serve a/b --config conf/vllm.yaml\n",
    ],
)
def test_options_that_an_image_has(text: str) -> None:
    loaded = read(
        docker___Dockerfile=f"FROM vllm/vllm-openai:v0.11.0\nENTRYPOINT []\n{text}",
        vllm__yaml="tensor-parallel-size: 4\n",
    )
    assert value(only(loaded).tensor_parallel) == 4


def test_options_of_a_task() -> None:
    task = (
        "resources: {accelerators: 'L4:2'}\nworkdir: .\nfile_mounts: {/conf: ./conf}\n"
        "run: |\n  vllm serve a/b --config /conf/a.yaml\n"
    )
    options = "tensor-parallel-size: 4\n"
    assert value(only(read(task__yaml=task, conf___a__yaml=options)).tensor_parallel) == 4
    beside = task.replace("/conf/a.yaml", "conf/a.yaml")
    assert value(only(read(task__yaml=beside, conf___a__yaml=options)).tensor_parallel) == 4


@pytest.mark.parametrize("path", ["../../../etc/passwd", "/etc/passwd", "~/x.yaml", "a\x00b", ".", ""])
def test_paths_that_lead_nowhere(path: str) -> None:
    from gpulint.model.project import Project
    from gpulint.readers._files import mounted_files, project_files

    find = project_files(Project(), "a/b/c/d.sh")
    assert find(path) is None
    assert mounted_files([("x", "/"), (".", "."), ("", "")], find)(path) is None


@pytest.mark.parametrize(
    "script",
    [
        'tee "$OUT/a.yaml" <<EOF\ntensor-parallel-size: 4\nEOF\nvllm serve a/b --config "$OUT/a.yaml"\n',
        "cat <<EOF > $OUT/a.yaml\ntensor-parallel-size: 4\nEOF\nvllm serve a/b --config=$OUT/a.yaml\n",
        'SCRIPT_DIR=$(cd "$(dirname "$0")" && pwd)\nvllm serve a/b --config ${SCRIPT_DIR}/../conf/a.yaml\n',
    ],
)
def test_options_by_a_path_that_begins_with_a_variable(script: str) -> None:
    loaded = read(bin___serve__sh=script, conf___a__yaml="tensor-parallel-size: 4\n")
    assert value(only(loaded).tensor_parallel) == 4


# -- models of Triton


def model(config: str, arguments: str = '{"model": "a/b"}', **more: str) -> Loaded:
    return read(repo___llama___config__pbtxt=config, repo___llama___1___model__json=arguments, **more)


def test_a_model_of_the_vllm_backend() -> None:
    loaded = model(
        'backend: "vllm"\ninstance_group [ { count: 1 kind: KIND_MODEL } ]\n',
        '{"model": "a/b",\n "tensor_parallel_size": 2,\n "gpu_memory_utilization": 0.8}',
    )
    (workload,) = loaded.project.workloads
    assert (str(workload.ref), workload.uses_gpus, workload.complete) == ("Triton model llama", False, False)
    engine = only(loaded)
    assert (engine.name, value(engine.model), engine.arguments_known) == ("vllm", "a/b", True)
    assert at(engine.tensor_parallel) == (2, "tensor_parallel_size", "repo/llama/1/model.json", 2)
    assert at(engine.memory_fraction) == (0.8, "gpu_memory_utilization", "repo/llama/1/model.json", 3)
    assert rules(loaded) == []


def test_an_instance_has_one_gpu() -> None:
    config = 'name: "chat"\nbackend: "vllm"\ninstance_group { kind: KIND_GPU gpus: [0, 1] }\n'
    loaded = model(config, '{"model": "a/b", "tensor_parallel_size": 2}')
    assert [(w.ref.name, w.gpu_requests[0].count) for w in loaded.project.workloads] == [("chat", 1)]
    assert rules(loaded) == [("parallel-size-exceeds-gpus", 1)]
    assert rules(model(config)) == []


@pytest.mark.parametrize(
    ("group", "fraction", "found"),
    [
        ("count: 2\nkind: KIND_GPU", 0.9, True),
        ("count: 2\nkind: KIND_MODEL", 0.9, True),
        ("count: 2\nkind: KIND_MODEL", 0.4, False),
        ("count: 1\nkind: KIND_GPU", 0.9, False),
        ("count: ${n}\nkind: KIND_GPU", 0.9, False),
        ("count: 2\nkind: KIND_CPU", 0.9, False),
        ("count: 2", 0.9, False),
    ],
)
def test_instances_share_the_memory(group: str, fraction: float, found: bool) -> None:
    config = f'backend: "vllm"\ninstance_group [{{{group}}}]\n'
    loaded = model(config, f'{{"model": "a/b", "gpu_memory_utilization": {fraction}}}')
    assert [name for name, _ in rules(loaded)] == (["shared-gpu-overcommit"] if found else [])


def test_the_version_that_triton_serves() -> None:
    config = 'backend: "vllm"\n'
    assert value(only(model(config, repo___llama___3___model__json='{"model": "c/d"}')).model) == "c/d"
    policy = config + "version_policy { specific { versions: [1] } }\n"
    assert value(only(model(policy, repo___llama___3___model__json='{"model": "c/d"}')).model) == "a/b"
    assert value(only(read(repo___x___config__pbtxt=config)).model) is None
    other = model(config, repo___llama___configs___h100__pbtxt=config + "instance_group { kind: KIND_GPU }")
    assert [w.ref.name for w in other.project.workloads] == ["llama", "llama"]


def test_a_model_of_the_tensorrt_llm_backend() -> None:
    config = """
backend: "tensorrtllm"
max_batch_size: 64   # requests
model_transaction_policy { decoupled: true }
parameters: { key: "gpu_device_ids" value: { string_value: "0,1" } }
parameters: { key: "kv_cache_free_gpu_mem_fraction" value: { string_value: "0.85" } }
parameters: { key: "max_tokens_in_paged_kv_cache" value: { string_value: "${max_tokens}" } }
"""
    engine = only(read(repo___t___config__pbtxt=config))
    assert (engine.name, value(engine.visible_devices), engine.gpus_used()) == ("trtllm", 2, None)
    assert at(engine.kv_cache_free_fraction) == (
        0.85,
        "kv_cache_free_gpu_mem_fraction",
        "repo/t/config.pbtxt",
        6,
    )
    assert value(engine.max_num_seqs) == 64
    template = config.replace('"tensorrtllm"', '"${triton_backend}"') + (
        'parameters { key: "gpt_model_path" value { string_value: "${engine_dir}" } }'
    )
    several = template.replace('"0,1"', '"0,1;2,3"').replace("0.85", "${kv}")
    engine = only(read(repo___t___config__pbtxt=several))
    assert (engine.visible_devices, engine.kv_cache_free_fraction) == (None, None)


def test_a_model_of_the_llm_api() -> None:
    config = 'backend: "python"\n'
    options = "model: a/b\ntensor_parallel_size: 2\ntriton_config: {max_batch_size: 0}\n"
    engine = only(read(repo___t___config__pbtxt=config, repo___t___1___model__yaml=options))
    assert (engine.name, value(engine.model), engine.gpus_used()) == ("trtllm", "a/b", 2)


@pytest.mark.parametrize(
    "config",
    ['backend: "python"', 'platform: "onnxruntime_onnx"\nbackend: "vllm_like"', 'backend: "vllm', "backend vllm {", ""],
)
def test_other_models_have_no_engine(config: str) -> None:
    assert read(repo___t___config__pbtxt=config).project.workloads == []


def test_the_text_format() -> None:
    text = """# a comment
a: 1; b: 'x' "y",
c < d: -1.5e3 > c { d: true }
e: [ { f: "\\"}" }, { f: "" } ] e { f: NAME }
g: [1, 2]
"""
    root = message(Source("x.pbtxt", text))
    assert root.data() == {
        "a": 1,
        "b": "xy",
        "c": [{"d": -1500.0}, {"d": True}],
        "e": [{"f": '\\"}'}, {"f": ""}, {"f": "NAME"}],
        "g": [1, 2],
    }
    place = root.at("c", 1, "d")
    assert place is not None
    assert (place.place.text(), place.key_place.text(), place.place.line) == ("true", "d", 3)
    assert [node.value for node in each(root.get("a"))] == [1]
    assert each(root.get("none")) == []


@pytest.mark.parametrize(
    "text", ["a", "a:", "a {", "a: [1", "}", "a: 'x", "a: 1 ]", ": 1", "a: {[x.y]: 1}", "a: @", "a {" * 100_000]
)
def test_what_is_not_the_text_format(text: str) -> None:
    with pytest.raises(NotTextProto):
        message(Source("x.pbtxt", text))


@given(st.text(alphabet="ab:{}[]<>\"'\\ \n#,;1.$", max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    source = Source("x.pbtxt", text)
    try:
        root = message(source)
    except NotTextProto:
        return
    for key, node in root.items():
        assert node.key_place.text() == key
        assert 0 <= node.place.start <= node.place.end <= len(text)


# -- schedules of AIBrix

SCALED = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: chat}
spec:
  template:
    spec: {containers: [{name: vllm, image: vllm, resources: {limits: {nvidia.com/gpu: 1}}}]}
---
"""


def scaler(spec: str, annotations: str = "{}") -> Loaded:
    return read(
        all__yaml=f"""\
{SCALED}apiVersion: autoscaling.aibrix.ai/v1alpha1
kind: PodAutoscaler
metadata: {{name: chat, annotations: {annotations}}}
spec:
  scaleTargetRef: {{apiVersion: apps/v1, kind: Deployment, name: chat}}
  metricsSources: [{{metricSourceType: pod, targetMetric: kv_cache_usage_perc, targetValue: "0.7"}}]
  {spec}
"""
    )


@pytest.mark.parametrize(
    ("bounds", "schedules", "low", "high", "lowest"),
    [
        ("minReplicas: 1, maxReplicas: 10", "{name: a, minReplicas: 4, maxReplicas: 12}", 1, 12, 1),
        ("minReplicas: 2, maxReplicas: 10", "{name: a, minReplicas: 0}, {name: b, minReplicas: 1}", 0, 10, 0),
        ("maxReplicas: 10", "{name: a, minReplicas: 4}", None, 10, 1),
        ("maxReplicas: 10", "{name: a, minReplicas: 0}", 0, 10, 0),
        ("maxReplicas: 10", "", None, 10, 1),
    ],
)
def test_bounds_of_schedules(bounds: str, schedules: str, low: int | None, high: int, lowest: int) -> None:
    fields = f"{bounds}, scalingStrategy: APA".replace(", ", "\n  ")
    (found,) = scaler(f"{fields}\n  schedules: [{schedules}]").project.autoscalers
    assert (found.min_replicas.value if found.min_replicas else None, found.lowest) == (low, lowest)
    assert found.max_replicas is not None
    assert found.max_replicas.value == high
    assert len(found.schedules) == schedules.count("name")


def test_a_schedule_with_a_minimum_above_the_maximum() -> None:
    spec = "minReplicas: 1\n  maxReplicas: 10\n  schedules:\n    - {name: a, minReplicas: 12}\n"
    assert rules(scaler(spec), "min-replicas-above-max") == [("min-replicas-above-max", 17)]
    spec = spec.replace("12", "12, maxReplicas: 16")
    assert rules(scaler(spec), "min-replicas-above-max") == []


@pytest.mark.parametrize(
    ("strategy", "delay", "window", "spelled"),
    [
        ("APA", "0s", 600, "observeWindowSeconds"),
        ("APA", "15m", 900, "autoscaling.aibrix.ai/scale-down-cooldown-window"),
        ("HPA", "0s", 0, "autoscaling.aibrix.ai/scale-down-cooldown-window"),
    ],
)
def test_a_window_holds_a_dip_back(strategy: str, delay: str, window: int, spelled: str) -> None:
    annotations = f"{{autoscaling.aibrix.ai/scale-down-cooldown-window: {delay}}}"
    spec = f"scalingStrategy: {strategy}\n  observeWindowSeconds: 600\n  maxReplicas: 4"
    (found,) = scaler(spec, annotations).project.autoscalers
    assert found.scale_down.spelled == spelled
    assert found.scale_down.stabilization_window_s is not None
    assert found.scale_down.stabilization_window_s.value == window


# -- Slurm


def batch(directives: str, script: str = "srun vllm serve a/b -tp 4\n") -> Loaded:
    head = "".join(f"#SBATCH {line}\n" for line in directives.splitlines())
    return read(serve__slurm=f"#!/bin/bash\n{head}\n# how to serve\nmodule load cuda\n{script}")


@pytest.mark.parametrize(
    ("directives", "gpus", "nodes"),
    [
        ("--gpus-per-node=8", 8, 1),
        ("--gres=gpu:8", 8, 1),
        ("--gres=gpu:h100:8\n-N 2", 8, 2),
        ("--gres=gpu", 1, 1),
        ("--gres=nvme:1,gpu:a100:4,license:1\n--nodes 1", 4, 1),
        ("-G4", 4, 1),
        ("--gpus h100:4", 4, 1),
        ("--gpus=8\n--nodes=2", None, 2),
        ("--gpus-per-task=2\n--ntasks=1", 2, 1),
        ("--gpus-per-task=2\n--ntasks=4", None, None),
        ("--gpus-per-node=4\n--nodes=2-4", 4, None),
        ("--gpus-per-node=$N", None, 1),
        ("--gpus-per-node=4 # four", 4, 1),
    ],
)
def test_what_a_batch_job_asks_for(directives: str, gpus: int | None, nodes: int | None) -> None:
    (workload,) = batch(f"--job-name=llm\n{directives}").project.workloads
    assert str(workload.ref) == "Slurm job llm"
    (request,) = workload.gpu_requests
    assert (request.count, workload.pods[0].per_group) == (gpus, nodes)
    assert workload.multi_node is (nodes != 1)
    assert workload.complete


def test_rules_on_a_batch_job() -> None:
    loaded = batch("--gres=gpu:h100:8")
    assert rules(loaded, *PARALLEL) == [("unused-gpus", 6)]
    placement = loaded.project.workloads[0].pods[0].placement
    assert placement is not None
    assert all("H100" in board.name for board in placement.gpus)
    assert rules(batch("--gpus-per-node=2"), *PARALLEL) == [("parallel-size-exceeds-gpus", 6)]
    script = "srun vllm serve a/b -tp $SLURM_GPUS_ON_NODE -pp $SLURM_NNODES --distributed-executor-backend ray\n"
    assert rules(batch("--gpus-per-node=8\n--nodes=2", script), *PARALLEL) == []
    engine = only(batch("--gpus-per-node=8\n--nodes=2", script))
    assert at(engine.tensor_parallel)[::3] == (8, 2)
    inside = "srun apptainer exec --nv vllm.sif vllm serve a/b -tp 4\n"
    assert rules(batch("--gpus-per-node=2", inside), *PARALLEL) == [("parallel-size-exceeds-gpus", 6)]


@pytest.mark.parametrize(
    ("step", "gpus"),
    [
        ("srun --gres=gpu:2 -n 1 vllm serve a/b", 2),
        ("srun -p x --gpus 2 --job-name=y vllm serve a/b", 2),
        ("srun -G2 vllm serve a/b", 2),
        ("srun -n 1 vllm serve a/b", None),
        ("vllm serve a/b", None),
        ("srun --gres=gpu:2 vllm serve a/b & srun --gres=gpu:1 vllm serve c/d", None),
    ],
)
def test_what_a_step_asks_for(step: str, gpus: int | None) -> None:
    loaded = read(serve__sh=f"{step}\n")
    counts = [request.count for workload in loaded.project.workloads for request in workload.gpu_requests]
    assert counts == ([gpus] if gpus is not None else [])
    (workload,) = batch("--gpus-per-node=4", f"{step}\n").project.workloads
    assert [request.count for request in workload.gpu_requests] == ([] if "&" in step else [gpus or 4])


def test_directives_that_slurm_does_not_read() -> None:
    for text in ("#SBATCH --gpus-per-node=8\n#SBATCH hetjob\n#SBATCH --gpus-per-node=1\n", "echo\n#SBATCH -G 8\n"):
        (workload,) = read(serve__sh=f"#!/bin/bash\n{text}vllm serve a/b\n").project.workloads
        assert (workload.ref.kind, workload.gpu_requests) == ("shell script", [])


# -- Dynamo's first configurations

DYNAMO = """\
Common: {model: a/b, max-model-len: 16384, router: kv}
Frontend: {port: 8000}
Processor: {common-configs: [model, router]}
VllmWorker:
  remote-prefill: true
  tensor-parallel-size: 2
  ServiceArgs: {workers: 3, resources: {gpu: 1}}
  common-configs: [model, max-model-len, router]
PrefillWorker:
  max-num-batched-tokens: 8192
  ServiceArgs: {workers: 1, resources: {gpu: '4'}}
  common-configs: [model]
"""


def test_components_of_dynamo() -> None:
    loaded = read(disagg__yaml=DYNAMO)
    first, second = loaded.project.workloads
    assert (str(first.ref), first.replicas.value if first.replicas else None) == ("Dynamo component VllmWorker", 3)
    engine = first.engines[0]
    assert at(engine.model) == ("a/b", "model", "disagg.yaml", 1)
    assert at(engine.tensor_parallel) == (2, "tensor-parallel-size", "disagg.yaml", 6)
    assert (value(engine.max_model_len), engine.arguments_known) == (16384, True)
    assert (value(second.engines[0].max_batched_tokens), value(second.engines[0].max_model_len)) == (8192, None)
    assert rules(loaded, *PARALLEL) == [("parallel-size-exceeds-gpus", 6), ("unused-gpus", 11)]
    assert not engines(read(d__yaml="Worker: {ServiceArgs: {workers: 1, resources: {gpu: 1}}}\n"))
    assert not engines(read(d__yaml=DYNAMO.replace("VllmWorker", "TensorRTLLMWorker")))
    (sglang,) = engines(read(d__yaml="SGLangWorker: {tp: 2, ServiceArgs: {resources: {gpu: 2}}}\n"))
    assert (sglang.name, sglang.gpus_used()) == ("sglang", 2)


@pytest.mark.parametrize(
    ("workdir", "path"),
    [
        ("/workspace/backends/trtllm", "configs/agg.yaml"),
        ("/workspace", "./backends/trtllm/configs/agg.yaml"),
        ("/elsewhere", "/workspace/backends/trtllm/configs/agg.yaml"),
    ],
)
def test_options_in_an_image_of_dynamo(workdir: str, path: str) -> None:
    graph = f"""\
apiVersion: nvidia.com/v1alpha1
kind: DynamoGraphDeployment
metadata: {{name: agg}}
spec:
  services:
    Worker:
      resources: {{limits: {{gpu: "2"}}}}
      extraPodSpec:
        mainContainer:
          image: nvcr.io/nvidia/ai-dynamo/tensorrtllm-runtime:1.0.0
          workingDir: {workdir}
          args: [python3, -m, dynamo.trtllm, --model-path, a/b, --extra-engine-args, {path}]
"""
    files = {
        "backends___trtllm___deploy___agg__yaml": graph,
        "backends___trtllm___configs___agg__yaml": "tensor_parallel_size: 4\n",
    }
    loaded = read(**files)
    assert at(only(loaded).tensor_parallel) == (4, "tensor_parallel_size", "backends/trtllm/configs/agg.yaml", 1)
    assert rules(loaded, *PARALLEL) == [("parallel-size-exceeds-gpus", 1)]


def test_files_of_these_formats_are_found(tmp_path: Path) -> None:
    names = ["models/a/config.pbtxt", "run.sbatch", "serve.slurm"]
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    found = discover([str(tmp_path)], []).scope
    assert sorted(str(Path(path).relative_to(tmp_path).as_posix()) for path in found) == names
