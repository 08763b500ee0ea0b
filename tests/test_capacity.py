from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpulint.capacity.kv_cache import kv_bytes_per_token, kv_mib_for
from gpulint.capacity.models import ModelShape, all_models, model
from gpulint.capacity.weights import (
    Range,
    bytes_per_parameter_from_name,
    params_from_name,
    params_range_from_name,
    weights_from_name_mib,
    weights_mib,
)

GIB = 2**30
MIB_PER_GIB = 1024


def shape_of(model_id: str) -> ModelShape:
    found = model(model_id)
    assert found is not None, model_id
    return found


def weights(
    model_id: str, *, dtype: str | None = None, quantization: str | None = None, tp: int = 1, pp: int = 1
) -> Range:
    found = weights_mib(
        shape_of(model_id), dtype=dtype, quantization=quantization, tensor_parallel=tp, pipeline_parallel=pp
    )
    assert found is not None, model_id
    return found


def kv(model_id: str, *, dtype: str | None = None, tp: int = 1, pp: int = 1) -> int | None:
    return kv_bytes_per_token(shape_of(model_id), kv_cache_dtype=dtype, tensor_parallel=tp, pipeline_parallel=pp)


# --- the table -----------------------------------------------------------------------------------------------------


def params_from_dims(shape: ModelShape) -> int:
    """The language model's parameters without norms and biases, counted independently of the code under test."""
    h = shape.hidden_size
    if shape.kv_lora_rank is not None:
        rope, nope, value = shape.qk_rope_head_dim or 0, shape.qk_nope_head_dim or 0, shape.v_head_dim or 0
        query = shape.heads * (nope + rope)
        q = h * shape.q_lora_rank + shape.q_lora_rank * query if shape.q_lora_rank else h * query
        kv_down, kv_up = h * (shape.kv_lora_rank + rope), shape.kv_lora_rank * shape.heads * (nope + value)
        attention = q + kv_down + kv_up + shape.heads * value * h
    else:
        attention = h * (shape.head_dim or 0) * 2 * (shape.heads + shape.kv_heads)
    sparse_layers = shape.layers - shape.dense_layers if shape.experts else 0
    mlp = (shape.layers - sparse_layers) * 3 * h * (shape.intermediate_size or 0)
    if shape.experts:
        expert = 3 * h * (shape.expert_intermediate_size or 0)
        shared = 3 * h * shape.shared_expert_intermediate_size
        mlp += sparse_layers * (shape.experts * expert + shared + h * shape.experts)
    vocabulary = shape.vocab_size * h * (1 if shape.tie_word_embeddings else 2)
    return shape.layers * attention + mlp + vocabulary


@pytest.mark.parametrize("shape", [s for s in all_models() if s.params_total], ids=lambda s: s.id)
def test_parameter_total_agrees_with_the_dimensions(shape: ModelShape) -> None:
    assert shape.params_total is not None
    assert shape.tie_word_embeddings is not None
    assert params_from_dims(shape) + shape.params_vision == pytest.approx(shape.params_total, rel=0.01)


def test_table_names_each_model_once_and_each_source() -> None:
    names = [name.lower() for shape in all_models() for name in (shape.id, *shape.aliases)]
    assert len(names) == len(set(names))
    assert all(shape.source and "own knowledge" not in shape.source for shape in all_models())
    assert all(shape.attention != "full" or shape.head_dim for shape in all_models())
    assert all(shape.confidence in {"high", "medium-high", "medium"} for shape in all_models())


