"""A KEDA activation threshold that lets work wait, or that is never looked at."""

from __future__ import annotations

from collections.abc import Iterator

from gpulint.finding import Evidence, Finding, Fix
from gpulint.model.autoscaler import Autoscaler
from gpulint.rules import rule
from gpulint.rules.signals import named, scales_gpus, short_name, target_name
from gpulint.source.edits import RemoveEntry, SetEntry


@rule("activation-above-target")
def check(scaler: Autoscaler) -> Iterator[Finding]:
    if not scales_gpus(scaler):
        return
    low = scaler.lowest
    for metric in scaler.metrics:
        activation, target = metric.activation, metric.threshold
        if activation is None or target is None or activation.value <= 0:
            continue
        evidence = [
            Evidence("activationThreshold", f"{activation.value:g}", activation.place),
            Evidence("threshold", f"{target.value:g}", target.place),
        ]
        if low == 0 and activation.value >= target.value and len(scaler.metrics) == 1:
            yield Finding(
                place=activation.place,
                message=(
                    f"{named(scaler)} leaves {target_name(scaler)} at 0 replicas until {short_name(metric)} is above "
                    f"{activation.value:g}, which is work for {_replicas(activation.value / target.value)}. Up to "
                    "there every request waits for a model that nobody loads, and running replicas are taken away "
                    "under it."
                ),
                help='Set `activationThreshold: "0"`: the first request then wakes the model.',
                evidence=evidence,
                fix=Fix("Set it to 0", [SetEntry(activation.place, activation.key_place.text(), "0")], safe=False),
            )
        elif low is not None and low > 0:
            yield Finding(
                place=activation.place,
                message=(
                    f"{named(scaler)} sets activationThreshold to {activation.value:g} and keeps {low} replica"
                    f"{'s' if low > 1 else ''} at least, so KEDA never looks at it. It decides only between 0 replicas "
                    "and some."
                ),
                help="Remove it; the target is the threshold.",
                evidence=evidence,
                level="info",
                fix=Fix(f"Remove {activation.key_place.text()}", [RemoveEntry(activation.key_place)], by_object=True),
            )


def _replicas(number: float) -> str:
    return "a whole replica" if number == 1 else f"{number:.2g} replicas"
