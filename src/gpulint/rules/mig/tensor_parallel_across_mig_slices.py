"""One model split over several MIG slices."""

from __future__ import annotations

from collections.abc import Iterator

from gpulint.finding import Evidence, Finding, Level
from gpulint.model.engine import Engine
from gpulint.model.values import Setting
from gpulint.rules import rule
from gpulint.rules.parallel import evidence_of_gpus, named, ranks


@rule("tensor-parallel-across-mig-slices")
def check(engine: Engine) -> Iterator[Finding]:
    container = engine.container
    slices, total = container.mig_slice, ranks(engine)
    if slices is None or total is None or total < 2 or container.pod.workload.multi_node:
        return
    if engine.nodes is not None and engine.nodes.value not in (None, 1):
        return
    sizes: list[Setting[int]] = [
        setting
        for setting in (engine.tensor_parallel, engine.pipeline_parallel)
        if setting is not None and setting.value is not None and setting.value > 1
    ]
    place = next((setting.place for setting in sizes if setting.place is not None), slices.place)
    how = " × ".join(f"{setting.spelled} {setting.value}" for setting in sizes) or f"sharding over all {total} devices"
    # NCCL's experimental support for MIG needs this for two ranks on one GPU (NVIDIA/nccl#1716).
    asked_for = container.env.get("NCCL_MULTI_RANK_GPU_ENABLE")
    level: Level | None = "warning" if asked_for is not None else None
    count = "" if slices.count is None else f"{slices.count} × "
    yield Finding(
        place=place,
        message=f"{named(container)} computes on MIG slices ({count}{slices.profile}), but {engine.label} splits one "
        f"model over {total} workers ({how}). A CUDA process sees a single slice, and slices cannot reach each other's "
        "memory: NCCL stops with a duplicate or invalid device.",
        help="Take one slice that is large enough (a 3g, 4g or 7g profile) or whole GPUs for this model, with a "
        "parallel size of 1. To use several slices, run one replica on each and compare tokens/s with the size of the "
        "slice.",
        evidence=[
            *[Evidence(setting.spelled, setting.value, setting.place) for setting in sizes],
            Evidence("MIG profile", slices.profile, slices.place),
            *evidence_of_gpus(container),
        ],
        level=level,
    )
