"""A GPU autoscaler without a maximum of its own."""

from __future__ import annotations

import math
from collections.abc import Iterator

from gpulint.finding import Evidence, Finding, Level
from gpulint.model.autoscaler import Autoscaler
from gpulint.rules import rule
from gpulint.rules.signals import gpu_evidence, named, scaled, scales_gpus


@rule("unbounded-max-replicas")
def check(scaler: Autoscaler) -> Iterator[Finding]:
    most = scaler.default_max_replicas
    if scaler.max_replicas is not None or most is None or not scaler.complete or not scales_gpus(scaler):
        return
    workload = scaler.workload
    each = workload.gpus_per_group() if workload is not None else None
    level: Level | None = None
    if math.isinf(most):
        level = "info"  # the cluster's configuration may set one
        limit = "as far as the cluster gives GPUs"
        default = "without a maximum there is none, unless the cluster's configuration sets one"
    else:
        limit = f"to {most:g} replicas" + (f" and {most * each:g} GPUs" if each is not None and each > 0 else "")
        default = f"without a maximum, {most:g} holds"
    yield Finding(
        place=scaler.place,
        message=(
            f"{named(scaler)} may scale {scaled(scaler)} {limit}: {default}. A threshold in the wrong unit or a "
            "query that adds up other models rents all of them, or leaves pods pending for lack of GPUs."
        ),
        help="Set a maximum: what the GPU quota, the node pool or the budget allows, divided by the GPUs per replica.",
        evidence=[Evidence("scales", str(workload.ref), workload.place), *gpu_evidence(workload)]
        if workload is not None
        else [],
        level=level,
    )
