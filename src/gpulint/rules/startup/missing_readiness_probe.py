"""A model server that counts as ready from the moment its process starts."""

from __future__ import annotations

from collections.abc import Iterator

from gpulint.finding import Evidence, Finding
from gpulint.model.engine import Engine
from gpulint.rules import rule
from gpulint.rules.parallel import named
from gpulint.rules.starting import start_of

# Elsewhere an operator or a proxy asks for the server's readiness.
_KINDS = frozenset({"Deployment", "StatefulSet", "ReplicaSet", "Rollout", "CloneSet"})


@rule("missing-readiness-probe")
def check(engine: Engine) -> Iterator[Finding]:
    container, pod = engine.container, engine.container.pod
    workload = pod.workload
    if container.readiness_probe is not None or container.startup_probe is not None or not pod.complete:
        return
    if engine.ref.kind not in _KINDS or container.idles is not None or container.sidecar or start_of(engine) is None:
        return
    if any(other.readiness_probe is not None for other in pod.containers):
        return  # a sidecar that asks the engine
    replicas = workload.replicas
    many = replicas is not None and replicas.value > 1
    if not many and not workload.autoscalers:
        return
    evidence = [Evidence("replicas", replicas.value, replicas.place)] if many and replicas is not None else []
    evidence += [Evidence("scaled by", str(scaler.ref), scaler.place) for scaler in workload.autoscalers]
    evidence += [Evidence("behind", str(service.ref), service.place) for service in workload.services]
    path = "/v1/health/ready" if engine.name == "nim" else "/health"
    yield Finding(
        place=container.place,
        message=f"{named(container)} has neither a readiness nor a startup probe, so it counts as ready while "
        f"{engine.label} still loads its model. Requests that are routed to it fail, a rollout takes the old replica "
        "away, and an autoscaler counts it as capacity.",
        help=f"Add a readinessProbe (httpGet: {path} on the server's port), and a startupProbe with the same question "
        "for the time of loading.",
        evidence=evidence,
    )
