"""How much KV cache a token takes on each GPU, and how many tokens and requests a cache of some size holds."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, floor
from typing import Literal

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
    "f32": 4.0,
    "float32": 4.0,
    "fp8": 1.0,
    "fp8_e4m3": 1.0,
    "fp8_e4m3fn": 1.0,
    "fp8_e5m2": 1.0,
    "int4": 0.5,
    "int8": 1.0,
    "nvfp4": 0.5625,
    "q4_0": 0.5625,
    "q8_0": 1.0625,
}
# A sparse attention's index: one 8-bit key per token and layer with a 32-bit scale per 128 elements.
# Source: vllm/model_executor/models/deepseek_v2.py, DeepseekV32IndexerCache (head_dim + head_dim // 128 * 4 bytes).
_INDEX_SCALE_BYTES = 4
# The states of linear attention and Mamba layers are kept in 32 bits, their convolutions in the model's 16.
# Source: Qwen3.5's and Nemotron-H's config.json (mamba_ssm_dtype); they reproduce the tokens of two start-up logs of
# Qwen3.6-35B-A3B under vLLM 0.25.1 (club-3090 issues 851, 858) within 0.1 %.
_STATE_BYTES = 4
_CONVOLUTION_BYTES = 2

BLOCK_TOKENS = 16


def bytes_per_element(kv_cache_dtype: str | None, dtype: str | None = None) -> float | None:
    """Bytes of one element of the cache; `auto` follows the model's dtype. None for a dtype that is not known."""
    name = (kv_cache_dtype or "auto").strip().lower()
    if name == "auto" and (dtype or "").strip().lower().removeprefix("torch.") in ("float", "float32", "fp32"):
        return 4.0
    return _BYTES.get(name)


def kv_bytes_per_token(
    shape: ModelShape,
    *,
    kv_cache_dtype: str | None,
    tensor_parallel: int,
    pipeline_parallel: int,
    dtype: str | None = None,
) -> int | None:
    """Bytes of KV cache per token of context on the GPU with the most layers.

    Full attention (vLLM 0.33.0, fitted to 74 start-up logs):
    `ceil(layers / pp) * 2 * max(1, kv_heads / tp) * head_dim * bytes`. Multi-head latent attention:
    `ceil(layers / pp) * (kv_lora_rank + qk_rope_head_dim) * bytes`, which tensor parallelism does not divide.

    None for an unknown dtype, and for every model in which a token costs no constant: see `kv_layout`. An engine
    without latent attention stores more than this for an MLA model.
    """
    bytes_each = bytes_per_element(kv_cache_dtype, dtype)
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


# --- models with layers of several kinds ---------------------------------------------------------------------------

LayerKind = Literal["full", "window", "chunk", "state"]


@dataclass(slots=True, eq=False)
class LayerGroup:
    """Groups of layers of one kind that share block tables: how many groups, and what a request holds in each.

    `reach` is the tokens of a window or a chunk; None where a layer holds every token.
    """

    kind: LayerKind
    groups: int
    reach: int | None = None


