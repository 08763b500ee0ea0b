"""A comment or an annotation that is to ignore findings and cannot be obeyed."""

from __future__ import annotations

from collections.abc import Iterator

from gpulint.finding import Finding
from gpulint.model.ignores import IGNORE_ANNOTATION, Ignore
from gpulint.rules import rule, rule_names

# Longer ones are no misspelt names; to compare them would take long.
_LONGEST_NAME = 80


@rule("invalid-ignore")
def check(ignore: Ignore) -> Iterator[Finding]:
    if ignore.problem is not None:
        form = (
            f'{IGNORE_ANNOTATION}: "cpu-autoscaling" as an annotation'
            if ignore.objects
            else "# gpulint: ignore[cpu-autoscaling] on the line of the finding or right above it, or "
            "# gpulint: ignore-file[cpu-autoscaling] at the top of the file"
        )
        yield Finding(
            place=ignore.place,
            message=f"This ignores nothing: {ignore.problem}.",
            help=f"Name the rules: {form}.",
        )
    for name, place in ignore.unknown:
        yield Finding(place=place, message=_reason(name), help=_help(name))


def _reason(name: str) -> str:
    if name in rule_names().values():
        return (
            f"The name {name} is that of a family, so this ignores nothing: a rule that is added to the family later "
            "must be seen."
        )
    return f"There is no rule called {name}, so this ignores nothing."


def _help(name: str) -> str:
    from difflib import get_close_matches

    close = get_close_matches(name, rule_names(), n=1) if len(name) <= _LONGEST_NAME else []
    if close:
        return f"Write {close[0]}, if that is the rule that is meant."
    return "Take the name from the finding, where it stands between brackets."
