"""A volume for models that is mounted where the engine does not keep them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from gpulint.finding import Evidence, Finding
from gpulint.model.engine import Engine
from gpulint.model.workload import Container, Mount
from gpulint.rules import rule
from gpulint.rules.model_cache import cache_folder, hub_model, mount_of

_PERSISTENT = frozenset({"persistentVolumeClaim", "hostPath", "nfs", "csi", "ephemeral"})


@rule("model-cache-not-mounted")
def check(engine: Engine) -> Iterator[Finding]:
    container = engine.container
    model, folder = hub_model(engine), cache_folder(engine)
    if model is None or folder is None or not container.mounts or not container.pod.complete or not engine.sole:
        return
    if mount_of(container, folder) is not None or not (engine.arguments_known or engine.only_strange_flags):
        return
    mount = next((each for each in container.mounts if _is_for_models(container, each)), None)
    if mount is None:
        return
    yield Finding(
        place=mount.place,
        message=f"The volume {mount.volume} is mounted at {mount.path}, but {engine.label} keeps {model} in {folder}, "
        "which lies on the container's own disk. Each start downloads the model again, and the node's disk fills.",
        help=f"Mount the volume at {_above(folder)}"
        + ("." if engine.name == "tgi" else f", or set HF_HOME to {mount.path}."),
        evidence=[Evidence("model", model, engine.model.place if engine.model is not None else None)],
    )


@cache
def _for_models() -> re.Pattern[str]:
    return re.compile(r"model|cache|hugging|weight|(?:^|[-_/])hf(?:$|[-_/])", re.IGNORECASE)


def _is_for_models(container: Container, mount: Mount) -> bool:
    """Whether a volume that outlives the pod is called as one for models, and nothing else in sight names its path."""
    volume = container.pod.volumes.get(mount.volume or "")
    if volume is None or volume.kind not in _PERSISTENT or mount.path.startswith("/dev/"):
        return False
    if any(variable.value and mount.path in variable.value for variable in container.env.values()):
        return False
    return any(_for_models().search(text) is not None for text in (mount.volume or "", mount.path))


def _above(folder: str) -> str:
    return folder.removesuffix("/hub")
