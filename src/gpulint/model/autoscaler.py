"""What changes the number of replicas, and on which signal."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING

from gpulint.metrics.table import Meaning
from gpulint.model.values import ObjectRef, Setting, Sourced
from gpulint.record import record
from gpulint.source.text import Place

if TYPE_CHECKING:
    from gpulint.metrics.promql import Query, Selector
    from gpulint.model.workload import Workload
    from gpulint.source.yaml import Node


@record
class ScalingMetric:
    """One signal of an autoscaler.

    `type` is the format's own word (Resource, Pods, Object, External, or a KEDA trigger's type). `name` is the metric
    as written; for a query, the query. `meanings` are what its metrics measure; empty means unknown.
    `target_type` is Utilization, AverageValue or Value; `threshold` the number in the file's own unit.
    `selector` holds the metric's label selector. `via` is the rule that gives the name its meaning, where one does.
    `activation` is the value above which a target at zero replicas is woken. `missing_is_zero` says whether a query
    without a result counts as 0, and `missing_place` where that is written; None where the format has no such choice.
    `ceiling` is what the same file lets a replica have of it at most. `scoped` says that something else than the
    query's matchers restricts what it reads (a tenant). `default_targets` are what holds without a target that is
    written, of the latest releases first, where that differs between releases.
    """

    type: str
    name: str
    place: Place
    meanings: frozenset[Meaning]
    query: Query | None = None
    query_node: Node | None = None
    container: str | None = None
    target_type: str | None = None
    threshold: Sourced[float] | None = None
    selector: dict[str, str] = field(default_factory=dict)
    via: Place | None = None
    activation: Sourced[float] | None = None
    missing_is_zero: bool | None = None
    missing_place: Place | None = None
    ceiling: Setting[int] | None = None
    scoped: bool = False
    default_targets: tuple[float, ...] = ()

    def place_of(self, selector: Selector) -> Place:
        """The place of one metric's name inside the query."""
        return self.query_node.fragment(selector.start, selector.end) if self.query_node is not None else self.place

    def is_only(self, *meanings: Meaning) -> bool:
        """Whether the signal is known and measures nothing else than these."""
        return bool(self.meanings) and self.meanings <= set(meanings)


@record
class ScalingPolicy:
    """At most `value` pods, or percent of them, in `period_s` seconds."""

    type: str
    value: float | None
    period_s: float | None
    place: Place


@record
class ScaleDown:
    """How an autoscaler removes replicas. A field that the file leaves out is None: the cluster's default holds.

    `spelled` is what the format calls the stabilisation window, `default_s` what it is where the file leaves it out.
    """

    stabilization_window_s: Sourced[float] | None = None
    policies: list[ScalingPolicy] = field(default_factory=list)
    disabled: bool = False
    spelled: str = "stabilizationWindowSeconds"
    default_s: float = 300


@record
class Schedule:
    """Other bounds at certain hours: what holds there, as the schedule or the autoscaler beside it writes it."""

    name: str
    place: Place
    min_replicas: Sourced[int] | None
    max_replicas: Sourced[int] | None


@record
class Autoscaler:
    """An HPA, ScaledObject or the like. `workload` is what it scales, where that is in the project and unambiguous.

    `metrics_known` is False where signals are or may be set elsewhere (a patch, a template value).
    `default_metric` is the place to point at when no metric is written and the API's default (CPU at 80 %) holds.
    `part` names the part of the target that it scales, where the target has several (see Workload). `actuates` is False
    where it only computes a number that another autoscaler applies.
    `default_min_replicas` and `default_max_replicas` are what holds because the file writes none (infinite: no bound);
    None where it writes one, the format demands one, or it is not known. `holds_requests` says that a proxy of the
    platform keeps requests waiting while the first replica starts. `raised_from` is a minimum as written
    which the platform takes for 1.
    `to_zero_after_s` is how long there must be no load before the last replica goes, `default_to_zero_after_s` what
    holds where the file leaves it out: None where that is not known or zero is never reached. `cooldown_only_to_zero`
    says that this is all it does (KEDA). `idle_replicas` are those that stay while no trigger is active, where the
    format sets these apart. `gpus_per_replica` is set where one replica is not the whole target (a deployment of Ray
    Serve).
    `fallback` is where it is written how many replicas there are while a signal cannot be read. `takes_over` names an
    HPA that it makes its own. `ignored` are signals that are written but never read, for the reason that
    `ignored_because` gives in the file's own words.
    `schedules` have bounds of their own; `min_replicas` and `max_replicas` are then the least and the most of all.
    `optional` says that a chart offers it and its default values leave it out: it is an alternative, and the workload
    that it would scale does not count it among its own.
    """

    ref: ObjectRef
    place: Place
    target: ObjectRef | None
    target_place: Place
    metrics: list[ScalingMetric] = field(default_factory=list)
    metrics_known: bool = True
    default_metric: Place | None = None
    min_replicas: Sourced[int] | None = None
    max_replicas: Sourced[int] | None = None
    scale_down: ScaleDown = field(default_factory=ScaleDown)
    complete: bool = True
    workload: Workload | None = None
    part: str | None = None
    actuates: bool = True
    default_min_replicas: int | None = None
    default_max_replicas: float | None = None
    holds_requests: bool = False
    raised_from: Sourced[int] | None = None
    idle_replicas: Sourced[int] | None = None
    to_zero_after_s: Sourced[float] | None = None
    default_to_zero_after_s: float | None = None
    cooldown_only_to_zero: bool = False
    gpus_per_replica: int | None = None
    fallback: Place | None = None
    takes_over: str | None = None
    ignored: list[ScalingMetric] = field(default_factory=list)
    ignored_because: Sourced[str] | None = None
    schedules: list[Schedule] = field(default_factory=list)
    optional: bool = False

    @property
    def lowest(self) -> int | None:
        """The least number of replicas, written or by default; None where it is not known."""
        return self.min_replicas.value if self.min_replicas is not None else self.default_min_replicas
