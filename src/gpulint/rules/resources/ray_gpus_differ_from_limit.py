"""A Ray node that is told of more or fewer GPUs than its container has."""

from __future__ import annotations

from collections.abc import Iterator

from gpulint.finding import Evidence, Finding
from gpulint.model.workload import Workload
from gpulint.rules import rule


@rule("ray-gpus-differ-from-limit")
def check(workload: Workload) -> Iterator[Finding]:
    for pod in workload.pods:
        told = pod.ray_gpus
        if told is None or not pod.containers or not pod.complete or pod.dra_claims or told.value == 0:
            continue
        container = pod.containers[0]
        count = container.gpu_count()
        if count is None or count == told.value or (count == 0 and container.requested is None):
            continue
        if any(request.virtual or request.vendor not in ("nvidia", "amd") for request in container.gpus):
            continue
        more = told.value > count
        then = (
            "Ray places workers on GPUs that do not exist, and they fail when they look for their device"
            if more
            else f"Ray never uses the other {count - told.value}, while the pod holds them"
        )
        request = container.gpus[0] if container.gpus else None
        yield Finding(
            place=told.place,
            message=f"Ray is told of {told.value} GPUs in the {pod.role or 'Ray'} pods, whose containers ask for "
            f"{count}. {then}.",
            help="Remove num-gpus from rayStartParams: KubeRay takes it from the container's limits. On a head that "
            'shall run no work, num-gpus: "0" is right.',
            evidence=[
                Evidence("num-gpus", told.value, told.place),
                Evidence(
                    "asks for",
                    f"{request.resource}: {count}" if request is not None else "no GPU",
                    request.place if request is not None else container.place,
                ),
            ],
        )
