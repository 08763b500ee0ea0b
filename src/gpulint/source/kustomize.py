"""Kustomizations: the objects that one builds, as nodes whose values keep the places where they were written.

Nothing is fetched and nothing outside the project is read. What cannot be followed makes an object unknown as a whole
(`Resource.known`), or one field of it, which then holds a placeholder.
Source: kustomize, api/types (Kustomization, Patch, Selector, Image) and the strategic merge patch of Kubernetes.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from gpulint.source.environment import text_node, variables, with_text
from gpulint.source.text import Source
from gpulint.source.yaml import Document, Node, documents

NAMES = ("kustomization.yaml", "kustomization.yml", "Kustomization")
_DEEPEST_BASE = 8
_DEEPEST_NODE = 40
_MOST_RESOURCES = 500
_MOST_BUILDS = 500
# What one change of an object may look at: YAML's aliases can make an object of any size.
_MOST_NODES = 50_000
# What a field holds whose value comes from elsewhere: no number, no flag's value.
_PLACEHOLDER = "${replaced}"
# Lists of built-in kinds whose elements are merged by a key; other lists are replaced. Source: Kubernetes API, the
# patchMergeKey of each field.
_MERGE_KEYS = {
    "containers": "name", "initContainers": "name", "ephemeralContainers": "name", "env": "name", "volumes": "name",
    "volumeMounts": "mountPath", "volumeDevices": "devicePath", "imagePullSecrets": "name", "hostAliases": "ip",
    "resourceClaims": "name", "topologySpreadConstraints": "topologyKey",
}  # fmt: skip
_BUILT_IN_GROUPS = ("", "apps", "batch", "autoscaling", "policy")
_SEQUENCE_OF_PORTS = "ports"
CONTAINER_LISTS = ("containers", "initContainers")
# Where no containers are.
_NO_PODS = frozenset({"args", "command", "env", "envFrom", "metadata", "ports", "status", "volumeMounts", "volumes"})
# What changes objects in ways that are not followed.
_PLUGINS = ("transformers", "generators")

OpenFile = Callable[[str], Source | None]


class Merged(Node):
    """A mapping or sequence put together from several documents; its own place is that of `face`."""

    __slots__ = ("parts",)

    def __init__(self, face: Node, parts: dict[str, Node] | list[Node]) -> None:
        super().__init__(face.document, face.raw, face.path, face.key_raw)
        self.parts = parts

    @property
    def is_mapping(self) -> bool:
        return isinstance(self.parts, dict)

    @property
    def is_sequence(self) -> bool:
        return isinstance(self.parts, list)

    @property
    def is_scalar(self) -> bool:
        return False

    def get(self, key: str) -> Node | None:
        return self.parts.get(key) if isinstance(self.parts, dict) else None

    def items(self) -> Iterator[tuple[str, Node]]:
        yield from self.parts.items() if isinstance(self.parts, dict) else ()

    def keys(self) -> tuple[str, ...]:
        return tuple(self.parts) if isinstance(self.parts, dict) else ()

    def element(self, index: int) -> Node | None:
        if isinstance(self.parts, dict) or not -len(self.parts) <= index < len(self.parts):
            return None
        return self.parts[index]

    def elements(self) -> Iterator[Node]:
        yield from self.parts if isinstance(self.parts, list) else ()


@dataclass(slots=True, eq=False)
class Resource:
    """An object on its way through kustomizations. `names` are those by which patches and references may call it."""

    node: Node
    group: str
    kind: str
    names: set[str]
    namespace: str | None
    origin: Node
    changed: bool = False
    known: bool = True

    @classmethod
    def of(cls, node: Node) -> Resource | None:
        kind, version = node.get("kind"), node.get("apiVersion")
        name, namespace = node.at("metadata", "name"), node.at("metadata", "namespace")
        if kind is None or kind.text is None or version is None or version.text is None:
            return None
        names = {name.text} if name is not None and name.text is not None else set()
        group = version.text.rpartition("/")[0]
        return cls(node, group, kind.text, names, namespace.text if namespace is not None else None, node)


@dataclass(slots=True, eq=False)
class Build:
    """What a kustomization builds: objects, and the ConfigMaps that it generates, by name and key (None: unknown).

    `remote` says that it takes in objects which are not in the project: a patch of one of those stands for it.
    """

    resources: list[Resource] = field(default_factory=list)
    config_maps: dict[str, dict[str, Node | None]] = field(default_factory=dict)
    remote: bool = False


class _UnfollowedError(Exception):
    """Something that is not followed: what it touches is unknown."""


class Room:
    """How many more nodes a change may look at."""

    __slots__ = ("left",)

    def __init__(self) -> None:
        self.left = _MOST_NODES

    def enter(self, depth: int) -> None:
        self.left -= 1
        if self.left < 0 or depth > _DEEPEST_NODE:
            raise _UnfollowedError


# Gives another list for the one below a key of a mapping; None where it stays.
Change = Callable[[str, Node, Node], Node | None]


def rewritten(node: Node, change: Change) -> Node | None:
    """The node with every list below a key replaced that `change` gives another one for; None where that is none.

    `change` is called with the key, the list and the mapping that holds them.
    """
    try:
        return _rewritten(node, change, Room(), 0)
    except _UnfollowedError:
        return None


def _rewritten(node: Node, change: Change, room: Room, depth: int) -> Node | None:
    room.enter(depth)
    if node.is_sequence:
        inner = [_rewritten(element, change, room, depth + 1) for element in node.elements() if not element.is_scalar]
        if not any(inner):
            return None
        new = iter(inner)
        return Merged(node, [old if old.is_scalar else next(new) or old for old in node.elements()])
    parts: dict[str, Node] = {}
    for key, value in node.items():
        changed = None
        if value.is_sequence:
            changed = change(key, value, node)
        if changed is None and not value.is_scalar and key not in _NO_PODS:
            changed = _rewritten(value, change, room, depth + 1)
        if changed is not None:
            parts[key] = changed
    return Merged(node, {**dict(node.items()), **parts}) if parts else None


class Builder:
    """Builds kustomizations of one project; files are parsed once."""

    def __init__(self, open_file: OpenFile) -> None:
        self.open_file = open_file
        self.parsed: dict[str, list[Node]] = {}
        self.left = _MOST_BUILDS

    def build(self, folder: str) -> Build:
        """The objects of the kustomization in a folder (a report path); none for one that takes in too much."""
        self.left = _MOST_BUILDS
        try:
            return self._build(folder, ())
        except _UnfollowedError:
            return Build()

    def kustomization(self, folder: str) -> Node | None:
        for name in NAMES:
            roots = self.roots(posixpath.join(folder, name))
            if roots:
                return roots[0] if roots[0].is_mapping else None
        return None

    def roots(self, path: str) -> list[Node]:
        path = posixpath.normpath(path)
        if path not in self.parsed:
            source = self.open_file(path)
            found = documents(source) if source is not None else ()
            self.parsed[path] = [document.root for document in found if isinstance(document, Document)]
        return self.parsed[path]

    def references(self, folder: str) -> list[str]:
        """The folders that a kustomization takes in."""
        node = self.kustomization(folder)
        entries = [e for key in ("resources", "bases", "components") for e in _texts(node, key)] if node else []
        return [posixpath.normpath(posixpath.join(folder, e)) for e in entries if not _is_remote(e)]

    def _build(self, folder: str, above: tuple[str, ...]) -> Build:
        folder = posixpath.normpath(folder)
        node = self.kustomization(folder)
        build = Build()
        self.left -= 1
        if self.left < 0:
            raise _UnfollowedError
        if node is None or folder in above or len(above) >= _DEEPEST_BASE:
            return build
        for entry in [*_texts(node, "resources"), *_texts(node, "bases")]:
            if _is_remote(entry):
                build.remote = True
                continue
            path = posixpath.normpath(posixpath.join(folder, entry))
            roots = self.roots(path) if path.endswith((".yaml", ".yml", ".json")) else []
            if roots or path.endswith((".yaml", ".yml", ".json")):
                for root in roots:
                    build.resources += _objects(root)
            else:
                _take_in(build, self._build(path, (*above, folder)))
            if len(build.resources) > _MOST_RESOURCES:
                raise _UnfollowedError
        self._apply(node, folder, build, (*above, folder))
        return build

    def _apply(self, node: Node, folder: str, build: Build, above: tuple[str, ...]) -> None:
        """What a kustomization or component does to the objects gathered so far, in kustomize's order."""
        self._generate(node, folder, build)
        for entry in _texts(node, "components"):
            path = posixpath.normpath(posixpath.join(folder, entry))
            component = None if _is_remote(entry) or path in above else self.kustomization(path)
            if component is None or len(above) >= _DEEPEST_BASE:
                _forget(build.resources)  # it may change anything
                continue
            self.left -= 1
            if self.left < 0:
                raise _UnfollowedError
            for inner in _texts(component, "resources"):
                if not _is_remote(inner):
                    build.resources += [r for root in self.roots(posixpath.join(path, inner)) for r in _objects(root)]
            self._apply(component, path, build, (*above, path))
        if any(node.get(key) is not None for key in _PLUGINS):
            _forget(build.resources)
        for patch in self._patches(node, folder):
            patch(build)
        _rename(node, build.resources)
        _set_replicas(node, build.resources)
        _set_images(node, build.resources)
        self._replace(node, folder, build)

    # -- generated ConfigMaps

    def _generate(self, node: Node, folder: str, build: Build) -> None:
        generators = node.get("configMapGenerator")
        for generator in generators.elements() if generators is not None else ():
            name = generator.get("name")
            if name is None or name.text is None:
                continue
            data: dict[str, Node | None] = {}
            behavior = generator.get("behavior")
            if behavior is not None and behavior.text == "merge":
                data = dict(build.config_maps.get(name.text, {}))
            for entry in _texts(generator, "files"):
                key, equals, path = entry.partition("=")
                source = self.open_file(posixpath.normpath(posixpath.join(folder, path if equals else entry)))
                data[key if equals else posixpath.basename(entry)] = (
                    text_node(source, source.text, 0, len(source.text)) if source is not None else None
                )
            for entry in [*_texts(generator, "envs"), *_text(generator, "env")]:
                path = posixpath.normpath(posixpath.join(folder, entry))
                source = self.open_file(path)
                if source is not None:
                    data.update(variables(source, quotes=False))
            literals = generator.get("literals")
            for element in literals.elements() if literals is not None else ():
                text = element.text or ""
                key, equals, value = text.partition("=")
                if equals:
                    start = len(key) + 1
                    if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"":
                        start, value = start + 1, value[1:-1]
                    data[key] = with_text(element, value, element.fragment(start, start + len(value)))
            build.config_maps[name.text] = data

    # -- patches

    def _patches(self, node: Node, folder: str) -> Iterator[Callable[[Build], None]]:
        for entry in _elements(node, "patchesStrategicMerge"):
            text = entry.text or ""
            roots = _embedded(entry) if "\n" in text else self._file(text, folder)
            for root in roots:
                yield _Patch(root, None).apply
        for key in ("patches", "patchesJson6902"):
            for entry in _elements(node, key):
                path, inline, target = entry.get("path"), entry.get("patch"), entry.get("target")
                roots = []
                if path is not None and path.text is not None:
                    roots = self._file(path.text, folder)
                elif inline is not None:
                    roots = _embedded(inline)
                if not roots:
                    yield _Patch(None, target).apply
                for root in roots:
                    yield _Patch(root, target).apply

    def _file(self, name: str, folder: str) -> list[Node]:
        return [] if _is_remote(name) else self.roots(posixpath.join(folder, name))

    # -- replacements

    def _replace(self, node: Node, folder: str, build: Build) -> None:
        """Fields that take their value from another object: unknown, or the value of a generated ConfigMap."""
        for entry in _elements(node, "replacements"):
            path = entry.get("path")
            listed = [entry]
            if path is not None and path.text is not None:
                roots = self._file(path.text, folder)
                listed = [each for root in roots for each in (root.elements() if root.is_sequence else [root])]
            for replacement in listed:
                value = _replacement_value(replacement, build)
                for target in _elements(replacement, "targets"):
                    self._replace_in(target, value, build.resources)

    def _replace_in(self, target: Node, value: Node | None, resources: list[Resource]) -> None:
        chosen = _selected(target.get("select"), resources)
        if target.get("options") is not None and any(target.at("options", key) for key in ("delimiter", "index")):
            value = None
        fields = [element.text for element in _elements(target, "fieldPaths") if element.text is not None]
        for resource in chosen:
            for text in fields:
                steps = _field_path(text)
                if steps[:1] == ["metadata"] and resource.kind != "ConfigMap":
                    continue  # names and namespaces: not what a pod does
                try:
                    node = _set_at(resource.node, steps, value)
                except _UnfollowedError:
                    resource.known = False
                    continue
                if node is not None:
                    resource.node, resource.changed = node, True


