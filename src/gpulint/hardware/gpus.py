"""GPUs and other accelerators: what each board is, and which boards a name can mean."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from gpulint.hardware._tables import table

NvlinkClass = Literal["nvswitch", "hybrid_cube_mesh", "bridge_pair", "bridge_2_or_4", "nvl4_to_nvl72", "none"]

# Words that say who made the board, not which board it is.
_MAKERS = frozenset({"nvidia", "tesla", "geforce", "amd", "instinct", "intel", "habana", "google", "aws"})


@dataclass(slots=True, eq=False)
class Gpu:
    """One accelerator product, as one device of it appears to software.

    `memory_mib` is the total that NVML reports with a current driver (MiB), None where unknown; `memory_mib_other`
    holds the totals of the same board with older drivers or ECC switched. `nvlink` is how several of these boards
    reach each other at best (a bridge is optional), None where unknown or not NVIDIA. `mig_family` is None for a
    board without MIG and for a MIG-capable board whose profiles are not known: `mig_capable` tells them apart.
    """

    id: str
    vendor: str
    name: str
    nvml_names: tuple[str, ...]
    product_labels: tuple[str, ...]
    aliases: tuple[str, ...]
    memory_mib: int | None
    memory_mib_other: tuple[int, ...]
    compute_capability: tuple[int, int] | None
    form_factor: str
    nvlink: NvlinkClass | None
    mig_capable: bool
    mig_family: str | None
    pci_device_ids: tuple[str, ...]

    def __repr__(self) -> str:
        return f"Gpu({self.id!r})"


def _gpu(row: dict[str, Any]) -> Gpu:
    names = tuple(row.get("nvml_names", ()))
    capability = row.get("compute_capability")
    return Gpu(
        id=row["id"],
        vendor=row["vendor"],
        name=row.get("name") or names[0],
        nvml_names=names,
        product_labels=tuple(row.get("product_labels", ())),
        aliases=tuple(row["aliases"]),
        memory_mib=row.get("memory_mib"),
        memory_mib_other=tuple(row.get("memory_mib_other", ())),
        compute_capability=(capability[0], capability[1]) if capability else None,
        form_factor=row["form_factor"],
        nvlink=row.get("nvlink"),
        mig_capable=row.get("mig_capable", False),
        mig_family=row.get("mig_family"),
        pci_device_ids=tuple(row.get("pci_device_ids", ())),
    )


@cache
def _by_id() -> dict[str, Gpu]:
    return {row["id"]: _gpu(row) for row in table("gpus")["gpus"]}


@cache
def all_gpus() -> tuple[Gpu, ...]:
    """Every accelerator of the table, NVIDIA or not, in the table's order."""
    return tuple(_by_id().values())


def gpu(gpu_id: str) -> Gpu | None:
    """The accelerator with this table id, e.g. `h100-sxm5-80gb`."""
    return _by_id().get(gpu_id)


def gpus_of(gpu_ids: list[str]) -> tuple[Gpu, ...]:
    """The accelerators with these table ids. Raises KeyError for an id that is not in the table."""
    by_id = _by_id()
    return tuple(by_id[gpu_id] for gpu_id in gpu_ids)


def gpus_named(text: str) -> tuple[Gpu, ...]:
    """All boards that `text` can mean: several when ambiguous (`A100` has 40 and 80 GB boards), none when unknown.

    Takes NVML names, `nvidia.com/gpu.product` labels (also with `-SHARED` or `-MIG-<profile>`), table ids and the
    spellings of clouds and schedulers (`nvidia-l4`, `H100-80GB`, `A100-80GB-SXM`, `RTXPRO6000`); case does not matter.
    A memory size at the end (`L40S-48GB`) must be that of the board. A full NVML name or product label means that
    board alone, even where a shorter reading would be ambiguous.
    """
    name = re.sub(r"[\s_-]MIG[\s_-].*$|-SHARED$", "", text.strip(), flags=re.IGNORECASE)
    full_names, short_names = _names()
    found = full_names.get(_full(name)) or short_names.get(_short(name))
    if found:
        return found
    sized = re.fullmatch(r"(.+?)[\s_-]+([0-9]{1,3})\s?GI?B?", name, re.IGNORECASE)
    if sized is None:
        return ()
    # Marketed sizes are neither GB nor GiB consistently, and ECC takes a sixteenth: 24 GB boards report 22.5 GiB.
    gib = int(sized[2])
    boards = short_names.get(_short(sized[1]), ())
    return tuple(board for board in boards if board.memory_mib and abs(board.memory_mib / 1024 - gib) <= 0.1 * gib)


@cache
def _names() -> tuple[dict[str, tuple[Gpu, ...]], dict[str, tuple[Gpu, ...]]]:
    full: dict[str, tuple[Gpu, ...]] = {}
    short: dict[str, tuple[Gpu, ...]] = {}
    for board in all_gpus():
        # An alias with its maker ("NVIDIA H100") is how people write a whole series: it keeps a full name ambiguous.
        written_in_full = [alias for alias in board.aliases if " " in alias]
        for index, key_of, spellings in (
            (full, _full, [board.id, *board.nvml_names, *board.product_labels, *written_in_full]),
            (short, _short, [board.id, board.name, *board.nvml_names, *board.aliases]),
        ):
            for key in {key_of(spelling) for spelling in spellings}:
                index[key] = (*index.get(key, ()), board)
    return full, short


def _full(name: str) -> str:
    return re.sub(r"[\s_-]+", "-", name.casefold())


def _short(name: str) -> str:
    """`name` without its maker and punctuation: `NVIDIA-Tesla_V100` and `v100` are the same."""
    words = [word for word in re.split(r"[^a-z0-9]+", name.casefold()) if word]
    return "".join([word for word in words if word not in _MAKERS] or words)
