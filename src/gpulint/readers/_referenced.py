"""What becomes known when all files are read: variables that come from ConfigMaps, and what kustomizations build."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache

from gpulint.model.project import Project
from gpulint.model.values import ObjectRef
from gpulint.readers._annotations import note_overlay
from gpulint.readers._manifest import Manifest, text_at
from gpulint.readers._pods import FILES
from gpulint.source.environment import with_text
from gpulint.source.kustomize import CONTAINER_LISTS, Build, Builder, Merged, Resource, rewritten
from gpulint.source.text import Place
from gpulint.source.yaml import Document, Node, documents

# The values of a ConfigMap by key; None for one that is not known.
Data = Mapping[str, Node | None]
# Gives the data of a ConfigMap of this name, where it is known.
Lookup = Callable[[str], Data | None]
# Reads one object into a project.
Read = Callable[[Manifest, Project], None]

_CONFIG_MAP = "ConfigMap"
_MOST_KUSTOMIZATIONS = 500
# A ConfigMap farther away than this (folders up and down) belongs to something else.
_FARTHEST_FOLDERS = 2


def read_overlays(
    project: Project, kustomizations: Sequence[str], read: Read, matters: Callable[[str], bool] | None
) -> None:
    """Adds the workloads that kustomizations change on the way from their bases.

    Only those of kustomizations that no other takes in, and that hold an accelerator or an engine. `matters` tells by
    its text whether a file may hold one, for files that were not read; None where all were.
    """
    known = {w.place.source.path for w in project.workloads if w.uses_gpus or w.engines}
    if not kustomizations or not (known or matters):
        return
    builder = Builder(project.open_file)
    folders = list(dict.fromkeys(posixpath.dirname(path) or "." for path in kustomizations))
    taken_in = {reference for folder in folders for reference in builder.references(folder)}
    refs = {(w.place.source.path, w.place.start): w.ref for w in project.workloads}
    for folder in folders:
        node = builder.kustomization(folder)
        if folder in taken_in or node is None or text_at(node, "kind") == "Component":
            continue
        if not _holds(builder, folder, known, matters, set()):
            continue
        build = builder.build(folder)
        for resource in build.resources:
            _read_resource(resource, build, folder, refs, read, project)


def _holds(
    builder: Builder, folder: str, known: set[str], matters: Callable[[str], bool] | None, seen: set[str]
) -> bool:
    """Whether a kustomization takes in a file with a workload that matters."""
    folder = posixpath.normpath(folder)
    node = builder.kustomization(folder)
    if folder in seen or node is None or len(seen) > _MOST_KUSTOMIZATIONS:
        return False
    seen.add(folder)
    for key in ("resources", "bases", "components", "patches", "patchesStrategicMerge"):
        entries = node.get(key)
        for element in entries.elements() if entries is not None else ():
            entry = element.get("path") or element
            if entry.text is None or "\n" in entry.text:
                continue
            path = posixpath.normpath(posixpath.join(folder, entry.text))
            if path in known or ("://" not in entry.text and _holds(builder, path, known, matters, seen)):
                return True
            source = builder.open_file(path) if matters is not None and "://" not in entry.text else None
            if source is not None and matters is not None and matters(source.text):
                return True
    return False


def _read_resource(
    resource: Resource,
    build: Build,
    folder: str,
    refs: dict[tuple[str, int], ObjectRef],
    read: Read,
    project: Project,
) -> None:
    if not resource.known or resource.kind == _CONFIG_MAP:
        return
    with_variables = with_environment(resource.node, lambda name: _data(name, build))
    if with_variables is None and not resource.changed:
        return  # as its own file has it
    manifest = Manifest.of(with_variables or resource.node)
    if manifest is None:
        return
    scratch = Project(open_file=project.open_file)
    read(manifest, scratch)
    for complete in scratch.completions:
        complete(project)
    for workload in scratch.workloads:
        if workload.uses_gpus or workload.engines:
            workload.overlay = folder
            # One object in several forms: what holds for all of them is told once.
            workload.ref = refs.setdefault((workload.place.source.path, workload.place.start), workload.ref)
            project.workloads.append(workload)
            note_overlay(manifest.node, workload.ref, folder, project)


def _data(name: str, build: Build) -> Data | None:
    for resource in build.resources:
        if resource.kind == _CONFIG_MAP and name in resource.names and resource.known:
            return _data_of(resource.node)
    return build.config_maps.get(name)


def _data_of(config_map: Node) -> Data:
    data = config_map.get("data")
    return dict(data.items()) if data is not None else {}


# -- ConfigMaps of the project


def read_config_maps(project: Project, read: Read) -> None:
    """Reads the workloads again whose variables come from ConfigMaps that are near them."""
    wanted: set[str] = set()
    for awaiting, _ in project.awaiting:
        with_environment(awaiting, wanted.add)  # finds nothing, and notes each name that it asks for
    config_maps: dict[str, list[tuple[Manifest, Place]]] = {}
    for path in project.config_map_files if wanted else ():
        source = project.open_file(path)
        if source is None or wanted.isdisjoint(_names().findall(source.text)):
            continue
        for document in documents(source, lambda text: _CONFIG_MAP in text):
            manifest = Manifest.of(document.root) if isinstance(document, Document) else None
            if manifest is not None and manifest.kind == _CONFIG_MAP and manifest.ref.name in wanted:
                config_maps.setdefault(manifest.ref.name or "", []).append((manifest, manifest.name_node().place))
    for node in project.rendered_config_maps if wanted else ():
        manifest = Manifest.of(node)
        if manifest is not None and manifest.ref.name in wanted:
            config_maps.setdefault(manifest.ref.name or "", []).append((manifest, manifest.name_node().place))
    if not config_maps:
        return
    positions = {id(workload): index for index, workload in enumerate(project.workloads)}
    for awaiting, workloads in project.awaiting:
        manifest = Manifest.of(awaiting)
        assert manifest is not None  # it was read as one
        origin = manifest.name_node().place

        def lookup(name: str, manifest: Manifest = manifest, origin: Place = origin) -> Data | None:
            fitting = [
                candidate
                for candidate in config_maps.get(name, ())
                if candidate[0].ref.namespace in (None, manifest.ref.namespace) or manifest.ref.namespace is None
            ]
            near = [candidate for candidate in fitting if project.is_near(origin, candidate[1], _FARTHEST_FOLDERS)]
            near = project.of_one_release(near, origin, lambda candidate: candidate[1])
            found = project.nearest(near, origin, lambda candidate: candidate[1])
            return _data_of(found[0].node) if found is not None else None

        with_variables = with_environment(manifest.node, lookup)
        again = Manifest.of(with_variables) if with_variables is not None else None
        if again is None or any(workload.autoscalers for workload in workloads):
            continue
        scratch = Project(open_file=project.open_file)
        read(again, scratch)
        if len(scratch.workloads) == len(workloads):
            for old, new in zip(workloads, scratch.workloads, strict=True):
                new.ref = old.ref
                for old_pod, new_pod in zip(old.pods, new.pods, strict=False):
                    new_pod.complete = new_pod.complete and old_pod.complete
                project.workloads[positions[id(old)]] = new
            project.completions += scratch.completions


@cache
def _names() -> re.Pattern[str]:
    """The names that a manifest's text gives, in block and flow style and in JSON."""
    return re.compile(r"""name["']?:[ \t]*["']?([\w.-]+)""")


