"""Idle replicas other than zero."""

from __future__ import annotations

from collections.abc import Iterator

from gpulint.finding import Evidence, Finding, Fix
from gpulint.model.autoscaler import Autoscaler
from gpulint.rules import rule
from gpulint.rules.signals import may_hold_gpus, named, target_name
from gpulint.source.edits import RemoveEntry


@rule("nonzero-idle-replicas")
def check(scaler: Autoscaler) -> Iterator[Finding]:
    idle, low = scaler.idle_replicas, scaler.lowest
    if idle is None or not may_hold_gpus(scaler):
        return
    # A minimum of 0 counts as 1 where KEDA compares the two, if it is written; where it is left out it counts as 0.
    # Source: kedacore/keda apis/keda/v1alpha1/scaledobject_types.go, CheckReplicaCountBoundsAreValid.
    if low == 0 and scaler.min_replicas is not None:
        low = 1
    if idle.value == 0 and (low is None or low > 0):
        return
    evidence = [Evidence("scales", target_name(scaler), scaler.target_place)]
    if scaler.min_replicas is not None:
        evidence.append(Evidence("minimum", scaler.min_replicas.value, scaler.min_replicas.place))
    refused = low is not None and idle.value >= low
    if low is not None and refused:
        message = (
            f"{named(scaler)} sets idleReplicaCount {idle.value} with a minimum of {_minimum(scaler, low)}, which KEDA "
            "refuses. The idle count must be less than minReplicaCount: it is what remains when no trigger is active."
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
        # What KEDA refuses has no effect; what it takes without supporting it has one.
        fix=Fix("Remove idleReplicaCount", [RemoveEntry(idle.key_place)], safe=refused, by_object=True),
    )


def _minimum(scaler: Autoscaler, low: int) -> str:
    return str(scaler.min_replicas.value) if scaler.min_replicas is not None else f"{low}, the default"
