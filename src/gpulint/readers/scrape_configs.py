"""Scrape jobs: prometheus.yml, also in a ConfigMap, and what the values of Prometheus' and NVIDIA's charts scrape."""

from __future__ import annotations

from collections.abc import Iterator

from gpulint.model.monitoring import Monitor, ScrapeEndpoint
from gpulint.model.project import Project
from gpulint.model.values import ObjectRef
from gpulint.readers._manifest import Manifest, embedded_files, text_at
from gpulint.readers._pods import elements
from gpulint.readers.service_monitors import POD_LABELS, job_monitor, monitor
from gpulint.source.yaml import Node

MARKS = (("scrape_configs", "additionalScrapeConfigs", "additionalServiceMonitors", "serviceMonitor"), ("dcgm", "DCGM"))
KINDS = frozenset({("", "ConfigMap"), ("nvidia.com", "ClusterPolicy")})
# Where the values of `prometheus` and `kube-prometheus-stack` keep what they scrape.
# Source: prometheus-community/helm-charts@cf408a2 charts/prometheus and charts/kube-prometheus-stack, values.yaml.
_JOBS: tuple[tuple[str, ...], ...] = (
    ("scrape_configs",),
    ("serverFiles", "prometheus.yml", "scrape_configs"),
    ("prometheus", "prometheusSpec", "additionalScrapeConfigs"),
)
_MONITORS: tuple[tuple[str, ...], ...] = (
    ("prometheus", "additionalServiceMonitors"),
    ("prometheus", "additionalPodMonitors"),
)
# The exporter's own chart, by its image; inside another's values by the name of the subchart.
_EXPORTER = "dcgm-exporter"
_IN_OPERATOR = "dcgmExporter"


def claims_file(root: Node) -> bool:
    return root.is_mapping and next(_found(root), None) is not None


def read_file(root: Node, project: Project) -> None:
    project.monitors.extend(_found(root))


def read_object(manifest: Manifest, project: Project) -> None:
    if manifest.kind == "ConfigMap":
        for file in embedded_files(manifest, project, "scrape_configs", "dcgm"):
            for job in elements(file.root, "scrape_configs"):
                project.monitors.append(job_monitor(job, manifest.ref))
        return
    exporter = manifest.node.at("spec", _IN_OPERATOR)
    found = _of_operator(exporter, manifest.ref) if exporter is not None else None
    if found is not None:
        project.monitors.append(found)


def _found(root: Node) -> Iterator[Monitor]:
    ref = ObjectRef("chart values", None, root.document.source.path.rpartition("/")[2])
    for name, holder in (("", root), *root.items()):
        for path in _JOBS:
            jobs = holder.at(*path)
            for job in jobs.elements() if jobs is not None else ():
                yield job_monitor(job, ref)
        for path in _MONITORS:
            specs = holder.at(*path)
            for spec in specs.elements() if specs is not None else ():
                named = spec.get("name") or spec
                own = ObjectRef(path[-1].removeprefix("additional")[:-1], None, text_at(spec, "name"))
                yield monitor(spec, own, named.place, over_pods="Pod" in path[-1])
        exporter = holder.get(_IN_OPERATOR)
        found = _of_operator(exporter, ref) if exporter is not None else None
        if found is not None:
            yield found
        if name == _EXPORTER or (text_at(holder, "image", "repository") or "").endswith(f"/{_EXPORTER}"):
            chart = holder.get("serviceMonitor")
            if chart is not None and chart.is_mapping and text_at(chart, "enabled") in (None, "true"):
                yield _of_chart(chart, ref)


def _of_operator(exporter: Node, ref: ObjectRef) -> Monitor | None:
    """The ServiceMonitor that the GPU Operator makes, where that is switched on.

    Source: NVIDIA/gpu-operator@a22dbf6 assets/state-dcgm-exporter/0500_service_monitor.yaml.
    """
    node = exporter.get("serviceMonitor")
    if node is None or text_at(node, "enabled") != "true":
        return None
    return _of_chart(node, ref)


def _of_chart(node: Node, ref: ObjectRef) -> Monitor:
    """The ServiceMonitor that a chart makes: it honours no labels unless told to.

    Source: NVIDIA/dcgm-exporter@d5e5f51 deployment/values.yaml, templates/service-monitor.yaml.
    """
    spec = monitor(node, ref, node.key_place, over_pods=False)
    honors = node.get("honorLabels")
    touched = any(elements(node, key) for key in ("relabelings", "metricRelabelings"))
    taken: frozenset[str] | None = None if touched else POD_LABELS
    if honors is not None and honors.value is not False:
        taken = frozenset() if honors.value is True else None
    spec.words = frozenset({_EXPORTER})
    spec.endpoints = [ScrapeEndpoint(node.key_place, taken=taken)]
    return spec
