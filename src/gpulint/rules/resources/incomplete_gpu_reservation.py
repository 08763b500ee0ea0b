"""A reservation of GPUs that Docker Compose refuses."""

from __future__ import annotations

from collections.abc import Iterator

from gpulint.finding import Evidence, Finding
from gpulint.model.workload import Container
from gpulint.rules import rule


@rule("incomplete-gpu-reservation")
def check(container: Container) -> Iterator[Finding]:
    for reservation in container.reservations:
        if reservation.capabilities is None:
            yield Finding(
                place=reservation.place,
                message=f"The device reservation of service {container.name} names no capabilities. Docker Compose "
                "requires them and refuses the service.",
                help="Add `capabilities: [gpu]` to the reservation.",
                evidence=[Evidence("driver", reservation.driver, reservation.place)] if reservation.driver else [],
            )
        if reservation.count is not None and reservation.device_ids is not None:
            yield Finding(
                place=reservation.count,
                message=f"The device reservation of service {container.name} gives both count and device_ids. Docker "
                "takes one or the other and refuses both.",
                help="Keep device_ids to pin certain GPUs, or count for any of them.",
                evidence=[
                    Evidence("count", "written", reservation.count),
                    Evidence("device_ids", "written", reservation.device_ids),
                ],
            )
