"""GKE ComputeClass: the kinds of nodes that pods which select the class may get, in the order of preference."""

from __future__ import annotations

from gpulint.hardware.instances import instance_family, instance_type
from gpulint.hardware.labels import match_label
from gpulint.hardware.match import NodeMatch, combine, either
from gpulint.model.project import Project
from gpulint.readers._manifest import Manifest, sourced_int, text_at
from gpulint.readers._pods import elements
from gpulint.source.yaml import Node

MARKS = (("ComputeClass",), ("priorities",))
KINDS = frozenset({("cloud.google.com", "ComputeClass")})


def read_object(manifest: Manifest, project: Project) -> None:
    """Source: GKE documentation, ComputeClass CustomResourceDefinition (v1), spec.priorities."""
    from gpulint.model.cluster import ComputeClass

    spec = manifest.node.get("spec")
    priorities = elements(spec, "priorities") if spec is not None else []
    match = either([_match(priority) for priority in priorities])
    if match is not None:
        project.compute_classes.append(ComputeClass(manifest.ref, manifest.name_node().place, match))


def _match(priority: Node) -> NodeMatch | None:
    """What one priority says of the GPUs of its nodes; None where that is nothing (a node pool by name)."""
    matches = []
    gpu = text_at(priority, "gpu", "type")
    if gpu is not None:
        matches.append(match_label("cloud.google.com/gke-accelerator", gpu))
        count = sourced_int(priority.at("gpu", "count"))
        if count is not None:
            matches.append(NodeMatch(gpu_count=count.value))
    machine, family = text_at(priority, "machineType"), text_at(priority, "machineFamily")
    if machine is not None:
        matches.append(instance_type(machine))
    elif family is not None:
        matches.append(instance_family("gcp", family))
    known = [match for match in matches if match is not None]
    return combine(known) if known else None
