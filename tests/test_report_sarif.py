from __future__ import annotations

import json
import os
import platform
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import jsonschema
import pytest

from gpulint.finding import Evidence
from gpulint.pages import PageError
from gpulint.report import Report, render
from gpulint.source.text import Place, Source
from gpulint.source.yaml import Problem
from report_helper import FAMILIES, HPA, load_page, place, report, reported

SCHEMA = json.loads((Path(__file__).parent / "schemas" / "sarif-2.1.0.json").read_text(encoding="utf-8"))
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA, format_checker=jsonschema.FormatChecker())
HOSTILE = "\x1b[31m\n::error::x\x9b\u202e\udcff\ud800 [link](https://example.com) \\ ]( ##[error]"


@pytest.fixture(autouse=True)
def _pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gpulint.pages.load_page", load_page)
    monkeypatch.setattr("gpulint.rules.rule_names", lambda: FAMILIES)


def run(made: Report) -> dict[str, Any]:
    """The one run of the report, after it was found to be UTF-8 and valid."""
    shown = render(made, "sarif", color=True, width=20)
    log = json.loads(shown.encode("utf-8"))
    VALIDATOR.validate(log)
    assert log["version"] == "2.1.0"
    (only,) = log["runs"]
    assert isinstance(only, dict)
    return only


def result(made: Report) -> dict[str, Any]:
    (only,) = run(made)["results"]
    assert isinstance(only, dict)
    return only


def region(where: Place) -> tuple[int, ...]:
    found = result(report(reported(where)))["locations"][0]["physicalLocation"]["region"]
    return tuple(found[key] for key in ("startLine", "startColumn", "endLine", "endColumn"))


def artifact(path: str) -> dict[str, str]:
    found = result(report(reported(place(Source(path, "cpu"), "cpu"))))["locations"][0]["physicalLocation"]
    location: dict[str, str] = found["artifactLocation"]
    return location


def everything() -> Report:
    """A report in which every part that we can emit occurs, with hostile contents."""
    source = Source("deploy/hpa #1%.yaml", HPA)
    wide = Source("deploy/模型/😀.yaml", "a: 😀模 cpu\r\nb: |\r\n  x\r\n  y\r\n")
    hostile = Source(f"a/{HOSTILE}.yaml", HOSTILE)
    return report(
        reported(
            place(source, "cpu"),
            evidence=[
                Evidence("target", 70, place(source, "70")),
                Evidence("args[0]", ["--x", "\\"], place(wide, "cpu")),
                Evidence("engine", "vLLM"),
            ],
        ),
        reported(place(wide, "|\r\n  x\r\n  y\r\n"), level="warning", rule="long-winded", help_text=""),
        reported(Place(hostile, 0, len(HOSTILE)), HOSTILE, HOSTILE, [Evidence(HOSTILE, HOSTILE, Place(hostile, 0, 3))]),
        reported(Place(source, 4, 4), "An ignore is unused", level="info", rule="unused-ignore"),
        errors=[
            Problem("broken.yaml", 3, "found a tab"),
            Problem("", None, "a rule failed"),
            Problem(HOSTILE, None, HOSTILE),
        ],
        rules=list(FAMILIES),
    )


def test_everything_is_valid() -> None:
    made = run(everything())
    assert [r["ruleId"].removeprefix("gpulint/") for r in made["results"]] == [
        "cpu-autoscaling",
        "cpu-autoscaling",
        "long-winded",
        "unused-ignore",
    ]
    for entry in made["results"]:
        assert made["tool"]["driver"]["rules"][entry["ruleIndex"]]["id"] == entry["ruleId"]


def test_clean_run() -> None:
    made = run(report(rules=["cpu-autoscaling", "gpu-memory-scale-down"]))
    assert made["results"] == []
    assert [rule["id"] for rule in made["tool"]["driver"]["rules"]] == [
        "gpulint/cpu-autoscaling",
        "gpulint/gpu-memory-scale-down",
    ]
    assert made["columnKind"] == "utf16CodeUnits"
    assert made["invocations"] == [{"executionSuccessful": True, "toolExecutionNotifications": []}]
    assert "artifacts" not in made


