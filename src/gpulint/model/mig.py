"""How GPUs are partitioned: MIG layouts as a configuration asks for them."""

from __future__ import annotations

from dataclasses import field

from gpulint.model.values import ObjectRef, Sourced
from gpulint.record import record
from gpulint.source.text import Place


@record
class ProfileCount:
    """`"1g.10gb": 7` of a layout."""

    profile: Sourced[str]
    count: Sourced[int]


@record
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


@record
class MigPlan:
    """A MIG partition configuration (mig-parted, GPU Operator): named layouts.

    `name_place` is where the object that holds it is named, None for a file.
    """

    ref: ObjectRef
    place: Place
    layouts: list[MigLayout] = field(default_factory=list)
    schema_errors: list[SchemaError] = field(default_factory=list)
    name_place: Place | None = None


@record
class SchemaError:
    """Where a document departs from its JSON Schema, and how."""

    place: Place
    message: str
