"""Monitors and scrape jobs: what they select, and whose labels the series carry that they bring."""

from __future__ import annotations

import pytest

from gpulint.load import load_texts
from gpulint.model.monitoring import Monitor
from gpulint.model.project import Project

ALL = frozenset({"pod", "namespace", "container"})
NONE: frozenset[str] = frozenset()


def project(files: dict[str, str]) -> Project:
    loaded = load_texts(files)
    assert not loaded.problems, [problem.reason for problem in loaded.problems]
    assert not loaded.templates
    return loaded.project


def monitor(text: str, name: str = "monitor.yaml") -> Monitor:
    (found,) = project({name: text}).monitors
    return found


def service_monitor(endpoint: str, spec: str = "") -> Monitor:
    return monitor(f"""
apiVersion: monitoring.coreos.com/v1
kind: ServiceMonitor
metadata: {{name: dcgm, namespace: gpu-operator}}
spec:
  selector: {{matchLabels: {{app: nvidia-dcgm-exporter}}}}
  {spec}
  endpoints:
    - {endpoint}
""")


@pytest.mark.parametrize(
    ("endpoint", "taken"),
    [
        ("{port: metrics}", ALL),
        ("{port: metrics, honorLabels: false}", ALL),
        ("{port: metrics, honorLabels: true}", NONE),
        ("{port: metrics, honorLabels: '{{ x }}'}", None),
        ("{port: metrics, relabelings: [{sourceLabels: [a], targetLabel: node}]}", ALL),
        ("{port: metrics, relabelings: [{action: labelmap, regex: __meta_kubernetes_node_label_(.+)}]}", ALL),
        ("{port: metrics, relabelings: [{action: keep, sourceLabels: [a], regex: b}]}", ALL),
        ("{port: metrics, metricRelabelings: [{sourceLabels: [exported_pod], targetLabel: pod}]}", None),
        ("{port: metrics, metricRelabelings: [{action: labelmap, regex: exported_(.+)}]}", None),
        ("{port: metrics, metricRelabelings: [{action: labeldrop, regex: instance}]}", ALL),
        ("{port: metrics, metricRelabelings: [{action: labeldrop, regex: (pod|namespace)}]}", None),
        ("{port: metrics, metricRelabelings: [{action: labelkeep, regex: gpu}]}", None),
        ("{port: metrics, metricRelabelings: [{action: labeldrop, regex: '('}]}", None),
    ],
)
def test_labels_that_a_service_monitor_takes(endpoint: str, taken: frozenset[str] | None) -> None:
    (found,) = service_monitor(endpoint).endpoints
    assert found.taken == taken


def test_a_service_monitor() -> None:
    found = service_monitor("{port: gpu-metrics, path: /metrics, interval: 15s}", "jobLabel: app")
    (endpoint,) = found.endpoints
    assert found.job_label is not None
    assert endpoint.port is not None
    assert endpoint.path is not None
    assert (found.selects, found.job_label.value) == ("Service", "app")
    assert (endpoint.port.value, endpoint.path.value, endpoint.interval_s) == ("gpu-metrics", "/metrics", 15)
    assert found.words == {"nvidia-dcgm-exporter"}


@pytest.mark.parametrize(
    ("spec", "namespaces"),
    [
        ("", {"gpu-operator"}),
        ("namespaceSelector: {any: true}", None),
        ("namespaceSelector: {matchNames: [a, b]}", {"a", "b"}),
        ("namespaceSelector: {any: false}", {"gpu-operator"}),
    ],
)
def test_where_a_monitor_looks(spec: str, namespaces: set[str] | None) -> None:
    expected = None if namespaces is None else frozenset(namespaces)
    assert service_monitor("{port: metrics}", spec).namespaces == expected


@pytest.mark.parametrize(
    ("kind", "labels", "taken"),
    [
        ("PodMonitoring", "", ALL),
        ("ClusterPodMonitoring", "", ALL),
        ("PodMonitoring", "targetLabels: {metadata: []}", {"namespace"}),
        ("ClusterPodMonitoring", "targetLabels: {metadata: []}", set()),
        ("ClusterPodMonitoring", "targetLabels: {metadata: [pod, node]}", {"pod"}),
        ("ClusterPodMonitoring", "targetLabels: {metadata: null}", {"namespace"}),
        ("PodMonitoring", "targetLabels: {fromPod: [{from: team}]}", ALL),
    ],
)
def test_labels_that_googles_managed_service_sets(kind: str, labels: str, taken: set[str]) -> None:
    found = monitor(f"""
apiVersion: monitoring.googleapis.com/v1
kind: {kind}
metadata: {{name: dcgm, namespace: a}}
spec:
  selector: {{matchLabels: {{app: dcgm-exporter}}}}
  endpoints: [{{port: metrics, interval: 30s}}]
  {labels}
""")
    assert found.endpoints[0].taken == frozenset(taken)
    assert found.namespaces == (None if kind.startswith("Cluster") else {"a"})


