"""The formats of CI systems: GitHub's commands, GitLab's code quality, JUnit, reviewdog. Each as its reader reads it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import Any
from xml.etree import ElementTree

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpulint.finding import Evidence
from gpulint.model.values import ObjectRef
from gpulint.report import FORMATS, Report, render
from gpulint.report.text import summary
from gpulint.source.text import Place, Source
from gpulint.source.yaml import Problem
from report_helper import HPA, place, report, reported

SOURCE = Source("deploy/hpa.yaml", HPA)
HOSTILE = 'a"b<c>&]]>%25%0A::error::x\r\n::set-output name=a::b,c:d\x1b[31m\x00\x0b\u202e\ud800\ufffe##[group]😀'


def shown(made: Report, form: str) -> str:
    text = render(made, form, color=True, width=20)
    assert text.encode("utf-8").decode() == text
    assert not text or text.endswith("\n")
    return text


def full() -> Report:
    return report(
        reported(
            place(SOURCE, "name: llama", 0), level="warning", rule="scale-down", ref=ObjectRef("HPA", "prod", "x")
        ),
        reported(place(SOURCE, "cpu"), evidence=[Evidence("target", 70, place(SOURCE, "70"))]),
        reported(place(SOURCE, "kind: Deployment\n    name: llama"), level="info", message="Two lines. Really."),
        errors=[Problem("b.yaml", 3, "not valid YAML"), Problem("", None, "an empty path")],
    )


def hostile() -> Report:
    source = Source(HOSTILE, "x: 1\n")
    finding = reported(place(source, "x"), HOSTILE, HOSTILE, ref=ObjectRef(HOSTILE, HOSTILE, HOSTILE))
    return report(finding, errors=[Problem(HOSTILE, 1, HOSTILE)])


# -- github


def commands(text: str) -> list[tuple[str, dict[str, str], str]]:
    """What GitHub's runner understands of a log: name, properties and message of each command, unescaped."""

    def data(value: str) -> str:
        return value.replace("%0D", "\r").replace("%0A", "\n").replace("%25", "%")

    found = []
    for line in text.splitlines():
        match = re.match(r"::([a-z-]+)(?: ([^:]*(?::(?!:)[^:]*)*))?::(.*)$", line.strip())
        assert match is not None, line
        pairs = dict(pair.split("=", 1) for pair in (match[2] or "").split(",") if pair)
        found.append(
            (
                match[1],
                {key: data(value.replace("%2C", ",").replace("%3A", ":")) for key, value in pairs.items()},
                data(match[3]),
            )
        )
    return found


def test_github() -> None:
    found = commands(shown(full(), "github"))
    assert [name for name, _, _ in found] == ["error", "error", "error", "warning", "notice"]
    broken, empty, worst, _, notice = found
    assert empty == ("error", {"title": "gpulint"}, "an empty path")
    assert broken == ("error", {"file": "b.yaml", "line": "3", "title": "gpulint"}, "not valid YAML")
    assert worst == (
        "error",
        {
            "file": "deploy/hpa.yaml",
            "line": "15",
            "endLine": "15",
            "col": "15",
            "endColumn": "18",
            "title": "gpulint (cpu-autoscaling)",
        },
        "The HPA follows CPU, at 70%.\n\nScale on the queue length.",
    )
    assert (notice[1]["line"], notice[1]["endLine"]) == ("8", "9")
    assert "col" not in notice[1]


def test_github_of_hostile_names() -> None:
    """One command for each finding and none more, whatever stands in names and messages."""
    text = shown(hostile(), "github")
    assert len(text.splitlines()) == 2
    assert [name for name, _, _ in commands(text)] == ["error", "error"]
    assert "##[" not in text
    assert "\x1b" not in text
    for _, properties, _ in commands(text):
        assert set(properties) <= {"file", "line", "endLine", "col", "endColumn", "title"}


@given(st.text(max_size=40), st.text(max_size=40))
def test_github_escapes_anything(path: str, message: str) -> None:
    text = shown(report(reported(Place(Source(path, "x"), 0, 1), message or "m", "")), "github")
    (command,) = commands(text)
    assert command[0] == "error"
    assert set(command[1]) <= {"file", "line", "endLine", "col", "endColumn", "title"}


# -- gitlab

