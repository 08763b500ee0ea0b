"""Model of KubeAI: an engine by name, a resource profile for its GPUs, and an autoscaler on requests in progress.

The values of KubeAI's chart may add profiles, and change those that it brings.
"""

from __future__ import annotations

from functools import partial

from gpulint import engines
from gpulint.engines.launch import Launch, words_of
from gpulint.hardware.gpus import gpus_named
from gpulint.metrics.table import Meaning
from gpulint.model.autoscaler import Autoscaler, ScalingMetric
from gpulint.model.engine import Engine
from gpulint.model.project import Project
from gpulint.model.values import ObjectRef, Setting, Sourced
from gpulint.model.workload import Container, GpuRequest, Placement, Pod, SharedMemory, Vendor, Workload
from gpulint.readers._manifest import Manifest, sourced_int, sourced_number, sourced_text
from gpulint.readers._pods import environment, gpu_requests, pod_of
from gpulint.source.yaml import Node

# Source: substratusai/kubeai@2f32ef4 api/k8s/v1/model_types.go and internal/modelcontroller/engine_*.go.
MARKS = (("kubeai.org", "resourceProfiles"),)
KINDS = frozenset({("kubeai.org", "Model")})
_ENGINES = {"VLLM": "vllm", "OLlama": "ollama"}
# The profiles of KubeAI's chart, one device each: what they ask for, and of which board.
# Source: substratusai/kubeai@2f32ef4 charts/kubeai/values.yaml.
_PROFILES: dict[str, tuple[str, Vendor, str | None]] = {
    "nvidia-gpu-t4": ("nvidia.com/gpu", "nvidia", "t4"),
    "nvidia-gpu-l4": ("nvidia.com/gpu", "nvidia", "l4"),
    "nvidia-gpu-l40s": ("nvidia.com/gpu", "nvidia", "l40s"),
    "nvidia-gpu-h100": ("nvidia.com/gpu", "nvidia", "h100"),
    "nvidia-gpu-gh200": ("nvidia.com/gpu", "nvidia", "gh200"),
    "nvidia-gpu-a100-80gb": ("nvidia.com/gpu", "nvidia", "a100-80gb"),
    "nvidia-gpu-a100-40gb": ("nvidia.com/gpu", "nvidia", "a100-40gb"),
    "nvidia-gpu-a16": ("nvidia.com/gpu", "nvidia", "a16"),
    "nvidia-gpu-rtx4070-8gb": ("nvidia.com/gpu", "nvidia", None),
    "amd-gpu-mi300x": ("amd.com/gpu", "amd", "mi300x"),
}
_BASE = "KubeAI resource profile"


def claims_file(root: Node) -> bool:
    return root.is_mapping and root.get("apiVersion") is None and root.at("resourceProfiles") is not None


def read_file(root: Node, project: Project) -> None:
    profiles = root.get("resourceProfiles")
    for name, node in profiles.items() if profiles is not None else ():
        if node.is_mapping and node.keys():
            project.bases.append((ObjectRef(_BASE, None, name), node))


def read_object(manifest: Manifest, project: Project) -> None:
    spec = manifest.node.get("spec")
    if spec is None or not spec.is_mapping:
        return
    profile = sourced_text(spec.get("resourceProfile"))
    container = _container(spec, profile)
    pod = Pod([container], spec.key_place, placement=_placement(profile))
    engine_node = spec.get("engine")
    pod.complete = engine_node is not None and profile is not None and spec.get("url") is not None
    workload = Workload(
        ref=manifest.ref,
        api_version=manifest.api_version,
        place=manifest.name_node().place,
        pods=[pod],
        replicas=sourced_int(spec.get("replicas")),
    )
    project.workloads.append(workload)
    if profile is not None:
        project.completions.append(partial(_apply_profile, pod, profile, project))
    disabled = spec.get("autoscalingDisabled")
    if pod.complete and not (disabled is not None and disabled.value is True):
        scaler = _autoscaler(spec, manifest, workload)
        project.autoscalers.append(scaler)
        workload.autoscalers.append(scaler)


