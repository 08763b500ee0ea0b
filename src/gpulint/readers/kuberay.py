"""KubeRay RayCluster, RayJob, RayCronJob and RayService: head and worker groups as the pods of one workload."""

from __future__ import annotations

from gpulint import engines
from gpulint.engines.launch import Launch, Word
from gpulint.model.project import Project
from gpulint.model.quantity import quantity_mib
from gpulint.model.workload import Container, Pod, Rollout, SharedMemory, Workload
from gpulint.readers import ray_serve
from gpulint.readers._manifest import Manifest, count, sourced_int, text_at
from gpulint.readers._pods import ACCELERATOR_WORDS, read_pod
from gpulint.source.shell import Piece
from gpulint.source.yaml import Node

MARKS = (("ray.io",), (*ACCELERATOR_WORDS, *engines.marks(), *ray_serve.WORDS))
# Where each kind keeps its cluster. Source: ray-project/kuberay@feeaf72 ray-operator/apis/ray/v1.
_CLUSTERS: dict[str, tuple[str, ...]] = {
    "RayCluster": ("spec",),
    "RayJob": ("spec", "rayClusterSpec"),
    "RayCronJob": ("spec", "jobTemplate", "rayClusterSpec"),
    "RayService": ("spec", "rayClusterConfig"),
}
_JOBS = ("RayJob", "RayCronJob")
KINDS = frozenset({("ray.io", kind) for kind in _CLUSTERS})


def read_object(manifest: Manifest, project: Project) -> None:
    cluster = manifest.node.at(*_CLUSTERS[manifest.kind])
    pods = read_cluster(cluster) if cluster is not None else []
    if manifest.ref.name is None:
        for pod in pods:
            pod.complete = False
    config = manifest.node.at("spec", "serveConfigV2") if manifest.kind == "RayService" else None
    inner = config.embedded() if config is not None else None
    applications = ray_serve.read_applications(inner.root, pods) if inner is not None else []
    pods += [deployment.pod for deployment in applications if deployment.pod is not None]
    if not pods:
        return
    entrypoint = manifest.node.at(*_CLUSTERS[manifest.kind][:-1], "entrypoint")
    pods += _entrypoint_pod(entrypoint, pods) if manifest.kind in _JOBS and entrypoint is not None else []
    workload = Workload(
        ref=manifest.ref,
        api_version=manifest.api_version,
        place=manifest.name_node().place,
        pods=pods,
        multi_node=len(pods) > 1 or pods[0].per_group != 1,
        batch=manifest.kind in _JOBS,
        rollout=_upgrade(manifest) if manifest.kind == "RayService" else None,
    )
    project.workloads.append(workload)
    ray_serve.add_autoscalers(applications, workload, project)


def _upgrade(manifest: Manifest) -> Rollout | None:
    """How a RayService takes a change of its cluster: with a second one, unless it is told otherwise.

    Source: ray-project/kuberay ray-operator/apis/ray/v1/rayservice_types.go, RayServiceUpgradeType.
    """
    kind = text_at(manifest.node, "spec", "upgradeStrategy", "type")
    if kind not in (None, "NewCluster"):
        return None
    why = "a RayService starts a whole second cluster before it stops the first"
    return Rollout(manifest.name_node().place, side_by_side=why)


def _entrypoint_pod(entrypoint: Node, cluster: list[Pod]) -> list[Pod]:
    """The engine that a job starts, as a pod without devices of its own: its workers stand on the cluster's GPUs.

    Ray runs the text with a shell. Source: Ray documentation, JobSubmissionClient.submit_job.
    """
    text = entrypoint.text or ""
    words = [
        Word(entrypoint, [Piece("sh", 0, 0)], 0, 0),
        Word(entrypoint, [Piece("-c", 0, 0)], 0, 0),
        Word(entrypoint, [Piece(text, 0, len(text))], 0, len(text)),
    ]
    engine = engines.read(Launch(None, words, None, {}, entrypoint.key_place, env_known=False))
    if engine is None:
        return []
    engine.ray_cluster = True
    container = Container("entrypoint", entrypoint.key_place, engine=engine)
    engine.container = container
    placement = ray_serve.cluster_placement(cluster)
    return [Pod([container], entrypoint.key_place, role="job", placement=placement, complete=False, hosted=True)]


