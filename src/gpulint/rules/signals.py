"""What rules about autoscalers and alerts share: which signals speak for an engine, and how to name a signal."""

from __future__ import annotations

from gpulint.finding import Evidence
from gpulint.metrics.promql import Query, Selector
from gpulint.metrics.table import Meaning, Metric, lookup
from gpulint.model.autoscaler import Autoscaler, ScalingMetric
from gpulint.model.values import Sourced
from gpulint.model.workload import Workload

# What an engine, its router or its gateway reports about its own load.
ENGINE_MEANINGS = frozenset(
    {
        Meaning.KV_CACHE,
        Meaning.QUEUE,
        Meaning.RUNNING,
        Meaning.TOKENS,
        Meaning.LATENCY,
        Meaning.REQUEST_RATE,
        Meaning.PREEMPTION,
        Meaning.CONCURRENCY,
    }
)
# What a GPU reports: a series that means one of these proves that there is a GPU.
GPU_MEANINGS = frozenset({Meaning.GPU_UTILIZATION, Meaning.GPU_MEMORY, Meaning.MEMORY_BANDWIDTH})
# Exporters of the metric table that tell of hosts and of any HTTP server, not of model servers.
_GENERAL_EXPORTERS = frozenset({"cadvisor", "node-exporter", "process", "http", "gke", "ray"})
# Any server counts these, some under a name without an engine's prefix.
_GENERAL_MEANINGS = frozenset({Meaning.REQUEST_RATE, Meaning.LATENCY, Meaning.ERRORS})
_ENGINE_PREFIXES = ("vllm:", "sglang:", "lmdeploy:", "llamacpp:", "tgi_")
# Words in the names of what stands before model servers.
_WITHOUT_GPUS = frozenset({"gateway", "router", "proxy", "frontend", "ingress", "epp", "api", "ui", "webui", "lb"})
_KEEPS_UNIT = frozenset(
    {
        *("sum", "avg", "min", "max", "topk", "bottomk", "quantile"),
        *("avg_over_time", "min_over_time", "max_over_time", "last_over_time", "quantile_over_time"),
        *("label_replace", "label_join", "abs", "ceil", "floor", "round", "clamp", "clamp_max", "clamp_min"),
        *("sort", "sort_desc", "vector"),
    }
)


def engine_signals(scaler: Autoscaler, besides: ScalingMetric) -> list[ScalingMetric]:
    """The other signals of an autoscaler that an engine reports about its load."""
    return [metric for metric in scaler.metrics if metric is not besides and metric.meanings & ENGINE_MEANINGS]


def is_off_gpu(scaler: Autoscaler, metric: ScalingMetric) -> bool:
    """Whether a ContainerResource metric watches a container without GPUs, such as a tokenizer beside the engine."""
    if metric.container is None or scaler.workload is None:
        return False
    own = [c for c in scaler.workload.containers if c.name == metric.container]
    return bool(own) and not any(container.gpus for container in own)


def serves(workload: Workload | None) -> bool:
    """Whether a workload holds GPUs and runs on: not a job that ends by itself."""
    return workload is not None and workload.uses_gpus and not workload.batch


def may_hold_gpus(scaler: Autoscaler) -> bool:
    """Whether what it scales holds GPUs, or is not among the files and not called a router or gateway."""
    if scaler.workload is not None:
        return serves(scaler.workload)
    name = (scaler.target.name if scaler.target is not None else None) or ""
    words = frozenset(name.lower().replace("_", "-").split("-"))
    return not words & _WITHOUT_GPUS


def scales_gpus(scaler: Autoscaler) -> bool:
    """Whether it scales servers on GPUs: its workload is one, or is out of sight and its signals are an engine's."""
    if not may_hold_gpus(scaler):
        return False
    return scaler.workload is not None or any(is_of_an_engine(metric) for metric in scaler.metrics)


def slowest_start(scaler: Autoscaler) -> Sourced[float] | None:
    """The longest start (s) that a startup probe of its workload allows, and where; None where it has none."""
    containers = scaler.workload.containers if scaler.workload is not None else []
    probes = [container.startup_probe for container in containers if container.startup_probe is not None]
    budgets = [Sourced(p.budget_s, p.place, p.place) for p in probes if p.budget_s is not None]
    return max(budgets, key=lambda budget: budget.value, default=None)


