"""Releases of Helm charts by Argo CD and Flux: the values that they give to a chart, read as a file of values is."""

from __future__ import annotations

import re
from collections.abc import Iterator

from gpulint import readers
from gpulint.model.project import Project
from gpulint.readers._manifest import Manifest, text_at
from gpulint.readers._pods import ACCELERATOR_WORDS
from gpulint.source.yaml import Node

MARKS = (("helm",), (*ACCELERATOR_WORDS, "migManager", "mig:"))
KINDS = frozenset({
    ("argoproj.io", "Application"), ("argoproj.io", "ApplicationSet"), ("helm.toolkit.fluxcd.io", "HelmRelease"),
})  # fmt: skip
# What a reader of values calls the objects that it finds in a file.
_OF_FILES = ("Chart", "Values")
_DEEPEST_NAME = 20


def read_object(manifest: Manifest, project: Project) -> None:
    for values in _values(manifest):
        workloads, scalers = len(project.workloads), len(project.autoscalers)
        readers.read_root(values, project)
        for workload in project.workloads[workloads:]:
            workload.ref = manifest.ref if workload.ref.kind in _OF_FILES else workload.ref
        for scaler in project.autoscalers[scalers:]:
            scaler.ref = manifest.ref if scaler.ref.kind in _OF_FILES else scaler.ref


def _values(manifest: Manifest) -> Iterator[Node]:
    """The values of each chart that an object releases."""
    spec = manifest.node.get("spec")
    if manifest.kind == "ApplicationSet":
        spec = manifest.node.at("spec", "template", "spec")
    if spec is None:
        return
    if manifest.kind == "HelmRelease":
        values = spec.get("values")
        if values is not None and values.is_mapping:
            yield values
        return
    several = spec.get("sources")
    for source in [spec.get("source"), *(several.elements() if several is not None else ())]:
        helm = source.get("helm") if source is not None else None
        found = _of_argo(helm) if helm is not None else None
        if found is not None:
            yield found


def _of_argo(helm: Node) -> Node | None:
    """`parameters` over `valuesObject`, which beats `values`. Source: Argo CD user guide, "Helm"."""
    values = helm.get("valuesObject")
    if values is None and (written := helm.get("values")) is not None:
        inner = written.embedded()
        values = inner.root if inner is not None else None
    if values is not None and not values.is_mapping:
        values = None
    parameters = helm.get("parameters")
    for parameter in parameters.elements() if parameters is not None else ():
        name, value = text_at(parameter, "name"), parameter.get("value")
        # A dot that belongs to a key has a backslash before it; a list's elements are not followed.
        steps = [step.replace("\\.", ".") for step in re.split(r"(?<!\\)\.", name or "")]
        if value is not None and all(steps) and len(steps) <= _DEEPEST_NAME and "[" not in (name or ""):
            values = _with(values, parameters or parameter, steps, value)
    return values


def _with(values: Node | None, face: Node, steps: list[str], value: Node) -> Node:
    """The values with another one at the end of these steps; `face` is where new mappings stand."""
    from gpulint.source.kustomize import Merged

    parts = dict(values.items()) if values is not None else {}
    old = parts.get(steps[0])
    inner = old if old is not None and old.is_mapping else None
    parts[steps[0]] = value if len(steps) == 1 else _with(inner, face, steps[1:], value)
    return Merged(_mapping(values if values is not None else face), parts)


def _mapping(node: Node) -> Node:
    """A mapping at a node, or at the first element of a list of mappings."""
    return node if node.is_mapping else (node.element(0) or node)
