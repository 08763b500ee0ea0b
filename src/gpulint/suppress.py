"""Comments and annotations that ignore findings: what they ask for, what they silence, and which of them are idle.

Imported only by a run in whose files the word `gpulint:` or the annotation occurs.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from itertools import islice
from typing import TYPE_CHECKING

from gpulint import readers
from gpulint.model.ignores import Ignore
from gpulint.rules import rule_names
from gpulint.source.comments import Comment, comments
from gpulint.source.templates import template_mark
from gpulint.source.text import NodePath, Place, Source

if TYPE_CHECKING:
    from gpulint.finding import Reported
    from gpulint.lint import Raw
    from gpulint.model.values import ObjectRef

WORD = "gpulint:"
# Rules about ignores themselves: naming one in an ignore is no idle wish, it keeps the ignore from being reported.
ABOUT_IGNORES = ("invalid-ignore", "unused-ignore")
_DIRECTIVE = r"(?:[#;]|\{\{-?[ \t]*/\*)[ \t]*gpulint:[ \t]*([a-z][a-z-]*)[ \t]*(?:\[([^\]\r\n]*)(\]?))?"
# What people write who expect a linter to take it; anything else behind `gpulint:` is prose.
_ATTEMPTS = ("allow", "disable", "enable", "ignore", "no-", "nolint", "noqa", "off", "skip", "suppress")
_MOST_NAMES = 50
_LANGUAGES = {
    "shell_scripts": "shell",
    "python_launchers": "python",
    "dockerfiles": "dockerfile",
    "systemd_units": "systemd",
}
_ENVIRONMENT = (".env", ".properties", ".conf", ".cfg", ".ini")


def language_of(source: Source) -> str:
    """The language whose comments a source has, as `comments` calls it."""
    name = source.path.rpartition("/")[2].lower()
    if name.endswith(".json"):
        return "json"
    if name.endswith(_ENVIRONMENT) or name.startswith(".env"):
        return "lines"
    reader = readers.text_reader(source.path, source.text[:128])
    if reader is None:
        return "yaml"
    return _LANGUAGES.get(reader.module.__name__.rpartition(".")[2], "lines")


def ignores_of(source: Source) -> list[Ignore]:
    """The ignores that the comments of a source hold, with those that say something else than they mean."""
    found: list[Ignore] = []
    for comment in comments(source, language_of(source), WORD):
        text = source.text[comment.start : comment.end]
        for match in islice(re.finditer(_DIRECTIVE, text), _MOST_NAMES):
            ignore = _ignore(source, comment, match)
            # Inside a value it may be anything's text: it counts where it can be obeyed, and is not spoken of.
            if ignore is not None and (comment.inside is None or ignore.problem is None):
                found.append(ignore)
    return found


def _ignore(source: Source, comment: Comment, match: re.Match[str]) -> Ignore | None:
    verb, names, closed = match[1], match[2], match[3]
    at = comment.start + match.start()
    place = Place(source, at, comment.start + match.end(), (None, "gpulint"))
    place.end = at + len(place.text().rstrip())
    if verb not in ("ignore", "ignore-file"):
        if not verb.startswith(_ATTEMPTS):
            return None
        return Ignore(place, [], problem=f"`{verb}` is no word of gpulint's")
    path: NodePath = (place.path, verb)
    whole_file = verb == "ignore-file"
    ignore = Ignore(
        place,
        _split(source, names or "", comment.start + match.start(2), path) if names is not None else [],
        lines=None if whole_file else comment.lines,
        inside=comment.inside,
    )
    if not ignore.names:
        ignore.problem = "it names no rule"
    elif len(ignore.names) > _MOST_NAMES:
        ignore.problem = f"it names more than {_MOST_NAMES} rules"
    elif not closed:
        ignore.problem = "the bracket behind its names is not closed"
    elif whole_file and not comment.in_head:
        ignore.problem = "it speaks of the whole file, and stands below the head of it"
    return ignore


def _split(source: Source, text: str, offset: int, path: NodePath | None) -> list[tuple[str, Place]]:
    """Names with commas between them, each with its place."""
    names: list[tuple[str, Place]] = []
    for match in re.finditer(r"[^,]+", text):
        name = match[0].strip()
        if name:
            start = offset + match.start() + len(match[0]) - len(match[0].lstrip())
            names.append((name, Place(source, start, start + len(name), (path, name))))
    return names


def silencing(raw: Raw, annotations: Iterable[Ignore]) -> list[Ignore]:
    """The annotations that silence a finding: those of its object that name its rule."""
    return [
        ignore
        for ignore in annotations
        if _names(ignore, raw.rule.name)
        and any(_is_of(raw, ref, overlay, ignore.place.source.path) for ref, overlay in ignore.objects)
    ]


def _names(ignore: Ignore, rule: str) -> bool:
    return any(name == rule for name, _ in ignore.names)


def _is_of(raw: Raw, ref: ObjectRef, overlay: str | None, path: str) -> bool:
    """Whether a finding is one of an object that is annotated in the file of a path, or by an overlay."""
    if raw.ref is None or (overlay is not None and _overlay(raw.subject) != overlay):
        return False
    if raw.ref is ref:
        return True
    # Some readers make an object of several parts, each with an identity of its own.
    same = (raw.ref.kind, raw.ref.namespace, raw.ref.name) == (ref.kind, ref.namespace, ref.name)
    return same and overlay is None and path in {place.source.path for place in raw.finding.places()}


def _overlay(subject: object) -> object:
    """The folder of the kustomization that makes this form of a workload; None for the form of its own file."""
    for step in ("container", "pod", "workload"):
        subject = getattr(subject, step, subject)
    return getattr(subject, "overlay", None)


def silenced(reported: Iterable[Reported], ignores: Iterable[Ignore]) -> set[int]:
    """The findings, by their positions, that comments silence; the comments note which rules they did so for."""
    by_name: dict[tuple[str, str], list[Ignore]] = {}
    for ignore in ignores:
        if ignore.problem is None and not ignore.objects:
            for name in {name for name, _ in ignore.names}:
                by_name.setdefault((ignore.place.source.path, name), []).append(ignore)
    found: set[int] = set()
    for index, finding in enumerate(reported):
        for place in finding.finding.places():
            candidates = by_name.get((place.source.path, finding.rule))
            lines = _lines(place) if candidates else (0, 0)
            for ignore in candidates or ():
                if _covers(ignore, place, lines):
                    ignore.used.add(finding.rule)
                    found.add(index)
    return found


def _lines(place: Place) -> tuple[int, int]:
    """The first and the last line of a place; one that ends right behind a line break ends on that line."""
    first, _, last, column = place.region()
    return first, last - (column == 1 and last > first)


def _covers(ignore: Ignore, place: Place, lines: tuple[int, int]) -> bool:
    if ignore.place.start <= place.start < ignore.place.end:  # what is said of itself
        return True
    if ignore.inside is not None and not ignore.inside[0] <= place.start < ignore.inside[1]:
        return False
    if ignore.lines is None:
        return True
    return any(start <= lines[1] and lines[0] <= end for start, end in ignore.lines)


def judge(ignores: Iterable[Ignore], ran: set[str], doubtful: set[str] | None) -> None:
    """Notes the names in ignores that are no rule's, and those of rules that ran and found nothing there.

    `doubtful` are the paths of files that could not be read whole; None where the run did not see all that a finding
    may depend on, so that no ignore can be called idle.
    """
    rules = rule_names()
    is_template = cache(_is_template)
    for ignore in ignores:
        if ignore.problem is not None:
            continue
        known = {name for name, _ in ignore.names if name in rules}
        if ignore.inside is None:
            ignore.unknown = [entry for entry in ignore.names if entry[0] not in known]
            idle = (known & ran) - ignore.used - set(ABOUT_IGNORES)
            if idle and doubtful is not None and ignore.place.source.path not in doubtful:
                if is_template(ignore.place.source):  # other values may bring the finding back
                    continue
                ignore.unused = [entry for entry in ignore.names if entry[0] in idle]


def _is_template(source: Source) -> bool:
    return language_of(source) == "yaml" and template_mark(source.text) is not None