def test_rules_come_from_their_pages() -> None:
    rules = run(report(rules=list(FAMILIES)))["tool"]["driver"]["rules"]
    cpu, memory, long_winded = rules
    assert cpu["name"] == "CpuAutoscaling"
    assert cpu["shortDescription"] == {"text": "An autoscaler of a GPU workload follows host CPU."}
    assert cpu["fullDescription"] == {
        "text": "The engine queues requests on the GPU, so CPU stays low while latency grows under vllm serve."
    }
    assert "# CPU autoscaling of a GPU workload\n" in cpu["help"]["markdown"]
    assert "## What to check instead" in cpu["help"]["markdown"]
    assert "Examples" not in cpu["help"]["markdown"]
    assert "expect:" not in cpu["help"]["markdown"]
    assert cpu["help"]["text"].startswith("CPU autoscaling of a GPU workload\n\nThe engine")
    assert not set("`*") & set(cpu["help"]["text"])
    assert cpu["helpUri"] == "https://github.com/gpulint/gpulint/blob/main/rules/autoscaling/cpu-autoscaling.md"
    assert cpu["helpUri"] in cpu["help"]["markdown"]
    assert "https://kubernetes.io/docs/" in cpu["help"]["text"]
    assert cpu["properties"]["tags"][:3] == ["autoscaling", "hpa", "keda"]
    assert len(cpu["properties"]["tags"]) == 10
    assert (cpu["properties"]["precision"], cpu["properties"]["problem.severity"]) == ("high", "error")
    assert "security-severity" not in cpu["properties"]
    assert cpu["defaultConfiguration"] == {"level": "error"}
    assert (memory["properties"]["precision"], memory["properties"]["problem.severity"]) == ("low", "recommendation")
    assert memory["defaultConfiguration"] == {"level": "note"}
    assert memory["shortDescription"]["text"].endswith("whatever the load is.")
    for description in ("shortDescription", "fullDescription"):
        assert 900 < len(long_winded[description]["text"]) <= 1024
        assert long_winded[description]["text"].endswith("….")


def test_an_enabled_rule_without_a_page_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(family: str, name: str) -> None:
        raise PageError(f"rules/{family}/{name}.md: missing")

    monkeypatch.setattr("gpulint.pages.load_page", none)
    broken = report()
    made = run(broken)
    assert made["tool"]["driver"]["rules"][0]["id"] == f"gpulint/{broken.rules[0]}"
    assert made["invocations"][0]["toolExecutionNotifications"]
    assert any("cpu-autoscaling.md: missing" in problem.reason for problem in broken.errors)
    made = run(report(reported(place(Source("a", "b"), "b"), rule="unused-ignore"), rules=[]))
    assert made["tool"]["driver"]["rules"][0]["shortDescription"] == {"text": "Unused ignore."}


def test_columns_are_utf16() -> None:
    assert region(place(Source("a", "a: cpu\n"), "cpu")) == (1, 4, 1, 7)
    assert region(place(Source("a", "a: 😀 cpu\n"), "cpu")) == (1, 7, 1, 10)
    assert region(place(Source("a", "a: 😀\n"), "😀")) == (1, 4, 1, 6)
    assert region(place(Source("a", "模型: cpu\r\nb: cafe\u0301😀x\r\n"), "x")) == (2, 11, 2, 12)
    assert region(place(Source("a", "a: |\r\n  😀\r\nb: 1\n"), "|\r\n  😀")) == (1, 4, 2, 5)
    assert region(Place(Source("a", "a:\n"), 2, 2)) == (1, 3, 1, 3)


@pytest.mark.parametrize(
    ("path", "uri"),
    [
        ("deploy/hpa.yaml", "deploy/hpa.yaml"),
        ("a b/#1/100%.yaml", "a%20b/%231/100%25.yaml"),
        ("模/é.yaml", "%E6%A8%A1/%C3%A9.yaml"),
        ("http:x.yaml", "http%3Ax.yaml"),
        ("a?b\\c[d].yaml", "a%3Fb%5Cc%5Bd%5D.yaml"),
        ("caf\udce9.yaml", "caf%E9.yaml"),
    ],
)
def test_paths_are_relative_references(path: str, uri: str) -> None:
    assert artifact(path) == {"uri": uri, "uriBaseId": "%SRCROOT%"}
    assert unquote(uri, errors="surrogateescape") == path
    assert "%SRCROOT%" in run(report())["originalUriBaseIds"]


def test_paths_that_are_not_relative_text() -> None:
    assert artifact("/tmp/a b.yaml") == {"uri": "file:///tmp/a%20b.yaml"}
    assert artifact("\ud800.yaml") == {"uri": "%EF%BF%BD.yaml", "uriBaseId": "%SRCROOT%"}


def test_message_links_the_evidence() -> None:
    source, other = Source("hpa.yaml", HPA), Source("llama.yaml", "args: [x]\n")
    evidence = [
        Evidence("target", 70, place(source, "70")),
        Evidence("engine", "vLLM"),
        Evidence("args[0]", "a\\b]", place(other, "x")),
    ]
    found = result(report(reported(place(source, "cpu"), "CPU [x](9) is\\was wrong", "Do [this]", evidence)))
    assert found["message"]["text"] == (
        "CPU \\[x\\](9) is\\\\was wrong.\n\n"
        "Evidence: [target: 70](1), engine: vLLM, [args\\[0\\]: a\\\\b\\]](2).\n\n"
        "Do \\[this\\]."
    )
    related = found["relatedLocations"]
    assert [location["id"] for location in related] == [1, 2]
    assert related[1]["physicalLocation"]["artifactLocation"]["uri"] == "llama.yaml"
    assert related[1]["message"]["text"] == "args\\[0\\]: a\\\\b\\]."
    (flow,) = found["codeFlows"]
    steps = [step["location"]["physicalLocation"] for step in flow["threadFlows"][0]["locations"]]
    assert steps == [location["physicalLocation"] for location in [*related, *found["locations"]]]
    assert len(found["locations"]) == 1


