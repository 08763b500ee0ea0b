"""NVML to `Host`: asks what can be asked, changes nothing, needs no privilege.

Every question may be unsupported, not permitted or missing in an old driver; its answer is then None. Identifiers
(UUIDs, serial numbers, host name, ids and names of processes) are read only when asked for.
Source of functions, units and codes: nvml.h and nvidia-ml-py 13.615.71.
"""

from __future__ import annotations

from ctypes import byref
from itertools import combinations
from typing import Any

import pynvml

from gpulint.model.host import Host, HostGpu, MigDevice, Pair, Process

_MIB = 2**20
_NO_PERMISSION, _GPU_IS_LOST, _RESET_REQUIRED = 4, 15, 16
_PROBLEMS = {_GPU_IS_LOST: "lost", _RESET_REQUIRED: "reset-required"}
_INIT_ERRORS = {
    4: "this user may not talk to the NVIDIA driver (no permission for its devices)",
    9: "the NVIDIA driver is not loaded on this host",
    12: "this host has no NVIDIA driver library (libnvidia-ml.so.1); in a container, the NVIDIA runtime brings it with "
    "the driver capability `utility`",
    13: "the libnvidia-ml.so.1 of this host is too old for gpulint",
    18: "the library and the kernel module of the NVIDIA driver have different versions, as after an update: reload "
    "the module or restart the host",
}
_COMPUTE_MODES = {0: "default", 1: "exclusive-thread", 2: "prohibited", 3: "exclusive-process"}
_FABRIC = {1: "not-started", 2: "in-progress", 3: "completed"}
_TOPOLOGY = {0: "INTERNAL", 10: "PIX", 20: "PXB", 30: "PHB", 40: "NODE", 50: "SYS"}
# pynvml 13 defines NVML_P2P_CAPS_INDEX_READ as a tuple, by a stray comma.
_P2P_READ, _P2P_NVLINK = 0, 2
_P2P = {
    0: "ok",
    1: "chipset-not-supported",
    2: "gpu-not-supported",
    3: "topology-not-supported",
    4: "disabled-by-registry-key",
    5: "not-supported",
}
_CLOCK_REASONS = {
    0x1: "idle",
    0x2: "application-clocks",
    0x4: "power-cap",
    0x8: "hw-slowdown",
    0x10: "sync-boost",
    0x20: "sw-thermal",
    0x40: "hw-thermal",
    0x80: "power-brake",
    0x100: "display",
}
_LINK_TO_SWITCH = 2
_UNCORRECTED, _VOLATILE = 1, 0
_CLOCK_SM = 1
# The struct's version and size, as nvml.h computes them.
_MEMORY_V2 = 0x02000028


class NvmlUnavailable(Exception):  # noqa: N818 - what it is, as a caller reads it
    """NVML cannot be used on this host: one sentence that says why."""


class _Device:
    """A device handle to ask. `problem` is set when the GPU turns out lost or in need of a reset."""

    def __init__(self, handle: object) -> None:
        self.handle = handle
        self.problem: str | None = None

    def ask(self, function: str, *arguments: object) -> Any:  # noqa: ANN401  # what the function gives
        value, code = _call(function, self.handle, *arguments)
        self.problem = self.problem or _PROBLEMS.get(code)
        return value


def read_host(*, identifiers: bool = False) -> Host:
    """Reads this host. Raises NvmlUnavailable where NVML cannot be started or sees no GPU at all."""
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError as error:
        raise NvmlUnavailable(
            _INIT_ERRORS.get(error.value, f"NVML does not start on this host (error {error.value})")
        ) from None
    try:
        return _read(identifiers)
    finally:
        _call("nvmlShutdown")


def _call(function: str, *arguments: object) -> tuple[Any, int]:
    """The answer of an NVML function and its return code; None with the code (-1: none at all) where it has none."""
    try:
        return getattr(pynvml, function)(*arguments), 0
    except pynvml.NVMLError as error:
        return None, error.value
    except (AttributeError, UnicodeDecodeError, pynvml.NVMLLibraryMismatchError):
        return None, -1


