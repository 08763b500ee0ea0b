"""A rollout that needs GPUs for new pods before it gives back those of old ones."""

from __future__ import annotations

from collections.abc import Iterator

from gpulint.finding import Evidence, Finding, Level
from gpulint.model.project import Project
from gpulint.model.workload import Rollout, Workload
from gpulint.rules import rule
from gpulint.rules.quotas import governs, per_replica
from gpulint.rules.signals import kind_of_device, serves

# The largest nodes have eight GPUs: another pod of that size needs another such node.
_WHOLE_NODE = 8
# Pools of nodes so many folders away are of another project that is checked in the same run.
_FAR_STEPS = 8
# What replaces all pods at once can do instead.
_REMEDIES = {
    "RayService": "Use upgradeStrategy: {type: NewClusterWithIncrementalUpgrade}, or None and replace it by hand",
    "Service": "Lower autoscaling.knative.dev/min-scale before the change, or have KServe deploy in Standard mode",
}


@rule("surge-without-spare-gpus")
def check(project: Project) -> Iterator[Finding]:
    for workload in project.workloads:
        rollout, each = workload.rollout, workload.gpus_per_group()
        if rollout is None or not each or not serves(workload) or not workload.complete:
            continue
        if any(patch.rollout is not None and _is_written(patch.rollout) for patch in workload.patches):
            continue
        replicas = _replicas(workload)
        pods = rollout.pods(replicas)
        if pods is not None and replicas > 0 and pods[0] > 0 and pods[1] == 0:
            yield from _surging(project, workload, rollout, replicas, pods[0], each)


def _surging(
    project: Project, workload: Workload, rollout: Rollout, replicas: int, surge: int, each: int
) -> Iterator[Finding]:
    device, written = kind_of_device(workload), rollout.max_surge
    quota = _quota(project, workload, replicas, surge if rollout.side_by_side is not None else 1)
    evidence = [Evidence(f"{device}s per replica", each, workload.place)]
    if workload.overlay is not None:
        evidence.append(Evidence("as it is in", workload.overlay))
    sources = [pool.place for pool in project.node_pools] + [each.place for each in project.compute_classes]
    on_demand = any(project.is_near(workload.place, source, _FAR_STEPS) for source in sources)
    then = "the new pod stays pending until the rollout fails at its progress deadline"
    level: Level
    if quota is not None:
        level = "error" if rollout.side_by_side is None else "warning"
        evidence.append(quota)
        more = "not these beside them" if rollout.side_by_side is not None else "not one pod more"
        why = f"The quota of the namespace admits the replicas and {more}: the rollout cannot proceed."
    elif written is not None and surge >= replicas > 1:
        level = "info" if on_demand else "warning"
        why = f"That is the whole service twice. Where the {device}s are not there, {then}."
    elif written is not None and _takes_whole_nodes(workload) and not on_demand:
        level = "warning"
        why = f"Each pod takes a whole node: without another node of the kind, {then}."
    elif written is not None and not on_demand:
        level = "info"
        why = f"Where all {device}s are taken, {then}."
    else:
        return
    how = (
        f"maxSurge {written.value}, none unavailable"
        if written is not None
        else "maxSurge 25%, the default, none unavailable"
    )
    if rollout.side_by_side is not None:
        how = rollout.side_by_side
    spare = f"{surge * each} spare {device}{'s' if surge * each != 1 else ''}"
    remedy = "Use maxSurge: 0 with maxUnavailable: 1, which replaces one replica after the other on its own GPUs"
    if rollout.side_by_side is not None:
        remedy = _REMEDIES.get(workload.ref.kind, "Stop the old pods before the new ones are applied")
    elif replicas == 1:
        remedy = "Use strategy: {type: Recreate}, which stops the only replica first and reuses its GPUs"
    yield Finding(
        place=written.place if written is not None else rollout.place,
        message=(
            f"{workload.ref} with {replicas} replica{'s' if replicas != 1 else ''} needs {spare} for a rollout "
            f"({how}): new pods start before an old one stops. {why}"
        ),
        help=f"{remedy}; or keep {spare} free.",
        evidence=evidence,
        level=level,
        ref=workload.ref,
    )


def _is_written(rollout: Rollout) -> bool:
    return any(value is not None for value in (rollout.type, rollout.max_surge, rollout.max_unavailable))


def _replicas(workload: Workload) -> int:
    lowest = [scaler.lowest for scaler in workload.autoscalers if scaler.lowest is not None]
    if lowest:
        return max(*lowest, 1)
    return workload.replicas.value if workload.replicas is not None else 1


def _quota(project: Project, workload: Workload, replicas: int, more: int) -> Evidence | None:
    """The quota that admits the replicas, but not so many more."""
    for quota in project.resource_quotas:
        for name, limit in quota.hard.items():
            resource = name.removeprefix("requests.")
            each = per_replica(workload, resource) if resource != name and not quota.scoped else None
            if each and governs(quota, workload) and replicas * each <= limit.value < (replicas + more) * each:
                return Evidence(name, f"{limit.value:g}", limit.place)
    return None


def _takes_whole_nodes(workload: Workload) -> bool:
    for pod in workload.pods:
        count = sum(container.gpu_count() or 0 for container in pod.containers)
        on_node = pod.placement.gpus_per_node if pod.placement is not None else None
        if count >= _WHOLE_NODE or (on_node is not None and 1 < on_node <= count):
            return True
    return False
