"""A model's shape from its `config.json`, as the Transformers library writes it."""

from __future__ import annotations

import json
import os
from typing import Any

from .models import ModelShape, Quantization

_LARGEST_FILE_BYTES = 4 * 2**20
_MOST = 10**9


class ConfigJsonError(ValueError):
    """A config.json that says nothing usable: the message names the file, the key and what is wrong."""


def shape_of_file(path: str, model_id: str) -> ModelShape:
    """The shape in a file. Raises ConfigJsonError."""
    try:
        if os.path.getsize(path) > _LARGEST_FILE_BYTES:
            raise ConfigJsonError(f"{path}: larger than any config.json")
        with open(path, encoding="utf-8") as file:
            content = json.load(file)
    except OSError as error:
        raise ConfigJsonError(f"{path}: {(error.strerror or str(error)).lower()}") from None
    except UnicodeDecodeError:
        raise ConfigJsonError(f"{path}: not UTF-8 text") from None
    except RecursionError:
        raise ConfigJsonError(f"{path}: nested too deeply") from None
    except ValueError as error:
        raise ConfigJsonError(f"{path}: no JSON: {error}") from None
    return shape_of_config(content, model_id, path)


def shape_of_config(content: object, model_id: str, source: str = "config.json") -> ModelShape:
    """The shape in the content of a config.json. Raises ConfigJsonError.

    `params_total` is computed from the dimensions, and None for architectures whose layers these do not tell
    (linear attention, Mamba).
    """
    if not isinstance(content, dict):
        raise ConfigJsonError(f"{source}: not an object")
    text = content.get("text_config") or content.get("llm_config") or content
    if not isinstance(text, dict):
        raise ConfigJsonError(f"{source}: text_config is not an object")
    read = _Reader(text, content, source)
    layers = read.number("num_hidden_layers", "n_layer", "num_layers")
    hidden = read.number("hidden_size", "n_embd", "d_model")
    heads = read.number("num_attention_heads", "n_head")
    vocabulary = read.number("vocab_size")
    assert layers is not None
    assert hidden is not None
    assert heads is not None
    assert vocabulary is not None
    kv_heads = read.number("num_key_value_heads", "num_kv_heads", default=heads) or heads
    if heads % kv_heads and kv_heads > heads:
        raise ConfigJsonError(f"{source}: num_key_value_heads is {kv_heads}, more than num_attention_heads ({heads})")
    if heads > hidden:
        raise ConfigJsonError(f"{source}: num_attention_heads is {heads}, more than hidden_size ({hidden})")
    experts = read.number("num_local_experts", "num_experts", "n_routed_experts", default=0, least=0) or 0
    intermediate = read.number("intermediate_size", "ffn_hidden_size", "n_inner", default=None)
    expert_width = read.number("moe_intermediate_size", "expert_intermediate_size", default=intermediate)
    shared = read.number("shared_expert_intermediate_size", default=0, least=0) or 0
    shared_experts = read.number("n_shared_experts", default=0, least=0) or 0
    rank = read.number("kv_lora_rank", default=None)
    shape = ModelShape(
        id=model_id,
        layers=layers,
        hidden_size=hidden,
        heads=heads,
        kv_heads=kv_heads,
        vocab_size=vocabulary,
        attention="full",
        source=source,
        confidence="high",
        head_dim=None if rank else read.number("head_dim", default=hidden // heads),
        intermediate_size=intermediate if intermediate is not None else 4 * hidden,
        tie_word_embeddings=read.flag("tie_word_embeddings"),
        max_position_embeddings=read.number("max_position_embeddings", "n_positions", default=None),
        native_dtype=read.word("dtype", "torch_dtype"),
        sliding_window=read.number("sliding_window", default=None, least=0) or None,
        attention_chunk_size=read.number("attention_chunk_size", default=None, least=0) or None,
        kv_lora_rank=rank,
        q_lora_rank=read.number("q_lora_rank", default=None),
        qk_rope_head_dim=read.number("qk_rope_head_dim", default=None),
        qk_nope_head_dim=read.number("qk_nope_head_dim", default=None),
        v_head_dim=read.number("v_head_dim", default=None) if rank else None,
        experts=experts,
        experts_per_token=read.number("num_experts_per_tok", "num_experts_per_token", default=None),
        expert_intermediate_size=expert_width if experts else None,
        shared_expert_intermediate_size=shared or (shared_experts * (expert_width or 0) if experts else 0),
        dense_layers=(read.number("first_k_dense_replace", default=0, least=0) or 0) if experts else 0,
        index_head_dim=read.number("index_head_dim", default=None),
        quantization=_quantization(content.get("quantization_config"), source),
    )
    _attention(shape, text, read)
    shape.params_total = _params_total(shape)
    return shape


class _Reader:
    def __init__(self, text: dict[str, Any], whole: dict[str, Any], source: str) -> None:
        self.text = text
        self.whole = whole
        self.source = source

    def _find(self, names: tuple[str, ...]) -> tuple[str, Any]:
        for name in names:
            value = self.text.get(name, self.whole.get(name))
            if value is not None:
                return name, value
        return names[0], None

    def number(self, *names: str, default: int | str | None = "required", least: int = 1) -> int | None:
        name, value = self._find(names)
        if value is None:
            if default == "required":
                raise ConfigJsonError(f"{self.source}: {name} is missing")
            assert not isinstance(default, str)
            return default
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= _MOST:
            raise ConfigJsonError(f"{self.source}: {name} is {value!r:.60}, not a whole number of at least {least}")
        return value

    def flag(self, name: str) -> bool:
        _, value = self._find((name,))
        return value is True

    def word(self, *names: str) -> str | None:
        _, value = self._find(names)
        return value.removeprefix("torch.") if isinstance(value, str) else None


def _quantization(content: object, source: str) -> Quantization | None:
    if content is None:
        return None
    if not isinstance(content, dict) or not isinstance(content.get("quant_method"), str):
        raise ConfigJsonError(f"{source}: quantization_config has no quant_method")
    method = content["quant_method"]
    bits = content.get("bits")
    if method == "compressed-tensors":
        groups = content.get("config_groups")
        found = {
            group["weights"].get("num_bits")
            for group in (groups.values() if isinstance(groups, dict) else ())
            if isinstance(group, dict) and isinstance(group.get("weights"), dict)
        }
        bits = found.pop() if len(found) == 1 else None
    if method == "fp8":
        bits = 8
    group_size = content.get("group_size")
    return Quantization(
        method, bits if isinstance(bits, int) else None, group_size if isinstance(group_size, int) else None
    )


def _attention(shape: ModelShape, text: dict[str, Any], read: _Reader) -> None:
    """Sets what the KV cache holds."""
    types = text.get("layer_types")
    if types is not None:
        if not isinstance(types, list) or not all(isinstance(each, str) for each in types):
            raise ConfigJsonError(f"{read.source}: layer_types is not a list of words")
        counts = {name: types.count(name) for name in dict.fromkeys(types)}
        shape.layer_types = {} if set(counts) == {"full_attention"} else counts
    linear = any(key.startswith(("linear_", "mamba_", "ssm_")) for key in text)
    if "linear_attention" in shape.layer_types or "mamba" in shape.layer_types or linear:
        shape.attention = "hybrid"
        _states(shape, text, read)
    elif shape.kv_lora_rank is not None:
        shape.attention = "sparse" if shape.index_head_dim is not None else "mla"
    elif "chunked_attention" in shape.layer_types or shape.attention_chunk_size is not None:
        shape.attention = "chunked"
    elif shape.sliding_window is not None and text.get("use_sliding_window", True) is not False:
        shape.attention = "sliding" if not shape.layer_types or len(shape.layer_types) > 1 else "full"
        every = text.get("sliding_window_pattern") or text.get("_sliding_window_pattern")
        if not shape.layer_types and isinstance(every, int) and every > 1:
            full = shape.layers // every
            shape.layer_types = {"full_attention": full, "sliding_attention": shape.layers - full}
    if text.get("global_head_dim") is not None:
        shape.global_head_dim = read.number("global_head_dim")


def _states(shape: ModelShape, text: dict[str, Any], read: _Reader) -> None:
    if "linear_num_value_heads" in text:
        key = (read.number("linear_num_key_heads") or 0) * (read.number("linear_key_head_dim") or 0)
        value_heads, value_dim = read.number("linear_num_value_heads") or 0, read.number("linear_value_head_dim") or 0
        shape.state_conv_channels = 2 * key + value_heads * value_dim
        shape.state_conv_kernel = read.number("linear_conv_kernel_dim")
        shape.state_elements = value_heads * value_dim * (read.number("linear_key_head_dim") or 0)


def _params_total(shape: ModelShape) -> int | None:
    """Parameters of the language model from its dimensions, norms included; None where they do not tell."""
    hidden, layers = shape.hidden_size, shape.layers
    if shape.attention == "hybrid":
        return None
    if shape.kv_lora_rank is not None:
        rope, nope = shape.qk_rope_head_dim, shape.qk_nope_head_dim
        if rope is None or nope is None or shape.v_head_dim is None:
            return None
        query = shape.heads * (nope + rope)
        attention = hidden * shape.q_lora_rank + shape.q_lora_rank * query if shape.q_lora_rank else hidden * query
        attention += hidden * (shape.kv_lora_rank + rope) + shape.heads * shape.v_head_dim * hidden
        attention += shape.kv_lora_rank * shape.heads * (nope + shape.v_head_dim)
    elif shape.head_dim is not None:
        attention = hidden * shape.head_dim * 2 * (shape.heads + shape.kv_heads)
    else:
        return None
    mlp = 3 * hidden * (shape.intermediate_size or 0)
    dense = min(shape.dense_layers, layers) if shape.experts else layers
    expert = (
        3 * hidden * ((shape.expert_intermediate_size or 0) * shape.experts + shape.shared_expert_intermediate_size)
    )
    total = layers * (attention + 2 * hidden) + dense * mlp
    total += (layers - dense) * (expert + hidden * shape.experts if shape.experts else 0)
    return total + hidden + shape.vocab_size * hidden * (1 if shape.tie_word_embeddings else 2)
