"""vLLM behind a public load balancer with nothing but its API key."""

from __future__ import annotations

from collections.abc import Iterator

from gpulint.finding import Evidence, Finding
from gpulint.model.network import Service
from gpulint.rules import rule
from gpulint.rules.exposure import asks_for_key, engines_behind, is_public


@rule("api-key-alone")
def check(service: Service) -> Iterator[Finding]:
    if not is_public(service) or service.type is None:
        return
    for engine in engines_behind(service):
        key = engine.api_key
        if engine.name != "vllm" or key is None or asks_for_key(engine) is not True:
            continue
        yield Finding(
            place=service.type.place,
            message=f"{service.ref} opens all of {engine.label} of {engine.ref} to the outside with {key.spelled} as "
            "its only guard. The key is asked for below /v1 alone: /invocations answers prompts without it, and "
            "/metrics, /tokenize and the administrative endpoints are open too.",
            help="Make the Service a ClusterIP, and let an Ingress or a gateway pass on /v1 and nothing else.",
            evidence=[Evidence(key.spelled, "set", key.place), Evidence("reaches", engine.label, engine.place)],
        )
        return
