"""Sharing through MPS in a configuration that also divides GPUs by MIG."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from gpulint.finding import Evidence, Finding
from gpulint.rules import rule

if TYPE_CHECKING:
    from gpulint.model.cluster import DevicePluginConfig


@rule("mps-on-mig")
def check(config: DevicePluginConfig) -> Iterator[Finding]:
    strategy = config.mig_strategy
    shared = next((each for each in config.sharings if each.strategy == "mps"), None)
    if shared is None or strategy is None or strategy.value not in ("single", "mixed"):
        return
    yield Finding(
        place=shared.resource.place,
        message=f"This configuration shares {shared.resource.value} through MPS with migStrategy {strategy.value}. The "
        "device plugin refuses MPS on GPUs in MIG mode: it ends at the start, and the node offers no GPUs.",
        help="Keep one of them per node: MIG slices, or MPS on whole GPUs with migStrategy none. Time-slicing does "
        "work on slices.",
        evidence=[Evidence("migStrategy", strategy.value, strategy.place)],
    )