@pytest.mark.parametrize(
    ("job", "taken"),
    [
        ("static_configs: [{targets: ['localhost:9400']}]", NONE),
        ("relabel_configs: [{source_labels: [__meta_kubernetes_pod_name], target_label: pod}]", {"pod"}),
        ("relabel_configs: [{source_labels: [__meta_kubernetes_pod_name], target_label: kubernetes_pod_name}]", NONE),
        ("relabel_configs: [{source_labels: [other], target_label: pod}]", None),
        (
            "honor_labels: true\n    relabel_configs: [{source_labels: [__meta_kubernetes_pod_name], target_label: pod}]",
            NONE,
        ),
        ("metric_relabel_configs: [{source_labels: [exported_pod], target_label: pod}]", None),
    ],
)
def test_labels_that_a_scrape_job_sets(job: str, taken: set[str] | None) -> None:
    text = f"scrape_configs:\n  - job_name: dcgm\n    {job}\n"
    expected = None if taken is None else frozenset(taken)
    assert monitor(text, "prometheus.yml").endpoints[0].taken == expected
    in_map = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: prometheus}\ndata:\n  prometheus.yml: |\n"
    in_map += "".join(f"    {line}\n" for line in text.splitlines())
    assert monitor(in_map).endpoints[0].taken == expected


SCRAPE_CONFIG = """
apiVersion: monitoring.coreos.com/v1alpha1
kind: ScrapeConfig
metadata: {name: dcgm}
spec:
  kubernetesSDConfigs: [{role: Pod}]
  relabelings:
    - {action: Keep, sourceLabels: [__meta_kubernetes_pod_label_app], regex: nvidia-dcgm-exporter}
    - {sourceLabels: [__meta_kubernetes_namespace], targetLabel: namespace}
"""
STACK = """
prometheus:
  additionalServiceMonitors:
    - name: dcgm
      selector: {matchLabels: {app: dcgm-exporter}}
      endpoints: [{port: metrics, honorLabels: true}]
  prometheusSpec:
    additionalScrapeConfigs:
      - job_name: gpu
        relabel_configs:
          - {source_labels: [__meta_kubernetes_pod_container_name], target_label: container}
"""


def test_scrape_configs_of_other_shapes() -> None:
    found = monitor(SCRAPE_CONFIG)
    assert found.endpoints[0].taken == frozenset({"namespace"})
    assert "nvidia-dcgm-exporter" in found.words
    jobs = project({"values.yaml": STACK}).monitors
    assert [(each.ref.name, each.endpoints[0].taken) for each in jobs] == [("gpu", {"container"}), ("dcgm", NONE)]
    inside = "kube-prometheus-stack:\n" + "".join(f"  {line}\n" for line in STACK.splitlines())
    assert len(project({"values.yaml": inside}).monitors) == 2


@pytest.mark.parametrize(
    ("values", "taken"),
    [
        ("image: {repository: nvcr.io/nvidia/k8s/dcgm-exporter}\nserviceMonitor: {enabled: true}\n", [ALL]),
        ("image: {repository: nvcr.io/nvidia/k8s/dcgm-exporter}\nserviceMonitor: {interval: 1s}\n", [ALL]),
        ("image: {repository: nvcr.io/nvidia/k8s/dcgm-exporter}\nserviceMonitor: {enabled: false}\n", []),
        ("image: {repository: nvcr.io/nvidia/k8s/dcgm-exporter}\nserviceMonitor: {honorLabels: true}\n", [NONE]),
        ("dcgm-exporter:\n  serviceMonitor: {enabled: true, metricRelabelings: [{action: drop}]}\n", [None]),
        ("dcgmExporter:\n  serviceMonitor: {enabled: true}\n", [ALL]),
        ("dcgmExporter:\n  serviceMonitor: {enabled: true, honorLabels: true}\n", [NONE]),
        ("dcgmExporter:\n  serviceMonitor: {interval: 15s}\n", []),
        ("image: {repository: nginx}\nserviceMonitor: {enabled: true}\n# dcgm\n", []),
    ],
)
def test_what_charts_scrape(values: str, taken: list[frozenset[str] | None]) -> None:
    found = project({"values.yaml": values}).monitors
    assert [each.endpoints[0].taken for each in found] == taken


SERVED = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: chat, namespace: llm}
spec:
  selector: {matchLabels: {app: chat}}
  template:
    metadata: {labels: {app: chat, engine: vllm}}
    spec:
      containers:
        - {name: engine, image: vllm/vllm-openai:v0.11.0, resources: {limits: {nvidia.com/gpu: 1}}}
---
apiVersion: v1
kind: Service
metadata: {name: chat, namespace: llm, labels: {service: chat}}
spec:
  selector: {app: chat}
  ports: [{name: http, port: 80}]
"""


@pytest.mark.parametrize(
    ("kind", "labels", "namespaces", "joined"),
    [
        ("ServiceMonitor", "service: chat", "any: true", True),
        ("ServiceMonitor", "service: chat", "matchNames: [a, llm]", True),
        ("ServiceMonitor", "service: chat", "matchNames: [a]", False),
        ("ServiceMonitor", "app: chat", "any: true", False),
        ("PodMonitor", "engine: vllm", "any: true", True),
        ("PodMonitor", "engine: vllm", "matchNames: [a]", False),
        ("PodMonitor", "service: chat", "any: true", False),
    ],
)
def test_what_a_monitor_selects(kind: str, labels: str, namespaces: str, joined: bool) -> None:
    endpoints = "endpoints" if kind == "ServiceMonitor" else "podMetricsEndpoints"
    text = f"""---
apiVersion: monitoring.coreos.com/v1
kind: {kind}
metadata: {{name: chat, namespace: monitoring}}
spec:
  namespaceSelector: {{{namespaces}}}
  selector: {{matchLabels: {{{labels}}}}}
  {endpoints}: [{{port: http}}]
"""
    (found,) = project({"chat.yaml": SERVED + text}).monitors
    assert [str(workload.ref) for workload in found.workloads] == (["Deployment llm/chat"] if joined else [])
    expected = ["Service llm/chat"] if joined and kind == "ServiceMonitor" else []
    assert [str(service.ref) for service in found.services] == expected
