"""What a run does with its baseline: leaves out what is known, counts what is gone, writes it anew."""

from __future__ import annotations

import os
from contextlib import suppress

import click

from gpulint import baseline
from gpulint.cli._run import fail, write
from gpulint.discovery import Files, is_inside
from gpulint.lint import doubtful
from gpulint.load import Loaded
from gpulint.report import Report
from gpulint.report._display import visible


def apply(report: Report, loaded: Loaded, files: Files, path: str, *, rewrite: bool) -> None:
    """Takes the findings that the baseline at a path knows out of a report, or makes all of them known to it.

    What a run cannot tell of (other files, rules that did not run) stays in a baseline that is written anew.
    """
    entries: list[baseline.Entry] = []
    try:
        if not rewrite or os.path.lexists(path):
            entries = baseline.read_baseline(path)
    except baseline.BaselineError as error:
        fail(str(error))
    compared = baseline.compare(report.findings, entries)
    gone = [entry for entry in compared.without if _is_gone(entry, report, loaded, files)]
    if rewrite:
        kept = set(compared.without) - set(gone)
        now = {baseline.entry_of(finding, report.root_path) for finding in report.findings}
        write(baseline.to_text([*kept, *now]), path)
        count = len(kept) + len(now)
        changes = f"{len(compared.new)} new, {len(gone)} dropped"
        entries_text = "1 entry" if count == 1 else f"{count} entries"
        click.echo(f"gpulint: wrote {entries_text} ({changes}) to {visible(path)}", err=True)
        report.baselined = len(report.findings)
        report.findings = []
    else:
        report.baselined, report.findings = len(compared.known), compared.new
        report.stale_baseline = len(gone)


def _is_gone(entry: baseline.Entry, report: Report, loaded: Loaded, files: Files) -> bool:
    """Whether this run would have found it, were it still there."""
    not_whole = doubtful(loaded)
    if not_whole is None or entry.rule not in report.rules:
        return False
    path = os.path.join(files.root, entry.path)
    seen = {report.root_path(shown) for shown in loaded.scope - not_whole}
    if entry.path in seen:
        return True
    missing = False
    with suppress(OSError, ValueError):
        missing = not os.path.lexists(path)
    return missing and any(is_inside(os.path.normpath(path), folder) for folder in files.folders)
