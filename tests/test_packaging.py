"""What is built and installed: the wheel and the source distribution, and what a run imports."""

from __future__ import annotations

import importlib.metadata
import json
import os
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path
from typing import NamedTuple

import pytest

from gpulint import __version__

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
  metrics: [METRIC]
  behavior: {scaleDown: {stabilizationWindowSeconds: 600}}
"""
ON_CPU = "{type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 70}}}"
ON_QUEUE = (
    '{type: Pods, pods: {metric: {name: "vllm:num_requests_waiting"}, target: {type: AverageValue, averageValue: "5"}}}'
)
MIG_PLAN = "version: v1\nmig-configs:\n  all-1g.10gb: [{devices: all, mig-enabled: true, mig-devices: {1g.10gb: 7}}]\n"
SLOW_TO_IMPORT = {"jsonschema", "libcst", "pynvml", "ruamel.yaml"}


class Built(NamedTuple):
    """The two files of a release, and the files inside each; those of the sdist without its top folder."""

    wheel: Path
    sdist: Path
    in_wheel: set[str]
    in_sdist: set[str]


def run(*command: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    """A command without the variables that would put the checkout before what is installed, or colour its output."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON") and name != "FORCE_COLOR"}
    return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, timeout=300, check=False)


def succeed(*command: str | Path, cwd: Path) -> str:
    result = run(*command, cwd=cwd)
    assert result.returncode == 0, f"{command}\n{result.stdout}\n{result.stderr}"
    return result.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """As a release is made: the sdist from the checkout, the wheel from that sdist."""
    out = tmp_path_factory.mktemp("dist")
    succeed(sys.executable, "-m", "build", "--no-isolation", "--outdir", out, CHECKOUT, cwd=out)
    (wheel,) = out.glob("*.whl")
    (sdist,) = out.glob("*.tar.gz")
    with zipfile.ZipFile(wheel) as archive:
        in_wheel = set(archive.namelist())
    with tarfile.open(sdist) as archive:
        in_sdist = {name.partition("/")[2] for name in archive.getnames()}
    return Built(wheel, sdist, in_wheel, in_sdist)