def test_quantised_variants_share_the_shape_of_their_base() -> None:
    variants = [shape for shape in all_models() if shape.base_model]
    assert len(variants) > 20
    for shape in variants:
        base = shape_of(shape.base_model or "")
        assert (shape.layers, shape.hidden_size, shape.params_total) == (
            base.layers,
            base.hidden_size,
            base.params_total,
        )
        assert shape.quantization is not None


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("meta-llama/Llama-3.1-8B-Instruct", "meta-llama/Llama-3.1-8B-Instruct"),
        ("META-LLAMA/llama-3.1-8b-INSTRUCT", "meta-llama/Llama-3.1-8B-Instruct"),
        ("meta-llama/Meta-Llama-3.1-8B-Instruct", "meta-llama/Llama-3.1-8B-Instruct"),
        ("/models/Llama-3.1-8B-Instruct", "meta-llama/Llama-3.1-8B-Instruct"),
        ("/models/Llama-3.1-8B-Instruct/", "meta-llama/Llama-3.1-8B-Instruct"),
        ("s3://bucket/weights/gpt-oss-20b", "openai/gpt-oss-20b"),
        ("./Qwen3-8B", "Qwen/Qwen3-8B"),
        ("Qwen3-8B", "Qwen/Qwen3-8B"),
        ("someone/Llama-3.1-8B-Instruct", None),
        ("meta-llama/Llama-3.1-8B-Instruct-lora", None),
        ("/models/model", None),
        ("/", None),
        ("", None),
    ],
)
def test_model_resolves_ids_aliases_and_paths(written: str, expected: str | None) -> None:
    found = model(written)
    assert (found and found.id) == expected


def test_context_is_that_of_the_published_config_and_absent_without_one() -> None:
    assert shape_of("meta-llama/Llama-3.1-8B-Instruct").max_position_embeddings == 131072
    # The base model's config says 131072, the instruct model's 32768 (the rest needs YaRN to be switched on).
    assert shape_of("Qwen/Qwen2.5-7B").max_position_embeddings == 131072
    assert shape_of("Qwen/Qwen2.5-7B-Instruct").max_position_embeddings == 32768
    assert shape_of("Qwen/Qwen2.5-7B-Instruct-AWQ").max_position_embeddings == 32768
    assert shape_of("Qwen/QwQ-32B").max_position_embeddings is None


# --- weights by hand -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model_id", "tp", "pp", "gib"),
    [
        # 8,030,261,248 parameters x 2 bytes
        ("meta-llama/Llama-3.1-8B-Instruct", 1, 1, 14.958),
        # stage 1 of 4: (8,030,261,248 - 2 x 128256 x 4096) / 4 + 128256 x 4096 = 2,270,245,888 parameters
        ("meta-llama/Llama-3.1-8B-Instruct", 1, 4, 4.229),
        # 70,553,706,496 x 2 bytes; halved, plus half of 80 x 2 x 8192 norms
        ("meta-llama/Llama-3.3-70B-Instruct", 1, 1, 131.417),
        ("meta-llama/Llama-3.3-70B-Instruct", 2, 1, 65.710),
        ("Qwen/Qwen2.5-7B-Instruct", 1, 1, 14.185),
        # 1,089,994,752 in embedding and head at 2 bytes, 6,525,621,760 at 0.525
        ("Qwen/Qwen2.5-7B-Instruct-AWQ", 1, 1, 5.221),
        # 926,679,040 x 2 each in embedding and head; 669,173,061,120 at 1 byte
        ("deepseek-ai/DeepSeek-R1", 1, 1, 626.669),
        # 8 KV heads on 16 GPUs: each keeps one, 4096 x 128 x 2 x 32 / 2 parameters above its share of 1/16;
        # 32 x 2 x 4096 norms whole
        ("meta-llama/Llama-3.1-8B-Instruct", 16, 1, 0.9666),
    ],
)
def test_likely_weights_by_hand(model_id: str, tp: int, pp: int, gib: float) -> None:
    assert weights(model_id, tp=tp, pp=pp).likely / MIB_PER_GIB == pytest.approx(gib, abs=0.001)


def test_low_is_one_percent_under_an_even_share() -> None:
    assert weights("meta-llama/Llama-3.1-8B-Instruct", tp=2).low == pytest.approx(8_030_261_248 * 0.99 / 2**20)


def test_the_engine_setting_wins_over_the_checkpoint() -> None:
    plain = weights("meta-llama/Llama-3.1-8B-Instruct")
    assert weights("meta-llama/Llama-3.1-8B-Instruct", quantization="none") == plain
    assert weights("meta-llama/Llama-3.1-8B-Instruct", dtype="auto") == plain
    assert weights("meta-llama/Llama-3.1-8B-Instruct", dtype="float32").likely == pytest.approx(2 * plain.likely)
    online = weights("meta-llama/Llama-3.1-8B-Instruct", quantization="fp8")
    assert online == weights("neuralmagic/Meta-Llama-3.1-8B-Instruct-FP8")
    awq = weights("Qwen/Qwen2.5-7B-Instruct-AWQ")
    assert weights("Qwen/Qwen2.5-7B-Instruct-AWQ", quantization="awq_marlin") == awq


