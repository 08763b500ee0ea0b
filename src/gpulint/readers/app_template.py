"""Values of bjw-s's app-template chart, which many clusters of one person run everything with: controllers, each a pod.

Source: bjw-s-labs/helm-charts charts/library/common/values.yaml (controllers, defaultPodOptions, persistence).
"""

from __future__ import annotations

from collections.abc import Iterator

from gpulint import engines
from gpulint.model.project import Project
from gpulint.model.values import ObjectRef, Sourced
from gpulint.model.workload import Workload
from gpulint.readers._manifest import sourced, sourced_int, text_at
from gpulint.readers._pods import ACCELERATOR_WORDS, elements, pod_of, read_container
from gpulint.source.yaml import Node

MARKS = (("controllers",), ("containers",), (*ACCELERATOR_WORDS, *engines.marks()))
_PROBES = ("liveness", "readiness", "startup")
_COMMANDS = ("command", "args")


def claims_file(root: Node) -> bool:
    return root.is_mapping and root.get("apiVersion") is None and any(True for _ in _controllers(root))


def read_file(root: Node, project: Project) -> None:
    ref = ObjectRef("Chart", None, root.document.source.path.rpartition("/")[2])
    for name, controller in _controllers(root):
        spec = _pod_spec(root, controller)
        containers = controller.get("containers")
        nodes = list(containers.items()) if containers is not None else []
        pod = pod_of(
            spec,
            [
                read_container(_container(root, node, name, key), spec, image=_image(node.get("image")))
                for key, node in nodes
                if node.is_mapping and text_at(node, "enabled") != "false"
            ],
        )
        pod.complete = False
        workload = Workload(
            ref=ref,
            api_version="",
            place=controller.key_place,
            pods=[pod],
            replicas=sourced_int(controller.get("replicas")),
            part=name,
        )
        if workload.uses_gpus or workload.engines:
            project.workloads.append(workload)


def _controllers(root: Node) -> Iterator[tuple[str, Node]]:
    """The controllers that are on, by name: each has containers by name, with an image of their own."""
    controllers = root.get("controllers")
    for name, controller in controllers.items() if controllers is not None else ():
        containers = controller.get("containers")
        if containers is None or not containers.is_mapping or text_at(controller, "enabled") == "false":
            continue
        if any(node.at("image", "repository") is not None for _, node in containers.items()):
            yield name, controller


def _container(root: Node, node: Node, controller: str, name: str) -> Node:
    """The fields of a Container, of which the chart spells a few otherwise."""
    from gpulint.source.environment import with_text
    from gpulint.source.kustomize import Merged

    parts = {key: value for key, value in node.items() if key not in ("name", "probes", "image")}
    parts["name"] = with_text(node, name, node.key_place)
    for key in _COMMANDS:
        value = parts.get(key)
        if value is not None and value.text is not None:
            parts[key] = Merged(value, [value])
    for key in _PROBES:
        spec = node.at("probes", key, "spec")
        if spec is not None and text_at(node, "probes", key, "enabled") == "true":
            parts[f"{key}Probe"] = spec
    mounts: list[Node] = []
    for volume, item in _volumes(root):
        name_node = with_text(item, volume, item.key_place)
        for mount in (*elements(item, "globalMounts"), *_advanced(item, controller, name)):
            path = mount.get("path")
            if path is not None:
                mounts.append(Merged(mount, {"mountPath": path, "name": name_node}))
    if mounts:
        parts["volumeMounts"] = Merged(node, mounts)
    return Merged(node, parts)


def _advanced(item: Node, controller: str, container: str) -> list[Node]:
    """The mounts of a volume in one container alone."""
    holder = item.at("advancedMounts", controller)
    return elements(holder, container) if holder is not None else []


def _volumes(root: Node) -> Iterator[tuple[str, Node]]:
    persistence = root.get("persistence")
    for name, item in persistence.items() if persistence is not None else ():
        if item.is_mapping and text_at(item, "enabled") != "false":
            yield name, item


def _pod_spec(root: Node, controller: Node) -> Node:
    """The PodSpec: the options of all pods, those of the controller over them, and the volumes."""
    from gpulint.source.environment import with_text
    from gpulint.source.kustomize import Merged

    parts: dict[str, Node] = {}
    for options in (root.get("defaultPodOptions"), controller.get("pod")):
        parts |= dict(options.items()) if options is not None else {}
    volumes: list[Node] = []
    for volume, item in _volumes(root):
        kind = text_at(item, "type")
        own: dict[str, Node] = {"name": with_text(item, volume, item.key_place)}
        if kind == "emptyDir":
            own[kind] = Merged(item, {key: value for key in ("medium", "sizeLimit") if (value := item.get(key))})
        elif kind == "hostPath":
            path = item.get("hostPath")
            own[kind] = Merged(item, {"path": path} if path is not None else {})
        elif kind is not None:
            own[kind] = Merged(item, {})
        volumes.append(Merged(item, own))
    if volumes:
        parts["volumes"] = Merged(controller, volumes)
    return Merged(controller, parts)


def _image(node: Node | None) -> Sourced[str] | None:
    """`repository` and `tag`; a digest may follow the tag."""
    repository, tag = (node.get("repository"), node.get("tag")) if node is not None else (None, None)
    if repository is None or repository.text is None:
        return None
    text = f"{repository.text}:{tag.raw.value}" if tag is not None and tag.is_scalar else repository.text
    return sourced(text, repository)
