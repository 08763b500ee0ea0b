"""Shell scripts, `docker run`, Dockerfiles and units of systemd: what they start, and where that is written."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpulint import readers
from gpulint.discovery import discover
from gpulint.lint import check, selected_rules
from gpulint.load import Loaded, load, load_texts
from gpulint.model.workload import Container, Workload
from gpulint.source import systemd
from gpulint.source.dockerfile import instructions
from gpulint.source.shell import Heredoc, commands_and_heredocs
from gpulint.source.text import Source


def read(text: str, path: str = "serve.sh", **more: str) -> list[Workload]:
    loaded = load_texts({path: text, **more})
    assert not loaded.problems
    return loaded.project.workloads


def only(text: str, path: str = "serve.sh") -> Container:
    (workload,) = read(text, path)
    (container,) = workload.containers
    return container


def settings(container: Container) -> dict[str, object]:
    """The settings that are written, by their fields."""
    engine = container.engine
    assert engine is not None
    names = ("model", "tensor_parallel", "memory_fraction", "max_model_len")
    found = {name: getattr(engine, name) for name in names}
    return {name: setting.value for name, setting in found.items() if setting is not None and not setting.default}


def rules(loaded: Loaded) -> list[tuple[str, str]]:
    """What the rules report: names, and the text at the place of each."""
    findings, failed = check(loaded, selected_rules([], []))
    assert not failed
    return [(found.rule, found.finding.place.text()) for found in findings]


# -- shell scripts


def test_a_launch_in_a_script() -> None:
    (workload,) = read(
        """#!/bin/bash
set -e
MODEL=${1:-Qwen/Qwen3-8B}
export HF_HOME=/cache
# vllm serve commented/out
CUDA_VISIBLE_DEVICES=0,1 vllm serve "$MODEL" \\
    --tensor-parallel-size ${TP:-2} --max-model-len=8192 "$@"
"""
    )
    assert (str(workload.ref), workload.complete) == ("shell script serve.sh", False)
    (container,) = workload.containers
    assert settings(container) == {"model": "Qwen/Qwen3-8B", "tensor_parallel": 2, "max_model_len": 8192}
    engine = container.engine
    assert engine is not None
    assert engine.tensor_parallel is not None
    assert engine.tensor_parallel.place is not None
    assert engine.tensor_parallel.place.text() == "--tensor-parallel-size ${TP:-2}"
    assert (engine.place.line, engine.place.text()) == (6, "vllm serve")
    assert engine.visible_devices is not None
    assert (engine.visible_devices.value, engine.chooses_devices) == (2, True)
    assert not engine.arguments_known  # "$@" may be any


def test_what_a_caller_decides_is_unknown() -> None:
    container = only('vllm serve "$MODEL" -tp $TP --max-model-len $(cat length)\n')
    assert settings(container) == {"model": None, "tensor_parallel": None, "max_model_len": None}


def test_each_launch_of_a_script_is_one_engine() -> None:
    (workload,) = read("vllm serve a/b --port 1 &\npython -m sglang.launch_server --model-path c/d --tp 2\n")
    assert [(engine.name, engine.sole) for engine in workload.engines] == [("vllm", False), ("sglang", False)]


@pytest.mark.parametrize(
    "text", ["vllm serve --help\n", "echo vllm serve a/b\n", "# vllm serve a/b\n", "pip install vllm\n"]
)
def test_what_launches_nothing(text: str) -> None:
    assert not read(text)


def test_the_first_line_names_the_shell() -> None:
    assert [str(w.ref) for w in read("#!/usr/bin/env bash\nvllm serve a/b\n", "start")] == ["shell script start"]
    assert [str(w.ref) for w in read("#!/usr/bin/python3\nimport vllm\nvllm.LLM('a/b')\n", "start")] == [
        "Python launcher start"
    ]


# -- docker run


def test_docker_run() -> None:
    (workload,) = read(
        """IMAGE=vllm/vllm-openai:v0.8.5
sudo docker run -itd --rm --gpus '"device=0,1"' --shm-size=1g -e HF_TOKEN -eTP=4 --name llm \\
    -p 8000:8000 -v ~/.cache:/root/.cache $IMAGE --model org/model-7b --tensor-parallel-size 4
