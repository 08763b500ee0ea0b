"""How pods are reached: Services and what they are open to."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING

from gpulint.model.values import ObjectRef, Sourced
from gpulint.record import record
from gpulint.source.text import Place

if TYPE_CHECKING:
    from gpulint.model.policies import LabelSelector
    from gpulint.model.workload import Workload


@record
class ServicePort:
    """A port of a Service: the number that clients use, and the port of the pods as written (a number or a name)."""

    number: int | None
    target: Sourced[str] | None
    name: Sourced[str] | None = None


@record
class Service:
    """A Service. `type` is as written, None for the API's ClusterIP; `workloads` are those whose pods it selects.

    `internal` says that its load balancer is none of the Internet's, by an annotation of a cloud; `restricted` that
    only some addresses may reach it. `labels` are its own, by which a ServiceMonitor selects it. `headless` says that
    it has no address of its own.
    """

    ref: ObjectRef
    place: Place
    type: Sourced[str] | None = None
    selector: LabelSelector | None = None
    ports: list[ServicePort] = field(default_factory=list)
    internal: bool = False
    restricted: bool = False
    workloads: list[Workload] = field(default_factory=list)
    labels: dict[str, str] = field(default_factory=dict)
    headless: bool = False
