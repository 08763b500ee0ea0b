"""Several autoscalers that set the replicas of one workload."""

from __future__ import annotations

from collections.abc import Iterator

from gpulint.finding import Evidence, Finding
from gpulint.model.autoscaler import Autoscaler
from gpulint.model.project import Project
from gpulint.rules import rule
from gpulint.rules.signals import named, scales_gpus, target_name


@rule("several-autoscalers")
def check(project: Project) -> Iterator[Finding]:
    groups: dict[tuple[object, ...], list[Autoscaler]] = {}
    for scaler in project.autoscalers:
        key = _key(scaler)
        if key is not None:
            groups.setdefault(key, []).append(scaler)
    for group in groups.values():
        first = group[0]
        for other in group[1:]:
            if not project.applied_together(first.place, other.place) or _hands_over(first, other):
                continue
            if _is_same(first, other) or not (scales_gpus(first) or scales_gpus(other)):
                continue
            yield Finding(
                place=other.target_place,
                message=(
                    f"{named(other)} and {named(first)} both set the replicas of {target_name(other)}. Each undoes "
                    "what the other one decides; an HPA that finds pods under another HPA stops scaling them "
                    "altogether (AmbiguousSelector)."
                ),
                help=(
                    "Keep one of them and give it both signals: with several metrics the largest proposal wins. KEDA "
                    "makes an HPA of its own, so a ScaledObject needs none beside it."
                ),
                evidence=[
                    Evidence("scales it too", named(first), first.place),
                    Evidence("this one", named(other), other.place),
                ],
                ref=other.ref,
            )


def _key(scaler: Autoscaler) -> tuple[object, ...] | None:
    """What it scales; None where that is not known, or it only computes a number."""
    target = scaler.target
    if target is None or target.name is None or not scaler.actuates or not scaler.complete or scaler.ref is target:
        return None
    if scaler.workload is not None:
        return id(scaler.workload.ref), scaler.part
    return target.kind, target.namespace, target.name, scaler.part


def _hands_over(first: Autoscaler, other: Autoscaler) -> bool:
    names = {first.takes_over, other.takes_over} - {None}
    return not names.isdisjoint({first.ref.name, other.ref.name})


def _is_same(first: Autoscaler, other: Autoscaler) -> bool:
    """Two forms of one object, as a base and its overlay have them."""
    return (first.ref.kind, first.ref.name, first.ref.namespace) == (
        other.ref.kind,
        other.ref.name,
        other.ref.namespace,
    )
