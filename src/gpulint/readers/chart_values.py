"""Values of Helm charts: autoscaling beside a request for GPUs, in the shape that `helm create` gives them."""

from __future__ import annotations

from gpulint.metrics.table import Meaning
from gpulint.model.autoscaler import Autoscaler, ScalingMetric
from gpulint.model.project import Project
from gpulint.model.values import ObjectRef
from gpulint.model.workload import Container, Pod, Workload
from gpulint.readers._manifest import sourced_int, sourced_number
from gpulint.readers._pods import ACCELERATOR_WORDS, gpu_requests
from gpulint.readers.hpa import metric_list, scale_down
from gpulint.source.yaml import Node

MARKS = (("autoscaling",), ("resources",), ACCELERATOR_WORDS)
# Source: the values.yaml and hpa.yaml that `helm create` writes.
_TARGETS = (
    ("targetCPUUtilizationPercentage", "cpu", Meaning.CPU),
    ("targetMemoryUtilizationPercentage", "memory", Meaning.HOST_MEMORY),
)


def claims_file(root: Node) -> bool:
    return bool(_charts(root))


def read_file(root: Node, project: Project) -> None:
    for chart in _charts(root):
        _read(chart, project)


def _charts(root: Node) -> list[Node]:
    """The values of the chart itself and of its subcharts."""
    holders = [root, *(value for _, value in root.items())]
    return [holder for holder in holders if _is_enabled(holder) and holder.get("resources") is not None]


def _is_enabled(holder: Node) -> bool:
    enabled = holder.at("autoscaling", "enabled")
    return enabled is not None and enabled.value is True


def _read(chart: Node, project: Project) -> None:
    autoscaling, resources = chart.get("autoscaling"), chart.get("resources")
    gpus = gpu_requests(chart)
    if autoscaling is None or resources is None or not gpus:
        return
    file = chart.document.source.path.rpartition("/")[2]
    container = Container(None, resources.key_place, gpus=gpus)
    workload = Workload(
        ref=ObjectRef("Chart", None, file),
        api_version="",
        place=resources.key_place,
        pods=[Pod([container], resources.key_place, complete=False)],
    )
    metrics, metrics_known = metric_list(autoscaling.get("metrics"))
    for key, name, meaning in _TARGETS:
        target = autoscaling.get(key)
        threshold = sourced_number(target)
        if target is not None and threshold is not None:
            metrics.append(
                ScalingMetric(
                    "Resource",
                    name,
                    target.entry_place,
                    frozenset({meaning}),
                    target_type="Utilization",
                    threshold=threshold,
                )
            )
    scaler = Autoscaler(
        ref=ObjectRef("Values", None, file),
        place=autoscaling.key_place,
        target=None,
        target_place=autoscaling.key_place,
        metrics=metrics,
        metrics_known=metrics_known,
        min_replicas=sourced_int(autoscaling.get("minReplicas")),
        max_replicas=sourced_int(autoscaling.get("maxReplicas")),
        scale_down=scale_down(autoscaling.at("behavior", "scaleDown")),
        complete=False,
        workload=workload,
    )
    workload.autoscalers.append(scaler)
    project.workloads.append(workload)
    project.autoscalers.append(scaler)
