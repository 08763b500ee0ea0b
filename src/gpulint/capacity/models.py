"""The shapes of published models: what their `config.json` says and what the memory arithmetic needs."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any


@dataclass(slots=True, eq=False)
class Quantization:
    """How a checkpoint stores its linear layers; `bits` is None when the checkpoint mixes widths or does not say."""

    method: str
    bits: int | None = None
    group_size: int | None = None


@dataclass(slots=True, eq=False)
class ModelShape:
    """One model. Counts are plain numbers, `native_dtype` a PyTorch name, None is unknown or does not apply.

    `attention` says what the KV cache holds: `full` (every token in every layer), `mla` (one latent vector per token
    and layer), or one of `sliding`, `chunked`, `hybrid` (linear attention or Mamba layers), `sparse` (an index beside
    the cache), `compressed` and `unknown`.
    `params_total` counts tied embeddings once and leaves multi-token-prediction layers out; `params_vision` is the part
    of it outside the language model.
    `max_position_embeddings` is present only where a `config.json` shows it.
    A layer of linear attention or Mamba keeps, per request, `state_elements` and a convolution's window of
    `state_conv_channels` × (`state_conv_kernel` - 1); `index_head_dim` is the width of a sparse attention's index.
    `global_head_dim` and `global_kv_heads` are those of the full-attention layers where they differ from the others'.
    """

    id: str
    layers: int
    hidden_size: int
    heads: int
    kv_heads: int
    vocab_size: int
    attention: str
    source: str
    confidence: str
    aliases: tuple[str, ...] = ()
    base_model: str | None = None
    head_dim: int | None = None
    intermediate_size: int | None = None
    tie_word_embeddings: bool | None = None
    max_position_embeddings: int | None = None
    native_dtype: str | None = None
    params_total: int | None = None
    params_vision: int = 0
    sliding_window: int | None = None
    attention_chunk_size: int | None = None
    layer_types: Mapping[str, int] = field(default_factory=dict)
    kv_lora_rank: int | None = None
    q_lora_rank: int | None = None
    qk_rope_head_dim: int | None = None
    qk_nope_head_dim: int | None = None
    v_head_dim: int | None = None
    experts: int = 0
    experts_per_token: int | None = None
    expert_intermediate_size: int | None = None
    shared_expert_intermediate_size: int = 0
    dense_layers: int = 0
    state_conv_channels: int | None = None
    state_conv_kernel: int | None = None
    state_elements: int | None = None
    index_head_dim: int | None = None
    global_head_dim: int | None = None
    global_kv_heads: int | None = None
    quantization: Quantization | None = None


def model(model_id: str) -> ModelShape | None:
    """The shape of the model that an engine is told to serve; None if unknown.

    `model_id` is a repository id in any case, an alias of one, or a path. A path (absolute, relative with a leading
    dot, a URI, more than two components, or one bare component) resolves by its last component if a single model of
    the table has that name. A path says nothing about the weights in it: they may be quantised.
    """
    name = model_id.strip().rstrip("/").lower()
    by_id, by_name = _index()
    if found := by_id.get(name):
        return found
    if name.count("/") == 1 and not name.startswith(("/", ".", "~")):
        return None  # another owner's repository: the same name does not make it the same weights
    return by_name.get(name.rpartition("/")[2])


# What is added to the name of a model for a quantised copy of it, and the method that stores so.
_STORED_AS = (
    (r"(?:fp8|float8)(?:[-_.](?:dynamic|block|kv|static))*", "fp8"),
    (r"nvfp4", "nvfp4"),
    (r"(?:unsloth-)?bnb-4bit", "bitsandbytes"),
    (r"(?:gptq-)?int8|gptq-8bit|8bit|(?:quantized\.)?w8a(?:8|16)", "int8"),
    (r"(?:awq|gptq)(?:[-_.](?:int4|4bit|marlin))*|int4|4bit|(?:quantized\.)?w4a16|autoround(?:-int4)?", "awq"),
)


def variant(model_id: str) -> tuple[ModelShape, str | None] | None:
    """The model that a repository of another owner, or a path, says it is a copy of, and the method of its weights.

    By the last component, without what it says of quantisation: `nvidia/Llama-3.1-8B-Instruct-FP8` is
    Llama-3.1-8B-Instruct in fp8. The method is None where the name says nothing of it. None for an unknown name.
    """
    name = model_id.strip().rstrip("/").lower().rpartition("/")[2]
    _, by_name = _index()
    for words, method in (("", None), *_STORED_AS):
        match = re.fullmatch(rf"(.+?)[-_.](?:{words})", name) if words else None
        base = match[1] if match is not None else name
        found = by_name.get(base) if match is not None or not words else None
        if found is not None and (method is None or found.quantization is None):
            return found, method
    return None


@cache
def all_models() -> tuple[ModelShape, ...]:
    """Every model of the table, sorted by id."""
    with open(os.path.join(os.path.dirname(__file__), "models.json"), encoding="utf-8") as file:
        return tuple(_shape(row) for row in json.load(file)["models"])


def _shape(row: dict[str, Any]) -> ModelShape:
    if "aliases" in row:
        row["aliases"] = tuple(row["aliases"])
    if "quantization" in row:
        row["quantization"] = Quantization(**row["quantization"])
    return ModelShape(**row)


@cache
def _index() -> tuple[dict[str, ModelShape], dict[str, ModelShape]]:
    """By id or alias, and by last component where that names one model and has a size or a version in it."""
    by_id = {name.lower(): shape for shape in all_models() for name in (shape.id, *shape.aliases)}
    named: dict[str, set[ModelShape]] = {}
    for name, shape in by_id.items():
        named.setdefault(name.rpartition("/")[2], set()).add(shape)
    return by_id, {
        name: next(iter(found)) for name, found in named.items() if len(found) == 1 and re.search(r"\d", name)
    }
