"""The command line as a user meets it: exit status, outputs, scope, configuration and bad input."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import jsonschema
import pytest
from click.testing import CliRunner, Result

from gpulint.cli import main
from gpulint.data import read_schema

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
          args: [--model=Qwen/Qwen3-8B]
          resources: {requests: {cpu: "4"}, limits: {nvidia.com/gpu: 1}}
          readinessProbe: {httpGet: {path: /health, port: 8000}}
"""
HPA = """\
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: chat, namespace: llm}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: chat}
  maxReplicas: 8
  metrics:
    - type: Resource
      resource:
        name: cpu
        target: {type: Utilization, averageUtilization: 70}
"""
FINDING = "cpu-autoscaling"

Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs gpulint in an empty folder without the environment of a CI system or a terminal."""
    monkeypatch.chdir(tmp_path)
    for name in ("CI", "GITHUB_ACTIONS", "NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)

    def invoke(*arguments: str, stdin: str | bytes | None = None) -> Result:
        return CliRunner().invoke(main, arguments, input=stdin)

    return invoke


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A project of two files: the autoscaler in one is wrong because of the workload in the other."""
    (tmp_path / ".git").mkdir()
    (tmp_path / "deploy").mkdir()
    (tmp_path / "deploy" / "engine.yaml").write_text(DEPLOYMENT)
    (tmp_path / "deploy" / "hpa.yaml").write_text(HPA)
    return tmp_path


def rules_found(result: Result) -> list[tuple[str, int, str]]:
    return [(f["path"], f["line"], f["rule"]) for f in json.loads(result.stdout)["findings"]]


def test_findings_give_exit_status_1(run: Run, repository: Path) -> None:
    result = run("check", "--select", FINDING)
    assert result.exit_code == 1
    assert "deploy/hpa.yaml:10:15" in result.stdout
    assert "error[cpu-autoscaling]" in result.stdout
    assert not result.stderr


def test_nothing_found_gives_exit_status_0(run: Run, tmp_path: Path) -> None:
    (tmp_path / "engine.yaml").write_text(DEPLOYMENT)
    result = run("check", "--select", FINDING)
    assert result.exit_code == 0
    assert result.stdout == "No findings in 1 file.\n"


@pytest.mark.parametrize(
    ("options", "status"),
    [
        (["--exit-zero"], 0),
        (["--fail-on", "error"], 1),
        (["--level-of", "cpu-autoscaling=warning", "--fail-on", "error"], 0),
        (["--level-of", "cpu-autoscaling=info"], 0),
        (["--level-of", "cpu-autoscaling=info", "--fail-on", "info"], 1),
        (["--ignore", "cpu-autoscaling"], 0),
        (["--ignore", "autoscaling"], 0),
        (["--select", "mig"], 0),
    ],
)
def test_exit_status(run: Run, repository: Path, options: list[str], status: int) -> None:
    assert run("check", "--ignore", "scaling", *options).exit_code == status


def test_several_formats_at_once(run: Run, repository: Path) -> None:
    formats = ("--format", "concise", "--format", "sarif=out.sarif", "--format", "json=out.json")
    result = run("check", "--select", FINDING, *formats)
    assert result.exit_code == 1
    assert result.stdout.startswith("deploy/hpa.yaml:10:15: error[cpu-autoscaling] ")
    report = json.loads((repository / "out.json").read_text())
    jsonschema.Draft202012Validator(json.loads(read_schema("report"))).validate(report)
    sarif = json.loads((repository / "out.sarif").read_text())
    location = sarif["runs"][0]["results"][0]["locations"][0]["physicalLocation"]
    assert location["artifactLocation"]["uri"] == "deploy/hpa.yaml"
    assert location["region"]["startLine"] == 10


