"""Configurations of NVIDIA's device plugin: as a file, in a ConfigMap, and in the values of its charts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from gpulint.model.project import Project
from gpulint.model.values import ObjectRef, Sourced
from gpulint.readers._manifest import Manifest, embedded_files, sourced_int, sourced_text
from gpulint.readers._pods import elements
from gpulint.source.yaml import Node

if TYPE_CHECKING:
    from gpulint.model.cluster import DevicePluginConfig, Sharing

MARKS = (("timeSlicing", "migStrategy", "mps:"), ("version",))
KINDS = frozenset({("", "ConfigMap")})
_STRATEGIES: tuple[tuple[str, Literal["time-slicing", "mps"]], ...] = (("timeSlicing", "time-slicing"), ("mps", "mps"))
# Source: NVIDIA/k8s-device-plugin api/config/v1: config.go, replicas.go, resources.go.
_KEYS = frozenset({"version", "flags", "resources", "sharing", "imex", "health"})
_RESOURCES_KEYS = frozenset({"gpus", "mig", "migs"})
_REPLICAS_KEYS = frozenset({"strategy", "renameByDefault", "failRequestsGreaterThanOne", "resources"})
_RESOURCE_KEYS = frozenset({"name", "rename", "devices", "replicas"})


def claims_file(root: Node) -> bool:
    return _is_config(root) or any(True for _ in _values(root))


def read_file(root: Node, project: Project) -> None:
    file = root.document.source.path.rpartition("/")[2]
    if _is_config(root):
        project.device_plugin_configs.append(_config(root, ObjectRef("device plugin configuration", None, file), None))
    for name, inner in _values(root):
        project.device_plugin_configs.append(_config(inner, ObjectRef("chart values", None, file), name))


def read_object(manifest: Manifest, project: Project) -> None:
    seen = set()
    for word in MARKS[0]:
        for inner in embedded_files(manifest, project, "version:", word):
            path = inner.root.path
            name = str(path[1]) if path is not None else None
            if name not in seen and _is_config(inner.root):
                seen.add(name)
                project.device_plugin_configs.append(_config(inner.root, manifest.ref, name))


def _is_config(root: Node) -> bool:
    if root.get("version") is None:
        return False
    return root.at("flags", "migStrategy") is not None or any(root.at("sharing", key) for key, _ in _STRATEGIES)


def _values(root: Node) -> Iterator[tuple[str, Node]]:
    """The named configurations in the values of the charts of the device plugin and the GPU Operator, or around them.

    Source: their values.yaml: `config.map` and `devicePlugin.config.data`.
    """
    for holder in (root, *(value for _, value in root.items())):
        for path in (("config", "map"), ("devicePlugin", "config", "data")):
            entries = holder.at(*path)
            for name, text in entries.items() if entries is not None else ():
                inner = text.embedded()
                if inner is not None and _is_config(inner.root):
                    yield name, inner.root


def _config(root: Node, ref: ObjectRef, name: str | None) -> DevicePluginConfig:
    from gpulint.model.cluster import DevicePluginConfig

    sharing = root.get("sharing")
    return DevicePluginConfig(
        ref=ref,
        config=name,
        place=(sharing or root.get("version") or root).key_place,
        mig_strategy=sourced_text(root.at("flags", "migStrategy")),
        sharings=[
            found
            for key, strategy in _STRATEGIES
            if sharing is not None and (block := sharing.get(key)) is not None
            for found in _sharings(block, strategy, ref, name)
        ],
        unknown_keys=_unknown_keys(root),
    )


def _sharings(
    block: Node, strategy: Literal["time-slicing", "mps"], ref: ObjectRef, name: str | None
) -> Iterator[Sharing]:
    from gpulint.model.cluster import Sharing

    by_default, one_only = block.get("renameByDefault"), block.get("failRequestsGreaterThanOne")
    for element in elements(block, "resources"):
        resource = sourced_text(element.get("name"))
        if resource is not None:
            yield Sharing(
                ref=ref,
                config=name,
                strategy=strategy,
                resource=resource,
                replicas=sourced_int(element.get("replicas")),
                rename=by_default is not None and by_default.value is True,
                one_only=one_only.value if one_only is not None and isinstance(one_only.value, bool) else None,
            )


def _unknown_keys(root: Node) -> list[Sourced[str]]:
    blocks: list[tuple[Node | None, frozenset[str]]] = [
        (root, _KEYS),
        (root.get("resources"), _RESOURCES_KEYS),
        (root.get("sharing"), frozenset(key for key, _ in _STRATEGIES)),
    ]
    for key, _ in _STRATEGIES:
        block = root.at("sharing", key)
        if block is not None:
            blocks.append((block, _REPLICAS_KEYS))
            blocks += [(element, _RESOURCE_KEYS) for element in elements(block, "resources")]
    return [
        Sourced(key, value.key_place, value.key_place)
        for block, known in blocks
        if block is not None
        for key, value in block.items()
        if key not in known
    ]
