"""An engine that listens inside its container alone."""

from __future__ import annotations

from collections.abc import Iterator

from gpulint.finding import Evidence, Finding
from gpulint.model.engine import Engine
from gpulint.model.workload import Container
from gpulint.rules import rule

_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


@rule("engine-on-loopback")
def check(engine: Engine) -> Iterator[Finding]:
    container, host = engine.container, engine.host
    pod = container.pod
    if host is None or host.value not in _LOOPBACK or not pod.complete or not engine.alone:
        return
    if len(pod.containers) > 1 or pod.role == "worker" or any(n.value == "hostNetwork" for n in pod.host_namespaces):
        return
    asked = _asked_from_outside(container)
    if asked is None:
        return
    default = " by default" if host.default else ""
    yield Finding(
        place=host.place or engine.place,
        message=f"The server of {engine.ref} ({engine.label}) listens on {host.value}{default}: in the container that "
        f"is the container alone. {asked.value} finds the connection refused.",
        help=f"Start it with {host.spelled} 0.0.0.0.",
        evidence=[asked],
    )


def _asked_from_outside(container: Container) -> Evidence | None:
    """What comes to the server over the pod's address, or the host's."""
    for kind, probe in (
        ("startup", container.startup_probe),
        ("readiness", container.readiness_probe),
        ("liveness", container.liveness_probe),
    ):
        if probe is not None and probe.action in ("httpGet", "tcpSocket"):
            return Evidence("asked by", f"The {kind} probe", probe.place)
    workload = container.pod.workload
    if workload.services and not container.pod.workload.multi_node:
        service = workload.services[0]
        return Evidence("asked by", str(service.ref), service.place)
    # A machine of SkyPilot's is reached by ssh too; a container is not.
    if container.published and not container.ref.kind.startswith("SkyPilot"):
        port = container.published[0]
        return Evidence("asked by", f"Whoever uses the published port {port.value}", port.place)
    return None