GITLAB = {
    "type": "array",
    "items": {
        "type": "object",
        "required": ["description", "check_name", "fingerprint", "severity", "location"],
        "additionalProperties": False,
        "properties": {
            "description": {"type": "string", "minLength": 1},
            "check_name": {"type": "string", "minLength": 1},
            "fingerprint": {"type": "string", "minLength": 1},
            "severity": {"enum": ["info", "minor", "major", "critical", "blocker"]},
            "location": {
                "type": "object",
                "required": ["path", "lines"],
                "additionalProperties": False,
                "properties": {
                    "path": {"type": "string", "minLength": 1, "not": {"pattern": "^\\./"}},
                    "lines": {
                        "type": "object",
                        "required": ["begin"],
                        "additionalProperties": False,
                        "properties": {"begin": {"type": "integer", "minimum": 1}},
                    },
                },
            },
        },
    },
}


def gitlab(made: Report) -> list[dict[str, Any]]:
    issues: list[dict[str, Any]] = json.loads(shown(made, "gitlab"))
    jsonschema.validate(issues, GITLAB)
    return issues


def test_gitlab() -> None:
    issues = gitlab(full())
    assert [issue["severity"] for issue in issues] == ["blocker", "blocker", "major", "critical", "info"]
    assert issues[3] == {
        "description": "The HPA follows CPU, at 70%.",
        "check_name": "gpulint/cpu-autoscaling",
        "fingerprint": "f" * 16,
        "severity": "critical",
        "location": {"path": "deploy/hpa.yaml", "lines": {"begin": 15}},
    }
    assert issues[0]["fingerprint"] != issues[1]["fingerprint"]
    assert gitlab(report()) == []
    gitlab(hostile())


# -- reviewdog

POSITION = {
    "type": "object",
    "required": ["line"],
    "additionalProperties": False,
    "properties": {"line": {"type": "integer", "minimum": 1}, "column": {"type": "integer", "minimum": 1}},
}
# The messages of reviewdog.proto, as far as we use them.
RDJSON = {
    "type": "object",
    "required": ["diagnostics"],
    "additionalProperties": False,
    "properties": {
        "source": {"$ref": "#/$defs/named"},
        "diagnostics": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["message", "location", "severity"],
                "additionalProperties": False,
                "properties": {
                    "message": {"type": "string", "minLength": 1},
                    "severity": {"enum": ["ERROR", "WARNING", "INFO"]},
                    "code": {
                        "type": "object",
                        "additionalProperties": False,
                        "properties": {"value": {"type": "string"}, "url": {"type": "string"}},
                    },
                    "location": {
                        "type": "object",
                        "additionalProperties": False,
                        "properties": {
                            "path": {"type": "string"},
                            "range": {
                                "type": "object",
                                "required": ["start"],
                                "additionalProperties": False,
                                "properties": {"start": POSITION, "end": POSITION},
                            },
                        },
                    },
                },
            },
        },
    },
    "$defs": {
        "named": {
            "type": "object",
            "additionalProperties": False,
            "properties": {"name": {"type": "string"}, "url": {"type": "string"}},
        }
    },
}


def rdjson(made: Report) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(shown(made, "rdjson"))
    jsonschema.validate(read, RDJSON)
    return read


def test_rdjson() -> None:
    found = rdjson(full())["diagnostics"]
    assert [each["severity"] for each in found] == ["ERROR", "ERROR", "WARNING", "ERROR", "INFO"]
    assert found[3]["location"] == {
        "path": "deploy/hpa.yaml",
        "range": {"start": {"line": 15, "column": 15}, "end": {"line": 15, "column": 18}},
    }
    assert found[3]["code"]["url"].endswith("/rules/autoscaling/cpu-autoscaling.md")
    assert rdjson(report())["diagnostics"] == []
    rdjson(hostile())


def test_rdjson_columns_are_bytes_of_utf_8() -> None:
    source = Source("a.yaml", "a: 😀模é cpu\r\n")
    (found,) = rdjson(report(reported(place(source, "cpu"))))["diagnostics"]
    start = len("a: 😀模é ".encode()) + 1
    assert found["location"]["range"] == {
        "start": {"line": 1, "column": start},
        "end": {"line": 1, "column": start + 3},
    }


# -- junit

