"""A minimum of replicas above the maximum."""

from __future__ import annotations

from collections.abc import Iterator

from gpulint.finding import Evidence, Finding
from gpulint.model.autoscaler import Autoscaler
from gpulint.rules import rule
from gpulint.rules.signals import named, scaled, scales_gpus


@rule("min-replicas-above-max")
def check(scaler: Autoscaler) -> Iterator[Finding]:
    for schedule in scaler.schedules:
        low, high = schedule.min_replicas, schedule.max_replicas
        if low is not None and high is not None and 1 <= high.value < low.value and scales_gpus(scaler):
            yield Finding(
                place=schedule.place,
                message=f"In the hours of schedule {schedule.name} {named(scaler)} has a minimum of {low.value} "
                f"replicas above its maximum of {high.value}, and is refused. Nothing scales {scaled(scaler)}, which "
                "keeps the replicas that it happens to have.",
                help=f"Set maxReplicas of the schedule to at least {low.value}, or lower the minimum. A schedule that "
                "gives one bound takes the other from the autoscaler.",
                evidence=[Evidence("minimum", low.value, low.place), Evidence("maximum", high.value, high.place)],
            )
    low, high = scaler.min_replicas, scaler.max_replicas
    if low is None or high is None or high.value < 1 or low.value <= high.value or not scales_gpus(scaler):
        return
    yield Finding(
        place=low.place,
        message=(
            f"{named(scaler)} has a minimum of {low.value} replicas above its maximum of {high.value}, and is refused. "
            f"Nothing scales {scaled(scaler)}, which keeps the replicas that it happens to have."
        ),
        help=f"Set the maximum to at least {low.value}, or lower the minimum.",
        evidence=[Evidence("maximum", high.value, high.place)],
    )
