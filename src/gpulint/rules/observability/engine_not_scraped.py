"""A monitor that is meant for a model server and finds nothing to scrape."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator

from gpulint.finding import Evidence, Finding
from gpulint.model.monitoring import Monitor, ScrapeEndpoint
from gpulint.model.network import Service
from gpulint.model.project import Project
from gpulint.rules import rule

_SILENCE = "No series of the server exists, and nobody is told: alerts stay silent and autoscalers find no sample."


@rule("engine-not-scraped")
def check(project: Project) -> Iterator[Finding]:
    for monitor in project.monitors:
        selector = monitor.selector
        if monitor.selects != "Service" or selector is None or not (selector.labels or selector.expressions):
            continue
        if monitor.services:
            yield from _without_port(monitor)
            continue
        beside = [
            service for service in project.services if _runs_engine(service) and _is_beside(project, monitor, service)
        ]
        elsewhere = [service for service in beside if selector.selects(service.labels)]
        if elsewhere:
            if not any(service.ref.namespace is None for service in elsewhere):
                yield _other_namespace(monitor, elsewhere[0])
            continue
        by_pods = [s for s in beside if selector.labels and selector.labels.items() <= _pod_labels(s).items()]
        if len(by_pods) == 1 and len(beside) == 1:
            yield _pods_labels_taken(monitor, by_pods[0])


def _is_beside(project: Project, monitor: Monitor, service: Service) -> bool:
    here, there = monitor.place.source.path, service.place.source.path
    return project.applied_together(monitor.place, service.place) or posixpath.dirname(here) == posixpath.dirname(there)


def _runs_engine(service: Service) -> bool:
    return any(workload.engines and workload.uses_gpus for workload in service.workloads)


def _pod_labels(service: Service) -> dict[str, str]:
    return service.selector.labels if service.selector is not None else {}


def _without_port(monitor: Monitor) -> Iterator[Finding]:
    """Endpoints by a name that no port of the selected Services has."""
    services = [service for service in monitor.services if _runs_engine(service)]
    if not services or len(services) < len(monitor.services):
        return
    names = {port.name.value for service in services for port in service.ports if port.name is not None}
    for endpoint in monitor.endpoints:
        if endpoint.port is not None and endpoint.port.value not in names:
            yield _no_such_port(monitor, endpoint, services[0], sorted(names))


def _no_such_port(monitor: Monitor, endpoint: ScrapeEndpoint, service: Service, names: list[str]) -> Finding:
    port = endpoint.port
    assert port is not None
    known = f"is called {' or '.join(names)}" if names else "has no name"
    remedy = (
        f"Set port: {names[0]}"
        if names
        else f"Give the port of {service.ref} the name {_name_for(port.value)} and use it"
    )
    return Finding(
        place=port.place,
        message=(
            f"{monitor.ref} scrapes port {port.value} of {service.ref}, whose port {known}. An endpoint goes by the "
            f"name of a Service's port: nothing is scraped. {_SILENCE}"
        ),
        help=f"{remedy}; the target then shows up under Status, Targets in Prometheus.",
        evidence=[Evidence("selects", str(service.ref), service.place)],
        ref=monitor.ref,
    )


def _name_for(text: str) -> str:
    return "http" if text.isdigit() else text


def _other_namespace(monitor: Monitor, service: Service) -> Finding:
    places = ", ".join(sorted(monitor.namespaces or ()))
    return Finding(
        place=monitor.place,
        message=(
            f"{monitor.ref} looks for Services in namespace {places}, and {service.ref}, which has the labels that it "
            f"selects, is in {service.ref.namespace}. Nothing is scraped. {_SILENCE}"
        ),
        help=f"Add namespaceSelector: {{matchNames: [{service.ref.namespace}]}}: without it a monitor sees its own "
        "namespace alone.",
        evidence=[Evidence("would fit", str(service.ref), service.place)],
        ref=monitor.ref,
    )


def _pods_labels_taken(monitor: Monitor, service: Service) -> Finding:
    wanted = monitor.selector.labels if monitor.selector is not None else {}
    shown = ", ".join(f"{key}: {value}" for key, value in wanted.items())
    return Finding(
        place=monitor.place,
        message=(
            f"{monitor.ref} selects Services with the labels {shown}, which are those of the pods behind {service.ref} "
            f"and not its own. It goes by the labels of the Service itself: nothing is scraped. {_SILENCE}"
        ),
        help=f"Give {service.ref} these labels under its own metadata, or use a PodMonitor, which selects pods.",
        evidence=[Evidence("selects these pods", str(service.ref), service.place)],
        ref=monitor.ref,
    )