def test_result_without_placed_evidence() -> None:
    found = result(report(reported(place(Source("a", "b"), "b"), level="info", evidence=[Evidence("engine", "vLLM")])))
    assert found["level"] == "note"
    assert (
        found["message"]["text"]
        == "The HPA follows CPU, at 70%.\n\nEvidence: engine: vLLM.\n\nScale on the queue length."
    )
    assert found["partialFingerprints"] == {"gpulint/v1": "ffffffffffffffff"}
    assert not found.keys() & {"relatedLocations", "codeFlows", "kind", "suppressions"}


def test_hostile_text_is_visible_and_links_nowhere() -> None:
    shown = render(everything(), "sarif", color=False, width=80)
    assert not set("\x1b\x9b\u202e\ud800\udcff") & set(shown)
    assert "##[" not in shown
    for entry in json.loads(shown)["runs"][0]["results"]:
        text = entry["message"]["text"]
        targets = re.findall(r"(?<!\\)(?:\\\\)*\[(?:[^\\\[\]]|\\.)*\]\((.*?)\)", text)
        assert [int(target) for target in targets] == [location["id"] for location in entry.get("relatedLocations", [])]
        assert "\x1b" not in text
        assert text.count("\n") in (0, 2, 4)


def test_errors_do_not_fail_the_run() -> None:
    """Code scanning refuses every result of a run that failed: https://github.com/github/codeql-action/issues/1316"""
    (invocation,) = run(report(errors=[Problem("b.yaml", 3, "found a tab"), Problem("", None, "a rule failed.")]))[
        "invocations"
    ]
    assert invocation["executionSuccessful"] is True
    assert invocation["toolExecutionNotifications"] == [
        {"level": "warning", "message": {"text": "a rule failed."}},
        {
            "level": "warning",
            "message": {"text": "found a tab."},
            "locations": [
                {
                    "physicalLocation": {
                        "artifactLocation": {"uri": "b.yaml", "uriBaseId": "%SRCROOT%"},
                        "region": {"startLine": 3},
                    }
                }
            ],
        },
    ]


def test_microsofts_validator_finds_no_error(tmp_path: Path) -> None:
    """The SARIF SDK's own rules, and its rules for GitHub's ingestion, which see more than the schema can say."""
    npx = shutil.which("npx")
    if npx is None:
        pytest.skip("npx is not installed")
    if platform.machine() not in ("x86_64", "AMD64"):
        pytest.skip(f"the validator has no build for {platform.machine()}")
    valid = render(everything(), "sarif", color=False, width=80)
    broken = json.loads(valid)
    broken["runs"][0]["results"][0]["locations"][0]["physicalLocation"]["region"]["endColumn"] = 1
    (tmp_path / "report.sarif").write_text(valid, encoding="utf-8")
    (tmp_path / "broken.sarif").write_text(json.dumps(broken), encoding="utf-8")
    command = [npx, "--yes", "@microsoft/sarif-multitool@5.7.0", "validate", "report.sarif", "broken.sarif"]
    # The tool's launcher joins its arguments to a shell command, so the quotes belong to the argument.
    command += ["--rule-kind", '"Sarif;Ghas"', "--output", "validation.sarif", "--log", "ForceOverwrite"]
    environment = {
        **os.environ,
        "DOTNET_SYSTEM_GLOBALIZATION_INVARIANT": "1",
        "npm_config_prefer_offline": "true",
        "npm_config_fetch_retries": "0",
    }
    try:
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=100, check=False
        )
    except subprocess.TimeoutExpired:
        pytest.skip("the validator could not be fetched in time")
    if "npm error" in done.stderr or "npm ERR!" in done.stderr:
        pytest.skip(f"the validator could not be fetched: {done.stderr.strip().splitlines()[0]}")
    (validation,) = json.loads((tmp_path / "validation.sarif").read_text(encoding="utf-8-sig"))["runs"]
    assert validation["invocations"][0]["executionSuccessful"], done.stdout
    found = [
        (os.path.basename(entry["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]), entry["ruleId"])
        for entry in validation["results"]
        if entry.get("level", "warning") == "error"
    ]
    assert found == [("broken.sarif", "SARIF1007")], done.stdout