# -- what a kustomization takes in


def _take_in(build: Build, other: Build) -> None:
    build.resources += other.resources
    build.config_maps.update(other.config_maps)
    build.remote = build.remote or other.remote


def _objects(root: Node) -> Iterator[Resource]:
    items = root.get("items")
    kind = root.get("kind")
    if items is not None and kind is not None and (kind.text or "").endswith("List"):
        nodes = list(items.elements())
    else:
        nodes = [root]
    for node in nodes:
        resource = Resource.of(node) if node.is_mapping else None
        if resource is not None:
            yield resource


def _forget(resources: Sequence[Resource]) -> None:
    for resource in resources:
        resource.known = False


def _is_remote(entry: str) -> bool:
    return "://" in entry or "?ref=" in entry or entry.startswith(("github.com/", "git@", "git::", "/"))


def _elements(node: Node, key: str) -> list[Node]:
    child = node.get(key)
    return list(child.elements()) if child is not None else []


def _texts(node: Node | None, key: str) -> list[str]:
    return [element.text for element in _elements(node, key) if element.text is not None] if node is not None else []


def _text(node: Node, key: str) -> list[str]:
    child = node.get(key)
    return [child.text] if child is not None and child.text is not None else []


def _embedded(node: Node) -> list[Node]:
    document = node.embedded()
    return [document.root] if document is not None else []


