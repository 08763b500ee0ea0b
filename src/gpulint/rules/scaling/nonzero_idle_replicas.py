"""Idle replicas other than zero."""

from __future__ import annotations

from collections.abc import Iterator

from gpulint.finding import Evidence, Finding
from gpulint.model.autoscaler import Autoscaler
from gpulint.rules import rule
from gpulint.rules.signals import may_hold_gpus, named, target_name


@rule("nonzero-idle-replicas")
def check(scaler: Autoscaler) -> Iterator[Finding]:
    idle, low = scaler.idle_replicas, scaler.lowest
    if idle is None or not may_hold_gpus(scaler):
        return
    if idle.value == 0 and (low is None or low > 0):
        return
    evidence = [Evidence("scales", target_name(scaler), scaler.target_place)]
    if scaler.min_replicas is not None:
        evidence.append(Evidence("minimum", scaler.min_replicas.value, scaler.min_replicas.place))
    if low is not None and idle.value >= low:
        message = (
            f"{named(scaler)} sets idleReplicaCount {idle.value} with a minimum of {low}, which KEDA refuses. The idle "
            "count must be less than minReplicaCount: it is what remains when no trigger is active."
        )
    else:
        message = (
            f"{named(scaler)} sets idleReplicaCount {idle.value}, and KEDA supports no other value than 0. What it "
            "makes is an HPA, which does not go below its minimum while it is active."
        )
    yield Finding(
        place=idle.place,
        message=message,
        help="Leave idleReplicaCount out and set minReplicaCount to the replicas that stay loaded.",
        evidence=evidence,
    )
