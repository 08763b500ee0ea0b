"""Metrics by name: which engine or exporter has them, in which unit, and what they say about a model server.

`metrics.json` beside this module holds one row per metric with its sources. A name that is not in it has no known
meaning (None); `meaning_of_alias` reads the few words that a team's own name says plainly.
"""

from __future__ import annotations

import json
import os
import re
from enum import StrEnum
from functools import cache
from typing import Any, Literal

from gpulint.record import record


class Meaning(StrEnum):
    """What a metric tells about a workload."""

    CPU = "cpu"
    HOST_MEMORY = "host-memory"
    GPU_UTILIZATION = "gpu-utilization"  # duty cycle, engine active, SM active, SM occupancy, tensor pipe active
    GPU_MEMORY = "gpu-memory"  # framebuffer used, free, total
    MEMORY_BANDWIDTH = "memory-bandwidth"  # DCGM's MEM_COPY_UTIL and DRAM_ACTIVE: traffic, not occupancy
    KV_CACHE = "kv-cache"
    QUEUE = "queue"
    RUNNING = "running"  # requests in the batch, batch size
    TOKENS = "tokens"
    LATENCY = "latency"
    REQUEST_RATE = "request-rate"
    PREEMPTION = "preemption"
    CONCURRENCY = "concurrency"  # requests in flight as a proxy or router counts them
    POWER = "power"
    TEMPERATURE = "temperature"
    ERRORS = "errors"
    OTHER = "other"


type_metric = Literal["gauge", "counter", "histogram", "summary"]
type_status = Literal["current", "deprecated", "removed"]


@record
class Metric:
    """One row of the table.

    Versions are those of `engine` (for DCGM metrics, of DCGM). `hidden` is the first version that exports the metric
    only on request; `removed` is the first version without it, by the engine's deprecation policy where the status
    is still "deprecated". A status "removed" with `removed` None means that the version is unknown.
    """

    name: str
    engine: str
    type: type_metric
    unit: str | None
    range: tuple[float, float] | None  # smallest and greatest possible value, in `unit`
    meaning: Meaning
    status: type_status
    introduced: str | None
    deprecated: str | None
    hidden: str | None
    removed: str | None
    replacement: str | None  # the metric to look at instead
    rename: bool  # the replacement is the same quantity in the same unit under a new name
    default_exported: bool
    mig_ok: bool | None  # False: absent or meaningless on a GPU in MIG mode; None: not known
    label_meanings: dict[str, dict[str, Meaning]]  # label -> value -> meaning, where a label decides
    source: tuple[str, ...]  # URLs

    @property
    def is_ratio(self) -> bool:
        """Whether the value runs from 0 to 1 (whatever the name says: `_perc` and `_percent` often do)."""
        return self.range == (0, 1)

    @property
    def is_percent(self) -> bool:
        """Whether the value runs from 0 to 100 (HAMi's `_ratio` does)."""
        return self.range == (0, 100) or self.unit == "percent"


@cache
def metrics() -> tuple[Metric, ...]:
    """All rows of the table."""
    with open(os.path.join(os.path.dirname(__file__), "metrics.json"), encoding="utf-8") as file:
        content = json.load(file)
    return tuple(_metric(row, content["sources"]) for row in content["metrics"])


def _metric(row: dict[str, Any], sources: dict[str, str]) -> Metric:
    limits = row.get("range")
    labels: dict[str, dict[str, str]] = row.get("label_meanings", {})
    return Metric(
        name=row["name"],
        engine=row["engine"],
        type=row["type"],
        unit=row.get("unit"),
        range=(float(limits[0]), float(limits[1])) if limits else None,
        meaning=Meaning(row["meaning"]),
        status=row.get("status", "current"),
        introduced=row.get("introduced"),
        deprecated=row.get("deprecated"),
        hidden=row.get("hidden"),
        removed=row.get("removed"),
        replacement=row.get("replacement"),
        rename=row.get("rename", False),
        default_exported=row["default_exported"],
        mig_ok=row.get("mig_ok"),
        label_meanings={label: {v: Meaning(m) for v, m in values.items()} for label, values in labels.items()},
        source=tuple(sources[key] for key in row["source"]),
    )


@cache
def _by_folded_name() -> dict[str, Metric]:
    return {_fold(metric.name): metric for metric in metrics()}


