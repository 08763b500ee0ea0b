"""Semantic versions. Source: Masterminds/semver v3, constraints.go."""

from __future__ import annotations

import re
from functools import cache

from gpulint.source.gotemplate.functions.texts import string
from gpulint.source.gotemplate.unknown import TemplateProblem

_LONGEST = 200
_LARGEST = 2**63


@cache
def _version() -> re.Pattern[str]:
    return re.compile(r"v?(\d{1,18})(?:\.(\d{1,18}))?(?:\.(\d{1,18}))?(?:-([0-9A-Za-z.-]+))?(?:\+([0-9A-Za-z.-]+))?")


@cache
def _condition() -> re.Pattern[str]:
    return re.compile(
        r"\s*(=|!=|>=|=>|<=|=<|>|<|~>|~|\^)?\s*(v?(?:\d{1,18}|[xX*])(?:\.(?:\d{1,18}|[xX*])){0,2}(?:-[0-9A-Za-z.-]+)?"
        r"(?:\+[0-9A-Za-z.-]+)?)\s*(?:,|(?=\s|$|[=!<>~^]))"
    )


def _parsed(text: str) -> tuple[tuple[int, int, int], str]:
    match = _version().fullmatch(text) if len(text) <= _LONGEST else None
    if match is None:
        raise TemplateProblem("Invalid Semantic Version")
    return (int(match[1]), int(match[2] or 0), int(match[3] or 0)), match[4] or ""


def _prerelease_key(text: str) -> tuple[object, ...]:
    """A release comes after its prereleases; numbers before words."""
    if not text:
        return (1,)
    return (0, *((0, int(part), "") if part.isdigit() else (1, 0, part) for part in text.split(".")))


def compare(constraint: object, version: object) -> bool:
    """Whether a version satisfies a constraint such as `>=1.19-0` or `^1.2 || 2.x`."""
    written, (numbers, prerelease) = string(constraint), _parsed(string(version))
    if len(written) > _LONGEST:
        raise TemplateProblem("improper constraint")
    return any(_all_hold(part, numbers, prerelease) for part in written.split("||"))


def _all_hold(text: str, numbers: tuple[int, int, int], prerelease: str) -> bool:
    text = re.sub(r"(\S+)\s+-\s+(\S+)", r">=\1 <=\2", text.strip())
    at, holds, found = 0, True, False
    while at < len(text):
        match = _condition().match(text, at)
        if match is None or match.end() == at:
            raise TemplateProblem(f"improper constraint: {text}")
        at, found = match.end(), True
        holds = _holds(match[1] or "=", match[2], numbers, prerelease) and holds
    if not found:
        raise TemplateProblem("improper constraint")
    return holds


def _holds(operator: str, written: str, numbers: tuple[int, int, int], prerelease: str) -> bool:
    base, _, _ = written.lstrip("v").partition("+")
    base, _, own_prerelease = base.partition("-")
    parts = base.split(".")
    given = next((index for index, part in enumerate(parts) if part in "xX*"), len(parts))
    wanted = tuple(int(parts[index]) if index < given else 0 for index in range(3))
    if prerelease and not own_prerelease:
        return operator == "!="
    # From the first number that is left open, any will do.
    last = tuple(wanted[index] if index < given else _LARGEST for index in range(3))
    here, there = (numbers, _prerelease_key(prerelease)), (wanted, _prerelease_key(own_prerelease))
    if operator in ("=", "!="):
        if given == 0:
            return operator == "="
        equal = wanted <= numbers <= last if given < 3 else here == there
        return equal if operator == "=" else not equal
    if operator in (">=", "=>"):
        return here >= there
    if operator in ("<=", "=<"):
        return numbers <= last if given < 3 else here <= there
    if operator == ">":
        return numbers > last if given < 3 else here > there
    if operator == "<":
        return here < there
    if here < there:
        return False
    if operator in ("~", "~>"):
        return given == 0 or (numbers[0] == wanted[0] and (given == 1 or numbers[1] == wanted[1]))
    if given == 0:
        return True
    if wanted[0] > 0 or given == 1:
        return numbers[0] == wanted[0]
    if wanted[1] > 0 or given == 2:
        return numbers[:2] == wanted[:2]
    return numbers == wanted


def _semver(text: object) -> dict[str, object]:
    """The parts of a version, as templates ask for them."""
    (major, minor, patch), prerelease = _parsed(string(text))
    return {
        "Major": major,
        "Minor": minor,
        "Patch": patch,
        "Prerelease": prerelease,
        "Metadata": string(text).partition("+")[2],
        "Original": string(text),
    }


FUNCTIONS = {"semverCompare": compare, "semver": _semver}
