"""A query over a DCGM field that the exporter does not collect."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator

from gpulint.finding import Confidence, Evidence, Finding
from gpulint.metrics.promql import Query
from gpulint.metrics.table import lookup
from gpulint.model.autoscaler import Autoscaler, ScalingMetric
from gpulint.model.monitoring import CounterList, Dashboard, Expression, Panel
from gpulint.model.project import Project
from gpulint.model.values import ObjectRef
from gpulint.rules import rule
from gpulint.rules.signals import named
from gpulint.source.text import Place

# A counter list so many folders away is that of another project which is checked in the same run.
_FAR_STEPS = 8


@rule("dcgm-field-not-collected")
def check(project: Project) -> Iterator[Finding]:
    lists = project.counter_lists
    for alert in project.alerts:
        yield from _in_expression(f"Alert {alert.name}", "never fires", alert.ref, alert.expression, lists)
    for record in project.recording_rules:
        name = f"Recording rule {record.name}"
        yield from _in_expression(name, "records nothing", record.ref, record.expression, lists)
    for alias in project.aliases:
        name = f"Metric alias {alias.name.value}"
        yield from _in_expression(name, "serves nothing", alias.ref, alias.expression, lists)
    for dashboard in project.dashboards:
        yield from _in_dashboard(dashboard, lists)
    for scaler in project.autoscalers:
        for metric in scaler.metrics:
            yield from _in_metric(scaler, metric, lists)


def _in_expression(
    name: str, effect: str, ref: ObjectRef, expression: Expression, lists: list[CounterList]
) -> Iterator[Finding]:
    for field, place in _fields(expression.query, expression):
        yield from _judge(name, effect, ref, field, place, lists)


def _in_metric(scaler: Autoscaler, metric: ScalingMetric, lists: list[CounterList]) -> Iterator[Finding]:
    fields = [(metric.name, metric.place)] if metric.query is None else list(_fields(metric.query, metric))
    for field, place in fields:
        yield from _judge(named(scaler), "never scales on it", scaler.ref, field, place, lists)


def _in_dashboard(dashboard: Dashboard, lists: list[CounterList]) -> Iterator[Finding]:
    """One finding for each field; where no list is in sight, a note on all: a dashboard is made for any exporter."""
    notes: dict[str, Finding] = {}
    panels: dict[str, list[tuple[Panel, Place]]] = {}
    for panel in dashboard.panels:
        for field, place in _fields(panel.expression.query, panel.expression):
            panels.setdefault(field, []).append((panel, place))
    for field, found in panels.items():
        panel, place = found[0]
        others = len({id(panel.place.source) + panel.place.start for panel, _ in found}) - 1
        more = f" (and {others} more panel{'s' if others > 1 else ''})" if others else ""
        for finding in _judge(f"Panel {panel.title}{more}", "stays empty", panel.ref, field, place, lists):
            if finding.confidence is None:
                yield finding
            else:
                notes[field] = finding
    if notes:
        yield _of_dashboard(notes, dashboard)


def _of_dashboard(notes: dict[str, Finding], dashboard: Dashboard) -> Finding:
    first = next(iter(notes.values()))
    first.level = "info"
    if len(notes) > 1:
        first.message = (
            f"{dashboard.ref.short} reads {len(notes)} DCGM fields which dcgm-exporter does not collect by default: "
            f"{', '.join(notes)}. Their panels stay empty unless a counter list adds them, and there is no such list "
            "in these files."
        )
        first.help = (
            "Add a line such as `FIELD, gauge, …` for each to the exporter's counter list (in its chart: "
            "customMetrics), or leave the panels out. Profiling fields (DCGM_FI_PROF_…) also need a GPU and driver "
            "that offer them."
        )
        first.evidence = [Evidence("reads", field, finding.place) for field, finding in notes.items()]
    return first


def _fields(query: Query | None, where: Expression | ScalingMetric) -> Iterator[tuple[str, Place]]:
    """The DCGM fields of a query, each once, with its first place; none where `or` has something else in reserve."""
    if query is not None and re.search(r"\bor\b", query.text):
        return
    seen: set[str] = set()
    for selector in query.selectors if query is not None else ():
        if selector.name is not None and selector.name not in seen:
            seen.add(selector.name)
            yield selector.name, where.place_of(selector)


def _judge(
    name: str, effect: str, ref: ObjectRef, field: str, place: Place, lists: list[CounterList]
) -> Iterator[Finding]:
    if not field.startswith("DCGM_FI_"):
        return
    row = lookup(field)
    lists = [counters for counters in lists if _steps(place, counters.place) <= _FAR_STEPS]
    known = {name for counters in lists for name in counters.names}
    confidence: Confidence | None = None
    if lists:
        if field in known:
            return
        which = f"which the exporter does not collect, so it {effect}"
        why = f"the counter list of {lists[0].ref} does not name it, and that list replaces the exporter's own"
        evidence = [Evidence("counter list", str(counters.ref), counters.place) for counters in lists]
    else:
        if row is None or row.default_exported or row.engine != "dcgm":
            return
        which = f"which dcgm-exporter does not collect by default, so it {effect} unless a counter list adds it"
        why = "there is no such list in these files"
        evidence = []
        confidence = "medium"
    yield Finding(
        place=place,
        message=(
            f"{name} uses {field}, {which}: {why}. A query without series is no error anywhere, so nobody is told."
        ),
        help=_remedy(field),
        evidence=evidence,
        confidence=confidence,
        ref=ref,
    )


def _steps(one: Place, other: Place) -> int:
    """Folders to climb and to descend from one file to another."""
    here, there = posixpath.dirname(one.source.path), posixpath.dirname(other.source.path)
    return len(posixpath.relpath(there or ".", here or ".").split("/"))


def _remedy(field: str) -> str:
    add = f"add the line `{field}, gauge, …` to the exporter's counter list (in its chart: customMetrics)"
    if field == "DCGM_FI_DEV_FB_TOTAL":
        return f"Use DCGM_FI_DEV_FB_USED + DCGM_FI_DEV_FB_FREE + DCGM_FI_DEV_FB_RESERVED for the total, or {add}."
    if field in ("DCGM_FI_DEV_FB_USED_PERCENT", "DCGM_FI_DEV_FB_USED_RATIO"):
        return f"Use DCGM_FI_DEV_FB_USED / (DCGM_FI_DEV_FB_USED + DCGM_FI_DEV_FB_FREE), or {add}."
    if field.startswith("DCGM_FI_PROF_"):
        return f"{add[0].upper()}{add[1:]}; profiling fields also need a GPU and driver that offer them."
    return f"{add[0].upper()}{add[1:]}."
