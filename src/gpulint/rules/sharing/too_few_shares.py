"""A GPU shared by one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from gpulint.finding import Evidence, Finding
from gpulint.rules import rule

if TYPE_CHECKING:
    from gpulint.model.cluster import DevicePluginConfig


@rule("too-few-shares")
def check(config: DevicePluginConfig) -> Iterator[Finding]:
    for sharing in config.sharings:
        replicas = sharing.replicas
        if replicas is None or replicas.value >= 2:
            continue
        yield Finding(
            place=replicas.place,
            message=f"The sharing of {sharing.resource.value} has replicas: {replicas.value}, and the device plugin "
            "takes 2 or more. On a node with this configuration it ends at its start, and the node advertises no GPU.",
            help="Remove the resource from the sharing to hand out whole GPUs, or set replicas to 2 or more.",
            evidence=[Evidence("replicas", replicas.value, replicas.place)],
            ref=config.ref,
        )
