"""NVIDIA's GPU Operator: its ClusterPolicy, and the values of its chart, which have the same fields."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gpulint.model.project import Project
from gpulint.model.values import ObjectRef
from gpulint.readers._manifest import Manifest, sourced_text
from gpulint.source.text import Place
from gpulint.source.yaml import Node

if TYPE_CHECKING:
    from gpulint.model.cluster import ConfigChoice

# Source: NVIDIA/gpu-operator api/nvidia/v1/clusterpolicy_types.go, deployments/gpu-operator/values.yaml.
MARKS = (("ClusterPolicy", "migManager", "mig:"), ("devicePlugin", "migManager", "dcgmExporter", "nvidia.com/"))
KINDS = frozenset({("nvidia.com", "ClusterPolicy")})
# Blocks of the chart's values by which they are known, whoever wrote them.
_TELLING = frozenset({
    "cdi", "ccManager", "dcgm", "dcgmExporter", "devicePlugin", "driver", "gfd", "mig", "migManager",
    "nodeStatusExporter", "operator", "sandboxDevicePlugin", "toolkit", "validator", "vfioManager", "vgpuManager",
})  # fmt: skip
_FEWEST_TELLING = 2
_STRATEGY = ("mig", "strategy")
_CHOICES = (("devicePlugin", "config"), ("migManager", "config"), ("dcgmExporter", "config"))


def claims_file(root: Node) -> bool:
    return bool(_values(root))


def read_file(root: Node, project: Project) -> None:
    file = root.document.source.path.rpartition("/")[2]
    for holder in _values(root):
        _add(holder, ObjectRef("chart values", None, file), holder.key_place, project)


def read_object(manifest: Manifest, project: Project) -> None:
    spec = manifest.node.get("spec")
    if spec is not None and spec.is_mapping:
        _add(spec, manifest.ref, manifest.name_node().place, project)


def _values(root: Node) -> list[Node]:
    """The chart's own values, or those that an umbrella chart passes on to it, where they set one of what is read."""
    return [
        holder
        for holder in (root, *(value for _, value in root.items()))
        if len(_TELLING.intersection(holder.keys())) >= _FEWEST_TELLING
        and any(holder.at(*path) is not None for path in (_STRATEGY, *_CHOICES))
    ]


def _add(holder: Node, ref: ObjectRef, place: Place, project: Project) -> None:
    from gpulint.model.cluster import GpuOperator

    strategy = sourced_text(holder.at(*_STRATEGY))
    project.gpu_operators.append(GpuOperator(ref, place, strategy, *(_choice(holder.at(*path)) for path in _CHOICES)))


def _choice(node: Node | None) -> ConfigChoice | None:
    """A configuration by name, and its default entry; an empty text is none."""
    from gpulint.model.cluster import ConfigChoice

    name = sourced_text(node.get("name")) if node is not None else None
    default = sourced_text(node.get("default")) if node is not None else None
    name = name if name is not None and name.value else None
    default = default if default is not None and default.value else None
    return ConfigChoice(name, default) if name is not None or default is not None else None
