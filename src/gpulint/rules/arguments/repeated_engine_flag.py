"""A flag that is given twice, with different values."""

from __future__ import annotations

from collections.abc import Iterator

from gpulint.finding import Evidence, Finding
from gpulint.model.engine import Engine
from gpulint.rules import rule


@rule("repeated-engine-flag")
def check(engine: Engine) -> Iterator[Finding]:
    for lost, last in engine.repeated_flags:
        if lost.place is None:
            continue
        is_refused = engine.name in ("tgi", "lorax")  # clap takes a flag of one value once
        then = (
            f"and again with {last.value}: {engine.label} refuses to start."
            if is_refused
            else f"and again with {last.value}: {engine.label} takes the last, and what stands here is not in force."
        )
        yield Finding(
            place=lost.place,
            message=f"{lost.spelled} is given with {lost.value} {then}",
            help="Keep the one that is meant.",
            evidence=[Evidence(last.spelled, last.value, last.place)],
            level="error" if is_refused else None,
        )
