"""A request for accelerators that has no equal limit."""

from __future__ import annotations

from collections.abc import Iterator

from gpulint.finding import Evidence, Finding
from gpulint.model.quantity import quantity
from gpulint.model.workload import Container
from gpulint.rules import rule
from gpulint.rules.parallel import named


@rule("unequal-gpu-request")
def check(container: Container) -> Iterator[Finding]:
    for request in container.gpus:
        asked, limit = request.requested, request.limit
        if asked is None:
            continue
        if limit is None:
            if not container.pod.complete:
                continue
            yield Finding(
                place=asked.key_place,
                message=f"{named(container)} requests {request.resource}: {asked.value} and sets no limit for it. An "
                "extended resource cannot be overcommitted: the API server refuses the pod, and the workload stays "
                "without any.",
                help=f"Write {request.resource}: {asked.value} under resources.limits. The request then follows from "
                "the limit and can go.",
                evidence=[Evidence("requests", asked.value, asked.place)],
            )
            continue
        one, other = quantity(asked.value), quantity(limit.value)
        if one is not None and other is not None and one != other:
            yield Finding(
                place=asked.place,
                message=f"{named(container)} requests {request.resource}: {asked.value} with a limit of {limit.value}. "
                "For an extended resource both must be equal: the API server refuses the pod.",
                help="Set both to the number of GPUs that the engine uses, or leave the request out: it follows from "
                "the limit.",
                evidence=[
                    Evidence("requests", asked.value, asked.place),
                    Evidence("limits", limit.value, limit.place),
                ],
            )
