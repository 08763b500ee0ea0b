"""How much KV cache a token takes on each GPU."""

from __future__ import annotations

from math import ceil

from .models import ModelShape

_MIB = 2**20

# Bytes per element. `auto` is the model's dtype: 16 bits, unless the engine was told float32 and the caller says so.
# llama.cpp's quantised types carry a 16-bit scale per 32 elements, NVFP4 an 8-bit scale per 16.
_BYTES = {
    "auto": 2.0,
    "bf16": 2.0,
    "bfloat16": 2.0,
    "f16": 2.0,
    "float16": 2.0,
    "fp16": 2.0,
    "half": 2.0,
    "float": 4.0,
    "float32": 4.0,
    "fp8": 1.0,
    "fp8_e4m3": 1.0,
    "fp8_e5m2": 1.0,
    "int8": 1.0,
    "nvfp4": 0.5625,
    "q4_0": 0.5625,
    "q8_0": 1.0625,
}


def kv_bytes_per_token(
    shape: ModelShape, *, kv_cache_dtype: str | None, tensor_parallel: int, pipeline_parallel: int
) -> int | None:
    """Bytes of KV cache per token of context on the GPU with the most layers.

    Full attention (vLLM 0.33.0, fitted to 74 start-up logs):
    `ceil(layers / pp) * 2 * max(1, kv_heads / tp) * head_dim * bytes`. Multi-head latent attention:
    `ceil(layers / pp) * (kv_lora_rank + qk_rope_head_dim) * bytes`, which tensor parallelism does not divide.

    None for an unknown dtype, and for every model in which a token costs no constant: under sliding windows and chunked
    attention most layers stop growing, Mamba and linear attention keep a state per request instead, sparse and
    compressed attention keep an index or a summary beside the cache, and engines round all of these to pages
    differently by version. An engine without latent attention stores more than this for an MLA model.
    """
    bytes_each = _BYTES.get((kv_cache_dtype or "auto").strip().lower())
    tp, pp = tensor_parallel, pipeline_parallel
    if bytes_each is None or tp < 1 or not 1 <= pp <= shape.layers:
        return None
    if shape.attention == "mla" and shape.kv_lora_rank is not None and shape.qk_rope_head_dim is not None:
        elements = shape.kv_lora_rank + shape.qk_rope_head_dim
    elif shape.attention == "full" and shape.head_dim is not None:
        elements = 2 * ceil(shape.kv_heads / tp) * shape.head_dim
    else:
        return None
    return int(ceil(shape.layers / pp) * elements * bytes_each)


def kv_mib_for(
    tokens: int,
    shape: ModelShape,
    *,
    kv_cache_dtype: str | None,
    tensor_parallel: int,
    pipeline_parallel: int,
) -> float | None:
    """MiB of KV cache that `tokens` tokens take on that GPU, before rounding up to blocks; None as above."""
    per_token = kv_bytes_per_token(
        shape, kv_cache_dtype=kv_cache_dtype, tensor_parallel=tensor_parallel, pipeline_parallel=pipeline_parallel
    )
    return None if per_token is None or tokens < 0 else tokens * per_token / _MIB