# -- variables


def with_environment(node: Node, lookup: Lookup) -> Node | None:
    """The object with what its containers take from ConfigMaps written in; None where nothing of it is known.

    The files of ConfigMaps that a container's command names stand under FILES.
    """

    def change(key: str, value: Node, holder: Node) -> Node | None:
        if key not in CONTAINER_LISTS:
            return None
        inner = [_container(element, holder, lookup) if element.is_mapping else None for element in value.elements()]
        if not any(inner):
            return None
        return Merged(value, [new or old for new, old in zip(inner, value.elements(), strict=True)])

    return rewritten(node, change)


def _container(container: Node, pod: Node, lookup: Lookup) -> Node | None:
    files = _mounted(container, pod, lookup)
    filled = _with_variables(container, lookup)
    if not files:
        return filled
    found = filled or container
    return Merged(found, {**dict(found.items()), FILES: Merged(found, files)})


def _mounted(container: Node, pod: Node, lookup: Lookup) -> dict[str, Node]:
    """The files of ConfigMaps that a container has, by their paths, if its command speaks of any of them."""
    command = "\n".join(
        element.text or "" for key in ("command", "args") for element in _elements(container, key) if element.text
    )
    found: dict[str, Node] = {}
    mounts = [(text_at(mount, "mountPath"), mount) for mount in _elements(container, "volumeMounts")]
    if not any(path is not None and path.rstrip("/") in command for path, _ in mounts):
        return found
    for path, mount in mounts:
        name, part = text_at(mount, "name"), text_at(mount, "subPath")
        if path is None:
            continue
        volume = next((each for each in _elements(pod, "volumes") if text_at(each, "name") == name), None)
        for config_map in _config_maps(volume):
            data = lookup(text_at(config_map, "name") or "")
            items = {text_at(item, "key"): text_at(item, "path") for item in _elements(config_map, "items")}
            for key, value in (data or {}).items():
                file = items.get(key) if items else key
                if value is None or file is None or (part is not None and file != part):
                    continue
                found[path if part is not None else f"{path.rstrip('/')}/{file}"] = value
    return found


