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

    __slots__ = ("_node_at", "_pieces", "_starts", "_text")

    def __init__(self, text: str, pieces: list[Written], node_at: NodeAt) -> None:
        self._text = text
        self._pieces = pieces
        self._node_at = node_at
        self._starts: list[int] | None = None

    def place(self, start: int, end: int) -> Place | None:
        """The place of what start..end was written from; None where that is not one thing in one file of values."""
        if self._starts is None:
            self._starts = [0, *accumulate(len(piece.text) for piece in self._pieces)]
        starts = self._starts
        first = bisect_right(starts, start) - 1
        if first >= len(self._pieces) or end <= start:
            return None
        if end <= starts[first + 1]:
            return self._inside(first, start, end)
        if self._text[start] in "\"'" and self._text[end - 1] == self._text[start] and end - start > 2:
            return self.place(start + 1, end - 1)  # quotes of the template around what an action writes
        last = bisect_right(starts, end - 1) - 1
        if last >= len(self._pieces):
            return None
        return _both(self._inside(first, start, starts[first + 1]), self._inside(last, starts[last], end))

    def _inside(self, index: int, start: int, end: int) -> Place | None:
        piece, begin = self._pieces[index], (self._starts or [])[index]
        origin, start, end = piece.origin, start - begin, end - begin
        if isinstance(origin, tuple):
            value = Value.at(origin, self._node_at)
            column = begin - self._text.rfind("\n", 0, begin) - 1
            return _of_value(value, piece.text, column, start, end) if value is not None else None
        if isinstance(origin, list):
            inner = "".join(each.text for each in origin)
            span = _Aligned(piece.text, inner).span(start, end)
            return Provenance(inner, origin, self._node_at).place(*span) if span is not None else None
        return None


class Value(NamedTuple):
    """A value at its path, with the node that has the last word on it. What is in it may stand in another file."""

    path: Path
    node: Node
    node_at: NodeAt

    @classmethod
    def at(cls, path: Path, node_at: NodeAt) -> Value | None:
        node = node_at(path)
        return cls(path, node, node_at) if node is not None else None

    def child(self, step: str | int) -> Value | None:
        return self.at((*self.path, step), self.node_at)


def _of_value(value: Value, text: str, column: int, start: int, end: int) -> Place | None:
    """The place of text[start:end] in a value that was written as this text, which begins at a column of its line."""
    if value.node.is_scalar:
        span = _Aligned(text, value.node.text or "").span(start, end)
        if span is not None:
            return _in_scalar(value.node, *span)
    margin = "" if text[:1] in ("\n", "\r") else " " * column
    written = next(iter(documents(Source("", margin + text))), None)
    if not isinstance(written, Document):
        return None
    return _within(written.root, value, start + len(margin), end + len(margin))


def _in_scalar(node: Node, start: int, end: int) -> Place:
    """The place of a part of a scalar's text, of the node where that is all of it."""
    text = node.text or ""
    is_whole = start <= len(text) - len(text.lstrip()) and end >= len(text.rstrip())
    return node.place if is_whole else node.fragment(start, end)


def _within(written: Node, value: Value, start: int, end: int) -> Place | None:
    """The place in a value of a span of what it was written as."""
    node = value.node
    if written.is_scalar or node.is_scalar:
        if not (written.is_scalar and node.is_scalar):
            return None
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
    if written.is_mapping != node.is_mapping:
        return None
    place = written.place
    if start <= place.start and end >= place.end:
        return node.place
    first: Place | None = None
    for key, child, other in _children(written, value):
        place = child.place
        if key and child.key_place.start <= start and end <= child.key_place.end:
            return other.node.key_place if other is not None else None
        if key and start == child.key_place.start and end == place.end:
            return other.node.entry_place if other is not None else None
        if place.start <= start < place.end:
            if other is None or end <= place.end:
                return _within(child, other, start, end) if other is not None else None
            first = _within(child, other, start, place.end)
        elif first is not None and place.start < end <= place.end:
            return _both(first, _within(child, other, place.start, end) if other is not None else None)
    return None


def _children(written: Node, value: Value) -> Iterator[tuple[bool, Node, Value | None]]:
    """The children of a node, each with its value; whether it has a key."""
    for key, child in written.items():
        yield True, child, value.child(key)
    for index, child in enumerate(written.elements()):
        yield False, child, value.child(index)


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
