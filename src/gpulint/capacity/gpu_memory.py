"""How much of a GPU's memory CUDA offers: less than NVML reports, which is less than the name says."""

from __future__ import annotations

from .weights import Range


def cuda_memory_mib(nvml_low_mib: float, nvml_high_mib: float | None = None) -> Range:
    """MiB that CUDA reports as total, from what NVML reports (the lowest and the highest of the boards that it may be).

    The driver keeps 200 to 900 MiB: start-up logs say 79.19 GiB for an H100's 81,559 MiB, 23.58 for an RTX 3090's
    24,576, 22.3 for an A10G's 23,028, 22.03 for an L4's 23,034, 14.56 for a T4's 15,360, 31.36 for an RTX
    5090's 32,607.
    """
    high = nvml_low_mib if nvml_high_mib is None else nvml_high_mib
    likely = nvml_low_mib - 400 - 0.0015 * nvml_low_mib
    return Range(max(1.0, nvml_low_mib - 900), max(1.0, likely), max(1.0, high - 180))


def slice_memory(low_mib: float, high_mib: float) -> Range:
    """The same of a MIG slice, whose usable memory is known; drivers differ by 2 %."""
    return Range(low_mib * 0.98, low_mib, high_mib * 1.02)
