"""How much memory a model's weights take on each GPU.

Every answer is a range whose low end is optimistic, so that "low does not fit" is a proof; the high end is not a bound
on what an engine may allocate while it loads. Only what the engine was told is counted: layers offloaded to the host,
or another model served beside this one, are the caller's to know.

Sources. The split into layers, embedding and head, what tensor parallelism divides and what each GPU keeps whole, and
the bytes per parameter are vLLM 0.33.0's, fitted to 74 start-up logs (llm-d-planner pull request 205).
"""

from __future__ import annotations

import re
from functools import cache
from math import ceil
from typing import NamedTuple

from .models import ModelShape

_MIB = 2**20


class Range(NamedTuple):
    """An estimate: provable from below, most likely, and on the safe side."""

    low: float
    likely: float
    high: float


_INT4 = Range(0.5, 0.525, 0.58)  # 4 bits; likely with scales and zero points per 128, high per 32
_INT8 = Range(1.0, 1.0, 1.03)
_NVFP4 = Range(0.5625, 0.5625, 0.5625)  # 4 bits and an 8-bit scale per 16
_MXFP4 = Range(0.53125, 0.53125, 0.53125)  # 4 bits and an 8-bit scale per 32
_NF4 = Range(0.5, 0.53, 0.5625)  # likely: 8.6253 GiB logged for phi-4; high: a 32-bit scale per 64

# Methods that fix the width. vLLM's names, and where they differ SGLang's, TGI's and ModelOpt's.
_BYTES_PER_PARAMETER = {
    "awq": _INT4,
    "awq_marlin": _INT4,
    "bitsandbytes": Range(0.5, 0.53, 1.03),  # 4 bits in vLLM, 8 in TGI
    "bitsandbytes_fp4": _NF4,
    "bitsandbytes_nf4": _NF4,
    "eetq": _INT8,
    "fbgemm_fp8": Range(1.0, 1.21, 1.25),  # attention stays in 16 bits: 57.752 GiB logged for Llama-3.1-405B at tp 8
    "fp8": _INT8,
    "int8": _INT8,
    "modelopt_fp4": _NVFP4,
    "modelopt_fp8": _INT8,
    "mxfp4": _MXFP4,
    "nvfp4": _NVFP4,
    "ptpc_fp8": _INT8,
    "w8a8_fp8": _INT8,
    "w8a8_int8": _INT8,
}
# Methods that are a file format: the checkpoint says how many bits.
_FORMATS = frozenset({"auto_round", "compressed_tensors", "gptq", "gptq_marlin", "inc", "modelopt", "moe_wna16"})
# Methods that checkpoints commonly apply to the experts alone, leaving attention in 16 bits.
_EXPERTS_ONLY = frozenset({_MXFP4, _NVFP4})

_DTYPE_BYTES = {
    "auto": 2,  # vLLM and SGLang load a 32-bit checkpoint in 16 bits
    "half": 2,
    "float16": 2,
    "fp16": 2,
    "bfloat16": 2,
    "bf16": 2,
    "float": 4,
    "float32": 4,
    "fp32": 4,
}


