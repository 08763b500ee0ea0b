"""Devices of Dynamic Resource Allocation: claims, the requests in them, and device classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field

from gpulint.hardware.dra import Device, device
from gpulint.model.values import ObjectRef, Sourced
from gpulint.model.workload import GpuRequest, Placement
from gpulint.record import record
from gpulint.source.text import Place


@record
class DeviceRequest:
    """One request of a claim: `count` devices of a class that all `selectors` (CEL) accept.

    `count` is None where it is a variable or all devices of a node are asked for. `alternatives` are the
    subrequests of which the first that can be met is taken. `admin` access leaves the devices to others; `shared` says
    that the claim's configuration time-slices its devices or shares them through MPS.
    """

    name: str | None
    place: Place
    key_place: Place
    device_class: str | None = None
    count: int | None = 1
    selectors: list[Sourced[str]] = field(default_factory=list)
    alternatives: list[DeviceRequest] = field(default_factory=list)
    admin: bool = False
    shared: bool = False


@record
class DeviceClaim:
    """A ResourceClaim or ResourceClaimTemplate, or what an operator makes one of."""

    ref: ObjectRef
    place: Place
    requests: list[DeviceRequest]


@record
class DeviceClass:
    """A DeviceClass: the selectors (CEL) that its devices meet."""

    ref: ObjectRef
    place: Place
    selectors: list[Sourced[str]]


@record
class ClaimUse:
    """A claim in a pod: its name there, and the object behind it (`kind` ResourceClaim or ResourceClaimTemplate).

    `claim` is set where the pod's own object describes the claim.
    """

    name: str
    place: Place
    kind: str = "ResourceClaimTemplate"
    target: str | None = None
    claim: DeviceClaim | None = None


def gpu_requests(
    requests: Sequence[DeviceRequest], classes: Mapping[str, Sequence[str]], *, shared: bool
) -> tuple[list[GpuRequest], list[Placement]] | None:
    """What the requests of a claim give a container, and the boards that their selectors name.

    None where a request cannot be told. `shared` says that several containers or pods use the claim.
    """
    gpus: list[GpuRequest] = []
    placements: list[Placement] = []
    for request in requests:
        if request.admin:
            continue
        found = _devices(request, classes)
        if found is None:
            return None
        kind, count = found
        if kind.vendor is None:
            continue
        profile = next((s for s in request.selectors if ".profile" in s.value), None) if kind.profile else None
        gpus.append(
            GpuRequest(
                resource=request.device_class or request.alternatives[0].device_class or "",
                vendor=kind.vendor,
                count=count,
                place=request.place,
                key_place=profile.place if profile is not None else request.key_place,
                mig_profile=kind.profile,
                shared=shared or request.shared,
            )
        )
        if kind.gpus:
            why = next(selector for selector in request.selectors if "productName" in selector.value)
            placements.append(Placement(kind.gpus, why))
    return gpus, placements


def _devices(request: DeviceRequest, classes: Mapping[str, Sequence[str]]) -> tuple[Device, int | None] | None:
    if request.alternatives:
        each = [_devices(alternative, classes) for alternative in request.alternatives]
        known = [found for found in each if found is not None]
        if len(known) < len(each) or len({(kind.vendor, kind.profile) for kind, _ in known}) != 1:
            return None
        first, count = known[0]
        return first._replace(gpus=()), count if all(other == count for _, other in known) else None
    if request.device_class is None:
        return None
    selectors = [selector.value for selector in request.selectors]
    kind = device(request.device_class, selectors, classes)
    return (kind, request.count) if kind is not None else None
