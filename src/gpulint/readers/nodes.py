"""Node objects and Karpenter NodePools: labels and requirements that say which GPUs nodes have."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from gpulint.hardware.labels import match_label, match_values
from gpulint.hardware.match import NodeMatch, combine
from gpulint.model.project import Project
from gpulint.model.quantity import duration_s
from gpulint.model.values import Sourced
from gpulint.readers._manifest import Manifest, sourced_number, sourced_text, text_at, texts
from gpulint.readers._pods import elements
from gpulint.source import yaml

if TYPE_CHECKING:
    from gpulint.model.cluster import NodePool, Requirement

MARKS = (
    ("kind: Node", '"kind": "Node"', "karpenter.sh/"),
    ("nvidia.com/", "amd.com/", "instance-type", "accelerator", "karpenter.sh/"),
)
_NODE = ("", "Node")
KINDS = frozenset({_NODE, ("karpenter.sh", "NodePool")})


def read_object(manifest: Manifest, project: Project) -> None:
    from gpulint.model.cluster import Node

    if (manifest.group, manifest.kind) == _NODE:
        labels = texts(manifest.node.at("metadata", "labels"))
        match = _of_labels(labels)
        project.nodes.append(Node(manifest.ref, manifest.name_node().place, labels, match))
        return
    spec = manifest.node.get("spec")
    if spec is not None and spec.is_mapping:
        project.node_pools.append(_pool(spec, manifest))


def _pool(spec: yaml.Node, manifest: Manifest) -> NodePool:
    """Source: karpenter.sh v1 and v1beta1, NodePool."""
    from gpulint.model.cluster import NodePool

    template = spec.at("template", "spec")
    requirements = [_requirement(node) for node in elements(template, "requirements")] if template is not None else []
    labels = texts(spec.at("template", "metadata", "labels"))
    after = sourced_text(spec.at("disruption", "consolidateAfter"))
    seconds = duration_s(after.value) if after is not None else None
    return NodePool(
        ref=manifest.ref,
        place=manifest.name_node().place,
        requirements=requirements,
        labels=labels,
        match=_combined([*_matches(requirements), *_label_matches(labels)]),
        consolidation_policy=sourced_text(spec.at("disruption", "consolidationPolicy")),
        consolidate_after_s=Sourced(seconds, after.place, after.key_place)
        if after is not None and seconds is not None
        else None,
        consolidation_off=after is not None and after.value == "Never",
        disruption_blocked=any(_blocks(budget) for budget in elements(spec.get("disruption") or spec, "budgets")),
        gpu_limit=sourced_number(spec.at("limits", "nvidia.com/gpu")),
    )


def _blocks(budget: yaml.Node) -> bool:
    """Whether a disruption budget lets no node go.

    Source: karpenter.sh, concepts/disruption, "NodePool Disruption Budgets".
    """
    reasons = budget.get("reasons")
    applies = reasons is None or any(reason.text == "Underutilized" for reason in reasons.elements())
    return applies and text_at(budget, "nodes") in ("0", "0%")


def _requirement(node: yaml.Node) -> Requirement:
    from gpulint.model.cluster import Requirement

    values = node.get("values")
    return Requirement(
        key=text_at(node, "key") or "",
        operator=text_at(node, "operator") or "",
        values=[value.text for value in values.elements() if value.text is not None] if values is not None else [],
        place=(values or node).place,
    )


def _matches(requirements: Iterable[Requirement]) -> list[NodeMatch]:
    """What the requirements with operator `In` say; others only narrow further."""
    found = [match_values(each.key, each.values) for each in requirements if each.operator == "In" and each.values]
    return [match for match in found if match is not None]


def _label_matches(labels: dict[str, Sourced[str]]) -> list[NodeMatch]:
    found = [match_label(key, value.value) for key, value in labels.items()]
    return [match for match in found if match is not None]


def _of_labels(labels: dict[str, Sourced[str]]) -> NodeMatch | None:
    return _combined(_label_matches(labels))


def _combined(matches: list[NodeMatch]) -> NodeMatch | None:
    return combine(matches) if matches else None
