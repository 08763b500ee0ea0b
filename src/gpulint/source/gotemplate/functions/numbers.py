"""Functions on numbers. Source: Masterminds/sprig v3 numeric.go, which casts with spf13/cast."""

from __future__ import annotations

import math

from gpulint.source.gotemplate.functions.texts import shown
from gpulint.source.gotemplate.unknown import TemplateProblem

_LONGEST = 40


def integer(value: object) -> int:
    """A value as int64; what is no number is 0."""
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, int):
        return value
    if isinstance(value, float):
        return _wrapped(int(value)) if math.isfinite(value) else 0
    if isinstance(value, str) and len(value) <= _LONGEST:
        text = value.strip() if value.strip() == value else ""
        try:
            # A text goes by Go's own notation: 0x10, 0b1, 010.
            return _wrapped(int(text, 8) if _is_octal(text) else int(text, 0))
        except ValueError:
            return 0
    return 0


def _is_octal(text: str) -> bool:
    digits = text.lstrip("+-")
    return len(digits) > 1 and digits[0] == "0" and digits.isdigit()


def decimal(value: object) -> float:
    """A value as float64; what is no number is 0."""
    if isinstance(value, (bool, int, float)):
        return float(value)
    if isinstance(value, str) and len(value) <= _LONGEST:
        try:
            return float(value)
        except ValueError:
            return 0.0
    return 0.0


def _wrapped(number: int) -> int:
    return (number + 2**63) % 2**64 - 2**63


def _added(*values: object) -> int:
    return _wrapped(sum(map(integer, values)))


def _multiplied(first: object, *others: object) -> int:
    product = integer(first)
    for other in others:
        product = _wrapped(product * integer(other))
    return product


def _divided(one: object, other: object) -> int:
    divisor = integer(other)
    if divisor == 0:
        raise TemplateProblem("integer divide by zero")
    dividend = integer(one)
    quotient = abs(dividend) // abs(divisor)
    return quotient if (dividend < 0) == (divisor < 0) else -quotient


def _modulo(one: object, other: object) -> int:
    return integer(one) - _divided(one, other) * integer(other)


def _rounded(value: object, places: object, *half: object) -> float:
    """Away from zero from a half on."""
    count, number = integer(places), decimal(value)
    if not 0 <= count <= 15:
        return number
    at = decimal(half[0]) if half else 0.5
    power = 10.0**count
    fraction, whole = math.modf(number * power)
    if abs(fraction) >= at:
        whole += math.copysign(1, fraction)
    return whole / power


def _divided_float(first: object, *others: object) -> float:
    found = decimal(first)
    for other in others:
        divisor = decimal(other)
        if divisor == 0:
            raise TemplateProblem("division by zero")
        found /= divisor
    return found


def _subtracted_float(first: object, *others: object) -> float:
    return decimal(first) - sum(map(decimal, others))


def _multiplied_float(first: object, *others: object) -> float:
    found = decimal(first)
    for other in others:
        found *= decimal(other)
    return found


def _atoi(text: object) -> int:
    digits = shown(text)
    return int(digits) if digits.lstrip("+-").isdigit() and len(digits) < 19 else 0


def _to_decimal(value: object) -> int:
    try:
        return int(shown(value)[:_LONGEST], 8)
    except ValueError:
        return 0


FUNCTIONS = {
    "int": integer,
    "int64": integer,
    "float64": decimal,
    "atoi": _atoi,
    "toDecimal": _to_decimal,
    "add": _added,
    "add1": lambda value: _added(value, 1),
    "sub": lambda one, other: _wrapped(integer(one) - integer(other)),
    "mul": _multiplied,
    "div": _divided,
    "mod": _modulo,
    "max": lambda first, *others: max(integer(value) for value in (first, *others)),
    "biggest": lambda first, *others: max(integer(value) for value in (first, *others)),
    "min": lambda first, *others: min(integer(value) for value in (first, *others)),
    "maxf": lambda first, *others: max(decimal(value) for value in (first, *others)),
    "minf": lambda first, *others: min(decimal(value) for value in (first, *others)),
    "addf": lambda *values: sum(map(decimal, values)),
    "add1f": lambda value: decimal(value) + 1,
    "subf": _subtracted_float,
    "mulf": _multiplied_float,
    "divf": _divided_float,
    "ceil": lambda value: float(math.ceil(decimal(value))),
    "floor": lambda value: float(math.floor(decimal(value))),
    "round": _rounded,
}
