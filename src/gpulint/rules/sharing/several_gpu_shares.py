"""Several shares of GPUs, asked for as if they were several GPUs."""

from __future__ import annotations

from collections.abc import Iterator

from gpulint.finding import Evidence, Finding, Level
from gpulint.model.project import Project
from gpulint.model.workload import Container, GpuRequest
from gpulint.rules import rule
from gpulint.rules.parallel import named, ranks
from gpulint.rules.sharing_words import sharing_of


@rule("several-gpu-shares")
def check(project: Project) -> Iterator[Finding]:
    for workload in project.workloads:
        for container in workload.containers:
            if not any((request.count or 0) > 1 for request in container.gpus):
                continue
            finding = _finding(project, container)
            if finding is not None:
                finding.ref = workload.ref
                yield finding


def _finding(project: Project, container: Container) -> Finding | None:
    found = sharing_of(project, container) if project.device_plugin_configs else None
    evidence: list[Evidence] = []
    refused = False
    placement = container.pod.placement
    if found is not None:
        sharing, request = found
        replicas = sharing.replicas
        times = f"{replicas.value} times" if replicas is not None else "several times"
        where = f"each GPU is handed out {times} by {'MPS' if sharing.strategy == 'mps' else 'time-slicing'}"
        refused = sharing.one_only is True or sharing.strategy == "mps"
        evidence.append(Evidence("shared", sharing.resource.value, sharing.resource.place))
    else:
        shared = next(
            (r for r in container.gpus if r.shared and not r.virtual and r.resource.endswith(".shared")), None
        )
        if shared is not None:
            request, where = shared, f"a unit of {shared.resource} is a share of a GPU"
        elif placement is not None and placement.shared and container.gpus and container.gpus[0].vendor == "nvidia":
            request, where = container.gpus[0], "the node that it selects shares its GPUs"
            evidence.append(Evidence("shared", placement.why.value, placement.why.place))
        else:
            return None
    if request.count is None or request.count < 2:
        return None
    return _told(container, request, where, evidence, refused=refused)


def _told(container: Container, request: GpuRequest, where: str, evidence: list[Evidence], *, refused: bool) -> Finding:
    size = ranks(container.engine) if container.engine is not None else None
    level: Level = "warning"
    if refused:
        level = "error"
        then = "The device plugin refuses a request for more than one share (UnexpectedAdmissionError)"
    elif size is not None and size > 1 and container.engine is not None and container.engine.name != "llamacpp":
        level = "error"
        then = (
            f"Two of them may be the same card: NCCL then ends the start of the {size} workers of "
            f'{container.engine.label} with "Duplicate GPU detected"'
        )
    else:
        then = "All of them may come from the same card: more shares are no more memory, and no more compute either"
    return Finding(
        place=request.place,
        message=f"{named(container)} asks for {request.resource}: {request.count}, but {where}. {then}.",
        help="Ask for one share, and more replicas if one is too slow; or for whole GPUs, on nodes that do not share "
        "them. failRequestsGreaterThanOne: true in the device plugin's configuration refuses such requests at once.",
        evidence=[Evidence(request.resource, request.count, request.place), *evidence],
        level=level,
    )
