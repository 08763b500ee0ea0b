"""An autoscaler that names its target a little differently from what there is."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator

from gpulint.finding import Evidence, Finding
from gpulint.model.autoscaler import Autoscaler
from gpulint.model.project import Project
from gpulint.model.workload import Workload
from gpulint.rules import rule
from gpulint.rules.signals import named, serves

_SCALED_ALIKE = frozenset({"Deployment", "StatefulSet", "LeaderWorkerSet", "Rollout", "ReplicaSet"})


@rule("missing-scale-target")
def check(project: Project) -> Iterator[Finding]:
    for scaler in project.autoscalers:
        target = scaler.target
        if scaler.workload is not None or target is None or not target.name or not scaler.complete:
            continue
        if target.kind not in _SCALED_ALIKE:
            continue
        near = [w for w in project.workloads if _is_beside(project, scaler, w)]
        if any(w.ref.name == target.name and w.ref.kind == target.kind and _reaches(scaler, w) for w in near):
            continue
        likely = [(workload, why) for workload in near if (why := _difference(scaler, workload)) is not None]
        if len(likely) != 1:
            continue
        workload, why = likely[0]
        yield Finding(
            place=scaler.target_place,
            message=(
                f"{named(scaler)} scales {target}, which is not among the workloads of these files; {workload.ref} is, "
                f"and {why}. An autoscaler without a target does nothing and says so in its status alone: the replicas "
                "stay as they are, under any load."
            ),
            help=(
                f"Name {workload.ref.kind} {workload.ref.name} as the target, in its own namespace, if that is what "
                "is meant; kubectl describe on the autoscaler shows whether it finds it (AbleToScale)."
            ),
            evidence=[Evidence("looks like it", str(workload.ref), workload.place)],
            ref=scaler.ref,
        )


def _is_beside(project: Project, scaler: Autoscaler, workload: Workload) -> bool:
    """Whether both are surely of one application: of one file, one kustomization, or one folder without subfolders."""
    if workload.ref.name is None or workload.overlay is not None:
        return False
    here, there = scaler.place.source.path, workload.place.source.path
    return project.applied_together(scaler.place, workload.place) or posixpath.dirname(here) == posixpath.dirname(there)


def _reaches(scaler: Autoscaler, workload: Workload) -> bool:
    return None in (scaler.ref.namespace, workload.ref.namespace) or scaler.ref.namespace == workload.ref.namespace


def _difference(scaler: Autoscaler, workload: Workload) -> str | None:
    """How a workload on GPUs that nothing scales differs from the target, where that looks like a slip."""
    target = scaler.target
    assert target is not None
    name, other = target.name or "", workload.ref.name or ""
    if not serves(workload) or workload.autoscalers or workload.ref.kind not in _SCALED_ALIKE or not workload.complete:
        return None
    if not _reaches(scaler, workload):
        same = name == other and target.kind == workload.ref.kind
        is_one_file = scaler.place.source.path == workload.place.source.path
        return (
            f"lives in another namespace than the autoscaler ({scaler.ref.namespace})" if same and is_one_file else None
        )
    if name == other:
        return f"is a {workload.ref.kind}" if target.kind != workload.ref.kind else None
    if target.kind == workload.ref.kind and _is_slip(name, other):
        return "its name differs by one letter"
    return None


def _is_slip(one: str, other: str) -> bool:
    """Whether a letter was left out, doubled, exchanged or swapped. Digits tell names apart on purpose."""
    if abs(len(one) - len(other)) > 1 or min(len(one), len(other)) < 5:
        return False
    start = 0
    while start < min(len(one), len(other)) and one[start] == other[start]:
        start += 1
    first, second = one[start:], other[start:]
    if any(letter.isdigit() for letter in first[:1] + second[:1]):
        return False
    if first[1:] == second[1:]:
        return len(first) > 1  # not the last letter: chat-a and chat-b
    if first[1:] == second or first == second[1:]:
        return True
    return first[:2] == second[1::-1] and first[2:] == second[2:]