def read_cluster(spec: Node) -> list[Pod]:
    """The pods of a RayCluster's specification: the head, and each worker group with as many as it always has."""
    pods: list[Pod] = []
    head = spec.at("headGroupSpec", "template", "spec")
    if head is not None and head.is_mapping:
        pods.append(_pod(head, "head", 1, spec.at("headGroupSpec", "rayStartParams")))
    autoscaling = spec.get("enableInTreeAutoscaling")
    is_fixed = autoscaling is None or autoscaling.value is False
    may_grow = autoscaling is not None and autoscaling.value is True
    groups = spec.get("workerGroupSpecs")
    for group in groups.elements() if groups is not None else ():
        template = group.at("template", "spec")
        if template is not None and template.is_mapping:
            role, per_group = text_at(group, "groupName") or "worker", _pods_of_group(group, is_fixed=is_fixed)
            pod = _pod(template, role, per_group, group.get("rayStartParams"))
            pod.per_group_max = _most_of_group(group) if may_grow else pod.per_group
            pods.append(pod)
    if head is None:
        for pod in pods:
            pod.complete = False
    return pods


def _pod(spec: Node, role: str, per_group: int | None, start: Node | None) -> Pod:
    """The pod that KubeRay makes of a template.

    Source: ray-project/kuberay@feeaf72 ray-operator/controllers/ray/common/pod.go, BuildPod.
    """
    pod = read_pod(spec, role=role, per_group=per_group)
    pod.ray_gpus = sourced_int(start.get("num-gpus")) if start is not None else None
    has_store_elsewhere = start is not None and start.get("plasma-directory") is not None
    for index, container in enumerate(pod.containers):
        if index == 0 and container.shared_memory is None and not has_store_elsewhere:
            container.shared_memory = _operators_shared_memory(container, spec)
        if index == 0 and spec.at("containers", 0, "command") is None:
            container.engine = None  # KubeRay starts a Ray node there, whatever the image would start by itself
        if container.engine is not None:
            container.engine.ray_cluster = True
    return pod


def _operators_shared_memory(container: Container, spec: Node) -> SharedMemory:
    """KubeRay mounts memory at /dev/shm of the Ray container, as large as its memory limit or else its request.

    Releases before 1.3 take the request first.
    Source: ray-project/kuberay@feeaf72 ray-operator/controllers/ray/common/pod.go, makeEmptyDirVolume and
    findMemoryReqOrLimit.
    """
    resources = spec.at("containers", 0, "resources")
    size_mib = None
    for side in ("limits", "requests"):
        memory = resources.at(side, "memory") if resources is not None else None
        if memory is not None:
            size_mib = quantity_mib(memory.value)
            break
    return SharedMemory("Memory", size_mib, container.place)


def _pods_of_group(group: Node, *, is_fixed: bool) -> int | None:
    """Pods of a worker group: replicas × hosts of each; None where the autoscaler decides."""
    replicas = _integer(group.get("replicas"))
    low, high = _integer(group.get("minReplicas")), _integer(group.get("maxReplicas"))
    if not is_fixed:
        replicas = low if low == high else None
    elif replicas is not None and low is not None:
        replicas = max(replicas, low)
    hosts = count(group.get("numOfHosts"), default=1)
    return replicas * hosts if replicas is not None and hosts is not None else None


def _most_of_group(group: Node) -> int | None:
    """Pods of a worker group that Ray's autoscaler may start."""
    most, hosts = _integer(group.get("maxReplicas")), count(group.get("numOfHosts"), default=1)
    return most * hosts if most is not None and hosts is not None else None


def _integer(node: Node | None) -> int | None:
    found = sourced_int(node)
    return found.value if found is not None else None
