"""Nodes to model: one module per format, found by walking.

A reader module offers
    MARKS: tuple[tuple[str, ...], ...]    a document matters if it holds a word of every group
and for Kubernetes objects
    KINDS: frozenset[tuple[str, str]]     API group and kind of the objects that it reads
    def read_object(manifest: Manifest, project: Project) -> None
or, for objects of kinds that no reader claims,
    def read_unclaimed(manifest: Manifest, project: Project) -> None
and for files of another format
    def claims_file(root: Node) -> bool
    def read_file(root: Node, project: Project) -> None
or, for files that are not YAML, of which the whole text has to hold a word of every group
    def claims_name(name: str) -> bool    by the file's name, in lower case
    INTERPRETERS: tuple[str, ...]         optional: what the first line may name where the name says nothing
    def read_text(source: Source, project: Project) -> None
A reader adds what it finds to the project. It never decides whether something is bad.
"""

from __future__ import annotations

import importlib
import os
import re
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from types import ModuleType
from typing import NamedTuple

from gpulint.model.files import DuplicateKey
from gpulint.model.ignores import IGNORE_ANNOTATION
from gpulint.model.project import Project
from gpulint.readers._manifest import Manifest
from gpulint.source.text import Source
from gpulint.source.yaml import Document, Node

# What a YAML or JSON file is called; no reader of another format claims such a name.
YAML_SUFFIXES = (".yaml", ".yml", ".json")
# Scripts and the like are a few KB; what is larger is data, or carries some.
_LONGEST_TEXT_BYTES = 1024 * 1024


class TextReader(NamedTuple):
    """A reader of files that are not YAML; `marks` are its MARKS as bytes."""

    module: ModuleType
    marks: tuple[tuple[bytes, ...], ...]

    def matters(self, data: bytes) -> bool:
        """Whether a file of these bytes may hold anything that it reads."""
        return len(data) <= _LONGEST_TEXT_BYTES and all(any(word in data for word in group) for group in self.marks)

    def read(self, source: Source, project: Project) -> None:
        self.module.read_text(source, project)


@cache
def readers() -> tuple[ModuleType, ...]:
    """The reader modules, in the order of their names."""
    folder = os.path.dirname(os.path.abspath(__file__))
    names = sorted(file[:-3] for file in os.listdir(folder) if file.endswith(".py") and not file.startswith("_"))
    return tuple(importlib.import_module(f"{__name__}.{name}") for name in names)


@cache
def _text_readers() -> tuple[TextReader, ...]:
    return tuple(
        TextReader(reader, tuple(tuple(word.encode() for word in group) for group in reader.MARKS))
        for reader in readers()
        if hasattr(reader, "read_text")
    )


def text_reader(path: str, beginning: str) -> TextReader | None:
    """What reads the file of a path that begins so; None for YAML, which a file is taken for if nothing else fits."""
    if path.endswith(YAML_SUFFIXES):
        return None
    name = path.rpartition("/")[2].lower()
    found = next((reader for reader in _text_readers() if reader.module.claims_name(name)), None)
    if found is None and beginning.startswith("#!"):
        words = beginning[2:].partition("\n")[0].split()
        program = next((word.rpartition("/")[2] for word in words if not word.endswith("/env")), "")
        for reader in _text_readers():
            if program.startswith(getattr(reader.module, "INTERPRETERS", ())):
                return reader
    return found


@cache
def _readers_of_kinds() -> dict[tuple[str, str], list[Callable[[Manifest, Project], None]]]:
    found: dict[tuple[str, str], list[Callable[[Manifest, Project], None]]] = {}
    for reader in readers():
        for kind in getattr(reader, "KINDS", ()):
            found.setdefault(kind, []).append(reader.read_object)
    return found


@cache
def _readers_of_unclaimed(kind: str) -> tuple[Callable[[Manifest, Project], None], ...]:
    """What reads objects of other kinds. A known kind's name in another API group is left alone: names join objects."""
    if any(kind == known for _, known in _readers_of_kinds()):
        return ()
    return tuple(reader.read_unclaimed for reader in readers() if hasattr(reader, "read_unclaimed"))


class _Need(NamedTuple):
    """What a document must hold to matter to a reader: one of these kinds (None: any), a word of each group."""

    kinds: frozenset[str] | None
    groups: tuple[int, ...]


@cache
def _needs() -> tuple[tuple[tuple[str, ...], ...], list[_Need]]:
    """The different groups of words, and what each reader needs: those first that look at their kinds alone."""
    numbers: dict[tuple[str, ...], int] = {}
    needs: set[_Need] = set()
    for reader in readers():
        if hasattr(reader, "read_text"):
            continue
        groups = tuple(numbers.setdefault(group, len(numbers)) for group in sorted(reader.MARKS, key=len))
        only_objects = not hasattr(reader, "read_file") and not hasattr(reader, "read_unclaimed")
        kinds = frozenset(kind for _, kind in reader.KINDS) if only_objects else None
        needs.add(_Need(kinds, groups))
    ordered = sorted(
        needs, key=lambda need: (need.kinds is None, len(need.groups), need.groups, sorted(need.kinds or ()))
    )
    return tuple(numbers), ordered


