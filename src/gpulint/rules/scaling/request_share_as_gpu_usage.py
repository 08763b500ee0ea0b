"""The cluster autoscaler's GPU threshold, which measures requests."""

from __future__ import annotations

from collections.abc import Iterator

from gpulint.finding import Finding
from gpulint.model.cluster import ClusterAutoscaler
from gpulint.rules import rule

# Source: kubernetes/autoscaler cluster-autoscaler/FAQ.md, scale-down-gpu-utilization-threshold.
_DEFAULT = 0.5


@rule("request-share-as-gpu-usage")
def check(autoscaler: ClusterAutoscaler) -> Iterator[Finding]:
    threshold = autoscaler.gpu_threshold
    if threshold.value == _DEFAULT:
        return
    which = "any node with a free GPU"
    if threshold.value < 1:
        which = f"nodes with less than {threshold.value * 100:g}% of their GPUs requested"
    yield Finding(
        place=threshold.place,
        message=(
            f"The GPU threshold {threshold.value:g} of {autoscaler.ref} is a share of requested GPUs, not of their "
            f"utilisation. The cluster autoscaler takes away {which}, however busy these are, and keeps a node whose "
            "GPUs are requested and idle."
        ),
        help=(
            "Keep the default of 0.5 unless the requests on the nodes call for another, and protect pods with a loaded "
            'model: cluster-autoscaler.kubernetes.io/safe-to-evict: "false".'
        ),
        ref=autoscaler.ref,
    )
