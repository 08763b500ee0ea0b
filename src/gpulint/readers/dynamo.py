"""NVIDIA Dynamo: DynamoGraphDeployment and DynamoComponentDeployment, v1alpha1 and v1beta1."""

from __future__ import annotations

from gpulint.engines.launch import Find
from gpulint.model.project import Project
from gpulint.model.quantity import quantity_mib
from gpulint.model.values import ObjectRef
from gpulint.model.workload import Container, GpuRequest, Pod, SharedMemory, Workload
from gpulint.readers._files import mounted_files, project_files
from gpulint.readers._manifest import Manifest, count, sourced_int, text_at, texts
from gpulint.readers._pods import elements, gpu_request, pod_of, read_container
from gpulint.source.yaml import Node

# Source: ai-dynamo/dynamo deploy/operator/api, v1alpha1 and v1beta1.
MARKS = (("DynamoGraphDeployment", "DynamoComponentDeployment"),)
_GRAPH = "DynamoGraphDeployment"
KINDS = frozenset({("nvidia.com", _GRAPH), ("nvidia.com", "DynamoComponentDeployment")})
# Source: ai-dynamo/dynamo container/ (the Dockerfiles of the runtimes), deploy/ and components/backends.
_WORKSPACE = "/workspace"
_FOLDERS_ABOVE = 8
_MAIN = "main"  # the container that the operator completes


def read_object(manifest: Manifest, project: Project) -> None:
    spec = manifest.node.get("spec")
    if spec is None or not spec.is_mapping:
        return
    if manifest.kind != _GRAPH:
        _read_component(spec, manifest, manifest.name_node(), None, None, project)
        return
    services, shared_env = spec.get("services"), spec.get("envs") or spec.get("env")
    for name, service in services.items() if services is not None else ():
        if service.is_mapping:
            _read_component(service, manifest, None, name, shared_env, project)
    for component in elements(spec, "components"):
        name_node = component.get("name")
        _read_component(component, manifest, name_node, text_at(component, "name"), shared_env, project)


def _read_component(
    component: Node, manifest: Manifest, name: Node | None, part: str | None, env: Node | None, project: Project
) -> None:
    template = component.get("podTemplate")
    place = name.place if name is not None else component.key_place
    if template is not None:
        pod = _pod_of_template(template, env, project)
        labels = texts(template.at("metadata", "labels"))
    else:
        pod = _pod_of_service(component, env, project)
        labels = texts(component.at("extraPodMetadata", "labels"))
    if pod is None:
        return
    nodes = count(component.at("multinode", "nodeCount"), default=1)
    pod.role, pod.per_group = part, nodes
    pod.labels = {key: value.value for key, value in labels.items()}
    main = pod.containers[0]
    if main.shared_memory is None:
        main.shared_memory = _shared_memory(component, main)
    # The GPU memory service takes the GPUs by a claim of its own and runs further engines on them.
    for key in ("gpuMemoryService", "failover"):
        if component.get(key) is not None or component.at("experimental", key) is not None:
            pod.complete, pod.dra_claims = False, True
    workload = Workload(
        ref=manifest.ref,
        api_version=manifest.api_version,
        place=place,
        pods=[pod],
        replicas=sourced_int(component.get("replicas")),
        multi_node=nodes is None or nodes > 1,
        part=part,
    )
    if part is not None and manifest.ref.name is not None:
        own = f"{manifest.ref.name}-{part.lower()}"
        for kind in ("DynamoGraphDeploymentScalingAdapter", "DynamoComponentDeployment"):
            workload.scaled_as.append(ObjectRef(kind, manifest.ref.namespace, own))
    project.workloads.append(workload)


def _files(container: Node, project: Project) -> Find:
    """What finds the files of Dynamo's images, which have its repository at /workspace."""
    files = project_files(project, container.document.source.path, above=_FOLDERS_ABOVE)
    return mounted_files([(".", _WORKSPACE)], files, text_at(container, "workingDir") or _WORKSPACE)


def _pod_of_template(template: Node, env: Node | None, project: Project) -> Pod | None:
    spec = template.get("spec")
    if spec is None or not spec.is_mapping:
        return None
    nodes = elements(spec, "containers")
    main = next((node for node in nodes if text_at(node, "name") == _MAIN), None)
    if main is None:
        return None
    containers = [read_container(main, spec, env=(env,), find=_files(main, project))]
    containers += [read_container(node, spec, env=(env,)) for node in nodes if node.raw is not main.raw]
    return pod_of(spec, containers)


def _pod_of_service(service: Node, env: Node | None, project: Project) -> Pod | None:
    """The pod of a v1alpha1 service: `extraPodSpec` is a PodSpec whose `mainContainer` the operator completes."""
    spec = service.get("extraPodSpec")
    main = spec.get("mainContainer") if spec is not None else None
    if spec is None or main is None or not main.is_mapping:
        return None
    known = service.get("envFromSecret") is None
    variables = (env, service.get("envs"))
    container = read_container(main, spec, env=variables, env_known=known, find=_files(main, project))
    container.name = container.name or _MAIN
    container.gpus = container.gpus or _gpus(service)
    limit = service.at("resources", "limits", "memory")
    if container.memory_limit_mib is None and limit is not None:
        container.memory_limit_mib = quantity_mib(limit.value)
    pod = pod_of(spec, [container, *(read_container(node, spec) for node in elements(spec, "containers"))])
    claims = service.at("resources", "claims")
    pod.dra_claims = pod.dra_claims or claims is not None
    container.claims += [
        (name, text_at(claim, "request"))
        for claim in (claims.elements() if claims is not None else ())
        if (name := text_at(claim, "name")) is not None
    ]
    return pod


def _gpus(service: Node) -> list[GpuRequest]:
    """`gpu` of limits, else of requests, as `gpuType` (default nvidia.com/gpu); further resources under `custom`."""
    found: dict[str, GpuRequest] = {}
    for side in ("limits", "requests"):
        resources = service.at("resources", side)
        number = resources.get("gpu") if resources is not None else None
        custom = resources.get("custom") if resources is not None else None
        named = [] if number is None else [(text_at(resources, "gpuType") or "nvidia.com/gpu", number)]
        for resource, value in (*named, *(custom.items() if custom is not None else ())):
            request = gpu_request(resource.strip(), value)
            if request is not None:
                found.setdefault(request.resource, request)
    return list(found.values())


def _shared_memory(component: Node, container: Container) -> SharedMemory | None:
    """The memory that the operator mounts at /dev/shm unless told not to; its size has changed between releases."""
    size = component.at("sharedMemory", "size") or component.get("sharedMemorySize")
    disabled = component.at("sharedMemory", "disabled")
    size_mib = quantity_mib(size.value) if size is not None else None
    if size_mib == 0 or (disabled is not None and disabled.value is True):
        return None
    return SharedMemory("Memory", size_mib, size.place if size is not None else container.place)
