"""Text Generation Inference: `text-generation-launcher`, and the images that start it by themselves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import TypeVar

from gpulint.engines import _images, flags
from gpulint.engines.flags import Reading, Table
from gpulint.engines.launch import Call, Launch, Word, values
from gpulint.model.engine import Engine, Version
from gpulint.model.values import Setting
from gpulint.source.shell import basename
from gpulint.source.text import Place

T = TypeVar("T")

MARKS = ("text-generation-launcher", "text-generation-inference", "tgi-gaudi")

_PROGRAM = "text-generation-launcher"


def arguments(words: Sequence[Word]) -> int | None:
    """The index behind `text-generation-launcher`."""
    return 1 if basename(words[0].text) == _PROGRAM else None


def entrypoint(launch: Launch) -> bool:
    """Whether the image is TGI's: it starts the launcher, which takes args for flags and reads its environment."""
    if launch.image is None:
        return False
    name = _images.split(launch.image.value)[0].rsplit("/", 1)[-1]
    first = launch.args[0].prefix if launch.args else "-"
    return ("text-generation-inference" in name or name == "tgi-gaudi") and first.startswith("-")


def build(call: Call) -> Engine:
    """The engine with its settings; a flag beats the variable of the same meaning."""
    launch = call.launch
    image = launch.image.value if launch.image is not None else ""
    version, version_text = _version(image)
    reading = flags.read(_table(), call.arguments, version)
    variables = {flag.env for flag in reading.table.flags.values()}
    is_bare = not call.lines and launch.args is None and variables.isdisjoint(launch.env)
    if reading.positionals or not launch.env_known or is_bare:  # bare: a patch, or an operator that adds the rest
        reading.complete = False
    read = _Settings(call, reading)
    sharded = read.setting("--sharded", _boolean)
    shards = read.setting("--num-shard", flags.integer)
    uses_all = shards is not None and shards.default
    if shards is not None and shards.default and sharded is not None and sharded.value is False:
        # launcher/src/main.rs, find_num_shards: an unsharded model is on one GPU.
        shards = Setting(1, sharded.spelled, sharded.place)
        uses_all = False
    elif shards is not None and shards.default:
        shards.value = None
    return Engine(
        name="tgi",
        display_name="TGI",
        place=call.place,
        version=version,
        version_text=version_text,
        arguments_known=reading.complete,
        model=read.setting("--model-id", flags.text),
        dtype=read.setting("--dtype", flags.text),
        quantization=read.setting("--quantize", flags.text),
        tensor_parallel=shards,
        memory_fraction=read.setting("--cuda-memory-fraction", flags.number),
        kv_cache_dtype=read.setting("--kv-cache-dtype", flags.text),
        max_model_len=read.setting("--max-total-tokens", flags.integer),
        max_num_seqs=read.setting("--max-batch-size", flags.integer),
        uses_all_visible_gpus=uses_all,
        accelerator=_images.accelerator(image),
    )


class _Settings:
    """Looks a setting up on the command line, then in the script's variables, then in the container's environment."""

    def __init__(self, call: Call, reading: Reading) -> None:
        self.call = call
        self.reading = reading
        self.values = values(call.launch.env)

    def setting(self, name: str, convert: Callable[[str], T | None]) -> Setting[T] | None:
        variable = self.reading.table.flags[name].env
        if name not in self.reading.given and variable is not None:
            found = self.variable(variable)
            if found is not None:
                value, place = found
                is_known = value is not None and not flags.is_placeholder(value)
                return Setting(convert(value) if is_known and value is not None else None, variable, place)
        return self.reading.setting(name, convert)

    def variable(self, name: str) -> tuple[str | None, Place] | None:
        """The value of an environment variable and its place."""
        word = self.call.environment.get(name)
        if word is not None:
            return word.text, word.place
        given = self.call.launch.env.get(name)
        return None if given is None else (self.values.get(name), given.place)


@cache
def _table() -> Table:
    return flags.load("tgi.json")


def _version(image: str) -> tuple[Version, str] | tuple[None, None]:
    """The version in the tag of the official image and its mirrors; forks number themselves otherwise."""
    repository, tag = _images.split(image)
    if repository.rsplit("/", 1)[-1] != "text-generation-inference":
        return None, None
    return _images.version(tag)


def _boolean(value: str) -> bool | None:
    return {"true": True, "false": False}.get(value)
