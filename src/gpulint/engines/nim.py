"""NVIDIA NIM for large language models: images that start by themselves and are set by environment variables.

A profile, chosen at the start by the GPUs that are there, decides on the engine inside, the precision and the parallel
sizes: what is not written is unknown, never a default.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache

from gpulint.engines import _images, flags
from gpulint.engines._settings import Variables
from gpulint.engines.launch import Call, Launch, Word
from gpulint.model.engine import Engine
from gpulint.model.values import Setting

MARKS = ("/nim/",)

# The collection also holds models that are not served this way: for embeddings, speech, vision, chemistry.
_LANGUAGE_MODELS = (
    "llm-nim", "llama", "mistral", "mixtral", "nemotron", "gemma", "qwen", "phi-", "deepseek", "gpt-oss", "starcoder",
    "granite", "kimi", "glm",
)  # fmt: skip
_OTHER_MODELS = ("embed", "rerank", "retriever", "guard", "parse", "ocr", "safety", "reward")
# Variables that only a NIM for language models reads.
_TELLING = ("NIM_MAX_MODEL_LEN", "NIM_TENSOR_PARALLEL_SIZE", "NIM_KVCACHE_PERCENT", "NIM_GPU_MEM_FRACTION")


def arguments(words: Sequence[Word]) -> int | None:
    """The index behind the start script of the images."""
    return 1 if (words[0].text or "").startswith("/opt/nim/start") else None


def entrypoint(launch: Launch) -> bool:
    """Whether the image is a NIM for a language model."""
    repository = _images.split(launch.image.value)[0] if launch.image is not None else ""
    folders = repository.split("/")
    if "nim" not in folders[:-1] or (launch.args and not launch.args[0].prefix.startswith("-")):
        return False
    name = folders[-1].lower()
    if any(name in launch.env for name in _TELLING):
        return True
    return any(word in name for word in _LANGUAGE_MODELS) and not any(word in name for word in _OTHER_MODELS)


def build(call: Call) -> Engine:
    """The engine with the settings that the environment makes."""
    image = call.launch.image.value if call.launch.image is not None else ""
    version, version_text = _images.version(_images.split(image)[1])
    variables = Variables(call)
    tensor = variables.choice("NIM_TENSOR_PARALLEL_SIZE", flags.integer)
    pipeline = variables.choice("NIM_PIPELINE_PARALLEL_SIZE", flags.integer)
    named = _profile(variables)
    if named is not None:
        tensor = named[0] if tensor.default else tensor
        pipeline = named[1] if pipeline.default else pipeline
    fraction = variables.setting("NIM_GPU_MEM_FRACTION", flags.number)
    for name in ("NIM_KVCACHE_PERCENT", "NIM_KV_CACHE_PERCENT"):
        # A share of the GPU's memory in profiles of vLLM, of what the weights leave in those of TensorRT-LLM.
        found = variables.value(name)
        if fraction is None and found is not None:
            fraction = Setting(None, name, found[1])
    return Engine(
        name="nim",
        display_name="NIM",
        place=call.place,
        version=version,
        version_text=version_text,
        arguments_known=False,
        model=_model(variables),
        tensor_parallel=tensor,
        pipeline_parallel=pipeline,
        memory_fraction=fraction if fraction is not None else Setting(None, "NIM_GPU_MEM_FRACTION", None, True),
        max_model_len=variables.choice("NIM_MAX_MODEL_LEN", flags.integer),
        max_num_seqs=variables.choice("NIM_MAX_NUM_SEQS", flags.integer),
        max_batched_tokens=variables.choice("NIM_MAX_NUM_BATCHED_TOKENS", flags.integer),
    )


def _model(variables: Variables) -> Setting[str]:
    for name in ("NIM_MODEL_PATH", "NIM_MODEL_NAME"):
        found = variables.setting(name, lambda value: value.removeprefix("hf://") or None)
        if found is not None:
            return found
    return Setting(None, "NIM_MODEL_PATH", None, True)


@cache
def _sizes_in_profile() -> re.Pattern[str]:
    return re.compile(r"-tp(\d{1,3})(?:-pp(\d{1,3}))?(?![\w])")


def _profile(variables: Variables) -> tuple[Setting[int], Setting[int]] | None:
    """Tensor and pipeline parallel size of a profile given by its name (`tensorrt_llm-h100-fp8-tp2-pp1-latency`)."""
    found = variables.value("NIM_MODEL_PROFILE")
    match = _sizes_in_profile().search(found[0]) if found is not None and found[0] is not None else None
    if found is None or match is None:
        return None
    place = found[1]
    tensor: Setting[int] = Setting(int(match[1]), "NIM_MODEL_PROFILE tp", place)
    pipeline: Setting[int] = Setting(int(match[2]) if match[2] else None, "NIM_MODEL_PROFILE pp", place)
    if match[2] is None:
        pipeline.default = True
    return tensor, pipeline