"""
    )
    assert (str(workload.ref), workload.complete) == ("docker run llm", True)
    (container,) = workload.containers
    assert container.image is not None
    assert container.image.value == "vllm/vllm-openai:v0.8.5"
    assert [(gpu.resource, gpu.count, gpu.place.text()) for gpu in container.gpus] == [
        ("GPU devices", 2, "'\"device=0,1\"'")
    ]
    assert container.shared_memory is not None
    assert (container.shared_memory.size_mib, container.shared_memory.place.text()) == (1024, "1g")
    assert {name: variable.value for name, variable in container.env.items()} == {"HF_TOKEN": None, "TP": "4"}
    assert settings(container) == {"model": "org/model-7b", "tensor_parallel": 4}
    assert container.engine is not None
    assert container.engine.version == (0, 8, 5)


@pytest.mark.parametrize(
    ("options", "count"),
    [
        ("--gpus 2", 2),
        ("--gpus=all", None),
        ("--gpus device=0", 1),
        ("--gpus device=0,capabilities=utility", 1),
        ("--gpus '\"device=0,GPU-3a23c669\",capabilities=gpu'", 2),
        ("--gpus count=3", 3),
        ("--gpus '\"device=MIG-1\"'", None),
        ("--gpus $GPUS", None),
        ("--runtime nvidia -e NVIDIA_VISIBLE_DEVICES=0,1", 2),
        ("--runtime=nvidia", None),
        ("--device nvidia.com/gpu=0 --device nvidia.com/gpu=1", 2),
        ("--device nvidia.com/gpu=all", None),
        ("--device=/dev/kfd --device=/dev/dri", None),
    ],
)
def test_devices(options: str, count: int | None) -> None:
    (request,) = only(f"docker run {options} --ipc host vllm/vllm-openai:v0.9.0 --model a/b\n").gpus
    assert request.count == count


@pytest.mark.parametrize(
    ("command", "model"),
    [
        ("podman run --gpus 1 vllm/vllm-openai --model a/b", "a/b"),
        ("docker container run --gpus 1 lmsysorg/sglang:v0.5 python3 -m sglang.launch_server --model-path a/b", "a/b"),
        ("docker run --gpus 1 --entrypoint vllm x/y:1 serve a/b", "a/b"),
        ("docker run --gpus 1 x/y:1 bash -c 'pip install z && vllm serve a/b'", "a/b"),
        ("docker run --gpus 1 $OPTIONS vllm/vllm-openai:v0.9.0 --model a/b", "a/b"),
        ("docker run --gpus 1 $MORE_ARGS vllm/vllm-openai --model a/b", "a/b"),
        ("docker exec -it -e X=1 llm vllm serve a/b", "a/b"),
        ("docker run --gpus 1 nvidia/cuda nvidia-smi --model a/b", None),
    ],
)
def test_what_a_container_runs(command: str, model: str | None) -> None:
    engine = only(command + "\n").engine
    assert (engine.model.value if engine is not None and engine.model is not None else None) == model


def test_a_container_without_gpus_and_engine_is_nobodys_concern() -> None:
    assert not read("docker run -p 80:80 nginx\ndocker run --name vllm redis\ndocker run --gpus\n")


def test_rules_run_on_a_container_of_a_script() -> None:
    loaded = load_texts({"run.sh": "docker run --gpus 2 --ipc=host vllm/vllm-openai:v0.9.0 --model a/b -tp 4\n"})
    assert rules(loaded) == [("parallel-size-exceeds-gpus", "-tp 4")]


# -- here-documents

MANIFEST = """TP=4
REPLICAS=2
kubectl apply -f - <<EOF
apiVersion: apps/v1
kind: Deployment
metadata: {name: chat, namespace: "${NAMESPACE}"}
spec:
  replicas: $REPLICAS
  selector: {matchLabels: {app: chat}}
  template:
    metadata: {labels: {app: chat}}
    spec:
      containers:
        - name: vllm  # é
          image: vllm/vllm-openai:v0.11.0
          args: [--model=a/b, --tensor-parallel-size=${TP}, "--served-model-name=\\$x"]
          resources: {limits: {nvidia.com/gpu: 1}}
          readinessProbe: {httpGet: {path: /health, port: 8000}}
          volumeMounts: [{name: shm, mountPath: /dev/shm}]
      volumes: [{name: shm, emptyDir: {medium: Memory}}]
