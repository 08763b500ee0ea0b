"""Protocol buffers in their text format, as nodes: what Triton's `config.pbtxt` is written in.

A message is a mapping, a field that stands several times or has a list is a sequence; which fields may repeat is known
to the schema alone, so that one which may and stands once is its value. Source: protobuf.dev, "Text Format Language
Specification".
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple

from yaml.nodes import MappingNode, ScalarNode, SequenceNode

from gpulint.source.environment import Mark
from gpulint.source.text import Source
from gpulint.source.yaml import Document, Node

# Configurations are nested a few levels deep; what is deeper is no configuration.
_DEEPEST = 32
_CLOSING = {"{": "}", "<": ">", "[": "]"}
_STRING = "tag:yaml.org,2002:str"
_IMPLICIT = "implicit"


class NotTextProto(ValueError):  # noqa: N818 - what the text is, as a caller reads it
    """The text is not in the format."""


class _Token(NamedTuple):
    """A mark of punctuation, a string without its quotes (`"`), or a bare word (``)."""

    kind: str
    text: str
    start: int
    end: int


@cache
def _tokens_pattern() -> re.Pattern[str]:
    # A reference to a variable (`${count}`) is what a script is to fill in: a bare word as well.
    return re.compile(
        r"""(?P<blank>\s+|\#[^\n]*)|(?P<mark>[{}<>\[\]:;,])|(?P<word>\$\{[^}\s]*\}|[\w.+-]+)"""
        r"""|"(?P<double>[^"\\\n]*(?:\\.[^"\\\n]*)*)"|'(?P<single>[^'\\\n]*(?:\\.[^'\\\n]*)*)'"""
    )


def _tokens(text: str) -> Iterator[_Token]:
    at = 0
    for match in _tokens_pattern().finditer(text):
        if match.start() != at:
            break
        at = match.end()
        kind = match.lastgroup or ""
        if kind in ("double", "single"):
            yield _Token('"', match[kind], *match.span(kind))
        elif kind != "blank":
            yield _Token(match[0] if kind == "mark" else "", match[0], *match.span())
    if at != len(text):
        raise NotTextProto(f"no token at character {at}")
    yield _Token("end", "", at, at)


class _Parser:
    """Reads tokens into the raw nodes that Node wraps."""

    def __init__(self, text: str) -> None:
        self.tokens = list(_tokens(text))
        self.at = 0

    @property
    def next(self) -> _Token:
        return self.tokens[self.at]

    def take(self, *kinds: str) -> _Token | None:
        token = self.next
        if token.kind not in kinds:
            return None
        self.at += 1
        return token

    def need(self, *kinds: str) -> _Token:
        token = self.take(*kinds)
        if token is None:
            raise NotTextProto(f"no {' or '.join(kinds) or 'word'} at character {self.next.start}")
        return token

    def message(self, start: int, closing: str, depth: int) -> MappingNode:
        """The fields up to a closing mark, or to the end of the file."""
        fields: dict[str, tuple[ScalarNode, list[Any]]] = {}
        while (end := self.take(closing)) is None:
            name = self.need("")
            key = ScalarNode(_STRING, name.text, _mark(name.start), _mark(name.end))
            self.take(":")
            _, values = fields.setdefault(name.text, (key, []))
            values.append(self.value(depth))
            self.take(",", ";")
        pairs = [(key, values[0] if len(values) == 1 else _list(values)) for key, values in fields.values()]
        return MappingNode(_IMPLICIT, pairs, _mark(start), _mark(end.end), flow_style=True)

    def value(self, depth: int) -> Any:  # noqa: ANN401
        if depth > _DEEPEST:
            raise NotTextProto("nested too deep")
        opening = self.need("{", "<", "[", '"', "")
        if opening.kind in ("{", "<"):
            return self.message(opening.start, _CLOSING[opening.kind], depth + 1)
        if opening.kind == "[":
            items: list[Any] = []
            while (end := self.take("]")) is None:
                items.append(self.value(depth + 1))
                self.take(",")
            return SequenceNode(_IMPLICIT, items, _mark(opening.start), _mark(end.end), flow_style=True)
        if opening.kind == "":
            return ScalarNode(_IMPLICIT, opening.text, _mark(opening.start), _mark(opening.end))
        text, last = opening.text, opening
        while (more := self.take('"')) is not None:  # neighbouring strings are one
            text, last = text + more.text, more
        return ScalarNode(_STRING, text, _mark(opening.start), _mark(last.end))


def _mark(offset: int) -> Any:  # noqa: ANN401
    return Mark(offset)


def _list(values: list[Any]) -> SequenceNode:
    """The values of a field that stands several times; those of lists among them side by side."""
    flat = [item for value in values for item in (value.value if value.id == "sequence" else [value])]
    return SequenceNode(_IMPLICIT, flat, values[0].start_mark, values[-1].end_mark, flow_style=True)


def message(source: Source) -> Node:
    """The message of a file. Raises NotTextProto."""
    raw = _Parser(source.text).message(0, "end", 0)
    return Document(source, 0, source.text, 0, raw).root


def each(node: Node | None) -> list[Node]:
    """The values of a field that may repeat."""
    if node is None:
        return []
    return list(node.elements()) if node.is_sequence else [node]
