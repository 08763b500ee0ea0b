"""What `gpulint check` does with fixes: makes them until none is left, then writes them or shows them as a diff."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Sequence

import click

from gpulint.discovery import Files
from gpulint.fix import Changed, Fixes
from gpulint.report import Report
from gpulint.report._display import paint, path_text

# What a fix brings to light is fixed as well; what still changes after so many rounds goes in circles.
_MOST_ROUNDS = 10
_COLORS = {"+": "32", "-": "31", "@": "36"}


def run(
    look: Callable[[], tuple[Report, set[str]]], files: Files, *, unsafe: bool, write: bool
) -> tuple[Report, list[Changed]]:
    """Looks and fixes until nothing changes any more; what then remains, and the files that have changed.

    `look` gives a report and the paths of the files that are its scope: no other is changed.
    Writes them if it is to, and says on stderr how many findings are fixed.
    """
    fixes = Fixes(files, unsafe)
    report, scope = look()
    for _ in range(_MOST_ROUNDS):
        if not fixes.apply(report.findings, scope):
            break
        report, scope = look()
    changed = [change for _, change in sorted(fixes.changed.items()) if change.before != change.after]
    report.errors += fixes.problems.values()
    if write:
        unwritten = fixes.write()
        if unwritten:  # what is reported must be true of what there is
            files.contents.clear()
            report, _ = look()
            report.errors += [*fixes.problems.values(), *unwritten]
            changed = [change for change in changed if change.shown not in {problem.path for problem in unwritten}]
    _say(fixes.fixed, len(changed), "fixed" if write else "would fix")
    return report, changed


def _say(count: int, files: int, verb: str) -> None:
    what = "1 finding" if count == 1 else f"{count} findings"
    where = "1 file" if files == 1 else f"{files} files"
    click.echo(f"gpulint: {verb} {what} in {where}" if files else f"gpulint: {verb} nothing", err=True)


def as_diff(changed: Sequence[Changed], *, color: bool) -> str:
    """A unified diff that `patch` and `git apply` take."""
    shown: list[str] = []
    for change in changed:
        path = path_text(change.shown)
        before, after = (re.findall(r"[^\n]*\n|[^\n]+", text) for text in change.texts())
        for line in difflib.unified_diff(before, after, path, path):
            content = line.removesuffix("\n")
            style = "" if line.startswith(("--- ", "+++ ")) else _COLORS.get(line[:1], "")
            shown.append(paint(content, style, color and bool(style)))
            if content == line:
                shown.append("\\ No newline at end of file")
    return "".join(f"{line}\n" for line in shown)
