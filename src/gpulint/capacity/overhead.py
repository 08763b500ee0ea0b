"""What an engine's memory holds beside weights and KV cache: activations, CUDA graphs, libraries; and batch defaults.

Only vLLM's numbers are calibrated, on the start-up logs named at each; for the other engines there are formulas from
their sources, and ranges.
"""

from __future__ import annotations

from typing import NamedTuple

from .models import ModelShape
from .weights import Range

_MIB = 2**20
_GIB_IN_MIB = 1024

LOGS = "fitted to start-up logs (llm-d-planner pull request 205 and vLLM issues)"

Version = tuple[int, ...]

# vLLM runs its second engine ("V1") by default from 0.8.0 on GPUs of compute capability 8.0 and later, and drops the
# first in 0.11. Source: VLLM_USE_V1 in vllm/envs.py 0.6.4 to 0.11.0.
_V1: Version = (0, 8)
_V1_ONLY: Version = (0, 11)
# Bytes per logit and sequence in the sampler's dummy run, which dominates the activation peak. Fitted: 38.4 up to 0.16,
# 14.68 to 15.16 over 17 models in 0.17 to 0.19. From 0.20 on one log suggests 28: between the two.
_LOGIT_BYTES_OLD = 38.4
_LOGIT_BYTES_0_17 = 14.9
_LOGIT_BYTES_NEW = 28.0
_A100 = "a100"
_LARGE_GPU_MIB = 70 * _GIB_IN_MIB
_HUGE_GPU_MIB = 160 * _GIB_IN_MIB


class Batch(NamedTuple):
    """Sequences and tokens of one step."""

    sequences: int
    tokens: int


def is_first_engine(version: Version | None, capability: tuple[int, int] | None) -> bool:
    """Whether vLLM runs the engine of before 0.8 (V0)."""
    if version is None or version >= _V1_ONLY:
        return False
    return version < _V1 or (capability is not None and capability < (8, 0))


def vllm_batch(
    version: Version | None,
    *,
    sequences: int | None,
    tokens: int | None,
    max_model_len: int | None,
    gpu_memory_mib: float,
    gpu_name: str,
    capability: tuple[int, int] | None = None,
) -> Batch:
    """`max_num_seqs` and `max_num_batched_tokens` of vLLM's API server, with its defaults for the GPU.

    Sources: vllm/engine/arg_utils.py get_batch_defaults (from 70 GiB on 1024 and 8192, A100 excluded since 0.9.0; from
    160 GiB on 16384 tokens in 0.33; else 256 and 2048). V0 took 256, and the whole context as one batch unless it was
    over 32768 tokens, where it computed in chunks of 512 (2048 from 0.6.4 on).
    """
    if is_first_engine(version, capability):
        default_sequences, default_tokens = 256, max(2048, max_model_len or 0)
        if max_model_len is not None and max_model_len > 32768:
            default_tokens = 2048 if version is None or version >= (0, 6, 4) else 512
    else:
        excluded = _A100 in gpu_name.lower() and (version is None or version >= (0, 9))
        large = gpu_memory_mib >= _LARGE_GPU_MIB and not excluded
        default_sequences, default_tokens = (1024, 8192) if large else (256, 2048)
        if gpu_memory_mib >= _HUGE_GPU_MIB and version is not None and version >= (0, 33):
            default_tokens = 16384
    batch = Batch(sequences or default_sequences, tokens or default_tokens)
    return batch._replace(sequences=min(batch.sequences, batch.tokens))


def vllm_activation(
    shape: ModelShape | None, batch: Batch, *, version: Version | None, tensor_parallel: int
) -> tuple[Range, str]:
    """MiB of the activation peak that vLLM measures before it sizes the KV cache, and the formula.

    `max(S × V × c + T × H × 2, T × (2H + 3I / tp) × 2 × 1.1)`, and for experts
    `T × k × (max(2 × Im, H) + Im) × 2 × 1.25`: S sequences and T tokens of a step, V vocabulary, H hidden size, I
    intermediate size, Im that of an expert divided by tp, k experts per token. It does not shrink with tp.
    """
    c = Range(_LOGIT_BYTES_0_17, _LOGIT_BYTES_NEW, _LOGIT_BYTES_OLD)
    if version is not None and version < (0, 17):
        c = Range(_LOGIT_BYTES_OLD, _LOGIT_BYTES_OLD, _LOGIT_BYTES_OLD)
    elif version is not None and version < (0, 20):
        c = Range(_LOGIT_BYTES_0_17, _LOGIT_BYTES_0_17, _LOGIT_BYTES_0_17)
    if shape is None:  # vocabularies from Llama 2's to Gemma's
        wide = Range(0.3 * 32000 * c.low, 128256 * c.likely, 262208 * c.high)
        return _scaled(wide, batch.sequences / _MIB), f"{batch.sequences} sequences × an unknown vocabulary"
    s, t = batch
    h = shape.hidden_size
    dense = t * (2 * h + 3 * (shape.intermediate_size or 0) / tensor_parallel) * 2 * 1.1
    experts = 0.0
    if shape.experts and shape.experts_per_token:
        width = (shape.expert_intermediate_size or shape.intermediate_size or 0) / tensor_parallel
        experts = t * shape.experts_per_token * (max(2 * width, h) + width) * 2 * 1.25

    def peak(logit_bytes: float) -> float:
        return (max(s * shape.vocab_size * logit_bytes + t * h * 2, dense) + experts) / _MIB

    vision = 2 * _GIB_IN_MIB if shape.params_vision else 0  # the encoder's own peak may be larger still
    low, likely, high = (peak(each) for each in c)
    found = Range(low * 0.85, likely + (200 if vision else 0), high * 1.15 + 100 + vision)
    return found, (
        f"max({s} sequences × {shape.vocab_size} logits × {c.likely:g} bytes + {t} tokens × {h} × 2, "
        f"{t} × (2 × {h} + 3 × {shape.intermediate_size or 0} / {tensor_parallel}) × 2.2)"
        + (f" + the experts' workspace of {experts / _MIB:.0f} MiB" if experts else "")
    )


