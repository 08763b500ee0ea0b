"""What rules about MIG share: the boards that a layout is meant for, and profiles in words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from gpulint.hardware.gpus import Gpu
from gpulint.hardware.mig import (
    MigFamily,
    default_mig_config,
    device_filter_gpus,
    families,
    family_of,
    parse_profile,
)
from gpulint.model.mig import MigLayout
from gpulint.model.values import Sourced

if TYPE_CHECKING:
    from gpulint.model.project import Project


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


# By which a node tells the MIG manager its configuration.
_CONFIG_LABEL = "nvidia.com/mig.config"


class Entry(NamedTuple):
    """One entry of a named configuration: the boards that it is for, whether MIG is on, and the profiles."""

    device_filter: tuple[str, ...]
    enabled: bool
    profiles: tuple[str, ...]


def strategies(project: Project) -> list[Sourced[str]]:
    """The MIG strategies that operators and device plugins are given."""
    given = [operator.mig_strategy for operator in project.gpu_operators]
    given += [config.mig_strategy for config in project.device_plugin_configs]
    return [strategy for strategy in given if strategy is not None and strategy.value in ("none", "single", "mixed")]


def chosen_configs(project: Project) -> Iterator[Sourced[str]]:
    """The MIG configurations that nodes and node pools choose by their label, and the operator's default."""
    labelled = [node.labels for node in project.nodes] + [pool.labels for pool in project.node_pools]
    for labels in labelled:
        if _CONFIG_LABEL in labels:
            yield labels[_CONFIG_LABEL]
    for operator in project.gpu_operators:
        if operator.mig_manager is not None and operator.mig_manager.default is not None:
            yield operator.mig_manager.default


def entries_of(project: Project, config: str) -> list[Entry] | None:
    """The entries of a named configuration: the project's own, else the one that is shipped; None for an unknown "
    "name."""
    own = [layout for plan in project.mig_plans for layout in plan.layouts if layout.config == config]
    if own:
        return [
            Entry(
                tuple(each.value for each in layout.device_filter),
                layout.enabled is not False,
                tuple(count.profile.value for count in layout.profiles if count.count.value),
            )
            for layout in own
        ]
    shipped = default_mig_config(config)
    if shipped is None:
        return None
    return [Entry(entry.device_filter, entry.mig_enabled, tuple(entry.mig_devices)) for entry in shipped]
