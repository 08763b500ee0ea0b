"""What the cluster itself is made of: nodes, the pools they come from, and how their GPUs are shared."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, Literal

from gpulint.model.values import ObjectRef, Sourced
from gpulint.record import record
from gpulint.source.text import Place

if TYPE_CHECKING:
    from gpulint.hardware.match import NodeMatch


@record
class Node:
    """A node with its labels. `match` is what they say together about its GPUs, None where that is nothing."""

    ref: ObjectRef
    place: Place
    labels: dict[str, Sourced[str]]
    match: NodeMatch | None


@record
class Requirement:
    """One requirement on the nodes of a pool: a label key, an operator (In, NotIn, Exists, Gt, …) and values."""

    key: str
    operator: str
    values: list[str]
    place: Place


@record
class NodePool:
    """Nodes that a provisioner makes on demand and takes away again (Karpenter).

    `match` is what requirements and labels leave of GPUs: a bound, for a requirement that is not understood narrows
    further. `consolidate_after_s` is None where it is not written or `Never` (`consolidation_off`). With
    `disruption_blocked` a budget allows no node to be disrupted for being underused, at least at times.
    """

    ref: ObjectRef
    place: Place
    requirements: list[Requirement]
    labels: dict[str, Sourced[str]]
    match: NodeMatch | None
    consolidation_policy: Sourced[str] | None = None
    consolidate_after_s: Sourced[float] | None = None
    consolidation_off: bool = False
    disruption_blocked: bool = False
    gpu_limit: Sourced[float] | None = None


@record
class ClusterAutoscaler:
    """The cluster autoscaler's launch: the share of a node's GPUs that must be requested lest it take the node away."""

    ref: ObjectRef
    place: Place
    gpu_threshold: Sourced[float]


@record
class ComputeClass:
    """Kinds of nodes among which GKE picks for pods that select the class; `match` is what holds for each of them."""

    ref: ObjectRef
    place: Place
    match: NodeMatch


@record
class Sharing:
    """A resource whose devices are handed out several times over: by time-slicing, or through MPS.

    `resource` is as the file names it (`nvidia.com/gpu`); `replicas` is None where it is not a plain number. With
    `rename` the shares are advertised as `<resource>.shared` (or under the name given). `one_only` refuses a request
    for more than one share, None where the file leaves the default.
    """

    ref: ObjectRef
    config: str | None
    strategy: Literal["time-slicing", "mps"]
    resource: Sourced[str]
    replicas: Sourced[int] | None
    rename: bool = False
    one_only: bool | None = None


@record
class DevicePluginConfig:
    """A configuration of NVIDIA's device plugin; `config` is its key in a ConfigMap, by which nodes choose it.

    `unknown_keys` are keys that the format does not have, in the parts that gpulint knows: the plugin passes over them.
    """

    ref: ObjectRef
    config: str | None
    place: Place
    mig_strategy: Sourced[str] | None = None
    sharings: list[Sharing] = field(default_factory=list)
    unknown_keys: list[Sourced[str]] = field(default_factory=list)


@record
class ConfigChoice:
    """The ConfigMap that an operator hands to one of its components, and the entry that nodes without a label get.

    One of them may be left out; a `default` alone is an entry of the operator's own configuration.
    """

    name: Sourced[str] | None
    default: Sourced[str] | None = None


@record
class GpuOperator:
    """NVIDIA's GPU Operator: the ClusterPolicy, or the values of its chart.

    A choice is None where the operator's own configuration holds.
    """

    ref: ObjectRef
    place: Place
    mig_strategy: Sourced[str] | None = None
    device_plugin: ConfigChoice | None = None
    mig_manager: ConfigChoice | None = None
    dcgm_exporter: ConfigChoice | None = None