@pytest.fixture(scope="module")
def installed(built: Built, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the commands of a fresh environment that holds the wheel and its dependencies, nothing else."""
    home = tmp_path_factory.mktemp("installed")
    venv.create(home, symlinks=os.name != "nt")
    commands = home / ("Scripts" if os.name == "nt" else "bin")
    succeed(sys.executable, "-m", "pip", "--python", commands / "python", "install", "-q", built.wheel, cwd=home)
    return commands


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A repository of a user: the HPA of a model server scales it on CPU."""
    (tmp_path / ".git").mkdir()
    (tmp_path / "engine.yaml").write_text(DEPLOYMENT)
    (tmp_path / "hpa.yaml").write_text(HPA.replace("METRIC", ON_CPU))
    return tmp_path


def test_the_wheel_holds_the_package_and_its_data_alone(built: Built) -> None:
    package = {name.removeprefix("src/") for name in built.in_sdist if name.startswith("src/")}
    data = {f"gpulint/_data/{name}" for name in built.in_sdist if name.startswith(("rules/", "schemas/"))}
    info = f"gpulint-{__version__}.dist-info/"
    expected = {*package, *data, *(info + file for file in ("METADATA", "RECORD", "WHEEL", "entry_points.txt"))}
    assert built.in_wheel == {*expected, info + "licenses/LICENSE"}
    assert "gpulint/py.typed" in built.in_wheel
    assert "gpulint/_data/rules/autoscaling/cpu-autoscaling.md" in built.in_wheel
    assert "gpulint/_data/schemas/report.schema.json" in built.in_wheel


def test_the_sdist_holds_what_building_and_testing_take(built: Built) -> None:
    files = {"pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md", ".pre-commit-hooks.yaml", "benchmarks/run.py"}
    assert files <= built.in_sdist
    assert f"tests/{Path(__file__).name}" in built.in_sdist
    assert not [name for name in built.in_sdist if name.startswith(".ci") or name.endswith(".pyc")]
    for files_of in ("src/**/*.py", "src/**/*.json", "rules/**/*.md", "schemas/*.json"):
        in_checkout = {path.relative_to(CHECKOUT).as_posix() for path in CHECKOUT.glob(files_of)}
        assert in_checkout
        assert in_checkout <= built.in_sdist


def test_the_wheel_works_outside_the_checkout(installed: Path, outside: Path) -> None:
    where = succeed(installed / "python", "-c", "import gpulint; print(gpulint.__file__)", cwd=outside)
    assert Path(where).is_relative_to(installed.parent)
    assert "cpu-autoscaling" in succeed(installed / "gpulint", "rules", cwd=outside)
    assert succeed(installed / "gpulint", "explain", "cpu-autoscaling", cwd=outside).startswith("# CPU autoscaling")
    assert succeed(installed / "gpulint", "--version", cwd=outside) == f"gpulint, version {__version__}\n"
    found = run(installed / "gpulint", "check", "--format", "json", cwd=outside)
    assert found.returncode == 1, found.stderr
    assert [(f["rule"], f["path"]) for f in json.loads(found.stdout)["findings"]] == [("cpu-autoscaling", "hpa.yaml")]


def test_the_wheel_brings_all_that_the_rules_and_formats_need(installed: Path, outside: Path) -> None:
    """Shell, PromQL and MIG configurations are read by dependencies that are imported only there."""
    wrong = CHECKOUT / "examples" / "wrong"
    here = run(sys.executable, "-m", "gpulint", "check", "--format", "json", wrong, cwd=outside)
    there = run(installed / "gpulint", "check", "--format", "json", wrong, cwd=outside)
    assert here.returncode == there.returncode == 1, there.stderr
    assert json.loads(there.stdout) == json.loads(here.stdout)
    sarif = succeed(installed / "gpulint", "check", "--exit-zero", "--format", "sarif", wrong, cwd=outside)
    assert json.loads(sarif)["version"] == "2.1.0"


def test_an_editable_install_and_the_wheel_know_the_same_rules(installed: Path, outside: Path) -> None:
    origin = json.loads(importlib.metadata.distribution("gpulint").read_text("direct_url.json") or "{}")
    if not origin.get("dir_info", {}).get("editable"):
        pytest.skip("gpulint is not installed editable here")
    editable = succeed(sys.executable, "-m", "gpulint", "rules", "--format", "json", cwd=outside)
    assert editable == succeed(installed / "gpulint", "rules", "--format", "json", cwd=outside)


def imported_by(program: str, cwd: Path) -> set[str]:
    """Which of the slow packages are in memory when a program ends."""
    probe = f"{program}\nimport sys\nprint(*({SLOW_TO_IMPORT!r} & set(sys.modules)), file=sys.stderr)"
    result = run(sys.executable, "-c", probe, cwd=cwd)
    assert result.returncode == 0, result.stderr
    return set(result.stderr.split())


CHECK_ALL = "from gpulint.cli import main\nmain(['check', '--exit-zero'], standalone_mode=False)"


def test_the_command_line_imports_nothing_slow(outside: Path) -> None:
    assert imported_by("import gpulint.cli", outside) == set()


def test_a_clean_run_over_manifests_imports_nothing_slow(outside: Path) -> None:
    (outside / "hpa.yaml").write_text(HPA.replace("METRIC", ON_QUEUE))
    assert succeed(sys.executable, "-m", "gpulint", "check", cwd=outside) == "No findings in 2 files.\n"
    assert imported_by(CHECK_ALL, outside) == set()


def test_a_mig_configuration_is_what_jsonschema_is_imported_for(outside: Path) -> None:
    (outside / "mig.yaml").write_text(MIG_PLAN)
    assert imported_by(CHECK_ALL, outside) == {"jsonschema"}
