"""The annotation by which an object, or the template of its pods, says which rules shall be silent about it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice

from gpulint.model.ignores import IGNORE_ANNOTATION, Ignore
from gpulint.model.project import Project
from gpulint.model.values import ObjectRef
from gpulint.readers._manifest import Manifest
from gpulint.source.yaml import Node

# YAML's aliases can make an object of any size.
_MOST_NODES = 50_000
# No object has as many.
_MOST_ANNOTATIONS = 100
_MOST_NAMES = 50


def note_ignores(manifest: Manifest, project: Project) -> None:
    """Adds what the annotations of an object ask for, at its top or on a template of its pods."""
    project.ignores += _ignores(manifest.node, manifest.ref, None)


def note_overlay(node: Node, ref: ObjectRef, overlay: str, project: Project) -> None:
    """Adds what an object asks for in the form that the kustomization in a folder makes of it."""
    if not any(node.at(*steps, "metadata", "annotations", IGNORE_ANNOTATION) for steps in ((), ("spec", "template"))):
        return
    known = {(ignore.place.source.path, ignore.place.start): ignore for ignore in project.ignores}
    for ignore in _ignores(node, ref, overlay):
        same = known.get((ignore.place.source.path, ignore.place.start))
        if same is None:
            project.ignores.append(ignore)
        elif not any(own is ref and by in (None, overlay) for own, by in same.objects):
            same.objects += ignore.objects  # its own file is a patch, or says nothing of GPUs by itself


def _ignores(node: Node, ref: ObjectRef, overlay: str | None) -> list[Ignore]:
    found: dict[tuple[int, int], Ignore] = {}
    for value in islice(_annotations(node), _MOST_ANNOTATIONS):
        text = value.text or ""
        names = []
        for match in islice(re.finditer(r"[^,\s]+", text), _MOST_NAMES):
            place = value.fragment(match.start(), match.end())
            place.path = (value.path, match[0])
            names.append((match[0], place))
        problem = None if names else "it names no rule"
        place = value.entry_place
        found[place.start, place.end] = Ignore(place, names, [(ref, overlay)], problem=problem)
    return list(found.values())


def _annotations(node: Node) -> Iterator[Node]:
    stack = [node]
    room = _MOST_NODES
    while stack and room > 0:
        room -= 1
        current = stack.pop()
        if current.is_mapping:
            for key, value in current.items():
                if key == "annotations" and value.is_mapping:
                    own = value.get(IGNORE_ANNOTATION)
                    if own is not None and not own.is_mapping and not own.is_sequence:
                        yield own
                elif not value.is_scalar:
                    stack.append(value)
        else:
            stack.extend(element for element in current.elements() if not element.is_scalar)
