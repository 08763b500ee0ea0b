"""Kubernetes quantities and durations as numbers."""

from __future__ import annotations

import math

# Suffixes of resource.Quantity. Source: k8s.io/apimachinery pkg/api/resource/quantity.go and suffix.go.
_SUFFIXES = {
    "Ki": 2.0**10, "Mi": 2.0**20, "Gi": 2.0**30, "Ti": 2.0**40, "Pi": 2.0**50, "Ei": 2.0**60,
    "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15, "E": 1e18,
}  # fmt: skip
# Divided by, so that 700m is 0.7 and not its neighbour.
_FRACTIONS = {"m": 1e3, "u": 1e6, "n": 1e9}
_NUMBER_CHARACTERS = frozenset("0123456789.eE+-")
_DURATION_UNITS_S = {
    "ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3,
    "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0, "y": 31536000.0,
}  # fmt: skip


def quantity(value: object) -> float | None:
    """The number a Kubernetes quantity stands for (`16Gi`, `700m`, `4`), or None if it is none."""
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, int | float):
        return _finite(value)
    text = str(value).strip()
    if text and text[-1] in "0123456789.":
        return _number(text)
    for length in (2, 1):
        suffix, digits = text[-length:], text[:-length]
        if suffix in _SUFFIXES or suffix in _FRACTIONS:
            # An exponent and a suffix exclude each other.
            number = _number(digits) if "e" not in digits and "E" not in digits else None
            if number is None:
                return None
            return number / _FRACTIONS[suffix] if suffix in _FRACTIONS else number * _SUFFIXES[suffix]
    return None


def quantity_mib(value: object) -> float | None:
    """A quantity of bytes, in MiB."""
    size = quantity(value)
    return None if size is None else size / 2**20


def whole(value: object) -> int | None:
    """A quantity that is a whole number, or None."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    number = quantity(value)
    return int(number) if number is not None and number == int(number) else None


def duration_s(value: object) -> float | None:
    """Seconds of a Prometheus or Go duration (`5m`, `1h30m`, `90s`); a bare number is seconds. None if it is none.

    Source: prometheus/common model.ParseDuration; Go time.ParseDuration.
    """
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, int | float):
        return _finite(value)
    text, total, digits = str(value).strip(), 0.0, ""
    if not text:
        return None
    if text[-1] in "0123456789.":
        return _number(text)
    at = 0
    while at < len(text):
        if text[at] in "0123456789.":
            digits += text[at]
            at += 1
            continue
        unit = next((u for u in (text[at : at + 2], text[at]) if u in _DURATION_UNITS_S), None)
        number = _number(digits)
        if unit is None or number is None:
            return None
        total += number * _DURATION_UNITS_S[unit]
        at += len(unit)
        digits = ""
    return None if digits else total


def _finite(value: float) -> float | None:
    try:
        number = float(value)
    except OverflowError:  # an integer beyond the doubles
        return None
    return number if math.isfinite(number) else None


def _number(text: str) -> float | None:
    if not text or len(text) > 40 or not _NUMBER_CHARACTERS.issuperset(text):
        return None
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
