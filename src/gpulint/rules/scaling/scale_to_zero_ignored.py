"""A minimum of zero where one replica always stays."""

from __future__ import annotations

from collections.abc import Iterator

from gpulint.finding import Evidence, Finding, Fix
from gpulint.model.autoscaler import Autoscaler
from gpulint.rules import rule
from gpulint.rules.signals import gpu_evidence, named, scales_gpus
from gpulint.source.edits import ReplaceText


@rule("scale-to-zero-ignored")
def check(scaler: Autoscaler) -> Iterator[Finding]:
    low = scaler.raised_from
    if low is None or not scales_gpus(scaler):
        return
    workload = scaler.workload
    yield Finding(
        place=low.place,
        message=(
            f"{named(scaler)} sets a minimum of {low.value} and keeps one replica all the same. In Standard mode an "
            "HPA scales it, which does not go below 1, so KServe takes the 0 for 1: the GPU stays taken while it is "
            "believed to be free."
        ),
        help=(
            'Write minReplicas: 1, or have KEDA scale it, serving.kserve.io/autoscalerClass: "keda", on a metric that '
            "exists while no replica runs."
        ),
        evidence=[Evidence("scales", str(workload.ref), workload.place), *gpu_evidence(workload)]
        if workload is not None
        else [],
        fix=Fix("Write the minimum that holds", [ReplaceText(low.place, "0", "1")], by_object=True),
    )