def _read(identifiers: bool) -> Host:
    count, code = _call("nvmlDeviceGetCount")
    if count is None:
        raise NvmlUnavailable(_INIT_ERRORS.get(code, f"NVML does not count the GPUs of this host (error {code})"))
    devices: dict[int, _Device] = {}
    gpus: list[HostGpu] = []
    hidden = 0
    for index in range(count):
        handle, code = _call("nvmlDeviceGetHandleByIndex", index)
        if handle is not None:
            devices[index] = _Device(handle)
        elif code == _NO_PERMISSION:
            hidden += 1
        else:
            gpus.append(HostGpu(index, problem=_PROBLEMS.get(code)))
    if not devices and not gpus:
        what = "none of the GPUs of this host is visible to this user or container" if hidden else "it has no GPU"
        raise NvmlUnavailable(f"this host has an NVIDIA driver, but {what}")
    links: dict[int, _Links] = {}
    for index, device in devices.items():
        gpu, links[index] = _gpu(index, device, identifiers)
        gpus.append(gpu)
    gpus.sort(key=lambda gpu: gpu.index)
    # GPUs in MIG mode have no access to others.
    reaching = [gpu.index for gpu in gpus if gpu.index in devices and not gpu.mig and gpu.problem is None]
    cuda = _call("nvmlSystemGetCudaDriverVersion_v2")[0] or _call("nvmlSystemGetCudaDriverVersion")[0]
    return Host(
        driver=_call("nvmlSystemGetDriverVersion")[0],
        cuda=f"{cuda // 1000}.{cuda % 1000 // 10}" if cuda else None,
        nvml=_call("nvmlSystemGetNVMLVersion")[0],
        host_name=_host_name() if identifiers else None,
        hidden_gpus=hidden,
        gpus=tuple(gpus),
        pairs=tuple(_pair(one, other, devices, links) for one, other in combinations(reaching, 2)),
    )


def _host_name() -> str:
    import socket

    return socket.gethostname()


def _gpu(index: int, device: _Device, identifiers: bool) -> tuple[HostGpu, _Links]:
    name = device.ask("nvmlDeviceGetName")
    total, used, reserved = _memory(device)
    mig = device.ask("nvmlDeviceGetMigMode")
    pci = device.ask("nvmlDeviceGetPciInfo_v3")
    capability = device.ask("nvmlDeviceGetCudaComputeCapability")
    ecc = device.ask("nvmlDeviceGetEccMode")
    remapped = device.ask("nvmlDeviceGetRemappedRows")
    persistence = device.ask("nvmlDeviceGetPersistenceMode")
    links = _Links(device)
    gpu = HostGpu(
        index=index,
        name=name,
        # Source: NVIDIA/k8s-device-plugin internal/lm/resource.go: spaces become dashes.
        product_label=name.replace(" ", "-") if name is not None else None,
        pci_device_id=f"0x{pci.pciDeviceId >> 16:04X}" if pci is not None else None,
        memory_mib=total,
        used_mib=used,
        reserved_mib=reserved,
        compute_capability=f"{capability[0]}.{capability[1]}" if capability is not None else None,
        mig=bool(mig[0]) if mig is not None else None,
        mig_pending=bool(mig[1]) if mig is not None else None,
        mig_devices=_mig_devices(device, total, identifiers) if mig is not None else None,
        nvlinks=links.active if device.problem is None else None,
        nvswitch=links.to_switch if device.problem is None else None,
        fabric=_fabric(device),
        pcie_generation=device.ask("nvmlDeviceGetMaxPcieLinkGeneration"),
        pcie_gpu_generation=device.ask("nvmlDeviceGetGpuMaxPcieLinkGeneration"),
        pcie_width=device.ask("nvmlDeviceGetMaxPcieLinkWidth"),
        ecc=bool(ecc[0]) if ecc is not None else None,
        ecc_pending=bool(ecc[1]) if ecc is not None else None,
        ecc_uncorrected=device.ask("nvmlDeviceGetTotalEccErrors", _UNCORRECTED, _VOLATILE),
        remap_pending=bool(remapped[2]) if remapped is not None else None,
        remap_failure=bool(remapped[3]) if remapped is not None else None,
        persistence=bool(persistence) if persistence is not None else None,
        compute_mode=_COMPUTE_MODES.get(device.ask("nvmlDeviceGetComputeMode")),
        power_limit_w=_watts(device.ask("nvmlDeviceGetEnforcedPowerLimit")),
        power_default_w=_watts(device.ask("nvmlDeviceGetPowerManagementDefaultLimit")),
        clock_max_mhz=device.ask("nvmlDeviceGetMaxClockInfo", _CLOCK_SM),
        clock_reasons=_clock_reasons(device),
        processes=_processes(device, identifiers),
        uuid=device.ask("nvmlDeviceGetUUID") if identifiers else None,
        serial=device.ask("nvmlDeviceGetSerial") if identifiers else None,
        problem=device.problem,
    )
    return gpu, links