@cache  # a repository serves a few models in many places
def weights_mib(
    shape: ModelShape,
    *,
    dtype: str | None,
    quantization: str | None,
    tensor_parallel: int,
    pipeline_parallel: int,
    expert_copies: int = 1,
) -> Range | None:
    """MiB of weights on the GPU that holds most of them.

    `dtype` and `quantization` are the engine's settings; None (or `auto`, `none`) is its default, which for
    quantization is what the checkpoint is stored in. None is returned for an unknown dtype or method, for a checkpoint
    of unknown or mixed width, for a method that contradicts it and for a model of unknown parameter total.

    Likely, per GPU: ceil(layers / pp) layers with their matrices divided by tp, but norms, routers, MLA
    down-projections (and KV projections of less than a head) whole; embedding and head in the unquantised dtype,
    divided by tp, on the first and the last stage; a vision tower half-way between whole and divided, as engines do
    either. Low: an even share of the language model alone, the head quantised as well, less 1 %. High: 3 % more, two
    vision towers (gemma-3-4b-it loads 0.57 GiB above its total), attention in 16 bits where that is common.
    Routed experts are divided by tp × `expert_copies` (data parallel ranks that share them).
    """
    full = _dtype_bytes(dtype)
    rate = _bytes_per_parameter(shape, quantization, full)
    tp, pp, layers = tensor_parallel, pipeline_parallel, shape.layers
    if full is None or rate is None or shape.params_total is None or tp < 1 or not 1 <= pp <= layers:
        return None
    if expert_copies < 1:
        return None
    embedding = shape.vocab_size * shape.hidden_size
    head = 0 if shape.tie_word_embeddings else embedding
    language = shape.params_total - shape.params_vision
    experts = _expert_params(shape)
    other = language - embedding - head - experts
    undivided = _undivided_params(shape, tp)

    elsewhere = rate.low * experts * (1 - 1 / expert_copies)
    low = (rate.low * (language - embedding) + full * embedding - elsewhere) / (tp * pp) * 0.99

    stage = ceil(layers / pp) / layers
    ends = full * (embedding + head if pp == 1 else embedding) / tp
    vision = full * shape.params_vision

    def heaviest_stage(experts_rate: float, other_rate: float) -> float:
        return stage * (experts_rate * experts / (tp * expert_copies) + other_rate * (other / tp + undivided)) + ends

    experts_only = experts > 0 and rate in _EXPERTS_ONLY
    pad = _mxfp4_padding(shape, tp) if rate == _MXFP4 else 1.0
    likely = heaviest_stage(rate.likely * pad, full if experts_only and rate == _MXFP4 else rate.likely)
    high = heaviest_stage(rate.high * pad, full if experts_only else rate.high)
    return Range(
        low / _MIB,
        (likely + vision * (1 + 1 / tp) / 2) / _MIB,
        (high + 2 * vision) * 1.03 / _MIB,
    )


def _expert_params(shape: ModelShape) -> int:
    """Parameters of the routed experts: gate, up and down projection in each layer that has them."""
    matrix = shape.hidden_size * (shape.expert_intermediate_size or 0)
    return (shape.layers - shape.dense_layers) * shape.experts * 3 * matrix


def _undivided_params(shape: ModelShape, tp: int) -> float:
    """Parameters that each GPU holds beyond its even share: norms, routers, MLA down-projections, shared KV heads."""
    whole = shape.hidden_size * (2 + shape.experts)
    copies = 0.0
    if shape.kv_lora_rank is not None:
        whole += shape.hidden_size * (shape.kv_lora_rank + (shape.qk_rope_head_dim or 0) + (shape.q_lora_rank or 0))
    elif tp > shape.kv_heads and shape.head_dim is not None:
        copies = 2 * shape.hidden_size * shape.head_dim * (1 - shape.kv_heads / tp)
    return shape.layers * (whole * (1 - 1 / tp) + copies)


def _mxfp4_padding(shape: ModelShape, tp: int) -> float:
    """By how much the kernels on Hopper enlarge MXFP4 experts: hidden size to 256, each GPU's width to 128.

    Weights within 3 % of gpt-oss-20b's logs under vLLM 0.19.0; 0.11.0 padded the hidden size alone.
    """
    hidden, width = shape.hidden_size, (shape.expert_intermediate_size or 128) / tp
    return ceil(hidden / 256) * 256 / hidden * ceil(width / 128) * 128 / width


