"""Values of Helm charts: requests for GPUs and the autoscaling beside them, in the shape that `helm create` gives."""

from __future__ import annotations

from gpulint import engines
from gpulint.engines.launch import Launch, Word, words_of
from gpulint.metrics.table import Meaning
from gpulint.model.autoscaler import Autoscaler, ScalingMetric
from gpulint.model.engine import Engine
from gpulint.model.project import Project
from gpulint.model.values import ObjectRef, Sourced
from gpulint.model.workload import Container, Probe, Workload
from gpulint.readers._manifest import sourced, sourced_int, sourced_number, text_at
from gpulint.readers._pods import ACCELERATOR_WORDS, environment, gpu_requests, pod_of, read_probe
from gpulint.readers.hpa import metric_list, scale_down
from gpulint.source.shell import Piece
from gpulint.source.yaml import Node

MARKS = (("resources",), ACCELERATOR_WORDS)
# Source: the values.yaml and hpa.yaml that `helm create` writes.
_TARGETS = (
    ("targetCPUUtilizationPercentage", "cpu", Meaning.CPU),
    ("targetMemoryUtilizationPercentage", "memory", Meaning.HOST_MEMORY),
)
_DEEPEST = 4
_ELSEWHERE = ("containers", "initContainers", "modelSpec", "resources")


def claims_file(root: Node) -> bool:
    return root.is_mapping and root.get("apiVersion") is None and bool(_charts(root))


def read_file(root: Node, project: Project) -> None:
    file = root.document.source.path.rpartition("/")[2]
    for chart in _charts(root):
        _read(chart, file, project)


def _charts(root: Node) -> list[Node]:
    """The values of the chart itself, of its subcharts and of its parts, where they ask for accelerators.

    Containers are a pod's, whose chart would have to be known; models of the production stack have their own reader.
    """
    found: dict[tuple[str, int], Node] = {}
    seen: set[tuple[int, int]] = set()  # what aliases repeat is looked at once on each level

    def visit(node: Node, depth: int) -> None:
        if node.is_scalar or (id(node.raw), depth) in seen:
            return
        seen.add((id(node.raw), depth))
        requests = gpu_requests(node) if node.is_mapping else []
        if requests:
            place = requests[0].place
            found.setdefault((place.source.path, place.start), node)
        if depth < _DEEPEST:
            for key, value in node.items():
                if key not in _ELSEWHERE:
                    visit(value, depth + 1)
            for element in node.elements():
                visit(element, depth + 1)

    visit(root, 0)
    return list(found.values())


def _read(chart: Node, file: str, project: Project) -> None:
    resources = chart.get("resources")
    if resources is None:
        return
    image = _image(chart.get("image"))
    container = Container(
        None,
        resources.key_place,
        image=image,
        gpus=gpu_requests(chart),
        startup_probe=_probe(chart, "startupProbe"),
        liveness_probe=_probe(chart, "livenessProbe"),
        readiness_probe=_probe(chart, "readinessProbe"),
    )
    container.engine = _engine(chart, image, container)
    if container.engine is not None:
        container.engine.container = container
    pod = pod_of(chart, [container])
    pod.place, pod.complete = resources.key_place, False
    workload = Workload(
        ref=ObjectRef("Chart", None, file),
        api_version="",
        place=resources.key_place,
        pods=[pod],
    )
    project.workloads.append(workload)
    autoscaling = chart.get("autoscaling")
    enabled = autoscaling.get("enabled") if autoscaling is not None else None
    if enabled is None or enabled.value is False:  # a chart leaves them out where an autoscaler has the say
        workload.replicas = sourced_int(chart.get("replicaCount"))
    if autoscaling is not None and enabled is not None and enabled.value is True:
        scaler = _autoscaler(autoscaling, file, workload)
        workload.autoscalers.append(scaler)
        project.autoscalers.append(scaler)


def _probe(chart: Node, key: str) -> Probe | None:
    """A chart may keep a probe under `enabled` beside its fields."""
    node = chart.get(key)
    enabled = node.get("enabled") if node is not None else None
    return read_probe(node) if enabled is None or enabled.value is not False else None


def _image(node: Node | None) -> Sourced[str] | None:
    """`image: {repository, tag}`, as `helm create` writes it, or one text."""
    if node is None or node.is_scalar:
        return sourced(node.text, node) if node is not None and node.text is not None else None
    repository, tag = node.get("repository"), text_at(node, "tag")
    if repository is None or repository.text is None:
        return None
    return sourced(f"{repository.text}:{tag}" if tag else repository.text, repository)


def _engine(chart: Node, image: Sourced[str] | None, container: Container) -> Engine | None:
    """The engine of the command that a chart takes from its values, beside the image or below it.

    Without one the image may still be an engine's, of whose arguments nothing is known: the chart makes them.
    """
    env = environment(chart.get("env"))
    given: dict[str, list[Word] | None] = {}
    for key in ("command", "args"):
        node = chart.get(key) or chart.at("image", key)
        given[key] = words_of(node, env) if node is not None and node.is_sequence else None
    command, args = given["command"], given["args"]
    if command is not None or args is not None:
        return engines.read(Launch(image, command, args, env, container.place, env_known=False))
    own = engines.read(Launch(image, None, None, env, container.place, env_known=False))
    if own is None or image is None:
        return None
    words = [Word(chart, [Piece(None, 0, 0)], 0, 0, many=True)]
    return engines.start(own.name, Launch(image, None, words, env, container.place, env_known=False), words, own.place)


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
