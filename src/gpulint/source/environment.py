"""Files of `NAME=value` lines, with the place of each name and value, in the two dialects that readers meet."""

from __future__ import annotations

from collections.abc import Iterator

from yaml.nodes import ScalarNode

from gpulint.source.text import Place, Source
from gpulint.source.yaml import Document, Node

# Longer files are data.
_LONGEST_CHARS = 256 * 1024


class Mark:
    """What `Node` asks of a parser's mark: an offset."""

    __slots__ = ("index",)

    def __init__(self, index: int) -> None:
        self.index = index


def _raw(value: str, start: int, end: int) -> ScalarNode:
    # The tag of a string: `MAX_LEN=1e3` is text to whoever reads the file.
    return ScalarNode("tag:yaml.org,2002:str", value, Mark(start), Mark(end))  # type: ignore[arg-type]


def text_node(source: Source, value: str, start: int, end: int, key: tuple[str, int, int] | None = None) -> Node:
    """A scalar that stands for source.text[start:end]; `key` is its key's text and span."""
    raw = _raw(value, start, end)
    document = Document(source, 0, source.text, 0, raw)
    if key is None:
        return document.root
    name, key_start, key_end = key
    return Node(document, raw, (None, name), _raw(name, key_start, key_end))


def with_text(node: Node, value: str, place: Place) -> Node:
    """A scalar at a part of another one: `8` of the list element `SIZE=8`, at `place` and on its path."""
    raw = _raw(value, place.start, place.end)
    return Node(Document(place.source, 0, place.source.text, 0, raw), raw, node.path)


def variables(source: Source, *, quotes: bool) -> Iterator[tuple[str, Node | None]]:
    """Names and values of an environment file, in its order; the value is None where the line gives only a name.

    With `quotes` as Docker Compose reads it: quotes (closed on their line), `export`, comments behind a blank. Without,
    as kustomize does: what follows the first `=` is the value, to the end of the line.
    Source: Docker Compose, "Syntax for environment files"; kustomize api/kv/kv.go (keyValuesFromLine).
    """
    if len(source.text) > _LONGEST_CHARS:
        return
    at = 0
    for line in source.text.splitlines(keepends=True):
        begin = at + len(line) - len(line.lstrip())
        end = at + len(line.rstrip("\r\n"))
        at += len(line)
        text = source.text[begin:end]
        if not text or text[0] == "#":
            continue
        if quotes and text.startswith("export "):
            begin += len(text) - len(text[7:].lstrip())
            text = source.text[begin:end]
        name, equals, value = text.partition("=")
        written = len(name)
        if quotes:
            name = name.rstrip()
        if not name or any(character.isspace() for character in name):
            continue
        key = (name, begin, begin + len(name))
        if not equals:
            yield name, None
            continue
        start = begin + written + 1
        if quotes:
            yield name, _quoted(source, value, start, key)
        else:
            yield name, text_node(source, value, start, end, key)


def _quoted(source: Source, value: str, start: int, key: tuple[str, int, int]) -> Node:
    stripped = value.strip()
    start += len(value) - len(value.lstrip())
    if stripped[:1] in ("'", '"'):
        closing = stripped.find(stripped[0], 1)
        if closing > 0:
            return text_node(source, stripped[1:closing], start + 1, start + closing, key)
    comment = stripped.find(" #")
    if comment >= 0:
        stripped = stripped[:comment].rstrip()
    return text_node(source, stripped, start, start + len(stripped), key)
