"""A group of pods with more GPUs than its engine spreads over."""

from __future__ import annotations

from collections.abc import Iterator

from gpulint.finding import Evidence, Finding
from gpulint.model.engine import Engine
from gpulint.rules import rule
from gpulint.rules.parallel import evidence_of_gpus, evidence_of_sizes, place_of_sizes, spelled


@rule("idle-group-gpus")
def check(engine: Engine) -> Iterator[Finding]:
    workload = engine.container.pod.workload
    # One launch for the whole group: with a launch in each pod, or a share of the ranks, every pod counts for itself.
    if engine.ref.kind != "LeaderWorkerSet" or not workload.multi_node or len(workload.engines) != 1:
        return
    if (
        not engine.arguments_known
        or not engine.sole
        or not engine.ray_cluster
        or engine.data_parallel_local is not None
    ):
        return
    if (
        len(workload.pods) < 2
        or engine.container.pod.role != "leader"
        or (engine.nodes is not None and not engine.nodes.default)
    ):
        return
    total, used = workload.gpus_per_group(), engine.gpus_used()
    if total is None or used is None or used >= total or not engine.parallel_settings():
        return
    pods = sum(pod.per_group or 0 for pod in workload.pods)
    yield Finding(
        place=place_of_sizes(engine),
        message=f"The {pods} pods of one replica of {workload.ref} hold {total} GPUs, and {engine.label} spreads over "
        f"{used} of them ({spelled(engine)}). The other {total - used} are held and idle, and the average utilisation "
        "of the group looks like capacity to spare.",
        help="Make tensor parallel size × pipeline parallel size the number of GPUs: as a rule the GPUs of one pod × "
        f"the size of the group. Or lower leaderWorkerTemplate.size to {max(1, -(-used * pods // total))}.",
        evidence=[
            *evidence_of_sizes(engine),
            *(item for pod in workload.pods for c in pod.containers for item in evidence_of_gpus(c)),
            Evidence("GPUs of the group", total),
        ],
    )
