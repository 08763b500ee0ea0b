"""Dashboards, quotas and the cluster autoscaler as their readers give them to the model, and what rollouts need."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpulint.load import load_texts
from gpulint.metrics.promql import parse
from gpulint.metrics.table import Meaning
from gpulint.model.monitoring import Dashboard
from gpulint.model.project import Project
from gpulint.model.values import Sourced
from gpulint.model.workload import Rollout
from gpulint.source.text import Place, Source

UTILIZATION = {"title": "Busy", "targets": [{"refId": "A", "expr": "avg(DCGM_FI_DEV_GPU_UTIL)"}]}


def project(files: dict[str, str]) -> Project:
    loaded = load_texts(files)
    assert not loaded.problems, [problem.reason for problem in loaded.problems]
    assert not loaded.templates
    return loaded.project


def dashboard(content: dict[str, Any]) -> Dashboard:
    (found,) = project({"gpu.json": json.dumps(content, indent="\t")}).dashboards
    return found


# -- dashboards


def test_a_dashboard_file() -> None:
    found = dashboard({"title": "GPUs", "tags": ["llm"], "panels": [UTILIZATION]})
    assert (found.title, found.tags, found.complete) == ("GPUs", ("llm",), True)
    (panel,) = found.panels
    assert panel.title == "Busy"
    (selector,) = panel.expression.query.selectors if panel.expression.query is not None else ()
    assert panel.expression.place_of(selector).text() == "DCGM_FI_DEV_GPU_UTIL"
    assert panel.expression.meanings(selector) == {Meaning.GPU_UTILIZATION}


@pytest.mark.parametrize(
    "content",
    [
        {"title": "new", "panels": [{"type": "row", "title": "r", "panels": [UTILIZATION]}]},
        {"title": "old", "rows": [{"panels": [UTILIZATION]}]},
        {"meta": {}, "dashboard": {"title": "exported", "panels": [UTILIZATION]}},
    ],
    ids=["a row that is folded", "rows of old dashboards", "as the API exports it"],
)
def test_where_panels_are(content: dict[str, Any]) -> None:
    assert [panel.title for panel in dashboard(content).panels] == ["Busy"]


@pytest.mark.parametrize(
    "panel",
    [
        {"title": "shared", "libraryPanel": {"uid": "x"}},
        {
            "title": "logs",
            "targets": [{"refId": "A", "datasource": {"type": "loki"}, "queryType": "range", "text": "x"}],
        },
        {"title": "broken", "targets": [{"refId": "A", "expr": "sum(((vllm:num_requests_running"}]},
    ],
    ids=["a library panel", "another data source", "no PromQL"],
)
def test_a_panel_that_cannot_be_seen(panel: dict[str, Any]) -> None:
    assert dashboard({"title": "x", "panels": [UTILIZATION, panel]}).complete is False


def test_an_empty_target_hides_nothing() -> None:
    assert dashboard({"title": "x", "panels": [UTILIZATION, {"title": "new", "targets": [{"refId": "A"}]}]}).complete


def test_units_and_their_overrides() -> None:
    defaults = {"defaults": {"unit": "percent"}}
    plain = {**UTILIZATION, "fieldConfig": {**defaults, "overrides": []}}
    mixed = {**UTILIZATION, "fieldConfig": {**defaults, "overrides": [{"matcher": {}, "properties": []}]}}
    old = {**UTILIZATION, "yaxes": [{"format": "bytes"}, {"format": "short"}]}
    units = [p.unit.value if p.unit is not None else None for p in dashboard({"panels": [plain, mixed, old]}).panels]
    assert units == ["percent", None, "bytes"]


def test_dashboards_inside_objects() -> None:
    text = json.dumps({"title": "GPUs", "panels": [{**UTILIZATION, "legendFormat": "{{gpu}}"}]}, indent=2)
    block = "\n".join(f"    {line}" for line in text.splitlines())
    config_map = f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: a}}\ndata:\n  gpus.json: |\n{block}\n"
    operated = (
        "apiVersion: grafana.integreatly.org/v1beta1\nkind: GrafanaDashboard\nmetadata: {name: b}\n"
        f"spec:\n  json: |\n{block}\n"
    )
    found = project({"a.yaml": config_map, "b.yaml": operated}).dashboards
    assert [(each.ref.kind, each.ref.name, each.title) for each in found] == [
        ("ConfigMap", "a", "GPUs"),
        ("GrafanaDashboard", "b", "GPUs"),
    ]
    assert found[0].panels[0].place.source.path == "a.yaml"


def test_a_dashboard_of_other_things_is_not_read() -> None:
    web = {"title": "Web", "panels": [{"title": "Requests", "targets": [{"expr": "rate(http_requests_total[5m])"}]}]}
    assert project({"web.json": json.dumps(web)}).dashboards == []


def test_recording_rules_are_followed_into_panels() -> None:
    rules = "groups:\n  - name: gpu\n    rules:\n      - {record: 'fleet:busy', expr: avg(DCGM_FI_DEV_GPU_UTIL)}\n"
    panel = {"title": "Busy", "targets": [{"expr": "fleet:busy + 0 * DCGM_FI_DEV_GPU_TEMP"}]}
    found = project({"rules.yaml": rules, "d.json": json.dumps({"title": "x", "panels": [panel]})})
    expression = found.panels[0].expression
    assert expression.query is not None
    assert expression.meanings(expression.query.selectors[0]) == {Meaning.GPU_UTILIZATION}


# -- quotas and the cluster autoscaler


def test_a_quota() -> None:
    text = (
        "apiVersion: v1\nkind: ResourceQuota\nmetadata: {name: gpus, namespace: llm}\n"
        'spec: {hard: {requests.nvidia.com/gpu: "4", pods: "10"}, scopes: [NotTerminating]}\n'
    )
    (quota,) = project({"quota.yaml": text}).resource_quotas
    assert {name: limit.value for name, limit in quota.hard.items()} == {"requests.nvidia.com/gpu": 4, "pods": 10}
    assert quota.scoped


@pytest.mark.parametrize("key", ["command", "args"])
def test_the_cluster_autoscaler(key: str) -> None:
    text = (
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: ca}\nspec:\n  selector: {}\n  template:\n    spec:\n"
        f"      containers: [{{name: ca, image: ca, {key}: [--scale-down-gpu-utilization-threshold=0.3]}}]\n"
    )
    (found,) = project({"ca.yaml": text}).cluster_autoscalers
    assert found.gpu_threshold.value == 0.3
    assert found.gpu_threshold.place.text() == "--scale-down-gpu-utilization-threshold=0.3"


def test_the_values_of_its_chart() -> None:
    text = "cluster-autoscaler:\n  extraArgs:\n    scale-down-gpu-utilization-threshold: 0.9\n"
    (found,) = project({"values.yaml": text}).cluster_autoscalers
    assert (found.ref.name, found.gpu_threshold.value) == ("values.yaml", 0.9)


# -- rollouts


def rollout(surge: str | None, unavailable: str | None, kind: str | None = None) -> Rollout:
    place = Place(Source("x", "x"), 0, 1, None)

    def value(text: str | None) -> Sourced[str] | None:
        return Sourced(text, place, place) if text is not None else None

    return Rollout(place, value(kind), value(surge), value(unavailable))


@pytest.mark.parametrize(
    ("surge", "unavailable", "replicas", "expected"),
    [
        (None, None, 1, (1, 0)),
        (None, None, 3, (1, 0)),
        (None, None, 4, (1, 1)),
        ("100%", "0", 8, (8, 0)),
        ("0", "0%", 2, (0, 1)),
        ("1", "1", 1, (1, 1)),
        ("${SURGE}", "0", 2, None),
    ],
)
def test_pods_of_a_rollout(surge: str | None, unavailable: str | None, replicas: int, expected: object) -> None:
    assert rollout(surge, unavailable).pods(replicas) == expected


def test_recreate_takes_all_away() -> None:
    assert rollout(None, None, "Recreate").pods(3) == (0, 3)
    assert rollout(None, None, "${STRATEGY}").pods(3) is None


@given(st.integers(0, 300), st.integers(0, 100), st.integers(1, 1000))
def test_a_rollout_always_moves(surge: int, unavailable: int, replicas: int) -> None:
    pods = rollout(f"{surge}%", f"{unavailable}%").pods(replicas)
    assert pods is not None
    assert sum(pods) > 0
    assert pods[1] <= replicas


# -- quantiles


def test_what_is_done_before_a_quantile_is_taken() -> None:
    query = parse("max by (pod) (histogram_quantile(0.95, sum by (le, pod) (rate(vllm:ttft_bucket[5m]))))")
    assert query is not None
    (quantile,) = query.quantiles
    assert quantile.level == 0.95
    (given_input,) = quantile.inputs
    assert given_input.functions == ("rate",)
    assert [aggregation.by for aggregation in given_input.aggregations] == [("le", "pod")]
    assert [aggregation.op for aggregation in query.selectors[0].aggregations] == ["sum", "max"]


@pytest.mark.parametrize("level", ["$quantile", "${quantile:raw}", "scalar(x)"])
def test_a_quantile_that_a_template_says(level: str) -> None:
    query = parse(f"histogram_quantile({level}, rate(a_bucket[5m]))")
    assert query is None or query.quantiles[0].level is None
