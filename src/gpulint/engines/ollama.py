"""Ollama: `ollama serve`, and the image that starts it by itself. It is set by environment variables alone."""

from __future__ import annotations

from collections.abc import Sequence

from gpulint.engines import _images, flags
from gpulint.engines._settings import Variables
from gpulint.engines.launch import Call, Launch, Word
from gpulint.model.engine import Engine, Version
from gpulint.model.values import Setting
from gpulint.source.shell import basename

MARKS = ("ollama",)

# Defaults by version; 0 leaves the choice to Ollama. Source: ollama/ollama envconfig/config.go at each tag.
_PARALLEL: tuple[tuple[Version, int | None], ...] = (((0, 3, 2), None), ((0, 10, 0), 1))
_CONTEXT: tuple[tuple[Version, int | None], ...] = (((0, 5, 13), 2048), ((0, 6, 7), 4096), ((0, 15, 5), None))


def arguments(words: Sequence[Word]) -> int | None:
    """The index behind `ollama serve`."""
    if basename(words[0].text) != "ollama" or len(words) < 2:
        return None
    return 2 if words[1].text in ("serve", "start") else None


def entrypoint(launch: Launch) -> bool:
    """Whether the image is Ollama's, whose entrypoint is `ollama` with `serve` where there are no args."""
    if launch.image is None or not _images.split(launch.image.value)[0].endswith("ollama/ollama"):
        return False
    return not launch.args or launch.args[0].text in ("serve", "start")


def build(call: Call) -> Engine:
    """The engine with its settings. Which models it loads, and on how many GPUs, it decides at run time."""
    image = call.launch.image.value if call.launch.image is not None else ""
    repository, tag = _images.split(image)
    version, version_text = _images.version(tag) if repository.endswith("ollama/ollama") else (None, None)
    variables = Variables(call)
    known = version if call.launch.env_known else None
    return Engine(
        name="ollama",
        display_name="Ollama",
        place=call.place,
        version=version,
        version_text=version_text,
        arguments_known=call.launch.env_known,
        model=Setting(None, "model", None, True),
        kv_cache_dtype=variables.choice("OLLAMA_KV_CACHE_TYPE", flags.text),
        max_model_len=_setting(variables, "OLLAMA_CONTEXT_LENGTH", _CONTEXT, known),
        max_num_seqs=_setting(variables, "OLLAMA_NUM_PARALLEL", _PARALLEL, known),
        # It keeps on the host what does not fit on the GPUs.
        cpu_offload_gib=Setting(None, "num_gpu", None, True),
        uses_all_visible_gpus=True,
        one_process=True,
        accelerator=_images.accelerator(image),
    )


def _setting(
    variables: Variables, name: str, defaults: tuple[tuple[Version, int | None], ...], version: Version | None
) -> Setting[int]:
    found = variables.setting(name, flags.positive)
    if found is not None:
        return found
    value = None
    for since, candidate in defaults if version is not None else ():
        if version is not None and version >= since:
            value = candidate
    return Setting(value, name, None, True)
