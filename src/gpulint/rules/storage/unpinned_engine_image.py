"""An engine's image by a tag that moves."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from gpulint.finding import Evidence, Finding
from gpulint.model.project import Project
from gpulint.model.workload import Container
from gpulint.rules import rule
from gpulint.rules.parallel import named

_MOVING = frozenset({"latest", "nightly", "main", "master", "dev", "edge"})


@rule("unpinned-engine-image")
def check(project: Project) -> Iterator[Finding]:
    # An overlay may give the tag that the base leaves out; the two share a reference.
    overlaid = {id(workload.ref) for workload in project.workloads if workload.overlay is not None}
    for workload in project.workloads:
        if workload.batch or workload.ref.kind in ("DaemonSet", "Chart"):
            continue
        for container in workload.containers:
            tag = _moving_tag(container)
            if tag is None or (id(workload.ref) in overlaid and workload.overlay is None):
                continue
            yield from _finding(container, tag)


@cache
def _image() -> re.Pattern[str]:
    return re.compile(r"(?P<name>[a-z0-9][a-z0-9._-]*(?::\d+)?(?:/[a-z0-9][a-z0-9._-]*)+)(?::(?P<tag>[\w.-]+))?")


def _moving_tag(container: Container) -> str | None:
    """The tag that moves, "" for none at all; None for a fixed one, a digest, and what is to be filled in."""
    image = container.image
    if image is None or not (container.engine is not None or container.gpus):
        return None
    if container.engine is not None and container.engine.accelerator == "cpu":
        return None
    found = _image().fullmatch(image.value)
    if found is None:
        return None
    tag = found["tag"] or ""
    return tag if not tag or tag.lower() in _MOVING else None


def _finding(container: Container, tag: str) -> Iterator[Finding]:
    image, engine = container.image, container.engine
    if image is None:
        return
    how = f"by the tag {tag}, which moves" if tag else "without a tag, which means latest"
    why = (
        f"Flags, defaults and metrics of {engine.display_name} change between versions: a restart may bring one that "
        "does not start with these arguments, or that an autoscaler finds no series of."
        if engine is not None
        else "Pods that start on different days may run different programs."
    )
    yield Finding(
        place=image.place,
        message=f"{named(container)} of {container.ref} takes {image.value} {how}. {why}",
        help="Name the version that was tested, or its digest, and let a bot propose newer ones.",
        evidence=[Evidence("engine", engine.label, engine.place)] if engine is not None else [],
        level=None if engine is not None else "info",
        ref=container.ref,
    )
