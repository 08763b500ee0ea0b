"""Comments and annotations that ignore findings: where they are comments, what they speak of, what they may not hide."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from gpulint import readers, suppress
from gpulint.cli import main
from gpulint.lint import Checked, examine, selected_rules
from gpulint.load import load_texts
from gpulint.source.comments import comments
from gpulint.source.text import Source

CPU, UNUSED, INVALID = "cpu-autoscaling", "unused-ignore", "invalid-ignore"
DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: chat}
spec:
  selector: {matchLabels: {app: chat}}
  template:
    metadata: {labels: {app: chat}}
    spec:
      containers:
        - name: vllm
          image: vllm/vllm-openai:v0.11.0
          args: [--model=Qwen/Qwen3-8B]
          resources: {limits: {nvidia.com/gpu: 1}}
"""
HPA = """\
HEAD
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: chat}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: chat}
  maxReplicas: 8
  metrics:
    - type: Resource
      BEFORE
      resource: &r
        ABOVE
        name: cpu END
        target: {type: Utilization, averageUtilization: 70} BELOW
"""
TOO_PARALLEL = "parallel-size-exceeds-gpus"


def hpa(**parts: str) -> str:
    text = HPA
    for name in ("HEAD", "BEFORE", "ABOVE", "END", "BELOW"):
        text = text.replace(name, parts.get(name.lower(), "# plain" if name in ("HEAD", "BEFORE", "ABOVE") else ""))
    return text


def examined(files: dict[str, str], *rules: str) -> Checked:
    checked = examine(load_texts(files), selected_rules([*(rules or (CPU,)), UNUSED, INVALID], []))
    assert not checked.problems
    return checked


def found(files: dict[str, str], *rules: str) -> list[tuple[str, int]]:
    return [(f.rule, f.place.line) for f in examined(files, *rules).findings]


@pytest.mark.parametrize(
    "parts",
    [
        {"end": f"# gpulint: ignore[{CPU}]"},
        {"end": f"# gpulint: ignore[{CPU}] the tokenizer is the bottleneck"},
        {"end": f"#gpulint:ignore[ {CPU} ]"},
        {"end": f"# noqa # gpulint: ignore[{CPU}]"},
        {"above": f"# gpulint: ignore[{CPU}]"},
        {"above": f"# gpulint: ignore[{CPU}]\n        # and another comment"},
        {"head": f"# gpulint: ignore-file[{CPU}]"},
        {"head": f"# licence\n\n# gpulint: ignore-file[{CPU}] all of it\n---"},
    ],
)
def test_silenced(parts: dict[str, str]) -> None:
    checked = examined({"d.yaml": DEPLOYMENT, "h.yaml": hpa(**parts)})
    assert [f.rule for f in checked.findings] == []
    assert [f.rule for f in checked.ignored] == [CPU]


@pytest.mark.parametrize(
    ("parts", "also"),
    [
        ({"before": f"# gpulint: ignore[{CPU}]"}, UNUSED),  # the key whose block holds it is another line
        ({"below": f"# gpulint: ignore[{CPU}]"}, UNUSED),
        ({"above": f"# gpulint: ignore[{CPU}]\n\n"}, UNUSED),  # not directly above
        ({"end": "# gpulint: ignore"}, INVALID),
        ({"end": "# gpulint: ignore[]"}, INVALID),
        ({"end": f"# gpulint: ignore[{CPU}"}, INVALID),
        ({"end": "# gpulint: ignore[autoscaling]"}, INVALID),
        ({"end": "# gpulint: ignore[cpu]"}, INVALID),
        ({"end": f"# gpulint: disable={CPU}"}, INVALID),
        ({"above": f"# gpulint: ignore-file[{CPU}]"}, INVALID),
        ({"end": "# gpulint: good"}, None),
        ({"end": f"# gpu lint: ignore[{CPU}]"}, None),
        ({"end": f"# see gpulint: ignore[{CPU}]"}, None),
        ({"end": f"\n        about: 'x # gpulint: ignore[{CPU}]'"}, None),
        ({"end": f"\n        about: x#gpulint:ignore[{CPU}]"}, None),
    ],
)
def test_not_silenced(parts: dict[str, str], also: str | None) -> None:
    rules = [rule for rule, _ in found({"d.yaml": DEPLOYMENT, "h.yaml": hpa(**parts)})]
    assert sorted(rules) == sorted([CPU, *([also] if also else [])])


