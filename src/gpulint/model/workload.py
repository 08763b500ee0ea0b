"""What runs: workloads, their pods and containers, the GPUs they ask for and where they may land."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import TYPE_CHECKING, Literal

from gpulint.hardware.mig import gpus_with, slice_memory_mib
from gpulint.model.values import ObjectRef, Setting, Sourced
from gpulint.record import record
from gpulint.source.text import Place

if TYPE_CHECKING:
    from gpulint.hardware.gpus import Gpu
    from gpulint.model.autoscaler import Autoscaler
    from gpulint.model.devices import ClaimUse
    from gpulint.model.engine import Engine
    from gpulint.model.network import Service
    from gpulint.model.policies import DisruptionBudget, VerticalAutoscaler

# The node label by which pods select a ComputeClass.
COMPUTE_CLASS = "cloud.google.com/compute-class"
# Triton's word for instances of which each has one GPU, and the name by which a request of them is known.
PER_INSTANCE = "KIND_GPU"
Vendor = Literal["nvidia", "amd", "intel", "habana", "google-tpu", "aws-neuron"]


@record
class GpuRequest:
    """One accelerator resource of a container: `nvidia.com/gpu: 4`, `nvidia.com/mig-1g.10gb: 1`.

    `count` is None where the file leaves it to a variable. `mig_profile` is the slice that each unit is (`1g.10gb`).
    `shared` says that a unit is a time-sliced or MPS share; `virtual` that it is a vGPU of another scheduler (HAMi).
    `limit` and `requested` are the amounts as written on the two sides of a container's `resources`, None for a side
    that does not name it (both in formats without sides).
    """

    resource: str
    vendor: Vendor
    count: int | None
    place: Place
    key_place: Place
    mig_profile: str | None = None
    shared: bool = False
    virtual: bool = False
    limit: Sourced[str] | None = None
    requested: Sourced[str] | None = None


@record
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


@record
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


@record
class SharedMemory:
    """What backs /dev/shm in a container: `medium` is "Memory", "disk" (a volume on disk) or "host" (the node's own).

    `size_mib` is None where no limit is set or it cannot be known.
    """

    medium: Literal["Memory", "disk", "host", "unknown"]
    size_mib: float | None
    place: Place


@record
class Probe:
    """A probe of a container. `budget_s` is how long it lets pass from the start to its last failure; None if unknown.

    `place` is its key. The settings are None in formats that have no such thing. `action` is how it asks (`httpGet`,
    `tcpSocket`, `exec`, `grpc`), None where that is left to an operator.
    """

    budget_s: float | None
    place: Place
    initial_delay_s: Setting[float] | None = None
    period_s: Setting[float] | None = None
    timeout_s: Setting[float] | None = None
    failure_threshold: Setting[float] | None = None
    action: str | None = None
    path: str | None = None
    port: str | None = None

    @property
    def patience_s(self) -> float | None:
        """How long a container that has started may fail: all failures but the delay before them."""
        if self.failure_threshold is None or self.period_s is None:
            return None
        failures, period_s = self.failure_threshold.value, self.period_s.value
        return failures * period_s if failures is not None and period_s is not None else None


@record
class DeviceReservation:
    """A reservation of devices in Docker Compose: the places of what it says, None for what it leaves out.

    `gpu` says that `gpu` is among its capabilities.
    """

    place: Place
    driver: str | None
    capabilities: Place | None
    gpu: bool
    count: Place | None
    device_ids: Place | None


@record
class Toleration:
    """A toleration of a pod: the taints of nodes that it accepts. No key tolerates every taint."""

    key: Sourced[str] | None
    operator: str
    value: str | None
    effect: str | None


@record
class Rollout:
    """How a Deployment replaces its pods: `max_surge` and `max_unavailable` are counts or percentages as written.

    None where the file writes none: RollingUpdate with 25 % of each holds. `place` is the strategy's, else the
    object's. `progress_deadline_s` is how long it waits for a pod to become available before it reports a failure.
    `side_by_side` says of another kind of object why all of its new pods stand beside the old ones.
    """

    place: Place
    type: Sourced[str] | None = None
    max_surge: Sourced[str] | None = None
    max_unavailable: Sourced[str] | None = None
    progress_deadline_s: Setting[float] | None = None
    side_by_side: str | None = None

    def pods(self, replicas: int) -> tuple[int, int] | None:
        """Pods above and below `replicas` while it replaces them; None where that cannot be known.

        Percentages of the surge are rounded up, those of the unavailable down; where both come to 0, one may be
        unavailable. Source: k8s.io/api apps/v1, RollingUpdateDeployment; kubernetes pkg/controller/deployment/util,
        ResolveFenceposts.
        """
        if self.side_by_side is not None:
            return replicas, 0
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


@record
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


@record
class Volume:
    """A volume of a pod: `kind` is the key of its source (`emptyDir`, `persistentVolumeClaim`, `hostPath`, …).

    `claim` is the PersistentVolumeClaim that it names.
    """

    name: str
    kind: str
    place: Place
    claim: Sourced[str] | None = None
    read_only: bool = False


@record
class Mount:
    """Where a container sees a volume. `place` is that of the path, `read_only` where that is written."""

    path: str
    volume: str | None
    place: Place
    read_only: Place | None = None


@record
class Container:
    """A container with its launch already read: engine, GPUs, environment, shared memory.

    `claims` are the DRA claims of its pod that it uses, by their name there, and which request of each (None: all).
    `requested` are the resources that it requests or limits, by name; None where that is not known.
    `capabilities` are those of Linux that it adds to the runtime's own (`SYS_ADMIN`).
    `health_check` is Docker's, `awaited_by` the services that start when it has succeeded.
    `pre_stop` says that something runs before it is told to end, `pre_stop_s` how long that sleeps, if it does.
    `privileged_place` is where `privileged` is written. `cpu_limit` is in cores. `ports` are the numbers that it
    declares, `published` those that the host opens on all its addresses. `mounts` is None where they are not read.
    `idles` is where its command does nothing but wait (`sleep infinity`).
    """

    name: str | None
    place: Place
    image: Sourced[str] | None = None
    gpus: list[GpuRequest] = field(default_factory=list)
    env: dict[str, EnvVar] = field(default_factory=dict)
    engine: Engine | None = None
    shared_memory: SharedMemory | None = None
    memory_limit_mib: float | None = None
    startup_probe: Probe | None = None
    liveness_probe: Probe | None = None
    readiness_probe: Probe | None = None
    pre_stop_s: Sourced[float] | None = None
    pre_stop: bool = False
    reservations: list[DeviceReservation] = field(default_factory=list)
    health_check: Probe | None = None
    awaited_by: list[Sourced[str]] = field(default_factory=list)
    sidecar: bool = False
    claims: list[tuple[str, str | None]] = field(default_factory=list)
    requested: frozenset[str] | None = None
    capabilities: frozenset[str] = frozenset()
    privileged: bool = False
    privileged_place: Place | None = None
    cpu_limit: Sourced[float] | None = None
    ports: list[Sourced[int]] = field(default_factory=list)
    published: list[Sourced[int]] = field(default_factory=list)
    mounts: list[Mount] | None = None
    idles: Place | None = None
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


@record
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
    `termination_grace_s` is how long it has to end, None in formats without that. `ray_gpus` is how many GPUs Ray is
    told that it has, where that does not follow from what it asks for.
    `host_namespaces` are the node's own that it shares, by their keys (`hostPID`). `volumes` are by their names.
    `service_links` says that Kubernetes adds variables for the services of its namespace. `of_chart` says that it is
    what the templates of a Helm chart make of the default values: such a pod is not `complete` either.
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
    termination_grace_s: Setting[float] | None = None
    tolerations: list[Toleration] = field(default_factory=list)
    ray_gpus: Sourced[int] | None = None
    host_namespaces: list[Sourced[str]] = field(default_factory=list)
    volumes: dict[str, Volume] = field(default_factory=dict)
    service_links: bool = True
    of_chart: bool = False
    workload: Workload = field(init=False)

    def __post_init__(self) -> None:
        for container in self.containers:
            container.pod = self


@record
class Workload:
    """Something that runs pods. `multi_node` is set where one replica spans several pods that work together.

    `patches` are the fragments that a kustomization lays over it, gathered for what an autoscaler scales.
    `scaled_as` are other objects by which an autoscaler may name it: those that an operator makes of it, or that run
    its pod template. `part` is its name in an object that runs several side by side (a role of a StormService, a
    service of a Dynamo graph): these share one `ref`, and each scales on its own. `overlay` is the folder of the
    kustomization that makes this form of an object; it shares the `ref` of the form in the base, if that is read too.
    `group_restart` is what happens to the pods of a replica when one of them fails (LeaderWorkerSet's restartPolicy).
    `values` is the file of values with which a chart makes this form of it, beside those that hold by default;
    `overlay` is its path then.
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
    group_restart: Sourced[str] | None = None
    values: Place | None = None
    services: list[Service] = field(default_factory=list)

    def __post_init__(self) -> None:
        for pod in self.pods:
            pod.workload = self

    @property
    def containers(self) -> list[Container]:
        return [container for pod in self.pods for container in pod.containers]

    @property
    def engines(self) -> list[Engine]:
        return [container.engine for pod in self.pods for container in pod.containers if container.engine is not None]

    @property
    def uses_gpus(self) -> bool:
        """Whether a pod asks for an accelerator, by resource or by a DRA claim, itself or in a patch.

        A hosted pod asks for one by naming its kind.
        """
        for workload in (self, *self.patches):
            for pod in workload.pods:
                if pod.dra_claims or (pod.hosted and pod.placement is not None):
                    return True
                for container in pod.containers:
                    if container.gpus:
                        return True
        return False

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
