"""SGLang: `sglang serve`, `python -m sglang.launch_server`, and the worker of NVIDIA Dynamo that runs it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from gpulint.engines import _images, _packages, flags
from gpulint.engines._settings import settings, spelled_in_file
from gpulint.engines.flags import Reading, Table
from gpulint.engines.launch import Call, Launch, Word, argument_of, python_module
from gpulint.model.engine import Engine, Version
from gpulint.model.values import Setting
from gpulint.source.shell import basename
from gpulint.source.text import Place
from gpulint.source.yaml import Node

MARKS = ("sglang",)

_DYNAMO = frozenset({"dynamo.sglang", "dynamo.sglang.worker", "dynamo.sglang.decode_worker"})
_MODULES = frozenset({"sglang.launch_server", *_DYNAMO})
# With one of these the engine spreads over GPUs in a way that the sizes alone do not tell.
_SPREADING = ("--dwdp-size", "--elastic-ep-initial-size", "--elastic-ep-join-mode")


def arguments(words: Sequence[Word]) -> int | None:
    """The index behind `sglang serve` or `python -m sglang.launch_server`."""
    if basename(words[0].text) == "sglang":
        return 2 if len(words) > 1 and words[1].text == "serve" else None
    found = python_module(words)
    return found[1] if found is not None and found[0] in _MODULES else None


def entrypoint(launch: Launch) -> bool:  # noqa: ARG001
    """No image of SGLang starts it by itself."""
    return False


def build(call: Call) -> Engine:
    """The engine with its settings, from the flags of its version."""
    image = call.launch.image.value if call.launch.image is not None else ""
    version, version_text = _packages.version(call, "sglang") or _version(image)
    is_worker = bool(call.program) and call.program[-1].text in _DYNAMO
    reading = flags.read(_worker_table() if is_worker else flags.load("sglang.json"), call.arguments, version)
    config = reading.given.get("--config")
    if reading.positionals or config is not None or any(name in reading.given for name in _SPREADING):
        reading.complete = False
    data, attention = _data_parallel(reading)
    return Engine(
        name="sglang",
        display_name="SGLang",
        place=call.place,
        version=version,
        version_text=version_text,
        arguments_known=reading.complete,
        model=reading.setting("--model-path", flags.text),
        dtype=reading.setting("--dtype", flags.text),
        quantization=reading.setting("--quantization", flags.text),
        tensor_parallel=reading.setting("--tp-size", flags.integer),
        pipeline_parallel=reading.setting("--pp-size", flags.integer),
        data_parallel=data,
        attention_data_parallel=attention,
        expert_parallel=_expert_parallel(reading),
        nodes=reading.setting("--nnodes", flags.integer),
        memory_fraction=reading.setting("--mem-fraction-static", flags.number),
        kv_cache_dtype=reading.setting("--kv-cache-dtype", flags.text),
        max_model_len=reading.setting("--context-length", flags.integer),
        max_num_seqs=reading.setting("--max-running-requests", flags.integer),
        max_batched_tokens=reading.setting("--chunked-prefill-size", flags.positive),
        cpu_offload_gib=reading.setting("--cpu-offload-gb", flags.number),
        load_format=reading.setting("--load-format", flags.text),
        eager=reading.switch("--disable-cuda-graph"),
        prefix_caching=flags.negated(reading.switch("--disable-radix-cache")),
        api_key=reading.setting("--api-key", flags.text),
        trust_remote_code=reading.switch("--trust-remote-code"),
        revision=reading.setting("--revision", flags.text),
        cache_dir=reading.setting("--download-dir", flags.text),
        host=None if is_worker else reading.setting("--host", flags.text),
        port=None if is_worker else reading.setting("--port", flags.integer),
        serves_metrics=reading.switch("--enable-metrics"),
        wrong_flags=flags.wrong_flags(reading) if _images.is_release(image) else [],
        repeated_flags=flags.repeated_flags(reading),
        stray_arguments=flags.stray_arguments(reading),
        config=reading.setting("--config", flags.text) if config is not None else None,
        chooses_devices="--base-gpu-id" in reading.given or "--gpu-id-step" in reading.given,
        accelerator=_images.accelerator(image),
    )


def configured(call: Call, node: Node) -> Engine:
    """The engine of a call whose `--config` names a file of this content; the command line comes behind it, and wins.

    Source: sglang/srt/server_args_config_parser.py, ConfigArgumentMerger.
    """
    return spelled_in_file(build(call.with_arguments([*_arguments_of(node), *call.without("--config")])), node)


def from_arguments(node: Node, place: Place) -> Engine:
    """The engine of a mapping of its arguments by their Python names (`tp_size: 8`), spelled as the mapping does."""
    words = _arguments_of(node)
    engine = build(Call(Launch(None, None, words, {}, place), [], words, {}, place))
    for setting in settings(engine):
        setting.spelled = setting.spelled.removeprefix("--").replace("-", "_")
    return engine


def _arguments_of(node: Node) -> list[Word]:
    """The entries of a mapping as flags; keys are written with dashes or underscores."""
    words = (argument_of(key.replace("_", "-"), value, switches=False) for key, value in node.items())
    return [word for word in words if word is not None]


@cache
def _worker_table() -> Table:
    return flags.load("sglang.json").with_own(flags.load("dynamo.json"))


def _version(image: str) -> tuple[Version, str] | tuple[None, None]:
    """The version in the tag of the official image, its mirrors, and builds of the same name."""
    repository, tag = _images.split(image)
    return _images.version(tag) if repository.rsplit("/", 1)[-1] == "sglang" else (None, None)


def _data_parallel(reading: Reading) -> tuple[Setting[int] | None, Setting[int] | None]:
    """Copies on GPUs of their own, and copies of the attention inside the tensor parallel group.

    `--enable-dp-attention` turns the one into the other; from 0.5.22 `--attn-dp-size` says it directly.
    Source: sglang/srt/arg_groups/fields/parallel.py.
    """
    copies = reading.setting("--dp-size", flags.integer)
    if "--attn-dp-size" in reading.given:
        return copies, reading.setting("--attn-dp-size", flags.integer)
    inside = reading.switch("--enable-dp-attention")
    if copies is None or inside is None or inside.value is False or copies.value == 1:
        return copies, None
    if inside.value is True:
        return None, copies
    return Setting(None, copies.spelled, copies.place, copies.default), None


def _expert_parallel(reading: Reading) -> Setting[bool] | None:
    for name in ("--enable-ep-moe", "--enable-deepep-moe"):
        if name in reading.given:
            return reading.switch(name)
    return flags.above_one(reading.setting("--ep-size", flags.integer))
