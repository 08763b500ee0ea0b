"""Nodes with loaded models that are taken away because little of them is requested."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from gpulint.finding import Evidence, Finding, Fix, Level
from gpulint.model.project import Project
from gpulint.model.values import Sourced
from gpulint.model.workload import Workload
from gpulint.rules import rule
from gpulint.rules.signals import serves
from gpulint.source.edits import Change, ReplaceText, SetEntry

if TYPE_CHECKING:
    from gpulint.model.cluster import NodePool

# A pool that leaves nodes alone for this long gives models time to be used.
_LONG_S = 600
_WHEN_EMPTY = "WhenEmpty"
# Instance categories of AWS whose instances all have GPUs. Source: Amazon EC2 instance type naming conventions.
_CATEGORY, _GPU_CATEGORIES = "karpenter.k8s.aws/instance-category", frozenset({"p", "g"})
_DO_NOT_DISRUPT = ("karpenter.sh/do-not-disrupt", "karpenter.sh/do-not-evict")
# Pools so many folders away are of another project that is checked in the same run.
_FAR_STEPS = 4


@rule("consolidation-evicts-inference")
def check(project: Project) -> Iterator[Finding]:
    for pool in project.node_pools:
        if not _has_gpus(pool) or pool.consolidation_off or pool.disruption_blocked:
            continue
        policy, after = pool.consolidation_policy, pool.consolidate_after_s
        if (policy is not None and policy.value == _WHEN_EMPTY) or (after is not None and after.value >= _LONG_S):
            continue
        near = [w for w in project.workloads if w.uses_gpus and project.is_near(pool.place, w.place, _FAR_STEPS)]
        # A bare pod is somebody's session: no server that is to be there again elsewhere.
        exposed = [w for w in near if w.ref.kind != "Pod" and serves(w) and not _is_protected(w)]
        if exposed or not near:
            yield _finding(pool, exposed)


def _finding(pool: NodePool, exposed: list[Workload]) -> Finding:
    policy, after = pool.consolidation_policy, pool.consolidate_after_s
    level: Level | None = None if exposed else "info"
    how = policy.value if policy is not None else "the default"
    when = f" after {after.value:g} s" if after is not None else ""
    whose = f", those of {exposed[0].ref} among them," if exposed else ""
    evidence = [Evidence("consolidateAfter", f"{after.value:g} s", after.place)] if after is not None else []
    evidence += [Evidence("runs on GPUs", str(workload.ref), workload.place) for workload in exposed[:3]]
    return Finding(
        place=policy.place if policy is not None else pool.place,
        message=(
            f"{pool.ref.short} takes away GPU nodes that are underused{when}, not only empty ones ({how}). It "
            f"goes by what pods request, not by what they serve: pods with a loaded model{whose} are evicted, and load "
            "it again elsewhere for minutes."
        ),
        help=(
            "Set consolidationPolicy: WhenEmpty with consolidateAfter: 15m, or annotate the pods with "
            'karpenter.sh/do-not-disrupt: "true".'
        ),
        evidence=evidence,
        level=level,
        ref=pool.ref,
        fix=_fix(policy, pool) if policy is not None else None,
    )


def _fix(policy: Sourced[str], pool: NodePool) -> Fix:
    """Before v1 of the API this policy is refused without a delay."""
    changes: list[Change] = [ReplaceText(policy.place, policy.value, _WHEN_EMPTY)]
    if pool.consolidate_after_s is None:
        changes.append(SetEntry(policy.place, "consolidateAfter", "15m"))
    return Fix(f"Set consolidationPolicy: {_WHEN_EMPTY}", changes, safe=False)


def _has_gpus(pool: NodePool) -> bool:
    if pool.match is not None and pool.match.gpus:
        return True
    return pool.gpu_limit is not None or any(
        ("instance-gpu" in each.key and each.operator != "DoesNotExist")
        or (each.key == _CATEGORY and each.operator == "In" and each.values and _GPU_CATEGORIES.issuperset(each.values))
        for each in pool.requirements
    )


def _is_protected(workload: Workload) -> bool:
    """Whether its pods may not be disrupted, by an annotation or by a budget that lets none go."""
    budgets = [budget.max_unavailable for budget in workload.disruption_budgets]
    if any(most is not None and most.value in ("0", "0%") for most in budgets):
        return True
    return all(any(pod.annotations.get(key) == "true" for key in _DO_NOT_DISRUPT) for pod in workload.pods)
