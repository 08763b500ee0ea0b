"""What rules about an engine's settings share: which servers they speak of."""

from __future__ import annotations

import re
from functools import cache

from gpulint.model.engine import Engine
from gpulint.model.workload import Placement

# What computes an embedding, a score or a picture of one request at once has no batch of tokens to fill.
_ON_HOST = ("shell script", "systemd unit", "Python launcher")
_POOLING = r"embed|rerank|reward|classif|guard|bge-|gte-|e5-|clip|colbert|whisper|diffusion|flux"


@cache
def _pooling() -> re.Pattern[str]:
    return re.compile(_POOLING, re.IGNORECASE)


def generates(engine: Engine) -> bool:
    """Whether an engine writes text, as far as its model's name says, or that of the script which starts it."""
    name = engine.model.value if engine.model is not None else None
    if name is None and is_on_host(engine):
        name = engine.ref.name
    return name is None or _pooling().search(name) is None


def serves_on_whole_gpus(engine: Engine) -> bool:
    """Whether an engine serves on whole GPUs of NVIDIA's or AMD's, for it alone, and goes on: not a job."""
    container = engine.container
    requests = container.gpus
    if container.pod.workload.batch or not engine.sole or container.mig_slice is not None:
        return False
    if not requests and not is_on_host(engine):
        return False
    if any(r.shared or r.virtual or r.mig_profile is not None or r.vendor not in ("nvidia", "amd") for r in requests):
        return False
    return engine.accelerator in (None, "rocm") and not (
        container.pod.placement is not None and (container.pod.placement.shared or container.pod.placement.mig_profile)
    )


def is_on_host(engine: Engine) -> bool:
    """Whether a script or a unit starts an engine on the host itself, which has no list of GPUs to ask for."""
    return engine.ref.kind in _ON_HOST


def smallest_memory_mib(placement: Placement | None) -> int | None:
    """The memory (MiB) of the smallest board that a pod may land on; None where that is not known."""
    if placement is None or not placement.gpus or placement.fraction != 1.0:
        return None
    sizes = [board.memory_mib for board in placement.gpus]
    known = [size for size in sizes if size is not None]
    return min(known) if len(known) == len(sizes) else None


def billions(engine: Engine) -> float | None:
    """Parameters of the model in billions, by its row of the model table or its name; None where neither says."""
    from gpulint.capacity.models import model
    from gpulint.capacity.weights import params_from_name

    name = engine.model.value if engine.model is not None else None
    if name is None:
        return None
    shape = model(name)
    params = shape.params_total if shape is not None and shape.params_total is not None else params_from_name(name)
    return params / 1e9 if params is not None else None
