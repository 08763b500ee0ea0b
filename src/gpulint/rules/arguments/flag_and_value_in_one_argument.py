"""A flag and its value in one element of a list, with a blank between."""

from __future__ import annotations

from collections.abc import Iterator

from gpulint.finding import Evidence, Finding
from gpulint.model.engine import Engine
from gpulint.rules import rule


@rule("flag-and-value-in-one-argument")
def check(engine: Engine) -> Iterator[Finding]:
    for argument in engine.stray_arguments:
        flag, _, value = argument.value.partition(" ")
        yield Finding(
            place=argument.place,
            message=f'"{argument.value}" reaches {engine.label} as one argument, blank included: no shell splits the '
            "elements of a list. The engine knows no flag of that name and ends at the start, or takes it for a "
            "model.",
            help=f'Write "{flag}={value.strip()}", or two elements.',
            evidence=[Evidence("started by", engine.label, engine.place)],
        )
