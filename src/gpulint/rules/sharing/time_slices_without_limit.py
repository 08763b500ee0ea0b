"""Time-slicing that lets a pod ask for several slices."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from gpulint.finding import Evidence, Finding
from gpulint.rules import rule

if TYPE_CHECKING:
    from gpulint.model.cluster import DevicePluginConfig


@rule("time-slices-without-limit")
def check(config: DevicePluginConfig) -> Iterator[Finding]:
    open_ones = [s for s in config.sharings if s.strategy == "time-slicing" and s.one_only is not True]
    if not open_ones:
        return
    first = open_ones[0]
    replicas = first.replicas
    yield Finding(
        place=first.resource.place,
        message=f"A pod may ask for several time slices of {first.resource.value}, for failRequestsGreaterThanOne is "
        "not set. It then gets more slices of one and the same card, perhaps, and no more of its time or memory.",
        help="Set sharing.timeSlicing.failRequestsGreaterThanOne: true, as NVIDIA recommends: a pod that asks for two "
        "then fails at once (UnexpectedAdmissionError) in place of running at half of what was meant.",
        evidence=[Evidence("replicas", replicas.value, replicas.place)] if replicas is not None else [],
        ref=config.ref,
    )