@pytest.mark.parametrize(
    ("model_id", "dtype", "quantization", "tp", "pp"),
    [
        ("meta-llama/Llama-3.1-8B-Instruct", None, "gptq", 1, 1),  # the checkpoint has no bits to tell
        ("meta-llama/Llama-3.1-8B-Instruct", None, "something_new", 1, 1),
        ("meta-llama/Llama-3.1-8B-Instruct", "int3", None, 1, 1),
        ("meta-llama/Llama-3.1-8B-Instruct", None, None, 0, 1),
        ("meta-llama/Llama-3.1-8B-Instruct", None, None, 1, 33),  # more stages than layers
        ("Qwen/Qwen2.5-7B-Instruct-AWQ", None, "fp8", 1, 1),  # more bits than the checkpoint has
        ("moonshotai/Kimi-K2.5", None, None, 1, 1),  # compressed-tensors of unstated width
        ("nvidia/Qwen3.6-27B-NVFP4", None, None, 1, 1),  # mixed precision
        ("deepseek-ai/DeepSeek-V4-Flash", None, None, 1, 1),  # no parameter total
    ],
)
def test_unknown_weights_are_none(model_id: str, dtype: str | None, quantization: str | None, tp: int, pp: int) -> None:
    shape = shape_of(model_id)
    assert weights_mib(shape, dtype=dtype, quantization=quantization, tensor_parallel=tp, pipeline_parallel=pp) is None


# --- against engines' logs -----------------------------------------------------------------------------------------

PLANNER = "llm-d-incubation/llm-d-planner pull request 205, vLLM 0.19.0, H100 80 GB"
VLLM_ISSUE = "vllm-project/vllm issue "


@pytest.mark.parametrize(
    ("source", "model_id", "dtype", "quantization", "tp", "pp", "logged_gib"),
    [
        (PLANNER, "meta-llama/Llama-3.1-8B-Instruct", "bfloat16", None, 1, 1, 14.99),
        (PLANNER, "meta-llama/Llama-3.1-8B-Instruct", "float32", None, 1, 1, 29.98),
        (PLANNER, "meta-llama/Llama-3.1-8B-Instruct", "bfloat16", "fp8", 1, 1, 8.49),
        (PLANNER, "meta-llama/Llama-3.1-8B-Instruct", "bfloat16", None, 4, 1, 3.77),
        (PLANNER, "meta-llama/Llama-3.1-8B-Instruct", "bfloat16", None, 1, 4, 4.26),
        (PLANNER, "RedHatAI/Meta-Llama-3.1-8B-Instruct-quantized.w4a16", "float16", "gptq_marlin", 1, 1, 5.38),
        (PLANNER, "RedHatAI/Qwen2.5-7B-Instruct-quantized.w8a8", "bfloat16", "compressed-tensors", 1, 1, 8.14),
        (PLANNER, "RedHatAI/Llama-3.3-70B-Instruct-fp8-dynamic", "bfloat16", "compressed-tensors", 2, 1, 33.88),
        (PLANNER, "Qwen/Qwen2.5-72B-Instruct", "bfloat16", None, 4, 1, 33.98),
        (PLANNER, "Qwen/Qwen3-30B-A3B", "bfloat16", None, 4, 1, 14.25),
        (PLANNER, "mistralai/Mixtral-8x7B-Instruct-v0.1", "bfloat16", None, 2, 1, 43.51),
        (PLANNER, "openai/gpt-oss-20b", "bfloat16", "mxfp4", 2, 1, 7.01),
        (PLANNER, "google/gemma-2-2b-it", "bfloat16", None, 1, 1, 4.9),
        (VLLM_ISSUE + "10517, 0.6.4, RTX 3090", "meta-llama/Llama-3.1-8B-Instruct", None, None, 1, 1, 14.9888),
        (VLLM_ISSUE + "6746, 0.5.3", "meta-llama/Meta-Llama-3.1-405B-Instruct-FP8", None, None, 8, 1, 57.752),
        (VLLM_ISSUE + "14447 (pull request), 0.8.3", "cognitivecomputations/DeepSeek-R1-AWQ", None, None, 16, 1, 21.21),
    ],
)
def test_weights_match_what_engines_logged(
    source: str, model_id: str, dtype: str | None, quantization: str | None, tp: int, pp: int, logged_gib: float
) -> None:
    found = weights(model_id, dtype=dtype, quantization=quantization, tp=tp, pp=pp)
    assert found.likely / MIB_PER_GIB == pytest.approx(logged_gib, rel=0.015), source
    assert found.low <= logged_gib * MIB_PER_GIB <= found.high, source


