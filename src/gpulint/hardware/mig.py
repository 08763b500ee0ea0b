"""MIG: profile names, what each profile holds on each board, and whether a set of instances fits one GPU."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any, Literal, NamedTuple

from gpulint.hardware._tables import table
from gpulint.hardware.gpus import Gpu, all_gpus
from gpulint.record import record

_RESOURCE_PREFIX = "nvidia.com/mig-"


class ParsedProfile(NamedTuple):
    """A MIG profile name taken apart: `1c.3g.20gb+me` is 1, 3, 20, ("+me",).

    `compute_instance_slices` is None when the name has no `c` part, that is, the compute instance fills the GPU
    instance; only such profiles are Kubernetes resources. `memory_gb` is a rounded name, not the usable memory.
    """

    compute_instance_slices: int | None
    compute_slices: int
    memory_gb: int
    attributes: tuple[str, ...]


@record
class MigProfile:
    """A GPU-instance profile on one family of boards.

    `placement_starts` and `placement_size` are in memory slices; `memory_mib` is the usable memory of one instance
    (MiB, the lowest over drivers), None where it has not been seen; `attributes` are `+me`, `+me.all`, `+gfx`, `-me`.
    """

    name: str
    compute_slices: int
    memory_slices: int
    memory_mib: int | None
    max_count: int
    placement_starts: tuple[int, ...]
    placement_size: int
    attributes: tuple[str, ...]
    resource: str


@record
class MigFamily:
    """The boards that share one set of MIG profiles.

    `former_names` maps profile names of pre-release drivers, still found in configurations, to today's.
    """

    id: str
    name: str
    gpu_ids: tuple[str, ...]
    compute_slices: int
    memory_slices: int
    profiles: tuple[MigProfile, ...]
    former_names: Mapping[str, str]

    def profile(self, name: str) -> MigProfile | None:
        """The profile of this name, or of this former name."""
        current = self.former_names.get(name, name)
        return next((profile for profile in self.profiles if profile.name == current), None)


@record
class Layout:
    """Where each instance goes: (profile name, first memory slice), by first memory slice."""

    placements: tuple[tuple[str, int], ...]


@record
class Unplaceable:
    """Why a set of instances does not fit one GPU. `reason` is a clause with the numbers, fit for a message."""

    kind: Literal["unknown-profile", "bad-count", "media-engines", "compute", "memory", "count", "placement"]
    reason: str


@record
class MigConfigEntry:
    """One entry of a mig-parted configuration. An empty `device_filter` means every GPU."""

    device_filter: tuple[str, ...]
    mig_enabled: bool
    mig_devices: Mapping[str, int]


# -- families ----------------------------------------------------------------------------------------------------------


@cache
def _families_by_id() -> dict[str, MigFamily]:
    members: dict[str, list[str]] = {}
    for board in all_gpus():
        if board.mig_family:
            members.setdefault(board.mig_family, []).append(board.id)
    return {row["id"]: _family(row, tuple(members[row["id"]])) for row in table("mig")["families"]}


def _family(row: dict[str, Any], gpu_ids: tuple[str, ...]) -> MigFamily:
    profiles = tuple(
        MigProfile(
            name=name,
            compute_slices=compute_slices,
            memory_slices=memory_slices,
            memory_mib=memory_mib,
            max_count=max_count,
            placement_starts=tuple(starts),
            placement_size=memory_slices,
            attributes=tuple(re.findall(r"[+-][a-z.]+$", name)),
            resource=resource_of_profile(name),
        )
        for name, compute_slices, memory_slices, memory_mib, max_count, starts in row["profiles"]
    )
    return MigFamily(
        id=row["id"],
        name=row["name"],
        gpu_ids=gpu_ids,
        compute_slices=row["compute_slices"],
        memory_slices=row["memory_slices"],
        profiles=profiles,
        former_names=row.get("former_names", {}),
    )


def families() -> tuple[MigFamily, ...]:
    """Every family of boards whose MIG profiles are known."""
    return tuple(_families_by_id().values())


def family(family_id: str) -> MigFamily | None:
    """The family with this id, e.g. `a100-80gb`."""
    return _families_by_id().get(family_id)


def family_of(board: Gpu) -> MigFamily | None:
    """The MIG profiles of a board; None when it has no MIG or they are not known (see `Gpu.mig_capable`)."""
    return _families_by_id().get(board.mig_family) if board.mig_family else None


# -- names -------------------------------------------------------------------------------------------------------------


@cache
def _profile_grammar() -> re.Pattern[str]:
    return re.compile(
        r"(?:(?P<c>[1-7])c\.)?(?P<g>[1-7])g\.(?P<gb>[0-9]{1,4})gb"
        r"(?:\+(?P<plus>[a-z.]+(?:,[a-z.]+)*)|-(?P<minus>[a-z.]+))?"
    )


def parse_profile(text: str) -> ParsedProfile | None:
    """Takes a profile name apart; None when it is no profile name. The grammar is that of go-nvlib's mig_profile.go."""
    found = _profile_grammar().fullmatch(text)
    if found is None:
        return None
    plus, minus = found["plus"], found["minus"]
    attributes = tuple(f"+{word}" for word in plus.split(",")) if plus else (f"-{minus}",) if minus else ()
    return ParsedProfile(int(found["c"]) if found["c"] else None, int(found["g"]), int(found["gb"]), attributes)


