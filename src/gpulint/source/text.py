"""Text with places: one file's characters, and spans in them that know their line, column and node path."""

from __future__ import annotations

import codecs
from bisect import bisect_right
from collections.abc import Callable

# UTF-32's little-endian mark starts with UTF-16's: the longer one comes first.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_FIRST_OF_MARKS = frozenset(mark[:1] for mark, _ in _MARKS)


class NotText(ValueError):  # noqa: N818 - what the bytes are, as a caller reads it
    """The bytes are not text that a linter can read; `line` is 1-based, or None where no line can be named."""

    def __init__(self, reason: str, line: int | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.line = line


def encoding_of(data: bytes) -> tuple[str, bytes]:
    """The encoding of a file and its byte order mark: UTF-8, or what the mark says."""
    if data[:1] in _FIRST_OF_MARKS:
        for mark, name in _MARKS:
            if data.startswith(mark):
                return name, mark
    return "utf-8", b""


def decode(data: bytes) -> str:
    """The text of a file: UTF-8, or UTF-16/32 with a byte order mark; the mark itself is dropped.

    Raises NotText for binary content and for bytes that are not valid in the encoding.
    """
    encoding, mark = encoding_of(data)
    mark_length = len(mark)
    try:
        text = data[mark_length:].decode(encoding) if mark_length else data.decode()
    except UnicodeDecodeError as error:
        before = error.object[: error.start].decode(encoding, "replace")
        at = error.start + mark_length
        reason = f"not valid {encoding.upper()}: {error.reason} at byte {at}"
        raise NotText(reason, before.count("\n") + 1) from None
    if "\0" in text:
        raise NotText("a binary file, not text", text.count("\n", 0, text.index("\0")) + 1)
    return text


class Source:
    """One file: `path` (relative to the project, POSIX) and its text, with a line index made on first use.

    `layout` is what fixes keep of it: the documents as they are written.
    """

    __slots__ = ("_line_starts", "layout", "path", "text")

    def __init__(self, path: str, text: str) -> None:
        self.path = path
        self.text = text
        self.layout: object = None
        self._line_starts: list[int] | None = None

    def line_starts(self) -> list[int]:
        """Offsets (code points) at which each line begins; lines end at LF, CRLF or a lone CR."""
        starts = self._line_starts
        if starts is None:
            text = self.text
            starts = [0]
            at = text.find("\n")
            while at >= 0:
                starts.append(at + 1)
                at = text.find("\n", at + 1)
            if "\r" in text.replace("\r\n", ""):
                lone = {i + 1 for i, c in enumerate(text) if c == "\r" and text[i + 1 : i + 2] != "\n"}
                starts = sorted(lone.union(starts))
            self._line_starts = starts
        return starts

    def position(self, offset: int) -> tuple[int, int]:
        """Line and column of an offset, both from 1, the column in code points."""
        starts = self.line_starts()
        line = bisect_right(starts, offset)
        return line, offset - starts[line - 1] + 1

    def line_text(self, line: int) -> str:
        """The text of a 1-based line without its line ending."""
        starts = self.line_starts()
        end = starts[line] if line < len(starts) else len(self.text)
        return self.text[starts[line - 1] : end].rstrip("\r\n")


# A node's path, linked to its parent's so that a thousand nodes share their prefixes.
NodePath = tuple["NodePath | None", "str | int"]


def path_text(path: NodePath | None) -> str:
    """`spec.template.spec.containers[0].image` for a linked path; the empty string for the root."""
    steps: list[str | int] = []
    while path is not None:
        parent, step = path
        steps.append(step)
        path = parent
    text = ""
    for step in reversed(steps):
        if isinstance(step, int):
            text += f"[{step}]"
        elif step.isidentifier() or step.replace("-", "_").isidentifier():
            text += f".{step}" if text else step
        else:
            text += "[" + '"' + step.replace('"', '\\"') + '"]'
    return text


class Place:
    """A span of a source: code-point offsets [start, end), and the path of the node it belongs to."""

    __slots__ = ("end", "path", "source", "start")

    def __init__(self, source: Source, start: int, end: int, path: NodePath | None = None) -> None:
        self.source = source
        self.start = start
        self.end = end
        self.path = path

    @property
    def line(self) -> int:
        """1-based line of the first character."""
        return self.source.position(self.start)[0]

    def region(self) -> tuple[int, int, int, int]:
        """(line, column, end line, end column), from 1, columns in code points, the end exclusive."""
        return (*self.source.position(self.start), *self.source.position(max(self.start, self.end)))

    def text(self) -> str:
        return self.source.text[self.start : self.end]

    def node_path(self) -> str:
        return path_text(self.path)

    def sort_key(self) -> tuple[str, int, int]:
        return self.source.path, self.start, self.end

    def origin(self) -> Place:
        """Where somebody wrote what stands here: in this place, unless a template took it from elsewhere."""
        return self

    def written(self) -> Place:
        """The place where it is written, by a template as well: it has no other origin."""
        return self

    def __repr__(self) -> str:
        return f"<Place {self.source.path}:{self.line} {self.text()[:40]!r}>"


class WrittenPlace(Place):
    """The place in a template of something that it writes. `find` gives the place of the values that a span is from.

    `spans` are those of what is written, the first of which that is from values has its place there.
    """

    __slots__ = ("find", "spans")

    def __init__(
        self,
        place: tuple[Source, int, int, NodePath | None],
        find: Callable[[int, int], Place | None],
        spans: tuple[tuple[int, int], ...],
    ) -> None:
        super().__init__(*place)
        self.find = find
        self.spans = spans

    def origin(self) -> Place:
        for span in self.spans:
            found = self.find(*span)
            if found is not None:
                return found
        return self

    def written(self) -> Place:
        return Place(self.source, self.start, self.end, self.path)
