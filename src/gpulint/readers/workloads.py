"""Workloads of Kubernetes: where each kind keeps its pod templates, and how many pods work together."""

from __future__ import annotations

from gpulint import engines
from gpulint.model.project import Project
from gpulint.model.workload import Pod, Rollout, Workload
from gpulint.readers._manifest import Manifest, plain_texts, sourced_int, sourced_text, text_at
from gpulint.readers._pods import ACCELERATOR_WORDS, numeric, read_pod
from gpulint.record import record
from gpulint.source.yaml import Node

MARKS = (("kind",), (*ACCELERATOR_WORDS, *engines.marks()))


@record
class _Shape:
    """Where a kind keeps its pod template. `batch` kinds run to an end and are no servers."""

    template: tuple[str, ...]
    batch: bool = False
    selector_required: bool = False


# API groups that own each kind: an object of another group with the same kind is something else.
_SHAPES: dict[tuple[str, str], _Shape] = {
    ("", "Pod"): _Shape(()),
    ("", "PodTemplate"): _Shape(("template",)),
    ("", "ReplicationController"): _Shape(("spec", "template")),
    ("apps", "Deployment"): _Shape(("spec", "template"), selector_required=True),
    ("apps", "StatefulSet"): _Shape(("spec", "template"), selector_required=True),
    ("apps", "DaemonSet"): _Shape(("spec", "template"), selector_required=True),
    ("apps", "ReplicaSet"): _Shape(("spec", "template"), selector_required=True),
    ("batch", "Job"): _Shape(("spec", "template"), batch=True),
    ("batch", "CronJob"): _Shape(("spec", "jobTemplate", "spec", "template"), batch=True),
    ("argoproj.io", "Rollout"): _Shape(("spec", "template"), selector_required=True),
    ("apps.kruise.io", "CloneSet"): _Shape(("spec", "template"), selector_required=True),
    ("apps.kruise.io", "StatefulSet"): _Shape(("spec", "template"), selector_required=True),
    ("apps.kruise.io", "DaemonSet"): _Shape(("spec", "template"), selector_required=True),
    ("kubeflow.org", "Notebook"): _Shape(("spec", "template")),
}
_LEADER_WORKER_SET = ("leaderworkerset.x-k8s.io", "LeaderWorkerSet")
KINDS = frozenset({*_SHAPES, _LEADER_WORKER_SET})


def read_object(manifest: Manifest, project: Project) -> None:
    identity = (manifest.group, manifest.kind)
    if identity == _LEADER_WORKER_SET:
        pods, multi_node = _leader_worker_pods(manifest)
    else:
        pods, multi_node = _template_pods(manifest, _SHAPES[identity]), False
    if not pods:
        return
    project.workloads.append(
        Workload(
            ref=manifest.ref,
            api_version=manifest.api_version,
            place=manifest.name_node().place,
            pods=pods,
            replicas=sourced_int(manifest.node.at("spec", "replicas")),
            multi_node=multi_node,
            batch=identity in _SHAPES and _SHAPES[identity].batch,
            rollout=_rollout(manifest) if identity == ("apps", "Deployment") else None,
            group_restart=sourced_text(manifest.node.at("spec", "leaderWorkerTemplate", "restartPolicy")),
        )
    )


def _rollout(manifest: Manifest) -> Rollout:
    strategy = manifest.node.at("spec", "strategy")
    rolling = strategy.get("rollingUpdate") if strategy is not None else None
    return Rollout(
        place=strategy.key_place if strategy is not None else manifest.name_node().place,
        type=sourced_text(strategy.get("type")) if strategy is not None else None,
        max_surge=sourced_text(rolling.get("maxSurge")) if rolling is not None else None,
        max_unavailable=sourced_text(rolling.get("maxUnavailable")) if rolling is not None else None,
        progress_deadline_s=numeric(manifest.node.get("spec") or manifest.node, "progressDeadlineSeconds", 600),
    )


def _template_pods(manifest: Manifest, shape: _Shape) -> list[Pod]:
    template = manifest.node.at(*shape.template)
    spec = template.get("spec") if template is not None else None
    if template is None or spec is None or not spec.is_mapping:
        return []
    pod = read_pod(spec)
    pod.labels = plain_texts(template.at("metadata", "labels"))
    pod.annotations = plain_texts(template.at("metadata", "annotations"))
    # The API server refuses these kinds without a selector: such a document is a patch of another one.
    if manifest.ref.name is None or (shape.selector_required and manifest.node.at("spec", "selector") is None):
        pod.complete = False
    return [pod]


def _leader_worker_pods(manifest: Manifest) -> tuple[list[Pod], bool]:
    """Leader and workers of one group; without a leader template the worker's serves for all.

    Source: LeaderWorkerSet API v1, spec.leaderWorkerTemplate (size defaults to 1).
    """
    group: Node | None = manifest.node.at("spec", "leaderWorkerTemplate")
    if group is None:
        return [], False
    size_node = group.get("size")
    size = sourced_int(size_node)
    total = size.value if size is not None else (1 if size_node is None else None)
    leader, worker = group.at("leaderTemplate", "spec"), group.at("workerTemplate", "spec")
    pods: list[Pod] = []
    if leader is not None:
        pods.append(read_pod(leader, role="leader", per_group=1))
    if worker is not None:
        workers = total if leader is None or total is None else total - 1
        pods.append(read_pod(worker, role="worker", per_group=workers))
    if text_at(manifest.node, "metadata", "name") is None or worker is None:
        for pod in pods:
            pod.complete = False
    return pods, total is None or total > 1
