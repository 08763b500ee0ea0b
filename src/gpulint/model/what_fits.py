"""What would fit: the cheapest single changes with which an engine's memory holds its model and one full request."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

from gpulint.capacity.fit import CapacityError, Prediction, Serving, predict
from gpulint.capacity.gpu_memory import cuda_memory_mib, slice_memory
from gpulint.capacity.kv_cache import bytes_per_element
from gpulint.capacity.models import ModelShape
from gpulint.capacity.weights import weights_mib
from gpulint.hardware.gpus import gpu
from gpulint.hardware.mig import family_of
from gpulint.model.serving import Gpus, Server, weights_of

# GPUs of inference fleets, by memory: what "a larger GPU" means.
_FLEET = (
    "l4", "a100-sxm4-40gb", "l40s", "a100-sxm4-80gb", "h100-sxm5-80gb", "rtx-pro-6000-bse", "h200-sxm", "b200", "b300",
)  # fmt: skip
_SEQUENCES = (256, 64)
_TENSOR = (2, 4, 8)
_STEP_TOKENS = 1024
_MIB = 2**20


class Change(NamedTuple):
    """A change in words, and what the memory holds with it."""

    text: str
    prediction: Prediction


def what_fits(server: Server) -> list[Change]:
    """Changes with which the verdict becomes "fits", cheapest first; none where it fits already or cannot be told."""
    found = server.prediction
    if found is None or server.weights is None or found.verdict == "fits":
        return []
    if found.serving.gpu_memory is None:
        return list(_gpus(server, found.serving))
    changes = list(_settings(server, found))
    changes += _parallel(server, found.serving)
    changes += _slices(server, found.serving) if server.gpus and server.gpus.profile else _gpus(server, found.serving)
    return changes


def _try(text: str, serving: Serving) -> Iterator[Change]:
    try:
        found = predict(serving)
    except CapacityError:
        return
    if found.verdict == "fits":
        yield Change(text, found)


def _settings(server: Server, found: Prediction) -> Iterator[Change]:
    engine, serving = server.engine, found.serving
    sequences = engine.max_num_seqs
    if engine.name == "vllm" and sequences is not None and found.batch is not None:
        for count in _SEQUENCES:
            if count < found.batch.sequences:
                fits = list(_try(f"{sequences.spelled} {count}", replace(serving, max_num_seqs=count)))
                yield from fits
                if fits:
                    break
    if engine.max_model_len is not None:
        longest = longest_request(found)
        if longest is not None and serving.max_model_len is not None and longest < serving.max_model_len:
            shorter = replace(serving, max_model_len=longest)
            yield from _try(f"{engine.max_model_len.spelled} {longest}", shorter)
    cache = engine.kv_cache_dtype
    if cache is not None and (bytes_per_element(serving.kv_cache_dtype, serving.dtype) or 0) >= 2:
        value = {"lmdeploy": "8", "llamacpp": "q8_0", "sglang": "fp8_e5m2"}.get(engine.name, "fp8")
        small = "int8" if engine.name == "lmdeploy" else value
        yield from _try(f"{cache.spelled} {value}", replace(serving, kv_cache_dtype=small))
    share = engine.memory_fraction
    if engine.name == "vllm" and share is not None and serving.memory_fraction is not None and share.value is not None:
        for fraction in (0.9, 0.95):
            if serving.memory_fraction < fraction:
                fits = list(_try(f"{share.spelled} {fraction:g}", replace(serving, memory_fraction=fraction)))
                yield from fits
                if fits:
                    break
    shape = serving.shape
    method = engine.quantization
    if shape is not None and shape.quantization is None and method is not None and method.value is None:
        weights = weights_mib(
            shape,
            dtype=serving.dtype,
            quantization="fp8",
            tensor_parallel=server.tensor_parallel or 1,
            pipeline_parallel=serving.pipeline_parallel,
        )
        if weights is not None:
            yield from _try("a checkpoint in FP8", replace(serving, weights=weights))


def longest_request(found: Prediction) -> int | None:
    """The longest request, in steps of 1024 tokens, that surely fits the KV cache; None if none does or unknown."""
    layout, cache, longest = found.layout, found.kv_cache, found.serving.max_model_len
    if layout is None or cache is None or longest is None:
        return None
    batched = found.batch.tokens if found.batch is not None else 2048
    low, high = 0, longest // _STEP_TOKENS
    while low < high:
        middle = (low + high + 1) // 2
        if layout.request_bytes(middle * _STEP_TOKENS, batched) <= cache.low * _MIB:
            low = middle
        else:
            high = middle - 1
    return low * _STEP_TOKENS or None


def _parallel(server: Server, serving: Serving) -> Iterator[Change]:
    setting, shape = server.engine.tensor_parallel, serving.shape
    if setting is None or server.tensor_parallel is None or (server.gpus is not None and server.gpus.profile):
        return
    for size in _TENSOR:
        if size <= server.tensor_parallel or (shape is not None and not divides(shape, size)):
            continue
        weights = weights_of(
            server.engine, tensor_parallel=size, pipeline_parallel=serving.pipeline_parallel, shapes=server.shapes
        )
        if weights is None:
            return
        fits = list(
            _try(
                f"{setting.spelled} {size}, on {size * serving.pipeline_parallel} GPUs",
                replace(serving, tensor_parallel=size, weights=weights.mib),
            )
        )
        if fits:
            yield fits[0]
            return


def divides(shape: ModelShape, tensor_parallel: int) -> bool:
    """Whether vLLM takes this tensor parallel size for a model.

    Sources: vllm/config/model.py (heads), models/llama.py (KV heads), layers/vocab_parallel_embedding.py (the
    vocabulary padded to 64), layers/quantization/utils/fp8_utils.py (blocks of 128).
    """
    tp = tensor_parallel
    if shape.heads % tp or (shape.kv_heads % tp and tp % shape.kv_heads) or -(-shape.vocab_size // 64) * 64 % tp:
        return False
    blocks = shape.quantization is not None and shape.quantization.method == "fp8"
    width = (shape.expert_intermediate_size if shape.experts else shape.intermediate_size) or 0
    return not blocks or (width % tp == 0 and width // tp % 128 == 0)


def _gpus(server: Server, serving: Serving) -> Iterator[Change]:
    """The smallest GPU of the fleet that holds it."""
    now = serving.gpu_memory.low if serving.gpu_memory is not None else 0.0
    boards = [board for name in _FLEET if (board := gpu(name)) is not None and board.memory_mib is not None]
    for board in sorted(boards, key=lambda each: each.memory_mib or 0):
        memory = cuda_memory_mib(board.memory_mib or 0)
        if memory.low <= 1.1 * now:  # a board of the same class is no change
            continue
        candidate = replace(
            serving,
            gpu_memory=memory,
            gpu_name=board.name,
            capability=board.compute_capability,
            nvswitch=board.nvlink == "nvswitch",
        )
        count = server.ranks or 1
        fits = list(_try(f"{count} × {board.name}" if count > 1 else board.name, candidate))
        if fits:
            yield fits[0]
            return


def _slices(server: Server, serving: Serving) -> Iterator[Change]:
    """The smallest MIG profile of the same board that holds it; else the whole board."""
    gpus: Gpus | None = server.gpus
    if gpus is None or len(gpus.boards) != 1:
        return
    board = gpus.boards[0]
    family = family_of(board)
    profiles = [p for p in family.profiles if not p.attributes and p.memory_mib] if family is not None else []
    for profile in sorted(profiles, key=lambda p: (p.memory_mib or 0, p.compute_slices)):
        memory = slice_memory(profile.memory_mib or 0, profile.memory_mib or 0)
        if serving.gpu_memory is None or memory.low <= serving.gpu_memory.low:
            continue
        fits = list(_try(f"MIG profile {profile.name}", replace(serving, gpu_memory=memory)))
        if fits:
            yield fits[0]
            return
