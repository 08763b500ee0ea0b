"""The default report, for people: each finding with the source that it is about, its evidence, and what to do."""

from __future__ import annotations

from typing import NamedTuple

from gpulint.finding import Evidence, Fix, Reported
from gpulint.report import Report
from gpulint.report._display import LEVEL_COLORS, columns, paint, path_text, value_text, visible, wrap
from gpulint.report._excerpt import Mark, mark, window

_NARROWEST = 40
# Evidence this close to the finding is marked in its excerpt, if that does not make it long.
_NEAR_LINES = 6
_MARKS_LIMIT = 5
_MOST_REASONS = 5
_BOLD, _FRAME = "1", "1;34"


class _Row(NamedTuple):
    mark: Mark
    label: str
    style: str


def render(report: Report, *, color: bool, width: int) -> str:
    """The findings, then a summary. What went wrong is left to standard error: here it is only counted."""
    width = max(width, _NARROWEST)
    blocks = ["\n".join([*_finding(reported, color, width), "", ""]) for reported in report.findings]
    return "".join([*blocks, "\n".join([*summary(report, color), ""])])


def _finding(reported: Reported, color: bool, width: int) -> list[str]:
    finding, place = reported.finding, reported.place
    title = f"{reported.level}[{reported.rule}]"
    first, *rest = wrap(visible(finding.message), width - 2, columns(title) + 2)
    lines = [f"{paint(title, LEVEL_COLORS[reported.level], color)}: {paint(first, _BOLD, color)}"]
    lines += [f"  {paint(line, _BOLD, color)}" for line in rest]

    near = _near(reported)
    digits = len(str(max([place.line, *(line for _, line in near)])))
    margin, room = " " * digits, width - digits - 3
    rows, marked = _rows(reported, [evidence for evidence, _ in near], room)
    path = path_text(place.source.path)
    where = f" in {visible(str(reported.ref))}" if reported.ref else ""
    lines.append(f"{margin}{paint('-->', _FRAME, color)} {path}:{place.line}:{place.region()[1]}{where}")
    bar = f"{margin} {paint('|', _FRAME, color)}"
    if rows:
        lines += [bar, *_excerpt(reported, rows, digits, room, color), bar]
    for name, text in [
        *(("note", _evidence(evidence)) for evidence in finding.evidence if evidence not in marked),
        ("help", visible(finding.help)),
        *([("fix", f"{visible(reported.fix.title)} ({_option(reported.fix)})")] if reported.fix is not None else []),
    ]:
        first, *rest = wrap(text, room - len(name) - 2)
        lines.append(f"{margin} {paint('=', _FRAME, color)} {paint(f'{name}:', _BOLD, color)} {first}")
        lines += [f"{margin}   {' ' * len(name)}  {line}" for line in rest]
    return lines


def _option(fix: Fix) -> str:
    return "--fix" if fix.is_safe else "--fix --unsafe-fixes"


def _near(reported: Reported) -> list[tuple[Evidence, int]]:
    """The evidence in the finding's file and within a few lines of it, with its line."""
    source, line = reported.place.source, reported.place.line
    placed = [(e, e.place.line) for e in reported.finding.evidence if e.place is not None and e.place.source is source]
    return [(evidence, at) for evidence, at in placed if abs(at - line) <= _NEAR_LINES]


def _evidence(evidence: Evidence) -> str:
    text = f"{visible(evidence.label)}: {value_text(evidence.value)}"
    if evidence.place is None:
        return text
    return f"{text} ({path_text(evidence.place.source.path)}:{evidence.place.line})"


