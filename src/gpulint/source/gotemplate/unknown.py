"""What is not known inside a template: a text with a mark in it, so that it stays visible through every function.

A value that is unknown is a string that holds MARK and a name in parentheses; literal text may stand around it. Written
out, `MARK(name)` becomes `$(name)`, which readers take for a value to be filled in, as `$(NAME)` in a manifest is.
"""

from __future__ import annotations

import re
from functools import cache

# A character for private use: it stands in no template that means something.
MARK = "\ue000"


class TemplateProblem(Exception):  # noqa: N818 - what happened, as a caller reads it
    """The template does not render, as Helm would say too: a missing value, a call of `fail`, a wrong argument."""


class Unknowable(Exception):  # noqa: N818
    """What a function gives for these arguments is not known."""


class LimitReached(TemplateProblem):
    """The template asks for more time or memory than a chart takes."""


class Missing(str):
    """A value that nobody gave, in a document that the defaults switch off: unknown if written, not set if asked."""

    __slots__ = ()


class PartlyKnown(dict[str, object]):
    """A mapping of which more may be known to others: what is not in it is unknown."""

    __slots__ = ("name",)

    def __init__(self, known: dict[str, object], name: str) -> None:
        super().__init__(known)
        self.name = name

    def get(self, key: str, default: object = None) -> object:  # noqa: ARG002
        return self[key] if key in self else unknown(f"{self.name}.{key}")

    def __copy__(self) -> PartlyKnown:
        return PartlyKnown(self, self.name)


def unknown(name: str) -> str:
    return f"{MARK}({name})"


def missing(name: str) -> Missing:
    return Missing(unknown(name))


def is_unknown(value: object) -> bool:
    """Whether a value is a text that is not known, in whole or in part."""
    return isinstance(value, str) and MARK in value


def name_of(value: str) -> str | None:
    """The name of a value that is unknown as a whole; None for one with text around it."""
    found = _whole().fullmatch(value)
    return found[1] if found is not None else None


@cache
def _whole() -> re.Pattern[str]:
    return re.compile(MARK + r"\(([^()]*)\)")


def truth(value: object) -> bool | None:
    """Whether a value is not empty, as `if` and `default` see it; None where that is not known."""
    if isinstance(value, str) and MARK in value:
        if isinstance(value, Missing):
            return False
        return True if _whole().sub("", value) else None
    if value is None or value is False or value == 0 or value == "":
        return False
    if isinstance(value, PartlyKnown):
        return True if value else None
    return len(value) > 0 if isinstance(value, (dict, list)) else True
