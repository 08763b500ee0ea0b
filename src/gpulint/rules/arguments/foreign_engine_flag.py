"""A flag of another engine."""

from __future__ import annotations

from collections.abc import Iterator

from gpulint.engines.flags import engines_with
from gpulint.finding import Evidence, Finding
from gpulint.model.engine import Engine
from gpulint.rules import rule

_NAMES = {
    "vllm": "vLLM",
    "sglang": "SGLang",
    "tgi": "TGI",
    "llamacpp": "llama.cpp",
    "lmdeploy": "LMDeploy",
    "trtllm": "TensorRT-LLM",
}
# What each engine calls the same setting.
_SAME: tuple[dict[str, str], ...] = (
    {
        "vllm": "--tensor-parallel-size",
        "sglang": "--tp-size",
        "tgi": "--num-shard",
        "lmdeploy": "--tp",
        "trtllm": "--tp_size",
        "llamacpp": "--split-mode",
    },
    {"vllm": "--max-model-len", "sglang": "--context-length", "tgi": "--max-total-tokens", "lmdeploy": "--session-len"},
    {
        "vllm": "--gpu-memory-utilization",
        "sglang": "--mem-fraction-static",
        "tgi": "--cuda-memory-fraction",
        "trtllm": "--kv_cache_free_gpu_memory_fraction",
    },
    {"vllm": "--max-num-seqs", "sglang": "--max-running-requests", "tgi": "--max-batch-size"},
    {"vllm": "--model", "sglang": "--model-path", "tgi": "--model-id"},
    {"vllm": "--quantization", "sglang": "--quantization", "tgi": "--quantize"},
)

_ENDS = (
    'The server ends at the start with "unrecognized arguments", again and again, and the pod keeps its GPUs meanwhile.'
)


@rule("foreign-engine-flag")
def check(engine: Engine) -> Iterator[Finding]:
    for flag in engine.wrong_flags:
        others = engines_with(flag.name) if flag.added is None and flag.removed is None else []
        if not others:
            continue
        image = engine.container.image
        own = next((row[engine.name] for row in _SAME if engine.name in row and flag.name in row.values()), None)
        names = " and ".join(_NAMES[other] for other in others[:3])
        yield Finding(
            place=flag.place,
            message=f"{flag.name} is a flag of {names}; {engine.label} has none of this name. {_ENDS}",
            help=f"Write {own}, which sets the same here."
            if own is not None
            else "Remove the flag, or name the engine that it was meant for.",
            evidence=[Evidence("version", engine.version_text, image.place if image is not None else None)],
        )