def test_sarif_paths_are_those_of_the_repository(run: Run, repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Below the top of the repository, people read paths from where they stand; code scanning needs them from the top."""
    from_top = json.loads(run("check", "--select", FINDING, "--format", "json").stdout)
    monkeypatch.chdir(repository / "deploy")
    sarif = json.loads(run("check", "--select", FINDING, "--format", "sarif").stdout)
    result = sarif["runs"][0]["results"][0]
    assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "deploy/hpa.yaml"
    report = json.loads(run("check", "--select", FINDING, "--format", "json").stdout)
    assert report["findings"][0]["path"] == "hpa.yaml"
    assert report["findings"][0]["fingerprint"] == from_top["findings"][0]["fingerprint"]


def test_two_formats_cannot_share_stdout(run: Run, repository: Path) -> None:
    result = run("check", "--format", "json", "--format", "text")
    assert result.exit_code == 2
    assert "two formats" in result.stderr
    assert not result.stdout


def test_a_named_file_is_checked_with_its_project(run: Run, repository: Path) -> None:
    result = run("check", "--format", "json", "--select", FINDING, "deploy/hpa.yaml")
    assert rules_found(result) == [("deploy/hpa.yaml", 10, FINDING)]


def test_a_change_to_one_file_shows_what_it_breaks_in_another(run: Run, repository: Path) -> None:
    """The finding stands in the HPA, but it is the named Deployment that makes it one."""
    result = run("check", "--format", "json", "--select", FINDING, "deploy/engine.yaml")
    assert rules_found(result) == [("deploy/hpa.yaml", 10, FINDING)]


def test_files_outside_the_scope_are_not_reported(run: Run, repository: Path) -> None:
    (repository / "other.yaml").write_text("apiVersion: v1\nkind: Pod\nmetadata: {name: x}\nspec: {}\n")
    (repository / "broken.yaml").write_text("kind: HorizontalPodAutoscaler\nspec: [\n")
    result = run("check", "other.yaml")
    assert result.exit_code == 0
    assert not result.stderr


def test_stdin(run: Run) -> None:
    result = run("check", "--select", FINDING, "--format", "concise", "-", stdin=DEPLOYMENT + "---\n" + HPA)
    assert result.exit_code == 1
    assert result.stdout.startswith("<stdin>:25:15: error[cpu-autoscaling] ")


def test_configuration(run: Run, repository: Path) -> None:
    (repository / "gpulint.toml").write_text('levels = {cpu-autoscaling = "info"}\nselect = ["cpu-autoscaling"]\n')
    assert run("check").exit_code == 0
    (repository / "gpulint.toml").write_text('select = ["autoscaling"]\nexclude = ["deploy/hpa.yaml"]\n')
    assert run("check").exit_code == 0
    assert run("check", "deploy/hpa.yaml").exit_code == 0  # also where it is named, as pre-commit does
    (repository / "gpulint.toml").write_text('[per-path-ignores]\n"deploy/*" = ["autoscaling", "scaling"]\n')
    assert run("check").exit_code == 0
    (repository / "gpulint.toml").write_text('select = ["cpu-autoscaling"]\nfail-on = "error"\n')
    assert run("check").exit_code == 1


def test_configuration_in_pyproject(run: Run, repository: Path) -> None:
    (repository / "pyproject.toml").write_text('[tool.gpulint]\nignore = ["autoscaling", "scaling"]\n')
    assert run("check").exit_code == 0


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("select = 3", "select must be a list of strings"),
        ("fail-on = 'never'", "fail-on must be one of error, warning, info, not 'never'"),
        ("color = true", "unknown setting 'color'"),
        ("levels = 1", "levels must be a table"),
        ("= =", "not valid TOML"),
        ("ignore = ['cpu-autoscalin']", "no rule or family called 'cpu-autoscalin'"),
    ],
)
def test_a_broken_configuration(run: Run, repository: Path, text: str, reason: str) -> None:
    (repository / "gpulint.toml").write_text(text)
    result = run("check")
    assert result.exit_code == 2
    assert reason in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["check", "missing.yaml"], "gpulint: error: missing.yaml: no such file or folder\n"),
        (["check", "--config", "missing.toml"], "gpulint: error: missing.toml: no such file or directory\n"),
        (["check", "--format", "xml"], "gpulint: error: unknown format 'xml'"),
        (["check", "--level-of", "cpu-autoscaling"], "write NAME=LEVEL"),
        (["check", "--format", "json=no/such/folder.json"], "gpulint: error: no/such/folder.json: no such file"),
        (["check", "--select", "cpu-autoscalin"], "did you mean cpu-autoscaling"),
        (["explain", "cpu-autoscalin"], "did you mean cpu-autoscaling"),
    ],
)
def test_bad_usage(run: Run, repository: Path, arguments: list[str], reason: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert reason in result.stderr
    assert result.stderr.count("\n") == 1


def test_bad_input_costs_nothing_else(run: Run, repository: Path) -> None:
    """A missing path, a binary file and a broken document are one line each; the rest is still checked."""
    (repository / "binary.yaml").write_bytes(b"kind: HorizontalPodAutoscaler\0\xff")
    (repository / "broken.yaml").write_text(DEPLOYMENT + "---\nkind: HorizontalPodAutoscaler\nspec: [\n---\n" + HPA)
    result = run("check", "--format", "json", "--select", FINDING, ".", "missing.yaml")
    assert result.exit_code == 2
    lines = result.stderr.splitlines()
    assert len(lines) == 3
    assert {line.split(": ")[2] for line in lines} == {"missing.yaml", "binary.yaml:1", "broken.yaml:18"}
    assert rules_found(result) == [("broken.yaml", 28, FINDING), ("deploy/hpa.yaml", 10, FINDING)]


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="permissions do not bind this user")
def test_a_folder_without_permission(run: Run, repository: Path) -> None:
    closed = repository / "closed"
    closed.mkdir(mode=0)
    try:
        result = run("check")
    finally:
        closed.chmod(0o755)
    assert result.exit_code == 2
    assert result.stderr == "gpulint: error: closed: no permission to read it\n"
    assert "cpu-autoscaling" in result.stdout


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="needs root to become another user")
def test_a_folder_without_permission_for_another_user(repository: Path) -> None:
    """As root, as in a container. The first run imports everything: the interpreter's own files may be root's alone."""
    (repository / "closed").mkdir(mode=0)
    for folder in (repository, *repository.parents):
        if folder == Path(tempfile.gettempdir()).resolve():
            break
        folder.chmod(0o755)
    script = """
import os
from click.testing import CliRunner
from gpulint.cli import main
arguments = ["check", "--format", "concise", "--select", "cpu-autoscaling"]
assert CliRunner().invoke(main, arguments).exit_code == 1
os.seteuid(65534)
main(arguments)
"""
    result = subprocess.run(
        [sys.executable, "-c", script], cwd=repository, capture_output=True, text=True, timeout=60, check=False
    )
    assert result.returncode == 2
    assert result.stderr.splitlines()[0] == "gpulint: error: closed: no permission to read it"
    assert "cpu-autoscaling" in result.stdout


def test_hostile_names_and_values(run: Run, tmp_path: Path) -> None:
    """Escapes for the terminal and commands for the CI system come out visible."""
    folder = tmp_path / "a\x1b[31m\n::error::b"
    folder.mkdir()
    (folder / "x.yaml").write_text(
        DEPLOYMENT + "---\n" + HPA.replace("name: chat,", 'name: "chat\\e]0;x\\a\\n::warning::y",', 1)
    )
    (folder / "y.yaml").write_text("kind: HorizontalPodAutoscaler\nspec: [\n")
    result = run("check", "--color", "never")
    for text in (result.stdout, result.stderr):
        assert "\x1b" not in text
        assert "\x07" not in text
        assert not [line for line in text.splitlines() if line.lstrip().startswith("::")]
    assert "\\x1b" in result.stdout


def test_color(run: Run, repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "\x1b[" not in run("check").stdout
    assert "\x1b[" in run("check", "--color", "always").stdout
    monkeypatch.setenv("FORCE_COLOR", "1")
    # click's own runner strips escapes unless told otherwise, as a pipe would not
    assert "\x1b[" in CliRunner().invoke(main, ["check"], color=True).stdout
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[" not in CliRunner().invoke(main, ["check"], color=True).stdout


def test_explain(run: Run) -> None:
    result = run("explain", "cpu-autoscaling", "--examples")
    assert result.exit_code == 0
    assert result.stdout.startswith("# CPU autoscaling of a GPU workload\n")
    assert "<-- cpu-autoscaling" in result.stdout


def test_rules(run: Run) -> None:
    result = run("rules")
    assert result.exit_code == 0
    assert "cpu-autoscaling" in result.stdout
    listed = json.loads(run("rules", "--format", "json").stdout)
    assert {"name", "family", "level", "summary"} <= set(listed["rules"][0])


def test_inspect(run: Run, repository: Path) -> None:
    result = run("inspect", "--format", "json")
    assert result.exit_code == 0
    data = json.loads(result.stdout)
    jsonschema.Draft202012Validator(json.loads(read_schema("inspect"))).validate(data)
    engine = data["workloads"][0]["containers"][0]["engine"]
    assert (engine["name"], engine["version"], engine["model"]) == ("vllm", "0.11.0", "Qwen/Qwen3-8B")
    assert engine["tensorParallel"] == {"value": 1, "default": True}
    assert data["autoscalers"][0]["target"] == {"kind": "Deployment", "name": "chat", "path": "deploy/engine.yaml"}
    assert data["autoscalers"][0]["metrics"] == [{"meaning": ["cpu"], "name": "cpu", "threshold": 70}]
    tree = run("inspect").stdout
    assert "HorizontalPodAutoscaler llm/chat  deploy/hpa.yaml:3" in tree
    assert "scales Deployment chat (deploy/engine.yaml)" in tree


def test_a_closed_pipe_is_no_error(repository: Path) -> None:
    """`gpulint rules | head -1` ends quietly."""
    process = subprocess.Popen(
        [sys.executable, "-m", "gpulint", "explain", "cpu-autoscaling", "--examples"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=repository,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait(timeout=60) in (0, 1)


def test_module_and_script_are_the_same(repository: Path) -> None:
    version = subprocess.run(
        [sys.executable, "-m", "gpulint", "--version"], capture_output=True, text=True, check=True, timeout=60
    )
    assert version.stdout.startswith("gpulint, version ")
