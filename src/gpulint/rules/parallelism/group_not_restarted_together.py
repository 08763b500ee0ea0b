"""A group of pods of which a single one is restarted."""

from __future__ import annotations

from collections.abc import Iterator

from gpulint.finding import Evidence, Finding
from gpulint.model.workload import Workload
from gpulint.rules import rule


@rule("group-not-restarted-together")
def check(workload: Workload) -> Iterator[Finding]:
    policy = workload.group_restart
    if policy is None or policy.value not in ("None", "Default") or not workload.multi_node:
        return
    if not any(request.vendor in ("nvidia", "amd") for request in workload.gpu_requests):
        return
    yield Finding(
        place=policy.place,
        message=f"{workload.ref} restarts a failed pod of a group alone (restartPolicy: {policy.value}). The others "
        "wait for it in a collective that never ends, at 100 % GPU utilisation and 0 tokens/s: a group of NCCL takes "
        "no new member.",
        help="Set leaderWorkerTemplate.restartPolicy: RecreateGroupOnPodRestart, the default of LeaderWorkerSet.",
        evidence=[Evidence("restartPolicy", policy.value, policy.place)],
    )
