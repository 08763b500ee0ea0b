"""A flag and its value in one element of a list, with a blank between."""

from __future__ import annotations

from collections.abc import Iterator

from gpulint.finding import Evidence, Finding, Fix
from gpulint.model.engine import Engine
from gpulint.rules import rule
from gpulint.source.edits import ReplaceText

# Whose command lines are read by argparse, or by clap.
_TAKE_EQUALS = frozenset({"vllm", "sglang", "lmdeploy", "tgi"})


@rule("flag-and-value-in-one-argument")
def check(engine: Engine) -> Iterator[Finding]:
    for argument in engine.stray_arguments:
        flag, _, value = argument.value.partition(" ")
        joined = f"{flag}={value.strip()}"
        yield Finding(
            place=argument.place,
            message=f'"{argument.value}" reaches {engine.label} as one argument, blank included: no shell splits the '
            "elements of a list. The engine knows no flag of that name and ends at the start, or takes it for a "
            "model.",
            help=f'Write "{joined}", or two elements.',
            evidence=[Evidence("started by", engine.label, engine.place)],
            fix=Fix(f"Write {joined}", [ReplaceText(argument.place, argument.value, joined)])
            if engine.name in _TAKE_EQUALS and _is_word(value.strip())
            else None,
        )


def _is_word(value: str) -> bool:
    """Whether it is one value; a switch takes none, and `true` behind one is another mistake."""
    return value.lower() not in ("true", "false") and all(char.isalnum() or char in "._/:-" for char in value)
