"""A query over a DCGM field that the exporter does not collect."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator

from gpulint.finding import Confidence, Evidence, Finding
from gpulint.metrics.promql import Query
from gpulint.metrics.table import lookup
from gpulint.model.autoscaler import Autoscaler, ScalingMetric
from gpulint.model.monitoring import CounterList, Expression
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
    for panel in project.panels:
        yield from _in_expression(f"Panel {panel.title}", "stays empty", panel.ref, panel.expression, lists)
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


def _fields(query: Query | None, where: Expression | ScalingMetric) -> Iterator[tuple[str, Place]]:
    """The DCGM fields of a query, each once, with its first place."""
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
        why = f"the counter list of {lists[0].ref} does not name it, and that list replaces the exporter's own"
        evidence = [Evidence("counter list", str(counters.ref), counters.place) for counters in lists]
    else:
        if row is None or row.default_exported or row.engine != "dcgm":
            return
        why = "dcgm-exporter's default counter list does not have it"
        evidence = []
        confidence = "medium"
    yield Finding(
        place=place,
        message=(
            f"{name} uses {field}, which the exporter does not collect, so it {effect}: {why}. A query without series "
            "is no error anywhere, so nobody is told."
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