@pytest.mark.parametrize(
    ("source", "model_id", "kv_cache_dtype", "tp", "available_gib", "logged_tokens"),
    [
        (PLANNER, "meta-llama/Llama-3.1-8B-Instruct", "auto", 1, 58.11, 476016),
        (PLANNER, "meta-llama/Llama-3.1-8B-Instruct", "fp8", 1, 58.11, 952032),
        (PLANNER, "meta-llama/Llama-3.1-8B-Instruct", "float32", 1, 42.8, 175296),
        (PLANNER, "Qwen/Qwen2.5-7B-Instruct", "auto", 4, 67.34, 5043280),
        (PLANNER, "RedHatAI/Llama-3.3-70B-Instruct-fp8-dynamic", "auto", 4, 54.09, 708992),
        (PLANNER, "mistralai/Mixtral-8x7B-Instruct-v0.1", "auto", 4, 50.43, 1652432),
        (PLANNER, "moonshotai/Kimi-VL-A3B-Instruct", "auto", 1, 41.32, 1426368),
        (PLANNER, "moonshotai/Kimi-VL-A3B-Instruct", "auto", 2, 54.78, 1890896),  # MLA: not divided
        (VLLM_ISSUE + "10517, 0.6.4, RTX 3090", "meta-llama/Llama-3.1-8B-Instruct", "auto", 1, 3.81, 31232),
    ],
)
def test_tokens_per_gib_match_what_engines_logged(
    source: str, model_id: str, kv_cache_dtype: str, tp: int, available_gib: float, logged_tokens: int
) -> None:
    per_token = kv(model_id, dtype=kv_cache_dtype, tp=tp)
    assert per_token is not None
    assert available_gib * GIB / per_token == pytest.approx(logged_tokens, rel=0.002), source


# --- KV cache by hand ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model_id", "dtype", "tp", "pp", "expected"),
    [
        ("meta-llama/Llama-3.1-8B-Instruct", None, 1, 1, 128 * 1024),  # 32 layers x 2 x 8 heads x 128 x 2 bytes
        ("meta-llama/Llama-3.1-8B-Instruct", "fp8_e4m3", 1, 1, 64 * 1024),
        ("meta-llama/Llama-3.1-8B-Instruct", None, 16, 1, 16 * 1024),  # one head at least
        ("meta-llama/Llama-3.1-8B-Instruct", None, 1, 3, 11 * 4096),  # the longest of three stages has 11 layers
        ("meta-llama/Llama-3.3-70B-Instruct", None, 4, 1, 80 * 1024),
        ("Qwen/Qwen2.5-7B-Instruct", None, 1, 1, 56 * 1024),
        ("deepseek-ai/DeepSeek-R1", None, 1, 1, 61 * (512 + 64) * 2),
        ("deepseek-ai/DeepSeek-R1", None, 8, 1, 61 * (512 + 64) * 2),
        ("meta-llama/Llama-3.1-8B-Instruct", "int3", 1, 1, None),
        ("meta-llama/Llama-3.1-8B-Instruct", None, 0, 1, None),
        ("google/gemma-3-27b-it", None, 1, 1, None),  # sliding window
        ("meta-llama/Llama-4-Scout-17B-16E-Instruct", None, 1, 1, None),  # chunked
        ("Qwen/Qwen3.5-27B", None, 1, 1, None),  # linear attention
        ("nvidia/NVIDIA-Nemotron-3-Nano-30B-A3B-BF16", None, 1, 1, None),  # Mamba
        ("deepseek-ai/DeepSeek-V3.2", None, 1, 1, None),  # an index beside the latents
        ("deepseek-ai/DeepSeek-V4-Flash", None, 1, 1, None),  # compressed
    ],
)
def test_kv_bytes_per_token_by_hand(model_id: str, dtype: str | None, tp: int, pp: int, expected: int | None) -> None:
    assert kv(model_id, dtype=dtype, tp=tp, pp=pp) == expected


