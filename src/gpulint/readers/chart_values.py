"""Values of Helm charts: requests for GPUs, the autoscaling beside them in the shape that `helm create` gives it, and
the containers that llm-d's modelservice chart takes whole.
"""

from __future__ import annotations

from gpulint import engines
from gpulint.engines.launch import Launch, Word, words_of
from gpulint.metrics.table import Meaning
from gpulint.model.autoscaler import Autoscaler, ScalingMetric
from gpulint.model.engine import Engine
from gpulint.model.project import Project
from gpulint.model.values import ObjectRef, Sourced
from gpulint.model.workload import Container, Pod, Workload
from gpulint.readers._manifest import sourced, sourced_int, sourced_number, text_at
from gpulint.readers._pods import ACCELERATOR_WORDS, elements, environment, gpu_requests, read_pod
from gpulint.readers.hpa import metric_list, scale_down
from gpulint.source.shell import Piece
from gpulint.source.yaml import Node

MARKS = (("resources", "modelArtifacts"), (*ACCELERATOR_WORDS, "modelArtifacts"))
# Source: the values.yaml and hpa.yaml that `helm create` writes.
_TARGETS = (
    ("targetCPUUtilizationPercentage", "cpu", Meaning.CPU),
    ("targetMemoryUtilizationPercentage", "memory", Meaning.HOST_MEMORY),
)
# The parts of a model in llm-d's modelservice chart, each with a pod's `containers`.
_MODEL, _ROLES = "modelArtifacts", ("decode", "prefill")


def claims_file(root: Node) -> bool:
    return root.is_mapping and root.get("apiVersion") is None and (bool(_charts(root)) or bool(_roles(root)))


def read_file(root: Node, project: Project) -> None:
    file = root.document.source.path.rpartition("/")[2]
    for chart in _charts(root):
        _read(chart, file, project)
    roles = _roles(root)
    if roles:
        pods = [_pod_of_role(role, node) for role, node in roles]
        workload = Workload(ObjectRef("Chart", None, file), "", roles[0][1].key_place, pods)
        if workload.uses_gpus or workload.engines:
            project.workloads.append(workload)


def _charts(root: Node) -> list[Node]:
    """The values of the chart itself and of its subcharts, where they ask for accelerators."""
    holders = [root, *(value for _, value in root.items())]
    return [holder for holder in holders if gpu_requests(holder)]


def _read(chart: Node, file: str, project: Project) -> None:
    resources = chart.get("resources")
    if resources is None:
        return
    image = _image(chart.get("image"))
    container = Container(None, resources.key_place, image=image, gpus=gpu_requests(chart))
    container.engine = engines.read(_launch(chart, image, container))
    if container.engine is not None:
        container.engine.container = container
    workload = Workload(
        ref=ObjectRef("Chart", None, file),
        api_version="",
        place=resources.key_place,
        pods=[Pod([container], resources.key_place, complete=False)],
    )
    project.workloads.append(workload)
    autoscaling = chart.get("autoscaling")
    enabled = autoscaling.get("enabled") if autoscaling is not None else None
    if autoscaling is not None and enabled is not None and enabled.value is True:
        scaler = _autoscaler(autoscaling, file, workload)
        workload.autoscalers.append(scaler)
        project.autoscalers.append(scaler)


def _image(node: Node | None) -> Sourced[str] | None:
    """`image: {repository, tag}`, as `helm create` writes it, or one text."""
    if node is None or node.is_scalar:
        return sourced(node.text, node) if node is not None and node.text is not None else None
    repository, tag = node.get("repository"), text_at(node, "tag")
    if repository is None or repository.text is None:
        return None
    return sourced(f"{repository.text}:{tag}" if tag else repository.text, repository)


def _launch(chart: Node, image: Sourced[str] | None, container: Container) -> Launch:
    """The command that a chart takes from its values, beside the image or below it."""
    env = environment(chart.get("env"))
    given: dict[str, list[Word] | None] = {}
    for key in ("command", "args"):
        node = chart.get(key) or chart.at("image", key)
        given[key] = words_of(node, env) if node is not None and node.is_sequence else None
    if given["command"] is None and given["args"] is None:
        image = None  # what the chart makes of it is not known
    return Launch(image, given["command"], given["args"], env, container.place, env_known=False)


def _autoscaler(autoscaling: Node, file: str, workload: Workload) -> Autoscaler:
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
    return Autoscaler(
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


# -- llm-d's modelservice


def _roles(root: Node) -> list[tuple[str, Node]]:
    if root.get(_MODEL) is None:
        return []
    return [(role, node) for role in _ROLES if (node := root.get(role)) is not None and elements(node, "containers")]


def _pod_of_role(role: str, node: Node) -> Pod:
    """The chart adds accelerators by `parallelism` and volumes, and for a `modelCommand` of its own the command."""
    pod = read_pod(node, role=role, per_group=None)
    pod.complete = False
    for container, written in zip(pod.containers, elements(node, "containers"), strict=False):
        if text_at(written, "modelCommand") in ("imageDefault", "vllmServe"):
            container.engine = _served(written, container)
            if container.engine is not None:
                container.engine.container = container
    return pod


def _served(written: Node, container: Container) -> Engine | None:
    args = written.get("args")
    words = words_of(args, container.env) if args is not None else []
    # What the chart adds: any number of arguments.
    words.append(Word(written, [Piece(None, 0, 0)], 0, 0, many=True))
    launch = Launch(container.image, None, words, container.env, container.place, env_known=False)
    return engines.start("vllm", launch, words, container.place)