def test_one_of_several_names() -> None:
    text = hpa(end=f"# gpulint: ignore[gpu-memory-autoscaling, {CPU},nope]")
    checked = examined({"d.yaml": DEPLOYMENT, "h.yaml": text}, CPU, "gpu-memory-autoscaling")
    assert [(f.rule, f.place.text()) for f in checked.findings] == [
        (UNUSED, "gpu-memory-autoscaling"),
        (INVALID, "nope"),
    ]


def test_a_rule_that_did_not_run_is_not_called_unused() -> None:
    text = hpa(end=f"# gpulint: ignore[gpu-memory-autoscaling, {CPU}]")
    assert not found({"d.yaml": DEPLOYMENT, "h.yaml": text})


def test_an_ignore_may_be_kept() -> None:
    text = hpa(before=f"# gpulint: ignore[{CPU}, {UNUSED}]")
    assert [rule for rule, _ in found({"d.yaml": DEPLOYMENT, "h.yaml": text})] == [CPU]


def test_a_file_that_cannot_be_read_has_no_unused_ignores() -> None:
    text = hpa(before=f"# gpulint: ignore[{CPU}]") + "---\nkind: HorizontalPodAutoscaler\nspec: [\n"
    loaded = load_texts({"d.yaml": DEPLOYMENT, "h.yaml": text})
    assert loaded.problems
    assert [f.rule for f in examine(loaded, [CPU, UNUSED]).findings] == [CPU]


def test_an_ignored_finding_counts_in_the_fingerprints_of_its_likes() -> None:
    script = "apiVersion: v1\nkind: Pod\nmetadata: {name: x}\nspec:\n  containers:\n  - {name: a, a: 1,\n    a: 2,COMMENT\n    a: 3}\n"
    plain = script.replace("COMMENT", "").replace("kind: Pod", "kind: Pod # vllm nvidia.com/gpu")
    ignored = plain.replace("a: 2,", "a: 2, # gpulint: ignore[duplicate-key]")
    before = examined({"p.yaml": plain}, "duplicate-key").findings
    after = examined({"p.yaml": ignored}, "duplicate-key")
    assert len(before) == 2
    assert [f.fingerprint for f in [*after.ignored, *after.findings]] == [f.fingerprint for f in before]


def test_nothing_is_called_unused_in_a_template() -> None:
    for text, unused in [("a: {{ .Values.a }}", 0), ('a: "{{ $labels.pod }}"', 1)]:
        ignores = suppress.ignores_of(Source("a.yaml", f"# gpulint: ignore[{CPU}]\n{text}\n"))
        suppress.judge(ignores, {CPU}, set())
        assert len(ignores[0].unused) == unused


def test_the_readers_whose_languages_are_told_apart_exist() -> None:
    modules = {reader.__name__.rpartition(".")[2] for reader in readers.readers() if hasattr(reader, "read_text")}
    assert set(suppress._LANGUAGES) <= modules


# -- annotations


def annotated(text: str, names: str, at: str = "metadata: {name: chat") -> str:
    return text.replace(at, f'{at}, annotations: {{gpulint.dev/ignore: "{names}"}}', 1)


def test_annotation_of_the_object() -> None:
    assert not found({"d.yaml": DEPLOYMENT, "h.yaml": annotated(hpa(), CPU)})


def test_annotation_of_another_object() -> None:
    """The finding is the autoscaler's; the same name elsewhere, or the workload that it scales, is not it."""
    files = {"d.yaml": annotated(DEPLOYMENT, CPU), "h.yaml": hpa(), "other/h.yaml": annotated(hpa(), CPU)}
    rules = found(files | {"other/d.yaml": DEPLOYMENT})
    assert rules == [(UNUSED, 3), (CPU, 13)]