@dataclass(slots=True, eq=False)
class KvLayout:
    """How an engine lays the KV cache of one GPU out in blocks.

    A block holds `block_tokens` tokens of one group of layers and takes `block_bytes`. `formula` says how they came
    about, for people. `tokens_from_requests` is how newer versions of vLLM count the tokens of grouped layers: by the
    requests of full length that fit.
    """

    block_tokens: int
    block_bytes: float
    groups: tuple[LayerGroup, ...]
    formula: str
    tokens_from_requests: bool = False

    def blocks(self, cache_bytes: float) -> int:
        """Whole blocks in a cache of this size."""
        return max(0, floor(cache_bytes / self.block_bytes))

    def blocks_per_request(self, length: int, batched_tokens: int) -> int:
        """Blocks that one request of `length` tokens holds at most, `batched_tokens` of it being computed at a time.

        Source: vllm/v1/kv_cache_interface.py, max_memory_usage_bytes of each kind of layer; a window needs one more
        block, as it need not begin at a block's start. A state is kept twice, as prefix caching has it.
        """
        total = 0
        for group in self.groups:
            if group.kind == "state":
                each = 2
            elif group.reach is None:
                each = ceil(length / self.block_tokens)
            elif group.kind == "window":
                each = ceil(min(group.reach - 1 + batched_tokens, length) / self.block_tokens) + 1
            else:
                each = ceil(min(group.reach + batched_tokens, length) / self.block_tokens)
            total += group.groups * each
        return total

    def requests(self, cache_bytes: float, length: int, batched_tokens: int) -> float:
        """Requests of `length` tokens that a cache of this size holds at once."""
        return self.blocks(cache_bytes) / max(1, self.blocks_per_request(length, batched_tokens))

    def request_bytes(self, length: int, batched_tokens: int) -> float:
        """Bytes that one request of `length` tokens takes."""
        return self.blocks_per_request(length, batched_tokens) * self.block_bytes

    def tokens(self, cache_bytes: float, length: int | None, batched_tokens: int) -> int | None:
        """Tokens as the engine states them; None where it states them by a request's length, which is not known.

        Source: vllm/v1/core/kv_cache_utils.py: `blocks // groups * block_size`, from 0.21 `int(max_concurrency *
        max_model_len)` for models of several groups.
        """
        groups = sum(group.groups for group in self.groups)
        if groups > 1 and self.tokens_from_requests:
            return None if length is None else int(self.requests(cache_bytes, length, batched_tokens) * length)
        return self.blocks(cache_bytes) // groups * self.block_tokens


def kv_layout(
    shape: ModelShape,
    *,
    kv_cache_dtype: str | None,
    tensor_parallel: int,
    pipeline_parallel: int,
    dtype: str | None = None,
    grouped: bool = True,
    tokens_from_requests: bool = False,
) -> KvLayout | None:
    """The cache of one model under vLLM; None for an unknown dtype and for a cache whose layout is not known.

    Full attention and MLA are one group of all layers. Sliding windows, chunks, and states of linear attention or Mamba
    beside full attention are grouped: `g` layers to a group, the least of the counts per kind, or the largest where
    that is below 1.5 times the least (vllm/v1/core/kv_cache_utils.py, _get_kv_cache_groups_uniform_page_size). With a
    state in it a block is as many tokens as the state of a layer is large. Without `grouped` (before vLLM 0.9.1, and
    engines that do without) every layer holds every token. Sparse attention keeps an index beside MLA's cache.
    """
    bytes_each = bytes_per_element(kv_cache_dtype, dtype)
    tp, pp = tensor_parallel, pipeline_parallel
    if bytes_each is None or tp < 1 or not 1 <= pp <= shape.layers:
        return None
    layers = ceil(shape.layers / pp)
    if shape.attention in ("full", "mla"):
        per_token = kv_bytes_per_token(
            shape, kv_cache_dtype=kv_cache_dtype, tensor_parallel=tp, pipeline_parallel=pp, dtype=dtype
        )
        if per_token is None:
            return None
        if shape.attention == "mla":
            formula = (
                f"{layers} layers × ({shape.kv_lora_rank} + {shape.qk_rope_head_dim}) × {bytes_each:g} bytes "
                f"= {per_token} bytes per token, whatever the tensor parallel size"
            )
        else:
            formula = (
                f"{layers} layers × 2 × {ceil(shape.kv_heads / tp)} KV heads × {shape.head_dim} × {bytes_each:g} bytes "
                f"= {per_token} bytes per token"
            )
        return KvLayout(BLOCK_TOKENS, BLOCK_TOKENS * per_token, (LayerGroup("full", 1),), formula)
    if shape.attention == "sparse":
        return _sparse(shape, layers, bytes_each)
    if shape.head_dim is None or shape.global_head_dim is not None:
        return None  # pages of several sizes, which vLLM evens out in ways that no log here confirms
    per_layer = 2 * ceil(shape.kv_heads / tp) * shape.head_dim * bytes_each
    counts = {kind: ceil(count / pp) for kind, count in shape.layer_types.items() if kind != "moe_or_mlp"}
    full = counts.pop("full_attention", 0)
    if shape.attention == "hybrid":
        return _with_states(shape, tp, full, counts, per_layer, tokens_from_requests)
    kind: LayerKind = "window" if shape.attention == "sliding" else "chunk"
    reach = shape.sliding_window if kind == "window" else shape.attention_chunk_size
    if reach is None or shape.attention not in ("sliding", "chunked") or len(counts) > 1:
        return None
    other = next(iter(counts.values())) if counts else layers - full
    if not grouped:
        block_bytes = BLOCK_TOKENS * per_layer * (full + other)
        formula = f"{full + other} layers × {per_layer:g} bytes per token, a window counting as full attention"
        return KvLayout(BLOCK_TOKENS, block_bytes, (LayerGroup("full", 1),), formula)
    size = _group_size(full, other)
    groups = [LayerGroup("full", ceil(full / size))] if full else []
    groups.append(LayerGroup(kind, ceil(other / size), reach))
    parts = ([f"{groups[0].groups} of full attention"] if full else []) + [f"{groups[-1].groups} of {kind}s of {reach}"]
    formula = (
        f"groups of {size} layers × {per_layer:g} bytes per token, {' and '.join(parts)}, in blocks of {BLOCK_TOKENS}"
    )
    return KvLayout(BLOCK_TOKENS, BLOCK_TOKENS * per_layer * size, tuple(groups), formula, tokens_from_requests)


