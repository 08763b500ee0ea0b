"""Unit files of systemd: their settings, and command lines in systemd's own quoting.

Source: systemd.syntax(7), systemd.service(5), "Command lines"; systemd src/basic/extract-word.c for quotes in a word.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from gpulint.source.shell import Piece, Word
from gpulint.source.text import Source

_ESCAPES = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "s": " "}
_ITSELF = "\\\"'"
_LONGEST_VALUE = 32 * 1024


class Setting(NamedTuple):
    """`Key=value` of a section; the value's pieces are its lines."""

    section: str
    key: str
    value: list[Piece]

    @property
    def text(self) -> str:
        return "".join(piece.text or "" for piece in self.value)


def settings(source: Source) -> Iterator[Setting]:
    """The settings of a unit file in order. A backslash at the end of a line continues it, over comments too."""
    section = ""
    lines = list(_lines(source.text))
    index = 0
    while index < len(lines):
        start, end = lines[index]
        index += 1
        line = source.text[start:end].strip()
        if not line or line[0] in "#;":
            continue
        if line[0] == "[":
            section = line.strip("[]")
            continue
        key, equals, _ = source.text[start:end].partition("=")
        if not equals:
            continue
        start += len(key) + 1
        start += len(source.text[start:end]) - len(source.text[start:end].lstrip())
        value: list[Piece] = []
        while source.text[start:end].endswith("\\"):
            value += (Piece(source.text[start : end - 1], start, end - 1), Piece(" ", end - 1, end))
            while index < len(lines) and source.text[slice(*lines[index])].lstrip()[:1] in ("#", ";"):
                index += 1
            if index == len(lines):
                break
            start, end = lines[index]
            index += 1
        else:
            value.append(Piece(source.text[start:end], start, end))
        yield Setting(section, key.strip(), value)


def _lines(text: str) -> Iterator[tuple[int, int]]:
    at = 0
    for line in text.splitlines(keepends=True):
        yield at, at + len(line.rstrip("\r\n"))
        at += len(line)


def words(value: list[Piece]) -> list[Word]:
    """The words of a value: split at blanks outside quotes, with C's escapes and `%` specifiers (unknown) replaced."""
    characters = [(c, piece.start + at) for piece in value for at, c in enumerate(piece.text or "")]
    found: list[Word] = []
    pieces: list[Piece] = []
    began: int | None = None
    quote = ""
    at, end = 0, 0
    if len(characters) > _LONGEST_VALUE:
        return []
    while at < len(characters):
        c, offset = characters[at]
        following = characters[at + 1][0] if at + 1 < len(characters) else ""
        at += 1
        if c.isspace() and not quote:
            if began is not None:
                found.append(Word(_joined(pieces), began, end))
            began, pieces = None, []
            continue
        began = offset if began is None else began
        end = offset + 1
        if c == quote or (c in "\"'" and not quote):
            quote = "" if quote else c
        elif c == "\\" and (following in _ESCAPES or (following and following in _ITSELF)):
            end = characters[at][1] + 1
            pieces.append(Piece(_ESCAPES.get(following, following), offset, end))
            at += 1
        elif c == "%" and following and not following.isspace():
            end = characters[at][1] + 1
            pieces.append(Piece("%" if following == "%" else None, offset, end))
            at += 1
        else:
            pieces.append(Piece(c, offset, end))
    if began is not None:
        found.append(Word(_joined(pieces), began, end))
    return found


def _joined(pieces: list[Piece]) -> list[Piece]:
    """Neighbouring characters as one piece."""
    found: list[Piece] = []
    for piece in pieces:
        last = found[-1] if found else None
        if (
            last is not None
            and last.text is not None
            and piece.text is not None
            and last.end == piece.start
            and last.end - last.start == len(last.text)
            and piece.end - piece.start == len(piece.text)
        ):
            found[-1] = Piece(last.text + piece.text, last.start, piece.end)
        else:
            found.append(piece)
    return found or [Piece("", 0, 0)]


def filled(word: Word, env: Mapping[str, str | None]) -> list[Word]:
    """A word of a command line with its variables filled in.

    `$NAME` alone is split at blanks; `${NAME}` may be a part of a word; `$$` is one `$`. What is not in `env` is
    unknown.
    """
    text = word.text or ""
    if text[:1] == "$" and text[1:].isidentifier():
        value = env.get(text[1:])
        if value is None:
            return [Word([Piece(None, word.start, word.end)], word.start, word.end, many=True)]
        return [Word([Piece(part, word.start, word.end)], word.start, word.end) for part in value.split()]
    pieces: list[Piece] = []
    for piece in word.pieces:
        pieces += _filled(piece, env) if piece.text is not None and "$" in piece.text else [piece]
    return [Word(pieces, word.start, word.end)]


def _filled(piece: Piece, env: Mapping[str, str | None]) -> list[Piece]:
    text = piece.text or ""
    is_verbatim = piece.end - piece.start == len(text)

    def part(value: str | None, start: int, end: int) -> Piece:
        return Piece(value, *((piece.start + start, piece.start + end) if is_verbatim else (piece.start, piece.end)))

    found: list[Piece] = []
    at = 0
    while (dollar := text.find("$", at)) >= 0:
        close = text.find("}", dollar)
        name = text[dollar + 2 : close] if text.startswith("{", dollar + 1) and close > 0 else ""
        value: str | None
        if text.startswith("$$", dollar):
            value, end = "$", dollar + 2
        elif name.isidentifier():
            value, end = env.get(name), close + 1
        else:
            value, end = "$", dollar + 1
        if dollar > at:
            found.append(part(text[at:dollar], at, dollar))
        found.append(part(value, dollar, end))
        at = end
    if at < len(text):
        found.append(part(text[at:], at, len(text)))
    return found
