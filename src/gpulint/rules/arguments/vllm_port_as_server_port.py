"""VLLM_PORT set as if it were the port of the API server."""

from __future__ import annotations

from collections.abc import Iterator

from gpulint.finding import Evidence, Finding
from gpulint.model.engine import Engine
from gpulint.rules import rule


@rule("vllm-port-as-server-port")
def check(engine: Engine) -> Iterator[Finding]:
    variable, port = engine.container.env.get("VLLM_PORT"), engine.port
    if engine.name != "vllm" or variable is None or variable.value is None or port is None or port.value is None:
        return
    meant = next(
        (declared for declared in engine.container.ports if str(declared.value) == variable.value.strip()), None
    )
    served = any(declared.value == port.value for declared in engine.container.ports)
    if meant is None or served:
        return
    yield Finding(
        place=variable.place,
        message=f"VLLM_PORT {variable.value} is not where {engine.label} of {engine.ref} serves: the variable is for "
        f"the traffic between its own processes, and the API server listens on {port.value}.",
        help=f"Remove VLLM_PORT and pass --port={variable.value.strip()}.",
        evidence=[
            Evidence("containerPort", meant.value, meant.place),
            Evidence(port.spelled, port.value, port.place),
        ],
    )
