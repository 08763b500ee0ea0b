"""PodDisruptionBudget."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gpulint.model.project import Project
from gpulint.readers._manifest import Manifest, plain_texts, sourced_text, text_at
from gpulint.readers._pods import elements
from gpulint.source.yaml import Node

if TYPE_CHECKING:
    from gpulint.model.policies import LabelSelector

MARKS = (("PodDisruptionBudget",),)
KINDS = frozenset({("policy", "PodDisruptionBudget")})


def read_object(manifest: Manifest, project: Project) -> None:
    from gpulint.model.policies import DisruptionBudget

    spec = manifest.node.get("spec")
    if spec is None or not spec.is_mapping:
        return
    project.disruption_budgets.append(
        DisruptionBudget(
            ref=manifest.ref,
            place=manifest.name_node().place,
            selector=label_selector(spec.get("selector")),
            min_available=sourced_text(spec.get("minAvailable")),
            max_unavailable=sourced_text(spec.get("maxUnavailable")),
        )
    )


def label_selector(node: Node | None) -> LabelSelector | None:
    """A LabelSelector; None where none is written."""
    from gpulint.model.policies import LabelSelector

    if node is None or not node.is_mapping:
        return None
    written = node.get("matchLabels")
    labels = plain_texts(written)
    expressions: list[tuple[str, str, list[str]]] = []
    if node.document.gaps_in(node) or (written is not None and written.is_scalar and written.text is not None):
        expressions.append(("", "", []))  # a template leaves open what it selects
    for element in elements(node, "matchExpressions"):
        key, operator, values = text_at(element, "key"), text_at(element, "operator"), element.get("values")
        words = [value.text or "" for value in values.elements()] if values is not None else []
        expressions.append((key or "", operator or "", words))
    return LabelSelector(labels, expressions)
