"""A cooldown that is set for scale-down, and only works on the last step to zero."""

from __future__ import annotations

from collections.abc import Iterator

from gpulint.finding import Evidence, Finding, Fix
from gpulint.model.autoscaler import Autoscaler
from gpulint.rules import rule
from gpulint.rules.signals import named, scales_gpus, target_name
from gpulint.source.edits import RemoveEntry

_LONGEST_WINDOW_S = 3600


@rule("cooldown-only-to-zero")
def check(scaler: Autoscaler) -> Iterator[Finding]:
    cooldown, low = scaler.to_zero_after_s, scaler.min_replicas
    if cooldown is None or not scaler.cooldown_only_to_zero or low is None or low.value < 1 or not scaler.complete:
        return
    if scaler.scale_down.stabilization_window_s is not None or scaler.scale_down.disabled:
        return
    if scaler.idle_replicas is not None or not scales_gpus(scaler):
        return
    window_s = min(max(cooldown.value, scaler.scale_down.default_s), _LONGEST_WINDOW_S)
    yield Finding(
        place=cooldown.key_place,
        message=(
            f"{named(scaler)} sets a cooldown of {cooldown.value:g} s that never applies: {target_name(scaler)} keeps "
            f"at least {low.value}, and KEDA waits for cooldownPeriod only on the last step to zero. Between "
            f"{low.value} and the maximum the HPA behind it decides, after a window of "
            f"{scaler.scale_down.default_s:g} s."
        ),
        help=(
            "Set advanced.horizontalPodAutoscalerConfig.behavior.scaleDown.stabilizationWindowSeconds to "
            f"{window_s:g}, and leave cooldownPeriod out."
        ),
        evidence=[Evidence("minimum", low.value, low.place)],
        # A longer one says what the window was to be: whoever reads that must set it.
        fix=Fix(f"Remove {cooldown.key_place.text()}", [RemoveEntry(cooldown.key_place)], by_object=True)
        if cooldown.value <= scaler.scale_down.default_s
        else None,
    )
