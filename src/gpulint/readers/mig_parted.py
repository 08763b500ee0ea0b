"""MIG partition configurations (mig-parted, the GPU Operator's mig-manager): as a file and inside a ConfigMap."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from gpulint.data import read_schema
from gpulint.model.mig import MigLayout, MigPlan, ProfileCount, SchemaError
from gpulint.model.project import Project
from gpulint.model.values import ObjectRef, Sourced
from gpulint.readers._manifest import Manifest, sourced, sourced_int, sourced_text
from gpulint.source.text import Place
from gpulint.source.yaml import Node

MARKS = (("mig-configs",),)
KINDS = frozenset({("", "ConfigMap")})


def claims_file(root: Node) -> bool:
    return root.get("mig-configs") is not None


def read_file(root: Node, project: Project) -> None:
    ref = ObjectRef("MIG configuration", None, root.document.source.path.rpartition("/")[2])
    project.mig_plans.append(_plan(root, ref))


def read_object(manifest: Manifest, project: Project) -> None:
    data = manifest.node.get("data")
    for _, value in data.items() if data is not None else ():
        inner = value.embedded() if value.text is not None and "mig-configs" in value.text else None
        if inner is not None and claims_file(inner.root):
            plan = _plan(inner.root, manifest.ref)
            plan.name_place = manifest.name_node().place
            project.mig_plans.append(plan)


def _plan(root: Node, ref: ObjectRef) -> MigPlan:
    configs = root.get("mig-configs")
    plan = MigPlan(ref, (configs or root).key_place, schema_errors=_schema_errors(root))
    for name, entries in configs.items() if configs is not None else ():
        plan.layouts += [_layout(name, entry, plan.ref) for entry in entries.elements() if entry.is_mapping]
    return plan


def _layout(config: str, entry: Node, ref: ObjectRef) -> MigLayout:
    enabled = entry.get("mig-enabled")
    devices = entry.get("devices")
    profiles = entry.get("mig-devices")
    counts = []
    for profile, value in profiles.items() if profiles is not None else ():
        count = sourced_int(value)
        if count is not None:
            counts.append(ProfileCount(Sourced(profile, value.key_place, value.key_place), count))
    return MigLayout(
        ref=ref,
        config=config,
        place=(profiles or entry).key_place,
        enabled=enabled.value if enabled is not None and isinstance(enabled.value, bool) else None,
        device_filter=_device_filter(entry.get("device-filter")),
        devices=[n.value for n in devices.elements() if isinstance(n.value, int)]
        if devices is not None and devices.is_sequence
        else None,
        profiles=counts,
    )


def _device_filter(node: Node | None) -> list[Sourced[str]]:
    if node is None:
        return []
    if node.is_sequence:
        return [sourced(element.text, element) for element in node.elements() if element.text is not None]
    one = sourced_text(node)
    return [one] if one is not None else []


@cache
def _validator() -> Any:  # noqa: ANN401  # jsonschema's validators have no common exported type
    from jsonschema import Draft202012Validator

    return Draft202012Validator(json.loads(read_schema("mig-parted-config")))


def _schema_errors(root: Node) -> list[SchemaError]:
    try:
        data = root.data()
    except ValueError as error:
        return [SchemaError(root.place, str(error))]
    found = []
    for departure in sorted(_validator().iter_errors(data), key=lambda e: [str(step) for step in e.absolute_path]):
        nearest = _nearest(departure)
        node = root.at(*nearest.absolute_path)
        if node is not None:
            found.append(SchemaError(_place(node, nearest), _say(nearest)))
    return found


def _nearest(error: Any) -> Any:  # noqa: ANN401
    """Of alternatives that a value fits none of, the one it comes closest to, unless the schema has words for all."""
    from jsonschema.exceptions import best_match

    return error if "errorMessage" in error.schema or not error.context else best_match([error])


def _place(node: Node, error: Any) -> Place:  # noqa: ANN401
    """The key that is wrong, else the value; a whole mapping is too much to point at, so its key stands for it."""
    if error.validator == "additionalProperties" and node.is_mapping:
        known = error.schema.get("properties", {})
        extra = next((value for key, value in node.items() if key not in known), node)
        return extra.key_place
    wrong_name = node.get(error.instance) if isinstance(error.instance, str) and node.is_mapping else None
    if wrong_name is not None:
        return wrong_name.key_place
    if node.is_mapping and node.key_raw is None:  # an element of a list, the document itself: its first key
        return next((value.key_place for _, value in node.items()), node.place)
    return node.place if node.is_scalar else node.key_place


def _say(error: Any) -> str:  # noqa: ANN401
    """A schema error in the words of our schema (`errorMessage`), else jsonschema's."""
    return str(error.schema.get("errorMessage") or error.message)
