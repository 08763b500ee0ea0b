"""Scalars become the values that kubectl reads, and each of their characters keeps its place."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpulint.source.scalars import Scalar, character_offsets, resolve_plain


# The expected values follow sigs.k8s.io/yaml goyaml.v2 resolve.go.
@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("~", None),
        ("null", None),
        ("Null", None),
        ("NULL", None),
        ("nULL", "nULL"),
        ("y", True),
        ("Y", True),
        ("yes", True),
        ("on", True),
        ("On", True),
        ("true", True),
        ("TRUE", True),
        ("tRUE", "tRUE"),
        ("n", False),
        ("no", False),
        ("No", False),
        ("off", False),
        ("OFF", False),
        ("False", False),
        ("None", "None"),
        ("0", 0),
        ("1", 1),
        ("-1", -1),
        ("+1", 1),
        ("1_000", 1000),
        ("1__0", 10),
        ("-0", 0),
        ("0777", 511),
        ("-010", -8),
        ("0o17", 15),
        ("0O17", 15),
        ("00", 0),
        ("089", 89.0),
        ("0_7", 7),
        ("0x1F", 31),
        ("0X1f", 31),
        ("-0x10", -16),
        ("0x_1", 1),
        ("0b101", 5),
        ("-0b11", -3),
        ("+0b1", 1),
        ("0x", "0x"),
        ("0x-1", "0x-1"),
        ("0x 1", "0x 1"),
        ("0b2", "0b2"),
        ("0o8", "0o8"),
        ("0x１", "0x１"),
        ("-0x-1", "-0x-1"),
        ("1.5", 1.5),
        ("1.", 1.0),
        (".5", 0.5),
        ("+.5", 0.5),
        ("-.5e-3", -0.0005),
        ("1e3", 1000.0),
        ("1E+3", 1000.0),
        ("1_0.5", 10.5),
        (".5_0", ".5_0"),
        ("1e", "1e"),
        ("1.2.3", "1.2.3"),
        (".", "."),
        ("-", "-"),
        ("+", "+"),
        ("--1", "--1"),
        (".inf", math.inf),
        ("-.INF", -math.inf),
        ("+.Inf", math.inf),
        ("inf", "inf"),
        ("nan", "nan"),
        (".infinity", ".infinity"),
        ("1e400", "1e400"),
        ("-1e400", "-1e400"),
        ("9223372036854775807", 2**63 - 1),
        ("18446744073709551615", 2**64 - 1),
        ("18446744073709551616", float(2**64)),
        ("-9223372036854775808", -(2**63)),
        ("-9223372036854775809", float(-(2**63))),
        ("0xffffffffffffffff1", "0xffffffffffffffff1"),
        ("1:30", "1:30"),
        ("190:20:30", "190:20:30"),
        ("2001-01-01", "2001-01-01"),
        ("1,000", "1,000"),
        ("4Gi", "4Gi"),
        ("１２", "１２"),
        ("1１", "1１"),
        ("v1", "v1"),
        ("1 2", "1 2"),
    ],
)
def test_plain_scalars_resolve_as_kubectl_does(text: str, value: Scalar) -> None:
    resolved = resolve_plain(text)
    assert resolved == value
    assert type(resolved) is type(value)


def test_not_a_number_is_one_of_the_constants() -> None:
    value = resolve_plain(".nan")
    assert isinstance(value, float)
    assert math.isnan(value)


def test_numbers_out_of_every_range_stay_text() -> None:
    for digits in ("9" * 10_000, "-" + "9" * 10_000, "0" * 5_000, "1" * 399, "0x" + "f" * 300):
        assert resolve_plain(digits) == digits


@given(st.integers(-(2**63), 2**64 - 1))
def test_every_64_bit_integer_is_itself(number: int) -> None:
    assert resolve_plain(str(number)) == number


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_double_is_itself(number: float) -> None:
    assert resolve_plain(repr(number)) == number


@given(st.text(st.characters(codec="utf-8"), max_size=12) | st.text("0123456789xXoObBeE+-._~", max_size=8))
def test_no_text_raises(text: str) -> None:
    value = resolve_plain(text)
    if isinstance(value, str):
        assert value == text
    if isinstance(value, float) and text.strip("+-")[:2].lower() not in (".i", ".n"):
        assert math.isfinite(value)


@pytest.mark.parametrize(
    ("style", "raw", "value", "expected"),
    [
        (None, "abc", "abc", [0, 1, 2]),
        (None, "a\n  b", "a b", [0, 1, 4]),
        (None, "a  \r\n  b", "a b", [0, 3, 7]),
        (None, "a\n\n\n b", "a\n\nb", [0, 2, 3, 5]),
        (None, "a b", "a b", [0, 1, 2]),
        ("'", "'it''s'", "it's", [1, 2, 3, 5]),
        ("'", "'a\n  b'", "a b", [1, 2, 5]),
        ('"', '"a\\nb"', "a\nb", [1, 2, 4]),
        ('"', '"\\x41\\u00e9\\U0001F600z"', "Aé😀z", [1, 5, 11, 21]),
        ('"', '"a\\\n   b"', "ab", [1, 7]),
        ('"', '"a\\\r\n   b"', "ab", [1, 8]),
        ('"', '"a\\\n   \\ b"', "a b", [1, 7, 9]),
        ('"', '"a\\\n   \\\\b"', "a\\b", [1, 7, 9]),
        ('"', '"a\\\n\n b"', "a\nb", [1, 4, 6]),
        ('"', '"a \\\n b"', "a b", [1, 2, 6]),
        ("|", "|\n  a\n  b\n", "a\nb\n", [4, 5, 8, 9]),
        ("|", "|-\n  a\n  b\n", "a\nb", [5, 6, 9]),
        ("|", "|+ # c\n  a\n\n", "a\n\n", [9, 10, 11]),
        ("|", "|2\n   a\n", " a\n", [5, 6, 7]),
        ("|", "|\r\n  a\r\n  b\r\n", "a\nb\n", [5, 6, 10, 11]),
        ("|", "|\n\n  a\n    b\n", "\na\n  b\n", [2, 5, 6, 9, 10, 11, 12]),
        (">", ">\n  a\n  b\n", "a b\n", [4, 5, 8, 9]),
        (">", ">-\n  a\n\n  b\n", "a\nb", [5, 7, 10]),
        (">", ">\n  a\n    b\n  c\n", "a\n  b\nc\n", [4, 5, 8, 9, 10, 11, 14, 15]),
        (">", ">-\n\n  a\n", "\na", [3, 6]),
        ("|", "|", "", []),
        ("|", "|\n", "", []),
    ],
)
def test_every_character_of_a_value_stands_where_it_was_written(
    style: str | None, raw: str, value: str, expected: list[int]
) -> None:
    offsets = character_offsets(raw, value, style)
    assert offsets[:-1] == expected
    assert len(offsets) == len(value) + 1
    assert offsets == sorted(offsets)
    assert offsets[-1] <= len(raw)
