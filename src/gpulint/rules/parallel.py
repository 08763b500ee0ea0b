"""What rules about parallel engines share: how an engine spreads over GPUs, in words and as evidence."""

from __future__ import annotations

from gpulint.finding import Evidence
from gpulint.model.engine import Engine
from gpulint.model.values import is_said, readable
from gpulint.model.workload import Container
from gpulint.source.text import Place

# Device plugins that count what an engine counts. Neuron counts chips of several cores, Intel's also tiles and shares.
_COUNTED = frozenset({"nvidia", "amd", "habana"})


def gpus_asked(container: Container) -> int | None:
    """The devices that a container gets, as its engine sees them; None where that is not known or there are none."""
    if not container.gpus or container.pod.dra_claims or any(r.vendor not in _COUNTED for r in container.gpus):
        return None
    return container.gpu_count()


def devices_shown(engine: Engine) -> int | None:
    """The devices that CUDA_VISIBLE_DEVICES or the like lets an engine see; None where nothing lists them."""
    shown = engine.visible_devices
    return shown.value if shown is not None else None


def evidence_of_devices(engine: Engine) -> list[Evidence]:
    shown = engine.visible_devices
    return [Evidence(shown.spelled, f"{shown.value} devices", shown.place)] if shown is not None else []


def ranks(engine: Engine) -> int | None:
    """Tensor × pipeline × context parallel size of one copy of the model, over all nodes; None where it is not known.

    An engine that shards over all visible GPUs takes those of its container; one process may leave some alone.
    """
    if engine.uses_all_visible_gpus:
        asked = gpus_asked(engine.container)
        return asked if asked == 1 or not engine.one_process else None
    product = 1
    for setting in (engine.tensor_parallel, engine.pipeline_parallel, engine.context_parallel):
        if setting is not None:
            if setting.value is None or setting.value < 1:
                return None
            product *= setting.value
    return product


def spelled(engine: Engine) -> str:
    """The parallel sizes as the file writes them: `--tensor-parallel-size 4 × --data-parallel-size 2`."""
    return " × ".join(f"{setting.spelled} {setting.value}" for setting in engine.parallel_settings())


def place_of_sizes(engine: Engine) -> Place:
    """The parallel size that weighs most, where one is written; else the launch."""
    written = [setting for setting in engine.parallel_settings() if setting.place is not None]
    place = max(written, key=lambda setting: setting.value or 0).place if written else None
    return place if place is not None else engine.place


def evidence_of_sizes(engine: Engine) -> list[Evidence]:
    return [Evidence(setting.spelled, setting.value, setting.place) for setting in engine.parallel_settings()]


def evidence_of_gpus(container: Container) -> list[Evidence]:
    return [
        Evidence("asks for", f"{request.resource}: {'?' if request.count is None else request.count}", request.place)
        for request in container.gpus
    ]


def devices(container: Container, count: int) -> str:
    """`4 GPUs`, or what else the container's devices are."""
    word = "GPU"
    if container.mig_slice is not None:
        word = "MIG slice"
    elif any(request.virtual for request in container.gpus):
        word = "vGPU"
    elif any(request.vendor == "habana" for request in container.gpus):
        word = "accelerator"
    return f"{count} {word}{'' if count == 1 else 's'}"


def named(container: Container) -> str:
    """`Container vllm`, to begin a sentence with."""
    name = readable(container.name or "")
    return f"Container {name}" if is_said(name) else "The container"
