"""Autoscaling on GPU memory of an engine that reserves it up front."""

from __future__ import annotations

from collections.abc import Iterator

from gpulint.finding import Evidence, Finding, Level
from gpulint.metrics.table import Meaning, lookup
from gpulint.model.autoscaler import Autoscaler, ScalingMetric
from gpulint.model.engine import Engine
from gpulint.model.workload import Workload
from gpulint.rules import rule
from gpulint.rules.advice import watch_the_pool
from gpulint.rules.signals import (
    gpu_evidence,
    is_off_gpu,
    may_hold_gpus,
    named,
    one_line,
    short_name,
    target_name,
    target_text,
)

# Engines that take their share of the GPU's memory when they start and keep it.
# Source: Google Cloud, "Best practices for autoscaling LLM inference workloads with GPUs on GKE"; vLLM and SGLang docs
# on gpu-memory-utilization and mem-fraction-static; LMDeploy docs on cache-max-entry-count.
_RESERVING = frozenset({"vllm", "tgi", "sglang", "nim", "trtllm", "lmdeploy"})
# Servers that allocate as models come and go, so that their memory does move with what is asked of them.
_GROWING_IMAGES = ("tritonserver", "ollama", "comfyui", "onnxruntime")


@rule("gpu-memory-autoscaling")
def check(scaler: Autoscaler) -> Iterator[Finding]:
    workload = scaler.workload
    if not may_hold_gpus(scaler) or (workload is not None and _grows(workload)):
        return
    for metric in scaler.metrics:
        if not metric.is_only(Meaning.GPU_MEMORY, Meaning.OTHER) or is_off_gpu(scaler, metric):
            continue
        if Meaning.GPU_MEMORY not in metric.meanings or _is_of_triton(metric):
            continue
        engine = _reserving_engine(workload)
        message = (
            f"{named(scaler)} scales {target_name(scaler)} on GPU memory ({short_name(metric)}){target_text(metric)}. "
        )
        level: Level | None = None
        if engine is not None:
            message += (
                f"{engine.display_name or engine.name} reserves {_share(engine)} when it starts and keeps it: the "
                "value is the same idle or overloaded, so replicas are added up to the maximum or not at all, and "
                "never removed."
            )
        else:
            level = "warning"
            message += (
                "Most model servers reserve their share of the GPU's memory when they start and keep it: the value "
                "then does not follow the load and never asks for fewer replicas."
            )
        evidence = [Evidence("metric", short_name(metric), metric.place)]
        if metric.via is not None:
            evidence.append(Evidence("the name stands for", one_line(metric.via.text()), metric.via))
        if engine is not None:
            evidence.append(Evidence("engine", engine.label, engine.place))
            if engine.memory_fraction is not None and engine.memory_fraction.place is not None:
                setting = engine.memory_fraction
                evidence.append(Evidence(setting.spelled, setting.value, setting.place))
        if workload is not None:
            evidence += [Evidence("scales", str(workload.ref), workload.place), *gpu_evidence(workload)]
        yield Finding(
            place=metric.place,
            message=message,
            help=watch_the_pool(scaler),
            evidence=evidence,
            level=level,
        )


def _reserving_engine(workload: Workload | None) -> Engine | None:
    engines = workload.engines if workload is not None else []
    return next((engine for engine in engines if engine.name in _RESERVING), None)


def _share(engine: Engine) -> str:
    fraction = engine.memory_fraction
    if fraction is None or fraction.value is None or not 0 < fraction.value <= 1:
        return "its share of the GPU's memory"
    why = f"{fraction.spelled}, the default" if fraction.default else fraction.spelled
    return f"{fraction.value * 100:g}% of the GPU's memory ({why})"


def _grows(workload: Workload) -> bool:
    images = [container.image.value.lower() for container in workload.containers if container.image is not None]
    return any(word in image for image in images for word in _GROWING_IMAGES)


def _is_of_triton(metric: ScalingMetric) -> bool:
    names = metric.query.metric_names() if metric.query is not None else (metric.name,)
    return any((row := lookup(name)) is not None and row.engine == "triton" for name in names)
