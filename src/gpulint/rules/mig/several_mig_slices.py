"""Several MIG slices for a container whose program computes on one."""

from __future__ import annotations

from collections.abc import Iterator

from gpulint.finding import Evidence, Finding, Level
from gpulint.model.workload import Container
from gpulint.rules import rule
from gpulint.rules.parallel import evidence_of_gpus, named, ranks


@rule("several-mig-slices")
def check(container: Container) -> Iterator[Finding]:
    slices = [request for request in container.gpus if request.mig_profile is not None]
    if not slices or any(request.count is None for request in slices):
        return
    count = sum(request.count or 0 for request in slices)
    engine = container.engine
    if count < 2 or container.pod.workload.batch or "CUDA_VISIBLE_DEVICES" in container.env:
        return
    if engine is not None:
        copies = engine.data_parallel
        several = copies is not None and copies.value != 1
        if ranks(engine) != 1 or several or not engine.sole or not engine.alone or engine.chooses_devices:
            return  # see tensor-parallel-across-mig-slices, and copies of which each has its own slice
    level: Level | None = "info" if engine is None else None
    what = engine.label if engine is not None else "a process"
    yield Finding(
        place=max(slices, key=lambda request: request.count or 0).place,
        message=f"{named(container)} of {container.ref} gets {count} MIG slices, and {what} computes on one of them: a "
        "CUDA process opens a single slice. The others stay idle, and pull down every average of utilisation over the "
        "slices.",
        help="Ask for one slice, a larger profile if it is too small (3g, 4g, 7g), and run one replica on each. Then "
        "compare tokens/s with the size of the slice.",
        evidence=[
            *evidence_of_gpus(container),
            *([Evidence("engine", what, engine.place)] if engine is not None else []),
        ],
        level=level,
    )
