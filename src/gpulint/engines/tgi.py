"""Text Generation Inference: `text-generation-launcher`, and the images that start it by themselves."""

from __future__ import annotations

from collections.abc import Sequence

from gpulint.engines import _images, _launcher, flags
from gpulint.engines.launch import Call, Launch, Word
from gpulint.model.engine import Engine
from gpulint.source.shell import basename

MARKS = ("text-generation-launcher", "text-generation-inference", "tgi-gaudi")

_PROGRAM = "text-generation-launcher"
_REPOSITORY = "text-generation-inference"


def arguments(words: Sequence[Word]) -> int | None:
    """The index behind `text-generation-launcher`."""
    return 1 if basename(words[0].text) == _PROGRAM else None


def entrypoint(launch: Launch) -> bool:
    """Whether the image is TGI's: it starts the launcher, which takes args for flags and reads its environment."""
    if launch.image is None:
        return False
    name = _images.split(launch.image.value)[0].rsplit("/", 1)[-1]
    return (_REPOSITORY in name or name == "tgi-gaudi") and _launcher.starts_by_itself(launch)


def build(call: Call) -> Engine:
    """The engine with its settings; a flag beats the variable of the same meaning."""
    return _launcher.build(call, flags.load("tgi.json"), "tgi", "TGI", _REPOSITORY)
