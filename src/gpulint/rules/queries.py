"""What rules about the queries of autoscalers and adapters share: whose series they read and how they add them up."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from typing import NamedTuple

from gpulint.finding import Level
from gpulint.metrics.promql import Aggregation, Query, Selector
from gpulint.metrics.table import Metric, lookup, metrics, plain_name
from gpulint.model.autoscaler import Autoscaler, ScalingMetric
from gpulint.model.monitoring import Expression
from gpulint.model.project import Project
from gpulint.model.values import ObjectRef
from gpulint.rules.signals import named
from gpulint.source.text import Place

# Whose metrics are those of a model server itself: one series or more for each of its pods, none where none runs.
ENGINES = frozenset({"vllm", "tgi", "sglang", "triton", "trtllm", "nim", "llamacpp", "lmdeploy"})
# Metrics that each pod or each GPU has of its own.
_PER_REPLICA = ENGINES | {"dcgm", "nvidia-gpu-exporter", "nvidia-gpu-prometheus-exporter", "hami", "cadvisor"}
_REPLICA_LABELS = frozenset(
    {
        *("pod", "pod_name", "exported_pod", "kubernetes_pod_name", "kubernetes_pod", "k8s_pod_name", "pod_ip"),
        *("instance", "exported_instance", "gpu", "UUID", "gpu_uuid", "Hostname", "node", "device", "engine", "rank"),
        *("dp_rank", "tp_rank", "replica", "ReplicaId", "container_id"),
    }
)
_RATES = frozenset({"rate", "irate", "increase", "delta", "idelta", "deriv", "changes", "resets", "absent"})


def is_fixed(scaler: Autoscaler) -> bool:
    """Whether there is but one number of replicas."""
    low, high = scaler.lowest, scaler.max_replicas
    return high is not None and low is not None and high.value <= low


def most_replicas(scaler: Autoscaler) -> float | None:
    """The greatest number of replicas; None where it is not known."""
    return scaler.max_replicas.value if scaler.max_replicas is not None else scaler.default_max_replicas


def promql(scaler: Autoscaler) -> Iterator[tuple[ScalingMetric, Query]]:
    """The signals that are PromQL queries whose result counts as it is (KEDA, also through KServe)."""
    for metric in scaler.metrics:
        if metric.type == "prometheus" and metric.query is not None and metric.query.selectors:
            yield metric, metric.query


def values(query: Query) -> list[Selector]:
    """The metrics that make up a query's value: those that it is divided by left out."""
    return [selector for selector in query.selectors if not selector.in_denominator]


def outermost(selector: Selector) -> Aggregation | None:
    return selector.aggregations[-1] if selector.aggregations else None


def has(selector: Selector, functions: Iterable[str] = _RATES) -> bool:
    """Whether one of these functions is applied to it, the rates and differences by default."""
    return not frozenset(functions).isdisjoint(selector.functions)


def place_in(metric: ScalingMetric) -> Place:
    """Where a signal is named: the first metric of a query, else its name."""
    if metric.query is not None and metric.query.selectors:
        return metric.place_of(metric.query.selectors[0])
    return metric.place


def is_per_replica(selector: Selector) -> bool:
    """Whether each pod or GPU has a series of its own under this name, and no matcher picks one of them."""
    row = lookup(selector.name or "")
    if row is None or row.engine not in _PER_REPLICA:
        return False
    return not any(m.label in _REPLICA_LABELS and m.op == "=" for m in selector.matchers)


def keeps_replicas_apart(selector: Selector) -> bool:
    """Whether the aggregations around it leave a series for each replica: none, or only such as group by replica."""
    for aggregation in selector.aggregations:
        if aggregation.op in ("topk", "bottomk", "limitk"):
            if aggregation.parameter == 1 and aggregation.by is None and aggregation.without is None:
                return False
            continue
        if aggregation.without is not None:
            if not _REPLICA_LABELS.isdisjoint(aggregation.without):
                return False
            continue
        if aggregation.by is None or _REPLICA_LABELS.isdisjoint(aggregation.by):
            return False
    return True


def is_scoped(selector: Selector) -> bool:
    """Whether a matcher narrows it to some workload; one that a template writes may."""
    return any(matcher.op in ("", "=", "=~") and matcher.value not in (".*", ".+") for matcher in selector.matchers)


class Use(NamedTuple):
    """A series as something names it: where, who does, and how grave it is if the series does not exist.

    `places` are all those at which it has the name; the first is `place`.
    """

    name: str
    place: Place
    ref: ObjectRef
    owner: str
    kind: str
    beside: tuple[str, ...]
    scaler: Autoscaler | None
    worst: Level
    places: tuple[Place, ...]


def uses(project: Project) -> Iterator[Use]:
    """Every series that an autoscaler, an adapter, an alert, a recording rule or a panel of a dashboard names."""
    served = {alias.name.value for alias in project.aliases}
    for scaler in project.autoscalers:
        for metric in scaler.metrics:
            if metric.query is not None:
                for name, places in _named(metric.query, metric):
                    beside = metric.query.metric_names()
                    yield Use(name, places[0], scaler.ref, named(scaler), "autoscaler", beside, scaler, "error", places)
            elif metric.type in ("Pods", "Object", "External") and metric.name not in served:
                name = plain_name(metric.name)
                places = (metric.place,)
                yield Use(name, metric.place, scaler.ref, named(scaler), "name", (), scaler, "error", places)
    for alias in project.aliases:
        owner = f"The adapter rule for {alias.name.value}"
        expressions = [alias.expression, *([alias.served] if alias.served is not None else [])]
        seen: set[str] = set()
        for expression in expressions:
            for use in _of(expression, alias.ref, owner, "adapter", "error"):
                if use.name not in seen:
                    seen.add(use.name)
                    yield use
    for alert in project.alerts:
        yield from _of(alert.expression, alert.ref, f"Alert {alert.name}", "alert", "warning")
    for recording in project.recording_rules:
        yield from _of(recording.expression, recording.ref, f"Recording rule {recording.name}", "rule", "warning")
    for panel in project.panels:
        yield from _of(panel.expression, panel.ref, f"Panel {panel.title}", "panel", "info")


def _named(query: Query, at: ScalingMetric | Expression) -> Iterator[tuple[str, tuple[Place, ...]]]:
    found: dict[str, list[Place]] = {}
    for selector in query.selectors:
        if selector.name is not None:
            found.setdefault(selector.name, []).append(at.place_of(selector))
    for name, places in found.items():
        yield name, tuple(places)


def _of(expression: Expression, ref: ObjectRef, owner: str, kind: str, worst: Level) -> Iterator[Use]:
    if expression.query is not None:
        for name, places in _named(expression.query, expression):
            yield Use(name, places[0], ref, owner, kind, expression.query.metric_names(), None, worst, places)


@cache
def by_engine(engine: str) -> tuple[Metric, ...]:
    """The rows of the metric table that belong to an engine."""
    return tuple(row for row in metrics() if row.engine == engine)