# -- selecting and patching


def _selected(selector: Node | None, resources: list[Resource]) -> list[Resource]:
    """The objects that a target means. An expression that is not followed makes those it may mean unknown."""
    if selector is None:
        return []
    wanted = {key: _text(selector, key)[:1] for key in ("group", "kind", "name")}
    by_label = selector.get("labelSelector") is not None or selector.get("annotationSelector") is not None
    found = []
    for resource in resources:
        if wanted["group"] and not _matches(wanted["group"][0], {resource.group}):
            continue
        if wanted["kind"] and not _matches(wanted["kind"][0], {resource.kind}):
            continue
        if wanted["name"] and not _matches(wanted["name"][0], resource.names):
            continue
        if by_label:
            resource.known = False
            continue
        found.append(resource)
    return found


def _matches(pattern: str, names: set[str]) -> bool:
    """Selectors are anchored regular expressions."""
    if pattern in names:
        return True
    if len(pattern) > 200 or not re.search(r"[.*+?\[(|\\^$]", pattern):
        return False
    # Only the everyday forms: a pattern of a repository must not keep a linter busy.
    simple = re.escape(pattern.strip("^$")).replace(r"\.\*", ".*").replace(r"\|", "|").replace(r"\(", "(?:")
    try:
        return any(re.fullmatch(simple.replace(r"\)", ")"), name) for name in names)
    except re.error:
        return False


