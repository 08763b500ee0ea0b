"""Nodes to model: one module per format, found by walking.

A reader module offers
    MARKS: tuple[tuple[str, ...], ...]    a document matters if it holds a word of every group
and for Kubernetes objects
    KINDS: frozenset[tuple[str, str]]     API group and kind of the objects that it reads
    def read_object(manifest: Manifest, project: Project) -> None
and for files of another format
    def claims_file(root: Node) -> bool
    def read_file(root: Node, project: Project) -> None
A reader adds what it finds to the project. It never decides whether something is bad.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Iterator
from functools import cache
from types import ModuleType

from gpulint.model.files import DuplicateKey
from gpulint.model.project import Project
from gpulint.readers._manifest import Manifest
from gpulint.source.yaml import Document


@cache
def readers() -> tuple[ModuleType, ...]:
    """The reader modules, in the order of their names."""
    folder = os.path.dirname(os.path.abspath(__file__))
    names = sorted(file[:-3] for file in os.listdir(folder) if file.endswith(".py") and not file.startswith("_"))
    return tuple(importlib.import_module(f"{__name__}.{name}") for name in names)


@cache
def _readers_of_kinds() -> dict[tuple[str, str], list[Callable[[Manifest, Project], None]]]:
    found: dict[tuple[str, str], list[Callable[[Manifest, Project], None]]] = {}
    for reader in readers():
        for kind in getattr(reader, "KINDS", ()):
            found.setdefault(kind, []).append(reader.read_object)
    return found


@cache
def _marks() -> tuple[tuple[tuple[str, ...], ...], ...]:
    return tuple(dict.fromkeys(reader.MARKS for reader in readers()))


def matters(text: str) -> bool:
    """Whether a document can hold anything that a reader understands, by the words in it."""
    for groups in _marks():
        for group in groups:
            for word in group:
                if word in text:
                    break
            else:
                break
        else:
            return True
    return False


def read(document: Document, project: Project) -> None:
    """Adds what a document says to the project."""
    manifests = list(_manifests(document))
    kinds = _readers_of_kinds()
    for manifest in manifests:
        for read_object in kinds.get((manifest.group, manifest.kind), ()):
            read_object(manifest, project)
    if manifests:
        project.duplicate_keys += [DuplicateKey(manifests[0].ref, *found) for found in document.duplicate_keys()]
        return
    for reader in readers():
        if hasattr(reader, "read_file") and reader.claims_file(document.root):
            reader.read_file(document.root, project)


def _manifests(document: Document) -> Iterator[Manifest]:
    """The Kubernetes objects of a document: itself, or the items of a List (of any kind that ends in List)."""
    stack = [document.root]
    while stack:
        manifest = Manifest.of(stack.pop())
        if manifest is None:
            continue
        items = manifest.node.get("items") if manifest.kind.endswith("List") else None
        if items is not None and items.is_sequence:
            stack.extend(reversed(list(items.elements())))
        else:
            yield manifest
