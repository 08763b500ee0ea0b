"""A dashboard on which GPU utilisation is all there is to see."""

from __future__ import annotations

from collections.abc import Iterator

from gpulint.finding import Evidence, Finding, Level
from gpulint.metrics.promql import Selector, meaning_of
from gpulint.metrics.table import Meaning
from gpulint.model.monitoring import Dashboard
from gpulint.model.project import Project
from gpulint.rules import rule
from gpulint.rules.alerts import matches
from gpulint.rules.signals import ENGINE_MEANINGS, serves

_SERVING = r"\bllms?\b|inference|serving|vllm|sglang|\btgi\b|triton|\bnim\b|model.?server"
# A dashboard called after the exporter or the machines is meant for them.
_HARDWARE = r"dcgm|exporter|nvidia|\bamd\b|\brocm\b|\bnodes?\b|hardware|health|driver|\bsmi\b"
_TRAINING = r"train|slurm|notebook|jupyter|\bhpc\b|fine.?tun"
# What GPUs, nodes and the cluster report of themselves; anything else may be a server's own measure of its load.
_MACHINES = (
    "DCGM_", "nvidia_", "node_", "kube_", "container_", "machine_", "namespace_", "cluster:", "instance:", "process_",
    "scrape_", "up", "amd_", "hami_", "ALERTS",
)  # fmt: skip


@rule("dashboard-gpu-util-only")
def check(project: Project) -> Iterator[Finding]:
    watched = [dashboard.place for dashboard in project.dashboards if _shows_load(dashboard)]
    servers = [engine.place for workload in project.workloads if serves(workload) for engine in workload.engines]
    for dashboard in project.dashboards:
        alone = not any(project.of_one_repository(dashboard.place, place) for place in watched)
        served = any(project.of_one_repository(dashboard.place, place) for place in servers)
        yield from _judge(dashboard, stands_for_all=alone and served)


def _shows_load(dashboard: Dashboard) -> bool:
    expressions = [panel.expression for panel in dashboard.panels]
    meanings = {m for e in expressions if e.query is not None for s in e.query.selectors for m in e.meanings(s)}
    return bool(meanings & ENGINE_MEANINGS)


def _judge(dashboard: Dashboard, *, stands_for_all: bool) -> Iterator[Finding]:
    """A dashboard of the hardware is one among others, unless its words speak of serving or `stands_for_all`."""
    selectors = [
        (panel, selector)
        for panel in dashboard.panels
        for selector in (panel.expression.query.selectors if panel.expression.query is not None else ())
    ]
    words = " ".join([dashboard.title, dashboard.ref.name or "", *dashboard.tags])
    if not dashboard.complete or matches(_TRAINING, words) or any(_may_be_load(selector) for _, selector in selectors):
        return
    meanings = {meaning for panel, selector in selectors for meaning in panel.expression.meanings(selector)}
    if Meaning.GPU_UTILIZATION not in meanings or meanings & ENGINE_MEANINGS:
        return
    if not matches(_SERVING, words) and (not stands_for_all or matches(_HARDWARE, words)):
        return
    shown = next((panel, s) for panel, s in selectors if Meaning.GPU_UTILIZATION in panel.expression.meanings(s))
    memory = Meaning.GPU_MEMORY in meanings
    level: Level | None = "warning" if matches(_SERVING, words) and not memory else None
    beside = "GPU memory" if memory else "no memory"
    alone = ", which no other dashboard here shows either" if stands_for_all else ""
    yield Finding(
        place=dashboard.place,
        message=(
            f"Dashboard {dashboard.title} shows GPU utilisation ({shown[1].name}) with {beside} and nothing of what "
            f"runs on the GPUs{alone}. It cannot tell a GPU with room from one whose KV cache is full, nor a fast "
            "server from one that keeps the GPU busy."
        ),
        help=(
            "Add panels for waiting and running requests, KV cache usage (vllm:kv_cache_usage_perc), tokens/s "
            "(rate(vllm:generation_tokens_total[5m])) and p95 of the time to the first token, by pod."
        ),
        evidence=[Evidence("panel", shown[0].title, shown[0].place)],
        level=level,
        ref=dashboard.ref,
    )


def _may_be_load(selector: Selector) -> bool:
    if selector.name is None:
        return True
    return meaning_of(selector) in (None, Meaning.OTHER) and not selector.name.startswith(_MACHINES)