def _config_maps(volume: Node | None) -> list[Node]:
    """The references to ConfigMaps of a volume, alone or projected with others."""
    if volume is None:
        return []
    sources = [volume, *_elements(volume.get("projected") or volume, "sources")]
    return [reference for source in sources if (reference := source.get("configMap")) is not None]


def _with_variables(container: Node, lookup: Lookup) -> Node | None:
    env, env_from = container.get("env"), container.get("envFrom")
    entries: dict[str, Node] = {}
    unresolved: list[Node] = []
    own: list[Node] = []
    known = False
    if env_from is not None:
        for source in env_from.elements():
            data = _known(source.get("configMapRef"), lookup)
            if data is None:
                unresolved.append(source)
                continue
            known = True
            prefix = text_at(source, "prefix") or ""
            entries |= {prefix + key: _entry(env_from, prefix + key, value) for key, value in data.items()}
    for element in env.elements() if env is not None else ():
        reference, name = element.at("valueFrom", "configMapKeyRef"), element.get("name")
        found = (_known(reference, lookup) or {}).get(text_at(reference, "key") or "")
        if found is not None and name is not None:
            known = True
            own.append(Merged(element, {"name": name, "value": found}))
        else:
            own.append(element)
        entries.pop(text_at(name) or "", None)
    face = env if env is not None else env_from
    if not known or face is None:
        return None
    parts = {key: value for key, value in container.items() if key not in ("env", "envFrom")}
    parts["env"] = Merged(face, [*entries.values(), *own])
    if unresolved and env_from is not None:
        parts["envFrom"] = Merged(env_from, unresolved)
    return Merged(container, parts)


def _known(reference: Node | None, lookup: Lookup) -> Data | None:
    """The data of the ConfigMap that a reference names."""
    name = text_at(reference, "name")
    return lookup(name) if name is not None else None


def _entry(face: Node, name: str, value: Node | None) -> Node:
    if value is None:
        return Merged(_mapping(face), {"name": with_text(face, name, face.key_place), "valueFrom": _mapping(face)})
    return Merged(_mapping(face), {"name": with_text(value, name, value.key_place), "value": value})


def _elements(node: Node, key: str) -> list[Node]:
    """The elements of the list below a key."""
    child = node.get(key)
    return list(child.elements()) if child is not None else []


def _mapping(face: Node) -> Node:
    """An empty mapping at the first element of a list of mappings."""
    element = face.element(0)
    return Merged(element, {}) if element is not None else face
