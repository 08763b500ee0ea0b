"""A launch command as one types it: from the words of a shell to the engine that they start."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from gpulint import engines
from gpulint.engines.launch import CommandLine, Launch, Word
from gpulint.model.engine import Engine
from gpulint.model.values import ObjectRef, Sourced
from gpulint.model.workload import Container, EnvVar, Pod, Workload
from gpulint.readers._docker import run_workload
from gpulint.source.shell import Piece
from gpulint.source.text import Source
from gpulint.source.yaml import Document, Node, documents

PATH = "<command line>"

# The image whose tag says the version of each engine.
_IMAGES = {
    "lmdeploy": "openmmlab/lmdeploy",
    "lorax": "ghcr.io/predibase/lorax",
    "sglang": "lmsysorg/sglang",
    "tgi": "ghcr.io/huggingface/text-generation-inference",
    "trtllm": "nvcr.io/nvidia/tensorrt-llm/release",
    "vllm": "vllm/vllm-openai",
}


class NotAnEngine(ValueError):  # noqa: N818 - what the command is, as a caller reads it
    """The words start no engine that is known."""


def engine_of(argv: Sequence[str], version: str | None = None) -> Engine:
    """The engine that `vllm serve MODEL …`, `docker run … IMAGE …` or the like starts, in a workload of its own.

    Leading `NAME=value` words are its environment. `version` stands for the image's tag where there is no image.
    Raises NotAnEngine.
    """
    nodes = _nodes(argv)
    words = [
        Word(node, [Piece(text, 0, len(text))], 0, len(node.text or "")) for node, text in zip(nodes, argv, strict=True)
    ]
    env: dict[str, EnvVar] = {}
    while words and re.match(r"[A-Za-z_]\w*=", words[0].text or ""):
        name, _, value = (words[0].text or "").partition("=")
        env[name] = EnvVar(name, value, words[0].place, words[0].place)
        words = words[1:]
    if not words:
        raise NotAnEngine("no command follows --")
    place = words[0].place
    workload = run_workload(CommandLine(words, {}), env)
    if workload is not None and workload.engines:
        return workload.engines[0]
    engine = engines.read(Launch(None, words, None, env, place))
    if engine is None:
        start = " ".join(word.text or "" for word in words[:3])
        raise NotAnEngine(f"{start}: no engine that gpulint knows is started by this command")
    if version is not None and engine.name in _IMAGES:
        tag = version if engine.name == "tgi" else f"v{version}"
        image = Sourced(f"{_IMAGES[engine.name]}:{tag}", place, place)
        engine = engines.read(Launch(image, words, None, env, place)) or engine
    container = Container(engine.name, place, env=env, engine=engine)
    engine.container = container
    Workload(ObjectRef("Command", None, engine.display_name or engine.name), "", place, [Pod([container], place)])
    return engine


def _nodes(argv: Sequence[str]) -> list[Node]:
    """A node for each word, so that settings have a place."""
    source = Source(PATH, json.dumps([word.encode("utf-8", "replace").decode() for word in argv]))
    for document in documents(source):
        if isinstance(document, Document):
            return list(document.root.elements())
    raise NotAnEngine("the command cannot be read")
