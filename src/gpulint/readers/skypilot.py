"""SkyPilot tasks and services: one workload per accelerator that a task may run on, with its script read for each."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from typing import NamedTuple

from gpulint import engines
from gpulint.engines.launch import Find, Launch, Word
from gpulint.hardware.gpus import Gpu, gpus_named
from gpulint.hardware.instances import instance_type
from gpulint.hardware.match import NodeMatch
from gpulint.metrics.table import Meaning
from gpulint.model.autoscaler import Autoscaler, ScaleDown, ScalingMetric
from gpulint.model.project import Project
from gpulint.model.values import ObjectRef, Sourced
from gpulint.model.workload import (
    Container,
    EnvVar,
    GpuRequest,
    Placement,
    Pod,
    Probe,
    SharedMemory,
    Vendor,
    Workload,
)
from gpulint.readers._docker import run_workload
from gpulint.readers._files import mounted_files, project_files
from gpulint.readers._manifest import number_or_none, sourced, sourced_int, sourced_number, sourced_text
from gpulint.source.shell import Piece
from gpulint.source.text import Place
from gpulint.source.yaml import Node

MARKS = (("resources:",), ("run:",), ("accelerators", "instance_type"))
# A100 is the one of 40 GB (the other is A100-80GB), V100 that of 16. Source: SkyPilot's catalog, `sky show-gpus --all`.
_SMALLER = frozenset({"A100", "V100"})
# Source: SkyPilot documentation, "SkyPilot YAML" and "Service YAML".
_TOP_LEVEL = frozenset({
    "config", "env_file", "envs", "event_callback", "experimental", "file_mounts", "inputs", "name", "num_nodes",
    "outputs", "pool", "resources", "run", "secrets", "service", "setup", "storage_mounts", "volumes", "workdir",
})  # fmt: skip
_GPUS_PER_NODE, _NODES = "SKYPILOT_NUM_GPUS_PER_NODE", "SKYPILOT_NUM_NODES"
# Set on each node, to what is known there alone.
_OF_THE_NODE = (
    "SKYPILOT_NODE_RANK", "SKYPILOT_NODE_IPS", "SKYPILOT_TASK_ID", "SKYPILOT_CLUSTER_INFO", "SKYPILOT_SERVE_REPLICA_ID",
    "SKYPILOT_USER", "HOME", "PATH", "USER",
)  # fmt: skip
_VENDORS: dict[str, Vendor] = {
    "nvidia": "nvidia", "amd": "amd", "intel": "habana", "google": "google-tpu", "aws": "aws-neuron",
}  # fmt: skip
_DOCKER = "docker:"
_MOST_CHOICES = 32
_MOST_GPUS = 64
# Seconds for which the load must be lower before SkyServe takes a replica away, where the file leaves it out.
# Source: SkyPilot documentation, "Service YAML", replica_policy.downscale_delay_seconds.
_DOWNSCALE_DELAY_S = 1200


class _Choice(NamedTuple):
    """One of the accelerators that a task may run on; `gpus` of them per node, None if unknown.

    `place` is where all of them are written together.
    """

    why: Sourced[str] | None
    name: str
    gpus: int | None
    match: NodeMatch | None
    place: Place


def claims_file(root: Node) -> bool:
    resources, run = root.get("resources"), root.get("run")
    if resources is None or not resources.is_mapping or run is None or run.text is None:
        return False
    return all(key in _TOP_LEVEL for key, _ in root.items())


def read_file(root: Node, project: Project) -> None:
    name, service = root.get("name"), root.get("service")
    file = posixpath.basename(root.document.source.path).partition(".")[0]
    ref = ObjectRef(
        "SkyPilot task" if service is None else "SkyPilot service",
        None,
        name.text if name is not None and name.text is not None else file,
    )
    choices = list(_choices(root))[:_MOST_CHOICES]
    # One object in several forms: they share the reference, and what holds for all of them is told once.
    forms = [_workload(root, choice, ref, project) for choice in choices] or [_workload(root, None, ref, project)]
    delay = service.at("readiness_probe", "initial_delay_seconds") if service is not None else None
    seconds = number_or_none(delay)
    if delay is not None and seconds is not None:
        for container in (container for form in forms for container in form.containers):
            container.startup_probe = Probe(seconds, delay.key_place)
    project.workloads += forms
    policy = service.get("replica_policy") if service is not None else None
    if policy is not None and policy.is_mapping:
        scaler = _autoscaler(policy, ref, forms[0])
        for form in forms:
            form.autoscalers.append(scaler)
        project.autoscalers.append(scaler)


# -- accelerators


def _choices(root: Node) -> Iterator[_Choice]:
    """The accelerators of `resources` and of its alternatives, each of which adds to what stands beside it."""
    resources = root.get("resources")
    if resources is None:
        return
    own = list(_choices_of(resources))
    alternatives = [
        element
        for key in ("any_of", "ordered")
        if (node := resources.get(key)) is not None
        for element in node.elements()
    ]
    seen: set[tuple[str, int | None]] = set()
    found = [choice for element in alternatives for choice in _choices_of(element)]
    if any(element.get("accelerators") is None and element.get("instance_type") is None for element in alternatives):
        found = own + found
    for choice in found or own:
        if (choice.name, choice.gpus) not in seen:
            seen.add((choice.name, choice.gpus))
            yield choice


def _choices_of(resources: Node) -> Iterator[_Choice]:
    """`A100:8`, a list or set of such texts, or a mapping of names to counts; or an instance type."""
    accelerators, instance = resources.get("accelerators"), resources.get("instance_type")
    if accelerators is not None:
        if accelerators.is_mapping:
            for key, value in accelerators.items():
                if value.text is None:  # `{A100:8}` is a set, and its place the key's
                    yield _choice(key, None, value.key_place, accelerators)
                else:
                    yield _choice(key, value.text, value.entry_place, accelerators)
        for element in accelerators.elements() if accelerators.is_sequence else (accelerators,):
            if element.text is not None:
                yield _choice(element.text, None, element.place, accelerators)
    elif instance is not None and instance.text is not None:
        match = instance_type(instance.text)
        if match is not None:
            why = Sourced(instance.text, instance.place, instance.key_place)
            yield _Choice(why, instance.text, match.gpu_count, match, instance.place)


def _choice(text: str, count: str | None, place: Place, node: Node) -> _Choice:
    name, colon, written = text.partition(":")
    number = count if count is not None else written if colon else "1"
    boards = _boards(name)
    match = NodeMatch(gpus=boards) if boards else None
    written_count = int(number) if number.isascii() and number.isdigit() and len(number) < 4 else None
    if written_count is not None and not 0 < written_count <= _MOST_GPUS:
        written_count = None
    shown = text if count is None else f"{text}:{count}"
    return _Choice(Sourced(shown, place, place), name, written_count, match, node.place)


def _boards(name: str) -> tuple[Gpu, ...]:
    """The boards of a name in SkyPilot's catalog, where a bare name is the smaller board of two."""
    boards = gpus_named(name)
    smallest = min((board.memory_mib or 0 for board in boards), default=0)
    return tuple(board for board in boards if board.memory_mib == smallest) if name in _SMALLER else boards