@cache
def _kind() -> re.Pattern[str]:
    return re.compile(r"""kind["']?[ \t]*:[ \t]*["']?(\w+)""")


def words_in(text: str) -> frozenset[int]:
    """The groups of words of which one is in a text, for `matters`."""
    groups, _ = _needs()
    return frozenset(number for number, group in enumerate(groups) if any(word in text for word in group))


def matters(text: str, beside: frozenset[int] = frozenset()) -> bool:
    """Whether a document can hold anything that a reader understands, by the kinds and the words in it.

    `beside` are groups of words that a template may take in from elsewhere.
    """
    groups, needs = _needs()
    kinds = frozenset(_kind().findall(text))
    known = dict.fromkeys(beside, True)
    for need in needs:
        if need.kinds is not None and need.kinds.isdisjoint(kinds):
            continue
        for number in need.groups:
            present = known.get(number)
            if present is None:
                present = False
                for word in groups[number]:
                    if word in text:
                        present = True
                        break
                known[number] = present
            if not present:
                break
        else:
            return True
    return False


@cache
def _identity() -> tuple[re.Pattern[str], re.Pattern[str]]:
    return (
        re.compile(r"""(?m)^kind:[ \t]*["']?(Deployment|StatefulSet|Rollout|LeaderWorkerSet|InferenceService)\b"""),
        re.compile(r"""(?m)^metadata:[ \t]*\n(?=([ \t]+))(?:\1.*\n){0,50}?\1name:[ \t]*["']?([\w.-]+)"""),
    )


def identity(text: str) -> tuple[str, str] | None:
    """Kind and name of an object that an autoscaler can have as its target, from its text.

    None for other objects, and for patches of such: these name no image.
    """
    if "image:" not in text:
        return None
    kind, name = (pattern.search(text) for pattern in _identity())
    return (kind[1], name[2]) if kind is not None and name is not None else None


def read(document: Document, project: Project) -> None:
    """Adds what a document says to the project."""
    manifests = list(_manifests(document))
    annotated = IGNORE_ANNOTATION in document.text
    for manifest in manifests:
        if annotated:
            from gpulint.readers._annotations import note_ignores

            note_ignores(manifest, project)
        before = len(project.workloads)
        _read_object(manifest, project)
        if len(project.workloads) > before and "configMap" in document.text:
            project.awaiting.append((manifest.node, project.workloads[before:]))
    if manifests:
        project.duplicate_keys += [DuplicateKey(manifests[0].ref, *found) for found in document.duplicate_keys()]
        return
    read_root(document.root, project)


def read_root(root: Node, project: Project) -> None:
    """Adds what a file of another format says, or the part of an object that stands for one."""
    for reader in readers():
        if hasattr(reader, "read_file") and reader.claims_file(root):
            reader.read_file(root, project)


def _read_object(manifest: Manifest, project: Project) -> None:
    kinds = _readers_of_kinds()
    for read_object in kinds.get((manifest.group, manifest.kind)) or _readers_of_unclaimed(manifest.kind):
        read_object(manifest, project)


def read_referenced(project: Project, kustomizations: Sequence[str], *, whole: bool) -> None:
    """Adds what becomes known when every file has been read; `kustomizations` are the paths of their files.

    `whole` says that nothing of the project was left out.
    """
    if project.awaiting:
        from gpulint.readers import _referenced

        _referenced.read_config_maps(project, _read_object)
    for complete in project.completions:
        complete(project)
    if kustomizations and (project.workloads or not whole):
        from gpulint.readers import _referenced

        _referenced.read_overlays(project, kustomizations, _read_object, None if whole else matters)
    project.completions.clear()
    project.bases.clear()
    project.awaiting.clear()


def _manifests(document: Document) -> Iterator[Manifest]:
    """The Kubernetes objects of a document: itself, or those that it holds."""
    stack = [document.root]
    while stack:
        manifest = Manifest.of(stack.pop())
        if manifest is None:
            continue
        inner = _inner_objects(manifest)
        if inner is not None:
            stack.extend(reversed(inner))
        else:
            yield manifest


def _inner_objects(manifest: Manifest) -> list[Node] | None:
    """The objects in a List (any kind that ends so), an OpenShift Template or an AppWrapper; None for other kinds."""
    items: Node | None = None
    if manifest.kind.endswith("List"):
        items = manifest.node.get("items")
    elif manifest.kind == "Template" and manifest.group in ("", "template.openshift.io"):
        items = manifest.node.get("objects")
    elif (manifest.group, manifest.kind) == ("workload.codeflare.dev", "AppWrapper"):
        items = manifest.node.at("spec", "components")
        wrapped = [element.get("template") for element in items.elements()] if items is not None else []
        return [template for template in wrapped if template is not None]
    return list(items.elements()) if items is not None and items.is_sequence else None
