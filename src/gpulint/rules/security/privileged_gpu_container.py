"""A privileged container that asks for GPUs."""

from __future__ import annotations

from collections.abc import Iterator

from gpulint.finding import Finding
from gpulint.model.workload import Container
from gpulint.rules import rule
from gpulint.rules.parallel import evidence_of_gpus, named

_HANDED_OVER = frozenset({"nvidia", "amd"})


@rule("privileged-gpu-container")
def check(container: Container) -> Iterator[Finding]:
    pod = container.pod
    # A DaemonSet with GPUs is part of the node: a device plugin, an exporter, a validator.
    if pod.workload.batch or container.ref.kind == "DaemonSet" or not (container.gpus or container.engine is not None):
        return
    # TPUs and some of Intel's GPUs are handed over in no other way, at least by older versions.
    engine = container.engine
    if any(request.vendor not in _HANDED_OVER for request in container.gpus):
        return
    if engine is not None and engine.accelerator not in (None, "rocm"):
        return
    # GPUDirect-TCPX(O) asks for it. Source: GoogleCloudPlatform/container-engine-accelerators, gpudirect-tcpxo.
    if any("tcpx" in (each.name or "") for each in pod.containers):
        return
    place = container.privileged_place
    if place is None:
        yield from _of_processes(container)
        return
    yield Finding(
        place=place,
        message=f"{named(container)} of {container.ref} is privileged. It then has every device of its node, all GPUs "
        "included, however many it asked for: whoever takes over the server has the node, and what it uses of others' "
        "GPUs shows in nobody's numbers.",
        help="Drop it: the device plugin gives a container its GPUs. What RDMA needs is the capability IPC_LOCK and "
        "the resource of its device plugin (rdma/…); a profiler needs SYS_ADMIN at most.",
        evidence=evidence_of_gpus(container),
    )


def _of_processes(container: Container) -> Iterator[Finding]:
    shared = next((each for each in container.pod.host_namespaces if each.value == "hostPID"), None)
    if shared is None:
        return
    yield Finding(
        place=shared.place,
        message=f"{named(container)} of {container.ref} shares the node's processes (hostPID). It sees those of all "
        "other pods with their command lines and, as root, reads their environment, tokens included, and may end them.",
        help="Drop it: an engine needs no process of others. Which process uses a GPU, nvidia-smi shows on the node.",
        evidence=evidence_of_gpus(container),
        level="info",
    )
