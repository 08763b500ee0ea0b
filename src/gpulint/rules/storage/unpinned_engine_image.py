"""An engine's image by a tag that moves."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from gpulint.finding import Evidence, Finding
from gpulint.model.engine import Engine
from gpulint.model.project import Project
from gpulint.model.values import Sourced
from gpulint.model.workload import Container
from gpulint.rules import rule
from gpulint.rules.parallel import named

_MOVING = frozenset({"latest", "nightly", "main", "master", "dev", "edge"})
# Repositories that are named after a model, whose version is not the engine's.
_OF_MODELS = "nvcr.io/nim/"


@rule("unpinned-engine-image")
def check(project: Project) -> Iterator[Finding]:
    # An overlay may give the tag that the base leaves out; the two share a reference.
    overlaid = {id(workload.ref) for workload in project.workloads if workload.overlay is not None}
    findings: dict[tuple[str, int], Finding] = {}
    for workload in project.workloads:
        if workload.batch or workload.ref.kind in ("DaemonSet", "Chart"):
            continue
        for container in workload.containers:
            engine, image = container.engine, container.image
            if image is None or (engine is not None and engine.accelerator == "cpu"):
                continue
            if engine is None and not (container.gpus and workload.api_version and _serves_by_name(image.value)):
                continue
            tag = _moving_tag(image.value)
            if tag is None or (id(workload.ref) in overlaid and workload.overlay is None):
                continue
            # A runtime's image is that of each service with it, which may know more of its engine.
            key = (image.place.source.path, image.place.start)
            if key not in findings or findings[key].level == "info":
                findings[key] = _finding(container, engine, image, tag)
    yield from findings.values()


def _serves_by_name(image: str) -> bool:
    """Whether an image of no known engine is called after one, or after what it does."""
    return re.search(r"llm|inference|sglang|triton-?server|llama", image.partition("/")[2].lower()) is not None


@cache
def _image() -> re.Pattern[str]:
    return re.compile(r"(?P<name>[a-z0-9][a-z0-9._-]*(?::\d+)?(?:/[a-z0-9][a-z0-9._-]*)+)(?::(?P<tag>[\w.-]+))?")


def _moving_tag(image: str) -> str | None:
    """The tag that moves, "" for none at all; None for a fixed one, a digest, and what is to be filled in.

    A version in the repository's own name (`…-inference-cu124.2-3.ubuntu2204`) holds the engine as a tag does.
    """
    found = _image().fullmatch(image)
    if found is None:
        return None
    tag, repository = found["tag"] or "", found["name"]
    if re.search(r"\d\.\d", repository.partition("/")[2]) and not repository.startswith(_OF_MODELS):
        return None
    return tag if not tag or tag.lower() in _MOVING else None


def _finding(container: Container, engine: Engine | None, image: Sourced[str], tag: str) -> Finding:
    name = engine.display_name if engine is not None else "engines"
    changes = f"Flags, defaults and metrics of {name} change between versions"
    if container.ref.kind == "Dockerfile":
        message = (
            f"The image of {image.place.source.path} is built on {image.value} "
            + (f"by the tag {tag}, which moves" if tag else "without a tag, which means latest")
            + f". {changes}: the next build may hold one that does not start with the arguments it is given."
        )
    else:
        message = (
            f"{named(container)} of {container.ref} takes {image.value} "
            + (f"by the tag {tag}, which moves" if tag else "without a tag, which means latest")
            + f". {changes}: a restart may bring one that does not start with these arguments, or that an autoscaler "
            "finds no series of."
        )
    return Finding(
        place=image.place,
        message=message,
        help="Name the version that was tested, or its digest, and let a bot propose newer ones.",
        evidence=[Evidence("engine", engine.label, engine.place)] if engine is not None else [],
        level="info" if engine is None or container.ref.kind == "Dockerfile" else None,
        ref=container.ref,
    )
