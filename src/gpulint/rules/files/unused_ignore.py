"""A comment or an annotation that ignores a rule which finds nothing there."""

from __future__ import annotations

from collections.abc import Iterator

from gpulint.finding import Finding, Fix
from gpulint.model.ignores import Ignore
from gpulint.rules import rule
from gpulint.source.edits import Change, CutComment, RemoveComment, RemoveEntry, ReplaceText
from gpulint.source.text import Place


@rule("unused-ignore")
def check(ignore: Ignore) -> Iterator[Finding]:
    where = _where(ignore)
    for name, place in ignore.unused:
        yield Finding(
            place=place,
            message=f"The rule {name} is ignored here, and finds nothing {where}. Left behind, this hides the mistake "
            "when it comes back.",
            help="Remove the name, or all of it where it is the only one. If the finding has moved, move this along.",
            fix=_fix(ignore, name, place),
        )


def _fix(ignore: Ignore, name: str, place: Place) -> Fix:
    """Takes away the name, or the whole ignore where none of its names is of use."""
    source = place.source
    at = [other for _, other in ignore.names].index(place)
    if len(ignore.unused) == len(ignore.names):
        whole: Change = RemoveEntry(place, prune=True) if ignore.objects else RemoveComment(ignore.place)
        return Fix("Remove the ignore", [whole])
    if at + 1 < len(ignore.names):
        part = Place(source, place.start, ignore.names[at + 1][1].start, place.path)
    else:
        part = Place(source, ignore.names[at - 1][1].end, place.end, place.path)
    return Fix(f"Remove {name}", [ReplaceText(part, part.text(), "") if ignore.objects else CutComment(part)])


def _where(ignore: Ignore) -> str:
    if ignore.ref is not None:
        return f"in {ignore.ref}"
    if ignore.lines is None:
        return "in this file"
    if not ignore.lines:
        return "on the line below, which is empty or missing"
    first, last = min(line for line, _ in ignore.lines), max(line for _, line in ignore.lines)
    return f"on line {first}" if first == last else f"on lines {first} to {last}"
