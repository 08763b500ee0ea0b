"""The JSON report: `schemas/report.schema.json` is its contract."""

from __future__ import annotations

import math
from typing import Any

from gpulint.finding import Evidence, Fix, Reported
from gpulint.report import Report
from gpulint.report._display import to_json

VERSION = 1


def render(report: Report, *, color: bool, width: int) -> str:  # noqa: ARG001  # for programs
    """The whole report. Lines and columns count from 1, columns in code points; nothing depends on the clock."""
    document: dict[str, Any] = {
        "version": VERSION,
        "findings": [_finding(reported) for reported in report.findings],
        "errors": [
            {"path": error.path, "line": error.line, "message": error.reason}
            for error in sorted(report.errors, key=lambda error: (error.path, error.line or 0, error.reason))
        ],
        "templates": [
            {
                "path": template.path,
                "line": template.line,
                "language": template.language,
                **({"reason": template.reason} if template.reason is not None else {}),
            }
            for template in sorted(report.templates, key=lambda template: (template.path, template.line))
        ],
        "summary": {
            "files": report.files_checked,
            **report.counts(),
            "ignored": report.ignored,
            "baselined": report.baselined,
            "staleBaseline": report.stale_baseline,
        },
    }
    return to_json(document, indent=2)


def _finding(reported: Reported) -> dict[str, Any]:
    finding, ref = reported.finding, reported.ref
    line, column, end_line, end_column = reported.place.region()
    return {
        "rule": reported.rule,
        "level": reported.level,
        "confidence": reported.confidence,
        "message": finding.message,
        "path": reported.place.source.path,
        "line": line,
        "column": column,
        "endLine": end_line,
        "endColumn": end_column,
        "object": {"kind": ref.kind, "namespace": ref.namespace, "name": ref.name} if ref else None,
        "evidence": [_evidence(evidence) for evidence in finding.evidence],
        "help": finding.help,
        "fingerprint": reported.fingerprint,
        **({"fix": _fix(reported.fix)} if reported.fix is not None else {}),
    }


def _fix(fix: Fix) -> dict[str, Any]:
    edits = []
    for edit in sorted(fix.edits, key=lambda edit: edit.place.start):
        line, column, end_line, end_column = edit.place.region()
        edits.append(
            {
                "path": edit.place.source.path,
                "line": line,
                "column": column,
                "endLine": end_line,
                "endColumn": end_column,
                "text": edit.text,
            }
        )
    return {"title": fix.title, "safe": fix.is_safe, "edits": edits}


def _evidence(evidence: Evidence) -> dict[str, Any]:
    path, line, column = None, None, None
    if evidence.place is not None:
        path = evidence.place.source.path
        line, column, _, _ = evidence.place.region()
    return {
        "label": evidence.label,
        "value": _value(evidence.value),
        "path": path,
        "line": line,
        "column": column,
    }


def _value(value: Any) -> Any:  # noqa: ANN401  # evidence may be anything
    """The value in JSON's own types where it has one there, else its text."""
    if value is None or isinstance(value, (str, int)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, dict):
        return {str(key): _value(value[key]) for key in sorted(value, key=str)}
    if isinstance(value, (set, frozenset)):
        return [_value(item) for item in sorted(value, key=str)]
    if isinstance(value, (list, tuple)):
        return [_value(item) for item in value]
    return str(value)
