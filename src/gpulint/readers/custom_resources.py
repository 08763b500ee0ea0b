"""Objects of kinds that gpulint does not know, where they embed a pod template."""

from __future__ import annotations

from collections.abc import Iterator

from gpulint.model.project import Project
from gpulint.model.workload import Workload
from gpulint.readers import workloads
from gpulint.readers._manifest import Manifest, sourced_int
from gpulint.readers._pods import elements, read_pod
from gpulint.source.yaml import Node

MARKS = workloads.MARKS
_DEEPEST = 8
# Kinds in which a template is a schema or a part of the system, not something that runs.
_NOT_WORKLOADS = frozenset({"ClusterServiceVersion", "CustomResourceDefinition"})


def read_unclaimed(manifest: Manifest, project: Project) -> None:
    """Adds a workload for the pod templates of an object, if a container of them asks for GPUs or serves a model.

    What the object's operator makes of them is not known: how many pods work together, what is added to each. Only
    a template in the place and with the selector of a Deployment's is taken for whole.
    """
    if manifest.kind in _NOT_WORKLOADS:
        return
    found = list(_pod_specs(manifest.node, None, 0))
    template = manifest.node.at("spec", "template", "spec")
    is_whole = (
        len(found) == 1
        and template is not None
        and found[0][1].raw is template.raw
        and manifest.node.at("spec", "selector", "matchLabels") is not None
    )
    pods = [
        read_pod(spec, role=role if len(found) > 1 else None, per_group=1 if is_whole else None) for role, spec in found
    ]
    for pod in pods:
        pod.complete = pod.complete and is_whole and manifest.ref.name is not None
    workload = Workload(
        ref=manifest.ref,
        api_version=manifest.api_version,
        place=manifest.name_node().place,
        pods=pods,
        replicas=sourced_int(manifest.node.at("spec", "replicas")) if is_whole else None,
        multi_node=not is_whole,
        batch=manifest.kind.endswith(("Job", "Run", "Workflow")),
    )
    if workload.uses_gpus or workload.engines:
        project.workloads.append(workload)


def _pod_specs(node: Node, role: str | None, depth: int) -> Iterator[tuple[str | None, Node]]:
    """The pod specs below a node, each with the key or name of what holds it."""
    if depth > _DEEPEST:
        return
    if node.is_sequence:
        for element in node.elements():
            name = element.get("name")
            yield from _pod_specs(element, name.text if name is not None else role, depth + 1)
        return
    for key, value in node.items():
        if key == "componentSpecs":  # of a SeldonDeployment, which keeps pod templates without a key of their own
            yield from ((role, spec) for each in value.elements() if (spec := each.get("spec")) is not None)
            continue
        spec = (
            value if key == "podSpec" else value.get("spec") if key == "template" or key.endswith("Template") else None
        )
        if spec is not None and any(container.get("image") is not None for container in elements(spec, "containers")):
            yield role if key in ("template", "podTemplate", "podSpec") else key.removesuffix("Template"), spec
        elif not value.is_scalar:
            is_plain = key in ("spec", "template", "podTemplate", "templates")
            yield from _pod_specs(value, role if is_plain else key, depth + 1)
