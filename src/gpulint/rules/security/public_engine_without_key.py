"""A model server that anybody can reach and that asks for no key."""

from __future__ import annotations

from collections.abc import Iterator

from gpulint.finding import Evidence, Finding
from gpulint.model.engine import Engine
from gpulint.model.network import Service
from gpulint.model.workload import Container
from gpulint.rules import rule
from gpulint.rules.exposure import asks_for_key, engines_behind, is_public
from gpulint.rules.serving_words import is_on_host

_KEYS = {
    "vllm": "--api-key or VLLM_API_KEY (which guard only paths below /v1)",
    "sglang": "--api-key",
    "tgi": "--api-key or API_KEY",
    "llamacpp": "--api-key or LLAMA_API_KEY",
    "lmdeploy": "--api-keys",
}
_INSIDE = (
    "Make the Service a ClusterIP behind a gateway that authenticates, or an internal one by the cloud's annotation."
)
_WHY = "Whoever finds the port can use the GPUs, fill the queue, and call the server's administrative endpoints."


@rule("public-engine-without-key")
def check(subject: Service | Container) -> Iterator[Finding]:
    if isinstance(subject, Service):
        yield from _of_service(subject)
    else:
        yield from _of_ports(subject)


def _of_service(service: Service) -> Iterator[Finding]:
    kind = service.type
    is_node_port = kind is not None and kind.value == "NodePort"
    if kind is None or not (is_public(service) or is_node_port):
        return
    for engine in engines_behind(service):
        if asks_for_key(engine) is not False:
            continue
        opens = "a port of every node" if is_node_port else "a load balancer"
        yield Finding(
            place=kind.place,
            message=f"{service.ref} opens {opens} to {engine.label} of {engine.ref}, which asks for no key. {_WHY}",
            help=_help(engine, _INSIDE),
            evidence=[Evidence("reaches", engine.label, engine.place)],
            level="info" if is_node_port else None,
        )
        return


def _of_ports(container: Container) -> Iterator[Finding]:
    """What SkyPilot opens on the machines that it makes; who reaches the host of a compose file is not known."""
    engine = container.engine
    if engine is None or not engine.sole:
        return
    if is_on_host(engine):
        yield from _of_host(engine)
        return
    if not container.ref.kind.startswith("SkyPilot"):
        return
    port = engine.port.value if engine.port is not None else None
    own = next((each for each in container.published if each.value == port), None)
    host = engine.host.value if engine.host is not None else None
    if own is None or host in ("127.0.0.1", "localhost") or asks_for_key(engine) is not False:
        return
    yield Finding(
        place=own.place,
        message=f"Port {port} of {engine.label} in {container.ref} is open to the Internet, and the server asks for no "
        f"key. {_WHY}",
        help=_help(engine, "Open no port and reach it through `ssh -L`, or put a proxy that authenticates before it."),
        evidence=[Evidence("reaches", engine.label, engine.place)],
    )


def _of_host(engine: Engine) -> Iterator[Finding]:
    """A script that opens the server to every address, where it would have to say so."""
    host = engine.host
    if host is None or host.place is None or host.value not in ("0.0.0.0", "::") or asks_for_key(engine) is not False:  # noqa: S104
        return
    yield Finding(
        place=host.place,
        message=f"The server of {engine.ref} ({engine.label}) listens on every address of the host ({host.spelled} "
        f"{host.value}) and asks for no key. {_WHY}",
        help=_help(engine, "Listen on 127.0.0.1 behind a proxy that authenticates, or let a firewall guard the port."),
        evidence=[Evidence(host.spelled, host.value, host.place)],
        level="info",
    )


def _help(engine: Engine, remedy: str) -> str:
    key = _KEYS.get(engine.name)
    return (
        f"{remedy} At the least set {key}." if key is not None else f"{remedy} {engine.label} has no keys of its own."
    )
