"""A utilisation target for pods of which a container has no request."""

from __future__ import annotations

from collections.abc import Iterator

from gpulint.finding import Evidence, Finding
from gpulint.model.autoscaler import Autoscaler
from gpulint.model.workload import Container
from gpulint.rules import rule
from gpulint.rules.advice import scale_on_load
from gpulint.rules.signals import named, serves

_TYPES = frozenset({"Resource", "ContainerResource", "cpu", "memory"})
_RESOURCES = frozenset({"cpu", "memory"})
# Kinds whose pods are as the file has them: operators add requests of their own.
_KINDS = frozenset({"Deployment", "StatefulSet", "ReplicaSet", "LeaderWorkerSet", "Rollout"})


@rule("utilization-without-request")
def check(scaler: Autoscaler) -> Iterator[Finding]:
    workload = scaler.workload
    if workload is None or workload.ref.kind not in _KINDS or not workload.complete or workload.patches:
        return
    if not serves(workload):
        return
    for metric in scaler.metrics:
        if metric.type not in _TYPES or metric.name not in _RESOURCES or metric.target_type != "Utilization":
            continue
        lacking = [
            container
            for container in workload.containers
            if metric.container in (None, container.name) and _lacks(container, metric.name)
        ]
        if not lacking:
            continue
        names = " and ".join(container.name or "(unnamed)" for container in lacking)
        many = len(lacking) > 1
        yield Finding(
            place=metric.place,
            message=(
                f"{named(scaler)} takes {metric.name} as a share of its request, and container{'s' if many else ''} "
                f"{names} of {workload.ref} {'have' if many else 'has'} none. The share of a pod is then undefined and "
                "the HPA does nothing, unless a LimitRange in the cluster fills the request in."
            ),
            help=f"Set resources.requests.{metric.name} on every container. {scale_on_load(scaler)}",
            evidence=[
                *(Evidence(f"no {metric.name} request", container.name, container.place) for container in lacking),
                Evidence("scales", str(workload.ref), workload.place),
            ],
        )


def _lacks(container: Container, resource: str) -> bool:
    return container.requested is not None and resource not in container.requested
