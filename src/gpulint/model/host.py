"""A GPU host as it was measured: plain data, without a word about how it was read or where it is written.

`None` is unknown throughout: the driver does not support the question, does not permit it, or is too old for it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

from gpulint.model.values import ObjectRef
from gpulint.source.text import Place

# Reasons for lower clocks that no load explains. Source: nvml.h, nvmlClocksEventReasons.
SLOWDOWNS = ("hw-slowdown", "hw-thermal", "sw-thermal", "power-brake")


@dataclass(slots=True, frozen=True)
class MigDevice:
    """A MIG device: `start` and `size` are its place on the GPU in memory slices, memory is in MiB."""

    profile: str | None = None
    gpu_instance: int | None = None
    compute_instance: int | None = None
    start: int | None = None
    size: int | None = None
    memory_mib: int | None = None
    used_mib: int | None = None
    uuid: str | None = None

    @property
    def free_mib(self) -> int | None:
        return None if self.memory_mib is None or self.used_mib is None else self.memory_mib - self.used_mib


@dataclass(slots=True, frozen=True)
class Process:
    """A process that holds memory of a GPU; pid and name are identifiers."""

    used_mib: int | None = None
    gpu_instance: int | None = None
    pid: int | None = None
    name: str | None = None


@dataclass(slots=True, frozen=True)
class HostGpu:
    """One GPU. Memory in MiB as NVML reports it; `used_mib` leaves out what the driver reserves (`reserved_mib`).

    `product_label` is what GPU Feature Discovery makes of the name. `mig_devices` is empty where MIG is off.
    `nvlinks` are the active links, `nvswitch` says that they lead to a switch. `fabric` is the state of the NVSwitch
    fabric (`completed`, `in-progress`, `not-started`, `failed`). `pcie_generation` is the highest of GPU and slot
    together, `pcie_gpu_generation` that of the GPU. `clock_reasons` say why clocks are not higher (`SLOWDOWNS`).
    `problem` is `lost` (fell off the bus) or `reset-required`. `uuid` and `serial` are identifiers.
    """

    index: int
    name: str | None = None
    product_label: str | None = None
    pci_device_id: str | None = None
    memory_mib: int | None = None
    used_mib: int | None = None
    reserved_mib: int | None = None
    compute_capability: str | None = None
    mig: bool | None = None
    mig_pending: bool | None = None
    mig_devices: tuple[MigDevice, ...] | None = None
    nvlinks: int | None = None
    nvswitch: bool | None = None
    fabric: str | None = None
    pcie_generation: int | None = None
    pcie_gpu_generation: int | None = None
    pcie_width: int | None = None
    ecc: bool | None = None
    ecc_pending: bool | None = None
    ecc_uncorrected: int | None = None
    remap_pending: bool | None = None
    remap_failure: bool | None = None
    persistence: bool | None = None
    compute_mode: str | None = None
    power_limit_w: int | None = None
    power_default_w: int | None = None
    clock_max_mhz: int | None = None
    clock_reasons: tuple[str, ...] | None = None
    processes: tuple[Process, ...] | None = None
    problem: str | None = None
    uuid: str | None = None
    serial: str | None = None

    @property
    def free_mib(self) -> int | None:
        """What an engine can still take."""
        if self.memory_mib is None or self.used_mib is None:
            return None
        return self.memory_mib - self.used_mib - (self.reserved_mib or 0)


@dataclass(slots=True, frozen=True)
class Pair:
    """How two GPUs reach each other.

    `nvlink` says whether at all over NVLink, `nvlinks` over how many direct links (None through a switch). `p2p` is
    `ok`, or why one cannot read the other's memory. `topology` is what PCIe has in common: PIX, PXB, PHB, NODE, SYS.
    """

    first: int
    second: int
    nvlink: bool | None = None
    nvlinks: int | None = None
    p2p: str | None = None
    topology: str | None = None


@dataclass(slots=True, frozen=True)
class Host:
    """A host: versions of driver, of the CUDA that the driver supports, and of NVML; its GPUs and their pairs.

    `hidden_gpus` are there, but not for this user or container.
    """

    driver: str | None = None
    cuda: str | None = None
    nvml: str | None = None
    host_name: str | None = None
    hidden_gpus: int = 0
    gpus: tuple[HostGpu, ...] = ()
    pairs: tuple[Pair, ...] = ()

    @property
    def cuda_version(self) -> tuple[int, int] | None:
        major, dot, minor = (self.cuda or "").partition(".")
        return (int(major), int(minor)) if dot and major.isdigit() and minor.isdigit() else None

    @property
    def partitioned(self) -> bool:
        """Whether every GPU is in MIG mode."""
        return bool(self.gpus) and all(gpu.mig for gpu in self.gpus)

    def slices(self) -> dict[str, list[MigDevice]] | None:
        """The MIG devices by profile; None where one is not known."""
        found: dict[str, list[MigDevice]] = {}
        for gpu in self.gpus:
            if gpu.mig_devices is None and gpu.mig is not False:
                return None
            for device in gpu.mig_devices or ():
                if device.profile is None:
                    return None
                found.setdefault(device.profile, []).append(device)
        return found

    def pair(self, one: int, other: int) -> Pair | None:
        return next((pair for pair in self.pairs if {pair.first, pair.second} == {one, other}), None)

    def link(self) -> Literal["none", "nvswitch", "nvlink", "bridge_pair", "pcie"] | None:
        """What connects the GPUs, in the words of `NodeMatch.interconnect`; `bridge_pair` where some have NVLink.

        None where it is not known for a pair, and where GPUs are in MIG mode, which has no peer access.
        """
        if len(self.gpus) + self.hidden_gpus == 1:
            return "none"
        if self.hidden_gpus or any(gpu.mig is True for gpu in self.gpus):
            return None
        pairs = [self.pair(one.index, other.index) for one, other in combinations(self.gpus, 2)]
        states = [pair.nvlink if pair is not None else None for pair in pairs]
        if not states or None in states:
            return None
        if all(states):
            return "nvswitch" if any(gpu.nvswitch for gpu in self.gpus) else "nvlink"
        return "bridge_pair" if any(states) else "pcie"

    def group(self, size: int, reach: Callable[[Pair], bool]) -> tuple[int, ...] | None:
        """The first group of so many GPUs whose pairs all satisfy `reach`; None where there is none.

        Device plugins prefer GPUs that are well connected.
        """
        indices = sorted(gpu.index for gpu in self.gpus)
        reached = {(pair.first, pair.second) for pair in self.pairs if reach(pair)}
        reached |= {(second, first) for first, second in reached}
        return next(filter(None, (_grown([index], indices, reached, size) for index in indices)), None)


def _grown(group: list[int], indices: list[int], reached: set[tuple[int, int]], size: int) -> tuple[int, ...] | None:
    if len(group) == size:
        return tuple(group)
    for index in indices:
        if index > group[-1] and all((index, member) in reached for member in group):
            found = _grown([*group, index], indices, reached, size)
            if found is not None:
                return found
    return None


@dataclass(slots=True, eq=False)
class KnownHost:
    """A host with the text that describes it, in which a finding can point.

    `label` is how a sentence names it (`this host`). `current` says that it is being measured now: memory in use,
    clocks and processes are then facts about the present, and otherwise say nothing. `places` are the spans of the
    text by their path: `gpus[0].name`.
    """

    host: Host
    label: str
    current: bool
    place: Place
    places: Mapping[str, Place]

    @property
    def ref(self) -> ObjectRef:
        return ObjectRef("Host", None, self.place.source.path)

    def place_of(self, gpu: HostGpu, key: str) -> Place:
        """Where a property of a GPU stands, by its name in the JSON; the GPU, or the host, if it is not written."""
        at = next(at for at, other in enumerate(self.host.gpus) if other is gpu)
        path = f"gpus[{at}]"
        return self.places.get(f"{path}.{key}") or self.places.get(f"{path}.index") or self.place

    def summary(self) -> str:
        """The GPUs in a few words: `8 × NVIDIA H100 80GB HBM3`."""
        counts: dict[str, int] = {}
        for gpu in self.host.gpus:
            name = gpu.name or "unknown GPU"
            counts[name] = counts.get(name, 0) + 1
        return " + ".join(f"{count} × {name}" for name, count in counts.items()) or "no GPU"
