"""The GPU that a person names: a product, an NVML name, a node label, an instance type, GPU:MIG-profile."""

from __future__ import annotations

import re
from typing import NamedTuple

from gpulint.capacity.gpu_memory import cuda_memory_mib, slice_memory
from gpulint.capacity.weights import Range
from gpulint.hardware.gpus import Gpu, gpus_named
from gpulint.hardware.instances import instance_type
from gpulint.hardware.labels import match_label
from gpulint.hardware.mig import family_of, gpus_with, parse_profile, slice_memory_mib


class NamedGpu(NamedTuple):
    """`memory` is MiB of one device as CUDA reports it; `note` says what was assumed where the name is ambiguous."""

    name: str
    memory: Range | None
    boards: tuple[Gpu, ...]
    profile: str | None = None
    note: str | None = None


def named_gpu(text: str) -> NamedGpu | None:
    """What `H100`, `NVIDIA L4`, `nvidia.com/gpu.product=NVIDIA-L40S`, `g5.xlarge`, `A100-80GB:1g.10gb` mean.

    Of several boards that a name can mean the one with least memory is taken (of equals the one with NVSwitch), and the
    note says so. None if unknown.
    """
    name, profile = _profile(text.strip())
    boards, fraction = _boards(name)
    boards = tuple(board for board in boards if board.memory_mib is not None)
    if profile is not None:
        boards = tuple(board for board in boards or gpus_with(profile) if _has(board, profile))
        memory = slice_memory_mib(profile, boards)
        if not boards or memory is None:
            return None
        label = f"{boards[0].name} {profile}" if len(boards) == 1 else f"MIG {profile}"
        return NamedGpu(label, slice_memory(*memory), boards, profile)
    if not boards or fraction is None:
        return None
    chosen = min(boards, key=lambda board: (board.memory_mib or 0, board.nvlink != "nvswitch"))
    memory_range = Range(*(each * fraction for each in cuda_memory_mib(chosen.memory_mib or 0)))
    others = sorted({board.name for board in boards} - {chosen.name})
    note = f"{text} may also be {', '.join(others)}: {chosen.name} is taken" if others else None
    return NamedGpu(chosen.name, memory_range, (chosen,), None, note)


def _profile(text: str) -> tuple[str, str | None]:
    """The GPU and the MIG profile of `A100-80GB:1g.10gb`, `NVIDIA-A100-SXM4-80GB-MIG-1g.10gb` or `1g.10gb`."""
    found = re.fullmatch(r"(.*?)(?::|[\s_-]MIG[\s_-]|^)([1-7]g\.[0-9]{1,4}gb.*)", text, re.IGNORECASE)
    if found is not None and parse_profile(found[2].lower()) is not None:
        return found[1], found[2].lower()
    return text, None


def _boards(name: str) -> tuple[tuple[Gpu, ...], float | None]:
    key, equals, value = name.partition("=")
    match = match_label(key.strip(), value.strip()) if equals else None
    if match is None and not equals:
        boards = gpus_named(name) if name else ()
        if boards:
            return boards, 1.0
        match = instance_type(name) if name else None
    return (match.gpus, match.fraction) if match is not None else ((), 1.0)


def _has(board: Gpu, profile: str) -> bool:
    family = family_of(board)
    return family is not None and family.profile(profile) is not None
