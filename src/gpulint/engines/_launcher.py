"""What Text Generation Inference and LoRAX, which grew out of it, have in common."""

from __future__ import annotations

from gpulint.engines import _images, flags
from gpulint.engines._settings import Settings
from gpulint.engines.flags import Table
from gpulint.engines.launch import Call, Launch
from gpulint.model.engine import Engine, Version
from gpulint.model.values import Setting


def starts_by_itself(launch: Launch) -> bool:
    """Whether args, if there are any, begin with a flag and so are the entrypoint's, and no other program."""
    return (launch.args[0].prefix if launch.args else "-").startswith("-")


def version(image: str, repository: str) -> tuple[Version, str] | tuple[None, None]:
    """The version in the tag of an image whose repository ends in this name; forks number themselves otherwise."""
    found, tag = _images.split(image)
    return _images.version(tag) if found.rsplit("/", 1)[-1] == repository else (None, None)


def build(call: Call, table: Table, name: str, display_name: str, repository: str) -> Engine:
    """The engine with its settings; a flag beats the variable of the same meaning."""
    launch = call.launch
    image = launch.image.value if launch.image is not None else ""
    number, version_text = version(image, repository)
    reading = flags.read(table, call.arguments, number)
    variables = {flag.env for flag in reading.table.flags.values()}
    is_bare = not call.lines and launch.args is None and variables.isdisjoint(launch.env)
    if reading.positionals or not launch.env_known or is_bare:  # bare: a patch, or an operator that adds the rest
        reading.complete = False
    read = Settings(call, reading)
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
        name=name,
        display_name=display_name,
        place=call.place,
        version=number,
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
        max_input_tokens=_first_given(read, "--max-input-tokens", "--max-input-length"),
        batch_total_tokens=read.setting("--max-batch-total-tokens", flags.integer),
        batch_prefill_tokens=read.setting("--max-batch-prefill-tokens", flags.integer),
        api_key=read.setting("--api-key", flags.text),
        trust_remote_code=read.switch("--trust-remote-code"),
        revision=read.setting("--revision", flags.text),
        cache_dir=read.setting("--huggingface-hub-cache", flags.text),
        port=read.setting("--port", flags.integer),
        eager=_eager(read),
        wrong_flags=flags.wrong_flags(reading) if _images.is_release(image) else [],
        repeated_flags=flags.repeated_flags(reading),
        stray_arguments=flags.stray_arguments(reading),
        uses_all_visible_gpus=uses_all,
        accelerator=_images.accelerator(image),
    )


def _first_given(read: Settings, *names: str) -> Setting[int] | None:
    """The first of several spellings of one setting that is written, else the last's default."""
    found = None
    for name in names:
        found = read.setting(name, flags.integer) or found
        if found is not None and not found.default:
            return found
    return found


def _eager(read: Settings) -> Setting[bool] | None:
    """`--cuda-graphs 0` does without them. Source: launcher/src/main.rs on --cuda-graphs."""
    graphs = read.setting("--cuda-graphs", flags.text)
    if graphs is None:
        return None
    eager = False if graphs.default else None if graphs.value is None else graphs.value.strip() == "0"
    return Setting(eager, f"{graphs.spelled} 0", graphs.place, graphs.default)


def _boolean(value: str) -> bool | None:
    return {"true": True, "false": False}.get(value)
