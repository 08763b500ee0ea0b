"""A privileged container that asks for GPUs."""

from __future__ import annotations

from collections.abc import Iterator

from gpulint.finding import Finding
from gpulint.model.workload import Container
from gpulint.rules import rule
from gpulint.rules.parallel import evidence_of_gpus, named


@rule("privileged-gpu-container")
def check(container: Container) -> Iterator[Finding]:
    pod = container.pod
    # A DaemonSet with GPUs is part of the node: a device plugin, an exporter, a validator.
    if pod.workload.batch or container.ref.kind == "DaemonSet" or not (container.gpus or container.engine is not None):
        return
    place = container.privileged_place
    what = "is privileged"
    if place is None:
        shared = next((each for each in pod.host_namespaces if each.value == "hostPID"), None)
        if shared is None:
            return
        place, what = shared.place, "shares the node's processes (hostPID)"
    yield Finding(
        place=place,
        message=f"{named(container)} of {container.ref} {what}. It then sees every device and process of its node, all "
        "GPUs included, however many it asked for: whoever takes over the server has the node, and what it uses of "
        "others' GPUs shows in nobody's numbers.",
        help="Drop it: the device plugin gives a container its GPUs. What RDMA needs is the capability IPC_LOCK and "
        "the resource of its device plugin (rdma/…); a profiler needs SYS_ADMIN at most.",
        evidence=evidence_of_gpus(container),
    )