def _group_size(*counts: int) -> int:
    present = [count for count in counts if count]
    smallest, largest = min(present), max(present)
    return largest if largest < 1.5 * smallest else smallest


def _sparse(shape: ModelShape, layers: int, bytes_each: float) -> KvLayout | None:
    if shape.kv_lora_rank is None or shape.qk_rope_head_dim is None or shape.index_head_dim is None:
        return None
    latent = (shape.kv_lora_rank + shape.qk_rope_head_dim) * bytes_each
    index = shape.index_head_dim + _INDEX_SCALE_BYTES * ceil(shape.index_head_dim / 128)
    per_token = layers * (latent + index)
    formula = f"{layers} layers × ({latent:g} bytes of latent + {index} bytes of index) = {per_token:g} bytes per token"
    return KvLayout(BLOCK_TOKENS, BLOCK_TOKENS * per_token, (LayerGroup("full", 1),), formula)


def _with_states(
    shape: ModelShape, tp: int, full: int, counts: dict[str, int], per_layer: float, tokens_from_requests: bool
) -> KvLayout | None:
    if shape.state_elements is None or shape.state_conv_channels is None or shape.state_conv_kernel is None:
        return None
    if not full or len(counts) != 1:
        return None
    window = (shape.state_conv_kernel - 1) * shape.state_conv_channels * _CONVOLUTION_BYTES
    state = (shape.state_elements * _STATE_BYTES + window) / tp
    stateful = next(iter(counts.values()))
    block_tokens = max(BLOCK_TOKENS, ceil(state / per_layer / BLOCK_TOKENS) * BLOCK_TOKENS)
    page = max(state, block_tokens * per_layer)
    size = _group_size(full, stateful)
    groups = (LayerGroup("full", ceil(full / size)), LayerGroup("state", ceil(stateful / size)))
    formula = (
        f"groups of {size} layers, {groups[0].groups} of full attention and {groups[1].groups} of states; a state of "
        f"{state:.0f} bytes makes blocks of {block_tokens} tokens × {per_layer:g} bytes per layer"
    )
    return KvLayout(block_tokens, page * size, groups, formula, tokens_from_requests)
