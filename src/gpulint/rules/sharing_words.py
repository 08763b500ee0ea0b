"""What rules about shared GPUs share: which containers get shares, and of which configuration."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from gpulint.model.project import Project
from gpulint.model.workload import Container, GpuRequest
from gpulint.source.text import Place

if TYPE_CHECKING:
    from gpulint.model.cluster import DevicePluginConfig, Sharing

# Folders of a cluster's configuration and of what runs on it, in one repository.
_FAR_STEPS = 6
# What stands side by side in such a folder belongs to several clusters, or to none: each shows something of its own.
_SEPARATE = frozenset(
    {
        *("clusters", "environments", "envs", "sites", "regions", "projects", "use-cases", "usecases", "blueprints"),
        *("examples", "example", "samples", "sample", "tutorials", "demos", "labs", "docs"),
        *("test", "tests", "e2e", "testdata"),
    }
)


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


def belong(project: Project, one: Place, sharing: Sharing) -> bool:
    """Whether a place and a sharing are of one cluster, as far as folders say.

    Of one repository, not far apart, and not in two examples or in the folders of two clusters.
    """
    other = sharing.resource.place
    if not project.of_one_repository(one, other) or not project.is_near(one, other, _FAR_STEPS):
        return False
    return project.applied_together(one, other) or not _separate(one.source.path, other.source.path)


def _separate(first: str, second: str) -> bool:
    """Whether two paths part below a folder that holds several things, or one of them lies in such a folder alone."""
    here, there = first.split("/")[:-1], second.split("/")[:-1]
    shared = 0
    while shared < min(len(here), len(there)) and here[shared] == there[shared]:
        shared += 1
    parted = {*here[max(shared - 1, 0) :], *there[max(shared - 1, 0) :]}
    return here != there and not _SEPARATE.isdisjoint(parted)


def _belongs(project: Project, container: Container, sharing: Sharing) -> bool:
    return belong(project, container.place, sharing)


def _holds_everywhere(project: Project, sharing: Sharing) -> bool:
    """Whether each node shares like this: no other entry of the ConfigMap differs, and no node has to choose it."""
    siblings: list[DevicePluginConfig] = [c for c in project.device_plugin_configs if c.ref is sharing.ref]
    choices = [
        operator.device_plugin
        for operator in project.gpu_operators
        if operator.device_plugin is not None
        and operator.device_plugin.name is not None
        and operator.device_plugin.name.value == sharing.ref.name
        and project.of_one_repository(operator.place, sharing.resource.place)
    ]
    # Nodes without a label get the default of the operator, and nothing is shared where it has none.
    if choices and not any(choice.default is not None and choice.default.value == sharing.config for choice in choices):
        return False
    return all(
        any(other.resource.value == sharing.resource.value and other.rename == sharing.rename for other in c.sharings)
        for c in siblings
    )
