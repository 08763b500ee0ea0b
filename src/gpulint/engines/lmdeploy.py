"""LMDeploy: `lmdeploy serve api_server`."""

from __future__ import annotations

from collections.abc import Sequence

from gpulint.engines import _images, _packages, flags
from gpulint.engines.launch import Call, Launch, Word, python_module
from gpulint.model.engine import Engine, Version
from gpulint.model.values import Setting
from gpulint.source.shell import basename

MARKS = ("lmdeploy",)

# From here on the cache takes a share of the memory that the weights leave, before of all of it.
# Source: LMDeploy's help on --cache-max-entry-count.
_FREE_SHARE_SINCE: Version = (0, 2, 2)
_KV_DTYPES = {"4": "int4", "8": "int8"}


def arguments(words: Sequence[Word]) -> int | None:
    """The index behind `lmdeploy serve api_server`."""
    found = python_module(words)
    at = 1 if basename(words[0].text) == "lmdeploy" else found[1] if found and found[0] == "lmdeploy" else None
    if at is None or [word.text for word in words[at : at + 2]] != ["serve", "api_server"]:
        return None
    return at + 2


def entrypoint(launch: Launch) -> bool:  # noqa: ARG001
    """No image of LMDeploy starts it by itself."""
    return False


def build(call: Call) -> Engine:
    """The engine with its settings."""
    image = call.launch.image.value if call.launch.image is not None else ""
    version, version_text = _packages.version(call, "lmdeploy") or _version(image)
    reading = flags.read(flags.load("lmdeploy.json"), call.arguments, version)
    if len(reading.positionals) != 1:
        reading.complete = False
    share = reading.setting("--cache-max-entry-count", _share)
    is_of_all = version is not None and version < _FREE_SHARE_SINCE
    if share is not None and share.default and is_of_all:
        share.value = None
    backend = reading.setting("--backend", flags.text)
    data = reading.setting("--dp", flags.integer)
    engine = Engine(
        name="lmdeploy",
        display_name="LMDeploy",
        place=call.place,
        version=version,
        version_text=version_text,
        arguments_known=reading.complete,
        model=flags.positional(reading.positionals, "model_path"),
        dtype=reading.setting("--dtype", flags.text),
        quantization=reading.setting("--model-format", _quantization),
        tensor_parallel=reading.setting("--tp", flags.integer),
        data_parallel=data,
        expert_parallel=flags.above_one(reading.setting("--ep", flags.integer)),
        nodes=reading.setting("--nnodes", flags.integer),
        executor=reading.setting("--distributed-executor-backend", flags.text),
        memory_fraction=share if is_of_all else None,
        kv_cache_free_fraction=None if is_of_all else share,
        kv_cache_dtype=reading.setting("--quant-policy", _KV_DTYPES.get),
        max_model_len=reading.setting("--session-len", flags.integer),
        max_num_seqs=reading.setting("--max-batch-size", flags.integer),
        max_batched_tokens=reading.setting("--max-prefill-token-num", flags.integer),
        api_key=reading.setting("--api-keys", flags.text),
        trust_remote_code=reading.switch("--trust-remote-code"),
        revision=reading.setting("--revision", flags.text),
        cache_dir=reading.setting("--download-dir", flags.text),
        host=reading.setting("--server-name", flags.text),
        port=reading.setting("--server-port", flags.integer),
        # TurboMind drives all GPUs from threads of one process; the PyTorch engine has a process for each.
        one_process=backend is None or backend.value != "pytorch",
        accelerator=_images.accelerator(image),
    )
    if data is not None and data.value != 1:
        # TurboMind lays data over tensor parallel ranks where there are too few GPUs for both
        # (lmdeploy/turbomind/turbomind.py, update_parallel_config); PyTorch runs one server per rank.
        engine.data_parallel_local = Setting(None, data.spelled, data.place, True)
    return engine


def _share(value: str) -> float | None:
    """A share of memory; a whole number above 1 counts blocks instead."""
    found = flags.number(value)
    return found if found is not None and 0 < found < 1 else None


def _quantization(value: str) -> str | None:
    return None if value == "hf" else value


def _version(image: str) -> tuple[Version, str] | tuple[None, None]:
    repository, tag = _images.split(image)
    return _images.version(tag) if repository.rsplit("/", 1)[-1] == "lmdeploy" else (None, None)