def _bytes_per_parameter(shape: ModelShape, quantization: str | None, full: int | None) -> Range | None:
    method = _method(quantization)
    stored = shape.quantization
    in_checkpoint = None
    if stored is not None:
        by_bits = {4: _INT4, 8: _INT8}.get(stored.bits or 0)
        in_checkpoint = _BYTES_PER_PARAMETER.get(stored.method.replace("-", "_"), by_bits)
    if method is None and stored is None:
        return None if full is None else Range(full, full, full)
    if method is None or method in _FORMATS:
        return in_checkpoint
    asked = _BYTES_PER_PARAMETER.get(method)
    if asked is None or in_checkpoint is None or asked.low < in_checkpoint.low:
        return asked
    # The checkpoint knows better, and to ask for more bits than it has is an error that no arithmetic can judge.
    return in_checkpoint if asked.low == in_checkpoint.low else None


def _method(quantization: str | None) -> str | None:
    name = (quantization or "").strip().lower().replace("-", "_")
    return None if name in {"", "none", "null", "auto"} else name


def _dtype_bytes(dtype: str | None) -> int | None:
    return _DTYPE_BYTES.get((dtype or "auto").strip().lower().removeprefix("torch."))


# --- models that the table does not know ---------------------------------------------------------------------------

_MIXTURES = {"8x7b": 46.7e9, "8x22b": 140.6e9}  # Mixtral's totals: attention is shared, so not 8 times the size
# A name with a size in it that is not the size of what is served.
_NOT_A_MODEL = frozenset({"adapter", "draft", "eagle", "eagle3", "lora", "medusa", "qlora", "speculator"})
_FLOOR = Range(0.5, 2.0, 2.0)  # unquantised by default, but checkpoints in 4 bits need not say so in their name


def params_from_name(model_id: str) -> float | None:
    """Parameters according to the last component of a repository id or path: `8B`, `1.5b`, `500M`, `30B-A3B`, `8x7B`.

    None without a size, with several, with only the active size (`A3B`), or where the size is one expert's
    (`17B-16E`, `4x7B`). Names round: `params_range_from_name` says by how much.
    """
    size = _size_token(model_id)
    return None if size is None else size[0]


def _size_token(model_id: str) -> tuple[float, float] | None:
    """Parameters by name, and half a unit of the last printed digit."""
    name = _last_component(model_id)
    if _NOT_A_MODEL.intersection(re.split(r"[^a-z0-9]+", name)):
        return None
    if mixtures := re.findall(r"(?<![a-z0-9])\d+x\d+(?:\.\d+)?b(?![a-z0-9])", name):
        total = _MIXTURES.get(mixtures[0]) if len(mixtures) == 1 else None
        return None if total is None else (total, 0.0)
    if re.search(r"(?<![a-z0-9])\d+e(?![a-z0-9])", name):
        return None
    tokens = set(re.findall(r"(?<![a-z0-9.])(\d{1,5}(?:\.\d{1,3})?)([bm])(?![a-z0-9])", name))
    sizes = {digits for digits, unit in tokens if unit == "b"}
    unit = 1e9
    if not sizes:
        sizes, unit = {digits for digits, _ in tokens}, 1e6
    if len(sizes) != 1:
        return None
    digits = sizes.pop()
    value = float(digits) * unit
    return (value, unit / 2 / 10 ** len(digits.partition(".")[2])) if value else None


def _last_component(model_id: str) -> str:
    return model_id.strip().rstrip("/").lower().rpartition("/")[2]


def params_range_from_name(model_id: str) -> Range | None:
    """Parameters that a model of this name may have.

    Low: rounding up to the printed digit ("3B" may be 2.5e9), and 7 % where that is more ("8B" may be 7.5e9,
    Llama-2-70b has 69.0e9). High: 50 % (granite-vision-3.3-2b has 3.0e9).
    """
    size = _size_token(model_id)
    if size is None:
        return None
    value, half_unit = size
    return Range(min(value - half_unit, 0.93 * value), value, 1.5 * value)


