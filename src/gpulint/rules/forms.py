"""What rules about something missing share: what patches and overlays add to a workload."""

from __future__ import annotations

from collections.abc import Iterator

from gpulint.model.project import Project
from gpulint.model.workload import Container, Workload

# From a base to its overlays: `base` and `overlays/prod/gpu`.
_FAR_STEPS = 4


def forms_of(project: Project, workload: Workload) -> Iterator[Workload]:
    """The patches of a workload and what kustomizations make of it, as far as they lie near it; not itself."""
    for other in project.workloads:
        if (
            other is not workload
            and (other.ref.kind, other.ref.name) == (workload.ref.kind, workload.ref.name)
            and (other.overlay is not None or not other.complete)
            and project.is_near(workload.place, other.place, _FAR_STEPS)
        ):
            yield other


def same_container(container: Container, form: Workload) -> Container | None:
    """The container of the same name in another form of the workload."""
    return next((other for other in form.containers if other.name == container.name), None)
