"""What the command lines of a file that is no manifest run: containers, and engines on the machine itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gpulint import engines
from gpulint.engines.launch import CommandLine, Launch
from gpulint.model.engine import Engine
from gpulint.model.project import Project
from gpulint.model.values import ObjectRef, Sourced
from gpulint.model.workload import Container, EnvVar, Pod, Workload
from gpulint.readers._docker import container_command, run_workload
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
) -> None:
    """Adds a workload for each container that these lines run, and one for the engines that they start themselves."""
    own = []
    for line in lines:
        if not line.words:
            continue
        workload = run_workload(line, env)
        if workload is not None:
            project.workloads.append(workload)
        else:
            own.append(container_command(line) or line)
    launch = Launch(None, [], None, dict(env), node.place, env_known=env_known, lines=own)
    add_engines(engines.read_all(launch), ref, project, env=launch.env)


def add_engines(
    found: Sequence[Engine],
    ref: ObjectRef,
    project: Project,
    *,
    image: Sourced[str] | None = None,
    env: Mapping[str, EnvVar] | None = None,
    hosted: bool = False,
) -> None:
    """Adds a workload of engines on a machine of which the file says nothing: how many GPUs, which, what memory.

    `hosted` says that Ray places them on the nodes of a cluster.
    """
    pods = []
    for engine in found:
        container = Container(ref.name, engine.place, image=image, env=dict(env or {}), engine=engine)
        engine.container = container
        pods.append(Pod([container], engine.place, complete=False, hosted=hosted))
    if pods:
        project.workloads.append(Workload(ref=ref, api_version="", place=found[0].place, pods=pods))