def _watts(milliwatts: int | None) -> int | None:
    return round(milliwatts / 1000) if milliwatts is not None else None


def _memory(device: _Device) -> tuple[int | None, int | None, int | None]:
    """Total, used and reserved memory in MiB. The first version of the call counts what is reserved as used."""
    memory = device.ask("nvmlDeviceGetMemoryInfo", _MEMORY_V2)
    if memory is not None:
        return memory.total // _MIB, memory.used // _MIB, memory.reserved // _MIB
    memory = device.ask("nvmlDeviceGetMemoryInfo")
    return (memory.total // _MIB, memory.used // _MIB, None) if memory is not None else (None, None, None)


def _mig_devices(device: _Device, total_mib: int | None, identifiers: bool) -> tuple[MigDevice, ...] | None:
    most = device.ask("nvmlDeviceGetMaxMigDeviceCount")
    if most is None:
        return None
    found: list[MigDevice] = []
    for index in range(most):
        # The indices have gaps: a device that was destroyed leaves one.
        handle = device.ask("nvmlDeviceGetMigDeviceHandleByIndex", index)
        if handle is None:
            continue
        slice_ = _Device(handle)
        attributes = slice_.ask("nvmlDeviceGetAttributes_v2")
        instance = slice_.ask("nvmlDeviceGetGpuInstanceId")
        total, used, _ = _memory(slice_)
        placement = None
        if instance is not None:
            owner = device.ask("nvmlDeviceGetGpuInstanceById", instance)
            info = _Device(owner).ask("nvmlGpuInstanceGetInfo") if owner is not None else None
            placement = info.placement if info is not None else None
        found.append(
            MigDevice(
                profile=_profile(slice_.ask("nvmlDeviceGetName"), attributes, total_mib),
                gpu_instance=instance,
                compute_instance=slice_.ask("nvmlDeviceGetComputeInstanceId"),
                start=placement.start if placement is not None else None,
                size=placement.size if placement is not None else None,
                memory_mib=total if total is not None else attributes.memorySizeMB if attributes is not None else None,
                used_mib=used,
                uuid=slice_.ask("nvmlDeviceGetUUID") if identifiers else None,
            )
        )
    return tuple(found)


def _profile(name: str | None, attributes: Any, total_mib: int | None) -> str | None:  # noqa: ANN401  # a C struct
    """The profile of a MIG device: drivers put it at the end of the name (`… MIG 1g.5gb`); else from its attributes.

    Source of the arithmetic: NVIDIA/go-nvlib pkg/nvlib/device/mig_profile.go.
    """
    _, found, profile = (name or "").rpartition(" MIG ")
    if found:
        return profile
    if attributes is None or not total_mib:
        return None
    eighths = -(-attributes.memorySizeMB * 8 // total_mib)
    memory_gb = round(eighths / 8 * -(-total_mib // 1024))
    compute, whole = attributes.computeInstanceSliceCount, attributes.gpuInstanceSliceCount
    return f"{whole}g.{memory_gb}gb" if compute == whole else f"{compute}c.{whole}g.{memory_gb}gb"


def _fabric(device: _Device) -> str | None:
    struct = getattr(pynvml, "c_nvmlGpuFabricInfo_v2_t", None)
    if struct is None:
        return None
    info = struct()
    if device.ask("nvmlDeviceGetGpuFabricInfoV", byref(info)) is None:
        return None
    state = _FABRIC.get(info.state)
    return "failed" if state == "completed" and info.status else state


def _clock_reasons(device: _Device) -> tuple[str, ...] | None:
    mask = device.ask("nvmlDeviceGetCurrentClocksEventReasons")
    if mask is None:
        mask = device.ask("nvmlDeviceGetCurrentClocksThrottleReasons")
    return tuple(name for bit, name in _CLOCK_REASONS.items() if mask & bit) if mask is not None else None


def _processes(device: _Device, identifiers: bool) -> tuple[Process, ...] | None:
    found: dict[tuple[int, int], Process] = {}
    known = False
    for kind in ("Compute", "Graphics", "MPSCompute"):
        running = device.ask(f"nvmlDeviceGet{kind}RunningProcesses_v3")
        if running is None:
            running = device.ask(f"nvmlDeviceGet{kind}RunningProcesses_v2")
        known = known or running is not None
        for process in running or ():
            used, instance = process.usedGpuMemory, process.gpuInstanceId
            found[process.pid, instance] = Process(
                used_mib=used // _MIB if used is not None else None,
                # All bits set where the GPU is not in MIG mode.
                gpu_instance=instance if instance != 0xFFFFFFFF else None,
                pid=process.pid if identifiers else None,
                name=_call("nvmlSystemGetProcessName", process.pid)[0] if identifiers else None,
            )
    return tuple(found.values()) if known else None


# -- how the GPUs reach each other -------------------------------------------------------------------------------------


class _Links:
    """The active NVLinks of a GPU: how many, whether to a switch, and how many to which PCI address."""

    def __init__(self, device: _Device) -> None:
        self.address = _address(device.ask("nvmlDeviceGetPciInfo_v3"))
        self.peers: dict[tuple[int, int, int], int] = {}
        self.active: int | None = None
        self.to_switch: bool | None = None
        for link in range(getattr(pynvml, "NVML_NVLINK_MAX_LINKS", 18)):
            state = device.ask("nvmlDeviceGetNvLinkState", link)
            if state is None:
                break  # past the last link, or no NVLink at all
            self.active = (self.active or 0) + (1 if state else 0)
            if state:
                self._follow(device, link)

    def _follow(self, device: _Device, link: int) -> None:
        kind = device.ask("nvmlDeviceGetNvLinkRemoteDeviceType", link)
        if kind is not None:
            self.to_switch = self.to_switch or kind == _LINK_TO_SWITCH
        if kind != _LINK_TO_SWITCH:
            peer = _address(device.ask("nvmlDeviceGetNvLinkRemotePciInfo", link))
            if peer is not None:
                self.peers[peer] = self.peers.get(peer, 0) + 1


def _address(pci: Any) -> tuple[int, int, int] | None:  # noqa: ANN401  # a C struct
    return (pci.domain, pci.bus, pci.device) if pci is not None else None


def _pair(one: int, other: int, devices: dict[int, _Device], links: dict[int, _Links]) -> Pair:
    first, second = devices[one], devices[other]
    address = links[other].address
    direct = links[one].peers.get(address, 0) if address is not None else 0
    over_nvlink = first.ask("nvmlDeviceGetP2PStatus", second.handle, _P2P_NVLINK)
    nvlink: bool | None = None
    if direct:
        nvlink = True
    elif over_nvlink is not None:
        nvlink = over_nvlink == 0
    elif links[one].to_switch and links[other].to_switch:
        nvlink = True
    elif _none_active(links[one], links[other]):
        nvlink = False
    return Pair(
        first=one,
        second=other,
        nvlink=nvlink,
        nvlinks=direct or None,
        p2p=_P2P.get(first.ask("nvmlDeviceGetP2PStatus", second.handle, _P2P_READ)),
        topology=_TOPOLOGY.get(first.ask("nvmlDeviceGetTopologyCommonAncestor", second.handle)),
    )


def _none_active(*links: _Links) -> bool:
    return any(each.active == 0 for each in links)
