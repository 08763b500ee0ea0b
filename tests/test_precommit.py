"""The hook as its users have it, under the real pre-commit; and why it does not matter how files are batched."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from random import Random

import pytest
from click.testing import CliRunner

from gpulint.cli import main
from gpulint.pages import load_page, page_names

CHECKOUT = Path(__file__).resolve().parent.parent
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
          args: [--model=Qwen/Qwen3-8B, --max-model-len=8192]
          resources: {limits: {nvidia.com/gpu: 1}}
          readinessProbe: {httpGet: {path: /health, port: 8000}}
"""
HPA = """\
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: chat, namespace: llm}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: chat}
  maxReplicas: 8
  metrics: [METRIC]
  behavior: {scaleDown: {stabilizationWindowSeconds: 600}}
"""
ON_CPU = "{type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 70}}}"
ON_QUEUE = (
    '{type: Pods, pods: {metric: {name: "vllm:num_requests_waiting"}, target: {type: AverageValue, averageValue: "5"}}}'
)


class Repository:
    """A git repository, whatever the user's settings and the environment say to git and pre-commit."""

    def __init__(self, folder: Path, work_tree: Path, pre_commit_home: Path) -> None:
        outer = ("GIT_", "PRE_COMMIT", "PYTHON", "SKIP", "FORCE_COLOR")
        self.work_tree = work_tree
        self.env = {name: value for name, value in os.environ.items() if not name.startswith(outer)}
        self.env |= {f"GIT_{role}_NAME": "A Committer" for role in ("AUTHOR", "COMMITTER")}
        self.env |= {f"GIT_{role}_EMAIL": "committer@example.com" for role in ("AUTHOR", "COMMITTER")}
        self.env |= {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
        self.env |= {"PRE_COMMIT_HOME": str(pre_commit_home)}
        self.succeed("git", "init", "--quiet", folder)
        if folder != work_tree:
            self.env |= {"GIT_DIR": str(folder / ".git"), "GIT_WORK_TREE": str(work_tree)}

    def run(self, *command: str | Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, cwd=self.work_tree, env=self.env, capture_output=True, text=True, timeout=300, check=False
        )

    def succeed(self, *command: str | Path) -> str:
        result = self.run(*command)
        assert result.returncode == 0, f"{command}\n{result.stdout}\n{result.stderr}"
        return result.stdout.strip()

    def commit(self, **manifests: str) -> tuple[bool, str]:
        """Whether a commit of all that stands in the work tree was let through, and what was said about it."""
        for name, text in manifests.items():
            (self.work_tree / f"{name}.yaml").write_text(text)
        self.succeed("git", "add", "--all")
        result = self.run("git", "commit", "--quiet", "--message", "Change")
        return result.returncode == 0, result.stdout + result.stderr


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Holds pre-commit's cache, where the hook is installed once, and the repository that it is installed from."""
    if shutil.which("git") is None:
        pytest.skip("git is not installed")
    if find_spec("pre_commit") is None:
        pytest.skip("pre-commit is not installed")
    return tmp_path_factory.mktemp("pre-commit")


@pytest.fixture(scope="module")
def hook(shared: Path) -> str:
    """The configuration of pre-commit for the checkout as it stands, committed or not."""
    hook = Repository(shared / "gpulint", CHECKOUT, shared / "home")
    assert hook.commit()[0]
    rev = hook.succeed("git", "rev-parse", "HEAD")
    return f"repos: [{{repo: '{shared / 'gpulint'}', rev: {rev}, hooks: [{{id: gpulint}}]}}]\n"


@pytest.fixture
def repository(shared: Path, hook: str, tmp_path: Path) -> Repository:
    """A user's repository with the hook and a model server in it."""
    repository = Repository(tmp_path, tmp_path, shared / "home")
    repository.succeed(sys.executable, "-m", "pre_commit", "install")
    (tmp_path / ".pre-commit-config.yaml").write_text(hook)
    passed, output = repository.commit(engine=DEPLOYMENT)
    assert passed, output
    assert "Passed" in output
    return repository


def test_a_commit_that_breaks_a_workload_in_another_file_is_blocked(repository: Repository) -> None:
    """Only the HPA changes; it is wrong because the Deployment, committed before, asks for a GPU."""
    passed, output = repository.commit(hpa=HPA.replace("METRIC", ON_CPU))
    assert not passed
    assert "gpulint" in output
    assert "error[cpu-autoscaling]" in output
    assert "hpa.yaml:7:" in output
    passed, output = repository.commit(hpa=HPA.replace("METRIC", ON_QUEUE))
    assert passed, output
    assert repository.succeed("git", "show", "--name-only", "--format=") == "hpa.yaml"


def test_a_commit_of_other_files_does_not_run_the_hook(repository: Repository) -> None:
    (repository.work_tree / "hpa.yaml").write_text(HPA.replace("METRIC", ON_CPU))
    repository.succeed("git", "add", "hpa.yaml")
    repository.succeed("git", "commit", "--quiet", "--no-verify", "--message", "Wrong, and let through by hand")
    (repository.work_tree / "notes.txt").write_text("kind: HorizontalPodAutoscaler\n")
    passed, output = repository.commit()
    assert passed, output
    assert "Skipped" in output
    whole = repository.run(sys.executable, "-m", "pre_commit", "run", "--all-files")
    assert whole.returncode == 1
    assert "error[cpu-autoscaling]" in whole.stdout


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every example of the checkout and of every rule's page, side by side in one repository."""
    top = tmp_path_factory.mktemp("project")
    (top / ".git").mkdir()
    shutil.copytree(CHECKOUT / "examples", top / "examples")
    for name, family in page_names().items():
        for number, example in enumerate(load_page(family, name).examples):
            for file, text in example.files.items():
                path = top / family / name / str(number) / file
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
    return top


def manifests(folder: Path) -> list[str]:
    return sorted(str(path) for path in folder.rglob("*") if path.suffix in (".yaml", ".json"))


def check(files: list[str]) -> tuple[set[str], int]:
    """The findings of one run over these files, each as JSON, and its exit status."""
    result = CliRunner().invoke(main, ["check", "--format", "json", *files], catch_exceptions=False)
    return {json.dumps(finding) for finding in json.loads(result.stdout)["findings"]}, result.exit_code


def assert_the_same(batches: list[list[str]]) -> None:
    found, status = check([file for batch in batches for file in batch])
    parts = [check(batch) for batch in batches]
    assert found
    assert set().union(*(part for part, _ in parts)) == found
    assert max(part_status for _, part_status in parts) == status


def test_files_one_by_one_give_what_they_give_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(CHECKOUT / "examples" / "wrong", tmp_path, dirs_exist_ok=True)
    (tmp_path / ".git").mkdir()
    monkeypatch.chdir(tmp_path)
    assert_the_same([[file] for file in manifests(tmp_path)])


@pytest.mark.parametrize("seed", range(4))
def test_the_answer_does_not_depend_on_the_batches(project: Path, monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    """pre-commit shares out the files among as many runs as it likes."""
    monkeypatch.chdir(project)
    files = manifests(project)
    Random(seed).shuffle(files)  # noqa: S311  # no secret
    assert_the_same([files[start::4] for start in range(4)])
