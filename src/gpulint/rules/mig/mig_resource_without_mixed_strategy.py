"""A MIG resource that no node offers under the strategy which the cluster is given."""

from __future__ import annotations

from collections.abc import Iterator

from gpulint.finding import Evidence, Finding
from gpulint.model.project import Project
from gpulint.rules import rule
from gpulint.rules.mig_words import strategies
from gpulint.rules.parallel import named


@rule("mig-resource-without-mixed-strategy")
def check(project: Project) -> Iterator[Finding]:
    written = strategies(project)
    if len({strategy.value for strategy in written}) != 1 or written[0].value not in ("single", "none"):
        return
    strategy = written[0]
    for workload in project.workloads:
        for container in workload.containers:
            request = next((each for each in container.gpus if each.mig_profile is not None), None)
            if request is None or request.virtual or not request.resource.startswith("nvidia.com/mig-"):
                continue
            offers = (
                "with single every slice is an nvidia.com/gpu"
                if strategy.value == "single"
                else "with none the device plugin knows whole GPUs alone"
            )
            instead = "Ask for nvidia.com/gpu: 1, or set" if strategy.value == "single" else "Set"
            yield Finding(
                place=request.key_place,
                message=f"{named(container)} of {workload.ref} asks for {request.resource}, and the cluster's MIG "
                f"strategy is {strategy.value}: {offers}. No node offers the resource, and the pod stays Pending.",
                help=f"{instead} the strategy mixed, under which each profile is a resource of its own (the names "
                "change for every pod on MIG).",
                evidence=[Evidence("MIG strategy", strategy.value, strategy.place)],
                ref=workload.ref,
            )