def vllm_non_torch(
    version: Version | None, *, tensor_parallel: int, pipeline_parallel: int, nvswitch: bool | None
) -> Range:
    """MiB outside of PyTorch's allocator: CUDA context, NCCL, workspaces of attention and all-reduce.

    Logged on H100: 0.13 GiB before 0.18 and 0.25 since on one GPU; 0.55 in 0.11 and 2.06 to 2.21 in 0.19 with tensor
    parallelism, where NVSwitch brings buffers of its own; 0.07 with pipeline parallelism alone; 0.01 to 0.35 on
    consumer boards. vLLM 0.6 on H100 logged 1.8 and 3.6.
    """
    new = version is None or version >= (0, 18)
    first = version is not None and version < _V1
    if tensor_parallel == 1:
        if pipeline_parallel > 1:
            gib = Range(0.03, 0.07, 0.5)
        else:
            gib = Range(0.0, 0.3, 1.8) if first else Range(0.03, 0.25, 0.5) if new else Range(0.01, 0.13, 0.4)
    elif first:
        gib = Range(0.15, 0.3, 3.6)
    elif not new:
        gib = Range(0.15, 0.55, 1.5)
    else:
        gib = Range(0.5, 2.1, 2.4) if nvswitch else Range(0.2, 0.6 if nvswitch is False else 1.5, 2.4)
    return _scaled(gib, _GIB_IN_MIB)


def cuda_graphs(layers: int, sequences: int) -> Range:
    """MiB of CUDA graphs: 0.35 GiB and 0.017 per layer, within 30 % of vLLM 0.19's own estimates on H100.

    That was with 1024 sequences. One log with 256 has 0.53 GiB for 28 layers, 0.64 of it.
    """
    share = min(1.0, max(0.25, sequences / 400))
    likely = (0.35 + 0.017 * layers) * share
    return _scaled(Range(0.3 * likely, likely, 2 * likely), _GIB_IN_MIB)


def _scaled(found: Range, factor: float) -> Range:
    return Range(found.low * factor, found.likely * factor, found.high * factor)


# --- the other engines ---------------------------------------------------------------------------------------------

# MiB that the CUDA context and NCCL take before an engine looks at the free memory; not calibrated.
CONTEXT_ONE_GPU = Range(200, 500, 1000)
CONTEXT_SEVERAL_GPUS = Range(400, 1200, 2600)


def context(gpus: int) -> Range:
    return CONTEXT_ONE_GPU if gpus == 1 else CONTEXT_SEVERAL_GPUS


def prefill_peak(shape: ModelShape | None, tokens: int, *, tensor_parallel: int) -> Range:
    """MiB of a prefill of so many tokens with a logit for each: TGI's warm-up; a single log of TGI 2.2 agrees."""
    if shape is None:
        return Range(200, 2000, 6000)
    h = shape.hidden_size
    dense = tokens * (2 * h + 3 * (shape.intermediate_size or 0) / tensor_parallel) * 2 * 1.1
    logits = tokens * shape.vocab_size * 4
    return Range(dense * 0.5 / _MIB, (dense + logits) / _MIB, (dense + 2 * logits) * 1.2 / _MIB)


def sglang_static_fraction(
    version: Version | None,
    *,
    gpu_memory_mib: float,
    tensor_parallel: int,
    pipeline_parallel: int = 1,
    chunked_prefill: int | None = None,
) -> tuple[Range, str]:
    """SGLang's default of `--mem-fraction-static`, as low, likely and high, and the formula.

    Sources: sglang/srt/server_args.py 0.4.0 to 0.4.6 (a table by tensor parallel size; (total - 13 GiB) / total above
    80 GB in 0.4.6) and 0.5 (arg_groups/memory_hook.py: MiB reserved 512 + 1.5 × chunk + 2 × largest graph batch +
    tp × pp / 8 × 1024, at least 10 GiB above 60 GiB).
    """
    gib = gpu_memory_mib / _GIB_IN_MIB
    if version is not None and version < (0, 4, 7):
        if gib > 81:
            found = (gib - 13) / gib
            return Range(found, found, found), "(total - 13 GiB) / total"
        table = {1: 0.88, 2: 0.87, 4: 0.85, 8: 0.81, 16: 0.79}
        found = table.get(tensor_parallel, 0.85)
        return Range(found, found, found), f"the table's value for tp {tensor_parallel}"
    chunk, graphs = 16384, 512
    for limit, size, one, several in ((20, 2048, 8, 8), (35, 4096, 48, 160), (60, 4096, 32, 160), (90, 8192, 256, 512)):
        if gib < limit:
            chunk, graphs = size, several if tensor_parallel >= 4 else one
            break
    chunk = chunked_prefill or chunk
    reserved = 512 + max(chunk, 2048) * 1.5 + graphs * 2 + tensor_parallel * pipeline_parallel / 8 * 1024
    if gib > 60:
        reserved = max(reserved, 10 * _GIB_IN_MIB)
    found = round((gpu_memory_mib - reserved) / gpu_memory_mib, 3)
    formula = f"(total - {reserved / _GIB_IN_MIB:.1f} GiB) / total, for chunks of {chunk} and graphs of {graphs}"
    return Range(found - 0.04, found, found + 0.02), formula
