"""Values as Go's fmt package prints them, and its Printf. Source: Go, src/fmt/print.go, format.go and doc.go."""

from __future__ import annotations

import math
import re
from functools import cache

from gpulint.source.gotemplate.unknown import LimitReached, is_unknown

_DEEPEST = 60
_MOST_NODES = 50_000
_WIDEST = 1000


def printed(value: object) -> str:
    """A value as `%v`. Raises LimitReached for one that holds too much: values may hold each other, many times over."""
    return _printed(value, 0, [_MOST_NODES])


def _printed(value: object, depth: int, room: list[int]) -> str:
    if isinstance(value, str):
        return value
    if value is None:
        return "<nil>"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return shortest(value)
    if not isinstance(value, (dict, list)):
        return str(value)
    room[0] -= len(value) + 1
    if depth > _DEEPEST or room[0] < 0:
        raise LimitReached("a value that is too large to print")
    if isinstance(value, dict):
        entries = (f"{key}:{_printed(value[key], depth + 1, room)}" for key in sorted(value))
        return f"map[{' '.join(entries)}]"
    return f"[{' '.join(_printed(element, depth + 1, room) for element in value)}]"


def shortest(value: float, exponent_below: int = -4, exponent_from: int = 6) -> str:
    """A float64 in the fewest digits that give it back, with an exponent for what is smaller or larger.

    The limits are those of `%v`; JSON's are -6 and 21.
    """
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    sign = "-" if value < 0 or (value == 0 and str(value)[0] == "-") else ""
    mantissa, _, written = repr(abs(value)).partition("e")
    whole, _, fraction = mantissa.partition(".")
    if fraction == "0":
        fraction = ""
    digits = (whole + fraction).lstrip("0")
    point = len(whole) + int(written or 0) - (len(whole + fraction) - len(digits))
    digits = digits.rstrip("0")
    if not digits:
        return f"{sign}0"
    exponent = point - 1
    if exponent < exponent_below or exponent >= exponent_from:
        tail = f".{digits[1:]}" if len(digits) > 1 else ""
        return f"{sign}{digits[0]}{tail}e{'-' if exponent < 0 else '+'}{abs(exponent):02d}"
    if point <= 0:
        return f"{sign}0.{'0' * -point}{digits}"
    whole, fraction = digits[:point].ljust(point, "0"), digits[point:]
    return f"{sign}{whole}.{fraction}" if fraction else f"{sign}{whole}"


def quoted(text: str) -> str:
    """A text in double quotes, as `%q`. Source: Go, strconv.Quote."""
    found = ['"']
    for character in text:
        escape = _ESCAPES.get(character)
        if escape is not None:
            found.append(escape)
        elif character.isprintable() or is_unknown(character):
            found.append(character)
        else:
            code = ord(character)
            if code < 0x80:
                found.append(f"\\x{code:02x}")
            else:
                found.append(f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}")
    found.append('"')
    return "".join(found)


_ESCAPES = {
    '"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r", "\a": "\\a", "\b": "\\b", "\f": "\\f", "\v": "\\v",
}  # fmt: skip


@cache
def _verb() -> re.Pattern[str]:
    return re.compile(r"%([-+# 0]*)(\d+)?(?:\.(\d*))?(.)", re.DOTALL)


def formatted(template: str, arguments: list[object]) -> str:
    """`fmt.Sprintf`. What is unknown is written as it is, whatever the verb."""
    found: list[str] = []
    at = used = 0
    for match in _verb().finditer(template):
        found.append(template[at : match.start()])
        at = match.end()
        flags, width, precision, verb = match.groups()
        if verb == "%":
            found.append("%")
            continue
        if used >= len(arguments):
            found.append(f"%!{verb}(MISSING)")
            continue
        text = _formatted(verb, flags, precision, arguments[used])
        used += 1
        if width is not None:
            wide = min(int(width), _WIDEST)
            if "-" in flags:
                text = text.ljust(wide)
            elif "0" in flags and verb in "dxXfFgeE":
                text = text.zfill(wide)
            else:
                text = text.rjust(wide)
        found.append(text)
    found.append(template[at:])
    if used < len(arguments):
        rest = ", ".join("<nil>" if each is None else f"{type_name(each)}={printed(each)}" for each in arguments[used:])
        found.append(f"%!(EXTRA {rest})")
    return "".join(found)


def _formatted(verb: str, flags: str, precision: str | None, value: object) -> str:
    if verb == "T":
        return type_name(value)
    if is_unknown(value):
        return quoted(str(value)) if verb == "q" else str(value)
    if verb == "v":
        return printed(value)
    if isinstance(value, str):
        if verb == "s":
            return value if precision is None else value[: int(precision or 0)]
        if verb == "q":
            return quoted(value)
        if verb in "xX":
            return value.encode().hex() if verb == "x" else value.encode().hex().upper()
    elif isinstance(value, bool):
        if verb == "t":
            return printed(value)
    elif isinstance(value, int):
        if verb in "dxXob":
            text = format(value, verb)
            return f"+{text}" if "+" in flags and value >= 0 else text
        if verb in "cq":
            return chr(value) if verb == "c" else f"'{chr(value)}'"
    elif isinstance(value, float):
        if verb in "fFeE":
            digits = min(int(precision or 0) if precision is not None else 6, _WIDEST)
            return format(value, f".{digits}{verb}")
        if verb in "gG":
            return shortest(value) if precision is None else format(value, f".{min(int(precision or 0), 50)}g")
    elif isinstance(value, (list, dict)) and verb in "sdq":
        if isinstance(value, list):
            return f"[{' '.join(_formatted(verb, flags, precision, element) for element in value)}]"
        parts = (_formatted(verb, flags, None, each) for key in sorted(value) for each in (key, value[key]))
        return f"map[{' '.join(f'{key}:{each}' for key, each in zip(parts, parts, strict=True))}]"
    if value is None:
        return f"%!{verb}(<nil>)"
    return f"%!{verb}({type_name(value)}={printed(value)})"


def type_name(value: object) -> str:
    """A value's type as `%T`."""
    if value is None:
        return "<nil>"
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, str):
        return "string"
    if isinstance(value, int):
        return "int"
    if isinstance(value, float):
        return "float64"
    if isinstance(value, dict):
        return "map[string]interface {}"
    return "[]interface {}" if isinstance(value, list) else "struct"