def test_annotation_of_the_pod_template() -> None:
    text = DEPLOYMENT.replace("Qwen3-8B]", "Qwen3-8B, --tensor-parallel-size=2]")
    assert found({"d.yaml": text}, TOO_PARALLEL) == [(TOO_PARALLEL, 12)]
    assert not found({"d.yaml": annotated(text, TOO_PARALLEL, "metadata: {labels: {app: chat}")}, TOO_PARALLEL)


def test_annotation_with_wrong_names() -> None:
    for value, problem in [("", "names no rule"), (" , ", "names no rule"), ("all", "no rule called all")]:
        checked = examined({"d.yaml": DEPLOYMENT, "h.yaml": annotated(hpa(), value)})
        assert [f.rule for f in checked.findings] == [INVALID, CPU]
        assert problem in checked.findings[0].finding.message


def test_annotation_in_json_and_in_a_list() -> None:
    item = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "a", "annotations": {"gpulint.dev/ignore": TOO_PARALLEL}},
        "spec": {
            "containers": [
                {
                    "name": "vllm",
                    "image": "vllm/vllm-openai:v0.11.0",
                    "args": ["--model=Qwen/Qwen3-8B", "--tensor-parallel-size=2"],
                    "resources": {"limits": {"nvidia.com/gpu": 1}},
                }
            ]
        },
    }
    other = json.loads(json.dumps(item)) | {"metadata": {"name": "b"}}
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": [item, other]}, indent=1)
    (finding,) = examined({"list.json": text}, TOO_PARALLEL).findings
    assert finding.ref is not None
    assert finding.ref.name == "b"


OVERLAY_BASE = DEPLOYMENT.replace("Qwen3-8B]", "Qwen3-8B, --tensor-parallel-size=2]")


def overlaid(patch: str) -> dict[str, str]:
    return {
        "base/kustomization.yaml": "resources: [d.yaml]\n",
        "base/d.yaml": OVERLAY_BASE,
        "prod/kustomization.yaml": "resources: [../base]\npatches: [{path: p.yaml}]\n",
        "prod/p.yaml": patch,
    }


def test_annotation_of_an_overlay_speaks_of_its_form_alone() -> None:
    more = "spec: {template: {spec: {containers: [{name: vllm, args: [--model=Qwen/Qwen3-8B, --tensor-parallel-size=4]}]}}}\n"
    patch = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: chat}\n" + more
    assert found(overlaid(patch), TOO_PARALLEL) == [(TOO_PARALLEL, 12), (TOO_PARALLEL, 4)]
    assert found(overlaid(annotated(patch, TOO_PARALLEL)), TOO_PARALLEL) == [(TOO_PARALLEL, 12)]


def test_annotation_of_a_base_that_is_none_of_our_business_by_itself() -> None:
    """GPUs come with the overlays: each form is silenced by what the base says."""
    base = OVERLAY_BASE.replace("          resources: {limits: {nvidia.com/gpu: 1}}\n", "").replace("vllm", "server")
    patch = (
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: chat}\n"
        "spec: {template: {spec: {containers: [{name: server, image: vllm/vllm-openai:v0.11.0, "
        "resources: {limits: {nvidia.com/gpu: 1}}}]}}}\n"
    )
    files = overlaid(patch) | {
        "test/kustomization.yaml": "resources: [../base]\npatches: [{path: p.yaml}]\n",
        "test/p.yaml": patch.replace("gpu: 1", "gpu: 1, memory: 1Gi"),
    }
    files["base/d.yaml"] = base
    assert TOO_PARALLEL in [rule for rule, _ in found(files, TOO_PARALLEL)]
    files["base/d.yaml"] = annotated(base, TOO_PARALLEL)
    assert not found(files, TOO_PARALLEL)


def test_annotation_of_a_base_speaks_of_its_overlays() -> None:
    patch = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: chat}\nspec: {replicas: 2, paused: true}\n"
    files = overlaid(patch)
    files["base/d.yaml"] = annotated(OVERLAY_BASE, TOO_PARALLEL)
    assert not found(files, TOO_PARALLEL)


# -- languages

LAUNCH = "--tensor-parallel-size 4"
IGNORE = f"# gpulint: ignore[{TOO_PARALLEL}]"


def pod(command: str) -> str:
    text = DEPLOYMENT.replace("args: [--model=Qwen/Qwen3-8B]", f"command: [sh, -c]\n          args:\n{command}")
    return text + "---\n"


