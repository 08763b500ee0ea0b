"""Triton Inference Server: `tritonserver`, and the launch script of its TensorRT-LLM backend.

Its model repository says which models there are, how many copies of each and on which GPUs: nothing of it is on the
command line.
"""

from __future__ import annotations

from collections.abc import Sequence

from gpulint.engines import _images
from gpulint.engines.launch import Call, Launch, Word
from gpulint.model.engine import Engine
from gpulint.model.values import Setting
from gpulint.source.shell import basename

MARKS = ("tritonserver", "launch_triton_server")

_SCRIPT = "launch_triton_server.py"


def arguments(words: Sequence[Word]) -> int | None:
    """The index behind `tritonserver` or `python3 launch_triton_server.py`."""
    if basename(words[0].text) in ("tritonserver", _SCRIPT):
        return 1
    if basename(words[0].text).startswith("python"):
        for index, word in enumerate(words[1:3], start=1):
            if basename(word.text) == _SCRIPT:
                return index + 1
    return None


def entrypoint(launch: Launch) -> bool:  # noqa: ARG001
    """No image of Triton starts it by itself."""
    return False


def build(call: Call) -> Engine:
    """The engine, of whose use of GPUs nothing is known."""
    image = call.launch.image.value if call.launch.image is not None else ""
    repository, tag = _images.split(image)
    is_own = repository.rsplit("/", 1)[-1] == "tritonserver"
    version, version_text = _images.version(tag) if is_own else (None, None)
    return Engine(
        name="triton",
        display_name="Triton",
        place=call.place,
        version=version,
        version_text=version_text,
        arguments_known=False,
        model=Setting(None, "model-repository", None, True),
        tensor_parallel=Setting(None, "world_size", None, True),
        data_parallel=Setting(None, "instance_group", None, True),
        accelerator=_images.accelerator(image),
    )
