"""Autoscaling on GPU utilisation."""

from __future__ import annotations

from collections.abc import Iterator

from gpulint.finding import Evidence, Finding
from gpulint.metrics.promql import meaning_of
from gpulint.metrics.table import Meaning, lookup
from gpulint.model.autoscaler import Autoscaler, ScalingMetric
from gpulint.rules import rule
from gpulint.rules.advice import scale_on_load
from gpulint.rules.signals import (
    ENGINE_MEANINGS,
    engine_signals,
    gpu_evidence,
    in_percent,
    is_off_gpu,
    may_hold_gpus,
    named,
    one_line,
    short_name,
    target_name,
    target_text,
)
from gpulint.source.text import Place

# A target that a single steady stream of requests exceeds: decoding keeps kernels running nearly all the time.
# Source: NVIDIA/dcgm-exporter#301 and vllm-project/vllm#12664 on what the duty cycle counts.
_LOW_TARGET_PERCENT = 30


@rule("gpu-utilization-autoscaling")
def check(scaler: Autoscaler) -> Iterator[Finding]:
    workload = scaler.workload
    if not may_hold_gpus(scaler):
        return
    for metric in scaler.metrics:
        if Meaning.GPU_UTILIZATION not in metric.meanings or is_off_gpu(scaler, metric):
            continue
        beside = bool(engine_signals(scaler, metric) or metric.meanings & ENGINE_MEANINGS)
        message = (
            f"{named(scaler)} scales {target_name(scaler)} on GPU utilisation ({short_name(metric)})"
            f"{target_text(metric)}{' beside an engine signal' if beside else ''}. It tells how much of the time some "
            "kernel ran, not how much work waits: it is near 100% with few requests in flight, and can be low while "
            "the KV cache is full and requests queue."
        )
        evidence = [Evidence("metric", short_name(metric), metric.place)]
        if metric.threshold is not None:
            evidence.append(Evidence("target", metric.threshold.value, metric.threshold.place))
        if metric.via is not None:
            evidence.append(Evidence("the name stands for", one_line(metric.via.text()), metric.via))
        if workload is not None:
            evidence += [Evidence("scales", str(workload.ref), workload.place), *gpu_evidence(workload)]
        yield Finding(
            place=_place(metric),
            message=message,
            help=scale_on_load(scaler),
            evidence=evidence,
            level="info" if beside else None,
        )
        low = _low_target(metric)
        decodes = workload is None or bool(workload.engines)
        if low is not None and metric.threshold is not None and decodes:
            yield Finding(
                place=metric.threshold.place,
                message=(
                    f"{named(scaler)} drives {target_name(scaler)} to its maximum: any steady decoding exceeds a GPU "
                    f"utilisation of {low:g}%. A new replica decodes as steadily as the others, so adding one does not "
                    "bring the value down."
                ),
                help=scale_on_load(scaler),
                evidence=[Evidence("metric", short_name(metric), metric.place)],
                level="info" if beside else None,
            )


def _place(metric: ScalingMetric) -> Place:
    """The name of the metric, also inside a query."""
    if metric.query is not None:
        for selector in metric.query.selectors:
            if meaning_of(selector) is Meaning.GPU_UTILIZATION:
                return metric.place_of(selector)
        if metric.query.selectors:
            return metric.place_of(metric.query.selectors[0])
    return metric.place


def _low_target(metric: ScalingMetric) -> float | None:
    """The target in percent where it is low, of a signal whose scale is known."""
    if metric.threshold is None or metric.target_type == "Utilization":
        return None
    value, name = metric.threshold.value, metric.name
    if metric.query is not None:
        if len(metric.query.selectors) != 1 or not metric.query.selectors[0].scale:
            return None
        selector = metric.query.selectors[0]
        value, name = value / (selector.scale or 1.0), selector.name or ""
    percent = in_percent(lookup(name), value)
    return percent if percent is not None and 0 < percent <= _LOW_TARGET_PERCENT else None