@pytest.mark.parametrize(
    "command",
    [
        f"            {IGNORE}\n            - |\n              cd /x\n              vllm serve m \\\n                {LAUNCH}\n",
        f"            - | {IGNORE}\n              vllm serve m \\\n                {LAUNCH}\n",
        f"            - |\n              {IGNORE}\n              vllm serve m \\\n                {LAUNCH}\n",
        f"            - |\n              vllm serve m {LAUNCH} {IGNORE}\n",
        f"            - |\n              vllm serve m \\\n                {LAUNCH} {IGNORE}\n",
        f'            - "vllm serve m\n               {LAUNCH}" {IGNORE}\n',
        f"            {IGNORE}\n            - >-\n              vllm serve m\n              {LAUNCH}\n",
    ],
)
def test_scripts_in_manifests(command: str) -> None:
    plain = command.replace(IGNORE, "# none" if command.lstrip().startswith("#") else "")
    assert [rule for rule, _ in found({"d.yaml": pod(plain)}, TOO_PARALLEL)] == [TOO_PARALLEL]
    checked = examined({"d.yaml": pod(command)}, TOO_PARALLEL)
    assert not checked.findings
    assert len(checked.ignored) == 1


@pytest.mark.parametrize(
    "command",
    [
        f"            - |\n              {IGNORE}\n              cd /x\n              vllm serve m {LAUNCH}\n",
        f"            - |\n              echo ' {IGNORE}'; vllm serve m {LAUNCH}\n",
        f"            - |\n              vllm serve m {LAUNCH}\n              {IGNORE}\n",
    ],
)
def test_scripts_that_are_not_silenced(command: str) -> None:
    """And nothing is said of a comment inside a value: it may be anything's text."""
    assert [rule for rule, _ in found({"d.yaml": pod(command)}, TOO_PARALLEL)] == [TOO_PARALLEL]


def test_a_comment_inside_a_value_speaks_of_nothing_outside() -> None:
    text = DEPLOYMENT.replace(
        "          args:", f"          command:\n            - |\n              {IGNORE}\n          args:"
    )
    text = text.replace("Qwen3-8B]", "Qwen3-8B, --tensor-parallel-size=2]")
    assert [rule for rule, _ in found({"d.yaml": text}, TOO_PARALLEL)] in ([TOO_PARALLEL], [])
    (ignore,) = suppress.ignores_of(Source("d.yaml", text))
    assert ignore.inside is not None
    assert ignore.lines == []


def lines_of(path: str, text: str) -> list[list[tuple[int, int]] | None]:
    return [ignore.lines for ignore in suppress.ignores_of(Source(path, text))]


