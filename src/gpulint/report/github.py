"""Workflow commands of GitHub Actions: findings as annotations of a run and of the lines of a pull request.

Source: GitHub, "Workflow commands for GitHub Actions"; its runner's ActionCommand.cs for what is escaped.
"""

from __future__ import annotations

from gpulint.finding import LEVELS, Level
from gpulint.report import Report
from gpulint.report._display import visible

_COMMANDS: dict[Level, str] = {"error": "error", "warning": "warning", "info": "notice"}


def render(report: Report, *, color: bool, width: int) -> str:  # noqa: ARG001  # for programs
    """One command a line, worst first: of each step GitHub shows ten annotations of a kind."""
    lines = []
    for error in report.errors:
        properties = {"file": report.root_path(error.path), "line": error.line, "title": "gpulint"}
        lines.append(_command("error", properties, visible(error.reason)))
    for reported in sorted(report.findings, key=lambda reported: LEVELS.index(reported.level)):
        line, column, end_line, end_column = reported.place.region()
        properties = {"file": report.root_path(reported.place.source.path), "line": line, "endLine": end_line}
        if end_line == line:  # columns of an annotation are those of one line
            properties |= {"col": column, "endColumn": end_column}
        properties["title"] = f"gpulint ({reported.rule})"
        texts = [visible(text) for text in (reported.finding.message, reported.finding.help) if text]
        lines.append(_command(_COMMANDS[reported.level], properties, "\n\n".join(texts)))
    return "".join(f"{line}\n" for line in lines)


def _command(name: str, properties: dict[str, str | int | None], message: str) -> str:
    file = properties.get("file")
    if isinstance(file, str) and (not file or file.startswith("<")):  # standard input is no file of the repository
        properties = {"title": properties["title"]}
    listed = ",".join(f"{key}={_property(value)}" for key, value in properties.items() if value is not None)
    return f"::{name} {listed}::{_data(message)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(value: str | int | None) -> str:
    return _data(visible(str(value))).replace(":", "%3A").replace(",", "%2C")
