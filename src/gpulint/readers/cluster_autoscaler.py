"""The cluster autoscaler's GPU threshold, in its Deployment or in the values of its chart."""

from __future__ import annotations

from gpulint.model.project import Project
from gpulint.model.quantity import quantity
from gpulint.model.values import ObjectRef, Sourced
from gpulint.readers._manifest import Manifest, sourced_number
from gpulint.readers._pods import elements
from gpulint.source.yaml import Node

# Source: kubernetes/autoscaler cluster-autoscaler/FAQ.md, parameters.
_FLAG = "scale-down-gpu-utilization-threshold"
MARKS = ((_FLAG,),)
KINDS = frozenset({("apps", "Deployment")})
_VALUES_KEY = "extraArgs"


def claims_file(root: Node) -> bool:
    return bool(_values(root))


def read_file(root: Node, project: Project) -> None:
    from gpulint.model.cluster import ClusterAutoscaler

    ref = ObjectRef("chart values", None, root.document.source.path.rpartition("/")[2])
    for node in _values(root):
        threshold = sourced_number(node)
        if threshold is not None:
            project.cluster_autoscalers.append(ClusterAutoscaler(ref, node.key_place, threshold))


def read_object(manifest: Manifest, project: Project) -> None:
    from gpulint.model.cluster import ClusterAutoscaler

    spec = manifest.node.at("spec", "template", "spec")
    if spec is None or _FLAG not in manifest.node.document.text:
        return
    for container in elements(spec, "containers"):
        for key in ("command", "args"):
            words = container.get(key)
            for word in words.elements() if words is not None else ():
                threshold = _threshold(word)
                if threshold is not None:
                    place = manifest.name_node().place
                    project.cluster_autoscalers.append(ClusterAutoscaler(manifest.ref, place, threshold))


def _values(root: Node) -> list[Node]:
    """The chart's own values, or those that an umbrella chart passes on to it."""
    holders = [root, *(value for _, value in root.items())]
    return [node for holder in holders if (node := holder.at(_VALUES_KEY, _FLAG)) is not None]


def _threshold(word: Node) -> Sourced[float] | None:
    name, equals, value = (word.text or "").lstrip("-").partition("=")
    number = quantity(value) if equals and name == _FLAG else None
    return Sourced(number, word.place, word.place) if number is not None else None
