"""Values of llm-d's modelservice chart: the pods that decode and those that prefill, each with replicas of its own.

Source: llm-d-incubation/llm-d-modelservice@024c0f2 charts/llm-d-modelservice: templates/_helpers.tpl, values.yaml.
"""

from __future__ import annotations

from gpulint import engines
from gpulint.engines.launch import Launch, words_of
from gpulint.model.engine import Engine
from gpulint.model.project import Project
from gpulint.model.values import ObjectRef, Setting
from gpulint.model.workload import Container, Workload
from gpulint.readers._manifest import count, sourced_int, text_at
from gpulint.readers._pods import elements, read_pod
from gpulint.source.yaml import Node

MARKS = (("modelArtifacts",), ("decode", "prefill"))
_ROLES = ("decode", "prefill")
# The chart writes the command for these; else the container brings its own.
_COMMANDS = ("imageDefault", "vllmServe")
# The resource of each type of accelerator, unless the values name another.
_RESOURCES = {
    "nvidia": "nvidia.com/gpu", "amd": "amd.com/gpu", "google": "google.com/tpu", "intel-gaudi": "habana.ai/gaudi",
    "intel-i915": "gpu.intel.com/i915", "intel-xe": "gpu.intel.com/xe",
}  # fmt: skip
_SIZES = (
    ("tensor_parallel", "tensor"),
    ("data_parallel", "data"),
    ("data_parallel_local", "dataLocal"),
)
_MOUNT_PATH = "/model-cache"
_NAME = "{{ .Values.modelArtifacts.name }}"


def claims_file(root: Node) -> bool:
    return root.is_mapping and root.get("apiVersion") is None and bool(_roles(root))


def read_file(root: Node, project: Project) -> None:
    ref = ObjectRef("Chart", None, root.document.source.path.rpartition("/")[2])
    roles = _roles(root)
    for role, node in roles:
        workload = _workload(root, role, node, ref)
        if len(roles) > 1:
            workload.part = role
        if workload.uses_gpus or workload.engines:
            project.workloads.append(workload)


def _roles(root: Node) -> list[tuple[str, Node]]:
    if root.get("modelArtifacts") is None:
        return []
    found = [(role, node) for role in _ROLES if (node := root.get(role)) is not None and elements(node, "containers")]
    return [(role, node) for role, node in found if text_at(node, "create") != "false"]


def _workload(root: Node, role: str, node: Node, ref: ObjectRef) -> Workload:
    sizes = node.get("parallelism")
    uses_claims = _accelerator(root, node, "dra") == "true" or text_at(root, "dra", "enabled") == "true"
    resource = None if uses_claims else _resource(root, node)
    written = elements(node, "containers")
    sequence = node.get("containers") or node
    containers = [_container(container, sequence, sizes, resource) for container in written]
    multi_node = text_at(root, "multinode") == "true"
    workers = count(sizes.get("workers"), 1) if sizes is not None else None
    pod = read_pod(_spec(node, containers), role=role, per_group=workers if multi_node else 1)
    pod.complete = False  # what the chart adds, and what other files of values say
    pod.dra_claims = pod.dra_claims or uses_claims
    for container, at in zip(pod.containers, written, strict=False):
        if text_at(at, "modelCommand") in _COMMANDS:
            container.engine = _served(root, sizes, at, container)
    return Workload(
        ref=ref,
        api_version="",
        place=node.key_place,
        pods=[pod],
        replicas=sourced_int(node.get("replicas")),
        multi_node=multi_node,
    )


def _accelerator(root: Node, role: Node, key: str) -> str | None:
    """What a role says of its accelerators, else what all do."""
    return text_at(role, "accelerator", key) or text_at(root, "accelerator", key)


def _resource(root: Node, role: Node) -> str | None:
    kind = _accelerator(root, role, "type") or "nvidia"
    return text_at(root, "accelerator", "resources", kind) or _RESOURCES.get(kind)