# What a whole word of the name says about the bytes per parameter. `q4` is what is left of GGUF's Q4_K_M.
_NAME_WORDS = (
    (r"nvfp4\w*|fp4", Range(0.5, 0.5625, 0.9)),
    (r"mxfp4\w*", Range(0.5, 0.6, 0.9)),
    (r"awq\w*|int4\w*|w4a\w+|4bits?|nf4|bnb|bitsandbytes|autoround|marlin", Range(0.5, 0.56, 1.03)),
    (r"gptq\w*", Range(0.375, 0.56, 1.03)),
    (r"fp8\w*|int8\w*|w8a\w+|8bits?|eetq", Range(1.0, 1.05, 1.3)),
    (r"[56]bits?|int[56]", Range(0.625, 0.75, 0.9)),
    (r"3bits?|int3|w3a16|squeezellm|i?q3", Range(0.375, 0.45, 0.6)),
    (r"bitnet|[12]bits?|int2|w2a16|i?q[12]", Range(0.19, 0.35, 0.6)),
    (r"i?q4", Range(0.5, 0.6, 0.7)),
    (r"q[56]", Range(0.62, 0.75, 0.9)),
    (r"q8", Range(1.0, 1.06, 1.1)),
    (r"bf16|fp16|f16", Range(2.0, 2.0, 2.0)),
    (r"fp32|f32", Range(2.0, 2.0, 4.0)),  # engines load it in 16 bits by default
)
# Formats that come in every width, if no other word says which.
_ANY_WIDTH = frozenset({"aqlm", "exl2", "exl3", "ggml", "gguf", "hqq", "mlx", "qtip", "quip", "vptq"})


@cache
def _name_patterns() -> tuple[tuple[re.Pattern[str], Range], ...]:
    return tuple((re.compile(words), rate) for words, rate in _NAME_WORDS)


def bytes_per_parameter_from_name(model_id: str) -> Range | None:
    """Bytes per parameter according to the words of an id or path: AWQ, GPTQ-Int4, w4a16, bnb-4bit, FP8, Q4_K_M, ...

    None if no word says anything; of several the lowest counts. gpt-oss is published in MXFP4 without saying so.
    """
    words = re.split(r"[^a-z0-9]+", model_id.lower())
    rates = [rate for pattern, rate in _name_patterns() if any(pattern.fullmatch(word) for word in words)]
    if not rates and not _ANY_WIDTH.isdisjoint(words):
        return Range(0.19, 0.56, 2.0)
    if not rates and "gpt-oss" in model_id.lower():
        return Range(0.5, 0.66, 0.9)
    return Range(*map(min, zip(*rates, strict=True))) if rates else None


def weights_from_name_mib(
    model_id: str,
    *,
    dtype: str | None,
    quantization: str | None,
    tensor_parallel: int,
    pipeline_parallel: int,
) -> Range | None:
    """MiB of weights on each GPU, for a model of which only the name is known; None without a size in the name.

    Wide on purpose. Low: the fewest parameters that the size allows, at the narrowest width that the engine's
    quantization or the name allows, or 4 bits where neither says anything, divided evenly. High: 10 % of the whole for
    what parallelism does not divide.
    """
    full = _dtype_bytes(dtype)
    params = params_range_from_name(model_id)
    method = _method(quantization)
    named = bytes_per_parameter_from_name(model_id)
    if method in _BYTES_PER_PARAMETER:
        rate: Range | None = _BYTES_PER_PARAMETER[method]
        if rate in _EXPERTS_ONLY:
            rate = Range(rate.low, 0.66, 1.0)
    elif method is None:
        rate = named or _FLOOR
    elif method in _FORMATS:
        rate = named or Range(0.375 if method.startswith("gptq") else 0.5, 0.56, 1.03)
    else:
        rate = None
    if full is None or params is None or rate is None or tensor_parallel < 1 or pipeline_parallel < 1:
        return None
    if full == 4 and rate == _FLOOR:
        rate = Range(rate.low, 4.0, 4.0)
    gpus = tensor_parallel * pipeline_parallel
    whole = 0.1 if gpus > 1 else 0.0
    low = params.low * rate.low / gpus
    likely = params.likely * rate.likely / gpus
    high = params.high * max(rate.high, rate.likely) * (1 / gpus + whole)
    return Range(low / _MIB, likely / _MIB, high / _MIB)
