"""A comment or an annotation that ignores a rule which finds nothing there."""

from __future__ import annotations

from collections.abc import Iterator

from gpulint.finding import Finding
from gpulint.model.ignores import Ignore
from gpulint.rules import rule


@rule("unused-ignore")
def check(ignore: Ignore) -> Iterator[Finding]:
    where = _where(ignore)
    for name, place in ignore.unused:
        yield Finding(
            place=place,
            message=f"The rule {name} is ignored here, and finds nothing {where}. Left behind, this hides the mistake "
            "when it comes back.",
            help="Remove the name, or all of it where it is the only one. If the finding has moved, move this along.",
        )


def _where(ignore: Ignore) -> str:
    if ignore.ref is not None:
        return f"in {ignore.ref}"
    if ignore.lines is None:
        return "in this file"
    if not ignore.lines:
        return "on the line below, which is empty or missing"
    first, last = min(line for line, _ in ignore.lines), max(line for _, line in ignore.lines)
    return f"on line {first}" if first == last else f"on lines {first} to {last}"
