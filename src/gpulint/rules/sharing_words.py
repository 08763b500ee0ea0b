"""What rules about shared GPUs share: which containers get shares, and of which configuration."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from gpulint.model.project import Project
from gpulint.model.workload import Container, GpuRequest

if TYPE_CHECKING:
    from gpulint.model.cluster import DevicePluginConfig, Sharing

# Folders of a cluster's configuration and of what runs on it, in one repository.
_FAR_STEPS = 6


def containers_on(project: Project, sharing: Sharing) -> Iterator[tuple[Container, GpuRequest]]:
    """The containers near a sharing that ask for the resource which it shares, each once.

    The nodes choose among several configurations of one ConfigMap by a label: of those nobody knows who gets which,
    unless all share the resource.
    """
    if not _holds_everywhere(project, sharing):
        return
    for workload in project.workloads:
        if workload.overlay is not None:
            continue
        for container in workload.containers:
            found = request_of(container, sharing)
            if found is not None and _belongs(project, container, sharing):
                yield container, found


def request_of(container: Container, sharing: Sharing) -> GpuRequest | None:
    """What a container asks for of the resource that a sharing advertises; None for none."""
    name = f"{sharing.resource.value}.shared" if sharing.rename else sharing.resource.value
    return next((request for request in container.gpus if request.resource == name and not request.virtual), None)


def sharing_of(project: Project, container: Container) -> tuple[Sharing, GpuRequest] | None:
    """The nearest sharing that makes shares of what a container asks for; None where none surely does."""
    found = [
        (sharing, request)
        for config in project.device_plugin_configs
        for sharing in config.sharings
        if (request := request_of(container, sharing)) is not None
        and _belongs(project, container, sharing)
        and _holds_everywhere(project, sharing)
    ]
    if not found:
        return None
    nearest = project.nearest([sharing for sharing, _ in found], container.place, lambda each: each.resource.place)
    return next((each for each in found if each[0] is nearest), found[0])


def _belongs(project: Project, container: Container, sharing: Sharing) -> bool:
    here, there = container.place, sharing.resource.place
    return project.of_one_repository(here, there) and project.is_near(here, there, _FAR_STEPS)


def _holds_everywhere(project: Project, sharing: Sharing) -> bool:
    siblings: list[DevicePluginConfig] = [c for c in project.device_plugin_configs if c.ref is sharing.ref]
    return all(
        any(other.resource.value == sharing.resource.value and other.rename == sharing.rename for other in c.sharings)
        for c in siblings
    )
