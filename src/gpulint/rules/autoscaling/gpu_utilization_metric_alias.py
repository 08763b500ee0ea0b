"""A metrics adapter that serves GPU utilisation to autoscalers."""

from __future__ import annotations

from collections.abc import Iterator

from gpulint.finding import Evidence, Finding
from gpulint.metrics.table import Meaning
from gpulint.model.project import Project
from gpulint.rules import rule
from gpulint.rules.signals import one_line


@rule("gpu-utilization-metric-alias")
def check(project: Project) -> Iterator[Finding]:
    used = {metric.name for scaler in project.autoscalers for metric in scaler.metrics}
    for alias in project.aliases:
        query = alias.expression.query
        if query is None or alias.name.value in used:
            continue  # the autoscaler that uses it is told, and shown this place
        found = frozenset[Meaning]().union(*(alias.expression.meanings(selector) for selector in query.selectors))
        if found != {Meaning.GPU_UTILIZATION}:
            continue
        series = ", ".join(query.metric_names())
        yield Finding(
            place=alias.name.place,
            message=(
                f"The adapter serves {series} as {alias.name.value}, which only an autoscaler reads. GPU utilisation "
                "tells how much of the time some kernel ran, not how much work waits: as a target it adds replicas "
                "under any steady load, and removes them while requests queue for memory."
            ),
            help=(
                "Serve the engine's queue or its running requests instead (vLLM: vllm:num_requests_waiting, "
                "vllm:num_requests_running), and keep GPU utilisation for dashboards."
            ),
            evidence=[Evidence("series", one_line(alias.expression.text), alias.expression.place)],
            ref=alias.ref,
        )
