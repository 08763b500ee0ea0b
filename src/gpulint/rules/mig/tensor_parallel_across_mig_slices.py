"""One model split over several MIG slices."""

from __future__ import annotations

from collections.abc import Iterator

from gpulint.finding import Evidence, Finding, Level
from gpulint.hardware.mig import families_with
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
    apart = _is_whole_gpu(slices.profile)
    level: Level | None = "warning" if asked_for is not None or apart else None
    count = "" if slices.count is None else f"{slices.count} × "
    outcome = (
        "Slices cannot reach each other's memory, even those that fill a GPU: most versions of CUDA and NCCL stop at "
        "the start, and the newest send all that the workers exchange through the memory of the host."
        if apart
        else "A CUDA process sees a single slice, and slices cannot reach each other's memory: NCCL stops with a "
        "duplicate or invalid device."
    )
    yield Finding(
        place=place,
        message=f"{named(container)} computes on MIG slices ({count}{slices.profile}), but {engine.label} splits one "
        f"model over {total} workers ({how}). {outcome}",
        help="Turn MIG off on these GPUs and ask for whole ones, or take one slice with a parallel size of 1."
        if apart
        else "Take one slice that is large enough (a 3g, 4g or 7g profile) or whole GPUs for this model, with a "
        "parallel size of 1. To use several slices, run one replica on each and compare tokens/s with the size of the "
        "slice.",
        evidence=[
            *[Evidence(setting.spelled, setting.value, setting.place) for setting in sizes],
            Evidence("MIG profile", slices.profile, slices.place),
            *evidence_of_gpus(container),
        ],
        level=level,
    )


def _is_whole_gpu(profile: str) -> bool:
    """Whether a slice of this profile fills its GPU, on all GPUs that have it, so that two lie on two GPUs."""
    found = [(family, family.profile(profile)) for family in families_with(profile)]
    return bool(found) and all(
        known is not None and known.memory_slices >= family.memory_slices for family, known in found
    )