def test_kv_for_a_full_context() -> None:
    shape = shape_of("meta-llama/Llama-3.1-8B-Instruct")
    found = kv_mib_for(131072, shape, kv_cache_dtype=None, tensor_parallel=1, pipeline_parallel=1)
    assert found == 16 * MIB_PER_GIB
    gemma = shape_of("google/gemma-3-27b-it")
    assert kv_mib_for(131072, gemma, kv_cache_dtype=None, tensor_parallel=1, pipeline_parallel=1) is None


# --- names ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("acme/Frobnicator-8B", 8e9),
        ("acme/frob_70b_v2", 70e9),
        ("/models/frob-1.5B-chat", 1.5e9),
        ("acme/frob-500M", 5e8),
        ("acme/Frob-30B-A3B-Instruct", 30e9),
        ("acme/frob-3b-a800m", 3e9),
        ("acme/My-Mixtral-8x7B-DPO", 46.7e9),
        ("acme/Frob-7B-Instruct-1M", 7e9),  # the context, not a size
        ("unsloth/frob-8B-bnb-4bit", 8e9),
        ("acme/frob-4x7B", None),  # a total that only its config tells
        ("acme/Frob-17B-16E", None),
        ("acme/Frob-A3B", None),
        ("acme/Frob3-8B-1.58-100B-tokens", None),
        ("acme/EAGLE3-Frob-70B", None),
        ("acme/frob-8b-lora", None),
        ("acme-8b/frob", None),
        ("acme/frob", None),
        ("acme/frob-0B", None),
        ("", None),
    ],
)
def test_params_from_name(name: str, params: float | None) -> None:
    assert params_from_name(name) == params


@pytest.mark.parametrize("shape", [s for s in all_models() if s.params_total], ids=lambda s: s.id)
def test_sizes_in_the_names_of_known_models_bracket_the_truth(shape: ModelShape) -> None:
    named = params_range_from_name(shape.id)
    assert shape.params_total is not None
    if named is not None:
        assert named.low <= shape.params_total <= named.high
        by_name = weights_from_name_mib(shape.id, dtype=None, quantization=None, tensor_parallel=2, pipeline_parallel=1)
        by_shape = weights_mib(shape, dtype=None, quantization=None, tensor_parallel=2, pipeline_parallel=1)
        assert by_name is not None
        if by_shape is not None:
            assert by_name.low <= by_shape.low


@pytest.mark.parametrize(
    ("name", "low"),
    [
        ("acme/frob-8B-AWQ", 0.5),
        ("acme/frob-8B-Instruct-GPTQ-Int4", 0.375),
        ("acme/frob-8B-quantized.w4a16", 0.5),
        ("acme/frob-8B-quantized.w8a8", 1.0),
        ("acme/frob-8B-bnb-4bit", 0.5),
        ("acme/frob-8B-FP8-dynamic", 1.0),
        ("acme/frob-8B-NVFP4", 0.5),
        ("acme/frob-8B-MXFP4", 0.5),
        ("acme/frob-8B-Q4_K_M.gguf", 0.5),
        ("acme/frob-8B-GGUF", 0.19),
        ("acme/frob-8B-AQLM-2Bit-1x16", 0.19),
        ("acme/frob-8B-BF16", 2.0),
        ("acme/gpt-oss-20b-finetune", 0.5),
        ("acme/gpt-oss-20b-bf16", 2.0),
        ("acme/frob-8B-Instruct", None),
        ("", None),
    ],
)
def test_bytes_per_parameter_from_name(name: str, low: float | None) -> None:
    found = bytes_per_parameter_from_name(name)
    assert (found and found.low) == low


