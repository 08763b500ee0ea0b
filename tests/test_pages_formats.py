"""The pages about autoscaling, scaling, rollouts and observability show each rule in the formats that it knows."""

from __future__ import annotations

import pytest

from gpulint.pages import Example, Page, load_page, page_names
from gpulint.source.text import Source
from gpulint.source.yaml import Document, Node, documents

FAMILIES = ("autoscaling", "observability", "rollout", "scaling")
PAGES = [load_page(family, name) for name, family in page_names().items() if family in FAMILIES]
# What the formats are called here, by the group and kind of their objects; those without are told by a key of theirs.
OBJECTS = {
    ("", "ConfigMap"): "ConfigMap",
    ("autoscaling", "HorizontalPodAutoscaler"): "hpa",
    ("autoscaling.aibrix.ai", "PodAutoscaler"): "aibrix",
    ("apps.nvidia.com", "NIMService"): "nim",
    ("autoscaling.k8s.io", "VerticalPodAutoscaler"): "vpa",
    ("keda.sh", "ScaledObject"): "keda",
    ("keda.sh", "ScaledJob"): "keda",
    ("karpenter.sh", "NodePool"): "karpenter",
    ("monitoring.coreos.com", "PrometheusRule"): "PrometheusRule",
    ("monitoring.coreos.com", "ServiceMonitor"): "ServiceMonitor",
    ("operator.victoriametrics.com", "VMServiceScrape"): "VMServiceScrape",
    ("monitoring.googleapis.com", "ClusterRules"): "ClusterRules",
    ("policy", "PodDisruptionBudget"): "pdb",
    ("ray.io", "RayService"): "ray",
    ("serving.knative.dev", "Service"): "knative",
    ("serving.kserve.io", "InferenceService"): "kserve",
    ("serving.kserve.io", "LLMInferenceService"): "kserve-llm",
    ("apps", "DaemonSet"): "DaemonSet",
    ("apps", "Deployment"): "deployment",
}
KEYS = {
    "groups": "rule file",
    "panels": "dashboard file",
    "applications": "ray",
    "services": "compose",
    "run": "skypilot",
}
VALUES = "chart values"
# The formats that a tag of the front matter speaks of. Some come in two forms, and a page about that format shows both.
TAGS: dict[str, frozenset[str]] = {
    **{name: frozenset({name}) for name in ("aibrix", "hpa", "karpenter", "keda", "knative", "kserve", "nim", "pdb")},
    "cluster-autoscaler": frozenset({"deployment", VALUES}),
    "deployment": frozenset({"deployment"}),
    "grafana": frozenset({"ConfigMap", "dashboard file"}),
    "kserve-llm": frozenset({"kserve-llm"}),
    "prometheus-adapter": frozenset({"ConfigMap", VALUES}),
    "ray": frozenset({"ray"}),
    "ray-serve": frozenset({"ray"}),
    "skypilot": frozenset({"skypilot"}),
    "vpa": frozenset({"vpa"}),
}
# What only stands by: the workload that is scaled or watched.
BYSTANDERS = frozenset({"deployment"})


def format_of(root: Node) -> str | None:
    kind, version = root.get("kind"), root.get("apiVersion")
    if kind is not None and version is not None:
        return OBJECTS.get(((version.text or "").rpartition("/")[0], kind.text or ""))
    return next((name for key, name in KEYS.items() if root.get(key) is not None), VALUES)


def formats(examples: list[Example]) -> set[str]:
    found = set()
    for example in examples:
        for path, text in example.files.items():
            for document in documents(Source(path, text)):
                assert isinstance(document, Document)
                found.add(format_of(document.root))
    return {name for name in found if name is not None}


def promised(page: Page) -> list[frozenset[str]]:
    """For each tag that speaks of a format, the forms in which that can be written."""
    return [TAGS[tag] for tag in page.tags if tag in TAGS]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
@pytest.mark.parametrize("fires", [True, False], ids=["fires", "silent"])
def test_formats(page: Page, fires: bool) -> None:
    """Each format that the tags speak of is shown where the rule fires and where it is silent, and two at least.

    A page whose tags speak of one format alone is about that: it shows all its forms.
    """
    own = [example for example in page.examples if any(rule == page.name for _, _, rule in example.expected) is fires]
    shown, tagged = formats(own), promised(page)
    for forms in tagged:
        assert forms & shown, f"{page.path}: no example for {' or '.join(sorted(forms))}"
    if len({name for forms in tagged for name in forms}) == 1:
        return
    if len(tagged) == 1:
        assert tagged[0] <= shown, f"{page.path}: no example for {' and '.join(sorted(tagged[0] - shown))}"
        return
    assert len(shown - BYSTANDERS) > 1, f"{page.path}: only {', '.join(sorted(shown))}"
