"""What rules about quotas share: which quota governs a workload, and what a replica takes of it."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

from gpulint.model.workload import Workload

if TYPE_CHECKING:
    from gpulint.model.policies import ResourceQuota


def per_replica(workload: Workload, resource: str) -> int | None:
    """Units of a resource that one replica asks for; None where that cannot be known."""
    total = 0
    for pod in workload.pods:
        if pod.hosted:
            continue
        if pod.per_group is None or not pod.complete or pod.dra_claims:
            return None
        for request in (request for container in pod.containers for request in container.gpus):
            if request.resource == resource:
                if request.count is None:
                    return None
                total += request.count * pod.per_group
    return total


def governs(quota: ResourceQuota, workload: Workload) -> bool:
    """Whether both are of one namespace: written in both, or in neither of two files of one folder."""
    if quota.ref.namespace is not None or workload.ref.namespace is not None:
        return quota.ref.namespace == workload.ref.namespace
    here, there = quota.place.source.path, workload.place.source.path
    return posixpath.dirname(here) == posixpath.dirname(there)
