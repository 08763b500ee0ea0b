"""A flag that no version of the engine has, but nearly."""

from __future__ import annotations

from collections.abc import Iterator

from gpulint.engines.flags import engines_with, load
from gpulint.finding import Evidence, Finding, Fix
from gpulint.model.engine import Engine, WrongFlag
from gpulint.rules import rule
from gpulint.source.edits import ReplaceText
from gpulint.source.text import Place

_CLOSE = 0.85

_ENDS = (
    'The server ends at the start with "unrecognized arguments", again and again, and the pod keeps its GPUs meanwhile.'
)


@rule("misspelled-engine-flag")
def check(engine: Engine) -> Iterator[Finding]:
    for flag in engine.wrong_flags:
        if flag.added is not None or flag.removed is not None or engines_with(flag.name):
            continue
        from difflib import get_close_matches

        names = [name for each in load(f"{engine.name}.json").flags.values() for name in each.names]
        close = get_close_matches(flag.name.replace("_", "-"), names, n=1, cutoff=_CLOSE)
        if not close:
            continue
        image = engine.container.image
        yield Finding(
            place=flag.place,
            message=f"{flag.name} is no flag of {engine.label}; {close[0]} comes closest. {_ENDS}",
            help=f"Write {close[0]}, if that was meant.",
            evidence=[Evidence("version", engine.version_text, image.place if image is not None else None)],
            fix=_fix(flag, close[0]),
        )


def _fix(flag: WrongFlag, meant: str) -> Fix | None:
    source = flag.place.source
    at = source.text.find(flag.name, flag.place.start, flag.place.end)
    if at < 0 or not meant.startswith("--"):
        return None
    place = Place(source, at, at + len(flag.name), flag.place.path)
    return Fix(f"Write {meant}", [ReplaceText(place, flag.name, meant)], safe=False)
