"""How a YAML scalar's text becomes a value, as kubectl reads it, and where each of its characters stands."""

from __future__ import annotations

import math
import re
from functools import cache

Scalar = str | int | float | bool | None

# kubectl reads YAML through sigs.k8s.io/yaml, a fork of go-yaml v2 (its resolve.go): YAML 1.1 booleans
# with the single letters, octal by a leading zero, underscores in numbers, no sexagesimal numbers.
NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_CONSTANTS: dict[str, Scalar] = {
    **dict.fromkeys(NULLS, None),
    **dict.fromkeys(("y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"), True),
    **dict.fromkeys(("n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"), False),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), float("inf")),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), float("-inf")),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
}
# Longer digit strings are out of a double's range whatever they hold, and Python refuses to convert huge ones.
_LONGEST_NUMBER = 400


@cache
def _float_pattern() -> re.Pattern[str]:
    return re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")


@cache
def _prefixed_pattern() -> re.Pattern[str]:
    return re.compile(r"0(?:[xX][0-9a-fA-F]+|[oO][0-7]+|[bB][01]+|[0-7]+)")


def resolve_plain(text: str) -> Scalar:
    """The value of a plain (unquoted, untagged) scalar.

    A number that no 64-bit integer and no double can hold (`1e400`) stays text; a date is text too.
    Source: sigs.k8s.io/yaml goyaml.v2 resolve.go.
    """
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if text[0] not in "0123456789-+." or len(text) > _LONGEST_NUMBER:
        return text
    # Underscores may stand in numbers, except in those that begin with their point.
    digits = text.replace("_", "") if "_" in text and text[0] != "." else text
    negative = digits[0] == "-"
    body = digits[1:] if digits[0] in "+-" else digits
    if body.isascii() and body.isdigit() and (body[0] != "0" or len(body) == 1):
        return _integer(int(body), negative, digits)
    if body[:1] == "0" and _prefixed_pattern().fullmatch(body):
        base = {"x": 16, "o": 8, "b": 2}.get(body[1].lower())
        number = int(body[2:], base) if base is not None else int(body, 8)
        return _integer(number, negative, digits if base is None else text)
    return _double(digits, text)


def _integer(magnitude: int, negative: bool, digits: str) -> Scalar:
    """A 64-bit integer; a larger one is a double if it is written in decimal digits."""
    if magnitude < 2**64 and not (negative and magnitude > 2**63):
        return -magnitude if negative else magnitude
    return _double(digits, digits)


def _double(digits: str, text: str) -> Scalar:
    if _float_pattern().fullmatch(digits):
        number = float(digits)
        if math.isfinite(number):
            return number
    return text


_ESCAPE_LENGTHS = {"x": 4, "u": 6, "U": 10}
_BREAKS = ("\n", "\r")


def character_offsets(raw: str, value: str, style: str | None) -> list[int]:
    """For each character of a scalar's value, its offset in the raw text; one more entry for the end.

    `raw` begins at the scalar itself, behind its anchor and tag. Line folding, indentation, block headers, quotes
    and escapes are stepped over: a fold or an escape stands where its first character does. `style` is the
    indicator character (`'`, `"`, `|`, `>`), or None or "" for a plain scalar.
    Source of the folding: YAML 1.2.2, 6.5, 7.3 and 8.1.
    """
    quotes = 2 if style in ("'", '"') else 0
    if len(raw) == len(value) + quotes and style not in ("|", ">"):
        # Folds and escapes only ever shorten: each character of the text is one of the value.
        first = quotes // 2
        return list(range(first, first + len(value) + 1))
    offsets, end = _block_offsets(raw, value, style == ">") if style in ("|", ">") else _flow_offsets(raw, style)
    # Chomping drops line breaks at the end; what could not be accounted for stands at the end.
    if len(offsets) > len(value):
        end = offsets[len(value)]
        del offsets[len(value) :]
    offsets += [end] * (len(value) + 1 - len(offsets))
    return offsets


def _flow_offsets(raw: str, style: str | None) -> tuple[list[int], int]:
    """Offsets of the characters of a plain or quoted scalar, and of its end."""
    quoted = style in ("'", '"')
    at, end = (1, len(raw) - 1) if quoted else (0, len(raw))
    offsets: list[int] = []
    while at < end:
        character = raw[at]
        if character in " \t\r\n":
            at = _white_offsets(raw, at, end, offsets, folds=0)
        elif character == "\\" and style == '"':
            if raw[at + 1 : at + 2] in _BREAKS:
                at = _white_offsets(raw, at + 1, end, offsets, folds=1)
            else:
                offsets.append(at)
                at += _ESCAPE_LENGTHS.get(raw[at + 1], 2)
        else:
            offsets.append(at)
            at += 2 if character == "'" and style == "'" else 1
    return offsets, end


def _white_offsets(raw: str, at: int, end: int, offsets: list[int], *, folds: int) -> int:
    """Adds the characters that a run of white space stands for; returns the run's end.

    One line break is a space, each further one a line break; an escaped break (`folds` is 1) is nothing at all.
    """
    after = at
    breaks: list[int] = []
    while after < end and raw[after] in " \t\r\n":
        if raw[after] in _BREAKS:
            breaks.append(after)
            after += raw.startswith("\r\n", after)
        after += 1
    if not breaks:
        offsets.extend(range(at, after))
    elif folds or len(breaks) > 1:
        offsets.extend(breaks[1:])
    else:
        offsets.append(breaks[0])
    return after


def _block_offsets(raw: str, value: str, folded: bool) -> tuple[list[int], int]:
    """Offsets of the characters of a literal or folded block, and of its end; chomped line breaks included."""
    lines = raw.splitlines(keepends=True) if "\r" in raw else raw.split("\n")
    at = len(lines[0]) + ("\r" not in raw)
    indent = _indentation(lines[1:], value)
    offsets: list[int] = []
    breaks: list[int] = []
    was_text = False
    for line in lines[1:]:
        content = line.rstrip("\r\n")
        if len(content) > indent:
            is_text = content[indent] not in " \t"
            if folded and was_text and is_text:
                offsets.extend(breaks[1:] if len(breaks) > 1 else breaks)
            else:
                offsets.extend(breaks)
            offsets.extend(range(at + indent, at + len(content)))
            breaks = []
            was_text = is_text
        breaks.append(at + len(content))
        at += len(line) + ("\r" not in raw)
    return offsets + breaks, len(raw)


def _indentation(lines: list[str], value: str) -> int:
    """How far a block's content is indented: by what its first line that is no blank lost on the way to the value."""
    first = next((line for line in lines if line.strip(" \r\n")), None)
    if first is not None:
        shown = next((line for line in value.split("\n") if line.strip(" ")), "")
        return max(0, _leading(first) - _leading(shown))
    # Blanks alone: the longest line tells, unless all of them are shorter than the indentation.
    longest = max((len(line.rstrip("\r\n")) for line in lines), default=0)
    return longest - max(map(len, value.split("\n")))


def _leading(line: str) -> int:
    return len(line) - len(line.lstrip(" "))