@pytest.mark.parametrize(
    ("path", "text", "expected"),
    [
        ("run.sh", f"{IGNORE}\nvllm serve m \\\n  --a \\\n  --b\n", [[(2, 2), (2, 4)]]),
        ("run.sh", f"vllm serve m \\\n  --a {IGNORE}\necho\n", [[(2, 2), (1, 2)]]),
        ("run.sh", f"A=1\n\n{IGNORE}\n\nvllm serve m\n", [[]]),
        ("run.sh", f"echo '{IGNORE}' \"\n{IGNORE}\n\"\n", []),
        ("run.sh", f"echo x#{IGNORE[2:]}\n", []),
        ("run.sh", f"cat <<EOF\na: b\n{IGNORE}\nc: d\nEOF\n", [[(4, 4)]]),
        ("run.sh", f"é=1\n{IGNORE}\nvllm \\\n x\n", [[(3, 3), (3, 4)]]),
        ("big.sh", "x=" + "a" * 40_000 + f"\n{IGNORE}\nvllm serve m\n", [[(3, 3)]]),
        ("a.py", f"{IGNORE}\nllm = LLM(\n  'm',\n  tp=2,\n)\n", [[(2, 2), (2, 5)]]),
        ("a.py", f"llm = LLM(\n  'm',\n  tp=2, {IGNORE}\n)\n", [[(3, 3)]]),
        ("a.py", f"x = '{IGNORE}'\n", []),
        ("a.py", f"run('''\n{IGNORE}\nvllm serve\n''')\n", [[(3, 3)]]),
        ("a.py", f"run(f'''\n{IGNORE}\nvllm {{x}}\n''') {IGNORE}\n", [[(3, 3)], [(4, 4), (1, 4)]]),
        ("a.py", f"def f(:\n  '\n{IGNORE}\nx = 1\n", [[(4, 4)]]),
        ("Dockerfile", f"FROM x\n{IGNORE}\nCMD a \\\n  # note\n  b\n", [[(3, 3), (3, 5)]]),
        ("Dockerfile", f"FROM x\nCMD a \\\n  {IGNORE}\n  b \\\n  c\n", [[(4, 4)]]),
        ("Dockerfile", f"# escape=`\nFROM x\n{IGNORE}\nCMD a `\n  b\n", [[(4, 4), (4, 5)]]),
        ("Dockerfile", f"FROM x\nCMD a {IGNORE}\n", []),
        ("x.service", f"[Service]\n;{IGNORE[1:]}\nExecStart=a \\\n  b\n", [[(3, 3), (3, 4)]]),
        ("x.service", f"[Service]\nExecStart=a {IGNORE}\n", []),
        (".env", f"{IGNORE}\nA=1\nB=2 {IGNORE}\nC='x {IGNORE}'\n", [[(2, 2)], [(3, 3)]]),
        ("prod.env", f"A=1\r\n{IGNORE}\r\nB=2\r\n", [[(3, 3)]]),
        ("a.json", f'{{"a": 1}} {IGNORE}\n', []),
        ("a.yaml", f"a: [1, {IGNORE}\n  2]\n", [[(1, 1)]]),
        ("a.yaml", f"a:\n  b: 1\n{IGNORE}\n---\nc: 1\n", [[(4, 4)]]),
        ("a.yaml", f"a: [\n---\nb: 1 {IGNORE}\n---\n", [[(3, 3)]]),
        ("a.yaml", f"a: [ {IGNORE}\n", [[(1, 1)]]),
        (
            "t.yaml",
            f"a: {{{{ .Values.a }}}}\n{{{{/* gpulint: ignore[{TOO_PARALLEL}] */}}}}\nb: {{{{ .x }}}}\n",
            [[(3, 3)]],
        ),
        ("compose.yaml", f"services:\n  a:\n    {IGNORE}\n    command: >-\n      x\n      y\n", [[(4, 4), (4, 6)]]),
    ],
)
def test_what_a_comment_speaks_of(path: str, text: str, expected: list[list[tuple[int, int]]]) -> None:
    assert lines_of(path, text) == expected


@pytest.mark.parametrize(
    ("path", "text", "is_head"),
    [
        ("a.yaml", "# gpulint: ignore-file[x]\na: 1\n", True),
        ("a.yaml", "%YAML 1.2\n---\n# gpulint: ignore-file[x]\na: 1\n", True),
        ("a.yaml", "a: 1\n# gpulint: ignore-file[x]\n", False),
        ("a.sh", "#!/bin/sh\n\n# gpulint: ignore-file[x]\necho\n", True),
        ("a.sh", "set -e\n# gpulint: ignore-file[x]\necho\n", False),
        ("a.py", '"""Doc."""\n# gpulint: ignore-file[x]\n', False),
        ("x.service", "; note\n; gpulint: ignore-file[x]\n[Unit]\n", True),
    ],
)
def test_the_head_of_a_file(path: str, text: str, is_head: bool) -> None:
    (ignore,) = suppress.ignores_of(Source(path, text))
    assert (ignore.problem is None) == is_head


def test_shell_and_dockerfile_findings_are_silenced() -> None:
    script = "docker run --gpus 1 vllm/vllm-openai:v0.11.0 --model m \\\n  --tensor-parallel-size 4\n"
    assert [rule for rule, _ in found({"run.sh": script}, TOO_PARALLEL)] == [TOO_PARALLEL]
    assert not found({"run.sh": f"{IGNORE}\n{script}"}, TOO_PARALLEL)