class _Patch:
    """A patch with what it is for; without content (a file that is missing) its targets become unknown."""

    def __init__(self, content: Node | None, target: Node | None) -> None:
        self.content = content
        self.target = target

    def apply(self, build: Build) -> None:
        content, resources = self.content, build.resources
        if self.target is not None:
            chosen = _selected(self.target, resources)
        elif content is not None and (own := Resource.of(content)) is not None:
            chosen = [r for r in resources if (r.kind, r.group) == (own.kind, own.group) and own.names & r.names]
        else:
            chosen = []
        own = Resource.of(content) if content is not None and content.is_mapping else None
        if not chosen and build.remote and own is not None and own.names:
            own.changed = True
            resources.append(own)
        for resource in chosen:
            try:
                if content is None:
                    raise _UnfollowedError
                if content.is_sequence:
                    node: Node | None = _json_patch(resource.node, content)
                else:
                    node = _merge(resource.node, content, resource.group in _BUILT_IN_GROUPS, Room(), 0)
            except _UnfollowedError:
                resource.known = False
                continue
            if node is None:
                resources.remove(resource)
            else:
                resource.node, resource.changed = node, True


def _merge(base: Node, patch: Node, by_key: bool, room: Room, depth: int) -> Node | None:
    """A strategic merge patch; None where it deletes the node."""
    room.enter(depth)
    if not patch.is_mapping or not base.is_mapping:
        if patch.is_scalar and base.is_scalar and patch.value == base.value:
            return base
        return patch
    directive = patch.get("$patch")
    if directive is not None:
        if directive.text == "delete":
            return None
        if directive.text != "replace":
            raise _UnfollowedError
        return Merged(patch, {key: value for key, value in patch.items() if key != "$patch"})
    parts = dict(base.items())
    for key, value in patch.items():
        if key.startswith("$"):
            raise _UnfollowedError
        old = parts.get(key)
        if value.is_scalar and value.text is None:
            parts.pop(key, None)
        elif old is not None and old.is_sequence and value.is_sequence:
            merge_key = _MERGE_KEYS.get(key) if by_key else None
            if by_key and key == _SEQUENCE_OF_PORTS:
                merge_key = "containerPort" if any(e.get("containerPort") for e in old.elements()) else "port"
            parts[key] = _merge_lists(old, value, merge_key, room, depth) if merge_key else value
        elif old is not None:
            merged = _merge(old, value, by_key, room, depth + 1)
            if merged is None:
                parts.pop(key)
            else:
                parts[key] = merged
        else:
            parts[key] = value
    return Merged(base, parts)


