"""What runs: workloads, their pods and containers, the GPUs they ask for and where they may land."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from gpulint.model.values import ObjectRef, Sourced
from gpulint.source.text import Place

if TYPE_CHECKING:
    from gpulint.hardware.gpus import Gpu
    from gpulint.model.autoscaler import Autoscaler
    from gpulint.model.engine import Engine

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
    `mig_profile` is set where the node offers slices, `gpus_per_node` and `interconnect` (between the GPUs of the node)
    where the instance type tells. `fraction` is the share of one GPU that each device is (vGPU sizes), None if unknown.
    """

    gpus: tuple[Gpu, ...]
    why: Sourced[str]
    mig_profile: str | None = None
    shared: bool = False
    gpus_per_node: int | None = None
    interconnect: str | None = None
    fraction: float | None = 1.0


@dataclass(slots=True, eq=False)
class SharedMemory:
    """What backs /dev/shm in a container: `medium` is "Memory", "disk" (a volume on disk) or "host" (the node's own).

    `size_mib` is None where no limit is set or it cannot be known.
    """

    medium: Literal["Memory", "disk", "host", "unknown"]
    size_mib: float | None
    place: Place


@dataclass(slots=True, eq=False)
class EnvVar:
    """One environment variable: `value` is None when it comes from a Secret, a ConfigMap or a field."""

    name: str
    value: str | None
    place: Place
    key_place: Place


@dataclass(slots=True, eq=False)
class Container:
    """A container with its launch already read: engine, GPUs, environment, shared memory."""

    name: str | None
    place: Place
    image: Sourced[str] | None = None
    gpus: list[GpuRequest] = field(default_factory=list)
    env: dict[str, EnvVar] = field(default_factory=dict)
    engine: Engine | None = None
    shared_memory: SharedMemory | None = None
    memory_limit_mib: float | None = None
    sidecar: bool = False
    pod: Pod = field(init=False)

    def gpu_count(self) -> int | None:
        """Accelerators that the container asks for: 0 if none, None if a count cannot be known."""
        total = 0
        for request in self.gpus:
            if request.count is None:
                return None
            total += request.count
        return total


@dataclass(slots=True, eq=False)
class Pod:
    """A pod template: its containers and the settings they share.

    `role` tells templates of one workload apart (leader, worker, head); `per_group` is how many pods of this template
    one replica of the workload has (None: unknown). `complete` is False for a patch or a fragment, of which
    nothing may be called missing.
    """

    containers: list[Container]
    place: Place
    role: str | None = None
    per_group: int | None = 1
    placement: Placement | None = None
    host_ipc: bool = False
    dra_claims: bool = False
    complete: bool = True
    scheduler: str | None = None
    workload: Workload = field(init=False)

    def __post_init__(self) -> None:
        for container in self.containers:
            container.pod = self


@dataclass(slots=True, eq=False)
class Workload:
    """Something that runs pods. `multi_node` is set where one replica spans several pods that work together."""

    ref: ObjectRef
    api_version: str
    place: Place
    pods: list[Pod]
    labels: dict[str, str] = field(default_factory=dict)
    annotations: dict[str, Sourced[str]] = field(default_factory=dict)
    replicas: Sourced[int] | None = None
    multi_node: bool = False
    batch: bool = False
    autoscalers: list[Autoscaler] = field(default_factory=list)

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
        """Whether a pod asks for an accelerator, by resource or by a DRA claim."""
        return any(pod.dra_claims or any(container.gpus for container in pod.containers) for pod in self.pods)

    @property
    def complete(self) -> bool:
        return all(pod.complete for pod in self.pods)
