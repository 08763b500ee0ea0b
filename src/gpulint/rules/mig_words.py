"""What rules about MIG share: the boards that a layout is meant for, and profiles in words."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from gpulint.hardware.gpus import Gpu
from gpulint.hardware.mig import MigFamily, device_filter_gpus, families, family_of, parse_profile
from gpulint.model.mig import MigLayout


class Target(NamedTuple):
    """The families that a layout must fit: those that its device filter names (`named`), else any may be meant."""

    families: tuple[MigFamily, ...]
    named: bool


def target(layout: MigLayout) -> Target | None:
    """The families of the boards that a layout's device filter selects, all families where it has none.

    None where a filter names a board that is not in the table, or one whose profiles are not known.
    """
    if not layout.device_filter:
        return Target(families(), named=False)
    found: dict[str, MigFamily] = {}
    for device_filter in layout.device_filter:
        boards = device_filter_gpus(device_filter.value)
        if not boards:
            return None
        for board in boards:
            family = family_of(board)
            if family is None:
                return None
            found[family.id] = family
    return Target(tuple(found.values()), named=True)


def families_of(gpus: Iterable[Gpu]) -> tuple[MigFamily, ...]:
    """The families of boards, each once; empty where the profiles of one of them are not known."""
    found: dict[str, MigFamily] = {}
    for board in gpus:
        family = family_of(board)
        if family is None:
            return ()
        found[family.id] = family
    return tuple(found.values())


def gpu_instance(profile: str) -> str:
    """The profile of the GPU instance that holds a compute instance: `3g.20gb` for `1c.3g.20gb`."""
    head, dot, rest = profile.partition(".")
    return rest if dot and head.endswith("c") else profile


def names_of(members: Iterable[MigFamily]) -> str:
    return " or ".join(family.name for family in members)


def profiles_of(family: MigFamily) -> str:
    """The plain profiles of a family, smallest first: `1g.10gb, 1g.20gb, 2g.20gb, …`."""
    return ", ".join(profile.name for profile in family.profiles if not profile.attributes)


def nearest(profile: str, members: Iterable[MigFamily]) -> str | None:
    """The profile of these families that is closest to a name: as many compute slices, then the nearest memory."""
    wanted = parse_profile(gpu_instance(profile))
    if wanted is None:
        return None
    known = {
        candidate.name: parsed
        for family in members
        for candidate in family.profiles
        if (parsed := parse_profile(candidate.name)) is not None and parsed.attributes == wanted.attributes
    }
    ranked = sorted(
        (abs(p.compute_slices - wanted.compute_slices), abs(p.memory_gb - wanted.memory_gb), name)
        for name, p in known.items()
    )
    return ranked[0][2] if ranked else None
