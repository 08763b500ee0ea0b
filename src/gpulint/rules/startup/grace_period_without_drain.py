"""A long grace period that vLLM does not use."""

from __future__ import annotations

from collections.abc import Iterator

from gpulint.finding import Evidence, Finding
from gpulint.model.engine import Engine
from gpulint.rules import rule

_DEFAULT_S = 30
_HAS_TIMEOUT_SINCE = (0, 18)
# Before, uvicorn itself heard the signal, and waits for open connections (vllm/entrypoints/openai/api_server.py).
_ABORTS_SINCE = (0, 6)


@rule("grace-period-without-drain")
def check(engine: Engine) -> Iterator[Finding]:
    container, pod = engine.container, engine.container.pod
    grace, drain = pod.termination_grace_s, engine.shutdown_timeout_s
    if engine.name != "vllm" or grace is None or grace.default or grace.value is None or grace.value <= _DEFAULT_S:
        return
    if engine.version is not None and engine.version < _ABORTS_SINCE:
        return
    # A sidecar that routes to the engine may hold the pod open for it.
    if any(other.pre_stop for other in pod.containers) or not engine.arguments_known or not pod.complete:
        return
    if (drain is not None and drain.value != 0) or container.idles is not None or pod.workload.batch:
        return
    has_flag = engine.version is None or engine.version >= _HAS_TIMEOUT_SINCE
    how = (
        f"Use it: from vLLM 0.18 --shutdown-timeout {max(grace.value - 15, 15):g} lets running requests end"
        if has_flag
        else "Use it: a preStop hook that waits while vllm:num_requests_running is above 0, or at least sleeps while "
        "endpoints still route to the pod"
    )
    yield Finding(
        place=grace.place or engine.place,
        message=f"The pod is given {grace.value:g} s to end, but {engine.label} aborts its running requests as soon as "
        "it is told to end, and uses none of them. No preStop hook and no --shutdown-timeout makes it wait.",
        help=f"{how}. Before a scale-down look at the requests that run on the replica, not at its utilisation alone.",
        evidence=[
            Evidence("terminationGracePeriodSeconds", grace.value, grace.place),
            Evidence("engine", engine.label, engine.place),
        ],
    )
