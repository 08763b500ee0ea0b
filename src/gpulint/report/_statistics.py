"""How often each rule found something: the text report in one line a rule."""

from __future__ import annotations

from gpulint.finding import LEVELS, Level
from gpulint.pages import PageError, load_page
from gpulint.report import Report
from gpulint.report._display import LEVEL_COLORS, paint
from gpulint.report.text import summary


def render(report: Report, *, color: bool) -> str:
    """The rules by their number of findings, most first, then the summary of the text report."""
    counts: dict[tuple[str, str], int] = {}
    worst: dict[tuple[str, str], Level] = {}
    for reported in report.findings:
        rule = reported.rule, reported.family
        counts[rule] = counts.get(rule, 0) + 1
        worst[rule] = min(worst.get(rule, reported.level), reported.level, key=LEVELS.index)
    digits = max((len(str(count)) for count in counts.values()), default=0)
    width = max((len(name) for name, _ in counts), default=0)
    lines = []
    for rule in sorted(counts, key=lambda rule: (-counts[rule], LEVELS.index(worst[rule]), rule)):
        name, family = rule
        level = paint(f"{worst[rule]:<7}", LEVEL_COLORS[worst[rule]], color)
        lines.append(f"{counts[rule]:>{digits}}  {level}  {name:<{width}}  {_summary(family, name)}".rstrip())
    return "\n".join([*lines, *([""] if lines else []), *summary(report, color), ""])


def _summary(family: str, name: str) -> str:
    try:
        return load_page(family, name).summary
    except PageError:
        return ""
