"""What else acts on the pods of a workload: vertical autoscaling, disruption budgets and quotas."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING

from gpulint.model.values import ObjectRef, Sourced
from gpulint.record import record
from gpulint.source.text import Place

if TYPE_CHECKING:
    from gpulint.model.workload import Workload


@record
class VerticalAutoscaler:
    """A VerticalPodAutoscaler: it changes what containers request, and evicts pods to apply that.

    `update_mode` is as written (`Off` only recommends); None where the API's default holds. `resources` are those that
    it changes, CPU and memory unless said otherwise.
    """

    ref: ObjectRef
    place: Place
    target: ObjectRef | None
    target_place: Place
    update_mode: Sourced[str] | None = None
    resources: frozenset[str] = frozenset({"cpu", "memory"})
    workload: Workload | None = None


@record
class DisruptionBudget:
    """A PodDisruptionBudget: how many pods an eviction must leave, or may take, as a number or a percentage.

    `selector` says which pods by their labels; None where it is not written, which selects none.
    """

    ref: ObjectRef
    place: Place
    selector: LabelSelector | None
    min_available: Sourced[str] | None = None
    max_unavailable: Sourced[str] | None = None
    workloads: list[Workload] = field(default_factory=list)


@record
class ResourceQuota:
    """A ResourceQuota: what the pods of its namespace may ask for, by the names in `spec.hard` (`requests.cpu`).

    `scoped` says that it holds for some pods alone (scopes, priority classes).
    """

    ref: ObjectRef
    place: Place
    hard: dict[str, Sourced[float]]
    scoped: bool = False


@record
class LabelSelector:
    """`matchLabels` and `matchExpressions` (key, operator, values): all must hold, an empty one selects every pod."""

    labels: dict[str, str]
    expressions: list[tuple[str, str, list[str]]] = field(default_factory=list)

    def selects(self, labels: dict[str, str]) -> bool:
        """Whether it selects a pod with these labels; an operator that Kubernetes does not have selects none."""
        return all(labels.get(key) == value for key, value in self.labels.items()) and all(
            _holds(labels.get(key), operator, values) for key, operator, values in self.expressions
        )


def _holds(value: str | None, operator: str, values: list[str]) -> bool:
    match operator:
        case "In":
            return value in values
        case "NotIn":
            return value not in values
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
    return False
