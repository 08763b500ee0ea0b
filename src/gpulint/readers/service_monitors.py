"""Monitors of the Prometheus Operator and its kin: which pods are scraped, and whose labels their series carry."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from gpulint.model.monitoring import Monitor, ScrapeEndpoint
from gpulint.model.project import Project
from gpulint.model.quantity import duration_s
from gpulint.model.values import ObjectRef
from gpulint.readers._manifest import Manifest, sourced_text, text_at
from gpulint.readers._pods import elements
from gpulint.readers.disruption_budget import label_selector
from gpulint.source.text import Place
from gpulint.source.yaml import Node

if TYPE_CHECKING:
    from gpulint.model.policies import LabelSelector

MARKS = (("Monitor", "Scrape"),)
_SERVICES = frozenset(
    {("monitoring.coreos.com", "ServiceMonitor"), ("operator.victoriametrics.com", "VMServiceScrape")}
)
_PODS = frozenset({("monitoring.coreos.com", "PodMonitor"), ("operator.victoriametrics.com", "VMPodScrape")})
_GOOGLE = frozenset(
    {("monitoring.googleapis.com", "PodMonitoring"), ("monitoring.googleapis.com", "ClusterPodMonitoring")}
)
_SCRAPE_CONFIG = ("monitoring.coreos.com", "ScrapeConfig")
KINDS = _SERVICES | _PODS | _GOOGLE | {_SCRAPE_CONFIG}
# The labels by which a series names a pod. Prometheus Operator sets all three on what a ServiceMonitor or PodMonitor
# scrapes. Source: prometheus-operator/prometheus-operator@6adcebc pkg/prometheus/promcfg.go.
POD_LABELS = frozenset({"pod", "namespace", "container"})
# What Managed Service for Prometheus sets where `targetLabels.metadata` is left out.
# Source: GoogleCloudPlatform/prometheus-engine@2ffde4e pkg/operator/apis/monitoring/v1/pod_types.go.
_GOOGLE_DEFAULT = ("container", "pod")
_HARMLESS = frozenset({"keep", "drop", "keepequal", "dropequal", "hashmod", "lowercase", "uppercase"})


def read_object(manifest: Manifest, project: Project) -> None:
    spec = manifest.node.get("spec")
    if spec is None or not spec.is_mapping:
        return
    kind, place = (manifest.group, manifest.kind), manifest.name_node().place
    if kind == _SCRAPE_CONFIG:
        project.monitors.append(
            Monitor(manifest.ref, place, _words(manifest.ref.name, spec), [scrape_job(spec, spec.key_place)])
        )
    elif kind in _GOOGLE:
        project.monitors.append(_google(manifest, spec, place))
    else:
        project.monitors.append(monitor(spec, manifest.ref, place, over_pods=kind in _PODS))


def monitor(spec: Node, ref: ObjectRef, place: Place, *, over_pods: bool) -> Monitor:
    """A ServiceMonitor or PodMonitor by its `spec`."""
    selector = label_selector(spec.get("selector"))
    endpoints = elements(spec, "podMetricsEndpoints" if over_pods else "endpoints")
    return Monitor(
        ref=ref,
        place=place,
        words=_selected_words(ref.name, selector),
        endpoints=[_endpoint(node, POD_LABELS) for node in endpoints],
        selects="Pod" if over_pods else "Service",
        selector=selector,
        namespaces=_namespaces(spec.get("namespaceSelector"), ref.namespace),
        job_label=sourced_text(spec.get("jobLabel")),
    )


def _google(manifest: Manifest, spec: Node, place: Place) -> Monitor:
    """Managed Service for Prometheus knows no honorLabels; a list of labels that it sets takes its place."""
    everywhere = manifest.kind.startswith("Cluster")
    written = spec.get("targetLabels")
    metadata = written.get("metadata") if written is not None else None
    if metadata is None:
        labels = {*_GOOGLE_DEFAULT, "namespace"}
    elif metadata.is_sequence:
        labels = {node.text or "" for node in metadata.elements()}
    else:  # null: for a ClusterPodMonitoring the namespace, else nothing
        labels = {"namespace"}
    if not everywhere:
        labels.add("namespace")
    selector = label_selector(spec.get("selector"))
    taken = POD_LABELS & labels
    return Monitor(
        ref=manifest.ref,
        place=place,
        words=_selected_words(manifest.ref.name, selector),
        endpoints=[_endpoint(node, taken) for node in elements(spec, "endpoints")],
        selects="Pod",
        selector=selector,
        namespaces=None if everywhere or manifest.ref.namespace is None else frozenset({manifest.ref.namespace}),
    )


def _endpoint(node: Node, labels: frozenset[str]) -> ScrapeEndpoint:
    port = node.get("port")
    honors = node.get("honorLabels")
    taken: frozenset[str] | None = labels
    if honors is not None and honors.value is not False:
        taken = frozenset() if honors.value is True else None
    if any(_moves_labels(rule) for key in ("relabelings", "relabelConfigs") for rule in elements(node, key)):
        taken = None
    if any(
        _moves_labels(rule)
        for key in ("metricRelabelings", "metricRelabelConfigs", "metricRelabeling")
        for rule in elements(node, key)
    ):
        taken = None
    return ScrapeEndpoint(
        place=port.key_place if port is not None else node.place,
        port=sourced_text(port),
        path=sourced_text(node.get("path")),
        interval_s=duration_s(text_at(node, "interval")) if node.get("interval") is not None else None,
        taken=taken,
    )


def scrape_job(node: Node, place: Place) -> ScrapeEndpoint:
    """A scrape job in Prometheus' own spelling or that of a ScrapeConfig: its relabelling alone sets a pod's labels."""
    honors = node.get("honor_labels") or node.get("honorLabels")
    interval = text_at(node, "scrape_interval") or text_at(node, "scrapeInterval")
    taken = _set_by(elements(node, "relabel_configs") or elements(node, "relabelings"))
    after = elements(node, "metric_relabel_configs") or elements(node, "metricRelabelings")
    if any(_moves_labels(rule) for rule in after):
        taken = None
    if honors is not None and honors.value is not False:
        taken = frozenset() if honors.value is True else None
    return ScrapeEndpoint(
        place=place,
        path=sourced_text(node.get("metrics_path") or node.get("metricsPath")),
        interval_s=duration_s(interval) if interval else None,
        taken=taken,
    )


def _set_by(rules: Iterable[Node]) -> frozenset[str] | None:
    """The labels of a pod that relabelling sets from discovery; None where it does something else with them."""
    found = set()
    for rule in rules:
        target = text_at(rule, "target_label") or text_at(rule, "targetLabel")
        sources = [node.text or "" for node in _sources(rule)]
        is_copy = all(source.startswith("__meta_kubernetes_") for source in sources) and bool(sources)
        if target in POD_LABELS and is_copy and text_at(rule, "action") in (None, "replace", "Replace"):
            found.add(target)
        elif _moves_labels(rule):
            return None
    return frozenset(found)


def _sources(rule: Node) -> Iterator[Node]:
    node = rule.get("source_labels") or rule.get("sourceLabels")
    return node.elements() if node is not None else iter(())


def _moves_labels(rule: Node) -> bool:
    """Whether a relabelling may give a series the labels of a pod, or take or rename them."""
    action = (text_at(rule, "action") or "replace").lower()
    if action in _HARMLESS:
        return False
    target, regex = text_at(rule, "target_label") or text_at(rule, "targetLabel"), text_at(rule, "regex") or ""
    if action == "replace":
        return target is None or target in POD_LABELS or "$" in target
    if action == "labelmap":
        # The own labels of a pod, service or node are not called so.
        is_own = "_label_" in regex or "_annotation_" in regex
        return not (is_own and regex.lstrip("^(").startswith("__meta_kubernetes_"))
    if action != "labeldrop":
        return True
    try:
        pattern = re.compile(regex)
    except re.error:
        return True
    return any(pattern.fullmatch(prefix + label) for label in POD_LABELS for prefix in ("", "exported_"))


def _namespaces(selector: Node | None, own: str | None) -> frozenset[str] | None:
    """Where a monitor looks: in its own namespace unless it says otherwise; None for all and for one not written."""
    if selector is not None:
        everywhere, names = selector.get("any"), selector.get("matchNames")
        if everywhere is not None and everywhere.value is not False:
            return None
        if names is not None:
            found = [node.text for node in names.elements()]
            return frozenset(text for text in found if text) if found and None not in found else None
    return frozenset({own}) if own is not None else None


def _selected_words(name: str | None, selector: LabelSelector | None) -> frozenset[str]:
    """What it selects; its own name only where that is nothing."""
    found = set(selector.labels.values()) if selector is not None else set()
    for _, operator, values in selector.expressions if selector is not None else ():
        found.update(values if operator == "In" else ())
    return frozenset(found) or frozenset({name or ""})


def _words(name: str | None, job: Node) -> frozenset[str]:
    """The name of a job, and the patterns that its relabelling keeps targets by."""
    rules = elements(job, "relabel_configs") or elements(job, "relabelings")
    kept = [text_at(rule, "regex") or "" for rule in rules if text_at(rule, "action") in ("keep", "Keep")]
    return frozenset([name or "", *kept])


def job_monitor(job: Node, owner: ObjectRef) -> Monitor:
    """A job of `scrape_configs`."""
    name = job.get("job_name")
    place = name.place if name is not None else job.place
    ref = ObjectRef("scrape job", owner.namespace, name.text if name is not None else owner.name)
    return Monitor(ref, place, _words(ref.name, job), [scrape_job(job, place)])