EOF
"""


def test_a_manifest_in_a_here_document() -> None:
    loaded = load_texts({"deploy.sh": MANIFEST})
    (workload,) = loaded.project.workloads
    assert (workload.ref.kind, workload.ref.name, workload.complete) == ("Deployment", "chat", True)
    assert workload.replicas is not None
    assert (workload.replicas.value, workload.replicas.place.line) == (2, 8)
    assert settings(workload.containers[0]) == {"model": "a/b", "tensor_parallel": 4}
    assert rules(loaded) == [("parallel-size-exceeds-gpus", "--tensor-parallel-size=${TP}")]


def test_a_quoted_delimiter_keeps_the_text() -> None:
    text = MANIFEST.replace("<<EOF", "<<'EOF'").replace(", --tensor-parallel-size=${TP}", "").replace("\\$x", "x")
    (workload,) = read(text, "deploy.sh")
    assert (workload.replicas, workload.ref.namespace) == (None, "${NAMESPACE}")


def test_documents_of_a_here_document_are_read_apart() -> None:
    body = MANIFEST.partition("<<EOF\n")[2].replace("EOF\n", "")
    two = f"cat > all.yaml <<EOF\n{body}---\n{body.replace('name: chat', 'name: other')}EOF\n"
    assert [workload.ref.name for workload in read(two)] == ["chat", "other"]


def test_a_script_in_a_here_document_is_run() -> None:
    container = only("N=2\ncat > run.sh <<EOF\n#!/bin/sh\nvllm serve a/b -tp $N\nEOF\nsbatch run.sh\n")
    assert settings(container) == {"model": "a/b", "tensor_parallel": 2}
    assert container.engine is not None
    assert container.engine.place.line == 4
    assert settings(only("ssh gpu1 <<'X'\nvllm serve a/b\nX\n")) == {"model": "a/b"}
    assert not read("cat <<EOF\nusage: run this\nvllm serve a/b\nEOF\n")


def heredocs(text: str) -> list[Heredoc]:
    return commands_and_heredocs(text, {})[1]


def test_tabs_before_a_here_document() -> None:
    (found,) = heredocs("cat <<-EOF >out\n\t\ta: $(date)\n\t\tb: `date`\n\tEOF\n")
    assert [piece.text for piece in found.pieces] == ["a: ", None, "\n", "b: `date`\n"]
    assert found.target == "out"


# -- Dockerfiles


def test_a_dockerfile() -> None:
    (workload,) = read(
        """# syntax=docker/dockerfile:1
ARG VERSION=v0.9.0
FROM --platform=linux/amd64 vllm/vllm-openai:${VERSION} AS base
ENV MODEL=org/model-7b \\
    # the number of GPUs
    TP=4
FROM base
RUN <<EOF
CMD ["wrong"]
EOF
CMD ["--model", "org/model-7b", \\
     "--tensor-parallel-size", "4"]
