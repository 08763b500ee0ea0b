"""GPUs that are cut otherwise than the MIG plan says."""

from __future__ import annotations

from collections.abc import Iterator

from gpulint.finding import Evidence, Finding
from gpulint.hardware.mig import parse_profile
from gpulint.model.host import HostGpu
from gpulint.model.landing import PlannedHost
from gpulint.model.mig import MigLayout
from gpulint.rules import rule


@rule("mig-layout-not-on-host")
def check(planned: PlannedHost) -> Iterator[Finding]:
    known = planned.known
    configs: dict[str, list[MigLayout]] = {}
    for layout in planned.plan.layouts:
        configs.setdefault(layout.config, []).append(layout)
    meant: dict[str, tuple[MigLayout, HostGpu] | None] = {}
    for config, layouts in configs.items():
        applied = [(entry, gpu) for gpu in known.host.gpus if (entry := _applied(layouts, gpu)) is not None]
        if not applied:
            continue
        differs = [(entry, gpu) for entry, gpu in applied if not _is_as(entry, gpu)]
        if any(gpu.mig is None or (gpu.mig and _actual(gpu) is None) for _, gpu in applied):
            return
        meant[config] = differs[0] if differs else None
    if not meant or any(difference is None for difference in meant.values()):
        return
    config, difference = next(iter(meant.items()))
    if difference is None:
        return
    layout, gpu = difference
    several = len(meant) > 1
    has = _words(_actual(gpu) or {}) if gpu.mig else "MIG off"
    plans = _words(_planned(layout)) if layout.enabled else "MIG off"
    yield Finding(
        place=planned.place if several else layout.place,
        message=(
            f"GPU {gpu.index} of {known.label} has {has}, which none of the {len(meant)} configurations for such GPUs "
            "plans. "
            if several
            else f"GPU {gpu.index} of {known.label} has {has}, but configuration {config} plans {plans}. "
        )
        + "Pods that ask for the planned slices find none.",
        help="See the node's labels nvidia.com/mig.config and nvidia.com/mig.config.state: mig-manager leaves a GPU "
        "as it is while processes use it. `nvidia-mig-parted assert -f FILE -c NAME` compares on the host.",
        evidence=[
            *([] if several else [Evidence(f"{config} plans", plans, layout.place)]),
            Evidence(
                f"GPU {gpu.index} has",
                has,
                known.place_of(gpu, "migDevices" if gpu.mig else "mig"),
            ),
        ],
    )


def _applied(layouts: list[MigLayout], gpu: HostGpu) -> MigLayout | None:
    """The last entry that selects a GPU: mig-parted applies them in their order."""
    found = None
    for layout in layouts:
        filters = [each.value.strip().casefold() for each in layout.device_filter]
        if filters and gpu.pci_device_id is None:
            return None
        selected = not filters or any(each.startswith(f"{str(gpu.pci_device_id).casefold()}10de") for each in filters)
        if selected and (layout.devices is None or gpu.index in layout.devices):
            found = layout
    return found


def _is_as(layout: MigLayout, gpu: HostGpu) -> bool:
    if layout.enabled is None:
        return True
    if not layout.enabled or not gpu.mig:
        return bool(layout.enabled) is bool(gpu.mig)
    if any(parse_profile(count.profile.value) is None for count in layout.profiles):
        return True
    return _planned(layout) == (_actual(gpu) or {})


def _planned(layout: MigLayout) -> dict[str, int]:
    return {count.profile.value: count.count.value for count in layout.profiles if count.count.value}


def _actual(gpu: HostGpu) -> dict[str, int] | None:
    found: dict[str, int] = {}
    for device in gpu.mig_devices or ():
        if device.profile is None:
            return None
        found[device.profile] = found.get(device.profile, 0) + 1
    return found if gpu.mig_devices is not None else None


def _words(counts: dict[str, int]) -> str:
    return " + ".join(f"{count} × {profile}" for profile, count in sorted(counts.items())) or "no slice"
