"""How a YAML scalar's text becomes a value, as kubectl reads it, and where each of its characters stands."""

from __future__ import annotations

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
# Python refuses to convert longer digit strings, and no field of a manifest needs them.
_LONGEST_NUMBER = 400


@cache
def _float_pattern() -> re.Pattern[str]:
    return re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")


def resolve_plain(text: str) -> Scalar:
    """The value of a plain (unquoted, untagged) scalar.

    Source: sigs.k8s.io/yaml goyaml.v2 resolve.go.
    """
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if text[0] not in "0123456789-+." or len(text) > _LONGEST_NUMBER:
        return text
    digits = text.replace("_", "")
    sign = -1 if digits[0] == "-" else 1
    body = digits[1:] if digits[0] in "+-" else digits
    if body.isascii() and body.isdigit():
        if len(body) > 1 and body[0] == "0":
            return sign * int(body, 8) if not set(body) & {"8", "9"} else float(digits)
        return sign * int(body)
    for prefix, base in (("0x", 16), ("0X", 16), ("0b", 2), ("0B", 2), ("0o", 8), ("0O", 8)):
        if body.startswith(prefix):
            try:
                return sign * int(body[2:], base)
            except ValueError:
                return text
    if _float_pattern().fullmatch(digits):
        return float(digits)
    return text


_ESCAPE_LENGTHS = {"x": 4, "u": 6, "U": 10}


def character_offsets(raw: str, value: str, style: str | None) -> list[int]:
    """For each character of a scalar's value, its offset in the raw text; one more entry for the end.

    Line folding, indentation, block headers, quotes and escapes are stepped over. `style` is the
    indicator character (`'`, `"`, `|`, `>`), or None or "" for a plain scalar.
    """
    if len(raw) == len(value) + (2 if style in ("'", '"') else 0) and value in raw:
        # On one line and without an escape: the text is the value, between its quotes if it has any.
        first = 1 if style in ("'", '"') else 0
        return list(range(first, first + len(value) + 1))
    at = 0
    if style in ("|", ">"):
        at = raw.find("\n") + 1
        if at == 0:
            at = len(raw)
    elif style in ("'", '"'):
        at = 1
    offsets: list[int] = []
    length = len(raw)
    for character in value:
        while at < length and raw[at] != character:
            if style == '"' and raw[at] == "\\":
                if raw[at + 1 : at + 2] in ("\n", "\r"):  # an escaped line break joins two lines without a space
                    at += 2
                    continue
                break
            if not raw[at].isspace():
                break
            if character == " " and raw[at] == "\n":  # folding turned this line break into the space
                break
            at += 1
        offsets.append(at)
        if at >= length:
            continue
        if style == '"' and raw[at] == "\\":
            at += _ESCAPE_LENGTHS.get(raw[at + 1 : at + 2], 2)
        elif style == "'" and character == "'":
            at += 2
        elif raw[at] == character or (character == " " and raw[at] == "\n"):
            at += 1
    offsets.append(at)
    return offsets
