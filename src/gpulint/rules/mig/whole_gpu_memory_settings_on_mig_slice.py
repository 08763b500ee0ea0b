"""Memory settings that suit a whole GPU, on a MIG slice."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from gpulint.finding import Evidence, Finding, Level
from gpulint.model.engine import Engine
from gpulint.model.values import Setting
from gpulint.model.workload import MigSlice
from gpulint.rules import rule
from gpulint.rules.memory_words import evidence_of, gib
from gpulint.rules.mig.weights_exceed_mig_slice import larger_profile
from gpulint.rules.parallel import ranks
from gpulint.source.text import Place

if TYPE_CHECKING:
    from gpulint.model.serving import Weights

_MIB = 2**20
# A slice's memory differs by this much between drivers.
_DRIVERS = 1.02


@rule("whole-gpu-memory-settings-on-mig-slice")
def check(engine: Engine) -> Iterator[Finding]:
    slices = engine.container.mig_slice
    if slices is None or ranks(engine) != 1 or not engine.arguments_known or not engine.sole:
        return
    memory = slices.memory_mib()
    if memory is None:
        return
    from gpulint.model.serving import weights_of

    slice_mib = memory[1] * _DRIVERS
    weights = weights_of(engine)
    if weights is not None and weights.mib.likely > slice_mib:
        return  # see weights-exceed-mig-slice
    pool = engine.kv_cache_memory_bytes
    if pool is not None and not pool.default:
        if pool.value is not None:
            yield from _fixed_pool(engine, slices, slice_mib, weights, pool.value, pool)
        return  # the fraction counts for nothing beside it
    fraction = engine.memory_fraction
    if weights is None or fraction is None or fraction.value is None or not 0 < fraction.value <= 1:
        return
    budget_mib = fraction.value * slice_mib
    if weights.mib.likely > budget_mib:
        if weights.basis not in ("path", "copy"):
            yield _small_fraction(engine, slices, budget_mib, weights, fraction)
    elif engine.name == "vllm":
        yield from _long_context(engine, slices, budget_mib, weights, fraction)


def _evidence(slices: MigSlice, weights: Weights | None) -> list[Evidence]:
    memory = slices.memory_mib()
    found = [Evidence("MIG profile", slices.profile, slices.place)]
    if memory is not None:
        found.append(Evidence("memory of the slice", gib(memory[1])))
    if weights is not None:
        found += [
            *evidence_of(weights.facts),
            Evidence("weights", f"{gib(weights.floor)} to {gib(weights.mib.high)}"),
        ]
    return found


def _fixed_pool(
    engine: Engine, slices: MigSlice, slice_mib: float, weights: Weights | None, pool_bytes: int, pool: Setting[int]
) -> Iterator[Finding]:
    pool_mib = pool_bytes / _MIB
    beside = weights.floor if weights is not None else 0.0
    if pool_mib + beside <= slice_mib or pool.place is None:
        return
    with_weights = f" beside weights of at least {gib(beside)}" if beside else ""
    yield Finding(
        place=pool.place,
        message=f"{pool.spelled} sets aside {gib(pool_mib)} for the KV cache{with_weights}, but a {slices.profile} "
        f"slice has {gib(slice_mib / _DRIVERS)}. {engine.display_name} takes the figure as it is, without a look at "
        "the free memory, and ends out of memory.",
        help=f"Leave {pool.spelled} out and let the engine measure the slice, or take the figure from the log of a "
        f"start on a {slices.profile} slice.",
        evidence=[Evidence(pool.spelled, pool_bytes, pool.place), *_evidence(slices, weights)],
        level="error",
    )


def _small_fraction(
    engine: Engine, slices: MigSlice, budget_mib: float, weights: Weights, fraction: Setting[float]
) -> Finding:
    certain = weights.floor > budget_mib
    need = weights.floor if certain else weights.mib.likely
    value = fraction.value or 0.0
    where = "the default of " if fraction.default else ""
    fits = larger_profile(slices, weights.mib.likely * 1.2)
    raising = weights.mib.high < 0.85 * budget_mib / value
    remedy = f"Set {fraction.spelled} to 0.9, the share of the slice" if raising else "Take a larger profile"
    if not raising and fits:
        remedy += f" ({fits})"
    return Finding(
        place=fraction.place or _place(engine, slices),
        message=f"{fraction.spelled} {where}{value:g} is a share of the slice, not of the GPU: {gib(budget_mib)} of a "
        f"{slices.profile}, and the weights take {'at least' if certain else 'about'} {gib(need)}. "
        f"{engine.display_name} then has no memory left for a KV cache and does not start.",
        help=f"{remedy}. Nobody else uses a MIG slice's memory, so there is nothing to leave room for; what remains "
        "beside the weights is the KV cache, and with it the batch size.",
        evidence=[Evidence(fraction.spelled, value, fraction.place), *_evidence(slices, weights)],
        level="error" if certain else "warning",
    )


def _long_context(
    engine: Engine, slices: MigSlice, budget_mib: float, weights: Weights, fraction: Setting[float]
) -> Iterator[Finding]:
    """vLLM refuses to start where one request of full length does not fit its KV cache."""
    from gpulint.capacity.kv_cache import kv_bytes_per_token

    shape, length, dtype = weights.shape, engine.max_model_len, engine.kv_cache_dtype
    if shape is None or length is None or (dtype is not None and dtype.value is None and not dtype.default):
        return
    tokens = shape.max_position_embeddings if length.default else length.value
    per_token = kv_bytes_per_token(
        shape, kv_cache_dtype=dtype.value if dtype is not None else None, tensor_parallel=1, pipeline_parallel=1
    )
    if tokens is None or per_token is None:
        return
    cache_mib = tokens * per_token / _MIB
    level: Level | None = None
    memory = slices.memory_mib()
    if weights.floor + cache_mib > budget_mib:
        level = "error"
    elif memory is not None and weights.mib.high + cache_mib > (fraction.value or 0.0) * memory[0]:
        level = "warning"
    if level is None:
        return
    share = f"{fraction.value:g} of a {slices.profile} slice"
    fits = int((budget_mib / _DRIVERS * 0.95 - weights.mib.high) * _MIB / per_token) // 1024 * 1024
    at_most = f" to {fits} or less" if fits >= 1024 else ""
    how = f"the model's own {tokens} tokens, as {length.spelled} is not given" if length.default else f"{tokens} tokens"
    larger = larger_profile(slices, (weights.mib.high + cache_mib) / 0.85)
    yield Finding(
        place=length.place or _place(engine, slices),
        message=f"One request of {how}, takes {gib(cache_mib)} of KV cache".replace(" tokens, takes", " tokens takes")
        + f" beside {gib(weights.mib.likely)} of weights, but {share} is {gib(budget_mib / _DRIVERS)}. "
        + (
            "vLLM does not start when its KV cache cannot hold one request of full length."
            if level == "error"
            else "With the memory that the forward pass takes, vLLM may find no room for it and not start."
        ),
        help=f"Set {length.spelled}{at_most}, or take {'a larger profile' + (f' ({larger})' if larger else '')}"
        + ("" if dtype is not None and dtype.place is not None else ", or halve the cache with --kv-cache-dtype fp8")
        + ". How many requests run at once is the cache's size divided by their length: watch "
        "vllm:kv_cache_usage_perc.",
        evidence=[
            Evidence(length.spelled, tokens, length.place),
            Evidence("KV cache", f"{per_token / 1024:g} KiB per token"),
            *([Evidence(fraction.spelled, fraction.value, fraction.place)] if fraction.place is not None else []),
            *_evidence(slices, weights),
        ],
        level=level,
    )


def _place(engine: Engine, slices: MigSlice) -> Place:
    """Where a setting that is not written would be: the model's, else the slice."""
    return engine.model.place if engine.model is not None and engine.model.place is not None else slices.place
