"""A MIG profile that the GPU, or any GPU, does not have."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gpulint.finding import Confidence, Evidence, Finding, Level
from gpulint.hardware.mig import MigFamily, ParsedProfile, families, families_with, parse_profile, resource_of_profile
from gpulint.model.mig import MigLayout
from gpulint.model.workload import Container
from gpulint.rules import rule
from gpulint.rules.mig_words import families_of, gpu_instance, names_of, nearest, profiles_of, target
from gpulint.source.text import Place

_MIG_RESOURCE = "nvidia.com/mig-"


@rule("unknown-mig-profile")
def check(subject: MigLayout | Container) -> Iterator[Finding]:
    if isinstance(subject, MigLayout):
        yield from _in_layout(subject)
    else:
        yield from _in_container(subject)


def _in_layout(layout: MigLayout) -> Iterator[Finding]:
    meant = target(layout)
    if meant is None:
        return
    consequence = (
        "mig-parted refuses the whole configuration, and the node keeps its old layout (mig.config.state: failed)."
    )
    for entry in layout.profiles:
        profile = entry.profile.value
        if parse_profile(profile) is None:
            continue  # not even a profile's name: the schema says so
        lacking = [family for family in meant.families if family.profile(gpu_instance(profile)) is None]
        if len(lacking) < len(meant.families) and not (meant.named and lacking):
            continue
        place = entry.profile.place
        if not meant.named:
            yield from _nowhere(profile, place, f"configuration {layout.config}", consequence, "mig-devices")
            continue
        some = " on some of the GPUs that its device-filter selects" if len(lacking) < len(meant.families) else ""
        yield Finding(
            place=place,
            message=f"{names_of(lacking)} has no MIG profile {profile}, which configuration {layout.config} asks "
            f"for{some}. "
            + consequence.replace(
                "the whole configuration", "the configuration there" if some else "the configuration"
            ),
            help=_choose(profile, lacking),
            evidence=[Evidence("device-filter", f.value, f.place) for f in layout.device_filter],
        )


def _in_container(container: Container) -> Iterator[Finding]:
    placement = container.pod.placement
    for request in container.gpus:
        if not request.resource.startswith(_MIG_RESOURCE):
            continue
        stays = "No node offers the resource, so the pod stays Pending."
        profile = request.mig_profile
        if profile is None:
            yield Finding(
                place=request.key_place,
                message=f"No MIG resource is called {request.resource}. {stays}",
                help="The device plugin names the resource after the profile, with a dot for the plus sign: "
                "nvidia.com/mig-1g.10gb, nvidia.com/mig-1g.10gb.me. `kubectl describe node` lists those of a node.",
            )
            continue
        meant = families_of(placement.gpus) if placement is not None else ()
        if not meant:
            yield from _nowhere(profile, request.key_place, request.resource, stays, "resource")
        elif placement is not None and all(family.profile(profile) is None for family in meant):
            yield Finding(
                place=request.key_place,
                message=f"{names_of(meant)} has no MIG profile {profile}, which {request.resource} asks for. {stays}",
                help=_choose(profile, meant, as_resource=True),
                evidence=[Evidence("lands on", placement.why.value, placement.why.place)],
            )


def _nowhere(profile: str, place: Place, who: str, consequence: str, where: str) -> Iterator[Finding]:
    """A profile that no known GPU has; one that is larger than all known may belong to a newer one."""
    wanted = parse_profile(gpu_instance(profile))
    if wanted is None or families_with(gpu_instance(profile)):
        return
    sizes = {f.compute_slices for family in families() for f in family.profiles}
    largest = max(
        (p.memory_gb for p in _known() if p.compute_slices == wanted.compute_slices),
        default=0,
    )
    level: Level = "error"
    confidence: Confidence = "high"
    if wanted.compute_slices in sizes:
        level, confidence = ("info", "low") if wanted.memory_gb > largest else ("warning", "medium")
    close = nearest(profile, families())
    as_resource = where == "resource"
    shown = resource_of_profile(close) if close and as_resource else close
    has = [family for family in families() if close and family.profile(close)]
    yield Finding(
        place=place,
        message=f"No GPU known to gpulint has the MIG profile {profile}, which {who} asks for. {consequence}",
        help=(f"The nearest is {shown}, on {names_of(has)}. " if shown else "")
        + "`nvidia-smi mig -lgip` on the node lists the profiles of its GPU: their memory differs from one board to "
        "the next.",
        evidence=[Evidence("profile", profile, place)],
        level=level,
        confidence=confidence,
    )


def _known() -> list[ParsedProfile]:
    return [parsed for f in families() for p in f.profiles if (parsed := parse_profile(p.name)) is not None]


def _choose(profile: str, lacking: Sequence[MigFamily], *, as_resource: bool = False) -> str:
    close = nearest(profile, lacking)
    shown = resource_of_profile(close) if close and as_resource else close
    lists = "; ".join(f"{family.name} has {profiles_of(family)}" for family in lacking[:3])
    return (f"The nearest is {shown}. " if shown else "") + f"{lists}."