def merged(base: Node, patch: Node, *, by_key: bool = True) -> Node | None:
    """An object with a strategic merge patch laid over it; None where that cannot be followed.

    `by_key` says that lists are merged as those of built-in types are; else they are replaced.
    """
    try:
        return _merge(base, patch, by_key, Room(), 0)
    except _UnfollowedError:
        return None


def _merge_lists(base: Node, patch: Node, merge_key: str, room: Room, depth: int) -> Node:
    elements = list(base.elements())
    for element in patch.elements():
        if not element.is_mapping:
            raise _UnfollowedError
        key = element.get(merge_key)
        directive = element.get("$patch")
        if directive is not None and key is None:  # `- $patch: replace`
            raise _UnfollowedError
        if key is None:
            elements.append(element)
            continue
        index = next((i for i, old in enumerate(elements) if _same(old.get(merge_key), key)), None)
        if index is None:
            if directive is None:
                elements.append(element)
            continue
        merged = _merge(elements[index], element, True, room, depth + 1)
        if merged is None:
            del elements[index]
        else:
            elements[index] = merged
    return Merged(base, elements)


def _same(one: Node | None, other: Node) -> bool:
    return one is not None and one.text is not None and one.text == other.text


def _json_patch(node: Node, operations: Node) -> Node:
    """RFC 6902: add, replace and remove; copy, move and test are not followed."""
    for operation in operations.elements():
        kind, path, value = operation.get("op"), operation.get("path"), operation.get("value")
        if kind is None or path is None or not (path.text or "").startswith("/"):
            raise _UnfollowedError
        if kind.text not in ("add", "replace", "remove") or (value is None and kind.text != "remove"):
            raise _UnfollowedError
        steps = [step.replace("~1", "/").replace("~0", "~") for step in (path.text or "")[1:].split("/")]
        node = _changed(node, steps, value, insert=kind.text == "add")
    return node


def _changed(node: Node, steps: list[str], value: Node | None, *, insert: bool) -> Node:
    """The node with the value at a path of keys and indices (removed for None)."""
    step, *rest = steps
    if node.is_mapping:
        parts = dict(node.items())
        old = parts.get(step)
        if rest:
            if old is None:
                raise _UnfollowedError
            parts[step] = _changed(old, rest, value, insert=insert)
        elif value is None:
            parts.pop(step, None)
        else:
            parts[step] = value
        return Merged(node, parts)
    if not node.is_sequence:
        raise _UnfollowedError
    elements = list(node.elements())
    if step == "-" and not rest and value is not None:
        return Merged(node, [*elements, value])
    if not step.isdigit() or int(step) >= len(elements) + (insert and not rest):
        raise _UnfollowedError
    index = int(step)
    if rest:
        elements[index] = _changed(elements[index], rest, value, insert=insert)
    elif value is None:
        del elements[index]
    elif insert:
        elements.insert(index, value)
    else:
        elements[index] = value
    return Merged(node, elements)


# -- the built-in transformers


def _rename(node: Node, resources: list[Resource]) -> None:
    """Prefix and suffix: outer patches may use the new name, references the old one."""
    prefix, suffix = "".join(_text(node, "namePrefix")), "".join(_text(node, "nameSuffix"))
    if prefix or suffix:
        for resource in resources:
            resource.names |= {f"{prefix}{name}{suffix}" for name in resource.names}


