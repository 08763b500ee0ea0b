"""Releases of Helm charts by Argo CD and Flux: the values that they give to a chart, read as a file of values is."""

from __future__ import annotations

import posixpath
import re
from functools import partial

from gpulint import readers
from gpulint.model.project import Project
from gpulint.readers._manifest import Manifest, text_at
from gpulint.readers._pods import ACCELERATOR_WORDS
from gpulint.source.yaml import Node

MARKS = (
    ("helm",),
    (
        *ACCELERATOR_WORDS, "migManager", "mig:", "modelSpec", "modelArtifacts",
        "valueFiles", "valuesFrom", "path", "GitRepository",  # values elsewhere
    ),
)  # fmt: skip
KINDS = frozenset({
    ("argoproj.io", "Application"), ("argoproj.io", "ApplicationSet"), ("helm.toolkit.fluxcd.io", "HelmRelease"),
})  # fmt: skip
# What a reader of values calls the objects that it finds in a file.
_OF_FILES = ("Chart", "Values")
_DEEPEST_NAME = 20


def read_object(manifest: Manifest, project: Project) -> None:
    spec = manifest.node.get("spec")
    if manifest.kind == "ApplicationSet":
        spec = manifest.node.at("spec", "template", "spec")
    if spec is None:
        return
    if manifest.kind == "HelmRelease":
        if spec.get("valuesFrom") is not None or text_at(spec, "chart", "spec", "sourceRef", "kind") == "GitRepository":
            project.completions.append(partial(_read_layers, manifest, spec, project))
        else:
            _read(_own(manifest, spec), manifest, project)
        return
    several = spec.get("sources")
    for source in [spec.get("source"), *(several.elements() if several is not None else ())]:
        helm = source.get("helm") if source is not None else None
        if source is None or helm is None:
            continue
        if source.get("path") is not None or helm.get("valueFiles") is not None:
            project.completions.append(partial(_read_layers, manifest, source, project))
        else:
            _read(_own(manifest, source), manifest, project)


def _own(manifest: Manifest, release: Node) -> Node | None:
    """The values that a release gives itself: those in a HelmRelease's specification or in a source of Argo CD."""
    if manifest.kind == "HelmRelease":
        values = release.get("values")
        return values if values is not None and values.is_mapping else None
    helm = release.get("helm")
    return _of_argo(helm) if helm is not None else None


def _read(values: Node | None, manifest: Manifest, project: Project) -> None:
    if values is None:
        return
    workloads, scalers = len(project.workloads), len(project.autoscalers)
    readers.read_root(values, project)
    for workload in project.workloads[workloads:]:
        workload.ref = manifest.ref if workload.ref.kind in _OF_FILES else workload.ref
    for scaler in project.autoscalers[scalers:]:
        scaler.ref = manifest.ref if scaler.ref.kind in _OF_FILES else scaler.ref


def _read_layers(manifest: Manifest, release: Node, project: Project, whole: Project) -> None:
    """Reads the values of a release whose chart, files or ConfigMaps are in the project as well.

    What stands in a file of values is an object of that file, of which this is another form.
    """
    from gpulint.readers import _release_values

    is_flux = manifest.kind == "HelmRelease"
    layers = (_release_values.of_flux if is_flux else _release_values.of_argo)(manifest, release, whole)
    own = _own(manifest, release)
    if not (layers.known or layers.top):
        _read(own, manifest, project)
        return
    if own is not None:
        layers.add(own)
    values = layers.together()
    for path, value in layers.top:
        steps = _steps(path)
        if steps is not None:
            values = _with(values, values if values is not None else release, steps, value)
    if _is_rendered(layers.chart, whole):
        if manifest.kind == "ApplicationSet" or not _render(layers.chart, values, manifest, whole):
            _read(own, manifest, project)
        return
    refs = {(each.place.source.path, each.place.start): each.ref for each in whole.workloads}
    refs |= {(each.place.source.path, each.place.start): each.ref for each in whole.autoscalers}
    found = Project(open_file=whole.open_file)
    _read(values, manifest, found)
    for workload in found.workloads:
        ref = refs.get((workload.place.source.path, workload.place.start))
        if ref is not None:
            workload.ref = ref
            workload.overlay = posixpath.dirname(manifest.name_node().place.source.path) or "."
    for scaler in found.autoscalers:
        scaler.ref = refs.get((scaler.place.source.path, scaler.place.start), scaler.ref)
    project.workloads += found.workloads
    project.autoscalers += found.autoscalers


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
        steps = _steps(name or "")
        if value is not None and steps is not None:
            values = _with(values, parameters or parameter, steps, value)
    return values


def _is_rendered(chart: str | None, project: Project) -> bool:
    """Whether the templates of a chart speak for its values: they gave what holds GPUs or an engine."""
    of_chart = {path for path, folder in project.releases.items() if folder == chart}
    return any(
        workload.place.source.path in of_chart and (workload.uses_gpus or workload.engines)
        for workload in (project.workloads if of_chart else ())
    )


def _render(chart: str | None, values: Node | None, manifest: Manifest, project: Project) -> bool:
    """Adds what the templates of a chart make of the values of a release; whether that holds GPUs or an engine."""
    variant = project.variants.get(chart) if chart is not None else None
    return variant is not None and variant(values, manifest.name_node().place)


def _steps(path: str) -> list[str] | None:
    """The keys of a path of values; a dot that belongs to a key has a backslash before it.

    None where it leads to a list's element or is no path.
    """
    steps = [step.replace("\\.", ".") for step in re.split(r"(?<!\\)\.", path)]
    return steps if all(steps) and len(steps) <= _DEEPEST_NAME and "[" not in path else None


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
