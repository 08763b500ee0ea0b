"""Ray Serve configurations: engines of Ray Serve LLM, and what scales the deployments."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gpulint.engines.vllm import from_engine_kwargs
from gpulint.hardware.gpus import gpus_named
from gpulint.metrics.table import Meaning
from gpulint.model.autoscaler import Autoscaler, ScaleDown, ScalingMetric
from gpulint.model.engine import Engine
from gpulint.model.project import Project
from gpulint.model.values import ObjectRef, Setting
from gpulint.model.workload import Container, Placement, Pod, Workload
from gpulint.readers._manifest import number_or_none, sourced, sourced_int, sourced_number, text_at
from gpulint.record import record
from gpulint.source.text import Place
from gpulint.source.yaml import Node

WORDS = ("llm_configs", "llm_config", "prefill_config", "decode_config", "ray_actor_options")
MARKS = (("applications:", '"applications"'), ("import_path",), WORDS)
# Where the builders of ray.serve.llm take their models from: a list of configurations, or one.
_LLM_KEYS = ("llm_config", "prefill_config", "decode_config")
# What Ray Serve does without the field: seconds of lower load before it removes replicas.
# Source: ray-project/ray@00239d4 python/ray/serve/config.py, AutoscalingConfig; the same in older releases.
_DOWNSCALE_DELAY_S = 600
# The target of an LLMConfig that writes none: what its builder puts there, and before it did so Serve's own default.
# Source: ray-project/ray@01c8975 python/ray/llm/_internal/serve/core/server/builder.py, @1aa6301 serve/constants.py;
# @1190ecb serve/deployments/llm/builder_llm_server.py.
_LLM_TARGETS = (1e9, 2)
_TARGETS = ("target_ongoing_requests", "target_num_ongoing_requests_per_replica")


@record
class ServeDeployment:
    """A deployment of GPU replicas: the engine as a hosted pod, if it has one that is known, and its scaling.

    `num_gpus` is what each replica takes where it is no such engine.
    """

    pod: Pod | None
    autoscaling: Node | None
    num_gpus: float | None = None
    max_ongoing: Setting[int] | None = None

    def gpus(self) -> int | None:
        """The whole GPUs of one replica; None where that cannot be known, and for a share of one."""
        if self.pod is None:
            return int(self.num_gpus) if self.num_gpus is not None and self.num_gpus.is_integer() else None
        engine = self.pod.containers[0].engine
        return engine.gpus_used() if engine is not None else None


def claims_file(root: Node) -> bool:
    applications = root.get("applications")
    return applications is not None and any(a.get("import_path") is not None for a in applications.elements())


def read_file(root: Node, project: Project) -> None:
    deployments = read_applications(root, [])
    pods = [deployment.pod for deployment in deployments if deployment.pod is not None]
    if not pods:
        return
    applications = root.get("applications")
    file = root.document.source.path.rpartition("/")[2]
    place = applications.key_place if applications is not None else root.place
    _add(deployments, pods, ObjectRef("Ray Serve config", None, file), place, project)


def add_configs(configs: Sequence[Node], ref: ObjectRef, project: Project) -> None:
    """Adds the models of these LLMConfigs as one workload."""
    deployments = [_deployment(config, []) for config in configs]
    pods = [deployment.pod for deployment in deployments if deployment.pod is not None]
    _add(deployments, pods, ref, pods[0].place, project)


def _add(
    deployments: Sequence[ServeDeployment], pods: list[Pod], ref: ObjectRef, place: Place, project: Project
) -> None:
    workload = Workload(ref=ref, api_version="", place=place, pods=pods, multi_node=True)
    project.workloads.append(workload)
    add_autoscalers(deployments, workload, project)


def read_applications(root: Node, cluster: Sequence[Pod]) -> list[ServeDeployment]:
    """The deployments that take GPUs, of a Serve configuration for a Ray cluster of these pods."""
    applications = root.get("applications")
    found = []
    for application in applications.elements() if applications is not None else ():
        found += [_deployment(config, cluster) for config in _llm_configs(application.get("args"))]
        deployments = application.get("deployments")
        for deployment in deployments.elements() if deployments is not None else ():
            gpus = number_or_none(deployment.at("ray_actor_options", "num_gpus"))
            if gpus:
                scaling = deployment.get("autoscaling_config")
                found.append(ServeDeployment(None, scaling, gpus, _max_ongoing(deployment)))
    return found


def _deployment(config: Node, cluster: Sequence[Pod]) -> ServeDeployment:
    """The deployment of an LLMConfig."""
    deployment = config.get("deployment_config")
    scaling = deployment.get("autoscaling_config") if deployment is not None else None
    return ServeDeployment(_llm_pod(config, cluster), scaling, max_ongoing=_max_ongoing(deployment))


def add_autoscalers(deployments: Sequence[ServeDeployment], workload: Workload, project: Project) -> None:
    """Adds what scales these deployments of a workload."""
    for deployment in deployments:
        if deployment.autoscaling is not None and deployment.autoscaling.is_mapping:
            scaler = _autoscaler(deployment.autoscaling, workload, deployment.gpus())
            scaler.metrics[0].ceiling = deployment.max_ongoing
            if deployment.pod is not None and scaler.metrics[0].name == _TARGETS[0]:
                scaler.metrics[0].default_targets = _LLM_TARGETS
            project.autoscalers.append(scaler)


def _max_ongoing(deployment: Node | None) -> Setting[int] | None:
    """How many requests a replica takes at a time, where that is written (before 2.10 as max_concurrent_queries).

    The default is no fact without the release: 5, but 100 before 2.32; that of the target is 2, but 1 before 2.32.
    Source: ray-project/ray@00cd3f3 doc/source/serve/advanced-guides/advanced-autoscaling.md; release notes of Ray 2.10.
    """
    for key in ("max_ongoing_requests", "max_concurrent_queries"):
        node = deployment.get(key) if deployment is not None else None
        found = sourced_int(node)
        if node is not None and found is not None:
            return Setting(found.value, key, node.place)
    return None


def _llm_configs(args: Node | None) -> Iterator[Node]:
    if args is None:
        return
    several = args.get("llm_configs")
    candidates = [*(several.elements() if several is not None else ()), *(args.get(key) for key in _LLM_KEYS)]
    for config in candidates:
        if config is not None and config.is_mapping:
            yield config


def _llm_pod(config: Node, cluster: Sequence[Pod]) -> Pod | None:
    """The engine of an LLMConfig as a pod without devices of its own: Ray places its workers on the cluster's GPUs."""
    loading = config.get("model_loading_config")
    identifier = loading.get("model_id") if loading is not None else None
    place = identifier.place if identifier is not None else config.place
    container = Container(identifier.text if identifier is not None else None, place)
    container.engine = _engine(config, container)
    if container.engine is not None:
        container.engine.container = container
    return Pod([container], place, role="model", placement=_placement(config, cluster), complete=False, hosted=True)


