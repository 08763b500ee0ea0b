"""What runs: workloads, their pods and containers, the GPUs they ask for and where they may land."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from gpulint.hardware.mig import gpus_with, slice_memory_mib
from gpulint.model.values import ObjectRef, Sourced
from gpulint.source.text import Place

if TYPE_CHECKING:
    from gpulint.hardware.gpus import Gpu
    from gpulint.model.autoscaler import Autoscaler
    from gpulint.model.devices import ClaimUse
    from gpulint.model.engine import Engine
    from gpulint.model.policies import DisruptionBudget, VerticalAutoscaler

# The node label by which pods select a ComputeClass.
COMPUTE_CLASS = "cloud.google.com/compute-class"
Vendor = Literal["nvidia", "amd", "intel", "habana", "google-tpu", "aws-neuron"]


@dataclass(slots=True, eq=False)
class GpuRequest:
    """One accelerator resource of a container: `nvidia.com/gpu: 4`, `nvidia.com/mig-1g.10gb: 1`.

    `count` is None where the file leaves it to a variable. `mig_profile` is the slice that each unit is (`1g.10gb`).
    `shared` says that a unit is a time-sliced or MPS share; `virtual` that it is a vGPU of another scheduler (HAMi).
    """

    resource: str
    vendor: Vendor
    count: int | None
    place: Place
    key_place: Place
    mig_profile: str | None = None
    shared: bool = False
    virtual: bool = False


@dataclass(slots=True, eq=False)
class Placement:
    """Which GPUs a pod can land on, as its selectors and affinities say.

    `gpus` are the candidates (all of one kind in the usual case); `why` the label or instance type that says so.
    `mig_profile` is set where the node offers slices (`mig_why`: the label that says so), `gpus_per_node` and
    `interconnect` (between the GPUs of the node) where the instance type tells. `fraction` is the share of one GPU that
    each device is (vGPU sizes), None if unknown. `slice_memory_mib` is the lowest and highest memory that was measured
    on the slices of a profile.
    """

    gpus: tuple[Gpu, ...]
    why: Sourced[str]
    mig_profile: str | None = None
    shared: bool = False
    gpus_per_node: int | None = None
    interconnect: str | None = None
    fraction: float | None = 1.0
    mig_why: Sourced[str] | None = None
    slice_memory_mib: Mapping[str, tuple[int, int]] | None = None


@dataclass(slots=True, eq=False)
class MigSlice:
    """The MIG slices that a container gets: each is one `profile` of one of the boards in `gpus`.

    `gpus` is empty where none of the boards that the pod can land on has the profile; `count` is None where unknown.
    `place` is where the profile is written: the name of the resource, or the label that selects the nodes.
    """

    profile: str
    count: int | None
    gpus: tuple[Gpu, ...]
    place: Place
    measured_mib: tuple[int, int] | None = None

    def memory_mib(self) -> tuple[int, int] | None:
        """Lowest and highest usable memory (MiB) of one slice over the boards; None where it is not known."""
        return self.measured_mib or slice_memory_mib(self.profile, self.gpus)


@dataclass(slots=True, eq=False)
class SharedMemory:
    """What backs /dev/shm in a container: `medium` is "Memory", "disk" (a volume on disk) or "host" (the node's own).

    `size_mib` is None where no limit is set or it cannot be known.
    """

    medium: Literal["Memory", "disk", "host", "unknown"]
    size_mib: float | None
    place: Place


@dataclass(slots=True, eq=False)
class StartupProbe:
    """How long a container may take to start: the initial delay and all failures that its startup probe allows."""

    budget_s: float
    place: Place


@dataclass(slots=True, eq=False)
class Rollout:
    """How a Deployment replaces its pods: `max_surge` and `max_unavailable` are counts or percentages as written.

    None where the file writes none: RollingUpdate with 25 % of each holds. `place` is the strategy's, else the
    object's.
    """

    place: Place
    type: Sourced[str] | None = None
    max_surge: Sourced[str] | None = None
    max_unavailable: Sourced[str] | None = None

    def pods(self, replicas: int) -> tuple[int, int] | None:
        """Pods above and below `replicas` while it replaces them; None where that cannot be known.

        Percentages of the surge are rounded up, those of the unavailable down; where both come to 0, one may be
        unavailable. Source: k8s.io/api apps/v1, RollingUpdateDeployment; kubernetes pkg/controller/deployment/util,
        ResolveFenceposts.
        """
        if self.type is not None and self.type.value != "RollingUpdate":
            return (0, replicas) if self.type.value == "Recreate" else None
        above, below = self.max_surge, self.max_unavailable
        surge = _share(above.value if above is not None else "25%", replicas, up=True)
        unavailable = _share(below.value if below is not None else "25%", replicas, up=False)
        if surge is None or unavailable is None:
            return None
        return (surge, unavailable) if surge or unavailable else (0, 1)


def _share(text: str, whole: int, *, up: bool) -> int | None:
    number = text.strip().removesuffix("%")
    if not (number.isascii() and number.isdigit() and len(number) < 6):
        return None
    if not text.strip().endswith("%"):
        return int(number)
    product = int(number) * whole
    return -(-product // 100) if up else product // 100


@dataclass(slots=True, eq=False)
class EnvVar:
    """One environment variable: `value` is None when it comes from a Secret, a ConfigMap or a field that is not known.

    `remote` says that the value is written away from the container (an environment file, a ConfigMap, the choice of a
    platform): what a command line takes from it stands there.
    """

    name: str
    value: str | None
    place: Place
    key_place: Place
    remote: bool = False


@dataclass(slots=True, eq=False)
class Container:
    """A container with its launch already read: engine, GPUs, environment, shared memory.

    `claims` are the DRA claims of its pod that it uses, by their name there, and which request of each (None: all).
    `requested` are the resources that it requests or limits, by name; None where that is not known.
    `capabilities` are those of Linux that it adds to the runtime's own (`SYS_ADMIN`).
    """

    name: str | None
    place: Place
    image: Sourced[str] | None = None
    gpus: list[GpuRequest] = field(default_factory=list)
    env: dict[str, EnvVar] = field(default_factory=dict)
    engine: Engine | None = None
    shared_memory: SharedMemory | None = None
    memory_limit_mib: float | None = None
    startup_probe: StartupProbe | None = None
    sidecar: bool = False
    claims: list[tuple[str, str | None]] = field(default_factory=list)
    requested: frozenset[str] | None = None
    capabilities: frozenset[str] = frozenset()
    privileged: bool = False
    pod: Pod = field(init=False)

    @property
    def ref(self) -> ObjectRef:
        return self.pod.workload.ref

    def gpu_count(self) -> int | None:
        """Accelerators that the container asks for: 0 if none, None if a count cannot be known."""
        total = 0
        for request in self.gpus:
            if request.count is None:
                return None
            total += request.count
        return total

    @property
    def mig_slice(self) -> MigSlice | None:
        """The slices that the container computes on; None for whole GPUs, for several kinds and for none."""
        if len(self.gpus) != 1:
            return None
        request, placement = self.gpus[0], self.pod.placement
        if request.mig_profile is not None:
            profile, place = request.mig_profile, request.key_place
        elif request.resource.startswith("nvidia.com/gpu") and placement is not None and placement.mig_profile:
            profile, place = placement.mig_profile, (placement.mig_why or placement.why).place
        else:
            return None
        boards = gpus_with(profile)
        candidates = placement.gpus if placement is not None and placement.gpus else boards
        ids = {board.id for board in boards}
        measured = (placement.slice_memory_mib or {}).get(profile) if placement is not None else None
        return MigSlice(
            profile, request.count, tuple(board for board in candidates if board.id in ids), place, measured
        )


@dataclass(slots=True, eq=False)
class Pod:
    """A pod template: its containers and the settings they share.

    `role` tells templates of one workload apart (leader, worker, head); `per_group` is how many pods of this template
    one replica of the workload has (None: unknown). `complete` is False for a patch or a fragment, of which
    nothing may be called missing. `hosted` says that it stands for processes which run inside the workload's other pods
    and on their devices (an engine that Ray Serve places on the nodes of a Ray cluster).
    `dra_claims` says that claims may bring accelerators which are not in the containers' `gpus`: the project puts those
    there that it can tell from the `claims`. `compute_class` is the one of GKE that the pod selects. `labels` and
    `annotations` are the template's. `per_group_max` is how many pods there can be where an autoscaler adds some (a
    worker group of a Ray cluster), None where that is unknown.
    `concurrency_limit` is how many requests a proxy in front of it lets through at a time (0: any number).
    """

    containers: list[Container]
    place: Place
    role: str | None = None
    per_group: int | None = 1
    placement: Placement | None = None
    host_ipc: bool = False
    dra_claims: bool = False
    complete: bool = True
    hosted: bool = False
    labels: dict[str, str] = field(default_factory=dict)
    claims: list[ClaimUse] = field(default_factory=list)
    compute_class: Sourced[str] | None = None
    annotations: dict[str, str] = field(default_factory=dict)
    per_group_max: int | None = None
    concurrency_limit: Sourced[int] | None = None
    workload: Workload = field(init=False)

    def __post_init__(self) -> None:
        for container in self.containers:
            container.pod = self


@dataclass(slots=True, eq=False)
class Workload:
    """Something that runs pods. `multi_node` is set where one replica spans several pods that work together.

    `patches` are the fragments that a kustomization lays over it, gathered for what an autoscaler scales.
    `scaled_as` are other objects by which an autoscaler may name it: those that an operator makes of it, or that run
    its pod template. `part` is its name in an object that runs several side by side (a role of a StormService, a
    service of a Dynamo graph): these share one `ref`, and each scales on its own. `overlay` is the folder of the
    kustomization that makes this form of an object; it shares the `ref` of the form in the base, if that is read too.
    """

    ref: ObjectRef
    api_version: str
    place: Place
    pods: list[Pod]
    replicas: Sourced[int] | None = None
    multi_node: bool = False
    batch: bool = False
    autoscalers: list[Autoscaler] = field(default_factory=list)
    patches: list[Workload] = field(default_factory=list)
    scaled_as: list[ObjectRef] = field(default_factory=list)
    part: str | None = None
    overlay: str | None = None
    vertical_autoscalers: list[VerticalAutoscaler] = field(default_factory=list)
    disruption_budgets: list[DisruptionBudget] = field(default_factory=list)
    rollout: Rollout | None = None

    def __post_init__(self) -> None:
        for pod in self.pods:
            pod.workload = self

    @property
    def containers(self) -> list[Container]:
        return [container for pod in self.pods for container in pod.containers]

    @property
    def engines(self) -> list[Engine]:
        return [container.engine for container in self.containers if container.engine is not None]

    @property
    def uses_gpus(self) -> bool:
        """Whether a pod asks for an accelerator, by resource or by a DRA claim, itself or in a patch.

        A hosted pod asks for one by naming its kind.
        """
        return any(
            pod.dra_claims
            or any(container.gpus for container in pod.containers)
            or (pod.hosted and pod.placement is not None)
            for workload in (self, *self.patches)
            for pod in workload.pods
        )

    @property
    def gpu_requests(self) -> list[GpuRequest]:
        """The accelerators that its containers ask for, in the workload or in a patch."""
        return [r for workload in (self, *self.patches) for c in workload.containers for r in c.gpus]

    @property
    def mig_slices(self) -> list[MigSlice]:
        """The slices of its containers where all that compute on GPUs compute on MIG slices; else none."""
        computing = [container for container in self.containers if container.gpus]
        slices = [found for container in computing if (found := container.mig_slice) is not None]
        return slices if len(slices) == len(computing) else []

    def gpus_per_group(self) -> int | None:
        """Accelerators of all pods of one replica; None where a count cannot be known."""
        total = 0
        for pod in self.pods:
            if pod.hosted:
                continue
            if pod.per_group is None or pod.dra_claims or not pod.complete:
                return None
            for container in pod.containers:
                count = container.gpu_count()
                if count is None:
                    return None
                total += pod.per_group * count
        return total

    @property
    def complete(self) -> bool:
        return all(pod.complete for pod in self.pods if not pod.hosted) and not all(pod.hosted for pod in self.pods)
