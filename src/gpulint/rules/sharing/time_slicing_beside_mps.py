"""Time-slicing and MPS in one configuration."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from gpulint.finding import Evidence, Finding
from gpulint.rules import rule

if TYPE_CHECKING:
    from gpulint.model.cluster import DevicePluginConfig


@rule("time-slicing-beside-mps")
def check(config: DevicePluginConfig) -> Iterator[Finding]:
    sliced = next((s for s in config.sharings if s.strategy == "time-slicing"), None)
    through_mps = next((s for s in config.sharings if s.strategy == "mps"), None)
    if sliced is None or through_mps is None:
        return
    yield Finding(
        place=sliced.resource.place,
        message="This configuration shares GPUs by time-slicing and through MPS. The device plugin does one or the "
        "other for a whole node: it takes MPS and passes over the time slices without a word.",
        help="Keep one of them. For both in a cluster, write two configurations and let nodes choose by the label "
        "nvidia.com/device-plugin.config.",
        evidence=[
            Evidence("timeSlicing", sliced.resource.value, sliced.resource.place),
            Evidence("mps", through_mps.resource.value, through_mps.resource.place),
        ],
        ref=config.ref,
    )
