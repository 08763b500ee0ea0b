"""Dynamic Resource Allocation: ResourceClaim, ResourceClaimTemplate, DeviceClass of resource.k8s.io v1 and v1beta."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gpulint.model.project import Project
from gpulint.model.values import Sourced
from gpulint.readers._manifest import Manifest, count, sourced, text_at
from gpulint.readers._pods import elements
from gpulint.source.yaml import Node

if TYPE_CHECKING:
    from gpulint.model.devices import DeviceRequest

MARKS = (("resource.k8s.io",), ("ResourceClaim", "DeviceClass"))
_GROUP = "resource.k8s.io"
KINDS = frozenset({(_GROUP, kind) for kind in ("ResourceClaim", "ResourceClaimTemplate", "DeviceClass")})


def read_object(manifest: Manifest, project: Project) -> None:
    from gpulint.model.devices import DeviceClaim, DeviceClass

    spec = manifest.node.get("spec")
    if spec is None:
        return
    place = manifest.name_node().place
    if manifest.kind == "DeviceClass":
        project.device_classes.append(DeviceClass(manifest.ref, place, selectors_of(spec.get("selectors"))))
        return
    devices = spec.at("spec", "devices") if manifest.kind == "ResourceClaimTemplate" else spec.get("devices")
    if devices is None:
        return  # v1alpha: a class's own parameters
    shared = _shared_requests(devices)
    requests = [_request(node, shared) for node in elements(devices, "requests")]
    project.device_claims.append(DeviceClaim(manifest.ref, place, requests))


def _request(node: Node, shared: set[str | None]) -> DeviceRequest:
    """One request; v1 nests it under `exactly`, v1beta1 has its fields beside the name.

    Source: Kubernetes API reference, DeviceRequest and DeviceSubRequest.
    """
    name = text_at(node, "name")
    alternatives = [_exact(element, text_at(element, "name")) for element in elements(node, "firstAvailable")]
    request = _exact(node.get("exactly") or node, name)
    request.shared = name in shared or None in shared
    for alternative in alternatives:
        alternative.shared = request.shared
    request.alternatives = alternatives
    return request


def _exact(node: Node, name: str | None) -> DeviceRequest:
    from gpulint.model.devices import DeviceRequest

    number, class_name = node.get("count"), node.get("deviceClassName")
    at = number or class_name or node
    admin = node.get("adminAccess")
    takes_all = text_at(node, "allocationMode") == "All"
    return DeviceRequest(
        name=name,
        place=at.place,
        key_place=at.key_place,
        device_class=class_name.text if class_name is not None else None,
        count=None if takes_all else count(number, default=1),
        selectors=selectors_of(node.get("selectors")),
        admin=admin is not None and admin.value is True,
    )


def selectors_of(node: Node | None) -> list[Sourced[str]]:
    """The CEL expressions of `selectors: [{cel: {expression}}]`, or of a plain list of expressions."""
    found = []
    for element in node.elements() if node is not None else ():
        expression = element if element.is_scalar else element.at("cel", "expression")
        if expression is not None and expression.text is not None:
            found.append(sourced(expression.text, expression))
    return found


def _shared_requests(devices: Node) -> set[str | None]:
    """The requests whose devices the claim's configuration shares; None among them stands for all.

    Source: dra-driver-nvidia-gpu api/nvidia.com/resource/v1beta1, GpuConfig and MigDeviceConfig, `sharing.strategy`.
    """
    found: set[str | None] = set()
    for config in elements(devices, "config"):
        if config.at("opaque", "parameters", "sharing", "strategy") is None:
            continue
        listed = config.get("requests")
        names = [element.text for element in listed.elements()] if listed is not None else []
        found |= set(names) or {None}
    return found
