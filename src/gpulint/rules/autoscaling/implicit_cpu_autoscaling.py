"""A GPU workload scaled on CPU because the autoscaler names no metric."""

from __future__ import annotations

from collections.abc import Iterator

from gpulint.finding import Evidence, Finding
from gpulint.model.autoscaler import Autoscaler
from gpulint.rules import rule
from gpulint.rules.advice import scale_on_load
from gpulint.rules.signals import gpu_evidence, kind_of_device, named, scaled_device, serves


@rule("implicit-cpu-autoscaling")
def check(scaler: Autoscaler) -> Iterator[Finding]:
    workload = scaler.workload
    if workload is None or scaler.default_metric is None or not serves(workload):
        return
    device = kind_of_device(workload)
    yield Finding(
        place=scaler.default_metric,
        message=(
            f"{named(scaler)} names no metric, so Kubernetes scales {scaled_device(scaler, workload)} on 80% CPU. "
            "The API fills in that default without a word, and the CPU of a model server says nothing about its "
            f"{device}."
        ),
        help=scale_on_load(scaler),
        evidence=[
            Evidence("default metric", "cpu, averageUtilization 80", scaler.default_metric),
            Evidence("scales", str(workload.ref), workload.place),
            *gpu_evidence(workload),
        ],
        level=None if workload.engines else "warning",
    )
