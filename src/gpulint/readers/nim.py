"""NIMService and NIMPipeline of NVIDIA's NIM operator."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gpulint.model.autoscaler import Autoscaler
from gpulint.model.project import Project
from gpulint.model.quantity import quantity_mib
from gpulint.model.values import ObjectRef, Setting, Sourced
from gpulint.model.workload import Container, Probe, SharedMemory, Workload
from gpulint.readers._manifest import Manifest, count, sourced_int, text_at
from gpulint.readers._pods import elements, pod_of, read_container, read_probe
from gpulint.readers.dra import selectors_of
from gpulint.readers.hpa import metric_list, scale_down
from gpulint.source.yaml import Node

if TYPE_CHECKING:
    from gpulint.model.devices import ClaimUse, DeviceRequest

# Source: NVIDIA/k8s-nim-operator api/apps/v1alpha1, nimservice_types.go, nimpipeline_types.go, dra_types.go.
MARKS = (("apps.nvidia.com",), ("NIMService", "NIMPipeline"))
KINDS = frozenset({("apps.nvidia.com", "NIMService"), ("apps.nvidia.com", "NIMPipeline")})
_CLASS = "gpu.nvidia.com"


def read_object(manifest: Manifest, project: Project) -> None:
    spec = manifest.node.get("spec")
    if spec is None:
        return
    if manifest.kind == "NIMService":
        _read_service(spec, manifest, manifest.name_node(), None, project)
        return
    for service in elements(spec, "services"):
        name, enabled, inner = service.get("name"), service.get("enabled"), service.get("spec")
        if inner is not None and not (enabled is not None and enabled.value is False):
            _read_service(inner, manifest, name or inner, name.text if name is not None else None, project)


def _read_service(spec: Node, manifest: Manifest, name: Node, part: str | None, project: Project) -> None:
    container = read_container(spec, spec, name=name, image=_image(spec.get("image")))
    container.name = f"{part or manifest.ref.name}-ctr" if part or manifest.ref.name else None
    container.startup_probe = _startup_probe(spec)
    # The operator mounts memory at /dev/shm, without a limit unless one is given.
    limit = spec.at("storage", "sharedMemorySizeLimit")
    size_mib = quantity_mib(limit.value) if limit is not None else None
    container.shared_memory = SharedMemory("Memory", size_mib, (limit or name).place)
    pipeline = spec.at("multiNode", "parallelism", "pipeline")
    nodes = count(pipeline, default=1)
    pod = pod_of(spec, [container], per_group=nodes)
    pod.claims = [use for index, node in enumerate(elements(spec, "draResources")) if (use := _claim(node, index))]
    pod.dra_claims = any(True for _ in elements(spec, "draResources"))
    container.claims = _claim_names(spec)
    if spec.get("multiNode") is not None:
        _spread(container, spec, pipeline)
    workload = Workload(
        ref=manifest.ref,
        api_version=manifest.api_version,
        place=name.place,
        pods=[pod],
        replicas=sourced_int(spec.get("replicas")),
        multi_node=nodes is None or nodes > 1,
        part=part,
    )
    own = part or manifest.ref.name
    if own is not None:
        workload.scaled_as.append(ObjectRef("Deployment", manifest.ref.namespace, own))
        if part is not None:
            workload.scaled_as.append(ObjectRef("NIMService", manifest.ref.namespace, own))
    project.workloads.append(workload)
    scaler = _autoscaler(spec, manifest, name, workload)
    if scaler is not None:
        project.autoscalers.append(scaler)
        workload.autoscalers.append(scaler)


def _image(node: Node | None) -> Sourced[str] | None:
    repository, tag = (node.get("repository"), text_at(node, "tag")) if node is not None else (None, None)
    if repository is None or repository.text is None:
        return None
    text = f"{repository.text}:{tag}" if tag is not None else repository.text
    return Sourced(text, repository.place, repository.key_place)


def _startup_probe(spec: Node) -> Probe | None:
    probe = spec.get("startupProbe")
    enabled = probe.get("enabled") if probe is not None else None
    if probe is None or (enabled is not None and enabled.value is False):
        return None
    return read_probe(probe.get("probe"))


def _spread(container: Container, spec: Node, pipeline: Node | None) -> None:
    """Several nodes: the operator tells NIM both sizes, unless the container's own variables do."""
    engine = container.engine
    tensor = spec.at("multiNode", "parallelism", "tensor")
    if engine is None:
        return
    for name, node, spelled in (
        ("tensor_parallel", tensor, "multiNode.parallelism.tensor"),
        ("pipeline_parallel", pipeline, "multiNode.parallelism.pipeline"),
    ):
        setting: Setting[int] | None = getattr(engine, name)
        size = sourced_int(node)
        if node is not None and (setting is None or setting.default):
            setattr(engine, name, Setting(size.value if size is not None else None, spelled, node.place))


