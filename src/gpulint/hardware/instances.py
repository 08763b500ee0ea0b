"""Cloud instance types: which GPUs, how many, connected how."""

from __future__ import annotations

from functools import cache
from typing import Any

from gpulint.hardware._tables import table
from gpulint.hardware.gpus import gpus_of
from gpulint.hardware.match import NodeMatch, either


def instance_type(name: str) -> NodeMatch | None:
    """The GPUs of an instance type (`p4d.24xlarge`, `ml.g5.xlarge`, `a3-highgpu-8g`, `Standard_NC24ads_A100_v4`).

    Case does not matter. None for an instance type without GPUs and for an unknown one.
    """
    key = name.strip().casefold().removeprefix("ml.")
    row = _rows().get(key)
    if row is not None:
        return _match(row)
    from fnmatch import fnmatchcase

    for row in table("instances")["patterns"]:
        if fnmatchcase(key, row["pattern"].casefold()):
            return _match(row)
    return None


def instance_family(provider: str, family: str) -> NodeMatch | None:
    """The GPUs of all instance types of a family: `g5` of `aws`, `a3` of `gcp`. None for a family without GPUs."""
    separator = {"aws": ".", "gcp": "-"}[provider]
    prefix = family.strip().casefold() + separator
    rows = [row for key, row in _rows().items() if row["provider"] == provider and key.startswith(prefix)]
    return either(_match(row) for row in rows) if rows else None


@cache
def provider_gpu_ids(provider: str) -> frozenset[str]:
    """The ids of all GPUs that the instance types of `provider` have."""
    return frozenset(gpu_id for row in _rows().values() if row["provider"] == provider for gpu_id in row["gpus"])


@cache
def _rows() -> dict[str, dict[str, Any]]:
    return {row["instance"].casefold(): row for row in table("instances")["instances"]}


def _match(row: dict[str, Any]) -> NodeMatch:
    return NodeMatch(
        gpus=gpus_of(row["gpus"]),
        gpu_count=row.get("gpu_count"),
        interconnect=row.get("interconnect"),
        fraction=row.get("fraction", 1.0),
    )
