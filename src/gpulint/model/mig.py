"""How GPUs are partitioned: MIG layouts as a configuration asks for them."""

from __future__ import annotations

from dataclasses import dataclass, field

from gpulint.model.values import ObjectRef, Sourced
from gpulint.source.text import Place


@dataclass(slots=True, eq=False)
class ProfileCount:
    """`"1g.10gb": 7` of a layout."""

    profile: Sourced[str]
    count: Sourced[int]


@dataclass(slots=True, eq=False)
class MigLayout:
    """One entry of a named MIG configuration: which devices, and the instances that each of them gets.

    `device_filter` holds the PCI device ids that select the GPU model, as written; empty for any model.
    `devices` is None for all devices of the node.
    """

    ref: ObjectRef
    config: str
    place: Place
    enabled: bool | None
    device_filter: list[Sourced[str]]
    devices: list[int] | None
    profiles: list[ProfileCount]


@dataclass(slots=True, eq=False)
class MigPlan:
    """A MIG partition configuration (mig-parted, GPU Operator): named layouts.

    `name_place` is where the object that holds it is named, None for a file.
    """

    ref: ObjectRef
    place: Place
    layouts: list[MigLayout] = field(default_factory=list)
    schema_errors: list[SchemaError] = field(default_factory=list)
    name_place: Place | None = None


@dataclass(slots=True, eq=False)
class SchemaError:
    """Where a document departs from its JSON Schema, and how."""

    place: Place
    message: str
