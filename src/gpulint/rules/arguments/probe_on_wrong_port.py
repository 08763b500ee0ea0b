"""A probe that asks on a port where the engine does not listen."""

from __future__ import annotations

from collections.abc import Iterator

from gpulint.finding import Evidence, Finding
from gpulint.model.engine import Engine
from gpulint.rules import rule

_ENGINES = frozenset({"vllm", "sglang", "llamacpp"})


@rule("probe-on-wrong-port")
def check(engine: Engine) -> Iterator[Finding]:
    container, port = engine.container, engine.port
    if engine.name not in _ENGINES and (port is None or port.default):
        return  # the images of others set a port of their own
    if port is None or port.value is None or not engine.alone or not container.pod.complete:
        return
    if len(container.pod.containers) > 1 or engine.ray_cluster or engine.container.pod.role == "worker":
        return
    for kind, probe in (
        ("startup", container.startup_probe),
        ("readiness", container.readiness_probe),
        ("liveness", container.liveness_probe),
    ):
        if probe is None or probe.action not in ("httpGet", "tcpSocket") or not (probe.port or "").isdigit():
            continue
        if probe.port == str(port.value):
            continue
        ends = "never becomes ready" if kind == "readiness" else "is killed again and again"
        default = " by default" if port.default else ""
        yield Finding(
            place=probe.place,
            message=f"The {kind} probe asks on port {probe.port}, but {engine.label} listens on {port.value}{default}. "
            f"The pod {ends}, though the server is well.",
            help=f"Ask on port {port.value}, or start the server with {port.spelled} {probe.port}.",
            evidence=[Evidence(port.spelled, port.value, port.place or engine.place)],
        )
        return
