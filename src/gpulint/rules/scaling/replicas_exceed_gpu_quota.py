"""More replicas than the namespace's GPU quota admits."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from gpulint.finding import Evidence, Finding
from gpulint.model.project import Project
from gpulint.model.values import Sourced
from gpulint.rules import rule
from gpulint.rules.quotas import governs, per_replica
from gpulint.rules.signals import named, serves

if TYPE_CHECKING:
    from gpulint.model.policies import ResourceQuota


@rule("replicas-exceed-gpu-quota")
def check(project: Project) -> Iterator[Finding]:
    for quota in project.resource_quotas:
        if quota.scoped:
            continue
        for name, limit in quota.hard.items():
            resource = name.removeprefix("requests.")
            if resource != name:
                yield from _over(project, quota, resource, limit)


def _over(project: Project, quota: ResourceQuota, resource: str, limit: Sourced[float]) -> Iterator[Finding]:
    for workload in project.workloads:
        each = per_replica(workload, resource)
        if not each or not serves(workload) or not governs(quota, workload):
            continue
        asked: list[tuple[str, str, Sourced[int]]] = [
            (named(scaler), "may scale", scaler.max_replicas)
            for scaler in workload.autoscalers
            if scaler.max_replicas is not None and scaler.gpus_per_replica is None
        ]
        if not asked and workload.replicas is not None:
            asked.append((str(workload.ref), "sets", workload.replicas))
        for who, verb, replicas in asked:
            total = replicas.value * each
            if total <= limit.value:
                continue
            fit = int(limit.value // each)
            what = f"{workload.ref} to " if verb == "may scale" else ""
            yield Finding(
                place=replicas.place,
                message=(
                    f"{who} {verb} {what}{replicas.value} replicas, which ask for {total} of {resource}, and "
                    f"{quota.ref} admits {limit.value:g}. The pods above {fit} replicas are refused: latency stays as "
                    "it was while the number asked for says that capacity was added."
                ),
                help=(
                    f"Set it to {fit} or raise the quota, and alert on "
                    "kube_horizontalpodautoscaler_status_desired_replicas above the replicas that are available."
                ),
                evidence=[
                    Evidence(f"requests.{resource}", f"{limit.value:g}", limit.place),
                    Evidence(f"{resource} per replica", each, workload.place),
                ],
                ref=workload.ref,
            )
