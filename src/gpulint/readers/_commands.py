"""What the command lines of a file that is no manifest run: containers, and engines on the machine itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gpulint import engines
from gpulint.engines.launch import CommandLine, Launch, Written
from gpulint.model.engine import Engine
from gpulint.model.project import Project
from gpulint.model.values import ObjectRef, Sourced
from gpulint.model.workload import Container, EnvVar, Pod, SharedMemory, Workload
from gpulint.readers._docker import container_command, run_workload
from gpulint.readers._files import project_files
from gpulint.readers._slurm import Job
from gpulint.readers._slurm import step as slurm_step
from gpulint.source.environment import text_node
from gpulint.source.text import Source
from gpulint.source.yaml import Node


def whole(source: Source) -> Node:
    """The text of a file as a node, in which its words have their places."""
    return text_node(source, source.text, 0, len(source.text))


def read_lines(
    lines: Sequence[CommandLine],
    env: Mapping[str, EnvVar],
    ref: ObjectRef,
    node: Node,
    project: Project,
    *,
    env_known: bool = True,
    written: Mapping[str, Written] | None = None,
    job: Job | None = None,
) -> None:
    """Adds a workload for each container that these lines run, and one for the engines that they start themselves.

    `written` are the files that the lines write (see Launch), `job` is what the script asks Slurm for.
    """
    own: list[CommandLine] = []
    outside = Launch(
        None, [], None, dict(env), node.place, written=written, find=project_files(project, node.place.source.path)
    )
    for line in lines:
        if not line.words:
            continue
        workload = run_workload(line, env, outside.options)
        if workload is not None:
            project.workloads.append(workload)
        else:
            own.append(container_command(line) or line)
    launch = Launch(
        None, [], None, dict(env), node.place, env_known=env_known, lines=own, written=written, find=outside.find
    )
    found = engines.read_all(launch)
    if len(found) == 1:
        asked = [step for line in own if (step := slurm_step(line.words)) is not None]
        job = asked[0] if len(asked) == 1 else None if asked else job
    else:
        job = None  # they share what it has
    add_engines(found, ref, project, env=launch.env, job=job)


def add_engines(
    found: Sequence[Engine],
    ref: ObjectRef,
    project: Project,
    *,
    image: Sourced[str] | None = None,
    env: Mapping[str, EnvVar] | None = None,
    hosted: bool = False,
    job: Job | None = None,
) -> None:
    """Adds a workload of engines on a machine of which the file says nothing: how many GPUs, which, what memory.

    `hosted` says that Ray places them on the nodes of a cluster, `job` what the one engine has by a job of Slurm.
    """
    pods = []
    for engine in found:
        container = Container(ref.name, engine.place, image=image, env=dict(env or {}), engine=engine)
        engine.container = container
        pod = Pod([container], engine.place, complete=False, hosted=hosted)
        if job is not None and job.gpus is not None:
            container.gpus = [job.gpus]
            container.shared_memory = SharedMemory("host", None, engine.place)  # nodes leave /dev/shm as it is
            pod.complete, pod.per_group, pod.placement = True, job.nodes, job.placement
        pods.append(pod)
    if pods:
        several = job is not None and job.nodes != 1
        workload = Workload(ref=ref, api_version="", place=found[0].place, pods=pods, multi_node=several)
        project.workloads.append(workload)
