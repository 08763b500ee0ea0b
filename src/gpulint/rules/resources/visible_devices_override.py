"""A container that asks for GPUs and then overrides which of them it sees."""

from __future__ import annotations

from collections.abc import Iterator

from gpulint.finding import Evidence, Finding
from gpulint.model.workload import Container
from gpulint.rules import rule
from gpulint.rules.parallel import named

_VARIABLE = "NVIDIA_VISIBLE_DEVICES"
_NONE = ("", "none", "void")


@rule("visible-devices-override")
def check(container: Container) -> Iterator[Finding]:
    given = container.env.get(_VARIABLE)
    # Only Kubernetes has a device plugin that sets the variable; elsewhere it is how devices are chosen.
    asked = [r for r in container.gpus if r.vendor == "nvidia" and (r.limit is not None or r.requested is not None)]
    if given is None or given.value is None or not asked:
        return
    if _is_on_gke(container):
        return
    value, request = given.value.strip(), asked[0]
    amount = request.limit or request.requested
    evidence = [
        Evidence(_VARIABLE, value, given.place),
        Evidence(request.resource, amount.value if amount is not None else None, request.place),
    ]
    chosen = container.env.get("CUDA_VISIBLE_DEVICES")
    if chosen is not None and chosen.value:
        evidence.append(Evidence(chosen.name, chosen.value, chosen.place))
    if value.lower() in _NONE:
        what = f"{named(container)} asks for {request.resource} and hides every GPU from itself ({_VARIABLE}={value})"
        why = "The device plugin passes the GPUs that it allots in this variable, and what the pod writes wins"
    elif value.lower() == "all":
        what = (
            f"{named(container)} is allotted {request.resource} and shows itself all GPUs of the node ({_VARIABLE}=all)"
        )
        why = (
            "The device plugin passes what it allots in this variable, and what the pod writes wins: the engine may "
            "compute on a GPU that another pod was given, and take its memory"
        )
        if chosen is not None and chosen.value:
            why += f"; CUDA_VISIBLE_DEVICES={chosen.value} then picks GPUs of the node, whoever has them"
    else:
        what = f"{named(container)} is allotted {request.resource} and picks its GPUs by itself ({_VARIABLE}={value})"
        why = (
            "The device plugin passes what it allots in this variable, and what the pod writes wins: the scheduler "
            "hands the same GPU to another pod"
        )
    yield Finding(
        place=given.place,
        message=f"{what}. {why}.",
        help=f"Remove {_VARIABLE} from the pod: the limit of {request.resource} is enough. Where CDI injects the "
        "devices, as the GPU Operator does by default from 25.10 on, the variable has no effect; elsewhere neither the "
        "memory nor the utilisation of a GPU can be told apart by pod.",
        evidence=evidence,
    )


def _is_on_gke(container: Container) -> bool:
    """Whether the pod goes to nodes of GKE, whose own device plugin hands out device files without the variable."""
    pod = container.pod
    why = pod.placement.why.value if pod.placement is not None else ""
    return pod.compute_class is not None or why.startswith("cloud.google.com/")
