"""A key that the device plugin passes over."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from gpulint.finding import Evidence, Finding
from gpulint.rules import rule

if TYPE_CHECKING:
    from gpulint.model.cluster import DevicePluginConfig


@rule("unknown-device-plugin-key")
def check(config: DevicePluginConfig) -> Iterator[Finding]:
    for key in config.unknown_keys:
        is_resource = "/" in key.value
        meant = (
            ' Resources are lists of patterns and names: resources.gpus: [{pattern: "*", name: gpu}], and by default '
            "every GPU is a nvidia.com/gpu."
            if is_resource
            else " Its names are those of the plugin's documentation: sharing.timeSlicing.resources[].replicas, "
            "renameByDefault, failRequestsGreaterThanOne."
        )
        yield Finding(
            place=key.place,
            message=f"The configuration of the device plugin has no key {key.value} here. The plugin passes over what "
            "it does not know, so this changes nothing.",
            help="Remove it, or correct its name and its place." + meant,
            evidence=[Evidence("key", key.value, key.place)],
            ref=config.ref,
        )