""",
        "docker/Dockerfile.gpu",
    )
    assert (str(workload.ref), workload.complete) == ("Dockerfile Dockerfile.gpu", False)
    (container,) = workload.containers
    assert container.image is not None
    assert (container.image.value, container.image.place.line) == ("vllm/vllm-openai:v0.9.0", 3)
    assert {name: variable.value for name, variable in container.env.items()} == {"MODEL": "org/model-7b", "TP": "4"}
    assert settings(container) == {"model": "org/model-7b", "tensor_parallel": 4}
    engine = container.engine
    assert engine is not None
    assert engine.version == (0, 9, 0)
    assert engine.tensor_parallel is not None
    assert engine.tensor_parallel.place is not None
    assert engine.tensor_parallel.place.line == 12


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ('ENTRYPOINT ["vllm", "serve"]\nCMD ["a/b", "-tp", "2"]', {"model": "a/b", "tensor_parallel": 2}),
        ("ENV TP=2\nCMD vllm serve a/b \\\n  # GPUs\n  -tp $TP", {"model": "a/b", "tensor_parallel": 2}),
        ("ENV TP 2\nENTRYPOINT exec vllm serve a/b -tp ${TP:-1}", {"model": "a/b", "tensor_parallel": 2}),
        ("CMD vllm serve a/b -tp ${TP:-2}", {"model": "a/b", "tensor_parallel": None}),  # the base may set it
        ("ARG TP=2\nENV N=$TP M=$N\nCMD vllm serve a/b -tp $N", {"model": "a/b", "tensor_parallel": 2}),
        ('CMD ["vllm", "serve", "a\\"b"]', {"model": 'a"b'}),
        ("CMD ['vllm', 'serve', 'a/b']", None),  # no JSON: a shell gets it
        ('SHELL ["/bin/bash", "-c"]\nCMD vllm serve a/b', {"model": "a/b"}),
        ("COPY <<'X' /run.sh\n#!/bin/sh\nvllm serve a/b \"$@\"\nX\nENTRYPOINT [\"/run.sh\", \"-tp=2\"]",
         {"model": "a/b", "tensor_parallel": 2}),
        ('HEALTHCHECK CMD curl x\nCMD ["bash", "-c", "vllm serve a/b"]', {"model": "a/b"}),
        ('CMD ["python", "-m", "http.server"]', None),
    ],
)  # fmt: skip
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_instructions(body: str, found: dict[str, object] | None, ending: str) -> None:
    workloads = read(f"# vllm\nFROM org/base\n{body}\n".replace("\n", ending), "Dockerfile")
    assert [settings(container) for workload in workloads for container in workload.containers] == (
        [found] if found is not None else []
    )


def test_stages_that_start_something_are_read() -> None:
    text = 'FROM a AS one\nCMD ["vllm", "serve", "a/b"]\nFROM one AS two\nENTRYPOINT ["vllm", "serve", "c/d"]\nFROM b\n'
    assert [settings(w.containers[0])["model"] for w in read(text, "app.dockerfile")] == ["a/b", "c/d"]


def test_another_escape_character() -> None:
    text = "# escape=`\nFROM a\nCMD vllm serve a/b `\n  -tp 2\n"
    assert settings(only(text, "Containerfile")) == {"model": "a/b", "tensor_parallel": 2}


@given(st.text(st.sampled_from("FROM CMDENV\n\\`#[]\"'$={}<-a/é\r")))
def test_any_dockerfile_can_be_read(text: str) -> None:
    source = Source("Dockerfile", text)
    for instruction in instructions(source):
        for piece in instruction.text.pieces:
            assert source.text[piece.start : piece.end] == piece.text
        for value, start, end in instruction.words() or ():
            assert value in (text[start:end].strip('"'), value)
            assert 0 <= start <= end <= len(text)
    load_texts({"Dockerfile": f"FROM vllm/vllm-openai\n{text}"})


# -- units of systemd


def test_a_unit() -> None:
    (workload,) = read(
        """[Unit]
Description=vllm serve x/y
[Service]
Environment="CUDA_VISIBLE_DEVICES=0,1" MODEL=org/model-7b
Environment="EXTRA=--max-model-len 4096"
ExecStartPre=/usr/bin/vllm serve before/hand
ExecStart=-/opt/venv/bin/vllm serve ${MODEL} \\
  # how many GPUs
  --tensor-parallel-size 2 $EXTRA --port %i
