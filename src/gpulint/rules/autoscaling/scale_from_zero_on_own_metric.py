"""Scale to zero on a metric that only running replicas export."""

from __future__ import annotations

from collections.abc import Iterator

from gpulint.finding import Evidence, Finding, Fix
from gpulint.metrics.table import lookup
from gpulint.model.autoscaler import Autoscaler, ScalingMetric
from gpulint.rules import rule
from gpulint.rules.queries import ENGINES, has, place_in
from gpulint.rules.signals import may_hold_gpus, named, short_name, target_name
from gpulint.source.edits import ReplaceText

# Whose metrics come with the pods themselves and which nothing in front of these pods keeps alive.
_KINDS = frozenset({"ScaledObject", "HorizontalPodAutoscaler", "InferenceService"})


@rule("scale-from-zero-on-own-metric")
def check(scaler: Autoscaler) -> Iterator[Finding]:
    if (
        scaler.ref.kind not in _KINDS
        or scaler.holds_requests
        or not scaler.metrics
        or not scaler.metrics_known
        or not may_hold_gpus(scaler)
    ):
        return
    low = scaler.min_replicas
    to_zero = scaler.lowest == 0 or (scaler.idle_replicas is not None and scaler.idle_replicas.value == 0)
    if not to_zero or not all(_is_own(metric) for metric in scaler.metrics):
        return
    metric = scaler.metrics[0]
    zero = low if low is not None and low.value == 0 else scaler.idle_replicas
    written = zero is not None and zero.value == 0
    names = ", ".join(dict.fromkeys(short_name(each) for each in scaler.metrics))
    default = "" if written else ", its default,"
    minimum = "minReplicaCount" if scaler.ref.kind == "ScaledObject" else "minReplicas"
    yield Finding(
        place=zero.place if written and zero is not None else place_in(metric),
        message=(
            f"{named(scaler)} can take {target_name(scaler)} to 0 replicas{default} and never wake it: its only "
            f"signal, {names}, comes from the pods themselves. Without a pod there is no series, a missing one counts "
            "as 0, and requests that arrive meanwhile are counted nowhere."
        ),
        help=(
            f"Keep one replica ({minimum}: 1), or add a signal of what stands in front of the pods and sees the "
            "requests come: the router (vllm:num_incoming_requests_total), the gateway "
            "(inference_extension_flow_control_queue_size), a message queue or KEDA's HTTP add-on."
        ),
        evidence=[
            Evidence("metric", names, place_in(metric)),
            Evidence("fewest replicas", 0, zero.place if written and zero is not None else None),
        ],
        fix=Fix("Keep one replica", [ReplaceText(low.place, "0", "1")], safe=False)
        if low is not None and low is zero
        else None,
    )


def _is_own(metric: ScalingMetric) -> bool:
    """Whether all that the signal reads is exported by model servers."""
    if metric.type not in ("prometheus", "Pods"):
        return False
    if metric.query is None:
        rows = [lookup(metric.name)]
    else:
        if "vector(" in metric.query.text or any(
            has(s, ("absent", "absent_over_time")) for s in metric.query.selectors
        ):
            return False
        rows = [lookup(selector.name or "") for selector in metric.query.selectors]
    return bool(rows) and all(row is not None and row.engine in ENGINES for row in rows)
