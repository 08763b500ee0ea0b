"""Memory of the host's GPUs that is in use already, so that the engine's share is not there."""

from __future__ import annotations

from collections.abc import Iterator

from gpulint.finding import Evidence, Finding
from gpulint.model.host import KnownHost
from gpulint.model.landing import Landing
from gpulint.rules import rule
from gpulint.rules.memory_words import gib


@rule("gpu-memory-already-taken")
def check(landing: Landing) -> Iterator[Finding]:
    container, engine = landing.container, landing.engine
    if engine is None or engine.memory_fraction is None or engine.memory_fraction.value is None:
        return
    if not landing.hosts or not all(known.current for known in landing.hosts) or not engine.sole:
        return
    used = engine.gpus_used()
    fraction = engine.memory_fraction
    need = used if used is not None else container.gpu_count() if container.gpus else None
    if need is None or fraction.value is None or not 0 < fraction.value <= 1:
        return
    slices = container.mig_slice
    shown = None
    for known in landing.hosts:
        devices = _devices(known, slices.profile if slices is not None else None)
        if devices is None or len(devices) < need:
            return
        short = [device for device in devices if device[2] < fraction.value * device[1]]
        if len(devices) - len(short) >= need:
            return
        shown = shown or (known, min(short, key=lambda device: device[2]))
    if shown is None:
        return
    known, (name, total, free, at) = shown
    wanted = fraction.value * total
    why = f"{fraction.spelled} {fraction.value:g} of {gib(total)}" + (", the default" if fraction.default else "")
    fails = (
        "It stops at the start"
        if engine.name == "vllm"
        else "It runs out of memory, or is left with less KV cache than it counts on"
    )
    gpu = known.host.gpus[at]
    yield Finding(
        place=fraction.place or engine.place,
        message=f"{name[0].upper()}{name[1:]} of {known.label} has {gib(free)} free now, but {engine.label} takes "
        f"{gib(wanted)} "
        f"there ({why}). {fails}, unless what holds the memory is this very server.",
        help="See what holds the memory (`nvidia-smi`, or gpulint live --identifiers) and end it, or lower "
        f"{fraction.spelled} to what is free: below {max(free / total, 0.01):.2f} here. What must be left over are the "
        "weights and a KV cache for the requests at once.",
        evidence=[
            Evidence(fraction.spelled, fraction.value, fraction.place),
            Evidence(f"{name} in use", gib(total - free), known.place_of(gpu, "usedMib")),
        ],
    )


def _devices(known: KnownHost, profile: str | None) -> list[tuple[str, int, int, int]] | None:
    """Name, usable and free memory (MiB) and position of the GPU of each device; None where one is not known."""
    found: list[tuple[str, int, int, int]] = []
    for at, gpu in enumerate(known.host.gpus):
        if profile is not None:
            for device in gpu.mig_devices or ():
                if device.profile != profile:
                    continue
                if device.memory_mib is None or device.free_mib is None:
                    return None
                found.append((f"a {profile} slice of GPU {gpu.index}", device.memory_mib, device.free_mib, at))
        elif gpu.mig is not True:
            if gpu.memory_mib is None or gpu.free_mib is None:
                return None
            found.append((f"GPU {gpu.index}", gpu.memory_mib - (gpu.reserved_mib or 0), gpu.free_mib, at))
    return found