def _autoscaler(spec: Node, manifest: Manifest, name: Node, workload: Workload) -> Autoscaler | None:
    """The HPA that the operator makes; without metrics the API's own default holds."""
    enabled, hpa = spec.at("scale", "enabled"), spec.at("scale", "hpa")
    if enabled is None or enabled.value is not True or hpa is None or not hpa.is_mapping:
        return None
    metrics, known = metric_list(hpa.get("metrics"))
    return Autoscaler(
        ref=manifest.ref,
        place=hpa.key_place,
        target=manifest.ref,
        target_place=name.place,
        metrics=metrics,
        metrics_known=known,
        default_metric=hpa.key_place if known and not metrics else None,
        min_replicas=sourced_int(hpa.get("minReplicas")),
        max_replicas=sourced_int(hpa.get("maxReplicas")),
        scale_down=scale_down(hpa.at("behavior", "scaleDown")),
        workload=workload,
        part=workload.part,
    )


# -- DRA


def _claim(node: Node, index: int) -> ClaimUse | None:
    from gpulint.model.devices import ClaimUse, DeviceClaim

    for kind, key in (("ResourceClaimTemplate", "resourceClaimTemplateName"), ("ResourceClaim", "resourceClaimName")):
        target = node.get(key)
        if target is not None:
            return ClaimUse(_claim_name(index), target.place, kind, target.text)
    creation = node.get("claimCreationSpec")
    if creation is None:
        return None
    requests = [_request(device) for device in elements(creation, "devices")]
    claim = DeviceClaim(ObjectRef("ResourceClaimTemplate", None, None), creation.key_place, requests)
    return ClaimUse(_claim_name(index), creation.key_place, claim=claim)


def _request(device: Node) -> DeviceRequest:
    from gpulint.model.devices import DeviceRequest

    number, name = device.get("count"), device.get("name")
    at = number or device.get("deviceClassName") or name or device
    return DeviceRequest(
        name=name.text if name is not None else None,
        place=at.place,
        key_place=at.key_place,
        device_class=text_at(device, "deviceClassName") or _CLASS,
        count=count(number, default=1),
        selectors=[*selectors_of(device.get("celExpressions")), *_attribute_selectors(device)],
    )


def _attribute_selectors(device: Node) -> list[Sourced[str]]:
    """Comparisons of attributes, as the CEL expressions that the operator makes of them."""
    domain = text_at(device, "driverName") or _CLASS
    found = []
    for selector in elements(device, "attributeSelectors"):
        key, value = selector.get("key"), selector.at("value", "stringValue")
        if key is None or key.text is None or value is None or text_at(selector, "op") not in (None, "Equal"):
            continue
        prefix, _, attribute = key.text.rpartition("/")
        expression = f"device.attributes['{prefix or domain}'].{attribute} == '{value.text}'"
        found.append(Sourced(expression, value.place, value.key_place))
    return found


def _claim_name(index: int) -> str:
    return f"dra-{index}"


def _claim_names(spec: Node) -> list[tuple[str, str | None]]:
    """Each claim as a whole, or those of its requests that are listed."""
    found: list[tuple[str, str | None]] = []
    for index, node in enumerate(elements(spec, "draResources")):
        listed = node.get("requests")
        requests = [element.text for element in listed.elements()] if listed is not None else []
        found += [(_claim_name(index), request) for request in requests or [None]]
    return found
