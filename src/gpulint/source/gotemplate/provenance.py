"""From a span of what a template wrote to the place of the value that it wrote there, in a file of values.

Only what is written as it stands in the values has such a place: nodes and texts are compared on the way.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator
from itertools import accumulate
from typing import NamedTuple

from gpulint.source.gotemplate.origins import Path, Written
from gpulint.source.text import Place, Source
from gpulint.source.yaml import Document, Node, documents

# Gives the node at a path below the dot of a file, in the file of values that has the last word on it.
NodeAt = Callable[[Path], "Node | None"]


class Provenance:
    """Of the pieces that a template wrote."""

    __slots__ = ("_node_at", "_pieces", "_regions", "_starts", "_text")

    def __init__(self, text: str, pieces: list[Written], node_at: NodeAt) -> None:
        self._text = text
        self._pieces = pieces
        self._node_at = node_at
        self._starts: list[int] | None = None
        self._regions: dict[int, _OfTemplate | _OfValue | None] = {}

    def place(self, start: int, end: int) -> Place | None:
        """The place of what start..end was written from; None where that is not one thing in one file of values."""
        if self._starts is None:
            self._starts = [0, *accumulate(len(piece.text) for piece in self._pieces)]
        starts = self._starts
        if not 0 <= start < end <= starts[-1]:
            return None
        first, last = bisect_right(starts, start) - 1, bisect_right(starts, end - 1) - 1
        if first == last:
            return self._inside(first, start, end)
        if end - start > 2 and self._text[start] in "\"'" and self._text[end - 1] == self._text[start]:
            inner = bisect_right(starts, start + 1) - 1
            if end - 1 <= starts[inner + 1]:  # the template's quotes, around what an action writes
                return self._inside(inner, start + 1, end - 1)
        return _both(self._inside(first, start, starts[first + 1]), self._inside(last, starts[last], end))

    def _inside(self, index: int, start: int, end: int) -> Place | None:
        begin = (self._starts or [])[index]
        if index not in self._regions:
            self._regions[index] = self._region(self._pieces[index], begin)
        region = self._regions[index]
        return region.place(start - begin, end - begin) if region is not None else None

    def _region(self, piece: Written, begin: int) -> _OfTemplate | _OfValue | None:
        origin = piece.origin
        if isinstance(origin, list):
            return _OfTemplate(piece.text, origin, self._node_at)
        if not isinstance(origin, tuple):
            return None
        value = _Value.at(origin, self._node_at)
        column = begin - self._text.rfind("\n", 0, begin) - 1
        return _OfValue(piece.text, column, value) if value is not None else None


class _OfTemplate:
    """A text that another template wrote, presented by an action."""

    __slots__ = ("_aligned", "_inner")

    def __init__(self, text: str, pieces: list[Written], node_at: NodeAt) -> None:
        inner = "".join(piece.text for piece in pieces)
        self._aligned = _Aligned(text, inner)
        self._inner = Provenance(inner, pieces, node_at)

    def place(self, start: int, end: int) -> Place | None:
        span = self._aligned.span(start, end)
        return self._inner.place(*span) if span is not None else None


class _OfValue:
    """A value, written as a text that begins at a column of its line."""

    __slots__ = ("_aligned", "_margin", "_value", "_written")

    def __init__(self, text: str, column: int, value: _Value) -> None:
        self._value = value
        self._aligned = _Aligned(text, value.node.text or "") if value.node.is_scalar else None
        self._margin = 0 if text[:1] in ("\n", "\r") else column
        self._written: Document | None = None
        if self._aligned is None or not self._aligned.lines:
            written = next(documents(Source("", " " * self._margin + text)), None)
            self._written = written if isinstance(written, Document) else None

    def place(self, start: int, end: int) -> Place | None:
        if self._written is not None:
            return _within(self._written.root, self._value, start + self._margin, end + self._margin)
        span = self._aligned.span(start, end) if self._aligned is not None else None
        return _in_scalar(self._value.node, *span) if span is not None else None


class _Value(NamedTuple):
    """A value at its path, with the node that has the last word on it. What is in it may stand in another file."""

    path: Path
    node: Node
    node_at: NodeAt

    @classmethod
    def at(cls, path: Path, node_at: NodeAt) -> _Value | None:
        node = node_at(path)
        return cls(path, node, node_at) if node is not None else None

    def child(self, step: str | int) -> _Value | None:
        return self.at((*self.path, step), self.node_at)


def _in_scalar(node: Node, start: int, end: int) -> Place:
    """The place of a part of a scalar's text, of the node where that is all of it."""
    text = node.text or ""
    is_whole = start <= len(text) - len(text.lstrip()) and end >= len(text.rstrip())
    return node.place if is_whole else node.fragment(start, end)


