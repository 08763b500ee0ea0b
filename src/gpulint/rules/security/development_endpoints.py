"""Variables of vLLM that open endpoints or formats which are meant for development."""

from __future__ import annotations

from collections.abc import Iterator

from gpulint.finding import Evidence, Finding, Level
from gpulint.model.workload import Container
from gpulint.rules import rule
from gpulint.rules.parallel import named

_TRUE = frozenset({"1", "true"})
# Variable, what it opens, level. Source: docs.vllm.ai, usage/security and configuration/env_vars.
_OPENINGS: tuple[tuple[str, str, Level | None], ...] = (
    (
        "VLLM_SERVER_DEV_MODE",
        "whoever reaches the server may call /collective_rpc, which runs any method of the workers, reset its caches, "
        "and put it to sleep",
        None,
    ),
    (
        "VLLM_ALLOW_INSECURE_SERIALIZATION",
        "messages between its processes may hold pickled objects, which run code where they are read",
        None,
    ),
    (
        "VLLM_ALLOW_RUNTIME_LORA_UPDATING",
        "whoever reaches the server may have it load adapters from any path or repository",
        "info",
    ),
)


@rule("development-endpoints")
def check(container: Container) -> Iterator[Finding]:
    if container.pod.workload.batch:
        return
    for name, opens, level in _OPENINGS:
        variable = container.env.get(name)
        if variable is None or variable.value is None or variable.value.strip().lower() not in _TRUE:
            continue
        yield Finding(
            place=variable.place,
            message=f"{named(container)} of {container.ref} sets {name}: {opens}. vLLM's documentation keeps it out of "
            "production.",
            help="Leave the variable out where others can reach the server; where a controller needs it (adapters, a "
            "trainer that updates weights), let a NetworkPolicy admit that controller alone.",
            evidence=[Evidence(name, variable.value, variable.place)],
            level=level,
        )
