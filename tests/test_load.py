"""Files to project: nothing that cannot be read stops the rest, and the answer depends on nothing but the files."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from gpulint import load as load_module
from gpulint import readers
from gpulint.discovery import discover
from gpulint.load import STDIN, Loaded, load, load_texts, shown_path
from gpulint.source import yaml as source_yaml

HPA = """\
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: %s}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: server}
  minReplicas: 1
  maxReplicas: 4
  metrics:
    - type: Resource
      resource: {name: cpu, target: {type: Utilization, averageUtilization: 70}}
"""
DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: server}
spec:
  replicas: %s
  template:
    spec:
      containers:
        - name: vllm
          image: vllm/vllm-openai:v0.11.0
          args: [--model, meta-llama/Llama-3.1-8B-Instruct]
          resources: {limits: {nvidia.com/gpu: 1}}
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / ".git").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def read(project: Path, files: Mapping[str, str | bytes], *paths: str) -> Loaded:
    for name, content in files.items():
        path = project / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return load(discover(list(paths) or ["."], []))


def problems(loaded: Loaded) -> list[tuple[str, int | None, str]]:
    return [(problem.path, problem.line, problem.reason) for problem in loaded.problems]


def scalers(loaded: Loaded) -> list[str | None]:
    return [scaler.ref.name for scaler in loaded.project.autoscalers]


def test_one_bad_file_does_not_cost_the_others_their_check(project: Path) -> None:
    loaded = read(
        project,
        {
            "a.yaml": HPA % "a",
            "b.yaml": HPA % "b" + "---\n" + HPA % "[" + "---\n" + HPA % "{{ .Values.c }}" + "---\n" + HPA % "d",
            "c.yaml": (HPA % "c").encode() + b"# \xff",
            "d.yaml": HPA % "x" + "<<<<<<< HEAD\n" + HPA % "y",
            "e.yaml": HPA % "e",
        },
    )
    assert scalers(loaded) == ["a", "b", "d", "e"]
    assert problems(loaded) == [
        ("b.yaml", 14, "not valid YAML: a value is missing before this, or a bracket or brace is not closed"),
        ("c.yaml", 11, "not valid UTF-8: invalid start byte at byte 304"),
        ("d.yaml", 11, "a merge conflict marker (<<<<<<< HEAD) was left in the file"),
    ]
    assert [(template.path, template.line, template.language) for template in loaded.templates] == [
        ("b.yaml", 25, "Helm")
    ]
    assert loaded.scope == {"a.yaml", "b.yaml", "c.yaml", "d.yaml", "e.yaml"}


def test_files_that_say_nothing_about_gpus_are_nobodys_concern(project: Path) -> None:
    loaded = read(project, {"a.yaml": "broken: [\n", "b.json": b"\xff\xfe\x00", "c.yaml": b"\0\0\0"})
    assert problems(loaded) == []
    named = read(project, {}, "b.json", "c.yaml")
    assert [(path, reason) for path, _, reason in problems(named)] == [
        ("b.json", "not valid UTF-16-LE: truncated data at byte 2"),
        ("c.yaml", "a binary file, not text"),
    ]


def test_problems_of_the_context_are_not_reported(project: Path) -> None:
    files = {"a.yaml": HPA % "a", "b.yaml": HPA % "[", "c.yaml": HPA % "{{ .x }}", "d.yaml": DEPLOYMENT % 1}
    loaded = read(project, files, "a.yaml")
    assert problems(loaded) == []
    assert loaded.templates == []
    assert loaded.scope == {"a.yaml"}
    assert [workload.ref.name for workload in loaded.project.workloads] == ["server"]
    assert loaded.project.autoscalers[0].workload is loaded.project.workloads[0]


def test_byte_order_marks_and_line_endings_change_nothing_but_offsets(project: Path) -> None:
    text = DEPLOYMENT % 2
    loaded = read(
        project,
        {
            "a.yaml": text,
            "b.yaml": b"\xef\xbb\xbf" + text.encode(),
            "c.yaml": text.replace("\n", "\r\n"),
            "d.yaml": text.encode("utf-16"),
            "e.yaml": text.replace("\n", "\r"),
        },
    )
    assert problems(loaded) == []
    regions = {workload.replicas.place.region() for workload in loaded.project.workloads if workload.replicas}
    assert len(loaded.project.workloads) == 5
    assert regions == {(5, 13, 5, 14)}


@pytest.mark.parametrize(
    "count", ["1e400", "9" * 10_000, "-1", "0x10", "~", "'4'", "{}", "[1]", "${N}", "<N>", "1.5", "true"]
)
def test_any_count_is_read_without_a_fault(count: str) -> None:
    loaded = load_texts({"a.yaml": DEPLOYMENT % count + "---\n" + (HPA % "x").replace("4", count)})
    assert problems(loaded) == []
    assert len(loaded.project.workloads) == 1


@pytest.mark.parametrize(
    "bomb",
    [
        "x: &x [*x]\n",
        "x: &x {<<: *x, kind: Deployment, apiVersion: apps/v1}\n",
        "a0: &a0 {k: v}\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 40)),
        "a0: &a0 {k: v}\n" + "".join(f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 9)}]}}\n" for n in range(1, 40)),
        "metadata: &m {labels: *m}\n",
        "spec: &s {template: {spec: *s}, containers: [*s]}\n",
        "spec: &s {template: *s, spec: *s, containers: &c [*s, *c], limits: *s, args: *c, command: *c, env: *c}\n",
    ],
    ids=range(7),
)
def test_bombs_and_cycles_in_an_object_are_read_without_a_fault(bomb: str) -> None:
    texts = {"a.yaml": "apiVersion: apps/v1\nkind: Deployment\n" + bomb + "nvidia.com/gpu: 1\n", "b.yaml": HPA % "b"}
    loaded = load_texts(texts)
    assert problems(loaded) == []
    assert scalers(loaded) == ["b"]


def test_a_list_that_holds_itself_ends() -> None:
    loaded = load_texts(
        {"a.yaml": "apiVersion: v1\nkind: List\nitems: &i\n  - " + (HPA % "a").replace("\n", "\n    ") + "\n"}
    )
    assert scalers(loaded) == ["a"]


def test_a_file_that_vanishes_is_a_problem(project: Path) -> None:
    (project / "a.yaml").write_text(HPA % "a")
    (project / "b.yaml").write_text(HPA % "b")
    files = discover(["."], [])
    (project / "a.yaml").unlink()
    loaded = load(files)
    assert problems(loaded) == [("a.yaml", None, "no such file or directory")]
    assert scalers(loaded) == ["b"]


def test_a_file_that_became_a_folder_or_too_large_is_a_problem(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (project / "a.yaml").write_text(HPA % "a")
    (project / "b.yaml").write_text("# " + "x" * 2000)
    files = discover(["."], [])
    (project / "a.yaml").unlink()
    (project / "a.yaml").mkdir()
    monkeypatch.setattr(load_module, "_LARGEST_FILE_BYTES", 1024)
    assert problems(load(files)) == [
        ("a.yaml", None, "is a directory"),
        ("b.yaml", None, "larger than 1 KiB, which no manifest is"),
    ]


def test_a_file_that_became_a_pipe_is_not_waited_for(project: Path) -> None:
    (project / "a.yaml").write_text(HPA % "a")
    files = discover(["."], [])
    (project / "a.yaml").unlink()
    os.mkfifo("a.yaml")
    assert problems(load(files)) == [("a.yaml", None, "not a regular file")]


@pytest.mark.usefixtures("project")
def test_standard_input_is_a_file_of_the_scope() -> None:
    files = discover([], [])
    loaded = load(files, (HPA % "a" + "---\n" + HPA % "[").encode())
    assert loaded.scope == {STDIN}
    assert scalers(loaded) == ["a"]
    assert [(path, line) for path, line, _ in problems(loaded)] == [(STDIN, 14)]


def test_documents_that_cannot_matter_are_not_parsed(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    composed: list[str] = []
    compose = source_yaml._compose

    def spy(text: str) -> list[Any]:
        composed.append(text)
        return compose(text)

    monkeypatch.setattr(source_yaml, "_compose", spy)
    service = "apiVersion: v1\nkind: Service\nmetadata: {name: x}\n"
    loaded = read(project, {"a.yaml": service + "---\n" + HPA % "a" + "---\n" + service, "b.yaml": service})
    assert scalers(loaded) == ["a"]
    assert composed == ["---\n" + HPA % "a"]


def test_a_fault_of_a_reader_is_one_problem(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read_document = readers.read

    def failing(document: source_yaml.Document, into: object) -> None:
        if "bad" in document.text:
            raise KeyError("kind")
        read_document(document, into)  # type: ignore[arg-type]

    monkeypatch.setattr(readers, "read", failing)
    loaded = read(project, {"a.yaml": HPA % "a" + "---\n" + HPA % "bad", "b.yaml": HPA % "b"})
    assert scalers(loaded) == ["a", "b"]
    ((path, line, reason),) = problems(loaded)
    assert (path, line) == ("a.yaml", 11)
    assert reason.startswith("internal error, please report it: KeyError: 'kind' at test_load.py:")


def test_cycle_collection_is_as_it_was(project: Path) -> None:
    assert gc.isenabled()
    read(project, {"a.yaml": HPA % "["})
    assert gc.isenabled()


def test_paths_are_shown_from_the_current_folder_with_slashes(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (project / "x").mkdir()
    assert shown_path(str(project / "a" / "b.yaml")) == "a/b.yaml"
    monkeypatch.chdir(project / "x")
    assert shown_path(str(project / "a.yaml")) == "../a.yaml"


def test_kustomizations_are_read_only_when_asked_for(project: Path) -> None:
    loaded = read(
        project,
        {
            "base/kustomization.yaml": "resources: [a.yaml, ../x, https://example.com/x]\n"
            "patches: [{path: p.yaml}, {patch: '-'}]\n",
            "bad/kustomization.yaml": "resources: [\n",
            "worse/Kustomization": b"\xff",
            "base/a.yaml": HPA % "a",
        },
    )
    assert loaded.project.kustomizations() == {"base": ["a.yaml", "../x", "p.yaml"], "bad": [], "worse": []}
    assert problems(loaded) == []


def test_the_report_depends_on_the_files_alone(project: Path) -> None:
    files: dict[str, str] = {}
    for number in range(12):
        folder = f"f{number % 3}/{number}"
        broken = "[" if number == 5 else f"h{number}"
        files[f"{folder}/hpa.yaml"] = HPA % broken
        files[f"{folder}/server.yaml"] = DEPLOYMENT % number + "  replicas: 3\n"
        files[f"{folder}/kustomization.yaml"] = "resources: [hpa.yaml, server.yaml]\n"
    read(project, dict(sorted(files.items(), reverse=True)))
    outputs = set()
    for seed, paths in (("0", ["."]), ("1", ["f2", "f1", "f0"]), ("2", ["f0", "f2", "f1", "f0/0"])):
        done = subprocess.run(
            [sys.executable, "-c", DETERMINISM, *paths],
            capture_output=True,
            check=True,
            timeout=60,
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        outputs.add(done.stdout)
    assert len(outputs) == 1
    assert b"server.yaml" in outputs.pop()


# What was read and joined, without the rules.
DETERMINISM = """
import json, sys
from gpulint.discovery import discover
from gpulint.load import load
from gpulint.model.view import inspection
loaded = load(discover(sys.argv[1:], []))
print(json.dumps(inspection(loaded.project, loaded.scope), indent=1))
print([(d.key, d.place.region(), d.first.region()) for d in loaded.project.duplicate_keys])
print([(p.path, p.line, p.reason) for p in loaded.problems], sorted(loaded.scope))
"""
