from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import jsonschema
import pytest

from gpulint.data import read_schema
from gpulint.finding import Evidence
from gpulint.model.values import ObjectRef
from gpulint.report import Report, render
from gpulint.source.text import Place, Source
from gpulint.source.yaml import Problem, Template
from report_helper import HPA, place, report, reported

SCHEMA = json.loads(read_schema("report"))


def document(made: Report) -> dict[str, Any]:
    """The report as read back, after it was found to be UTF-8 and to keep its contract."""
    shown = render(made, "json", color=True, width=20)
    read: dict[str, Any] = json.loads(shown.encode("utf-8"))
    jsonschema.validate(read, SCHEMA, cls=jsonschema.Draft202012Validator)
    return read


def test_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize(
    "change",
    [
        {"version": 2},
        {"extra": 1},
        {"summary": {"files": 1}},
        {"findings": [{}]},
        {"errors": [{"path": "a", "line": 0}]},
    ],
)
def test_schema_refuses(change: dict[str, Any]) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**document(report()), **change}, SCHEMA)


def test_finding() -> None:
    source = Source("deploy/hpa.yaml", HPA)
    finding = reported(
        place(source, "cpu"),
        "The HPA follows CPU. It should not.",
        "Scale on the queue.",
        [Evidence("target", 70, place(source, "70")), Evidence("memory", 14.95)],
        ref=ObjectRef("HorizontalPodAutoscaler", None, "llama"),
        confidence="medium",
    )
    assert document(report(finding)) == {
        "version": 1,
        "findings": [
            {
                "rule": "cpu-autoscaling",
                "level": "error",
                "confidence": "medium",
                "message": "The HPA follows CPU. It should not.",
                "path": "deploy/hpa.yaml",
                "line": 15,
                "column": 15,
                "endLine": 15,
                "endColumn": 18,
                "object": {"kind": "HorizontalPodAutoscaler", "namespace": None, "name": "llama"},
                "evidence": [
                    {"label": "target", "value": 70, "path": "deploy/hpa.yaml", "line": 18, "column": 31},
                    {"label": "memory", "value": 14.95, "path": None, "line": None, "column": None},
                ],
                "help": "Scale on the queue.",
                "fingerprint": "ffffffffffffffff",
            }
        ],
        "errors": [],
        "templates": [],
        "summary": {
            "files": 12,
            "error": 1,
            "warning": 0,
            "info": 0,
            "ignored": 0,
            "baselined": 0,
            "staleBaseline": 0,
        },
    }


def test_columns_are_code_points() -> None:
    source = Source("a.yaml", "a: 😀模 cpu\r\n")
    (finding,) = document(report(reported(place(source, "cpu"))))["findings"]
    assert (finding["line"], finding["column"], finding["endColumn"]) == (1, 7, 10)
    assert finding["object"] is None


def test_errors_and_templates_are_sorted() -> None:
    made = report(
        errors=[Problem("b", 2, "late"), Problem("b", None, "unreadable"), Problem("a", 1, "broken")],
        templates=[Template("b", 1, "Helm"), Template("a", 7, "Jinja"), Template("a", 1, "Helm")],
    )
    read = document(made)
    assert [(e["path"], e["line"], e["message"]) for e in read["errors"]] == [
        ("a", 1, "broken"),
        ("b", None, "unreadable"),
        ("b", 2, "late"),
    ]
    assert [(t["path"], t["line"], t["language"]) for t in read["templates"]] == [
        ("a", 1, "Helm"),
        ("a", 7, "Jinja"),
        ("b", 1, "Helm"),
    ]


def test_values_keep_their_types() -> None:
    values: list[tuple[Any, Any]] = [
        (None, None),
        (True, True),
        (0.5, 0.5),
        (float("inf"), "inf"),
        (float("nan"), "nan"),
        (2**70, 2**70),
        (("a", 1), ["a", 1]),
        ({"b", "a"}, ["a", "b"]),
        ({"b": 1, 2: {"x"}}, {"2": ["x"], "b": 1}),
        (Decimal("1.5"), "1.5"),
        (ObjectRef("Pod", None, "x"), "Pod x"),
    ]
    where = place(Source("a", "b"), "b")
    read = document(report(reported(where, evidence=[Evidence("v", value) for value, _ in values])))
    shown = [evidence["value"] for evidence in read["findings"][0]["evidence"]]
    assert shown == [expected for _, expected in values]
    assert [type(value) for value in shown] == [type(expected) for _, expected in values]


def test_hostile_text_survives_and_harms_nothing() -> None:
    hostile = '\x1b[31m"\\\n\x9b\u202e\u2028##[error]x ##vso[y]'
    source = Source(f"{hostile}\udcff.yaml", f"{hostile}\ud800")
    made = report(
        reported(
            Place(source, 0, 3), hostile, hostile, [Evidence(hostile, hostile)], ref=ObjectRef("k", hostile, "\ud800")
        )
    )
    (finding,) = document(made)["findings"]
    assert finding["message"] == finding["help"] == finding["evidence"][0]["value"] == hostile
    assert finding["path"] == f"{hostile}\ufffd.yaml"
    assert finding["object"]["name"] == "\ufffd"
    shown = render(made, "json", color=False, width=80)
    assert not set("\x1b\x9b\u202e\u2028") & set(shown)
    assert "##[" not in shown
    assert "##vso[" not in shown


def test_same_report_same_text() -> None:
    source = Source("a.yaml", HPA)
    evidence = [Evidence("set", set("abcdefgh")), Evidence("dict", {"b": 1, "a": 2})]
    one, two = (
        render(report(reported(place(source, "cpu"), evidence=evidence)), "json", color=False, width=1) for _ in "12"
    )
    assert one == two