def _vendor(choice: _Choice) -> Vendor:
    if choice.name.lower().startswith("tpu"):
        return "google-tpu"
    vendors = {board.vendor for board in choice.match.gpus} if choice.match is not None else set()
    return _VENDORS.get(vendors.pop(), "nvidia") if len(vendors) == 1 else "nvidia"


# -- the task


def _workload(root: Node, choice: _Choice | None, ref: ObjectRef, project: Project) -> Workload:
    resources, run, service = root.get("resources"), root.get("run"), root.get("service")
    assert resources is not None and run is not None  # noqa: PT018 - as claims_file has it
    nodes_node = root.get("num_nodes")
    nodes = sourced_int(nodes_node)
    count = nodes.value if nodes is not None else (1 if nodes_node is None else None)
    image = _image(resources)
    env = _environment(root, choice, nodes_node, count)
    launch = Launch(
        image=image,
        command=_script(run),
        args=None,
        env=env,
        place=run.key_place,
        installed=_installed(root, env),
        find=_files(root, project),
    )
    engine = engines.read(launch)
    container = Container(
        "run",
        run.key_place,
        image=image,
        gpus=_requests(choice),
        env=env,
        engine=engine,
        # A machine has half of its memory there; in containers SkyPilot sets a size itself.
        shared_memory=SharedMemory("host", None, run.key_place),
        published=_ports(resources),
    )
    if engine is not None:
        engine.container = container
    else:
        container = _in_docker(launch, choice, container)
        engine = container.engine
    pod = Pod([container], run.key_place, per_group=count, placement=_placement(choice))
    name = root.get("name")
    return Workload(
        ref=ref,
        api_version="",
        place=name.place if name is not None else (service or resources).key_place,
        pods=[pod],
        replicas=sourced_int(service.get("replicas")) if service is not None else None,
        multi_node=count is None or count > 1,
        batch=service is None and engine is None,
    )


def _in_docker(launch: Launch, choice: _Choice | None, task: Container) -> Container:
    """The one container with an engine that the task runs with Docker, on the machine's GPUs; else the task's own."""
    runs = [run for line in launch.lines() if line.words and (run := run_workload(line, launch.env)) is not None]
    found = [container for run in runs for container in run.containers if container.engine is not None]
    if len(found) != 1:
        return task
    (container,) = found
    if container.gpus and container.gpus[0].count is None:  # --gpus all
        container.gpus = _requests(choice)
    container.published = task.published
    return container


