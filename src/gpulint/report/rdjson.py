"""reviewdog's diagnostic format, one `DiagnosticResult`.

Source: reviewdog, proto/rdf/reviewdog.proto.
"""

from __future__ import annotations

from typing import Any

from gpulint.finding import Fix, Level
from gpulint.report import HOME, Report
from gpulint.report._display import to_json, visible
from gpulint.source.edits import applied
from gpulint.source.text import Place

# What a reviewer would still read as one suggestion.
_MOST_LINES = 20
_SEVERITIES: dict[Level, str] = {"error": "ERROR", "warning": "WARNING", "info": "INFO"}


def render(report: Report, *, color: bool, width: int) -> str:  # noqa: ARG001  # for programs
    """The findings, and what could not be read."""
    diagnostics: list[dict[str, Any]] = []
    for error in report.errors:
        location: dict[str, Any] = {"path": report.root_path(error.path)}
        if error.line is not None:
            location["range"] = {"start": {"line": error.line}}
        diagnostics.append({"message": visible(error.reason), "location": location, "severity": "ERROR"})
    for reported in report.findings:
        finding = reported.finding
        texts = [visible(text) for text in (finding.message, finding.help) if text]
        diagnostics.append(
            {
                "message": "\n\n".join(texts),
                "location": {"path": report.root_path(reported.place.source.path), "range": _range(reported.place)},
                "severity": _SEVERITIES[reported.level],
                "code": {
                    "value": reported.rule,
                    "url": f"{HOME}/blob/main/rules/{reported.family}/{reported.rule}.md",
                },
                **_suggestions(reported.fix),
            }
        )
    return to_json({"source": {"name": "gpulint", "url": HOME}, "diagnostics": diagnostics}, indent=2)


def _suggestions(fix: Fix | None) -> dict[str, Any]:
    """A fix as one suggestion: of several each would be offered by itself."""
    if fix is None:
        return {}
    edits = sorted(fix.edits, key=lambda edit: edit.place.start)
    source, start, end = edits[0].place.source, edits[0].place.start, edits[-1].place.end
    whole = Place(source, start, end)
    if source.text.count("\n", start, end) > _MOST_LINES:
        return {}
    text = applied(source.text, edits)
    return {"suggestions": [{"range": _range(whole), "text": text[start : len(text) - len(source.text) + end]}]}


def _range(place: Place) -> dict[str, Any]:
    """Lines from 1, columns from 1 in bytes of UTF-8, the end exclusive."""
    line, column, end_line, end_column = place.region()
    return {"start": _position(place, line, column), "end": _position(place, end_line, end_column)}


def _position(place: Place, line: int, column: int) -> dict[str, int]:
    start = place.source.line_starts()[line - 1]
    before = place.source.text[start : start + column - 1]
    return {"line": line, "column": len(before.encode("utf-8", "surrogatepass")) + 1}
