"""More GPUs than the host has."""

from __future__ import annotations

from collections.abc import Iterator

from gpulint.finding import Finding
from gpulint.model.landing import Landing
from gpulint.rules import rule
from gpulint.rules.hosts import evidence_of_hosts, offered
from gpulint.rules.parallel import devices, evidence_of_gpus, evidence_of_sizes, named, place_of_sizes, spelled


@rule("more-gpus-than-host")
def check(landing: Landing) -> Iterator[Finding]:
    container, engine = landing.container, landing.engine
    placement = container.pod.placement
    if not landing.hosts or landing.time_sliced or (placement is not None and placement.shared):
        return
    if any(request.mig_profile or request.shared for request in container.gpus):
        return
    most = [offered(known, landing.mig_strategy) for known in landing.hosts]
    known_most = [count for count in most if count is not None]
    if len(known_most) < len(most):
        return
    has = max(known_most)
    hosts = landing.hosts_named()
    of_them = f"{hosts} {'has' if len(landing.hosts) == 1 else 'has at most'} {has}"
    asked = container.gpu_count() if container.gpus else None
    if asked is not None:
        if asked <= has:
            return
        place = max(container.gpus, key=lambda request: request.count or 0).place
        message = f"{named(container)} asks for {devices(container, asked)}, but {of_them}. It is never started there."
    else:
        used = engine.gpus_used() if engine is not None else None
        if engine is None or used is None or used <= has or not engine.sole or not engine.arguments_known:
            return
        if engine.ray_cluster or (engine.executor is not None and engine.executor.value == "ray"):
            return
        place = place_of_sizes(engine)
        message = (
            f"The {used} GPUs that {engine.label} spreads over ({spelled(engine)}) are more than there are: "
            f"{of_them}. It "
            "finds no device for the rest of its workers and does not start."
        )
    yield Finding(
        place=place,
        message=message,
        help=f"Take a host with more GPUs, or sizes whose product is at most {max(has, 1)} if the weights and the KV "
        "cache fit there. A container sees the GPUs that it was given: run gpulint on the host itself to see all.",
        evidence=[
            *(evidence_of_sizes(engine) if engine is not None else []),
            *evidence_of_gpus(container),
            *evidence_of_hosts(landing),
        ],
    )
