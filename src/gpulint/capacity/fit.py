"""What one GPU's memory will hold under an engine: weights, KV cache, tokens, requests; and whether it fits.

The arithmetic of `gpulint fit` and of the rules on memory. Every term is a range: low and high bound what has been
seen, likely is the estimate. "Does not fit" means that not even the optimistic ends do; "fits" that the pessimistic do.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

from . import overhead
from .kv_cache import KvLayout, kv_layout
from .models import ModelShape
from .overhead import Batch, Version
from .weights import Range

_MIB = 2**20
_GIB_IN_MIB = 1024

Verdict = Literal["fits", "does not fit", "uncertain", "unknown"]

ENGINES_WITH_ARITHMETIC = ("vllm", "sglang", "tgi", "lorax", "trtllm", "lmdeploy", "llamacpp")

# From here on vLLM takes an estimate of its CUDA graphs off the KV cache, and 0.92 of the memory in place of 0.9.
# Source: VLLM_MEMORY_PROFILER_ESTIMATE_CUDAGRAPHS in vllm/envs.py; gpu_memory_utilization in vllm/config/cache.py.
_GRAPHS_COUNT: Version = (0, 20)
# Layers of several kinds in groups (vllm pull request 17996), chunked attention among them from 0.14 on
# (VLLM_ALLOW_CHUNKED_LOCAL_ATTN_WITH_HYBRID_KV_CACHE), and tokens counted by requests.
_GROUPED: Version = (0, 9, 1)
_GROUPED_CHUNKS: Version = (0, 14)
_TOKENS_FROM_REQUESTS: Version = (0, 21)
# Formats of weights of which no start-up log was at hand.
_UNCONFIRMED_FORMATS = ("modelopt", "modelopt_fp4", "nvfp4")
_TGI_WIGGLE_ROOM = 0.9  # text_generation_server/models/globals.py
_TGI_PREFILL_TOKENS = 4096
_DEFAULT_FREE_SHARE = {"trtllm": 0.9, "lmdeploy": 0.8}
_LLAMA_CPP_CONTEXT = 4096
_LLAMA_CPP_BATCH = 512


class CapacityError(ValueError):
    """A configuration that no arithmetic can be done on: the message says which number is nonsense."""


@dataclass(slots=True, eq=False)
class Serving:
    """One copy of a model under an engine, in numbers. None is unknown, or the engine's default.

    `weights` and `gpu_memory` are MiB of one GPU, the latter as CUDA reports it (less than NVML does). `free_fraction`
    is a share of what the weights leave (TensorRT-LLM, LMDeploy), `memory_fraction` one of the whole. `nvswitch` says
    whether the GPUs are all joined. `max_model_len` is tokens of one request.
    """

    engine: str
    weights: Range | None
    gpu_memory: Range | None
    shape: ModelShape | None = None
    version: Version | None = None
    dtype: str | None = None
    kv_cache_dtype: str | None = None
    tensor_parallel: int = 1
    pipeline_parallel: int = 1
    memory_fraction: float | None = None
    free_fraction: float | None = None
    kv_cache_mib: float | None = None
    max_model_len: int | None = None
    max_num_seqs: int | None = None
    max_batched_tokens: int | None = None
    cuda_graphs: bool = True
    gpu_name: str = ""
    capability: tuple[int, int] | None = None
    nvswitch: bool | None = None

    def validate(self) -> None:
        """Raises CapacityError for numbers that mean nothing."""
        for name in ("tensor_parallel", "pipeline_parallel", "max_model_len", "max_num_seqs", "max_batched_tokens"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise CapacityError(f"{name} is {value}; it must be at least 1")
        for name in ("memory_fraction", "free_fraction"):
            value = getattr(self, name)
            if value is not None and not 0 < value <= 1:
                raise CapacityError(f"{name} is {value:g}; it must be above 0 and at most 1")
        if self.kv_cache_mib is not None and self.kv_cache_mib <= 0:
            raise CapacityError(f"the KV cache is set to {self.kv_cache_mib:g} MiB")
        if self.gpu_memory is not None and self.gpu_memory.low <= 0:
            raise CapacityError(f"the GPU's memory is {self.gpu_memory.low:g} MiB")
        if self.shape is not None and self.pipeline_parallel > self.shape.layers:
            raise CapacityError(
                f"pipeline_parallel is {self.pipeline_parallel}, but {self.shape.id} has {self.shape.layers} layers"
            )


@dataclass(slots=True, eq=False)
class Term:
    """One line of the calculation: MiB, how they came about, and whether start-up logs confirm the formula."""

    name: str
    mib: Range
    formula: str
    source: str
    calibrated: bool = False


@dataclass(slots=True, eq=False)
class Prediction:
    """What one GPU will hold. `tokens` and `requests` are those of one engine replica; `requests` at `max_model_len`.

    `kv_cache` is the MiB left for it, negative where there are none. `request_mib` is what one request of full length
    takes. `why` says what is unknown or why it does not fit.
    """

    serving: Serving
    terms: list[Term] = field(default_factory=list)
    budget: Range | None = None
    kv_cache: Range | None = None
    layout: KvLayout | None = None
    batch: Batch | None = None
    tokens: Range | None = None
    requests: Range | None = None
    request_mib: float | None = None
    verdict: Verdict = "unknown"
    why: list[str] = field(default_factory=list)

    @property
    def calibrated(self) -> bool:
        return all(term.calibrated for term in self.terms)

    def requests_of(self, length: int) -> Range | None:
        """Requests of another length that run at once."""
        if length < 1:
            raise CapacityError(f"a request of {length} tokens")
        layout, cache = self.layout, self.kv_cache
        if layout is None or cache is None:
            return None
        batched = self.batch.tokens if self.batch is not None else 2048
        return Range(*(layout.requests(each * _MIB, length, batched) for each in cache))


def predict(serving: Serving) -> Prediction:
    """What the memory of a GPU will hold. Raises CapacityError for numbers that mean nothing."""
    serving.validate()
    found = Prediction(serving)
    if serving.weights is None:
        found.why.append("the size of the weights is not known")
        return found
    if serving.gpu_memory is None:
        found.why.append("the GPU is not known")
        _lay_out(found)
        return found
    if serving.engine not in ENGINES_WITH_ARITHMETIC:
        found.why.append(f"there is no arithmetic for {serving.engine}")
        return found
    budget, others = _BUDGETS[serving.engine](found)
    found.budget = budget.mib
    if serving.kv_cache_mib is not None:
        size = serving.kv_cache_mib
        found.kv_cache = Range(size, size, size)
        found.terms = [_weights_term(serving), *others]
        found.terms.append(Term("KV cache", found.kv_cache, "as set", "--kv-cache-memory-bytes", calibrated=True))
    else:
        found.terms = [budget, _weights_term(serving), *others]
        taken = [term.mib for term in found.terms[1:]]
        found.kv_cache = Range(
            budget.mib.low - sum(each.high for each in taken),
            budget.mib.likely - sum(each.likely for each in taken),
            budget.mib.high - sum(each.low for each in taken),
        )
        if serving.free_fraction is not None or serving.engine in _DEFAULT_FREE_SHARE:
            share = serving.free_fraction or _DEFAULT_FREE_SHARE.get(serving.engine, 0.9)
            found.kv_cache = Range(*(each * share if each > 0 else each for each in found.kv_cache))
    _lay_out(found)
    _judge(found)
    return found


def _weights_term(serving: Serving) -> Term:
    assert serving.weights is not None
    shape = serving.shape
    if shape is not None and shape.params_total is not None:
        formula = (
            f"{shape.params_total / 1e9:.2f} billion parameters over tp {serving.tensor_parallel} × "
            f"pp {serving.pipeline_parallel}"
        )
        stored = shape.quantization.method if shape.quantization is not None else ""
        confirmed = serving.engine == "vllm" and stored not in _UNCONFIRMED_FORMATS
        return Term("weights", serving.weights, formula, shape.source, calibrated=confirmed)
    return Term("weights", serving.weights, "by the size in the model's name", "its name")


def _lay_out(found: Prediction) -> None:
    """Tokens and requests of the cache."""
    serving = found.serving
    shape, version = serving.shape, serving.version
    if shape is None:
        found.why.append("the model is in no table, so the KV cache per token is not known")
        return
    grouped = serving.engine == "vllm" and not overhead.is_first_engine(version, serving.capability)
    since = _GROUPED_CHUNKS if shape.attention == "chunked" else _GROUPED
    found.layout = kv_layout(
        shape,
        kv_cache_dtype=serving.kv_cache_dtype,
        dtype=serving.dtype,
        tensor_parallel=serving.tensor_parallel,
        pipeline_parallel=serving.pipeline_parallel,
        grouped=grouped and (version is None or version >= since),
        tokens_from_requests=version is None or version >= _TOKENS_FROM_REQUESTS,
    )
    if serving.engine != "vllm" and shape.attention in ("hybrid", "sparse"):
        found.layout = None  # laid out in ways of their own
    if found.layout is None:
        found.why.append(f"the layout of the KV cache of {shape.id} ({shape.attention} attention) is not known")
        return
    layout, length = found.layout, serving.max_model_len
    batched = found.batch.tokens if found.batch is not None else serving.max_batched_tokens or 2048
    if length is not None:
        found.request_mib = layout.request_bytes(length, batched) / _MIB
    if found.kv_cache is None:
        return
    tokens = [layout.tokens(each * _MIB, length, batched) for each in found.kv_cache]
    if None not in tokens:
        found.tokens = Range(*(float(each or 0) for each in tokens))
    if length is not None:
        found.requests = Range(*(layout.requests(each * _MIB, length, batched) for each in found.kv_cache))


def _judge(found: Prediction) -> None:
    serving, cache = found.serving, found.kv_cache
    weights, memory = serving.weights, serving.gpu_memory
    assert cache is not None
    assert weights is not None
    assert memory is not None
    beside = serving.kv_cache_mib or 0.0
    need = found.request_mib if found.request_mib is not None else 0.0
    if weights.low + beside > memory.high:
        found.verdict = "does not fit"
        what = "weights and the KV cache that is set" if beside else "weights"
        found.why.insert(0, f"the {what} alone take more than the GPU has")
    elif cache.high <= 0:
        found.verdict = "does not fit"
        found.why.insert(0, "nothing is left for a KV cache")
    elif cache.high < need:
        found.verdict = "does not fit"
        found.why.insert(0, "one request of full length does not fit the KV cache")
    elif serving.kv_cache_mib is not None and weights.high + beside > memory.low:
        found.verdict = "uncertain"
        found.why.insert(0, "weights and the KV cache that is set come close to what the GPU has")
    elif cache.low <= 0:
        found.verdict = "uncertain"
        found.why.insert(0, "the range of what is left for a KV cache begins below zero")
    elif cache.low < need:
        found.verdict = "uncertain"
        found.why.insert(0, "whether one request of full length fits lies within the range")
    elif found.layout is None and serving.max_model_len is not None:
        found.verdict = "uncertain"
    else:
        found.verdict = "fits"
    if serving.engine == "llamacpp" and found.verdict == "does not fit":
        found.verdict = "uncertain"
        found.why.append("llama.cpp keeps layers that do not fit in the host's memory")


def _share_of(memory: Range, fraction: Range) -> Range:
    return Range(memory.low * fraction.low, memory.likely * fraction.likely, memory.high * fraction.high)


def _fixed(value: float) -> Range:
    return Range(value, value, value)


# --- engines -------------------------------------------------------------------------------------------------------


def _vllm(found: Prediction) -> tuple[Term, list[Term]]:
    """requested = total × gpu_memory_utilization; what weights, activations and the rest leave of it is the cache.

    Sources: vllm/v1/worker/utils.py request_memory, gpu_worker.py determine_available_memory.
    """
    serving = found.serving
    memory, version = serving.gpu_memory, serving.version
    assert memory is not None
    fraction = Range(0.9, 0.92, 0.92)
    if serving.memory_fraction is not None:
        fraction = _fixed(serving.memory_fraction)
    elif version is not None:
        fraction = _fixed(0.92 if version >= _GRAPHS_COUNT else 0.9)
    budget = Term(
        "budget",
        _share_of(memory, fraction),
        f"{memory.likely / _GIB_IN_MIB:.2f} GiB × {fraction.likely:g}",
        "vllm/v1/worker/utils.py, request_memory",
        calibrated=True,
    )
    batch = overhead.vllm_batch(
        version,
        sequences=serving.max_num_seqs,
        tokens=serving.max_batched_tokens,
        max_model_len=serving.max_model_len,
        gpu_memory_mib=memory.likely,
        gpu_name=serving.gpu_name,
        capability=serving.capability,
    )
    found.batch = batch
    activation, formula = overhead.vllm_activation(
        serving.shape, batch, version=version, tensor_parallel=serving.tensor_parallel
    )
    before_0_20 = version is not None and version < _GRAPHS_COUNT
    terms = [
        Term("activations", activation, formula, overhead.LOGS, calibrated=before_0_20 and serving.shape is not None),
        Term(
            "non-torch",
            overhead.vllm_non_torch(
                version,
                tensor_parallel=serving.tensor_parallel,
                pipeline_parallel=serving.pipeline_parallel,
                nvswitch=serving.nvswitch,
            ),
            "CUDA context, NCCL and workspaces, by version and number of GPUs",
            overhead.LOGS,
            calibrated=before_0_20,
        ),
    ]
    if serving.cuda_graphs and not before_0_20:
        layers = serving.shape.layers if serving.shape is not None else 32
        graphs = overhead.cuda_graphs(-(-layers // serving.pipeline_parallel), batch.sequences)
        # An estimate that two logs of 0.22 and 0.29 do not show taken off.
        graphs = graphs._replace(low=0.0)
        terms.append(Term("CUDA graphs", graphs, "0.35 GiB + 0.017 GiB per layer", overhead.LOGS))
    return budget, terms


def _sglang(found: Prediction) -> tuple[Term, list[Term]]:
    """cache = free before loading × mem_fraction_static - weights; activations and graphs are in the rest.

    Source: sglang/srt/mem_cache/kv_cache_configurator.py (0.5), model_runner.py (0.4).
    """
    serving = found.serving
    memory = serving.gpu_memory
    assert memory is not None
    if serving.memory_fraction is not None:
        fraction, how = _fixed(serving.memory_fraction), f"{serving.memory_fraction:g}"
    else:
        fraction, how = overhead.sglang_static_fraction(
            serving.version,
            gpu_memory_mib=memory.likely,
            tensor_parallel=serving.tensor_parallel,
            pipeline_parallel=serving.pipeline_parallel,
            chunked_prefill=serving.max_batched_tokens,
        )
    context = overhead.context(serving.tensor_parallel * serving.pipeline_parallel)
    free = Range(memory.low - context.high, memory.likely - context.likely, memory.high - context.low)
    source = "sglang/srt/mem_cache/kv_cache_configurator.py"
    return Term("budget", _share_of(free, fraction), f"free memory × {how}", source), []


def _tgi(found: Prediction) -> tuple[Term, list[Term]]:
    """blocks = (free - (1 - CUDA_MEMORY_FRACTION × 0.9) × total) / block, free being measured after a prefill.

    Source: text_generation_server/models/flash_causal_lm.py, warmup.
    """
    serving = found.serving
    memory = serving.gpu_memory
    assert memory is not None
    fraction = serving.memory_fraction if serving.memory_fraction is not None else 1.0
    budget = Term(
        "budget",
        _share_of(memory, _fixed(fraction * _TGI_WIGGLE_ROOM)),
        f"{memory.likely / _GIB_IN_MIB:.2f} GiB × {fraction:g} × {_TGI_WIGGLE_ROOM}",
        "text_generation_server/models/globals.py, TGI_WIGGLE_ROOM",
    )
    tokens = serving.max_batched_tokens or _TGI_PREFILL_TOKENS
    peak = overhead.prefill_peak(serving.shape, tokens, tensor_parallel=serving.tensor_parallel)
    source = "text_generation_server/models/flash_causal_lm.py, warmup"
    return budget, [
        Term("activations", peak, f"a prefill of {tokens} tokens with its logits", source),
        _context_term(serving),
    ]


def _context_term(serving: Serving) -> Term:
    context = overhead.context(serving.tensor_parallel * serving.pipeline_parallel)
    return Term("non-torch", context, "CUDA context and NCCL", "not calibrated")


def _free_share(found: Prediction) -> tuple[Term, list[Term]]:
    """cache = share × what weights and buffers leave.

    Sources: TensorRT-LLM KvCacheConfig.free_gpu_memory_fraction (0.9), LMDeploy cache_max_entry_count (0.8).
    """
    serving = found.serving
    memory = serving.gpu_memory
    assert memory is not None
    source = "KvCacheConfig.free_gpu_memory_fraction" if serving.engine == "trtllm" else "cache_max_entry_count"
    budget = Term("budget", memory, f"{memory.likely / _GIB_IN_MIB:.2f} GiB; the cache is a share of the rest", source)
    if serving.memory_fraction is not None:
        budget.mib = _share_of(memory, _fixed(serving.memory_fraction))
        serving = found.serving = replace(serving, free_fraction=1.0)
    tokens = serving.max_batched_tokens or 8192
    peak = overhead.prefill_peak(serving.shape, min(tokens, 8192), tensor_parallel=serving.tensor_parallel)
    peak = Range(100, min(peak.likely, 2048.0), max(peak.high, 2048.0))
    return budget, [Term("activations", peak, f"buffers for {tokens} tokens", "not calibrated"), _context_term(serving)]


def _llamacpp(found: Prediction) -> tuple[Term, list[Term]]:
    """weights + cache of the whole context + compute buffer, allocated at the start.

    Source: llama.cpp src/llama-context.cpp: the buffer grows with the micro-batch × vocabulary.
    """
    serving = found.serving
    memory = serving.gpu_memory
    assert memory is not None
    vocabulary = serving.shape.vocab_size if serving.shape is not None else 128256
    buffer = _LLAMA_CPP_BATCH * vocabulary * 4 / _MIB
    source = "llama.cpp src/llama-context.cpp"
    budget = Term("budget", memory, f"{memory.likely / _GIB_IN_MIB:.2f} GiB", source)
    return budget, [
        Term("activations", Range(buffer * 0.5, buffer * 1.2, buffer * 4), "512 tokens × vocabulary × 4", source),
        _context_term(serving),
    ]


_BUDGETS = {
    "vllm": _vllm,
    "sglang": _sglang,
    "tgi": _tgi,
    "lorax": _tgi,
    "trtllm": _free_share,
    "lmdeploy": _free_share,
    "llamacpp": _llamacpp,
}