def _set_replicas(node: Node, resources: list[Resource]) -> None:
    for entry in _elements(node, "replicas"):
        name, count = _text(entry, "name"), entry.get("count")
        for resource in resources:
            spec = resource.node.get("spec")
            if name and name[0] in resource.names and count is not None and spec is not None and spec.is_mapping:
                if resource.kind not in ("Deployment", "StatefulSet", "ReplicaSet", "ReplicationController"):
                    continue
                resource.node = _changed(resource.node, ["spec", "replicas"], count, insert=False)
                resource.changed = True


def _set_images(node: Node, resources: list[Resource]) -> None:
    for entry in _elements(node, "images"):
        name = _text(entry, "name")
        if not name:
            continue
        for resource in resources:
            if not resource.changed and name[0] not in resource.node.document.text:
                continue  # as in most: no need to look for its containers
            changed = rewritten(resource.node, _image_setter(name[0], entry))
            if changed is not None:
                resource.node, resource.changed = changed, True


def _image_setter(name: str, entry: Node) -> Change:
    def change(key: str, value: Node, _holder: Node) -> Node | None:
        if key not in CONTAINER_LISTS:
            return None
        elements = [(_container_with_image(e, name, entry) if e.is_mapping else None) for e in value.elements()]
        if not any(elements):
            return None
        return Merged(value, [new or old for new, old in zip(elements, value.elements(), strict=True)])

    return change


def _container_with_image(container: Node, name: str, entry: Node) -> Node | None:
    image = container.get("image")
    if image is None or image.text is None:
        return None
    repository, tag, digest = _split_image(image.text)
    if repository != name:
        return None
    new_name, new_tag, new_digest = entry.get("newName"), entry.get("newTag"), entry.get("digest")
    at = new_tag or new_digest or new_name
    if at is None:
        return None
    text = new_name.text if new_name is not None and new_name.text is not None else repository
    if new_digest is not None:
        text += f"@{new_digest.text}"
    elif new_tag is not None:
        # The tag 1.10 unquoted is a number to YAML and `1.10` to kustomize.
        text += f":{new_tag.raw.value}"
    else:
        text += (f":{tag}" if tag else "") + (f"@{digest}" if digest else "")
    return Merged(container, {**dict(container.items()), "image": with_text(at, text, at.place)})


def _split_image(image: str) -> tuple[str, str, str]:
    name, _, digest = image.partition("@")
    head, colon, tag = name.rpartition(":")
    return (head, tag, digest) if colon and "/" not in tag else (name, "", digest)


# -- fields by their paths


def _replacement_value(replacement: Node, build: Build) -> Node | None:
    source = replacement.get("source")
    path = "".join(_text(source, "fieldPath")) if source is not None else ""
    name = _text(source, "name") if source is not None else []
    if source is None or not name or not path.startswith("data.") or _text(source, "kind") != ["ConfigMap"]:
        return None
    if source.get("options") is not None:
        return None
    return build.config_maps.get(name[0], {}).get(path.removeprefix("data."))


def _field_path(text: str) -> list[str]:
    """`spec.containers.[name=x].image` as its steps; a dot behind a backslash or in brackets is no separator."""
    return [step.replace("\\.", ".") for step in re.findall(r"\[[^\]]*\]|(?:\\.|[^.\[\]\\])+", text)]


def _set_at(node: Node, steps: list[str], value: Node | None) -> Node | None:
    """The node with the scalars at a field path replaced, by a placeholder for None; None where there is none.

    Raises _UnfollowedError for a field that holds more than a scalar.
    """
    if not steps:
        if not node.is_scalar:
            raise _UnfollowedError
        return value if value is not None else with_text(node, _PLACEHOLDER, node.place)
    step, *rest = steps
    if node.is_mapping:
        key = step[1:-1] if step.startswith("[") else step
        child = node.get(key)
        changed = _set_at(child, rest, value) if child is not None else None
        return Merged(node, {**dict(node.items()), key: changed}) if changed is not None else None
    if not node.is_sequence:
        return None
    elements = list(node.elements())
    touched = False
    for index, element in enumerate(elements):
        if step not in ("*", str(index)) and not _has(element, step):
            continue
        changed = _set_at(element, rest, value)
        if changed is not None:
            elements[index], touched = changed, True
    return Merged(node, elements) if touched else None


def _has(element: Node, step: str) -> bool:
    key, equals, wanted = step.strip("[]").partition("=")
    found = element.get(key) if equals and element.is_mapping else None
    return found is not None and found.text == wanted
