"""One line for each finding, which editors and terminals can follow: `path:line:column: level[rule] sentence`."""

from __future__ import annotations

from gpulint.report import Report
from gpulint.report._display import LEVEL_COLORS, first_sentence, paint, path_text, visible


def render(report: Report, *, color: bool, width: int) -> str:  # noqa: ARG001  # a line is never broken
    """The findings alone; nothing where there are none."""
    lines = []
    for reported in report.findings:
        line, column, _, _ = reported.place.region()
        where = f"{path_text(reported.place.source.path)}:{line}:{column}:"
        what = paint(f"{reported.level}[{reported.rule}]", LEVEL_COLORS[reported.level], color)
        lines.append(f"{where} {what} {visible(first_sentence(reported.finding.message))}\n")
    return "".join(lines)
