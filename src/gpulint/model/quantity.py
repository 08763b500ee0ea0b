"""Kubernetes quantities and durations as numbers."""

from __future__ import annotations

import math

# Suffixes of resource.Quantity. Source: k8s.io/apimachinery pkg/api/resource/quantity.go and suffix.go.
_SUFFIXES = {
    "Ki": 2.0**10, "Mi": 2.0**20, "Gi": 2.0**30, "Ti": 2.0**40, "Pi": 2.0**50, "Ei": 2.0**60,
    "n": 1e-9, "u": 1e-6, "m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15, "E": 1e18,
}  # fmt: skip
_DURATION_UNITS_S = {
    "ms": 1e-3, "us": 1e-6, "ns": 1e-9, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0, "y": 31536000.0,
}  # fmt: skip


def quantity(value: object) -> float | None:
    """The number a Kubernetes quantity stands for (`16Gi`, `700m`, `4`), or None if it is none."""
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, int | float):
        return float(value) if math.isfinite(value) else None
    text = str(value).strip()
    for length in (2, 1):
        factor = _SUFFIXES.get(text[-length:])
        if factor is not None and len(text) > length:
            number = _number(text[:-length])
            return None if number is None else number * factor
    return _number(text)


def quantity_mib(value: object) -> float | None:
    """A quantity of bytes, in MiB."""
    size = quantity(value)
    return None if size is None else size / 2**20


def whole(value: object) -> int | None:
    """A quantity that is a whole number, or None."""
    number = quantity(value)
    return int(number) if number is not None and number == int(number) else None


def duration_s(value: object) -> float | None:
    """Seconds of a Prometheus or Go duration (`5m`, `1h30m`, `90s`); a bare number is seconds. None if it is none.

    Source: prometheus/common model.ParseDuration; Go time.ParseDuration.
    """
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, int | float):
        return float(value)
    text, total, digits = str(value).strip(), 0.0, ""
    if not text:
        return None
    if _number(text) is not None:
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


def _number(text: str) -> float | None:
    if not text or len(text) > 40 or text[-1] in "_ " or not text.isascii() or not set(text) <= set("0123456789.eE+-"):
        return None
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