def _fold(name: str) -> str:
    """`vllm:x`, `vllm_x` and `vllm-x` are one: adapters and managed services cannot always keep the colon."""
    return re.sub(r"[^a-z0-9]", "_", name.lower())


# Which derived series each type of metric has (https://prometheus.io/docs/concepts/metric_types/).
_SUFFIXES = {
    "counter": ("_total", "_created"),
    "histogram": ("_bucket", "_sum", "_count", "_created"),
    "summary": ("_sum", "_count", "_created"),
    "gauge": (),
}
_CLOUD_DOMAIN = r"^(?:prometheus|external|custom)\.googleapis\.com[/|](?:prometheus[/|])?"
_CLOUD_KIND = r"[/|](?:gauge|counter|histogram|summary|unknown)(?::(?:counter|gauge))?$"


def plain_name(name: str) -> str:
    """The Prometheus name inside a Cloud Monitoring metric type, in either spelling (`/` or `|`); others unchanged.

    `prometheus.googleapis.com|vllm:num_requests_waiting|gauge` is `vllm:num_requests_waiting`.
    """
    name = name.strip()
    plain = re.sub(_CLOUD_DOMAIN, "", name)
    return re.sub(_CLOUD_KIND, "", plain) if plain != name else name


@cache
def lookup(name: str) -> Metric | None:
    """The metric of this name in any of the spellings in which it is found, or None if the table has none.

    Takes the series of counters, histograms and summaries (`_total`, `_bucket`, …), Ray's `ray_` prefix, `_` for
    `:`, Cloud Monitoring's types, and any case.
    """
    table = _by_folded_name()
    folded = _fold(plain_name(name))
    for candidate in (folded, folded.removeprefix("ray_") if folded.startswith("ray_vllm_") else folded):
        if metric := table.get(candidate):
            return metric
        for suffix in ("_total", "_bucket", "_sum", "_count", "_created"):
            base = candidate.removesuffix(suffix)
            # `x_total_created` and the like: counters whose row carries the `_total` that the client adds.
            for key in (base, f"{base}_total"):
                metric = table.get(key) if base != candidate else None
                if metric and suffix in _SUFFIXES[metric.type]:
                    return metric
        # A counter is also written without the `_total` under which it is exported.
        metric = table.get(f"{candidate}_total")
        if metric and metric.type == "counter":
            return metric
    return None


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# The words of a name that can be trusted, and those that make it doubtful.
_GPU = _words("gpu gpus dcgm nvidia vgpu accelerator cuda")
_MEMORY = _words("memory mem vram framebuffer fb hbm")
_UTILIZATION = _words("util utilization utilisation")
_BUSY = _UTILIZATION | _words("duty busy occupancy")
_PERCENT = _words("percent percentage perc pct ratio")
_REQUEST = _words("request requests req reqs query queries sequence sequences seqs")
_ENGINE = _words("vllm tgi sglang triton trtllm nim llm inference lmdeploy")
_TIME = _words("time duration latency seconds second ms milliseconds us wait")
_NO_METRIC_OF_USE = _words("hit hits miss misses info config build version target threshold max")
# GPUs as a resource that is asked for and counted, not as something that works.
_ALLOCATION = _words(
    "request requests requested limit limits quota allocated allocatable allocation allocations capacity reserved "
    "count num cost hours price fragmentation desired free available"
)
# Queues, tokens and latencies of something that is no model server.
_ELSEWHERE = _words(
    "pod pods job jobs node nodes rabbitmq sqs kafka redis celery nats pubsub workqueue dns tcp udp network disk io "
    "packets db database sql postgres mysql etcd apiserver scrape kubelet controller reconcile webhook spot vm "
    "instance instances auth jwt session csrf refresh access oauth mail email"
)


@cache
def meaning_of_alias(name: str) -> Meaning | None:
    """What a name that is in no table says plainly, word by word; None when in doubt.

    For a team's own recording rules and adapter aliases: `avg_gpu_util` is GPU utilisation, `gpu_cache_usage_perc` is
    KV cache, `gpu_memory_bandwidth` is not memory. `gpu_memory_utilization` stays None: some mean framebuffer used,
    others the memory controller's duty cycle.
    """
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", plain_name(name))
    words = frozenset(re.findall(r"[a-z0-9]+", spaced.lower()))
    if words & _NO_METRIC_OF_USE:
        return None
    if words & {"cache", "kvcache"} or "kv" in words:
        return _cache_meaning(words)
    if words & _GPU:
        return _gpu_meaning(words)
    if words & _ELSEWHERE and not words & {"cpu", "memory", "mem"}:
        return None
    return _serving_meaning(words) or _host_meaning(words)


