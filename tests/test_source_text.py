"""Bytes to text, and offsets to lines, columns and paths."""

from __future__ import annotations

import codecs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpulint.source.text import NodePath, NotText, Place, Source, decode, path_text

TEXT = "é: 日本 😀\r\nb: 1\n"


@pytest.mark.parametrize(
    "data",
    [
        TEXT.encode(),
        codecs.BOM_UTF8 + TEXT.encode(),
        codecs.BOM_UTF16_LE + TEXT.encode("utf-16-le"),
        codecs.BOM_UTF16_BE + TEXT.encode("utf-16-be"),
        codecs.BOM_UTF32_LE + TEXT.encode("utf-32-le"),
        codecs.BOM_UTF32_BE + TEXT.encode("utf-32-be"),
    ],
    ids=["utf-8", "utf-8 with mark", "utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"],
)
def test_every_encoding_gives_the_same_text(data: bytes) -> None:
    assert decode(data) == TEXT


@pytest.mark.parametrize(
    ("data", "line", "reason"),
    [
        (b"a: 1\nb: \xff\n", 2, "not valid UTF-8: invalid start byte at byte 8"),
        (codecs.BOM_UTF8 + b"a\n\nb: \xc3(\n", 3, "not valid UTF-8: invalid continuation byte at byte 9"),
        (b"a\n\xed\xa0\x80", 2, "not valid UTF-8: invalid continuation byte at byte 2"),  # a lone surrogate
        # U+0A0A holds the byte of a line feed twice and is none.
        (
            codecs.BOM_UTF16_LE + "ਊ\n".encode("utf-16-le") + b"\x00\xd8",
            2,
            "not valid UTF-16-LE: unexpected end of data at byte 6",
        ),
        (b"a: 1\nb: \0\n", 2, "a binary file, not text"),
        ("a: 1\n".encode("utf-16-le"), 1, "a binary file, not text"),
    ],
)
def test_what_is_not_text_is_named_with_its_line(data: bytes, line: int, reason: str) -> None:
    with pytest.raises(NotText) as caught:
        decode(data)
    assert (caught.value.line, caught.value.reason) == (line, reason)


def test_an_empty_file_is_empty_text() -> None:
    assert decode(b"") == ""
    assert decode(codecs.BOM_UTF8) == ""
    assert Source("f", "").position(0) == (1, 1)
    assert Source("f", "").line_text(1) == ""


@given(st.text(alphabet="ab😀\n\r", max_size=30))
def test_positions_agree_with_counting(text: str) -> None:
    source = Source("f", text)
    lines = [""]
    for index, character in enumerate(text):
        assert source.position(index) == (len(lines), len(lines[-1]) + 1)
        lines[-1] += character
        if character == "\n" or (character == "\r" and text[index + 1 : index + 2] != "\n"):
            lines.append("")
    assert source.position(len(text)) == (len(lines), len(lines[-1]) + 1)
    assert [source.line_text(n + 1) for n in range(len(lines))] == [line.rstrip("\r\n") for line in lines]


def test_a_place_knows_its_text_and_region() -> None:
    place = Place(Source("f", TEXT), 3, 9)
    assert place.text() == "日本 😀\r\n"
    assert place.region() == (1, 4, 2, 1)
    assert (place.line, place.sort_key()) == (1, ("f", 3, 9))


def test_a_region_never_ends_before_it_begins() -> None:
    assert Place(Source("f", "a\nb"), 2, 0).region() == (2, 1, 2, 1)


@pytest.mark.parametrize(
    ("steps", "text"),
    [
        ((), ""),
        (("spec", "template-x", "containers", 0, "image"), "spec.template-x.containers[0].image"),
        (("a", "nvidia.com/gpu"), 'a["nvidia.com/gpu"]'),
        (('say "x"', 3), '["say \\"x\\""][3]'),
        (("",), '[""]'),
    ],
)
def test_paths_are_written_as_a_reader_would(steps: tuple[str | int, ...], text: str) -> None:
    path: NodePath | None = None
    for step in steps:
        path = (path, step)
    assert path_text(path) == text
