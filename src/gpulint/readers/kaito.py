"""KAITO: Workspace and InferenceSet, which take every GPU of an instance type unless told otherwise."""

from __future__ import annotations

from gpulint.hardware.instances import instance_type
from gpulint.hardware.mig import resource_of_profile
from gpulint.metrics.table import Meaning
from gpulint.model.autoscaler import Autoscaler, ScalingMetric
from gpulint.model.project import Project
from gpulint.model.quantity import whole
from gpulint.model.workload import Container, GpuRequest, Placement, Pod, Workload
from gpulint.readers._manifest import Manifest, sourced, sourced_int, sourced_number, text_at
from gpulint.readers._pods import placement, read_pod
from gpulint.readers.hpa import metric_meaning
from gpulint.source.yaml import Node

# Source: kaito-project/kaito@056b828 api/v1beta1, workspace_types.go and inferenceset_types.go.
MARKS = (("kaito.sh",), ("Workspace", "InferenceSet"))
KINDS = frozenset({("kaito.sh", "Workspace"), ("kaito.sh", "InferenceSet")})
_SCALER = "scaledobject.kaito.sh/"


def read_object(manifest: Manifest, project: Project) -> None:
    is_set = manifest.kind == "InferenceSet"
    holder = manifest.node.at("spec", "template") if is_set else manifest.node
    resource, inference = (holder.get("resource"), holder.get("inference")) if holder is not None else (None, None)
    if inference is None:
        return  # a Workspace that tunes a model
    pod = _pod(resource, inference)
    if pod is None:
        return
    workload = Workload(
        ref=manifest.ref,
        api_version=manifest.api_version,
        place=manifest.name_node().place,
        pods=[pod],
        replicas=sourced_int(manifest.node.at("spec", "replicas")) if is_set else None,
        multi_node=pod.per_group != 1,
    )
    project.workloads.append(workload)
    scaler = _autoscaler(manifest, workload) if is_set else None
    if scaler is not None:
        project.autoscalers.append(scaler)
        workload.autoscalers.append(scaler)


def _pod(resource: Node | None, inference: Node) -> Pod | None:
    instance = resource.get("instanceType") if resource is not None else None
    lands_on = _placement(instance)
    spec, preset = inference.at("template", "spec"), inference.at("preset", "name")
    if spec is not None and spec.is_mapping:
        pod = read_pod(spec)
    elif preset is not None:
        # KAITO chooses image, arguments and, for a model that one node cannot hold, the number of nodes: `count` is
        # read by older releases and other engines alone. A slice is never joined with others.
        # Source: kaito-project/kaito@056b828 pkg/workspace: inference/preset_inferences.go, and
        # estimator/nodesestimator/estimator.go, EstimateNodeCount.
        container = Container(None, preset.place, gpus=_gpus(resource, instance, lands_on))
        pod = Pod([container], preset.key_place, complete=False)
        pod.per_group = 1 if any(request.mig_profile for request in container.gpus) else None
    else:
        return None
    if pod.placement is None:
        pod.placement = lands_on
    return pod


def _placement(instance: Node | None) -> Placement | None:
    match = instance_type(instance.text) if instance is not None and instance.text else None
    return placement([(match, sourced(instance.text or "", instance))]) if match is not None and instance else None


def _gpus(resource: Node | None, instance: Node | None, lands_on: Placement | None) -> list[GpuRequest]:
    """A slice, a number of GPUs, or all GPUs of the node. KAITO runs on NVIDIA's resource names alone."""
    partition = resource.get("partition") if resource is not None else None
    profile = partition.get("profile") if partition is not None else None
    number = partition.get("count") if partition is not None else None
    if partition is not None and text_at(partition, "mode") == "mig" and profile is not None and profile.text:
        name = resource_of_profile(profile.text)
        return [GpuRequest(name, "nvidia", 1, profile.place, profile.place, mig_profile=profile.text)]
    if number is not None:
        return [GpuRequest("nvidia.com/gpu", "nvidia", whole(number.value), number.place, number.key_place)]
    if instance is not None and lands_on is not None and all(board.vendor == "nvidia" for board in lands_on.gpus):
        per_node = lands_on.gpus_per_node
        return [GpuRequest("nvidia.com/gpu", "nvidia", per_node, instance.place, instance.key_place)]
    return []


def _autoscaler(manifest: Manifest, workload: Workload) -> Autoscaler | None:
    """What KAITO's KEDA scaler makes of annotations.

    The minimum is at least one.
    Source: kaito-project/keda-kaito-scaler README at 3ce909d (a YAML list under `metrics`), v0.6.0 (metricName/0 and
    upthreshold/0, ...) and v0.5.0 (metricName and threshold).
    """
    annotations = manifest.node.at("metadata", "annotations")
    if annotations is None or text_at(annotations, f"{_SCALER}auto-provision") != "true":
        return None
    metrics = [
        _metric(name, threshold)
        for name, threshold in _signals(annotations)
        if name is not None and name.text is not None
    ]
    place = manifest.name_node().place
    low = sourced_int(annotations.get(f"{_SCALER}min-replicas"))
    low = low if low is not None and low.value >= 1 else None
    return Autoscaler(
        ref=manifest.ref,
        place=place,
        target=manifest.ref,
        target_place=place,
        metrics=metrics,
        metrics_known=bool(metrics),
        min_replicas=low,
        default_min_replicas=1 if low is None else None,
        max_replicas=sourced_int(annotations.get(f"{_SCALER}max-replicas")),
        workload=workload,
    )


def _signals(annotations: Node) -> list[tuple[Node | None, Node | None]]:
    single = annotations.get(f"{_SCALER}metricName")
    if single is not None:
        return [(single, annotations.get(f"{_SCALER}threshold"))]
    numbered = [key.removeprefix(f"{_SCALER}metricName") for key, _ in annotations.items() if "metricName/" in key]
    if numbered:
        return [
            (annotations.get(f"{_SCALER}metricName{end}"), annotations.get(f"{_SCALER}upthreshold{end}"))
            for end in numbered
        ]
    listed = annotations.get(f"{_SCALER}metrics")
    inner = listed.embedded() if listed is not None else None
    if inner is None:
        return []
    return [(entry.get("name"), entry.get("upthreshold") or entry.get("threshold")) for entry in inner.root.elements()]


def _metric(name: Node, threshold: Node | None) -> ScalingMetric:
    text = name.text or ""
    meanings: frozenset[Meaning] = metric_meaning(text)
    return ScalingMetric(
        type="external",
        name=text,
        place=name.place,
        meanings=meanings,
        target_type="AverageValue",
        threshold=sourced_number(threshold),
    )
