"""A host for a person: what it has, how the GPUs reach each other, and what that is good for."""

from __future__ import annotations

from collections.abc import Callable

from gpulint.model.host import Host, HostGpu, MigDevice
from gpulint.report._display import paint, visible

_BOLD = "1"
# What is left to weights: vLLM's default share of the memory, and of that a fifth for the KV cache and activations.
_FOR_WEIGHTS = 0.9 * 0.8
# Bytes for each parameter, and the compute capability from which GPUs compute in the format.
# Sources: CUDA programming guide, arithmetic instructions by compute capability; AWQ and GPTQ with scales in 4 bits.
_FORMATS = (("16 bits", 2.0, 0.0), ("FP8", 1.0, 8.9), ("4 bits", 0.55, 7.5))
_SHOWN_PAIRS = 8
_LINKS = {
    "nvswitch": "every GPU reaches every other over NVLink (NVSwitch)",
    "nvlink": "every GPU reaches every other over NVLink",
    "pcie": "PCIe alone",
}


def describe(host: Host, *, color: bool) -> str:
    """The host as a table and a few sentences."""

    def bold(text: str) -> str:
        return paint(text, _BOLD, color)

    driver = f"driver {visible(host.driver)}" if host.driver else "driver of unknown version"
    cuda = f", CUDA up to {host.cuda}" if host.cuda else ""
    name = f"{visible(host.host_name)}: " if host.host_name else ""
    hidden = f" ({host.hidden_gpus} more hidden from this user or container)" if host.hidden_gpus else ""
    gpus = len(host.gpus)
    lines = [bold(f"{name}{gpus} GPU{'s' if gpus != 1 else ''}{hidden}, {driver}{cuda}"), ""]
    lines += _aligned([_row(gpu) for gpu in host.gpus])
    for gpu in host.gpus:
        lines += [f"  GPU {gpu.index}: {note}" for note in _notes(gpu)]
    if any(gpu.mig_devices for gpu in host.gpus):
        lines += [
            "",
            bold("MIG slices"),
            *_aligned([_slice(gpu, d) for gpu in host.gpus for d in gpu.mig_devices or ()]),
        ]
    if any(gpu.mig for gpu in host.gpus):
        lines += [
            "",
            "GPU utilisation is not available for a GPU in MIG mode, and would say nothing about a slice: a slice can",
            "be full while its GPU looks idle. What counts is the free memory of each slice, and tokens/s for its "
            "size.",
        ]
    lines += _links(host, bold)
    lines += _good_for(host, bold)
    return "\n".join(lines) + "\n"


def _row(gpu: HostGpu) -> list[str]:
    memory = f"{_gib(gpu.memory_mib)} total, {_gib(gpu.free_mib)} free" if gpu.memory_mib is not None else "memory ?"
    mig = {True: "MIG on", False: "MIG off", None: ""}[gpu.mig]
    nvlink = f"{gpu.nvlinks} NVLinks" if gpu.nvlinks else ""
    pcie = f"PCIe {gpu.pcie_generation} x{gpu.pcie_width}" if gpu.pcie_generation and gpu.pcie_width else ""
    power = f"{gpu.power_limit_w} W" if gpu.power_limit_w is not None else ""
    ecc = {True: "ECC on", False: "ECC off", None: ""}[gpu.ecc]
    capability = f"sm {gpu.compute_capability}" if gpu.compute_capability else ""
    words = [f"GPU {gpu.index}", visible(gpu.name or "unknown"), memory, capability, mig, nvlink, pcie, power, ecc]
    return [*words, visible(gpu.uuid or ""), visible(gpu.serial or "")]


def _slice(gpu: HostGpu, device: MigDevice) -> list[str]:
    memory = f"{_gib(device.memory_mib)} total, {_gib(device.free_mib)} free" if device.memory_mib else "memory ?"
    at = f"at {device.start}, {device.size} memory slices" if device.start is not None else ""
    return [f"GPU {gpu.index}", visible(device.profile or "unknown profile"), at, memory, visible(device.uuid or "")]


