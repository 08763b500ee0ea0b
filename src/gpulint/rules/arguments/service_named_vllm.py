"""A Service whose name makes Kubernetes set a variable that vLLM reads as a port."""

from __future__ import annotations

from collections.abc import Iterator

from gpulint.finding import Evidence, Finding
from gpulint.model.project import Project
from gpulint.model.workload import Container
from gpulint.rules import rule

# Kubernetes sets <NAME>_PORT=tcp://… for each Service; these variables of vLLM's are of that form.
# Source: docs.vllm.ai, configuration/env_vars.
_VARIABLES = {
    "vllm": "VLLM_PORT",
    "vllm-dp-master": "VLLM_DP_MASTER_PORT",
    "vllm-nixl-side-channel": "VLLM_NIXL_SIDE_CHANNEL_PORT",
}


@rule("service-named-vllm")
def check(project: Project) -> Iterator[Finding]:
    # Overlays rename what they take in (namePrefix, nameSuffix), and share the reference of the form in the base.
    overlaid = {id(workload.ref) for workload in project.workloads if workload.overlay is not None}
    for service in project.services:
        variable = _VARIABLES.get((service.ref.name or "").lower())
        # Kubernetes sets the variables for Services with an address alone.
        if variable is None or service.headless or (service.type is not None and service.type.value == "ExternalName"):
            continue
        reader = next(
            (
                engine
                for workload in service.workloads
                if id(workload.ref) not in overlaid
                for engine in workload.engines
                if engine.name == "vllm" and _reads(engine.container, variable)
            ),
            None,
        )
        if reader is not None:
            yield Finding(
                place=service.place,
                message=f"{service.ref} makes Kubernetes set {variable}=tcp://… in the pods of its namespace, and "
                f"{reader.label} of {reader.ref} reads that as a port of its own. It ends with a ValueError at a start "
                "after the Service exists.",
                help="Give the Service another name (vllm-server), or set `enableServiceLinks: false` in the pod's "
                "spec.",
                evidence=[Evidence("pods of", str(reader.ref), reader.container.pod.workload.place)],
                ref=service.ref,
            )


def _reads(container: Container, variable: str) -> bool:
    return container.pod.complete and container.pod.service_links and variable not in container.env
