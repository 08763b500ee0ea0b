"""What a release of a Helm chart is given: values of its chart, of files and of ConfigMaps, each over the one before.

A layer that is not in the project may set anything that lies below it, so that only what lies above it is known.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator

from gpulint.model.project import Project
from gpulint.readers._manifest import Manifest, text_at
from gpulint.readers._pods import elements
from gpulint.source.kustomize import Builder, merged
from gpulint.source.yaml import Document, Node, documents

_CONFIG_MAP, _SECRET = "ConfigMap", "Secret"
_VALUES = "values.yaml"
# A ConfigMap farther away than this (folders up and down) belongs to something else.
_FARTHEST_FOLDERS = 2


class Layers:
    """Values that lie over each other, from the lowest that is known; `top` are single values over all, by path.

    `chart` is the folder of the chart, where that is in the project.
    """

    __slots__ = ("chart", "known", "top")

    def __init__(self) -> None:
        self.chart: str | None = None
        self.known: list[Node] = []
        self.top: list[tuple[str, Node]] = []

    def add(self, layer: Node | None) -> None:
        if layer is None:
            self.known.clear()
        else:
            self.known.append(layer)

    def add_chart(self, layer: Node | None) -> None:
        """Adds the values in the chart's folder."""
        self.add(layer)
        self.chart = posixpath.dirname(layer.document.source.path) if layer is not None else None

    def together(self) -> Node | None:
        """All layers in one, as Helm merges them: mappings key by key, the rest replaced; None if none is known."""
        found: Node | None = None
        for layer in self.known:
            found = merged(found, layer, by_key=False) if found is not None else layer
        return found


def of_flux(manifest: Manifest, spec: Node, project: Project) -> Layers:
    """The layers of a HelmRelease below its own `values`, and what a `targetPath` sets over those.

    Source: fluxcd/pkg@288c80e chartutil/values.go, ChartValuesFromReferences; Flux documentation, "Helm Releases".
    """
    layers = Layers()
    origin = manifest.name_node().place.source.path
    chart = spec.at("chart", "spec")
    folder = text_at(chart, "chart")
    if chart is not None and folder is not None and text_at(chart, "sourceRef", "kind") == "GitRepository":
        files = chart.get("valuesFiles")
        named = [each.text or "" for each in files.elements()] if files is not None else []
        layers.add_chart(_file(posixpath.join(folder, _VALUES), origin, project))
        if named:
            layers.add(None)
        for path in named:
            layers.add(_file(path, origin, project))
    for reference in elements(spec, "valuesFrom"):
        kind, name = text_at(reference, "kind"), text_at(reference, "name")
        value = _referenced(kind, name, text_at(reference, "valuesKey") or _VALUES, manifest, project)
        target = text_at(reference, "targetPath")
        if target is None:
            layers.add(_embedded(value))
        elif value is not None:
            layers.top.append((target, value))
    return layers


def of_argo(manifest: Manifest, source: Node, project: Project) -> Layers:
    """The layers of an Application's source below what it says itself: the chart's values, then its files in order.

    A file is named by its path from the chart, from the repository (`/`) or from that of another source (`$ref/`).
    Source: Argo CD user guide, "Helm" and "Multiple Sources".
    """
    layers = Layers()
    origin = manifest.name_node().place.source.path
    folder = text_at(source, "path")
    if folder is not None:
        layers.add_chart(_file(posixpath.join(folder, _VALUES), origin, project))
    files = source.at("helm", "valueFiles")
    for file in files.elements() if files is not None else ():
        path = file.text or ""
        if path.startswith("$"):
            path = path.partition("/")[2]
        elif not path.startswith("/"):
            path = posixpath.join(folder, path) if folder is not None else ""
        layers.add(_file(path.lstrip("/"), origin, project) if path else None)
    return layers


def _file(path: str, origin: str, project: Project) -> Node | None:
    """The values in a file of the repository, whose root is a folder above the file that names it."""
    if any(mark in path for mark in "*{$"):
        return None
    for folder in _above(origin):
        source = project.open_file(posixpath.normpath(posixpath.join(folder, path)))
        if source is not None:
            read = list(documents(source))
            values = read[0].root if len(read) == 1 and isinstance(read[0], Document) else None
            return values if values is not None and values.is_mapping else None
    return None


def _above(path: str) -> Iterator[str]:
    """The folders that a file lies in, the outermost first."""
    steps = posixpath.dirname(path).split("/") if posixpath.dirname(path) else []
    for count in range(len(steps) + 1):
        yield "/".join(steps[:count])


def _referenced(kind: str | None, name: str | None, key: str, manifest: Manifest, project: Project) -> Node | None:
    """The text under a key of a ConfigMap, or of a Secret that is written in plain text."""
    if kind not in (_CONFIG_MAP, _SECRET) or name is None:
        return None
    origin = manifest.name_node().place
    namespace = manifest.ref.namespace
    folder = posixpath.dirname(origin.source.path)
    beside = [posixpath.normpath(posixpath.join(folder, each)) for each in project.kustomizations().get(folder, ())]
    found = []
    for path in dict.fromkeys([origin.source.path, *beside, *project.config_map_files]):
        source = project.open_file(path)
        if source is None or name not in source.text:
            continue
        for document in documents(source, lambda text: name in text and "kind" in text):
            other = Manifest.of(document.root) if isinstance(document, Document) else None
            if (
                other is not None
                and (other.kind, other.ref.name) == (kind, name)
                and (namespace is None or other.ref.namespace in (None, namespace))
                and project.is_near(origin, other.name_node().place, _FARTHEST_FOLDERS)
            ):
                found.append(other)
    nearest = project.nearest(found, origin, lambda other: other.name_node().place)
    if nearest is not None:
        holder = nearest.node.get("data" if kind == _CONFIG_MAP else "stringData")
        return holder.get(key) if holder is not None else None
    return _generated(name, key, origin.source.path, project) if kind == _CONFIG_MAP and not found else None


def _generated(name: str, key: str, origin: str, project: Project) -> Node | None:
    """What a kustomization around a file generates under a key."""
    builder = Builder(project.open_file)
    for folder in [*_above(origin)][: -(_FARTHEST_FOLDERS + 2) : -1]:
        if builder.kustomization(folder or ".") is not None:
            data = builder.build(folder or ".").config_maps.get(name)
            if data is not None:
                return data.get(key)
    return None


def _embedded(value: Node | None) -> Node | None:
    inner = value.embedded() if value is not None else None
    return inner.root if inner is not None and inner.root.is_mapping else None
