"""Profiling metrics that the exporter may not read."""

from __future__ import annotations

from collections.abc import Iterator

from gpulint.finding import Evidence, Finding, Level
from gpulint.model.monitoring import Alert, MetricAlias, Panel, RecordingRule
from gpulint.model.project import Project
from gpulint.model.workload import Container
from gpulint.rules import rule
from gpulint.source.text import Place

_PROFILING = "DCGM_FI_PROF_"
_FAR_STEPS = 8


@rule("profiling-metrics-without-sys-admin")
def check(project: Project) -> Iterator[Finding]:
    for workload in project.workloads:
        for container in workload.containers:
            if not _is_exporter(container) or not workload.complete:
                continue
            if container.privileged or container.capabilities & {"SYS_ADMIN", "ALL"}:
                continue
            lists = [each for each in project.counter_lists if project.is_near(container.place, each.place, _FAR_STEPS)]
            if lists and not any(name.startswith(_PROFILING) for each in lists for name in each.names):
                continue
            user = _user(project, container.place)
            level: Level = "warning" if user is not None else "info"
            reads = f", and {user[0]} is read here" if user is not None else ""
            image = container.image or container
            yield Finding(
                place=image.place,
                message=(
                    f"Container {container.name or 'of dcgm-exporter'} of {workload.ref} runs without the capability "
                    f"SYS_ADMIN{reads}. Where the driver keeps profiling for administrators, as it does unless told "
                    f"otherwise, all {_PROFILING}* fields are missing, the only utilisation of a MIG slice."
                ),
                help=(
                    "Add the capability SYS_ADMIN to the container (securityContext.capabilities.add, cap_add in "
                    "Compose), or load the driver with NVreg_RestrictProfilingToAdminUsers=0."
                ),
                evidence=[Evidence("reads", user[0], user[1])] if user is not None else [],
                level=level,
                ref=workload.ref,
            )


def _is_exporter(container: Container) -> bool:
    """dcgm-exporter with an engine of its own: with a remote one it reads nothing from the GPUs itself."""
    image = container.image.value if container.image is not None else ""
    repository = image.partition("@")[0].rpartition("/")[2].partition(":")[0]
    return repository == "dcgm-exporter" and "DCGM_REMOTE_HOSTENGINE_INFO" not in container.env


def _user(project: Project, origin: Place) -> tuple[str, Place] | None:
    items: list[Alert | RecordingRule | MetricAlias | Panel] = [
        *project.alerts,
        *project.recording_rules,
        *project.aliases,
        *project.panels,
    ]
    for item in items:
        query = item.expression.query
        for selector in query.selectors if query is not None else ():
            if (selector.name or "").startswith(_PROFILING) and project.is_near(
                origin, item.expression.place, _FAR_STEPS
            ):
                return selector.name or "", item.expression.place_of(selector)
    return None