def _within(written: Node, value: _Value, start: int, end: int) -> Place | None:
    """The place in a value of a span of what it was written as."""
    node = value.node
    if written.is_scalar or node.is_scalar:
        return _of_scalar(written, node, start, end) if written.is_scalar and node.is_scalar else None
    if written.is_mapping != node.is_mapping:
        return None
    place = written.place
    if start <= place.start and end >= place.end:
        return node.place
    begun = [(step, child) for step, child in _children(written) if _start(child) < end]
    step, last = begun[-1] if begun else ("", written)
    other = value.child(step) if begun else None
    if other is None:
        return None
    if start >= _start(last):
        key, place = last.key_place, last.place
        if isinstance(step, str) and end <= key.end:
            return other.node.key_place
        if isinstance(step, str) and start < place.start:
            return other.node.entry_place if end >= place.end else None
        return _within(last, other, start, end)
    before = [(step, child) for step, child in begun if _start(child) <= start]
    first = value.child(before[-1][0]) if before else None
    if first is None:
        return None
    one = before[-1][1]
    return _both(_within(one, first, start, one.place.end), _within(last, other, last.place.start, end))


def _children(node: Node) -> Iterator[tuple[str | int, Node]]:
    yield from node.items()
    yield from enumerate(node.elements())


def _start(child: Node) -> int:
    start: int = (child.raw if child.key_raw is None else child.key_raw).start_mark.index
    return start


def _of_scalar(written: Node, node: Node, start: int, end: int) -> Place | None:
    place = written.place
    # Line breaks at the end may be left to what follows in the template.
    is_same = (written.text or "").rstrip("\n") == (node.text or "").rstrip("\n")
    if start <= place.start and end >= place.end:
        return node.place if is_same or written.value == node.value else None
    if not is_same:
        return None
    offsets = written.document.character_offsets(written.raw)
    inside = [index for index, offset in enumerate(offsets[:-1]) if start <= offset < end]
    return _in_scalar(node, inside[0], inside[-1] + 1) if inside else None


def _both(first: Place | None, last: Place | None) -> Place | None:
    """The place from one to another where they are neighbours: elements of a list that are written one by one."""
    if first is None or last is None or first.source is not last.source or first.start > last.start:
        return None
    one, other = first.path, last.path
    if one is None or other is None or one[0] != other[0] or not isinstance(one[1], int):
        return None
    return Place(first.source, first.start, max(first.end, last.end), first.path)


class _Aligned:
    """Two texts that are the same but for blanks around their lines, or for quotes around the outer one.

    `lines` are where each line of text stands in the outer text and in the inner one, and how long it is; none where
    they are not the same.
    """

    __slots__ = ("lines",)

    def __init__(self, outer: str, inner: str) -> None:
        self.lines: list[tuple[int, int, int]] = []
        outside, inside = outer.strip(), inner.strip()
        at, into = outer.find(outside), inner.find(inside)
        if outside[:1] in ("'", '"') and outside[1:-1] == inside and outside != inside:
            self.lines = [(at + 1, into, len(inside))]
            return
        outer_lines, inner_lines = outside.split("\n"), inside.split("\n")
        if len(outer_lines) != len(inner_lines):
            return
        for one, other in zip(outer_lines, inner_lines, strict=True):
            text = one.strip()
            if text != other.strip():
                self.lines = []
                return
            if text:
                self.lines.append((at + one.index(text), into + other.index(text), len(text)))
            at, into = at + len(one) + 1, into + len(other) + 1

    def span(self, start: int, end: int) -> tuple[int, int] | None:
        """Where a span of the outer text stands in the inner one; None for one of blanks alone."""
        touched = [line for line in self.lines if line[0] < end and start < line[0] + line[2]]
        if not touched:
            return None
        (at, first, _), (until, last, length) = touched[0], touched[-1]
        return first + max(start - at, 0), last + min(end - until, length)