def _ports(resources: Node) -> list[Sourced[int]]:
    """The ports that SkyPilot opens to the Internet. Source: SkyPilot documentation, "Opening Ports"."""
    ports = resources.get("ports")
    if ports is None:
        return []
    nodes = ports.elements() if ports.is_sequence else (ports,)
    return [found for node in nodes if (found := sourced_int(node)) is not None]


def _requests(choice: _Choice | None) -> list[GpuRequest]:
    if choice is None or choice.why is None:
        return []
    return [GpuRequest(choice.name, _vendor(choice), choice.gpus, choice.why.place, choice.why.key_place)]


def _placement(choice: _Choice | None) -> Placement | None:
    if choice is None or choice.why is None or choice.match is None:
        return None
    match = choice.match
    return Placement(
        match.gpus, choice.why, gpus_per_node=match.gpu_count, interconnect=match.interconnect, fraction=match.fraction
    )


def _image(resources: Node) -> Sourced[str] | None:
    """`image_id: docker:vllm/vllm-openai:v0.10.0`; other images are of machines."""
    node = resources.get("image_id")
    image = sourced_text(node)
    if image is None or node is None or not image.value.startswith(_DOCKER):
        return None
    return sourced(image.value.removeprefix(_DOCKER), node)


def _environment(root: Node, choice: _Choice | None, nodes: Node | None, count: int | None) -> dict[str, EnvVar]:
    run = root.get("run") or root
    env = {name: EnvVar(name, None, run.key_place, run.key_place) for name in _OF_THE_NODE}
    for key in ("envs", "secrets"):
        given = root.get(key)
        for name, node in given.items() if given is not None else ():
            # null: to be given on the command line
            value = node.text if key == "envs" else None
            env[name] = EnvVar(name, value, node.place, node.key_place)
    if choice is not None:
        value = str(choice.gpus) if choice.gpus is not None else None
        env[_GPUS_PER_NODE] = EnvVar(_GPUS_PER_NODE, value, choice.place, choice.place, remote=True)
    else:
        env[_GPUS_PER_NODE] = EnvVar(_GPUS_PER_NODE, None, run.key_place, run.key_place)
    at = nodes if nodes is not None else run
    env[_NODES] = EnvVar(_NODES, str(count) if count is not None else None, at.place, at.key_place)
    return env


def _files(root: Node, project: Project) -> Find:
    """What finds the files of `workdir`, where the script runs, and of `file_mounts`.

    Their paths on this side are relative to where the task is launched.
    """
    outside = project_files(project, root.document.source.path)
    mounts: list[tuple[str, str]] = []
    workdir, given = root.get("workdir"), root.get("file_mounts")
    if workdir is not None and workdir.text is not None:
        mounts.append((workdir.text, "."))
    for target, source in given.items() if given is not None else ():
        if source.text is not None and "://" not in source.text:
            mounts.append((source.text, target))
    return mounted_files(mounts, outside)


def _installed(root: Node, env: dict[str, EnvVar]) -> dict[str, str | None]:
    """The versions of the packages that `setup` installs."""
    setup = root.get("setup")
    if setup is None or "install" not in (setup.text or ""):
        return {}
    from gpulint.engines import _packages

    return _packages.installed(Launch(None, _script(setup), None, env, setup.place).lines())


def _script(run: Node) -> list[Word]:
    """The words `bash -c SCRIPT`: SkyPilot runs the text with bash. Source: SkyPilot documentation, run."""
    text = run.text or ""
    return [
        Word(run, [Piece("bash", 0, 0)], 0, 0),
        Word(run, [Piece("-c", 0, 0)], 0, 0),
        Word(run, [Piece(text, 0, len(text))], 0, len(text)),
    ]


# -- the service


def _autoscaler(policy: Node, ref: ObjectRef, workload: Workload) -> Autoscaler:
    """SkyServe compares the requests per second that a replica gets with a target, if one is given."""
    target, delay = policy.get("target_qps_per_replica"), sourced_number(policy.get("downscale_delay_seconds"))
    metrics = []
    if target is not None:
        metrics.append(
            ScalingMetric(
                "SkyServe",
                "target_qps_per_replica",
                target.entry_place,
                frozenset({Meaning.REQUEST_RATE}),
                target_type="AverageValue",
                threshold=sourced_number(target),
            )
        )
    return Autoscaler(
        ref=ref,
        place=policy.key_place,
        target=ref,
        target_place=policy.key_place,
        metrics=metrics,
        min_replicas=sourced_int(policy.get("min_replicas")),
        max_replicas=sourced_int(policy.get("max_replicas")),
        scale_down=ScaleDown(delay, spelled="downscale_delay_seconds", default_s=_DOWNSCALE_DELAY_S),
        to_zero_after_s=delay,
        default_to_zero_after_s=_DOWNSCALE_DELAY_S,
        workload=workload,
    )
