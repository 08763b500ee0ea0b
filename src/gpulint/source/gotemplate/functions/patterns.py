"""Regular expressions.

Python's engine tries again where Go's does not: a pattern that could keep it busy is not run.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

from gpulint.source.gotemplate.functions.texts import string, whole_number
from gpulint.source.gotemplate.unknown import TemplateProblem, Unknowable

_LONGEST_PATTERN = 200
# By how many parts of a pattern can repeat without a bound, how long a text may be: what is tried grows with its power.
_LONGEST_TEXTS = {0: 100_000, 1: 4000, 2: 400, 3: 100}
# What the two languages read differently.
_OTHER_MEANING = ("[[:", "\\p", "\\P", "\\z", "\\Z", "\\Q", "\\C", "(?U", "\\x{", "(?=", "(?!", "(?<", "(?(", "\\h")


@cache
def _compiled(pattern: str) -> tuple[re.Pattern[str], int] | None:
    """The pattern with how many of its parts repeat without a bound; None for one that is not run."""
    if len(pattern) > _LONGEST_PATTERN or any(mark in pattern for mark in _OTHER_MEANING):
        return None
    from re import _parser  # type: ignore[attr-defined]  # what `re` itself reads patterns with

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            repeats = _repeats(_parser.parse(pattern), inside=False)
            compiled = re.compile(pattern, re.ASCII)
    except (re.error, RecursionError, OverflowError):
        raise TemplateProblem("a regular expression that cannot be read") from None
    return (compiled, repeats) if repeats is not None and repeats in _LONGEST_TEXTS else None


def _repeats(parts: Iterable[tuple[Any, Any]], *, inside: bool) -> int | None:
    """How many parts repeat; None where one that repeats holds another one, or refers to a group."""
    total = 0
    for operation, argument in parts:
        name = str(operation)
        inner: list[tuple[Iterable[tuple[Any, Any]], bool]] = []
        if name in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"):
            low, high, repeated = argument
            repeats = int(high) > 1 and int(high) != int(low)
            if (inside and repeats) or int(low) > 50 or (int(high) > 50 and not _is_open(high)):
                return None
            total += repeats
            inner = [(repeated, inside or int(high) > 1)]
        elif name == "SUBPATTERN":
            inner = [(argument[-1], inside)]
        elif name == "BRANCH":
            inner = [(branch, inside) for branch in argument[1]]
        elif name in ("GROUPREF", "GROUPREF_EXISTS", "ASSERT", "ASSERT_NOT", "ATOMIC_GROUP"):
            return None
        for each, below in inner:
            found = _repeats(each, inside=below)
            if found is None:
                return None
            total += found
    return total


def _is_open(high: object) -> bool:
    return str(high) == "MAXREPEAT"


def _run(pattern: object, text: object, use: Callable[[re.Pattern[str], str], object]) -> object:
    written, whole = string(pattern), string(text)
    found = _compiled(written)
    # `$` is the very end in Go, and before a last line break too in Python.
    if found is None or len(whole) > _LONGEST_TEXTS[found[1]] or ("$" in written and whole.endswith("\n")):
        raise Unknowable
    return use(found[0], whole)


def _replacement(text: str, *, literal: bool) -> Callable[[re.Match[str]], str]:
    """`$1` and `${name}` in a replacement. Source: Go, regexp.Expand."""

    def expand(match: re.Match[str]) -> str:
        if literal:
            return text

        def group(reference: re.Match[str]) -> str:
            name = reference[1] or reference[2]
            if reference[0] == "$$":
                return "$"
            try:
                return match[int(name) if name.isdigit() else name] or ""
            except (IndexError, KeyError):
                return ""

        return re.sub(r"\$\$|\$(?:\{(\w+)\}|(\w+))", group, text)

    return expand


def _replace_all(pattern: object, text: object, new: object, *, literal: bool = False) -> object:
    by = _replacement(string(new), literal=literal)
    return _run(pattern, text, lambda compiled, whole: compiled.sub(by, whole))


def _find_all(pattern: object, text: object, most: object) -> object:
    limit = whole_number(most)

    def use(compiled: re.Pattern[str], whole: str) -> object:
        found: list[object] = [match[0] for match in compiled.finditer(whole)]
        return found if limit < 0 else found[:limit]

    return _run(pattern, text, use)


def _split(pattern: object, text: object, most: object) -> object:
    limit = whole_number(most)
    if limit == 0:
        return []

    def use(compiled: re.Pattern[str], whole: str) -> object:
        if compiled.groups or limit == 1:  # Python's split gives the groups too
            raise Unknowable
        return list(compiled.split(whole, max(limit - 1, 0)))

    return _run(pattern, text, use)


def _match(pattern: object, text: object) -> object:
    return _run(pattern, text, lambda compiled, whole: compiled.search(whole) is not None)


def _find(pattern: object, text: object) -> object:
    def use(compiled: re.Pattern[str], whole: str) -> object:
        found = compiled.search(whole)
        return found[0] if found is not None else ""

    return _run(pattern, text, use)


def _quote_meta(text: object) -> str:
    return re.sub(r"([\\.+*?()|\[\]{}^$])", r"\\\1", string(text))


FUNCTIONS = {
    "regexMatch": _match,
    "mustRegexMatch": _match,
    "regexFind": _find,
    "mustRegexFind": _find,
    "regexFindAll": _find_all,
    "mustRegexFindAll": _find_all,
    "regexReplaceAll": _replace_all,
    "mustRegexReplaceAll": _replace_all,
    "regexReplaceAllLiteral": lambda pattern, text, new: _replace_all(pattern, text, new, literal=True),
    "mustRegexReplaceAllLiteral": lambda pattern, text, new: _replace_all(pattern, text, new, literal=True),
    "regexSplit": _split,
    "mustRegexSplit": _split,
    "regexQuoteMeta": _quote_meta,
}
