"""Dynamic Resource Allocation: what a device class and the CEL selectors beside it say about a device."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Literal, NamedTuple

from gpulint.hardware.gpus import Gpu, gpus_named
from gpulint.hardware.mig import parse_profile

Vendor = Literal["nvidia", "amd", "intel", "habana", "google-tpu", "aws-neuron"]

# Device classes that drivers install, by what their devices are. Sources: kubernetes-sigs/dra-driver-nvidia-gpu
# deployments/helm (gpu.nvidia.com and mig.nvidia.com select on the attribute `type`); the examples of
# intel/intel-resource-drivers-for-kubernetes, ROCm/k8s-gpu-dra-driver, google/dra-driver-google-tpu, and of the drivers
# for AWS Neuron and EFA.
_WHOLE: dict[str, Vendor] = {
    "gpu.nvidia.com": "nvidia",
    "gpu.intel.com": "intel",
    "gaudi.intel.com": "habana",
    "gpu.amd.com": "amd",
    "neuron.aws.com": "aws-neuron",
    "tpu.google.com": "google-tpu",
}
_MIG_CLASS = "mig.nvidia.com"
_NOT_ACCELERATORS = frozenset({
    "compute-domain-daemon.nvidia.com",
    "compute-domain-default-channel.nvidia.com",
    "efa.networking.k8s.aws",
})  # fmt: skip


class Device(NamedTuple):
    """What a device of a request is. `vendor` is None for a device that is no accelerator (a network card).

    `profile` is the MIG profile of a slice; `gpus` are the boards that the selectors name, none where they name none.
    """

    vendor: Vendor | None
    profile: str | None = None
    gpus: tuple[Gpu, ...] = ()


def device(class_name: str, expressions: Iterable[str], classes: Mapping[str, Iterable[str]]) -> Device | None:
    """The devices of a class (its name) that these CEL expressions select; None where that is not known.

    `classes` gives the selectors of device classes that the project defines itself.
    """
    if class_name in _NOT_ACCELERATORS:
        return Device(None)
    facts = _facts(expressions)
    vendor = _WHOLE.get(class_name)
    is_slice = class_name == _MIG_CLASS
    if class_name in classes:
        own = _facts(classes[class_name])
        vendor = _WHOLE.get(own.get("driver", ""))
        is_slice = vendor == "nvidia" and own.get("type") == "mig"
        if vendor == "nvidia" and "type" not in own and "type" not in facts:
            return None  # a GPU or a slice of one
        facts = {**own, **facts}
    is_slice = is_slice or (vendor == "nvidia" and facts.get("type") == "mig")
    gpus = gpus_named(facts["productName"]) if "productName" in facts else ()
    if is_slice:
        profile = facts.get("profile")
        return Device("nvidia", profile, gpus) if profile is not None and parse_profile(profile) else None
    if vendor is None or facts.get("type", "gpu") != "gpu":
        return None
    return Device(vendor, None, gpus)


@cache
def _equality() -> re.Pattern[str]:
    """`device.driver == "x"` and `device.attributes["domain"].name == "x"`, either way of quoting."""
    return re.compile(
        r"""\s*\(*\s*device\.(?:(driver)|attributes\[(?:'[^']*'|"[^"]*")\]\.(\w+))\s*==\s*(?:'([^']*)'|"([^"]*)")\s*\)*\s*"""
    )


def _facts(expressions: Iterable[str]) -> dict[str, str]:
    """The attributes that every selected device has: `type`, `productName`, …, and `driver`.

    Of an expression with alternatives nothing is taken; a comparison of another kind only narrows further.
    """
    found: dict[str, str] = {}
    for expression in expressions:
        if "||" in expression or "?" in expression or "!(" in expression:
            continue
        for part in expression.split("&&"):
            match = _equality().fullmatch(part)
            if match is not None:
                driver, attribute, single, double = match.groups()
                found[driver or attribute] = single if single is not None else double
    return found
