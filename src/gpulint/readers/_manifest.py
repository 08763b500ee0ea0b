"""A Kubernetes object as a reader sees it, and small helpers to take values from nodes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

from gpulint.model.files import EmbeddedError
from gpulint.model.project import Project
from gpulint.model.quantity import quantity
from gpulint.model.values import ObjectRef, Sourced
from gpulint.record import record
from gpulint.source.text import Place, Source
from gpulint.source.yaml import Document, Node, Problem, documents

T = TypeVar("T")


@record
class Manifest:
    """An object with apiVersion and kind: its node and identity. `group` is the API group without its version."""

    node: Node
    kind: str
    api_version: str
    ref: ObjectRef

    @classmethod
    def of(cls, node: Node) -> Manifest | None:
        """The manifest at a node, or None where the node is no Kubernetes object."""
        if not node.is_mapping:
            return None
        kind, api_version = node.get("kind"), node.get("apiVersion")
        if kind is None or kind.text is None or api_version is None or api_version.text is None:
            return None
        metadata = node.get("metadata")
        # The API server completes a generateName.
        name = text_at(metadata, "name") or text_at(metadata, "generateName")
        ref = ObjectRef(kind.text, text_at(metadata, "namespace"), name)
        return cls(node, kind.text, api_version.text, ref)

    @property
    def group(self) -> str:
        return self.api_version.rpartition("/")[0]

    def labels(self) -> dict[str, str]:
        return plain_texts(self.node.at("metadata", "labels"))

    def annotations(self) -> dict[str, Sourced[str]]:
        return texts(self.node.at("metadata", "annotations"))

    def name_node(self) -> Node:
        """The node that shows the object to a reader: its name, else its kind."""
        metadata = self.node.get("metadata")
        name = metadata.get("name") or metadata.get("generateName") if metadata is not None else None
        return name or self.node.get("kind") or self.node


def embedded_files(manifest: Manifest, project: Project, *words: str) -> Iterator[Document]:
    """The YAML files of a ConfigMap that hold all these words; one that is not YAML is noted in the project."""
    data = manifest.node.get("data")
    for key, value in data.items() if data is not None else ():
        text = value.text
        if text is None or not all(word in text for word in words):
            continue
        inner = value.embedded()
        if inner is not None:
            yield inner
            continue
        for found in documents(Source(key, text)):
            if isinstance(found, Problem) and found.line is not None:
                project.embedded_errors.append(
                    EmbeddedError(manifest.ref, key, _line_place(value, text, found.line), found.reason)
                )


def _line_place(value: Node, text: str, line: int) -> Place:
    """What stands on a line (from 1) of a scalar's text; the scalar's key where that line is empty."""
    lines = text.splitlines(keepends=True)
    if not 1 <= line <= len(lines) or not lines[line - 1].strip():
        return value.key_place
    content = lines[line - 1].rstrip()
    start = sum(len(before) for before in lines[: line - 1]) + len(content) - len(content.lstrip())
    return value.fragment(start, start + len(content.lstrip()))


def sourced(value: T, node: Node) -> Sourced[T]:
    return Sourced(value, node.place, node.key_place)


def text_at(node: Node | None, *steps: str | int) -> str | None:
    """The text of the scalar at a path, or None."""
    found = node.at(*steps) if node is not None else None
    return found.text if found is not None else None


def sourced_text(node: Node | None) -> Sourced[str] | None:
    return sourced(node.text, node) if node is not None and node.text is not None else None


def integer(node: Node | None) -> int | None:
    """A whole number, also as a string that holds one; None for anything else (a variable, a template)."""
    if node is None:
        return None
    value = node.value
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        digits = value.strip()
        value = int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 19 else None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if isinstance(value, int) else None


def sourced_int(node: Node | None) -> Sourced[int] | None:
    """An `integer` and where it is written."""
    value = integer(node)
    return sourced(value, node) if value is not None and node is not None else None


def count(node: Node | None, default: int) -> int | None:
    """An `integer`; the default where nothing is written."""
    return default if node is None else integer(node)


def number_or_none(node: Node | None) -> float | None:
    """A number or Kubernetes quantity (`700m`); None for anything else."""
    return quantity(node.value) if node is not None else None


def sourced_number(node: Node | None) -> Sourced[float] | None:
    """What `number_or_none` gives, and where it is written."""
    number = number_or_none(node)
    return sourced(number, node) if number is not None and node is not None else None


def plain_texts(node: Node | None) -> dict[str, str]:
    """The scalar entries of a mapping without their places."""
    found: dict[str, str] = {}
    if node is not None:
        for key, value in node.items():
            text = value.text
            if text is not None:
                found[key] = text
    return found


def texts(node: Node | None) -> dict[str, Sourced[str]]:
    """The scalar entries of a mapping (labels, annotations, a selector)."""
    found: dict[str, Sourced[str]] = {}
    if node is not None:
        for key, value in node.items():
            text = value.text
            if text is not None:
                found[key] = sourced(text, value)
    return found
