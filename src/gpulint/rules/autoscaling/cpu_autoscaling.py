"""Autoscaling a GPU workload on CPU."""

from __future__ import annotations

from collections.abc import Iterator

from gpulint.finding import Evidence, Finding, Level
from gpulint.metrics.table import Meaning
from gpulint.model.autoscaler import Autoscaler
from gpulint.rules import rule
from gpulint.rules.advice import scale_on_load
from gpulint.rules.signals import (
    engine_signals,
    gpu_evidence,
    is_off_gpu,
    kind_of_device,
    named,
    scaled_device,
    serves,
    target_text,
)


@rule("cpu-autoscaling")
def check(scaler: Autoscaler) -> Iterator[Finding]:
    workload = scaler.workload
    if workload is None or not serves(workload) or not scaler.metrics_known:
        return
    device = kind_of_device(workload)
    for metric in scaler.metrics:
        if not metric.is_only(Meaning.CPU) or is_off_gpu(scaler, metric):
            continue
        beside = engine_signals(scaler, metric)
        # A schedule is no measure of load: with CPU beside it, CPU alone follows the load.
        unknown = [
            other
            for other in scaler.metrics
            if (not other.meanings or Meaning.OTHER in other.meanings) and other.type != "cron"
        ]
        level: Level | None = None
        if beside or unknown:
            # The other signal does the work; CPU can only add to it.
            level = "info"
            message = (
                f"{named(scaler)} adds CPU{target_text(metric)} to its other signals for the {device} workload "
                f"{workload.ref}. The largest proposal wins, so a busy CPU adds replicas that the other signal does "
                "not ask for."
            )
        else:
            if not workload.engines:
                level = "warning"  # a program that gpulint does not know may well be bound by its CPU
            alone = " alone" if len(scaler.metrics) == 1 else ""
            message = (
                f"{named(scaler)} scales {scaled_device(scaler, workload)} on CPU{target_text(metric)}{alone}. "
                f"Requests wait for the {device} and for room in its memory, which CPU does not show: replicas come "
                f"late or for the wrong reason, and each takes another {device}."
            )
        yield Finding(
            place=metric.place,
            message=message,
            help=scale_on_load(scaler),
            evidence=[Evidence("scales", str(workload.ref), workload.place), *gpu_evidence(workload)],
            level=level,
        )
