"""Kubernetes quantities and durations as numbers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpulint.model.quantity import duration_s, quantity, quantity_mib, whole


# Source of the syntax: k8s.io/apimachinery pkg/api/resource/quantity.go.
@pytest.mark.parametrize(
    ("value", "number"),
    [
        ("4", 4),
        (4, 4),
        (0.5, 0.5),
        ("0", 0),
        ("-1", -1),
        ("+5", 5),
        ("1.5", 1.5),
        (".5", 0.5),
        ("5.", 5),
        ("700m", 0.7),
        ("1000m", 1),
        ("250u", 0.00025),
        ("3n", 3e-9),
        ("1k", 1e3),
        ("1M", 1e6),
        ("2G", 2e9),
        ("1T", 1e12),
        ("1P", 1e15),
        ("1E", 1e18),
        ("1Ki", 1024),
        ("1.5Gi", 1.5 * 2**30),
        ("16Gi", 2**34),
        ("1Ti", 2**40),
        ("1Pi", 2**50),
        ("1Ei", 2**60),
        ("512Mi", 2**29),
        ("1e3", 1e3),
        ("1E3", 1e3),
        ("12e-1", 1.2),
        (" 4 ", 4),
    ],
)
def test_quantities(value: object, number: float) -> None:
    assert quantity(value) == number


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        False,
        "",
        " ",
        "Gi",
        "m",
        "1K",
        "1KiB",
        "16GB",
        "16 Gi",
        "1e3Gi",
        "1e",
        "e5",
        "1e400",
        "nan",
        "inf",
        "1_000",
        "0x10",
        "--1",
        "1..2",
        "١",
        "９",
        "$(N)",
        "{{ .Values.n }}",
        "<N>",
        "9" * 10_000,
        float("inf"),
        float("nan"),
        10**400,
        [],
        {},
    ],
    ids=str,
)
def test_what_is_no_quantity_is_unknown(value: object) -> None:
    assert quantity(value) is None
    assert duration_s(value) is None or value == " "


def test_whole_numbers() -> None:
    assert whole("2") == 2
    assert whole("2000m") == 2
    assert whole(2.0) == 2
    assert whole("500m") is None
    assert whole("x") is None
    assert whole(True) is None
    assert whole(2**63 - 1) == 2**63 - 1
    assert whole(10**400) == 10**400


@given(st.integers(0, 10**9))
def test_thousandths_of_a_thousand_are_exact(count: int) -> None:
    assert whole(f"{count * 1000}m") == count
    assert quantity(f"{count}m") == count / 1000
    assert quantity_mib(f"{count}Mi") == count


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("5m", 300),
        ("1h30m", 5400),
        ("90s", 90),
        ("1d", 86400),
        ("2w", 1209600),
        ("1y", 31536000),
        ("15", 15),
        (15, 15),
        ("0", 0),
        ("500ms", 0.5),
        ("1m500ms", 60.5),
        ("1.5h", 5400),
        ("10us", 1e-5),
        ("10µs", 1e-5),
        ("3ns", 3e-9),
        ("0s", 0),
    ],
)
def test_durations(value: object, seconds: float) -> None:
    assert duration_s(value) == pytest.approx(seconds)


@pytest.mark.parametrize("value", ["m", "5x", "5m3", "-5m", "5 m", "1h-3m", "1..5s", "s5", "5min", "1e2s", "${FOR}"])
def test_what_is_no_duration_is_unknown(value: str) -> None:
    assert duration_s(value) is None


@given(st.text(max_size=12) | st.text("0123456789.eEKMGiumns+-hdwy ", max_size=10) | st.floats() | st.integers())
def test_nothing_raises(value: object) -> None:
    for read in (quantity, quantity_mib, whole, duration_s):
        read(value)
