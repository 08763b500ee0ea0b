"""GPUs that a container holds and its engine never touches."""

from __future__ import annotations

from collections.abc import Iterator

from gpulint.finding import Finding
from gpulint.model.engine import Engine
from gpulint.rules import rule
from gpulint.rules.parallel import (
    devices,
    devices_shown,
    evidence_of_devices,
    evidence_of_gpus,
    evidence_of_sizes,
    gpus_asked,
    place_of_sizes,
    spelled,
)


@rule("unused-gpus")
def check(engine: Engine) -> Iterator[Finding]:
    container = engine.container
    workload = container.pod.workload
    asked, used = gpus_asked(container), engine.gpus_used()
    shown = devices_shown(engine)
    if shown is not None and used is not None and used > shown:
        return  # it does not start: see parallel-size-exceeds-gpus
    # Its own share, where others in the container have theirs or nothing says how many there are.
    by_list = shown is not None and not (engine.alone and container.pod.complete and container.gpus)
    if by_list and shown is not None:
        asked = shown if asked is None else min(asked, shown)
    if asked is None or used is None or used >= asked or not _is_certain(engine):
        return
    if workload.multi_node or workload.batch or any(request.shared for request in container.gpus):
        return
    idle = asked - used
    written = engine.parallel_settings()
    if written:
        takes = f"takes {used} ({spelled(engine)})"
    else:
        takes = (
            f"takes {used}, as {engine.tensor_parallel.spelled} is not given" if engine.tensor_parallel else "takes 1"
        )
    if by_list:
        yield _of_those_shown(engine, asked, used, takes)
        return
    request = container.gpus[0]
    whole = container.mig_slice is None
    more = (
        f"{engine.data_parallel.spelled} {asked // used} for that many copies of the model"
        if engine.data_parallel is not None and engine.data_parallel.value == 1 and asked % used == 0
        else "a larger parallel size"
    )
    yield Finding(
        place=place_of_sizes(engine) if written else request.place,
        message=f"{_are_idle(idle, devices(container, asked))}: {engine.label} {takes}. No other pod can have "
        f"{'it' if idle == 1 else 'them'}, and the average over the pod looks like a server with capacity to spare.",
        help=f"Ask for {request.resource}: {used}, and scale with replicas"
        + (f"; or use the rest with {more}. " if whole else ", or take one larger MIG profile. ")
        + "Look at utilisation and memory of each device, not at their average: a device with no memory in use is "
        "idle.",
        evidence=[*evidence_of_sizes(engine), *evidence_of_devices(engine), *evidence_of_gpus(container)],
    )


def _of_those_shown(engine: Engine, shown: int, used: int, takes: str) -> Finding:
    setting = engine.visible_devices
    assert setting is not None
    return Finding(
        place=setting.place or engine.place,
        message=f"{_are_idle(shown - used, f'the {shown} GPUs')} that {setting.spelled} gives to {engine.label}, which "
        f"{takes}. Nothing else in this launch uses {'it' if shown - used == 1 else 'them'}, and an average over the "
        "GPUs looks like a server with capacity to spare.",
        help=f"List {used} {'device' if used == 1 else 'devices'} in {setting.spelled} and give the others to another "
        "copy of the model, or use them with a larger parallel size. Look at utilisation and memory of each device, "
        "not at their average: a device with no memory in use is idle.",
        evidence=[*evidence_of_sizes(engine), *evidence_of_devices(engine), *evidence_of_gpus(engine.container)],
    )


def _are_idle(idle: int, asked_text: str) -> str:
    return f"{idle} of {asked_text} {'stays' if idle == 1 else 'stay'} idle"


def _is_certain(engine: Engine) -> bool:
    """Whether the launch is fully known, alone in its container, and of an engine whose default is known."""
    image = engine.container.image
    stages = image is not None and "omni" in image.value  # vLLM-Omni places the stages of a pipeline by itself
    nodes = engine.nodes is not None and engine.nodes.value not in (None, 1)
    return (
        engine.arguments_known
        and (engine.alone or (engine.visible_devices is not None and not engine.shares_devices))
        and (engine.container.pod.complete or engine.visible_devices is not None)
        and (engine.visible_devices is not None or not engine.chooses_devices)
        and not engine.uses_all_visible_gpus
        and not engine.ray_cluster
        and not nodes
        and not stages
        and engine.accelerator in (None, "rocm")
    )