def _container(spec: Node, profile: Sourced[str] | None) -> Container:
    env = environment(spec.get("env"))
    args, engine_node = spec.get("args"), spec.get("engine")
    place = engine_node.place if engine_node is not None else spec.key_place
    launch = Launch(
        image=sourced_text(spec.get("image")),
        command=None,
        args=words_of(args, env) if args is not None else [],
        env=env,
        place=place,
        env_known=spec.get("envFrom") is None,
    )
    name = _ENGINES.get(engine_node.text or "") if engine_node is not None else None
    engine = engines.start(name, launch, launch.args or [], place) if name is not None else None
    container = Container(
        name="server",
        place=place,
        image=launch.image,
        gpus=_gpus(profile),
        env=env,
        engine=engine,
        # KubeAI mounts memory without a limit there.
        shared_memory=SharedMemory("Memory", None, place) if name == "vllm" else None,
    )
    if engine is not None:
        engine.container = container
        engine.chooses_devices = "CUDA_VISIBLE_DEVICES" in env
        _set_model(engine, spec.get("url"))
    return container


def _set_model(engine: Engine, url: Node | None) -> None:
    """The model of the URL, which KubeAI passes on ahead of the arguments; a mounted one has no known name."""
    if url is None or url.text is None or (engine.model is not None and not engine.model.default):
        return
    scheme, _, rest = url.text.partition("://")
    engine.model = Setting(rest.partition("?")[0] if scheme in ("hf", "ollama") else None, "url", url.place)


def _split(profile: Sourced[str] | None) -> tuple[str, int | None]:
    """`nvidia-gpu-l4:2` as the profile's name and the number of times that it is taken."""
    name, _, number = profile.value.partition(":") if profile is not None else ("", "", "")
    return name, int(number) if number.isascii() and number.isdigit() and len(number) < 9 else None


def _gpus(profile: Sourced[str] | None) -> list[GpuRequest]:
    name, number = _split(profile)
    if profile is None or name not in _PROFILES or number == 0:
        return []
    resource, vendor, _ = _PROFILES[name]
    return [GpuRequest(resource, vendor, number, profile.place, profile.key_place)]


def _placement(profile: Sourced[str] | None) -> Placement | None:
    name, _ = _split(profile)
    board = _PROFILES[name][2] if name in _PROFILES else None
    gpus = gpus_named(board) if board is not None else ()
    return Placement(gpus, profile) if gpus and profile is not None else None


def _apply_profile(pod: Pod, profile: Sourced[str], project: Project, bases: Project) -> None:
    """Gives a Model what the nearest values say of its profile: its limits as often as it is taken, and its nodes.

    Source: substratusai/kubeai@2f32ef4 internal/modelcontroller/model_controller.go, getModelConfig.
    """

    from gpulint.source.kustomize import Merged

    name, number = _split(profile)
    named = [node for ref, node in bases.bases if ref.kind == _BASE and ref.name == name]
    node = project.nearest(named, profile.place, lambda each: each.place)
    if node is None:
        return
    sides = {key: side for key, side in node.items() if key in ("limits", "requests")}
    resources = Merged(node, {"resources": Merged(node, sides)})
    requests = gpu_requests(resources)
    if node.get("limits") is not None or requests:
        for request in requests:
            request.count = request.count * number if request.count is not None and number is not None else None
            request.place, request.key_place = profile.place, profile.key_place
        pod.containers[0].gpus = [request for request in requests if request.count != 0]
    if node.get("nodeSelector") is not None or node.get("affinity") is not None:
        pod.placement = pod_of(node, []).placement


def _autoscaler(spec: Node, manifest: Manifest, workload: Workload) -> Autoscaler:
    """KubeAI's own autoscaler: the mean of active requests over ten minutes against `targetRequests` per replica.

    `scaleDownDelaySeconds` comes on top of that mean, so it is no stabilisation window.
    Source: substratusai/kubeai@2f32ef4 internal/modelautoscaler/autoscaler.go; internal/config/system.go, TimeWindow.
    """
    target = spec.get("targetRequests")
    place = manifest.name_node().place
    metric = ScalingMetric(
        type="KubeAI",
        name="active requests",
        place=target.entry_place if target is not None else place,
        meanings=frozenset({Meaning.CONCURRENCY}),
        target_type="AverageValue",
        threshold=sourced_number(target),
    )
    return Autoscaler(
        ref=manifest.ref,
        place=place,
        target=manifest.ref,
        target_place=place,
        metrics=[metric],
        min_replicas=sourced_int(spec.get("minReplicas")),
        max_replicas=sourced_int(spec.get("maxReplicas")),
        workload=workload,
        default_min_replicas=0 if spec.get("minReplicas") is None else None,
        holds_requests=True,
    )