# What Jenkins' junit-10.xsd allows: attributes (with ! where it asks for them) and children.
JUNIT: dict[str, tuple[set[str], set[str]]] = {
    "testsuites": ({"name", "time", "tests", "failures", "errors"}, {"testsuite"}),
    "testsuite": (
        {"name!", "tests!", "failures!", "errors!", "group", "time", "skipped", "timestamp", "hostname", "id", "package",
         "file", "log", "url"},
        {"testsuite", "properties", "testcase", "system-out", "system-err"},
    ),
    "testcase": (
        {"name!", "time", "classname", "group"},
        {"skipped", "error", "failure", "system-out", "system-err"},
    ),
    "failure": ({"type", "message"}, set()),
    "error": ({"type", "message"}, set()),
    "system-out": (set(), set()),
}  # fmt: skip


def junit(made: Report) -> ElementTree.Element:
    root = ElementTree.fromstring(shown(made, "junit").encode())  # noqa: S314 - it is our own
    assert root.tag == "testsuites"
    for element in root.iter():
        attributes, children = JUNIT[element.tag]
        assert set(element.attrib) <= {name.rstrip("!") for name in attributes}
        assert {name[:-1] for name in attributes if name.endswith("!")} <= set(element.attrib)
        assert {child.tag for child in element} <= children
    for suite in [root, *root.iter("testsuite")]:
        for count, tag in (("tests", "testcase"), ("failures", "failure"), ("errors", "error")):
            assert int(suite.attrib[count]) == len(list(suite.iter(tag)))
    return root


def test_junit() -> None:
    root = junit(full())
    assert (root.attrib["tests"], root.attrib["failures"], root.attrib["errors"]) == ("5", "2", "2")
    suites = list(root.iter("testsuite"))
    assert [suite.attrib.get("file") for suite in suites] == [None, "deploy/hpa.yaml"]
    case = suites[1][1]
    assert case.attrib == {"classname": "deploy/hpa.yaml", "name": "cpu-autoscaling, line 15, column 15"}
    (failure,) = case
    assert failure.attrib == {"type": "error", "message": "The HPA follows CPU, at 70%."}
    assert failure.text == "The HPA follows CPU, at 70%.\nScale on the queue length.\ndeploy/hpa.yaml:15:15"
    assert [child.tag for child in suites[1][2]] == ["system-out"]  # a note fails nothing


def test_junit_of_a_clean_run() -> None:
    """A file without tests is an error to most CI systems."""
    root = junit(report())
    assert (root.attrib["tests"], root.attrib["failures"], root.attrib["errors"]) == ("1", "0", "0")


def test_junit_of_hostile_names() -> None:
    root = junit(hostile())
    assert root.attrib["failures"] == "1"


@given(st.text(max_size=40), st.text(max_size=40))
def test_junit_takes_anything(path: str, message: str) -> None:
    junit(report(reported(Place(Source(path, "x"), 0, 1), message or "m", message)))


# -- all of them


def test_paths_are_those_of_the_repository() -> None:
    for form in ("github", "gitlab", "rdjson", "junit"):
        made = full()
        made.root_path = lambda path: f"top/{path}"
        assert "top/deploy/hpa.yaml" in shown(made, form)
        assert '"deploy/hpa.yaml' not in shown(made, form)


def test_formats_are_those_of_the_documentation() -> None:
    assert set(FORMATS) == {"concise", "github", "gitlab", "json", "junit", "rdjson", "sarif", "text"}


@pytest.mark.parametrize(
    ("changes", "first"),
    [
        ({}, "No findings in 12 files."),
        ({"ignored": 3}, "No findings in 12 files; 3 ignored."),
        ({"ignored": 1, "baselined": 12}, "No findings in 12 files; 1 ignored, 12 in the baseline."),
        (
            {"ignored": 1, "errors": [Problem("a", 1, "x")]},
            "No findings in 12 files; 1 ignored; 1 problem, see standard error.",
        ),
    ],
)
def test_summary(changes: dict[str, Any], first: str) -> None:
    made = report()
    for name, value in changes.items():
        setattr(made, name, value)
    assert summary(made, color=False)[0] == first


def test_no_format_is_imported_that_is_not_asked_for() -> None:
    script = (
        "import sys\nfrom click.testing import CliRunner\nfrom gpulint.cli import main\n"
        "CliRunner().invoke(main, ['check', '--format', 'concise', '-'], input='a: 1')\n"
        "print(*sorted(name for name in sys.modules if name.startswith('gpulint.')))"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    loaded = set(result.stdout.split())
    unwanted = {f"gpulint.report.{name}" for name in FORMATS if name != "concise"}
    unwanted |= {"gpulint.suppress", "gpulint.source.comments", "gpulint.baseline", "gpulint.readers._annotations"}
    assert not loaded & unwanted
    assert "gpulint.report.concise" in loaded