def _cache_meaning(words: frozenset[str]) -> Meaning | None:
    is_kv = words & {"kv", "kvcache"} or ("gpu" in words and "cache" in words)
    says_usage = words & (_BUSY | _PERCENT | {"usage", "used", "blocks", "free"})
    if is_kv and says_usage and not words & (_TIME | {"prefix", "cpu", "host", "disk", "transfer", "offload", "error"}):
        return Meaning.KV_CACHE
    return None


def _gpu_meaning(words: frozenset[str]) -> Meaning | None:
    if words & {
        "encoder",
        "decoder",
        "enc",
        "dec",
        "video",
        "jpeg",
        "nvlink",
        "pcie",
        "network",
        "clock",
        "fan",
        "cpu",
    }:
        return None
    if words & {"bandwidth", "membw", "dram"} or ("copy" in words and words & _MEMORY):
        return Meaning.MEMORY_BANDWIDTH if words & (_MEMORY | {"dram", "membw"}) else None
    if words & {"temp", "temperature"}:
        return Meaning.TEMPERATURE
    if words & {"power", "watts", "energy"}:
        return Meaning.POWER
    if words & {"error", "errors", "xid", "ecc"}:
        return Meaning.ERRORS
    if words & _MEMORY:
        doubtful = words & (_UTILIZATION | (_ALLOCATION - {"free", "available"}))
        says_amount = words & (_PERCENT | {"used", "usage", "free", "bytes", "total", "mib", "mb", "gib", "gb"})
        return Meaning.GPU_MEMORY if says_amount and not doubtful else None
    if words & _ALLOCATION:
        return None
    says_busy = words & _BUSY or ("usage" in words and words & _PERCENT)
    says_active = "active" in words and words & {"sm", "engine"}
    return Meaning.GPU_UTILIZATION if says_busy or says_active else None


def _serving_meaning(words: frozenset[str]) -> Meaning | None:
    about_requests = words & (_REQUEST | _ENGINE)
    if words & {"error", "errors", "failed", "failure", "failures"}:
        return Meaning.ERRORS if about_requests else None
    if words & {"preemption", "preemptions", "preempted"}:
        return Meaning.PREEMPTION
    if words & {"ttft", "tpot", "itl", "latency"} or {"time", "first", "token"} <= words:
        return Meaning.LATENCY
    if words & {"queue", "queued", "waiting", "pending", "backlog", "deferred"}:
        if words & _TIME:
            return Meaning.LATENCY if words & {"queue", "queued"} else None
        return Meaning.QUEUE if about_requests or words & {"size", "length", "depth", "len"} else None
    if {"batch", "size"} <= words or (words & {"running", "processing"} and words & _REQUEST):
        return Meaning.RUNNING
    if "concurrency" in words or (words & {"inflight", "concurrent", "ongoing", "active"} and words & _REQUEST):
        return Meaning.CONCURRENCY
    per_second = words & {"rate", "throughput"} or ("per" in words and words & {"second", "sec", "s"})
    if words & {"tps", "toks"} or ("tokens" in words and (per_second or words & {"generated", "generation", "prompt"})):
        return Meaning.TOKENS if "request" not in words else None
    counts_requests = {"requests", "total"} <= words and not words & {"slots", "active"}
    if words & {"rps", "qps"} or counts_requests or (words & _REQUEST and per_second):
        return Meaning.REQUEST_RATE
    return Meaning.LATENCY if {"request", "duration"} <= words or {"response", "time"} <= words else None


def _host_meaning(words: frozenset[str]) -> Meaning | None:
    if words & (_ALLOCATION - {"free", "available"}) or words & {"throttled", "temp", "temperature"}:
        return None
    if "cpu" in words:
        return Meaning.CPU if words & (_BUSY | _PERCENT | {"usage", "used", "load", "seconds", "cores"}) else None
    says_host = words & {"host", "node", "container", "pod", "process", "system", "ram", "rss"}
    says_memory = words & {"memory", "mem", "ram", "rss"}
    says_amount = words & (_UTILIZATION | _PERCENT | {"usage", "used", "working", "rss", "bytes", "free", "available"})
    return Meaning.HOST_MEMORY if says_host and says_memory and says_amount else None
