"""An engine that spreads over more GPUs than it is given."""

from __future__ import annotations

import re
from collections.abc import Iterator

from gpulint.finding import Evidence, Finding, Fix
from gpulint.model.engine import Engine
from gpulint.model.values import Setting
from gpulint.model.workload import PER_INSTANCE, Container
from gpulint.rules import rule
from gpulint.rules.parallel import (
    devices,
    devices_shown,
    evidence_of_devices,
    evidence_of_gpus,
    evidence_of_sizes,
    gpus_asked,
    named,
    place_of_sizes,
    ranks,
    spelled,
)
from gpulint.source.edits import ReplaceText
from gpulint.source.text import Place

# Sizes that divide the heads of about any model. One GPU is another plan, not a smaller size.
_EVEN = (2, 4, 8)


@rule("parallel-size-exceeds-gpus")
def check(engine: Engine) -> Iterator[Finding]:
    container = engine.container
    asked, used = gpus_asked(container), engine.gpus_used()
    shown = devices_shown(engine)
    if shown is not None and used is not None and shown < used <= (asked or used) and _is_on_its_own(engine):
        yield _more_than_shown(engine, shown, used)
        return
    if asked is None or used is None or not _is_certain(engine):
        return
    if container.mig_slice is not None and (ranks(engine) or 0) >= 2:
        return  # no number of slices would do: see tensor-parallel-across-mig-slices
    has = f"{named(container)} asks for {devices(container, asked)}"
    if _over_the_group(engine):
        total = engine.container.pod.workload.gpus_per_group()
        if total is None:
            return
        asked, has = total, f"The pods of one replica of {engine.ref} ask for {devices(container, total)} together"
    elif engine.executor is not None and engine.executor.value == "ray" and engine.ray_cluster:
        return  # other pods of the Ray cluster bring GPUs of their own
    if used <= asked:
        return
    if container.gpus[0].resource == PER_INSTANCE:
        yield _more_than_an_instance(engine, used)
        return
    ray = engine.executor is not None and engine.executor.value == "ray"
    why = (
        "Ray then waits for a placement that never comes, and the server does not start."
        if ray
        else "The engine finds no device for the rest of its workers and does not start."
    )
    settings = engine.parallel_settings()
    smaller = (
        f"set {settings[0].spelled} to {asked}" if len(settings) == 1 else f"lower {spelled(engine)} to {asked} in all"
    )
    resource = container.gpus[0].resource
    ask = f"Ask for {resource}: {used}" if not _over_the_group(engine) else f"Give one replica {used} GPUs"
    yield Finding(
        place=place_of_sizes(engine),
        message=f"{has}, but {engine.label} spreads over {used} ({spelled(engine)}). {why}",
        help=f"{ask}, or {smaller} if the weights and the KV cache fit there. Take the smallest size that fits: each "
        "doubling adds communication, so compare tokens/s per GPU, not GPU utilisation.",
        evidence=[
            *evidence_of_sizes(engine),
            *evidence_of_gpus(container),
            *([Evidence("executor", "ray", engine.executor.place)] if ray and engine.executor is not None else []),
        ],
        fix=_fix(settings[0], container) if len(settings) == 1 and not _over_the_group(engine) else None,
    )


def _fix(size: Setting[int], container: Container) -> Fix | None:
    """Lowers the one size to the GPUs that the same file asks for.

    Where they stand in another file, which of the two is meant is not for one of them to say.
    """
    place, asked = size.place, gpus_asked(container)
    if place is None or asked not in _EVEN or container.gpus[0].place.source is not place.source:
        return None
    written = re.search(r"\d+(?=[\"']?$)", place.text())
    if written is None or size.value is None or int(written[0]) != size.value:
        return None
    start = place.start + written.start()
    number = Place(place.source, start, start + len(written[0]), place.path)
    return Fix(f"Set {size.spelled} to {asked}", [ReplaceText(number, written[0], str(asked))], safe=False)


def _more_than_an_instance(engine: Engine, used: int) -> Finding:
    """Source: triton-inference-server/vllm_backend src/model.py, _validate_device_config."""
    return Finding(
        place=place_of_sizes(engine),
        message=f"{PER_INSTANCE} gives each instance of {engine.ref} one GPU, but {engine.label} spreads over {used} "
        f"({spelled(engine)}). Triton refuses to load the model.",
        help="Set `kind: KIND_MODEL` in its instance_group, with which the engine takes the GPUs that it needs, or "
        f"lower {spelled(engine)} to 1 in all.",
        evidence=[*evidence_of_sizes(engine), *evidence_of_gpus(engine.container)],
    )


def _is_on_its_own(engine: Engine) -> bool:
    """Whether all of its workers are on the devices that the launch lets it see."""
    by_ray = engine.executor is not None and engine.executor.value != "mp" and not engine.executor.default
    several = engine.nodes is not None and engine.nodes.value != 1
    return not (
        by_ray
        or several
        or engine.ray_cluster
        or engine.container.pod.workload.multi_node
        or engine.accelerator not in (None, "rocm")
    )


def _more_than_shown(engine: Engine, shown: int, used: int) -> Finding:
    setting = engine.visible_devices
    assert setting is not None
    return Finding(
        place=setting.place or engine.place,
        message=f"{setting.spelled} lets {engine.label} see {shown} {'GPU' if shown == 1 else 'GPUs'}, but it spreads "
        f"over {used} ({spelled(engine)}). The engine finds no device for the rest of its workers and does not start.",
        help=f"List {used} devices in {setting.spelled}"
        + (", or leave it out: the container sees only the GPUs that it asks for" if engine.container.gpus else "")
        + f"; or lower {spelled(engine)} to {shown} in all if the weights and the KV cache fit there.",
        evidence=[*evidence_of_sizes(engine), *evidence_of_devices(engine), *evidence_of_gpus(engine.container)],
    )


def _is_certain(engine: Engine) -> bool:
    """Whether this launch is the only one and sees no devices but those it asks for."""
    unread = engine.executor is not None and engine.executor.value is None and not engine.arguments_known
    sees_all = "NVIDIA_VISIBLE_DEVICES" in engine.container.env
    return engine.sole and not unread and not sees_all and engine.accelerator in (None, "rocm", "gaudi")


def _over_the_group(engine: Engine) -> bool:
    """Whether the sizes count over all pods of a replica; with `--nnodes` or a local size they count for one pod."""
    nodes = engine.nodes
    is_divided = nodes is not None and nodes.value is not None and nodes.value > 1
    return engine.container.pod.workload.multi_node and not is_divided and engine.data_parallel_local is None