""",
        "vllm@.service",
    )
    assert (str(workload.ref), workload.complete) == ("systemd unit vllm@.service", False)
    (container,) = workload.containers
    assert settings(container) == {"model": "org/model-7b", "tensor_parallel": 2, "max_model_len": 4096}
    engine = container.engine
    assert engine is not None
    assert (engine.place.line, engine.place.text()) == (7, "/opt/venv/bin/vllm serve")
    assert engine.chooses_devices


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ("ExecStart=/bin/sh -c 'vllm serve a/b -tp $${TP:-2}'", {"model": "a/b", "tensor_parallel": 2}),
        ("EnvironmentFile=/etc/x\nEnvironment=TP=2\nExecStart=vllm serve a/b -tp ${TP}",
         {"model": "a/b", "tensor_parallel": None}),
        ("Environment=A=1\nEnvironment=\nExecStart=vllm serve a/b -tp ${A}", {"model": "a/b", "tensor_parallel": None}),
        ("ExecStart=vllm serve wrong/one\nExecStart=\nExecStart=vllm serve a/b", {"model": "a/b"}),
        ('ExecStart=vllm serve --model="a b" "-tp=\\x32"', None),
        ("ExecStart=/usr/bin/docker run --gpus 1 vllm/vllm-openai --model a%%b", {"model": "a%b"}),
        ("ExecStart=/usr/bin/other vllm", None),
    ],
)  # fmt: skip
def test_command_lines_of_units(body: str, found: dict[str, object] | None) -> None:
    workloads = read(f"[Service]\n{body}\n", "llm.service")
    if found is not None:
        assert [settings(workload.containers[0]) for workload in workloads] == [found]
    elif "serve" in body:
        assert settings(workloads[0].containers[0])["model"] == "a b"
    else:
        assert not workloads


@given(st.text(st.sampled_from("ab =\\\"'$%{}\n[];#x")))
def test_any_unit_can_be_read(text: str) -> None:
    source = Source("x.service", text)
    for setting in systemd.settings(source):
        for word in systemd.words(setting.value):
            assert 0 <= word.start <= word.end <= len(text)
            for filled in systemd.filled(word, {"a": "b c"}):
                assert (filled.start, filled.end) == (word.start, word.end)
    load_texts({"x.service": f"[Service]\nExecStart=vllm serve {text}"})


# -- which files are read, and at what cost


def test_what_is_read_is_what_is_found(tmp_path: Path) -> None:
    """Each name that a reader claims is found by the walk, and the other way round."""
    names = ["a.sh", "a.bash", "a.ksh", "a.zsh", "a.py", "a.service", "Dockerfile", "Dockerfile.gpu", "x.dockerfile",
             "Containerfile", "x.Dockerfile"]  # fmt: skip
    for name in [*names, "a.txt", "a.rs", "Makefile"]:
        (tmp_path / name).write_text("")
    found = {Path(path).name for path in discover([str(tmp_path)], []).scope}
    assert found == set(names)
    assert all(readers.text_reader(name, "") is not None for name in names)


def test_the_hook_passes_these_files() -> None:
    hook = (Path(__file__).resolve().parent.parent / ".pre-commit-hooks.yaml").read_text()
    types = re.findall(r"[\w-]+", re.findall(r"types_or: \[(.*)\]", hook)[0])
    assert {"yaml", "json", "shell", "python", "dockerfile"} == set(types)


def test_other_programs_cost_no_grammar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "build.sh").write_text("#!/bin/sh\ncd src && make\n")
    (tmp_path / "app.py").write_text("import subprocess\nsubprocess.run(['ls'])\n" * 100)
    (tmp_path / "model.py").write_text("from vllm import SamplingParams  # no engine\n")
    (tmp_path / "test_it.py").write_text("from vllm import LLM\nLLM('a/b')\n")
    (tmp_path / "Dockerfile").write_text('FROM python\nCMD ["app"]\n')
    for module in ("tree_sitter_bash", "libcst", "gpulint.source.python"):
        monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.setattr("gpulint.source.shell._parser", None)
    loaded = load(discover([str(tmp_path)], []))
    assert not loaded.problems
    assert not loaded.project.workloads


def test_a_file_that_is_not_text_or_no_script_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_bytes(b"# -*- coding: latin-1 -*-\nx = '\xe9'\n")
    (tmp_path / "b.py").write_text("from vllm import LLM\nLLM(\n")
    (tmp_path / "c.sh").write_text("vllm serve ((( ;; 'a\n")
    loaded = load(discover([str(tmp_path)], []))
    assert not loaded.problems
