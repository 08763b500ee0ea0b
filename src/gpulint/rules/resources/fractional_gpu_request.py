"""A part of a GPU, asked for as if it were CPU."""

from __future__ import annotations

from collections.abc import Iterator

from gpulint.finding import Evidence, Finding
from gpulint.model.quantity import quantity
from gpulint.model.workload import Container
from gpulint.rules import rule
from gpulint.rules.parallel import named


@rule("fractional-gpu-request")
def check(container: Container) -> Iterator[Finding]:
    for request in container.gpus:
        written = request.limit or request.requested
        amount = quantity(written.value) if written is not None else None
        if written is None or amount is None or amount == int(amount):
            continue
        yield Finding(
            place=written.place,
            message=f"{named(container)} asks for {request.resource}: {written.value}, but extended resources come in "
            "whole numbers. The API server refuses the pod.",
            help="To share a GPU ask for a whole unit of something smaller: a MIG slice (nvidia.com/mig-1g.10gb: 1), "
            "whose memory and faults are its own, or a share that the device plugin's time-slicing or MPS makes "
            "(nvidia.com/gpu.shared: 1).",
            evidence=[Evidence(request.resource, written.value, written.place)],
        )