def _spec(role: Node, containers: list[Node]) -> Node:
    """The fields of a PodSpec: those of the role and of its `extraConfig`, and what `acceleratorTypes` demands."""

    from gpulint.source.environment import with_text
    from gpulint.source.kustomize import Merged

    parts = dict(role.items())
    extra = role.get("extraConfig")
    if extra is not None:
        parts |= dict(extra.items())
    parts["containers"] = Merged(role.get("containers") or role, containers)
    types = role.get("acceleratorTypes")
    key, values = (types.get("labelKey"), types.get("labelValues")) if types is not None else (None, None)
    if types is not None and key is not None and values is not None:
        operator = with_text(key, "In", key.place)
        expression = Merged(types, {"key": key, "operator": operator, "values": values})
        term = Merged(types, {"matchExpressions": Merged(types, [expression])})
        required = Merged(types, {"nodeSelectorTerms": Merged(types, [term])})
        affinity = Merged(types, {"requiredDuringSchedulingIgnoredDuringExecution": required})
        parts["affinity"] = Merged(types, {"nodeAffinity": affinity})
    return Merged(role, parts)


def _container(container: Node, sequence: Node, sizes: Node | None, resource: str | None) -> Node:
    """The fields of a Container, with the variables and the accelerators that the chart makes of the parallel sizes.

    Sizes that this file leaves to another one are not known, and add nothing. `sequence` lends its shape to a list.
    """

    from gpulint.source.environment import with_text
    from gpulint.source.kustomize import Merged

    parts = dict(container.items())
    extra = container.get("extraConfig")
    if extra is not None:
        parts |= dict(extra.items())
    tensor = sizes.get("tensor") if sizes is not None else None
    if sizes is None or tensor is None or tensor.text is None:
        return Merged(container, parts)
    variables = []
    for name, key in (("TP_SIZE", "tensor"), ("DP_SIZE", "data"), ("DP_SIZE_LOCAL", "dataLocal")):
        size = sizes.get(key)
        if size is not None:
            variables.append(Merged(sizes, {"name": with_text(size, name, size.key_place), "value": size}))
    env = container.get("env")
    parts["env"] = Merged(env or sequence, [*(env.elements() if env is not None else ()), *variables])
    limits = container.at("resources", "limits")
    if resource is not None and "inference-sim" not in (text_at(container, "image") or ""):
        each, local = sourced_int(tensor), count(sizes.get("dataLocal"), 1)
        gpus = tensor
        if local != 1:
            known = each is not None and local is not None
            gpus = with_text(tensor, str(each.value * local) if known and each and local else "$", tensor.entry_place)
        given = dict(limits.items()) if limits is not None else {}
        resources = container.get("resources")
        others = dict(resources.items()) if resources is not None else {}
        parts["resources"] = Merged(
            resources or sizes, {**others, "limits": Merged(limits or sizes, {resource: gpus, **given})}
        )
    return Merged(container, parts)


def _served(root: Node, sizes: Node | None, written: Node, container: Container) -> Engine | None:
    args = written.get("args")
    words = words_of(args, container.env) if args is not None and args.is_sequence else []
    launch = Launch(container.image, None, words, container.env, container.place)
    engine = engines.start("vllm", launch, words, container.place)
    if engine is None:
        return None
    engine.container = container
    uri = root.at("modelArtifacts", "uri")
    if uri is not None:
        engine.model = Setting(_model(root, uri.text or ""), "modelArtifacts.uri", uri.entry_place)
    for name, key in _SIZES:
        current: Setting[int] | None = getattr(engine, name)
        if current is not None and not current.default:
            continue
        size = sizes.get(key) if sizes is not None else None
        if size is not None:
            found = sourced_int(size)
            setattr(engine, name, Setting(found.value if found else None, f"parallelism.{key}", size.entry_place))
        elif sizes is None and current is not None:
            setattr(engine, name, Setting(None, f"parallelism.{key}", None, default=True))
    return engine


def _model(root: Node, uri: str) -> str | None:
    """`hf://owner/name`, `pvc://claim/path`, `pvc+hf://claim/cache/owner/name`."""
    name = text_at(root, "modelArtifacts", "name")
    if name is not None:
        uri = uri.replace(_NAME, name)
    scheme, separator, rest = uri.partition("://")
    rest = rest.strip('"')
    if not separator or any(mark in rest for mark in "${}<>"):
        return None
    if scheme == "hf":
        return rest
    if scheme == "pvc+hf" and rest.count("/") >= 2:
        return "/".join(rest.split("/")[-2:])
    if scheme == "pvc" and "/" in rest:
        return f"{text_at(root, 'modelArtifacts', 'mountPath') or _MOUNT_PATH}/{rest.partition('/')[2]}"
    return None
