"""Grafana dashboards: JSON files, ConfigMaps that hold them, and objects of the Grafana Operator."""

from __future__ import annotations

from collections.abc import Iterator

from gpulint.metrics.promql import parse
from gpulint.model.monitoring import Dashboard, Expression, Panel
from gpulint.model.project import Project
from gpulint.model.values import ObjectRef, Sourced
from gpulint.readers._manifest import Manifest, embedded_files, sourced_text, text_at
from gpulint.source.yaml import Node

# A dashboard is large, so only one that names a series of a GPU or of a model server is parsed.
MARKS = (
    ('"panels"',),
    ('"expr"',),
    ("DCGM_", "nvidia_smi_", "nvidia_gpu_", "vllm:", "vllm_", "sglang:", "tgi_", "nv_inference_", "nv_gpu_", "nv_trt"),
)
KINDS = frozenset({("", "ConfigMap"), ("grafana.integreatly.org", "GrafanaDashboard")})
_DEEPEST_ROWS = 4


def claims_file(root: Node) -> bool:
    return _dashboard_node(root) is not None


def read_file(root: Node, project: Project) -> None:
    file = root.document.source.path.rpartition("/")[2]
    _read(root, ObjectRef("Dashboard", None, file.removesuffix(".json")), project)


def read_object(manifest: Manifest, project: Project) -> None:
    if manifest.kind == "ConfigMap":
        for file in embedded_files(manifest, project, '"panels"', '"expr"'):
            _read(file.root, manifest.ref, project)
        return
    spec = manifest.node.get("spec")
    text = spec.get("json") if spec is not None else None
    inner = text.embedded() if text is not None else None
    if inner is not None:
        _read(inner.root, manifest.ref, project)


def _dashboard_node(root: Node) -> Node | None:
    """The dashboard: the file itself, or what an export through Grafana's API wraps."""
    for node in (root, root.get("dashboard")):
        if node is not None and (node.get("panels") is not None or node.at("rows", 0, "panels") is not None):
            return node
    return None


def _read(root: Node, ref: ObjectRef, project: Project) -> None:
    node = _dashboard_node(root)
    if node is None:
        return
    title, tags = node.get("title"), node.get("tags")
    dashboard = Dashboard(
        ref=ref,
        title=(title.text if title is not None else None) or ref.name or "",
        place=(title or node.get("panels") or node).key_place,
        panels=[],
        tags=tuple(tag.text for tag in tags.elements() if tag.text) if tags is not None else (),
    )
    for panel in _panels(node, 0):
        if panel.get("libraryPanel") is not None and panel.get("targets") is None:
            dashboard.complete = False
        for target in _elements(panel, "targets"):
            _read_target(target, panel, dashboard)
    if node.document.source.path in project.releases and _is_read(dashboard, project):
        return  # a template that takes in a file of the chart
    project.dashboards.append(dashboard)


def _is_read(dashboard: Dashboard, project: Project) -> bool:
    """Whether the same dashboard stands in a file of its own."""

    def queries(one: Dashboard) -> list[str]:
        return [panel.expression.text for panel in one.panels]

    others = (other for other in project.dashboards if other.ref.kind == "Dashboard" and other.title == dashboard.title)
    return any(queries(other) == queries(dashboard) for other in others)


def _panels(node: Node, depth: int) -> Iterator[Node]:
    """The panels, also those in rows: `rows` of old dashboards, panels of panels of type `row`."""
    for row in _elements(node, "rows"):
        yield from _panels(row, depth + 1)
    for panel in _elements(node, "panels"):
        yield panel
        if depth < _DEEPEST_ROWS:
            yield from _panels(panel, depth + 1)


def _elements(node: Node, key: str) -> list[Node]:
    child = node.get(key)
    return [element for element in child.elements() if element.is_mapping] if child is not None else []


def _unit(panel: Node) -> Sourced[str] | None:
    """The unit of the axis; None where overrides may give single series another one."""
    overrides = panel.at("fieldConfig", "overrides")
    if overrides is not None and any(True for _ in overrides.elements()):
        return None
    return sourced_text(panel.at("fieldConfig", "defaults", "unit") or panel.at("yaxes", 0, "format"))


def _read_target(target: Node, panel: Node, dashboard: Dashboard) -> None:
    expr = target.get("expr")
    if expr is None or expr.text is None or not expr.text.strip():
        # Another data source (Cloud Monitoring, Loki, an expression over the others).
        dashboard.complete = dashboard.complete and target.keys() in ((), ("refId",))
        return
    title = panel.get("title")
    expression = Expression(expr.text, parse(expr.text), expr)
    dashboard.panels.append(
        Panel(
            ref=dashboard.ref,
            title=(title.text if title is not None else None) or text_at(panel, "id") or "",
            place=(title or expr).place,
            expression=expression,
            unit=_unit(panel),
        )
    )
    if expression.query is None:
        dashboard.complete = False
