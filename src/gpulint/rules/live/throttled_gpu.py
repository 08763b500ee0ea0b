"""Clocks that heat, power or a fault hold down, and power limits below the board's own."""

from __future__ import annotations

from collections.abc import Iterator

from gpulint.finding import Evidence, Finding
from gpulint.model.host import SLOWDOWNS, HostGpu, KnownHost
from gpulint.rules import rule
from gpulint.rules.hosts import gpus_in_words

_WORDS = {
    "hw-slowdown": "the board itself (heat or power)",
    "hw-thermal": "heat, in hardware",
    "sw-thermal": "heat, by the driver",
    "power-brake": "the server's power brake",
}


@rule("throttled-gpu")
def check(known: KnownHost) -> Iterator[Finding]:
    slow = [gpu for gpu in known.host.gpus if _reasons(gpu)]
    if slow and known.current:
        reasons = dict.fromkeys(_WORDS[reason] for gpu in slow for reason in _reasons(gpu))
        yield Finding(
            place=known.place_of(slow[0], "clockReasons"),
            message=f"The clocks of {gpus_in_words(slow)} on {known.label} are held down now by {', '.join(reasons)}. "
            "Utilisation stays as high as before while tokens/s fall, and with tensor parallelism the slowest GPU sets "
            "the pace of all.",
            help="Look at airflow, power supply and neighbours of these GPUs (`nvidia-smi -q -d "
            "PERFORMANCE,TEMPERATURE,"
            "POWER`); in the long run, at DCGM_FI_DEV_CLOCK_THROTTLE_REASONS beside tokens/s per GPU.",
            evidence=[
                Evidence(f"GPU {gpu.index}", ", ".join(_reasons(gpu)), known.place_of(gpu, "clockReasons"))
                for gpu in slow
            ],
        )
    capped = [
        gpu
        for gpu in known.host.gpus
        if gpu.power_limit_w is not None and gpu.power_default_w is not None and gpu.power_limit_w < gpu.power_default_w
    ]
    if capped:
        first = capped[0]
        yield Finding(
            place=known.place_of(first, "powerLimitW"),
            message=f"{gpus_in_words(capped)} of {known.label} may take {first.power_limit_w} W, below the "
            f"{first.power_default_w} W of the board. Prompts are processed more slowly for it, which utilisation "
            "does not show.",
            help="Where that is not meant, `nvidia-smi -pl` sets the limit back. Where it is, measure tokens/s with "
            "the limit before planning capacity by the board's figures.",
            evidence=[
                Evidence(f"GPU {gpu.index}", f"{gpu.power_limit_w} of {gpu.power_default_w} W") for gpu in capped
            ],
            level="info",
        )


def _reasons(gpu: HostGpu) -> list[str]:
    return [reason for reason in gpu.clock_reasons or () if reason in SLOWDOWNS]
