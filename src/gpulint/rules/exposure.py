"""What rules about reachable servers share: whether an engine asks for a key, and what stands before it."""

from __future__ import annotations

from gpulint.model.engine import Engine
from gpulint.model.network import Service
from gpulint.model.values import Sourced

# Engines that have no key to ask for. Sources: ollama/ollama docs/faq; tensorrt_llm/commands/serve.py.
_WITHOUT_KEYS = frozenset({"ollama", "trtllm"})


def asks_for_key(engine: Engine) -> bool | None:
    """Whether clients must send a key; None where that is not known."""
    if engine.name in _WITHOUT_KEYS:
        return False
    key = engine.api_key
    if key is None or (key.place is None and not key.default):
        return None
    if not key.default:
        return True
    return False if engine.arguments_known or engine.only_strange_flags else None


def is_public(service: Service) -> bool:
    """Whether a load balancer makes it reachable from outside, as far as the manifest says."""
    kind = service.type.value if service.type is not None else "ClusterIP"
    return kind == "LoadBalancer" and not service.internal and not service.restricted


def engines_behind(service: Service) -> list[Engine]:
    """The engines to which a Service hands requests directly; none that may stand behind a proxy in the same pod."""
    targets = [port.target or (Sourced(str(port.number), service.place, service.place)) for port in service.ports]
    found = []
    for workload in service.workloads:
        for engine in workload.engines:
            pod, port = engine.container.pod, engine.port.value if engine.port is not None else None
            if not pod.complete or not engine.sole or pod.role == "worker":
                continue
            if len(pod.containers) > 1 and (port is None or all(target.value != str(port) for target in targets)):
                continue
            found.append(engine)
    return found