def _placement(config: Node, cluster: Sequence[Pod]) -> Placement | None:
    """The boards that the model asks for, else those of the one group of workers that has any."""
    accelerator = config.get("accelerator_type")
    if accelerator is not None and accelerator.text is not None:
        boards = gpus_named(accelerator.text)
        return Placement(boards, sourced(f"accelerator_type: {accelerator.text}", accelerator)) if boards else None
    return cluster_placement(cluster)


def cluster_placement(cluster: Sequence[Pod]) -> Placement | None:
    """The boards of the one group of a Ray cluster that asks for any; None where there are several."""
    with_gpus = [pod for pod in cluster if any(container.gpus for container in pod.containers)]
    return with_gpus[0].placement if len(with_gpus) == 1 else None


def _engine(config: Node, container: Container) -> Engine | None:
    """vLLM with the arguments of `engine_kwargs`, which are its flags by their Python names."""
    kind = text_at(config, "llm_engine")
    if (kind is not None and kind.lower() != "vllm") or config.get("server_cls") is not None:
        return None
    engine = from_engine_kwargs(config.get("engine_kwargs"), container.place)
    engine.model = _model(config) or engine.model
    engine.ray_cluster = True
    engine.executor = Setting("ray", "distributed_executor_backend", None, default=True)
    return engine


def _model(config: Node) -> Setting[str] | None:
    """The source of the weights; without one the model's id is its name on the Hub."""
    loading = config.get("model_loading_config")
    for key in ("model_source", "model_id"):
        node = loading.get(key) if loading is not None else None
        if node is not None:
            return Setting(node.text, key, node.entry_place)
    return None


def _autoscaler(scaling: Node, workload: Workload, gpus: int | None) -> Autoscaler:
    target = next((node for key in _TARGETS if (node := scaling.get(key)) is not None), None)
    spelled = next((key for key in _TARGETS if scaling.get(key) is not None), _TARGETS[0])
    return Autoscaler(
        ref=workload.ref,
        place=scaling.key_place,
        target=workload.ref,
        target_place=workload.place,
        metrics=[
            ScalingMetric(
                type="Serve",
                name=spelled,
                place=target.entry_place if target is not None else scaling.key_place,
                meanings=frozenset({Meaning.CONCURRENCY}),
                target_type="AverageValue",
                threshold=sourced_number(target),
            )
        ],
        metrics_known=scaling.get("policy") is None,
        min_replicas=sourced_int(scaling.get("min_replicas")),
        max_replicas=sourced_int(scaling.get("max_replicas")),
        scale_down=ScaleDown(
            sourced_number(scaling.get("downscale_delay_s")), spelled="downscale_delay_s", default_s=_DOWNSCALE_DELAY_S
        ),
        to_zero_after_s=sourced_number(scaling.get("downscale_to_zero_delay_s") or scaling.get("downscale_delay_s")),
        default_to_zero_after_s=_DOWNSCALE_DELAY_S,
        gpus_per_replica=gpus,
    )
