"""A query that adds up other models than the one that is scaled."""

from __future__ import annotations

from collections.abc import Iterator

from gpulint.finding import Evidence, Finding
from gpulint.metrics.promql import Selector
from gpulint.metrics.table import lookup
from gpulint.model.autoscaler import Autoscaler
from gpulint.model.project import Project
from gpulint.model.workload import Workload
from gpulint.rules import rule
from gpulint.rules.queries import ENGINES, is_fixed, is_scoped, promql
from gpulint.rules.signals import named, scales_gpus, serves, target_name

# Another workload counts as deployed beside this one if its file is no further away than this many folders.
_NEAR = 2


@rule("unscoped-autoscaling-query")
def check(project: Project) -> Iterator[Finding]:
    for scaler in project.autoscalers:
        if is_fixed(scaler) or not scales_gpus(scaler):
            continue
        for metric, query in promql(scaler):
            if metric.scoped or any(is_scoped(selector) for selector in query.selectors):
                continue
            selector = query.selectors[0]
            others = _others(project, scaler, selector)
            if not others:
                continue
            named_others = ", ".join(str(other.ref) for other in others[:3])
            more = f" and {len(others) - 3} more" if len(others) > 3 else ""
            yield Finding(
                place=metric.place_of(selector),
                message=(
                    f"{named(scaler)} scales {target_name(scaler)} on {selector.name} of every pod that Prometheus "
                    f"scrapes, {named_others}{more} among them. Without a matcher the load of other models adds "
                    "replicas here, and hides that of this one."
                ),
                help=f"Select the target's own series: `{selector.name}{{{_matchers(scaler)}}}`.",
                evidence=[
                    Evidence("metric", selector.name, metric.place_of(selector)),
                    *(Evidence("also exports it", str(other.ref), other.place) for other in others[:3]),
                ],
                ref=scaler.ref,
            )


def _others(project: Project, scaler: Autoscaler, selector: Selector) -> list[Workload]:
    """The other workloads nearby that export a series of this name."""
    row = lookup(selector.name or "")
    if row is None or (row.engine not in ENGINES and row.engine != "dcgm"):
        return []
    found: dict[tuple[str, str | None, str | None], Workload] = {}
    for workload in project.workloads:
        ref = workload.ref
        if (
            workload.overlay is not None
            or not workload.complete
            or not serves(workload)
            or _is_target(scaler, workload)
        ):
            continue
        exports = row.engine == "dcgm" or any(engine.name == row.engine for engine in workload.engines)
        if exports and ref.name is not None and project.is_near(scaler.place, workload.place, _NEAR):
            found[(ref.kind, ref.namespace, ref.name)] = workload
    return list(found.values())


def _is_target(scaler: Autoscaler, workload: Workload) -> bool:
    name = scaler.target.name if scaler.target is not None else None
    return workload is scaler.workload or workload.ref.name == name


def _matchers(scaler: Autoscaler) -> str:
    """Labels that a scrape through the Prometheus Operator puts on every series."""
    workload = scaler.workload
    target = workload.ref if workload is not None else scaler.target
    namespace = target.namespace if target is not None else None
    name = target.name if target is not None else None
    return f'namespace="{namespace or "…"}", pod=~"{name or "…"}-.*"'