def _rows(reported: Reported, near: list[Evidence], room: int) -> tuple[list[_Row], list[Evidence]]:
    """What to mark in the excerpt, in the order of the lines, and the evidence that needs no note after that."""
    place = reported.place
    own = mark(place, room)
    if own is None:
        return [], []
    own_label = f"and {own.more_lines} more line{'s' * (own.more_lines > 1)}" if own.more_lines else ""
    rows: list[_Row] = []
    marked: list[Evidence] = []
    texts = {own.line: own.text}
    for evidence in near:
        if evidence.place is None or len(rows) == _MARKS_LIMIT - 1:
            continue
        label = f"{visible(evidence.label)}: {value_text(evidence.value)}"
        is_own = (evidence.place.start, evidence.place.end) == (place.start, place.end)
        found = mark(evidence.place, room)
        if found is None or found.offset + found.length + 1 + columns(label) > room:
            continue
        if is_own:
            if own_label:
                continue
            own_label = label
        else:
            # A line is shown once, so a second mark in it must have been cut to the same window.
            if texts.setdefault(found.line, found.text) != found.text:
                continue
            rows.append(_Row(found, label, _FRAME))
        marked.append(evidence)
    rows.append(_Row(own, own_label, LEVEL_COLORS[reported.level]))
    rows.sort(key=lambda row: (row.mark.line, row.mark is not own, row.mark.offset))
    return rows, marked


def _excerpt(reported: Reported, rows: list[_Row], digits: int, room: int, color: bool) -> list[str]:
    bar = paint("|", _FRAME, color)
    lines: list[str] = []

    def add(number: int, text: str) -> None:
        lines.append(f"{paint(f'{number:>{digits}}', _FRAME, color)} {bar} {text}".rstrip())

    before = rows[0].mark.line
    for row in rows:
        line = row.mark.line
        if line - before == 2:
            add(line - 1, window(reported.place.source.line_text(line - 1), 0, 0, room)[0])
        elif line - before > 2:
            lines.append(paint("...", _FRAME, color))
        if line != before or not lines:
            add(line, row.mark.text)
        before = line
        sign = "-" if row.style is _FRAME else "^"
        under = paint(f"{sign * row.mark.length} {row.label}".rstrip(), row.style, color)
        lines.append(f"{' ' * digits} {bar} {' ' * row.mark.offset}{under}")
    return lines


def summary(report: Report, color: bool) -> list[str]:
    """How many findings there are, how many are left out, and what was not read."""
    files = f"{report.files_checked} {'file' if report.files_checked == 1 else 'files'}"
    counts = [
        paint(f"{count} {level}{'s' if count > 1 and level != 'info' else ''}", LEVEL_COLORS[level], color)
        for level, count in report.counts().items()
        if count
    ]
    problems = len(report.errors)
    left_out = [f"{report.ignored} ignored"] * bool(report.ignored)
    left_out += [f"{report.baselined} in the baseline"] * bool(report.baselined)
    more = f"; {', '.join(left_out)}" if left_out else ""
    if problems:
        more += f"; {problems} problem{'s' * (problems > 1)}, see standard error"
    lines = [f"{', '.join(counts)} in {files}{more}" if counts else f"No findings in {files}{more}."]
    stale = report.stale_baseline
    if stale:
        which = "entry of the baseline finds" if stale == 1 else "entries of the baseline find"
        lines.append(f"{stale} {which} nothing any more: --write-baseline drops {'it' if stale == 1 else 'them'}")
    lines += _fixable([reported.fix for reported in report.findings if reported.fix is not None])
    paths: dict[str, set[str]] = {}
    for template in report.templates:
        paths.setdefault(template.language, set()).add(template.path)
    for language in sorted(paths):
        one = len(paths[language]) == 1
        what = f"1 file is a {language} template" if one else f"{len(paths[language])} files are {language} templates"
        hint = f"render {'it' if one else 'them'} first"
        if language == "Helm":
            hint += ", e.g. helm template . | gpulint check -"
        lines.append(f"{what} and {'was' if one else 'were'} not read: {hint}")
    unrendered = [template for template in report.templates if template.reason is not None]
    unrendered.sort(key=lambda template: (template.path, template.line))
    return lines + [
        f"  {visible(template.path)}:{template.line}: {visible(template.reason or '')}"
        for template in unrendered[:_MOST_REASONS]
    ]


def _fixable(fixes: list[Fix]) -> list[str]:
    safe = sum(fix.is_safe for fix in fixes)
    unsafe = len(fixes) - safe
    texts = [f"{safe} can be fixed with --fix"] * bool(safe)
    texts += [f"{unsafe} {'more ' * bool(safe)}with --fix --unsafe-fixes, which you should look at"] * bool(unsafe)
    if unsafe and not safe:
        texts = [f"{unsafe} can be fixed with --fix --unsafe-fixes, which you should look at"]
    return [", ".join(texts)] if texts else []
