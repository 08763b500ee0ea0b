"""A metric of the whole GPU where the GPU is cut into MIG slices."""

from __future__ import annotations

import re
from collections.abc import Iterator

from gpulint.finding import Evidence, Finding, Level
from gpulint.metrics.promql import Matcher, Selector
from gpulint.metrics.table import Meaning, lookup
from gpulint.model.autoscaler import Autoscaler
from gpulint.model.monitoring import Alert, MetricAlias, Panel, RecordingRule
from gpulint.model.project import Project
from gpulint.rules import rule
from gpulint.rules.advice import scale_on_load

# The labels that dcgm-exporter gives to a MIG instance, and only to one.
_INSTANCE_LABELS = ("GPU_I_ID", "GPU_I_PROFILE")
# Labels that are the same for all slices of a GPU.
_WHOLE_GPU_LABELS = frozenset(
    {"gpu", "UUID", "uuid", "device", "pci_bus_id", "Hostname", "hostname", "node", "instance"}
)
_OF_A_SLICE = frozenset({Meaning.GPU_UTILIZATION, Meaning.GPU_MEMORY, Meaning.MEMORY_BANDWIDTH})
_PER_SLICE = (
    "DCGM_FI_PROF_GR_ENGINE_ACTIVE (0 to 1) and DCGM_FI_DEV_FB_USED exist for each slice: look at them `by (pod, "
    "GPU_I_ID, GPU_I_PROFILE)`, and at tokens/s in relation to the size of the slice."
)

Watch = Alert | RecordingRule | MetricAlias | Panel


@rule("whole-gpu-metric-under-mig")
def check(project: Project) -> Iterator[Finding]:
    for scaler in project.autoscalers:
        yield from _scales_on(project, scaler)
    gpu_workloads = [workload for workload in project.workloads if workload.uses_gpus]
    only_slices = bool(gpu_workloads) and all(workload.mig_slices for workload in gpu_workloads)
    uses_mig = bool(project.mig_plans) or any(workload.mig_slices for workload in gpu_workloads)
    watches: list[Watch] = [*project.alerts, *project.recording_rules, *project.aliases, *project.panels]
    for watch in watches:
        query = watch.expression.query
        for selector in query.selectors if query is not None else ():
            finding = _absent(watch, selector, uses_mig=uses_mig)
            if finding is None and only_slices and not isinstance(watch, MetricAlias):
                finding = _averaged(watch, selector, project)
            if finding is not None:
                yield finding


def _scales_on(project: Project, scaler: Autoscaler) -> Iterator[Finding]:
    slices = scaler.workload.mig_slices if scaler.workload is not None else []
    if not slices or scaler.workload is None:
        return
    for metric in scaler.metrics:
        names = metric.query.metric_names() if metric.query is not None else (metric.name,)
        series = [found for name in names for found in project.series_behind(name, metric.place)]
        if not series or not all(_is_absent(name) for name in series):
            continue
        through = f" (through {metric.name})" if metric.query is None and metric.name not in series else ""
        evidence = [Evidence("scales", str(scaler.workload.ref), scaler.workload.place)]
        evidence += [Evidence("MIG profile", found.profile, found.place) for found in slices]
        if metric.via is not None:
            evidence.append(Evidence("stands for", ", ".join(series), metric.via))
        first = metric.query.selectors[0] if metric.query is not None and metric.query.selectors else None
        yield Finding(
            place=metric.place_of(first) if first is not None else metric.place,
            message=f"{scaler.ref.kind} {scaler.ref.name} scales on {', '.join(series)}{through}, which has no value "
            f"on the MIG slices ({slices[0].profile}) of {scaler.workload.ref}. The driver reports it for a whole GPU "
            "outside MIG mode alone: the autoscaler finds no sample and does not scale.",
            help=f"{scale_on_load(scaler)} {_PER_SLICE}",
            evidence=evidence,
            ref=scaler.ref,
        )


def _is_absent(name: str | None) -> bool:
    """Whether a series has no value for a GPU in MIG mode."""
    row = lookup(name) if name else None
    return row is not None and row.mig_ok is False


def _absent(watch: Watch, selector: Selector, *, uses_mig: bool) -> Finding | None:
    """A selection of MIG instances from a metric that has none."""
    if not _is_absent(selector.name):
        return None
    name = selector.name
    place = watch.expression.place_of(selector)
    matcher = next((m for m in selector.matchers if m.label in _INSTANCE_LABELS and _demands(m)), None)
    if matcher is not None:
        return Finding(
            place=place,
            message=f'{name}{{{matcher.label}{matcher.op}"{matcher.value}"}} matches no series: {name} has no value '
            "on a MIG slice. The driver reports it for a whole GPU outside MIG mode alone, so what is computed from "
            "it here is always empty.",
            help=_PER_SLICE,
            evidence=[Evidence("selects", f'{matcher.label}{matcher.op}"{matcher.value}"', place)],
            ref=watch.ref,
        )
    grouped = next((g for g in _groupings(selector) if not set(g).isdisjoint(_INSTANCE_LABELS)), None)
    if grouped is None:
        return None
    level: Level = "warning" if uses_mig else "info"
    return Finding(
        place=place,
        message=f"{name} by ({', '.join(grouped)}) shows no MIG slice: the driver reports {name} for a whole GPU "
        "outside MIG mode alone. A slice that is full looks like one that is not there.",
        help=_PER_SLICE,
        evidence=[Evidence("groups by", ", ".join(grouped), place)],
        level=level,
        ref=watch.ref,
    )


def _demands(matcher: Matcher) -> bool:
    """Whether a label must be there for the matcher to match, whatever its value."""
    if matcher.op == "=":
        return bool(matcher.value) and "$" not in matcher.value
    if matcher.op == "!=":
        return matcher.value == ""
    if matcher.op != "=~" or "$" in matcher.value.removesuffix("$"):
        return False
    try:
        return re.fullmatch(matcher.value, "") is None
    except re.error:
        return False


def _groupings(selector: Selector) -> list[tuple[str, ...]]:
    return [aggregation.by for aggregation in selector.aggregations if aggregation.by]


def _averaged(watch: Alert | RecordingRule | Panel, selector: Selector, project: Project) -> Finding | None:
    """An average over the slices of a GPU, where everything runs on slices."""
    row = lookup(selector.name) if selector.name else None
    aggregation = selector.aggregation
    if row is None or not row.mig_ok or row.meaning not in _OF_A_SLICE or aggregation is None:
        return None
    if aggregation.op != "avg" or not aggregation.by or not set(aggregation.by) <= _WHOLE_GPU_LABELS:
        return None
    if any(matcher.label in (*_INSTANCE_LABELS, "pod", "exported_pod", "container") for matcher in selector.matchers):
        return None
    slices = [found for workload in project.workloads for found in workload.mig_slices]
    return Finding(
        place=watch.expression.place_of(selector),
        message=f"The average of {selector.name} by ({', '.join(aggregation.by)}) mixes the MIG slices of a GPU. A "
        "slice with no headroom disappears behind an idle one, and slices of different sizes count the same.",
        help=f"Add GPU_I_ID and GPU_I_PROFILE to the grouping, or group by pod: `{aggregation.op} by "
        f"({', '.join(aggregation.by)}, GPU_I_ID, GPU_I_PROFILE) ({selector.name})`.",
        evidence=[Evidence("runs on", found.profile, found.place) for found in slices[:3]],
        level="warning",
        ref=watch.ref,
    )