def test_weights_from_name_by_hand() -> None:
    def of(name: str, quantization: str | None = None, tp: int = 1, dtype: str | None = None) -> Range | None:
        return weights_from_name_mib(
            name, dtype=dtype, quantization=quantization, tensor_parallel=tp, pipeline_parallel=1
        )

    unmarked = of("acme/Frob-8B")
    assert unmarked is not None
    # 7 % fewer parameters than the name says, in 4 bits: nothing says that they are not
    assert unmarked.low == pytest.approx(0.93 * 8e9 * 0.5 / 2**20)
    assert unmarked.likely == pytest.approx(16e9 / 2**20)
    eight_bits = of("acme/Frob-70B", "fp8", tp=2)
    assert eight_bits is not None
    assert eight_bits.low == pytest.approx(0.93 * 70e9 / 2 / 2**20)
    three = of("acme/Frob-3B-BF16")
    assert three is not None
    assert three.low == pytest.approx(2.5e9 * 2 / 2**20)
    assert of("acme/Frob") is None
    assert of("acme/Frob-8B", "something_new") is None
    assert of("acme/Frob-8B", tp=0) is None
    assert of("acme/Frob-8B", dtype="int3") is None


# --- properties ----------------------------------------------------------------------------------------------------

SIZES = st.sampled_from([1, 2, 3, 4, 5, 8, 16, 64])
METHODS = st.sampled_from([None, "awq", "fp8", "bitsandbytes", "mxfp4", "nvfp4", "compressed-tensors", "fbgemm_fp8"])
DTYPES = st.sampled_from([None, "bfloat16", "float32"])
NAME_PARTS = st.lists(
    st.sampled_from(["8B", "70b", "1.5B", "500M", "8x7B", "A3B", "AWQ", "Int4", "FP8", "GGUF", "Q2", "gpt-oss", "x"]),
    max_size=5,
).map("-".join)


def ordered(found: Range | None) -> bool:
    return found is None or 0 <= found.low <= found.likely <= found.high


@given(st.sampled_from(all_models()), DTYPES, METHODS, SIZES, SIZES)
def test_weights_are_ordered_and_shrink_with_parallelism(
    shape: ModelShape, dtype: str | None, method: str | None, tp: int, pp: int
) -> None:
    def of(tp: int, pp: int) -> Range | None:
        return weights_mib(shape, dtype=dtype, quantization=method, tensor_parallel=tp, pipeline_parallel=pp)

    found, wider = of(tp, pp), of(2 * tp, pp)
    assert ordered(found)
    assert (found is None) == (wider is None)
    if found is not None and wider is not None:
        assert wider.low < found.low
        assert wider.likely < found.likely
        assert wider.high <= found.high
        deeper = of(tp, 2 * pp)
        assert deeper is None or (deeper.low < found.low and deeper.likely <= found.likely)


@given(st.sampled_from(all_models()), st.sampled_from([None, "fp8", "float32", "q8_0"]), SIZES, SIZES)
def test_kv_shrinks_with_parallelism(shape: ModelShape, dtype: str | None, tp: int, pp: int) -> None:
    def of(tp: int, pp: int) -> int | None:
        return kv_bytes_per_token(shape, kv_cache_dtype=dtype, tensor_parallel=tp, pipeline_parallel=pp)

    found, wider = of(tp, pp), of(2 * tp, pp)
    if found is not None:
        assert wider is not None
        assert 0 < wider <= found


@given(st.text() | NAME_PARTS, st.text() | METHODS, st.text() | DTYPES, st.integers(-2, 70), st.integers(-2, 70))
def test_odd_strings_never_raise(name: str, method: str | None, dtype: str | None, tp: int, pp: int) -> None:
    assert ordered(
        weights_from_name_mib(name, dtype=dtype, quantization=method, tensor_parallel=tp, pipeline_parallel=pp)
    )
    assert ordered(params_range_from_name(name))
    assert ordered(bytes_per_parameter_from_name(name))
    shape = model(name) or shape_of("Qwen/Qwen2.5-7B-Instruct-AWQ")
    assert ordered(weights_mib(shape, dtype=dtype, quantization=method, tensor_parallel=tp, pipeline_parallel=pp))
    kv_bytes = kv_bytes_per_token(shape, kv_cache_dtype=dtype, tensor_parallel=tp, pipeline_parallel=pp)
    assert kv_bytes is None or kv_bytes > 0