def _notes(gpu: HostGpu) -> list[str]:
    notes: list[str] = []
    if gpu.problem is not None:
        notes.append({"lost": "has fallen off the bus"}.get(gpu.problem, "needs a reset"))
    if gpu.mig_pending is not None and gpu.mig_pending is not gpu.mig:
        notes.append(f"MIG turns {'on' if gpu.mig_pending else 'off'} at its next reset")
    if gpu.compute_mode not in (None, "default"):
        notes.append(f"compute mode {gpu.compute_mode}")
    if gpu.persistence is False:
        notes.append("persistence mode off")
    if gpu.fabric not in (None, "completed"):
        notes.append(f"NVSwitch fabric {gpu.fabric}")
    reasons = [reason for reason in gpu.clock_reasons or () if reason != "idle"]
    if reasons:
        notes.append(f"clocks held down: {', '.join(visible(reason) for reason in reasons)}")
    for process in gpu.processes or ():
        who = f" ({visible(process.name or '?')}, pid {process.pid})" if process.pid is not None else ""
        notes.append(f"a process{who} holds {_gib(process.used_mib)}")
    return notes


def _links(host: Host, bold: Callable[[str], str]) -> list[str]:
    if len(host.gpus) < 2:
        return []
    link = host.link()
    lines = ["", bold("Between the GPUs")]
    if link == "bridge_pair":
        pairs = ", ".join(f"{pair.first}-{pair.second}" for pair in host.pairs if pair.nvlink)
        lines.append(f"  NVLink between some: {pairs}; the others over PCIe")
    else:
        lines.append(f"  {_LINKS.get(link or '', 'not known')}")
    without: dict[str, list[str]] = {}
    for pair in host.pairs:
        if pair.p2p not in (None, "ok"):
            without.setdefault(str(pair.p2p), []).append(f"{pair.first}-{pair.second}")
    for reason, pairs_without in without.items():
        shown = ", ".join(pairs_without) if len(pairs_without) <= _SHOWN_PAIRS else f"{len(pairs_without)} pairs"
        lines.append(f"  no access to each other's memory (P2P {visible(reason)}): {shown}")
    levels: dict[str, int] = {}
    for pair in host.pairs:
        if pair.topology is not None:
            levels[pair.topology] = levels.get(pair.topology, 0) + 1
    if levels:
        lines.append(f"  PCIe paths: {', '.join(f'{count} × {level}' for level, count in levels.items())}")
    return lines


def _good_for(host: Host, bold: Callable[[str], str]) -> list[str]:
    """Model sizes for one GPU or slice, and for all GPUs together."""
    rows: list[list[str]] = []
    slices = host.slices() or {}
    for profile, devices in slices.items():
        rows.append(
            _sizes(f"one {visible(profile)} slice", [device.memory_mib for device in devices[:1]], host.gpus[0])
        )
    whole = [gpu for gpu in host.gpus if gpu.mig is not True]
    kinds = {(gpu.name, gpu.memory_mib) for gpu in whole}
    if len(kinds) == 1:
        rows.append(_sizes("one GPU", [whole[0].memory_mib], whole[0]))
        count, link = len(whole), host.link()
        pair = host.group(2, lambda each: bool(each.nvlink)) if link == "bridge_pair" else None
        if pair is not None:
            rows.append(_sizes("two GPUs with NVLink", [gpu.memory_mib for gpu in whole[:2]], whole[0]))
        if count > 1 and not slices:
            over = {"nvswitch": " over NVLink", "nvlink": " over NVLink"}.get(link or "", ", partly or all over PCIe")
            over = over if link is not None else ""
            rows.append(_sizes(f"{count} GPUs{over}", [gpu.memory_mib for gpu in whole], whole[0]))
    rows = [row for row in rows if row]
    if not rows:
        return []
    title = "Good for weights of about so many parameters (in 72 % of the memory; the rest for engine and KV cache)"
    return ["", bold(title), *_aligned(rows)]


def _sizes(what: str, memory_mib: list[int | None], gpu: HostGpu) -> list[str]:
    known = [mib for mib in memory_mib if mib is not None]
    if len(known) < len(memory_mib) or not known or gpu.compute_capability is None:
        return []
    room = sum(known) * 2**20 * _FOR_WEIGHTS
    capability = float(gpu.compute_capability)
    cells = [f"{room / size / 1e9:.0f} billion in {name}" for name, size, since in _FORMATS if capability >= since]
    return [what, ", ".join(cells)]


def _gib(mib: int | None) -> str:
    return f"{mib / 1024:.1f} GiB" if mib is not None else "?"


def _aligned(rows: list[list[str]]) -> list[str]:
    """Rows as columns, without those that are empty everywhere."""
    width = max((len(row) for row in rows), default=0)
    padded = [[*row, *[""] * (width - len(row))] for row in rows]
    kept = [at for at in range(width) if any(row[at] for row in padded)]
    widths = {at: max(len(row[at]) for row in padded) for at in kept}
    return [("  " + "  ".join(row[at].ljust(widths[at]) for at in kept)).rstrip() for row in padded]