def resource_of_profile(profile: str) -> str:
    """The extended resource that the NVIDIA device plugin (strategy mixed) names for a profile: `+` becomes `.`."""
    return _RESOURCE_PREFIX + profile.replace("+", ".")


def profile_of_resource(resource: str) -> str | None:
    """The profile of a MIG resource name: `nvidia.com/mig-1g.10gb.me` is `1g.10gb+me`.

    A `.shared` suffix (time-slicing that renames) is left out. None when it is no MIG resource name.
    """
    if not resource.startswith(_RESOURCE_PREFIX):
        return None
    found = re.fullmatch(
        r"([1-7]g\.[0-9]{1,4}gb)(?:\.(me\.all|me|gfx)|(-me))?",
        resource.removeprefix(_RESOURCE_PREFIX).removesuffix(".shared"),
    )
    if found is None:
        return None
    base, plus, minus = found.groups()
    return base + (f"+{plus}" if plus else minus or "")


# -- look-up -----------------------------------------------------------------------------------------------------------


def families_with(profile: str) -> tuple[MigFamily, ...]:
    """The families that have a profile of this name. The same name can mean different slices on different boards."""
    return tuple(candidate for candidate in families() if candidate.profile(profile))


def gpus_with(profile: str) -> tuple[Gpu, ...]:
    """The boards that have a profile of this name."""
    ids = {candidate.id for candidate in families_with(profile)}
    return tuple(board for board in all_gpus() if board.mig_family in ids)


def slice_memory_mib(profile: str, gpus: Iterable[Gpu]) -> tuple[int, int] | None:
    """Lowest and highest usable memory (MiB) of one instance of `profile` over those of `gpus` that have it.

    None when none of them has it, or when the memory is not known for one that has.
    """
    totals: list[int] = []
    for board in gpus:
        board_family = family_of(board)
        found = board_family.profile(profile) if board_family else None
        if found is None:
            continue
        if found.memory_mib is None:
            return None
        totals.append(found.memory_mib)
    return (min(totals), max(totals)) if totals else None


def device_filter_gpus(device_filter: str) -> tuple[Gpu, ...]:
    """The boards of a mig-parted device filter, `0x<PCI device id><PCI vendor id>[:0x<subsystem>]`: `0x20B010DE`.

    Empty when the id is not in the table or the filter is malformed.
    """
    found = re.fullmatch(r"0x([0-9A-F]{4})10DE(?::0x[0-9A-F]{8})?", device_filter.strip().upper().replace("0X", "0x"))
    if found is None:
        return ()
    device_id = f"0x{found[1]}"
    return tuple(board for board in all_gpus() if device_id in board.pci_device_ids)


@cache
def default_mig_configs() -> frozenset[str]:
    """The names in mig-parted's own configuration (`all-disabled`, `all-balanced`, `all-1g.10gb`, ...).

    Source: NVIDIA/mig-parted deployments/systemd/config-default.yaml, which the GPU Operator ships by default.
    """
    return frozenset(table("mig")["default_configs"])


def default_mig_config(name: str) -> tuple[MigConfigEntry, ...] | None:
    """The entries of one of mig-parted's own configurations; None when it has none of that name."""
    entries = table("mig")["default_configs"].get(name)
    if entries is None:
        return None
    return tuple(
        MigConfigEntry(tuple(entry.get("device_filter", ())), entry["mig_enabled"], entry["mig_devices"])
        for entry in entries
    )


# -- placement ---------------------------------------------------------------------------------------------------------


