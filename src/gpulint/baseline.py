"""Baselines: the findings of a day as a file, so that only those that come later are reported.

An entry is a finding by its fingerprint, which is made of its rule, its file, its object and its place in the object,
and of no line: it stays the same while the finding does, wherever in the file it moves.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import NamedTuple

from gpulint.finding import Reported
from gpulint.report._display import to_json

VERSION = 1


class BaselineError(ValueError):
    """A baseline that cannot be used: one line with the file and the reason."""


class Entry(NamedTuple):
    """A known finding. The fingerprint says which it is; the rest, in the order of the file, says it to people."""

    path: str
    rule: str
    object: str
    node: str
    fingerprint: str


class Compared(NamedTuple):
    """The findings that are not in the baseline, those that are, and the entries that no finding has."""

    new: list[Reported]
    known: list[Reported]
    without: list[Entry]


def entry_of(reported: Reported, root_path: Callable[[str], str]) -> Entry:
    """The entry of a finding; `root_path` turns a report path into one below the project's root."""
    return Entry(
        root_path(reported.place.source.path),
        reported.rule,
        str(reported.ref) if reported.ref is not None else "",
        reported.place.node_path(),
        reported.fingerprint,
    )


def compare(findings: Iterable[Reported], entries: Iterable[Entry]) -> Compared:
    """Tells the findings that are in a baseline from those that are not."""
    known = {entry.fingerprint: entry for entry in entries}
    compared = Compared([], [], [])
    met: set[str] = set()
    for finding in findings:
        (compared.known if finding.fingerprint in known else compared.new).append(finding)
        met.add(finding.fingerprint)
    compared.without.extend(entry for fingerprint, entry in known.items() if fingerprint not in met)
    return compared


def to_text(entries: Iterable[Entry]) -> str:
    """The file of these entries, one a line, sorted: the same for the same findings."""
    lines = ",\n".join(f"    {to_json(entry._asdict()).rstrip()}" for entry in sorted(set(entries)))
    listed = f"[\n{lines}\n  ]" if lines else "[]"
    return f'{{\n  "version": {VERSION},\n  "findings": {listed}\n}}\n'


def read_baseline(path: str) -> list[Entry]:
    """The entries of a file. Raises BaselineError."""
    try:
        with open(path, encoding="utf-8") as file:
            data = json.load(file)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise BaselineError(f"{path}: {reason}; gpulint check --write-baseline writes a baseline") from None
    except (ValueError, RecursionError) as error:
        raise BaselineError(f"{path}: not a baseline of gpulint: {error}") from None
    if not isinstance(data, dict) or data.get("version") != VERSION or not isinstance(data.get("findings"), list):
        raise BaselineError(f"{path}: not a baseline of this gpulint (version {VERSION}): write it anew")
    entries: list[Entry] = []
    for item in data["findings"]:
        values = [item.get(name) for name in Entry._fields] if isinstance(item, dict) else [None]
        if not all(isinstance(value, str) for value in values):
            raise BaselineError(f"{path}: an entry lacks one of {', '.join(Entry._fields)}")
        entries.append(Entry(*values))
    return entries
