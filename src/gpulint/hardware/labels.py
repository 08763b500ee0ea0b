"""Node labels and selectors: what `key: value` says about the GPUs of a node."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from typing import Any

from gpulint.hardware._tables import table
from gpulint.hardware.gpus import Gpu, all_gpus, gpus_named, gpus_of
from gpulint.hardware.instances import instance_family, instance_type, provider_gpu_ids
from gpulint.hardware.match import NodeMatch, combine, either
from gpulint.hardware.mig import default_mig_config, family_of, gpus_with, parse_profile, profile_of_resource

__all__ = ["NodeMatch", "combine", "known_wrong_product", "match_label", "match_values"]

# The same board differs this much between drivers; boards of different sizes differ by more.
_MEMORY_TOLERANCE = 0.03
_MIG_LABEL_PREFIX = "nvidia.com/mig-"


def match_label(key: str, value: str) -> NodeMatch | None:
    """What a node label, or a selector on it, says about GPUs; None when it says nothing that we know.

    A misspelt `nvidia.com/gpu.product` matches no node and gives None: see `known_wrong_product`.
    """
    value = value.strip()
    row, profile = _label(key)
    if row is None:
        return None
    match row["what"]:
        case "product":
            return _product(value)
        case "gpu":
            return _listed(row, value)
        case "name":
            return _named(value, row.get("provider"))
        case "instance":
            return instance_type(value)
        case "instance_family":
            return instance_family(row["provider"], value)
        case "count":
            count = _number(value)
            return NodeMatch(gpu_count=count) if count else None
        case "memory":
            return _by_memory(_number(value))
        case "cloud_memory":
            listed = row["values"].get(value)
            return NodeMatch(gpus=gpus_of(listed["gpus"]), fraction=listed.get("fraction", 1.0)) if listed else None
        case "family":
            low, high = row["values"].get(value, ((0, 0), (0, 0)))
            return _by_capability(tuple(low), tuple(high))
        case "compute_major":
            major = _number(value)
            return _by_capability((major, 0), (major + 1, 0)) if major else None
        case "compute_minor":
            minor = _number(value)
            return _boards(b for b in all_gpus() if b.compute_capability and b.compute_capability[1] == minor)
        case "shared":
            return NodeMatch(shared=True) if value in row["values"] else None
        case "replicas":
            replicas = _number(value)
            return NodeMatch(shared=True) if replicas and replicas > 1 else None
        case "mig_profile":
            return _partitioned(value)
        case "mig_present":
            return _partitioned(profile) if profile and _number(value) else None
        case "mig_capable":
            return _mig_capable(value)
        case "mig_config":
            return _mig_config(value)
    return None


def match_values(key: str, values: Iterable[str]) -> NodeMatch | None:
    """What a selector with operator `In` says: the boards of all values; None as soon as one value is unknown."""
    return either(match_label(key, value) for value in values)


def known_wrong_product(value: str) -> str | None:
    """The right spelling(s) of a `nvidia.com/gpu.product` value that no node carries, joined by " or ".

    Label values are case-sensitive: a value that differs from a real one by case alone is wrong too. The sharing and
    MIG suffixes are kept. None when the value is right or unknown.
    """
    base = re.sub(r"(?:-MIG-.*?)?(?:-SHARED)?$", "", value)
    if base in _products():
        return None
    right = _wrong_products().get(base)
    if right is None:
        right = [label for label in _products() if label.casefold() == base.casefold()]
    suffix = value[len(base) :]
    return " or ".join(label + suffix for label in right) or None


# -- the tables --------------------------------------------------------------------------------------------------------


@cache
def _labels() -> dict[str, dict[str, Any]]:
    return {row["key"]: row for row in table("node_labels")["labels"]}


@cache
def _products() -> dict[str, Gpu]:
    return {label: board for board in all_gpus() for label in board.product_labels}


@cache
def _wrong_products() -> dict[str, list[str]]:
    return {row["wrong"]: row["right"] for row in table("gpus")["wrong_product_labels"]}


def _label(key: str) -> tuple[dict[str, Any] | None, str | None]:
    """The table's row for a key and, for `nvidia.com/mig-<profile>.<what>`, the profile."""
    if not key.startswith(_MIG_LABEL_PREFIX):
        return _labels().get(key), None
    resource, _, what = key.rpartition(".")
    profile = profile_of_resource(resource)
    return (_labels().get(f"{_MIG_LABEL_PREFIX}<profile>.{what}") if profile else None), profile


def _number(value: str) -> int | None:
    return int(value) if re.fullmatch(r"[0-9]{1,9}", value) else None


# -- one kind of label each --------------------------------------------------------------------------------------------


def _boards(boards: Iterable[Gpu]) -> NodeMatch | None:
    candidates = tuple(boards)
    return NodeMatch(gpus=candidates) if candidates else None


def _product(value: str) -> NodeMatch | None:
    """GPU Feature Discovery: the product, then `-MIG-<profile>`, then `-SHARED`."""
    shared = value.endswith("-SHARED")
    base, mig, suffix = value.removesuffix("-SHARED").partition("-MIG-")
    # In a label, as in a resource name, "+" is written "."; "-MIG-INVALID" is a node that serves nothing.
    profile = profile_of_resource(_MIG_LABEL_PREFIX + suffix) if mig else None
    board = _products().get(base)
    if board is None or (mig and profile is None):
        return None
    return NodeMatch(gpus=(board,), mig_profile=profile, shared=shared)


def _listed(row: dict[str, Any], value: str) -> NodeMatch | None:
    gpu_ids = row["values"].get(value)
    if gpu_ids:
        return NodeMatch(gpus=gpus_of(gpu_ids))
    return _named(value) if row.get("by_name") else None


def _named(value: str, provider: str | None = None) -> NodeMatch | None:
    """A value that may be any spelling of a GPU; with a provider, only the boards that it rents out."""
    return _boards(b for b in gpus_named(value) if provider is None or b.id in provider_gpu_ids(provider))


def _by_memory(memory_mib: int | None) -> NodeMatch | None:
    """Boards with this much memory per device: the GPU, or under MIG strategy single one slice."""
    if not memory_mib:
        return None
    boards: list[Gpu] = []
    for board in all_gpus():
        mig_family = family_of(board)
        slices = [profile.memory_mib for profile in mig_family.profiles] if mig_family else []
        totals = [board.memory_mib, *board.memory_mib_other, *slices]
        if any(total and abs(total - memory_mib) <= _MEMORY_TOLERANCE * total for total in totals):
            boards.append(board)
    return _boards(boards)


def _by_capability(low: tuple[int, ...], high: tuple[int, ...]) -> NodeMatch | None:
    return _boards(b for b in all_gpus() if b.compute_capability and low <= b.compute_capability < high)


def _partitioned(profile: str) -> NodeMatch | None:
    boards = gpus_with(profile) if parse_profile(profile) else ()
    return NodeMatch(gpus=boards, mig_profile=profile) if boards else None


def _mig_capable(value: str) -> NodeMatch | None:
    if value not in ("true", "false"):
        return None
    capable = value == "true"
    return _boards(b for b in all_gpus() if b.vendor == "nvidia" and b.mig_capable is capable)


def _mig_config(name: str) -> NodeMatch | None:
    """One of mig-parted's own configurations that cuts every GPU into one profile (`all-1g.10gb`)."""
    profiles = {profile for entry in default_mig_config(name) or () for profile in entry.mig_devices}
    return _partitioned(profiles.pop()) if len(profiles) == 1 else None