@given(st.text(alphabet=st.sampled_from(" \n\r\t#'\"|>:-[]{}\\`;a<é\U0001f600"), max_size=60), st.data())
def test_any_text_is_scanned(text: str, data: st.DataObject) -> None:
    """Nothing raises, and what is found is a comment that holds the word, within the text."""
    at = data.draw(st.integers(0, len(text)))
    whole = f"{text[:at]}# gpulint: ignore[a]{text[at:]}"
    for language in ("yaml", "shell", "python", "dockerfile", "systemd", "lines", "json"):
        source = Source("x", whole)
        for comment in comments(source, language, suppress.WORD):
            assert suppress.WORD in whole[comment.start : comment.end]
            assert "\n" not in whole[comment.start : comment.end]
            assert all(1 <= first <= last <= len(source.line_starts()) for first, last in comment.lines)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("a.yaml", f"{IGNORE}\n" * 20_000),
        ("a.yaml", "a: |\n" + f"  {IGNORE}\n" * 20_000),
        ("a.yaml", "a: " + f" {IGNORE}" * 20_000),
        ("a.yaml", "{{ x }} " + "#'\"" * 20_000 + f" {IGNORE}" * 20_000),
        ("a.sh", f"{IGNORE}\n" * 20_000),
        ("a.py", "x = '''" + f"{IGNORE}\n" * 20_000 + "'''\n"),
        ("Dockerfile", "RUN x \\\n" * 20_000 + f"{IGNORE}\n"),
        ("a.yaml", "# gpulint: ignore[" + ",".join(f"n{number}" for number in range(20_000)) + "]\na: 1\n"),
    ],
)
def test_what_nobody_writes_takes_no_time(path: str, text: str) -> None:
    """What grew with the square of these took minutes: the suite would be seen to stand still."""
    assert len(suppress.ignores_of(Source(path, text))) <= 1000


# -- in a run


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / ".git").mkdir()
    (tmp_path / "deploy").mkdir()
    (tmp_path / "deploy" / "d.yaml").write_text(DEPLOYMENT)
    (tmp_path / "deploy" / "h.yaml").write_text(hpa(end=f"# gpulint: ignore[{CPU}] why"))
    (tmp_path / "idle.sh").write_text(f"# gpulint: ignore[{CPU}]\necho\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str, stdin: str | None = None) -> dict[str, object]:
    select = ["--select", f"{CPU},{UNUSED},{INVALID}"]
    result = CliRunner().invoke(main, ["check", "--format", "json", *select, *arguments], input=stdin)
    assert result.exit_code in (0, 1), result.output
    report: dict[str, object] = json.loads(result.stdout)
    return report


def rules_of(report: dict[str, object]) -> list[tuple[str, str]]:
    return [(finding["path"], finding["rule"]) for finding in report["findings"]]  # type: ignore[attr-defined]


def test_idle_ignores_are_told_of_where_the_whole_project_is_seen(repository: Path) -> None:
    assert rules_of(run()) == [("idle.sh", UNUSED)]
    assert rules_of(run("idle.sh")) == [("idle.sh", UNUSED)]
    assert rules_of(run("deploy/h.yaml")) == []
    assert rules_of(run("deploy/d.yaml")) == []
    (repository / "idle").mkdir()
    (repository / "idle.sh").rename(repository / "idle" / "idle.sh")
    assert rules_of(run("idle")) == []
    assert rules_of(run("-", stdin=hpa(end=f"# gpulint: ignore[{CPU}]"))) == []


def test_ignored_findings_are_counted_and_in_no_report(repository: Path) -> None:
    assert run("deploy/h.yaml")["summary"] == {
        "files": 1, "error": 0, "warning": 0, "info": 0, "ignored": 1, "baselined": 0, "staleBaseline": 0,
    }  # fmt: skip
    text = CliRunner().invoke(main, ["check", "--select", CPU])
    assert text.stdout == "No findings in 3 files; 1 ignored.\n"
    sarif = json.loads(CliRunner().invoke(main, ["check", "--select", CPU, "--format", "sarif"]).stdout)
    assert sarif["runs"][0]["results"] == []


def test_a_file_of_another_encoding(repository: Path) -> None:
    (repository / "deploy" / "h.yaml").write_text(hpa(end=f"# gpulint: ignore[{CPU}]"), encoding="utf-16")
    assert rules_of(run("deploy")) == []