def place(mig_family: MigFamily, counts: Mapping[str, int]) -> Layout | Unplaceable:
    """Whether `counts` instances per profile fit one GPU, and where.

    An exact search over the placements that `nvidia-smi mig -lgipp` lists, within the total of compute slices, the
    number of instances per profile and the media engines: one `+me` per GPU, and beside a `+me.all` only `-me`.
    """
    by_profile: dict[MigProfile, int] = {}
    for name, count in counts.items():
        profile = mig_family.profile(name)
        if profile is None:
            known = ", ".join(candidate.name for candidate in mig_family.profiles if not candidate.attributes)
            return Unplaceable("unknown-profile", f"{mig_family.name} has no MIG profile {name}; it has {known}")
        if count < 0:
            return Unplaceable("bad-count", f"{count} is no number of {name} instances")
        if count:
            by_profile[profile] = by_profile.get(profile, 0) + count
    wanted = list(by_profile.items())
    refusal = _media_conflict(wanted) or _too_much(mig_family, wanted)
    if refusal:
        return refusal
    return _search(wanted) or Unplaceable("placement", f"no arrangement is free: {_start_rules(wanted)}")


def _media_conflict(wanted: list[tuple[MigProfile, int]]) -> Unplaceable | None:
    with_media = [(profile, count) for profile, count in wanted if {"+me", "+me.all"} & set(profile.attributes)]
    total = sum(count for _, count in with_media)
    names = " and ".join(profile.name for profile, _ in with_media)
    if total > 1:
        return Unplaceable("media-engines", f"{names}: one instance with media engines per GPU, not {total}")
    if total and "+me.all" in with_media[0][0].attributes:
        for profile, _ in wanted:
            if not {"+me.all", "-me"} & set(profile.attributes):
                reason = f"{names} takes all media engines, so the other instances must be -me profiles: {profile.name}"
                return Unplaceable("media-engines", f"{reason} is not one")
    return None


def _too_much(mig_family: MigFamily, wanted: list[tuple[MigProfile, int]]) -> Unplaceable | None:
    compute = sum(profile.compute_slices * count for profile, count in wanted)
    memory = sum(profile.memory_slices * count for profile, count in wanted)
    found: list[Unplaceable] = []
    if compute > mig_family.compute_slices:
        reason = f"needs {compute} compute slices, {mig_family.name} has {mig_family.compute_slices}"
        found.append(Unplaceable("compute", reason))
    if memory > mig_family.memory_slices:
        reason = f"needs {memory} memory slices, {mig_family.name} has {mig_family.memory_slices}"
        found.append(Unplaceable("memory", reason))
    for profile, count in wanted:
        if count > profile.max_count:
            starts = _start_rules([(profile, count)])
            reason = f"{starts}, so at most {profile.max_count} fit, not {count}"
            found.append(Unplaceable("count", reason))
    if not found:
        return None
    return Unplaceable(found[0].kind, "; ".join(refusal.reason for refusal in found))


def _start_rules(wanted: list[tuple[MigProfile, int]]) -> str:
    return ", ".join(
        f"{profile.name} may start only at memory slice {', '.join(str(start) for start in profile.placement_starts)}"
        for profile, _ in wanted
    )


def _search(wanted: list[tuple[MigProfile, int]]) -> Layout | None:
    """Depth-first over the starts, largest instances first; `taken` is a bitmask of memory slices."""
    ordered = sorted(wanted, key=lambda pair: -pair[0].placement_size)
    instances = [profile for profile, count in ordered for _ in range(count)]
    dead_ends: set[tuple[int, int, int]] = set()

    def extend(index: int, taken: int, first_start: int) -> list[int] | None:
        if index == len(instances):
            return []
        if (index, taken, first_start) in dead_ends:
            return None
        profile = instances[index]
        for start in profile.placement_starts:
            slices = ((1 << profile.placement_size) - 1) << start
            if start < first_start or taken & slices:
                continue
            # Instances of one profile are alike: only ever place the next one further on.
            same_next = index + 1 < len(instances) and instances[index + 1] is profile
            rest = extend(index + 1, taken | slices, start + 1 if same_next else 0)
            if rest is not None:
                return [start, *rest]
        dead_ends.add((index, taken, first_start))
        return None

    starts = extend(0, 0, 0)
    if starts is None:
        return None
    placements = sorted(zip((profile.name for profile in instances), starts, strict=True), key=lambda pair: pair[1])
    return Layout(tuple(placements))
