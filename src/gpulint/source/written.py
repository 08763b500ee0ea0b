"""YAML documents that are not written as they will be read: a script prints them, with what it fills in."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from gpulint.source.shell import Piece, Script
from gpulint.source.text import NodePath, Place, Source
from gpulint.source.yaml import Document, Node, documents

# A reference that no container can resolve, and that may stand anywhere in YAML.
UNKNOWN = "$(?)"


class _Written(Document):
    """A document in a script that is held by a node, each part of it with its place there."""

    __slots__ = ("node", "script", "start")

    def __init__(self, found: Document, script: Script, node: Node) -> None:
        super().__init__(node.document.source, found.index, found.text, 0, found.root.raw)
        self.script = script
        self.node = node
        self.start = found.locate(0)

    def locate(self, offset: int) -> int:
        return self.node.fragment(*self.script.origin(self.start + offset, self.start + offset)).start

    def place(self, start: int, end: int, path: NodePath | None) -> Place:
        found = self.node.fragment(*self.script.origin(self.start + start, self.start + end))
        found.path = path
        return found


def written_documents(
    pieces: Sequence[Piece], node: Node, matters: Callable[[str], bool] | None = None
) -> Iterator[Document]:
    """The YAML documents of a text that stands in pieces in a node's value; what is not known in it is UNKNOWN."""
    filled = [Piece(UNKNOWN, piece.start, piece.end) if piece.text is None else piece for piece in pieces]
    script = Script(filled, node.text or "")
    for found in documents(Source(node.document.source.path, script.text), matters):
        if isinstance(found, Document):
            yield _Written(found, script, node)
