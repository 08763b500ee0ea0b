"""Dockerfiles as instructions with exact places.

The format is one of lines: an instruction's name and its text, which a character at the end of a line continues. The
text is JSON or a shell's, and read as such. Source: moby/buildkit frontend/dockerfile/parser/parser.go.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import NamedTuple

from gpulint.source.shell import Piece, Script
from gpulint.source.text import Source

_DIRECTIVE = r"#\s*([A-Za-z][A-Za-z0-9]*)\s*=\s*(\S+)\s*"
_HEREDOC = r"<<-?(['\"]?)([A-Za-z_][\w.-]*)\1(?=\s|$)"
# Flags that stand between an instruction's name and its text: `--platform=linux/amd64`.
_FLAGS = r"(?:--[a-z][\w-]*(?:=\S*)?\s+)*"


class Instruction(NamedTuple):
    """An instruction: its name in capitals, and its text without continuations, comments and leading flags.

    `heredocs` are the texts behind it, by their delimiters. `text` may be read as a script, for its places.
    """

    name: str
    text: Script
    heredocs: dict[str, tuple[int, int]]

    def words(self) -> list[tuple[str, int, int]] | None:
        """The strings of the exec form (`["a", "b"]`), each with the span of its inside; None for the shell form."""
        text = self.text.text
        if not text.startswith("["):
            return None
        try:
            values = json.loads(text)
        except ValueError:
            return None
        if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
            return None
        found: list[tuple[str, int, int]] = []
        at = 1
        for value in values:
            start = text.index('"', at) + 1
            _, at = json.JSONDecoder().raw_decode(text, start - 1)
            begin, end = self.text.origin(start, at - 1) if at - 1 > start else self.text.origin(start - 1, at)
            found.append((value, begin, end))
        return found


def instructions(source: Source) -> Iterator[Instruction]:
    """The instructions of a Dockerfile in order."""
    text = source.text
    lines = list(_lines(text))
    escape = _escape(text, lines)
    continued = re.compile(rf"(?<!{re.escape(escape)}){re.escape(escape)}[ \t]*$")
    index = 0
    while index < len(lines):
        start, end = lines[index]
        index += 1
        if not text[start:end].strip() or text[start:end].lstrip().startswith("#"):
            continue
        pieces: list[Piece] = []
        while True:
            line = text[start:end]
            more = continued.search(line)
            if more is not None:
                end = start + more.start()
            pieces.append(Piece(text[start:end], start, end))
            if more is None:
                break
            # Between the lines of an instruction, comments and empty lines count for nothing.
            while index < len(lines) and (
                not text[slice(*lines[index])].strip() or text[slice(*lines[index])].lstrip().startswith("#")
            ):
                index += 1
            if index == len(lines):
                break
            start, end = lines[index]
            index += 1
        found = _instruction(pieces, source)
        if found is None:
            continue
        heredocs: dict[str, tuple[int, int]] = {}
        if found.name in ("ADD", "COPY", "RUN"):
            for match in re.finditer(_HEREDOC, found.text.text):
                first = index
                while index < len(lines) and text[slice(*lines[index])].strip() != match[2]:
                    index += 1
                if index > first:
                    heredocs[match[2]] = lines[first][0], lines[index - 1][1]
                index += 1
        yield found._replace(heredocs=heredocs)


def _lines(text: str) -> Iterator[tuple[int, int]]:
    at = 0
    for line in text.splitlines(keepends=True):
        yield at, at + len(line.rstrip("\r\n"))
        at += len(line)


def _escape(text: str, lines: list[tuple[int, int]]) -> str:
    """The character that continues a line, which a directive at the very top may choose."""
    for start, end in lines:
        match = re.fullmatch(_DIRECTIVE, text[start:end])
        if match is None:
            break
        if match[1].lower() == "escape" and match[2] in ("\\", "`"):
            return match[2]
    return "\\"


def _instruction(pieces: list[Piece], source: Source) -> Instruction | None:
    joined = "".join(piece.text or "" for piece in pieces)
    match = re.match(rf"\s*([A-Za-z]+)(?:\s+{_FLAGS}|$)", joined)
    if match is None:
        return None
    rest: list[Piece] = []
    skip = match.end()
    length = len(joined.rstrip())
    for piece in pieces:
        text = (piece.text or "")[: max(length, 0)]
        length -= len(text)
        cut = min(skip, len(text))
        skip -= cut
        if text[cut:]:
            rest.append(Piece(text[cut:], piece.start + cut, piece.start + len(text)))
    return Instruction(match[1].upper(), Script(rest, source.text), {})
