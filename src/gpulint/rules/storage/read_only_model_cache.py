"""A read-only volume where the engine downloads its model to."""

from __future__ import annotations

from collections.abc import Iterator

from gpulint.finding import Evidence, Finding
from gpulint.model.engine import Engine
from gpulint.rules import rule
from gpulint.rules.model_cache import cache_folder, hub_model, mount_of


@rule("read-only-model-cache")
def check(engine: Engine) -> Iterator[Finding]:
    model, folder = hub_model(engine), cache_folder(engine)
    mount = mount_of(engine.container, folder) if folder is not None else None
    if model is None or mount is None or mount.read_only is None:
        return
    yield Finding(
        place=mount.read_only,
        message=f"{mount.path} is read-only, and {engine.label} downloads {model} to {folder}. Whatever of the model "
        "is not there ends the start with a read-only file system, and most versions of the Hub's client write locks "
        "and references even for what is there.",
        help="Mount it for writing; or, where it holds the whole model, pass the folder of the snapshot as the model "
        "or set HF_HUB_OFFLINE=1.",
        evidence=[Evidence("model", model, engine.model.place if engine.model is not None else None)],
    )
