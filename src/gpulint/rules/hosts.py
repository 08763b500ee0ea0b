"""What rules about hosts share: their GPUs in words, and what a host offers to a container."""

from __future__ import annotations

from collections.abc import Sequence

from gpulint.finding import Evidence
from gpulint.model.host import HostGpu, KnownHost
from gpulint.model.landing import Landing


def gpus_in_words(gpus: Sequence[HostGpu]) -> str:
    """`GPU 3`, `GPUs 0, 1 and 4`."""
    indices = [str(gpu.index) for gpu in gpus]
    if len(indices) == 1:
        return f"GPU {indices[0]}"
    return f"GPUs {', '.join(indices[:-1])} and {indices[-1]}"


def offered(known: KnownHost, strategy: str | None) -> int | None:
    """The most devices that `nvidia.com/gpu` can be on a host, however slices are offered; None if not known."""
    host = known.host
    total = len(host.gpus) + host.hidden_gpus
    if strategy == "none" or not any(gpu.mig for gpu in host.gpus):
        return total
    whole = sum(1 for gpu in host.gpus if gpu.mig is not True) + host.hidden_gpus
    if strategy == "mixed":
        return whole
    slices = host.slices()
    return max(whole, sum(len(devices) for devices in slices.values())) if slices is not None else None


def slices_in_words(known: KnownHost) -> str | None:
    """What MIG offers on a host, to go on after its name; None where it is not known."""
    slices = known.host.slices()
    if slices is None:
        return None
    if not slices:
        return "has no MIG slice" if any(gpu.mig for gpu in known.host.gpus) else "has MIG off on all of its GPUs"
    return "has " + ", ".join(f"{len(devices)} × {profile}" for profile, devices in sorted(slices.items()))


def evidence_of_hosts(landing: Landing) -> list[Evidence]:
    """What each host has, where it says so."""
    return [
        Evidence(known.label, known.summary(), known.place_of(known.host.gpus[0], "name"))
        for known in landing.hosts or landing.elsewhere
    ]
