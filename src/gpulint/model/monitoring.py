"""What is watched: alerts, recording rules and dashboards over PromQL, and what Prometheus scrapes for them."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, Literal

from gpulint.metrics.promql import meaning_of
from gpulint.metrics.table import Meaning
from gpulint.model.values import ObjectRef, Sourced
from gpulint.record import record
from gpulint.source.text import Place

if TYPE_CHECKING:
    from gpulint.metrics.promql import Query, Selector
    from gpulint.model.network import Service
    from gpulint.model.policies import LabelSelector
    from gpulint.model.workload import Workload
    from gpulint.source.yaml import Node


@record
class Expression:
    """A PromQL expression and where each part of it stands; `query` is None when it does not parse.

    `recorded` says of the project's own series (recording rules) that it reads what they measure, and where that
    is written.
    """

    text: str
    query: Query | None
    node: Node
    recorded: dict[str, tuple[frozenset[Meaning], Place]] = field(default_factory=dict)

    @property
    def place(self) -> Place:
        return self.node.place

    def place_of(self, selector: Selector) -> Place:
        """The place of one metric's name inside the expression."""
        return self.node.fragment(selector.start, selector.end)

    def meanings(self, selector: Selector) -> frozenset[Meaning]:
        """What one of its metrics measures, recording rules followed; empty where that is not known."""
        if selector.name in self.recorded:
            return self.recorded[selector.name][0]
        meaning = meaning_of(selector)
        return frozenset({meaning}) if meaning is not None else frozenset()


@record
class Alert:
    """An alerting rule: what it looks at, for how long, and what it concludes (its name, labels and annotations)."""

    ref: ObjectRef
    name: str
    place: Place
    expression: Expression
    for_s: float | None
    labels: dict[str, str] = field(default_factory=dict)
    annotations: dict[str, str] = field(default_factory=dict)

    @property
    def words(self) -> str:
        """All that the alert says to a person, for looking at what it concludes."""
        return " ".join([self.name, *self.annotations.values()])


@record
class RecordingRule:
    """A recorded series: `name` is what other queries call it."""

    ref: ObjectRef
    name: str
    place: Place
    expression: Expression


@record
class Panel:
    """One query of a dashboard's panel: `title` is the panel's, `unit` Grafana's word for its axis (`percentunit`)."""

    ref: ObjectRef
    title: str
    place: Place
    expression: Expression
    unit: Sourced[str] | None = None


@record
class Dashboard:
    """A Grafana dashboard. `complete` is False where a panel lies elsewhere or its query is not PromQL."""

    ref: ObjectRef
    title: str
    place: Place
    panels: list[Panel]
    tags: tuple[str, ...] = ()
    complete: bool = True


@record
class MetricAlias:
    """A name that a metrics adapter serves for other series: what an HPA calls it, and what it stands for.

    `expression` selects the series, `served` is the query whose result the adapter hands out, None where its own holds.
    `external` says that it is an external metric, which belongs to no pod or other object. `labels` are the series'
    labels that stand for Kubernetes objects (`exported_pod` for pods), where the rule writes which.
    """

    ref: ObjectRef
    name: Sourced[str]
    expression: Expression
    served: Expression | None = None
    external: bool = False
    labels: frozenset[str] = frozenset()


@record
class MetricsAdapter:
    """A configuration of prometheus-adapter: the names of custom and of external metrics that it serves.

    None where it may serve others too: the chart's own rules are on, or a name is made from that of the series.
    """

    ref: ObjectRef
    place: Place
    custom: frozenset[str] | None
    external: frozenset[str] | None


@record
class CounterList:
    """The fields that a dcgm-exporter is told to collect; it replaces the exporter's own list."""

    ref: ObjectRef
    place: Place
    names: frozenset[str]


@record
class ScrapeEndpoint:
    """One port that is scraped; `port` is as written, its name where a Service or a pod is selected; None for others.

    `taken` are those labels of `pod`, `namespace` and `container` which the scrape sets to the scraped pod itself: what
    an exporter says under these names is kept as `exported_…`. None where relabelling leaves that open.
    """

    place: Place
    port: Sourced[str] | None = None
    path: Sourced[str] | None = None
    interval_s: float | None = None
    taken: frozenset[str] | None = None


@record
class Monitor:
    """What tells Prometheus where to scrape: a ServiceMonitor or PodMonitor, a scrape job, the values of a chart.

    `words` are the names by which its targets can be told: its own, its job's, those that it selects. `selects` is
    what the `selector` is over, None for a job that discovers its targets otherwise. `namespaces` are those that it
    looks in, None for all or where that cannot be known. `services` and `workloads` are what it selects of the project.
    """

    ref: ObjectRef
    place: Place
    words: frozenset[str]
    endpoints: list[ScrapeEndpoint]
    selects: Literal["Service", "Pod"] | None = None
    selector: LabelSelector | None = None
    namespaces: frozenset[str] | None = None
    job_label: Sourced[str] | None = None
    services: list[Service] = field(default_factory=list)
    workloads: list[Workload] = field(default_factory=list)
