"""Hosts in place of tables: which of them a pod can land on, and what was measured there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from gpulint.hardware.gpus import Gpu, all_gpus
from gpulint.model.engine import Engine
from gpulint.model.host import Host, HostGpu, KnownHost
from gpulint.model.mig import MigPlan
from gpulint.model.project import Project
from gpulint.model.values import ObjectRef, Sourced
from gpulint.model.workload import Container, Placement, Pod
from gpulint.source.text import Place


@dataclass(slots=True, eq=False)
class Landing:
    """A container that uses NVIDIA GPUs, and the hosts that its pod can land on.

    `hosts` is empty where the pod selects GPUs that no host has; `elsewhere` are then the hosts, if the GPUs of all of
    them are known, and `others_fit` says that another pod lands on one of them. `mig_strategy` is how the device plugin
    offers slices, `time_sliced` that it hands out GPUs several times over; both as the project says.
    """

    container: Container
    hosts: tuple[KnownHost, ...]
    elsewhere: tuple[KnownHost, ...] = ()
    others_fit: bool = False
    mig_strategy: str | None = None
    time_sliced: bool = False

    @property
    def ref(self) -> ObjectRef:
        return self.container.ref

    @property
    def place(self) -> Place:
        return self.container.place

    @property
    def engine(self) -> Engine | None:
        return self.container.engine

    def hosts_named(self) -> str:
        """`this host`, or the hosts by their files, for the middle of a sentence."""
        return named(self.hosts or self.elsewhere)


@dataclass(slots=True, eq=False)
class PlannedHost:
    """A MIG plan and a host that it may be meant for."""

    plan: MigPlan
    known: KnownHost

    @property
    def ref(self) -> ObjectRef:
        return self.plan.ref

    @property
    def place(self) -> Place:
        return self.plan.place


def named(hosts: Iterable[KnownHost]) -> str:
    return " or ".join(known.label for known in hosts)


def board_of(gpu: HostGpu) -> Gpu | None:
    """The board of a GPU by its NVML name, with the memory that was measured; None where it has no name.

    A board that is in no table has what was measured and nothing more.
    """
    if gpu.name is None:
        return None
    known = [board for board in all_gpus() if gpu.name in board.nvml_names]
    capability = _capability(gpu)
    if len(known) != 1:
        return Gpu(
            id=f"nvml:{gpu.name}",
            vendor="nvidia",
            name=gpu.name,
            nvml_names=(gpu.name,),
            product_labels=(gpu.product_label,) if gpu.product_label else (),
            aliases=(),
            memory_mib=gpu.memory_mib,
            memory_mib_other=(),
            compute_capability=capability,
            form_factor="unknown",
            nvlink=None,
            mig_capable=gpu.mig is not None,
            mig_family=None,
            pci_device_ids=(gpu.pci_device_id,) if gpu.pci_device_id else (),
        )
    board = known[0]
    return replace(
        board,
        memory_mib=gpu.memory_mib if gpu.memory_mib is not None else board.memory_mib,
        memory_mib_other=() if gpu.memory_mib is not None else board.memory_mib_other,
        compute_capability=capability or board.compute_capability,
    )


def _capability(gpu: HostGpu) -> tuple[int, int] | None:
    major, dot, minor = (gpu.compute_capability or "").partition(".")
    return (int(major), int(minor)) if dot else None


def in_table(board: Gpu) -> bool:
    return not board.id.startswith("nvml:")


def boards_of(host: Host) -> tuple[Gpu, ...] | None:
    """The boards of a host, each kind once; None where a GPU has no name. Without NVLink, none has any."""
    found: dict[tuple[str, int | None], Gpu] = {}
    for gpu in host.gpus:
        board = board_of(gpu)
        if board is None:
            return None
        if host.link() == "pcie":
            board = replace(board, nvlink="none")
        found.setdefault((board.id, board.memory_mib), board)
    return tuple(found.values())


def land(project: Project) -> tuple[list[Landing], list[PlannedHost]]:
    """Gives the pods of a project the GPUs of its hosts, measured, and pairs MIG plans with hosts.

    A pod that names no GPU can land on any host; one that does, on the hosts that have one of those.
    """
    strategies = {
        found.value
        for found in (
            *(operator.mig_strategy for operator in project.gpu_operators),
            *(config.mig_strategy for config in project.device_plugin_configs),
        )
        if found is not None
    }
    strategy = strategies.pop() if len(strategies) == 1 else None
    sliced = any(
        sharing.resource.value == "nvidia.com/gpu"
        for config in project.device_plugin_configs
        for sharing in config.sharings
    )
    landings: list[Landing] = []
    for workload in project.workloads:
        for pod in workload.pods:
            # What selects a pod's nodes may stand beside a fragment, or in a class that is not among the files.
            if pod.hosted or not pod.complete or (pod.compute_class is not None and pod.placement is None):
                continue
            if not _uses_nvidia(pod):
                continue
            hosts = _candidates(pod, project.hosts)
            elsewhere = () if hosts else tuple(project.hosts)
            if any(not _is_known(known) for known in elsewhere):
                continue
            if hosts:
                pod.placement = _measured(pod, hosts, strategy)
            landings += [
                Landing(container, hosts, elsewhere, mig_strategy=strategy, time_sliced=sliced)
                for container in pod.containers
                if container.gpus or container.engine is not None
            ]
    fit = any(landing.hosts for landing in landings)
    for landing in landings:
        landing.others_fit = fit
    return landings, [PlannedHost(plan, known) for plan in project.mig_plans for known in project.hosts]


def _is_known(known: KnownHost) -> bool:
    boards = boards_of(known.host)
    return boards is not None and not known.host.hidden_gpus and all(in_table(board) for board in boards)


def _uses_nvidia(pod: Pod) -> bool:
    requests = [request for container in pod.containers for request in container.gpus]
    if requests:
        return all(request.vendor == "nvidia" and not request.virtual for request in requests)
    return not pod.dra_claims and any(
        container.engine is not None and container.engine.accelerator is None for container in pod.containers
    )


def _candidates(pod: Pod, hosts: Sequence[KnownHost]) -> tuple[KnownHost, ...]:
    found = list(hosts)
    placement = pod.placement
    if placement is not None and placement.gpus:
        wanted = {board.id for board in placement.gpus}
        found = [known for known in hosts if any(board.id in wanted for board in boards_of(known.host) or ())]
    profiles = {request.mig_profile for container in pod.containers for request in container.gpus} - {None}
    if profiles:
        offering = [known for known in found if profiles <= set(known.host.slices() or ())]
        found = offering or found
    return tuple(found)


def _measured(pod: Pod, hosts: tuple[KnownHost, ...], strategy: str | None) -> Placement:
    """The placement of a pod on one of these hosts: any fact but the boards only where they agree."""
    old = pod.placement
    wanted = {board.id for board in old.gpus} if old is not None else set()
    boards: dict[tuple[str, int | None, str | None], Gpu] = {}
    for known in hosts:
        for board in boards_of(known.host) or ():
            if not wanted or board.id in wanted:
                boards.setdefault((board.id, board.memory_mib, board.nvlink), board)
    links = {known.host.link() for known in hosts}
    counts = {len(known.host.gpus) + known.host.hidden_gpus for known in hosts}
    first = hosts[0]
    place = first.place_of(first.host.gpus[0], "name")
    why = Sourced(f"{named(hosts)}: {' or '.join(dict.fromkeys(known.summary() for known in hosts))}", place, place)
    profile = old.mig_profile if old is not None else None
    mig_why = old.mig_why if old is not None else None
    if profile is None and strategy in (None, "single"):
        uniform = {_only_profile(known.host) for known in hosts}
        profile = uniform.pop() if len(uniform) == 1 else None
        mig_why = why if profile is not None else None
    complete = all(boards_of(known.host) is not None for known in hosts)
    return Placement(
        gpus=tuple(boards.values()) if complete else (),
        why=old.why if old is not None else why,
        mig_profile=profile,
        shared=old.shared if old is not None else False,
        gpus_per_node=counts.pop() if len(counts) == 1 else None,
        interconnect=links.pop() if len(links) == 1 else None,
        fraction=old.fraction if old is not None else 1.0,
        mig_why=mig_why,
        slice_memory_mib=_slice_memory(hosts),
    )


def _only_profile(host: Host) -> str | None:
    """The profile of all slices of a host whose GPUs are all cut into slices of one kind."""
    slices = host.slices() if host.partitioned else None
    return next(iter(slices)) if slices is not None and len(slices) == 1 else None


def _slice_memory(hosts: Iterable[KnownHost]) -> dict[str, tuple[int, int]]:
    """Lowest and highest memory (MiB) of the slices that the hosts have, by profile."""
    totals: dict[str, list[int]] = {}
    for known in hosts:
        for profile, devices in (known.host.slices() or {}).items():
            totals.setdefault(profile, []).extend(d.memory_mib for d in devices if d.memory_mib is not None)
    return {profile: (min(found), max(found)) for profile, found in totals.items() if found}
