"""LoRAX: `lorax-launcher`, and the image that starts it by itself."""

from __future__ import annotations

from collections.abc import Sequence

from gpulint.engines import _images, _launcher, flags
from gpulint.engines.launch import Call, Launch, Word
from gpulint.model.engine import Engine
from gpulint.source.shell import basename

MARKS = ("lorax-launcher", "predibase/lorax")


def arguments(words: Sequence[Word]) -> int | None:
    """The index behind `lorax-launcher`."""
    return 1 if basename(words[0].text) == "lorax-launcher" else None


def entrypoint(launch: Launch) -> bool:
    """Whether the image is LoRAX's: its entrypoint is the launcher (predibase/lorax Dockerfile)."""
    if launch.image is None:
        return False
    repository = _images.split(launch.image.value)[0]
    return repository.endswith("predibase/lorax") and _launcher.starts_by_itself(launch)


def build(call: Call) -> Engine:
    """The engine with its settings; a flag beats the variable of the same meaning."""
    return _launcher.build(call, flags.load("lorax.json"), "lorax", "LoRAX", "lorax")
