"""GPU metrics by pod, where several pods share a GPU."""

from __future__ import annotations

from collections.abc import Iterator

from gpulint.finding import Evidence, Finding
from gpulint.metrics.promql import Selector
from gpulint.metrics.table import lookup
from gpulint.model.autoscaler import Autoscaler
from gpulint.model.monitoring import Alert, MetricAlias, Panel, RecordingRule
from gpulint.model.project import Project
from gpulint.rules import rule
from gpulint.rules.sharing_words import belong
from gpulint.rules.signals import GPU_MEANINGS
from gpulint.source.text import Place

_POD_LABELS = frozenset({"pod", "exported_pod", "container", "exported_container", "namespace", "exported_namespace"})
_VIRTUAL = "KUBERNETES_VIRTUAL_GPUS"

Watch = Alert | RecordingRule | MetricAlias | Panel


@rule("pod-metric-of-shared-gpu")
def check(project: Project) -> Iterator[Finding]:
    sharings = [
        sharing
        for config in project.device_plugin_configs
        for sharing in config.sharings
        if sharing.replicas is None or sharing.replicas.value > 1
    ]
    if not sharings or any(_VIRTUAL in container.env for w in project.workloads for container in w.containers):
        return
    watches: list[Watch] = [*project.alerts, *project.recording_rules, *project.aliases, *project.panels]
    seen: list[tuple[Watch | Autoscaler, Selector, Place]] = [
        (watch, selector, watch.expression.place_of(selector))
        for watch in watches
        for selector in (watch.expression.query.selectors if watch.expression.query is not None else ())
    ]
    seen += [
        (scaler, selector, metric.place_of(selector))
        for scaler in project.autoscalers
        for metric in scaler.metrics
        for selector in (metric.query.selectors if metric.query is not None else ())
    ]
    for item, selector, place in seen:
        label = _label_of_pod(selector)
        if label is None:
            continue
        sharing = next((s for s in sharings if belong(project, place, s)), None)
        if sharing is None:
            continue
        times = f"{sharing.replicas.value} times" if sharing.replicas is not None else "several times"
        yield Finding(
            place=place,
            message=f"{selector.name} is told apart by {label}, but the GPUs here are shared ({sharing.resource.value} "
            f"is handed out {times}). DCGM measures the card: dcgm-exporter ties its value to none of its pods, or to "
            "one of them, and a pod that looks idle or busy may be another one.",
            help="Look at the card as a whole (by UUID, Hostname), and at each server through its own metrics: "
            "vllm:num_requests_running, vllm:kv_cache_usage_perc, rate(vllm:generation_tokens_total[5m]). With "
            f"{_VIRTUAL}=true newer exporters name every pod, each with the value of the whole card.",
            evidence=[Evidence("shared", sharing.resource.value, sharing.resource.place)],
            ref=item.ref,
        )


def _label_of_pod(selector: Selector) -> str | None:
    """The label of a pod by which a query tells a GPU's metric apart."""
    row = lookup(selector.name) if selector.name else None
    if row is None or row.meaning not in GPU_MEANINGS or not (selector.name or "").startswith("DCGM_"):
        return None
    for aggregation in selector.aggregations:
        found = next((label for label in aggregation.by or () if label in _POD_LABELS), None)
        if found is not None:
            return found
    return next(
        (m.label for m in selector.matchers if m.label in _POD_LABELS and m.value and m.value not in (".*", ".+")), None
    )
