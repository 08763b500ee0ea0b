"""AIBrix workloads: StormService and RoleSet (roles side by side), PodSet, RayClusterFleet and RayClusterReplicaSet."""

from __future__ import annotations

from gpulint import engines
from gpulint.model.project import Project
from gpulint.model.workload import Pod, Workload
from gpulint.readers._manifest import Manifest, count, plain_texts, sourced_int, text_at
from gpulint.readers._pods import ACCELERATOR_WORDS, elements, read_pod
from gpulint.readers.kuberay import read_cluster
from gpulint.source.yaml import Node

# Source: vllm-project/aibrix@e3e10f9 api/orchestration/v1alpha1.
_GROUP = "orchestration.aibrix.ai"
MARKS = ((_GROUP,), (*ACCELERATOR_WORDS, *engines.marks()))
_ROLES: dict[str, tuple[str, ...]] = {"StormService": ("spec", "template", "spec"), "RoleSet": ("spec",)}
_RAY = frozenset({"RayClusterFleet", "RayClusterReplicaSet"})
KINDS = frozenset({(_GROUP, kind) for kind in (*_ROLES, *_RAY, "PodSet")})


def read_object(manifest: Manifest, project: Project) -> None:
    spec = manifest.node.get("spec")
    if spec is None or not spec.is_mapping:
        return
    if manifest.kind in _RAY:
        cluster = spec.at("template", "spec")
        pods = read_cluster(cluster) if cluster is not None else []
        _add(
            manifest, project, pods, replicas=spec, multi_node=len(pods) > 1 or any(pod.per_group != 1 for pod in pods)
        )
    elif manifest.kind == "PodSet":
        pod = _pod(spec, None)
        _add(manifest, project, [pod] if pod is not None else [], multi_node=pod is not None and pod.per_group != 1)
    else:
        holder = manifest.node.at(*_ROLES[manifest.kind])
        # Several groups multiply the replicas of a role.
        groups = count(spec.get("replicas"), default=1) if manifest.kind == "StormService" else 1
        for role in elements(holder, "roles") if holder is not None else ():
            name = text_at(role, "name")
            pod = _pod(role, name)
            if pod is not None:
                replicas = role if groups == 1 else None
                _add(manifest, project, [pod], replicas=replicas, multi_node=pod.per_group != 1, part=name, at=role)


def _pod(holder: Node, role: str | None) -> Pod | None:
    """The pods that work as one: `podGroupSize` of them (1 unless given)."""
    spec = holder.at("template", "spec")
    if spec is None or not spec.is_mapping:
        return None
    pod = read_pod(spec, role=role, per_group=count(holder.get("podGroupSize"), default=1))
    pod.labels = plain_texts(holder.at("template", "metadata", "labels"))
    return pod


def _add(
    manifest: Manifest,
    project: Project,
    pods: list[Pod],
    *,
    replicas: Node | None = None,
    multi_node: bool,
    part: str | None = None,
    at: Node | None = None,
) -> None:
    if not pods:
        return
    if manifest.ref.name is None:
        for pod in pods:
            pod.complete = False
    name = at.get("name") if at is not None else None
    project.workloads.append(
        Workload(
            ref=manifest.ref,
            api_version=manifest.api_version,
            place=(name or manifest.name_node()).place,
            pods=pods,
            replicas=sourced_int(replicas.get("replicas")) if replicas is not None else None,
            multi_node=multi_node,
            part=part,
        )
    )
