"""llama.cpp: `llama-server`, and the images that start it by themselves."""

from __future__ import annotations

from collections.abc import Sequence

from gpulint.engines import _images, flags
from gpulint.engines._settings import Settings
from gpulint.engines.launch import Call, Launch, Word
from gpulint.model.engine import Engine
from gpulint.model.values import Setting
from gpulint.source.shell import basename

MARKS = ("llama-server", "llama.cpp")

# What `server-<variant>` tags are built for; `server` alone is for CPUs. Source: llama.cpp docs/docker.md.
_VARIANTS = {"rocm": "rocm", "intel": "xpu", "vulkan": "vulkan", "musa": "musa", "openvino": "openvino"}


def arguments(words: Sequence[Word]) -> int | None:
    """The index behind `llama-server`."""
    return 1 if basename(words[0].text) == "llama-server" else None


def entrypoint(launch: Launch) -> bool:
    """Whether the image is one of those that start `llama-server`; args are its flags."""
    variant = _variant(launch)
    return variant is not None and (not launch.args or launch.args[0].prefix.startswith("-"))


def build(call: Call) -> Engine:
    """The engine with its settings; a flag beats the variable of the same meaning.

    It puts as many layers on the GPUs as fit, or as it is told to, and keeps the rest on the host.
    """
    reading = flags.read(flags.load("llamacpp.json"), call.arguments, None)
    if reading.positionals or not call.launch.env_known or (not call.lines and call.launch.args is None):
        reading.complete = False
    read = Settings(call, reading)
    slots = read.setting("--parallel", flags.positive)
    split = read.setting("--split-mode", flags.text)
    layers = read.setting("--n-gpu-layers", flags.integer)
    engine = Engine(
        name="llamacpp",
        display_name="llama.cpp",
        place=call.place,
        arguments_known=reading.complete,
        model=_model(read),
        kv_cache_dtype=read.setting("--cache-type-k", flags.text),
        max_model_len=_length(read, slots),
        max_num_seqs=slots,
        max_batched_tokens=read.setting("--batch-size", flags.integer),
        serves_metrics=read.switch("--metrics"),
        api_key=_api_key(read),
        host=_host(read, call),
        port=read.setting("--port", flags.integer),
        cpu_offload_gib=Setting(
            None, "--n-gpu-layers", layers.place if layers is not None else None, layers is None or layers.default
        ),
        uses_all_visible_gpus=split is None or split.value != "none",
        one_process=True,
        chooses_devices="--device" in reading.given or "LLAMA_ARG_DEVICE" in read.variables,
        accelerator=_accelerator(call.launch),
    )
    if "--rpc" in reading.given:  # layers go to other machines too
        engine.nodes = Setting(None, "--rpc", reading.given["--rpc"].place)
    return engine


def _api_key(read: Settings) -> Setting[str] | None:
    """The keys that are written, else the file of keys, of which nobody sees more than its name."""
    file = read.setting("--api-key-file", flags.text)
    if file is not None and not file.default:
        return Setting(None, file.spelled, file.place)
    return read.setting("--api-key", flags.text)


def _host(read: Settings, call: Call) -> Setting[str] | None:
    """llama.cpp's images set LLAMA_ARG_HOST to 0.0.0.0, others may; else the loopback address holds.

    Source: .devops/*.Dockerfile.
    """
    host = read.setting("--host", flags.text)
    if host is not None and host.default:
        official = _variant(call.launch) is not None
        host.value = "0.0.0.0" if official else "127.0.0.1" if call.launch.image is None else None  # noqa: S104
    return host


def _model(read: Settings) -> Setting[str] | None:
    """The repository on the Hub, without the quantisation behind its colon, else the file."""
    found = read.setting("--hf-repo", lambda value: value.partition(":")[0] or None)
    if found is None or found.default:
        found = read.setting("--model", flags.text)
    return found


def _length(read: Settings, slots: Setting[int] | None) -> Setting[int] | None:
    """Tokens of one request: the context is divided between the slots unless they share one cache.

    Source: llama.cpp common/arg.cpp on --ctx-size, --parallel and --kv-unified.
    """
    context = read.setting("--ctx-size", flags.positive)
    if context is None or context.value is None or slots is None:
        return context
    if "--kv-unified" in read.reading.given or "LLAMA_ARG_KV_UNIFIED" in read.variables or slots.value == 1:
        return context
    if slots.value is not None:
        return Setting(context.value // slots.value, context.spelled, context.place, context.default)
    # Without the flag there is one slot, or slots that share one cache; with an unknown number nothing is known.
    return context if slots.default else Setting(None, context.spelled, context.place, context.default)


def _variant(launch: Launch) -> str | None:
    """`cuda` of `ghcr.io/ggml-org/llama.cpp:server-cuda-b4719`, "" for the plain server; None for other images."""
    repository, tag = _images.split(launch.image.value) if launch.image is not None else ("", None)
    words = (tag or "").split("-")
    if repository.rsplit("/", 1)[-1] != "llama.cpp" or words[0] != "server":
        return None
    return words[1] if len(words) > 1 and not words[1].startswith("b") else ""


def _accelerator(launch: Launch) -> str | None:
    variant = _variant(launch)
    return "cpu" if variant == "" else _VARIANTS.get(variant or "")
