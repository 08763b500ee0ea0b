"""Baselines and the configuration, as a user meets them."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import jsonschema
import pytest
import yaml
from click.testing import CliRunner, Result

from gpulint import __version__
from gpulint.baseline import Entry, read_baseline, to_text
from gpulint.cli import main
from gpulint.config import Config, ConfigError, read_config
from gpulint.data import read_schema
from gpulint.lint import selected_rules
from test_cli import DEPLOYMENT, HPA

BASELINE_SCHEMA = json.loads(read_schema("baseline"))
CONFIG_SCHEMA = json.loads(read_schema("config"))
RULES = "cpu-autoscaling,unused-ignore"
FILE = "gpulint-baseline.json"

Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    (tmp_path / ".git").mkdir()
    (tmp_path / "deploy").mkdir()
    (tmp_path / "deploy" / "engine.yaml").write_text(DEPLOYMENT)
    (tmp_path / "deploy" / "hpa.yaml").write_text(HPA)
    (tmp_path / "gpulint.toml").write_text(f"select = {json.dumps(RULES.split(','))}\n")
    monkeypatch.chdir(tmp_path)

    def invoke(*arguments: str) -> Result:
        return CliRunner().invoke(main, arguments)

    return invoke


def entries(path: str = FILE) -> list[Entry]:
    jsonschema.Draft202012Validator(BASELINE_SCHEMA).validate(json.loads(Path(path).read_text()))
    return read_baseline(path)


def rules_found(result: Result) -> list[str]:
    return [finding["rule"] for finding in json.loads(result.stdout)["findings"]]


def test_what_is_known_is_left_out(run: Run) -> None:
    before = rules_found(run("check", "--format", "json"))
    assert before == ["cpu-autoscaling"]
    result = run("check", "--baseline", FILE, "--write-baseline")
    assert result.exit_code == 0
    assert result.stderr == f"gpulint: wrote 1 entry (1 new, 0 dropped) to {FILE}\n"
    assert result.stdout == f"No findings in 2 files; {len(before)} in the baseline.\n"
    assert sorted(entry.rule for entry in entries()) == sorted(before)
    known = run("check", "--baseline", FILE, "--format", "json")
    assert known.exit_code == 0
    assert rules_found(known) == []
    assert json.loads(known.stdout)["summary"]["baselined"] == len(before)


def test_a_new_finding_is_reported_and_moved_ones_are_not(run: Run) -> None:
    run("check", "--baseline", FILE, "--write-baseline")
    Path("deploy/hpa.yaml").write_text("# a comment\n\n" + HPA)
    assert run("check", "--baseline", FILE).exit_code == 0
    Path("deploy/second.yaml").write_text(HPA.replace("name: chat, n", "name: chat-2, n", 1))
    result = run("check", "--baseline", FILE, "--format", "json")
    assert result.exit_code == 1
    assert [(f["path"], f["rule"]) for f in json.loads(result.stdout)["findings"]] == [
        ("deploy/second.yaml", "cpu-autoscaling")
    ]


def test_the_file_is_the_same_whatever_the_order(run: Run) -> None:
    for number in range(5):
        Path(f"deploy/h{number}.yaml").write_text(HPA.replace("name: chat, n", f"name: chat-{number}, n", 1))
    run("check", "--baseline", FILE, "--write-baseline")
    text = Path(FILE).read_text()
    run("check", "--baseline", FILE, "--write-baseline", "deploy/h3.yaml", "deploy/engine.yaml")
    assert Path(FILE).read_text() == text
    assert len(entries()) == 6
    assert to_text([*entries()[::-1], *entries()[3:]]) == text
    assert to_text([]) == '{\n  "version": 1,\n  "findings": []\n}\n'


def test_stale_entries_are_counted_and_dropped(run: Run) -> None:
    run("check", "--baseline", FILE, "--write-baseline")
    count = len(entries())
    fixed = HPA.replace("name: cpu", "name: memory")
    Path("deploy/hpa.yaml").write_text(fixed)
    result = run("check", "--baseline", FILE, "--select", "cpu-autoscaling")
    assert result.stdout.splitlines()[-1] == (
        "1 entry of the baseline finds nothing any more: --write-baseline drops it"
    )
    report = json.loads(run("check", "--baseline", FILE, "--format", "json").stdout)
    assert report["summary"]["staleBaseline"] == 1
    assert run("check", "--baseline", FILE, "--write-baseline").exit_code == 0
    assert len(entries()) == count - 1


def test_a_deleted_file_makes_its_entries_stale(run: Run) -> None:
    run("check", "--baseline", FILE, "--write-baseline")
    count = sum(entry.path == "deploy/hpa.yaml" for entry in entries())
    Path("deploy/hpa.yaml").unlink()
    assert json.loads(run("check", "--baseline", FILE, "--format", "json").stdout)["summary"]["staleBaseline"] == count


@pytest.mark.parametrize(
    "arguments",
    [
        ["--select", "mig"],
        ["--ignore", "cpu-autoscaling,scaling"],
        ["deploy/engine.yaml", "--select", "mig"],
        ["deploy"],
    ],
)
def test_what_a_run_cannot_tell_of_is_kept(run: Run, arguments: list[str]) -> None:
    run("check", "--baseline", FILE, "--write-baseline")
    text = Path(FILE).read_text()
    assert (
        json.loads(run("check", "--baseline", FILE, "--format", "json", *arguments).stdout)["summary"]["staleBaseline"]
        == 0
    )
    run("check", "--baseline", FILE, "--write-baseline", *arguments)
    assert Path(FILE).read_text() == text


def test_a_file_that_cannot_be_read_keeps_its_entries(run: Run) -> None:
    run("check", "--baseline", FILE, "--write-baseline")
    text = Path(FILE).read_text()
    Path("deploy/hpa.yaml").write_text(HPA + "---\nkind: HorizontalPodAutoscaler\nspec: [\n---\n")
    Path("deploy/hpa.yaml").write_text("kind: HorizontalPodAutoscaler\nspec: [\n")
    result = run("check", "--baseline", FILE, "--write-baseline")
    assert result.exit_code == 2
    assert Path(FILE).read_text() == text


def test_baseline_in_the_configuration(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    with Path("gpulint.toml").open("a") as file:
        file.write(f'baseline = "{FILE}"\n')
    missing = run("check")
    assert missing.exit_code == 2
    assert "--write-baseline" in missing.stderr
    monkeypatch.chdir("deploy")
    assert run("check", "--write-baseline").exit_code == 0
    monkeypatch.chdir("..")
    assert {entry.path for entry in entries()} == {"deploy/hpa.yaml"}
    assert run("check").exit_code == 0


def test_ignored_findings_are_not_in_a_baseline(run: Run) -> None:
    ignored = HPA.replace("name: cpu", "name: cpu # gpulint: ignore[cpu-autoscaling]")
    Path("deploy/hpa.yaml").write_text(ignored)
    run("check", "--baseline", FILE, "--write-baseline")
    assert "cpu-autoscaling" not in [entry.rule for entry in entries()]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (None, "no such file or directory"),
        ("", "not a baseline of gpulint"),
        ("[]", "not a baseline of this gpulint"),
        ('{"version": 2, "findings": []}', "not a baseline of this gpulint"),
        ('{"version": 1, "findings": [3]}', "an entry lacks one of"),
        ('{"version": 1, "findings": [{"path": "a"}]}', "an entry lacks one of"),
        ("[" * 100_000, "not a baseline of gpulint"),
    ],
)
def test_a_broken_baseline(run: Run, text: str | None, reason: str) -> None:
    if text is not None:
        Path(FILE).write_text(text)
    result = run("check", "--baseline", FILE)
    assert result.exit_code == 2
    assert reason in result.stderr
    assert result.stderr.count("\n") == 1


def test_writing_needs_a_place(run: Run) -> None:
    result = run("check", "--write-baseline")
    assert result.exit_code == 2
    assert "--baseline FILE" in result.stderr


# -- configuration


def test_the_schema_and_the_reader_know_the_same_settings(tmp_path: Path) -> None:
    settings = set(CONFIG_SCHEMA["properties"])
    assert settings == {field.name.replace("_", "-") for field in fields(Config)} - {"path"}
    path = tmp_path / "gpulint.toml"
    path.write_text("color = 1\n")
    with pytest.raises(ConfigError) as raised:
        read_config(str(path))
    assert set(str(raised.value).rpartition("known are ")[2].split(", ")) == settings


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        ("", True),
        ('select = ["scaling"]\nignore = []\nexclude = ["a/"]\nfail-on = "info"\nbaseline = "b.json"\n', True),
        ('[levels]\nscaling = "error"\n[per-path-ignores]\n"a/*" = ["scaling"]\n', True),
        ("select = 3\n", False),
        ("ignore = [3]\n", False),
        ("exclude = ''\n", False),
        ("fail-on = 'never'\n", False),
        ("baseline = 3\n", False),
        ("baseline = ''\n", False),
        ("levels = []\n", False),
        ("levels = {a = 'fatal'}\n", False),
        ("per-path-ignores = {a = 'x'}\n", False),
        ("other = 1\n", False),
    ],
)
def test_the_schema_and_the_reader_agree(tmp_path: Path, text: str, valid: bool) -> None:
    path = tmp_path / "gpulint.toml"
    path.write_text(text)
    assert jsonschema.Draft202012Validator(CONFIG_SCHEMA).is_valid(tomllib.loads(text)) == valid
    try:
        read_config(str(path))
    except ConfigError:
        assert not valid
    else:
        assert valid


def test_levels_of_families(run: Run) -> None:
    Path("gpulint.toml").write_text(
        'select = ["autoscaling"]\n[levels]\nautoscaling = "info"\ncpu-autoscaling = "warning"\n'
    )

    def levels(*arguments: str) -> set[str]:
        report = json.loads(run("check", "--format", "json", *arguments).stdout)
        return {f["level"] for f in report["findings"] if f["rule"] == "cpu-autoscaling"}

    assert levels() == {"warning"}
    assert levels("--level-of", "autoscaling=info") == {"info"}
    assert levels("--level-of", "cpu-autoscaling=error", "--level-of", "autoscaling=info") == {"error"}


def test_findings_left_out_by_path_are_counted(run: Run) -> None:
    Path("gpulint.toml").write_text(
        'select = ["cpu-autoscaling"]\n[per-path-ignores]\n"deploy/*" = ["cpu-autoscaling"]\n'
    )
    assert run("check").stdout == "No findings in 2 files; 1 ignored.\n"


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("gpulint.toml", '[per-path-ignores]\n"!" = ["cpu-autoscaling"]\n', "per-path-ignores"),
        ("pyproject.toml", "tool = 3 # tool.gpulint\n", "tool must be a table"),
        ("pyproject.toml", "[tool]\ngpulint = 3 # tool.gpulint\n", "tool.gpulint must be a table"),
    ],
)
def test_broken_configurations(run: Run, name: str, text: str, reason: str) -> None:
    Path("gpulint.toml").unlink()
    Path(name).write_text(text)
    result = run("check")
    assert result.exit_code == 2
    assert reason in result.stderr
    assert result.stderr.count("\n") == 1


DOCUMENTS = [Path(__file__).parent.parent / name for name in ("README.md", "docs/ignoring.md")]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_what_the_documentation_shows_is_valid(document: Path) -> None:
    text = document.read_text()
    for block in re.findall(r"(?ms)^```toml\n(.*?)^```", text):
        settings = tomllib.loads(block)
        jsonschema.Draft202012Validator(CONFIG_SCHEMA).validate(settings)
        for names in (settings.get("ignore", []), settings.get("levels", {}), *settings["per-path-ignores"].values()):
            selected_rules(names, ())
    named = re.findall(r"(?:gpulint: ignore(?:-file)?\[|gpulint\.dev/ignore: \")([a-z, -]+)", text)
    assert named
    for names in named:
        selected_rules([name.strip() for name in names.split(",")], ())


# -- statistics


def test_statistics(run: Run) -> None:
    Path("deploy/second.yaml").write_text(HPA.replace("name: chat, n", "name: chat-2, n", 1))
    result = run("check", "--statistics", "--select", "cpu-autoscaling", "--format", "json=out.json")
    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    assert lines[0].split()[:3] == ["2", "error", "cpu-autoscaling"]
    assert lines[-1] == "2 errors in 3 files"
    assert len(json.loads(Path("out.json").read_text())["findings"]) == 2
    refused = run("check", "--statistics", "--format", "json")
    assert refused.exit_code == 2
    assert "--statistics" in refused.stderr


# -- init


def test_init_writes_a_configuration_that_changes_nothing(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("gpulint.toml").unlink()
    before = run("check", "--format", "json").stdout
    monkeypatch.chdir("deploy")
    result = run("init")
    assert result.exit_code == 0
    assert result.stdout.startswith("Wrote ../gpulint.toml\n")
    monkeypatch.chdir("..")
    jsonschema.Draft202012Validator(CONFIG_SCHEMA).validate(tomllib.loads(Path("gpulint.toml").read_text()))
    assert run("check", "--format", "json").stdout == before
    commented = "".join(
        line.removeprefix("# ") + "\n"
        for line in Path("gpulint.toml").read_text().splitlines()
        if line.startswith(("# ", "[")) and not line.endswith((".", "`."))
    )
    jsonschema.Draft202012Validator(CONFIG_SCHEMA).validate(tomllib.loads(commented))
    assert "baseline" in tomllib.loads(commented)


def test_init_overwrites_nothing(run: Run) -> None:
    files = {"gpulint.toml": "a", ".pre-commit-config.yaml": "b", ".gitlab-ci.yml": "c"}
    for name, text in files.items():
        Path(name).write_text(text)
    Path(".github/workflows").mkdir(parents=True)
    Path(".github/workflows/gpulint.yaml").symlink_to("/nonexistent/elsewhere")
    result = run("init", "--pre-commit", "--github", "--gitlab")
    assert result.exit_code == 0
    assert {name: Path(name).read_text() for name in files} == files
    assert result.stdout.count("is there already: left as it is") == 4
    assert "- id: gpulint" in result.stdout
    assert "codequality" in result.stdout


def test_init_with_everything(run: Run) -> None:
    hook = yaml.safe_load((Path(__file__).parent.parent / ".pre-commit-hooks.yaml").read_text())[0]["id"]
    Path("gpulint.toml").unlink()
    shown = run("init", "--print", "--pre-commit", "--github", "--gitlab").stdout
    assert not Path("gpulint.toml").exists()
    assert run("init", "--pre-commit", "--github", "--gitlab").exit_code == 0
    config = yaml.safe_load(Path(".pre-commit-config.yaml").read_text())
    assert config["repos"][0]["rev"] == f"v{__version__}"
    assert config["repos"][0]["hooks"] == [{"id": hook}]
    jobs = yaml.safe_load(Path(".github/workflows/gpulint.yaml").read_text())["jobs"]
    commands = [step["run"] for step in jobs["gpulint"]["steps"] if "run" in step]
    commands += yaml.safe_load(Path(".gitlab-ci.yml").read_text())["gpulint"]["script"]
    checks = [command.split()[1:] for command in commands if command.startswith("gpulint ")]
    assert len(checks) == 2
    for check in checks:
        assert run(*check).exit_code == 1
    for name in ("gpulint.toml", ".pre-commit-config.yaml", ".github/workflows/gpulint.yaml", ".gitlab-ci.yml"):
        assert Path(name).read_text() in shown


def test_init_respects_pyproject(run: Run) -> None:
    Path("gpulint.toml").unlink()
    Path("pyproject.toml").write_text("[tool.gpulint]\n")
    assert "pyproject.toml configures gpulint already" in run("init").stdout
    assert not Path("gpulint.toml").exists()