def is_of_an_engine(metric: ScalingMetric) -> bool:
    """Whether the signal comes from a model server or a GPU, so that its target can be taken for one."""
    if metric.meanings & GPU_MEANINGS:
        return True
    names = metric.query.metric_names() if metric.query is not None else (metric.name,)
    if any(name.startswith(_ENGINE_PREFIXES) for name in names):
        return True
    rows = [row for name in names if (row := lookup(name)) is not None]
    return any(row.engine not in _GENERAL_EXPORTERS and row.meaning not in _GENERAL_MEANINGS for row in rows)


def in_percent(metric: Metric | None, value: float) -> float | None:
    """A threshold on a metric as percent of full scale; None where the scale is not known.

    A metric of no table (a team's own name) is taken for a percentage where the value cannot be a ratio.
    """
    if metric is not None and metric.is_ratio:
        return value * 100
    if metric is not None and metric.is_percent:
        return value
    return value if metric is None and 1 < value <= 100 else None


def keeps_unit(selector: Selector) -> bool:
    """Whether a query's functions and aggregations leave a metric in its unit: no rate, no count."""
    return {*selector.functions, *(aggregation.op for aggregation in selector.aggregations)} <= _KEEPS_UNIT


def one_metric(query: Query) -> tuple[Metric, Selector, float] | None:
    """The one metric of a query that leaves it in its unit, with the positive factor it is scaled by; else None."""
    if len(query.selectors) != 1 or query.comparisons:
        return None
    selector = query.selectors[0]
    row = lookup(selector.name or "")
    if row is None or not selector.scale or selector.scale < 0 or not keeps_unit(selector):
        return None
    return row, selector, selector.scale


def is_summed(selector: Selector) -> bool:
    """Whether it is added up, so that the metric's own range no longer bounds it."""
    return any(aggregation.op == "sum" for aggregation in selector.aggregations)


def kind_of_device(workload: Workload) -> str:
    """What a workload computes on: GPU, or accelerator where it asks for another kind."""
    vendors = {request.vendor for request in workload.gpu_requests}
    return "GPU" if not vendors or vendors & {"nvidia", "amd", "intel"} else "accelerator"


def gpu_evidence(workload: Workload) -> list[Evidence]:
    """The accelerators that each replica takes, where they are written."""
    return [
        Evidence("asks for", f"{request.resource}: {'?' if request.count is None else request.count}", request.place)
        for request in workload.gpu_requests
    ]


def named(scaler: Autoscaler) -> str:
    """`HorizontalPodAutoscaler chat`."""
    return scaler.ref.short


def target_name(scaler: Autoscaler) -> str:
    """What it scales, as far as that is known: `Deployment llm/chat`."""
    if scaler.workload is not None:
        return str(scaler.workload.ref)
    return str(scaler.target) if scaler.target is not None else "its target"


def scaled(scaler: Autoscaler) -> str:
    """What it scales, for a sentence that begins with its own name: `Deployment llm/chat`, or `itself`."""
    name = target_name(scaler)
    return "itself" if name == str(scaler.ref) else name


def scaled_device(scaler: Autoscaler, workload: Workload) -> str:
    """`the GPU workload Deployment llm/chat`; `itself, a GPU workload` of an object that scales itself."""
    own = str(workload.ref) == str(scaler.ref) or (scaler.ref.kind, scaler.ref.name) == ("Values", workload.ref.name)
    device = kind_of_device(workload)
    return f"itself, a {device} workload," if own else f"the {device} workload {workload.ref}"


def one_line(text: str) -> str:
    """An expression as one line, without the indicator of a block scalar."""
    return " ".join(text.lstrip("|>-").split())


def target_text(metric: ScalingMetric) -> str:
    """` at 80%` for a target that is written, else nothing."""
    if metric.threshold is None:
        return ""
    return f" at {metric.threshold.value:g}{'%' if metric.target_type == 'Utilization' else ''}"


def short_name(metric: ScalingMetric) -> str:
    """The metric's name; of a query, the names of its metrics."""
    if metric.query is None:
        return metric.name
    return ", ".join(metric.query.metric_names()) or metric.name
