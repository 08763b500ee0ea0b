"""The join of an engine with its model and its GPU: the numbers that the memory arithmetic starts from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, TypeVar

from gpulint.capacity.fit import CapacityError, Prediction, Serving, predict
from gpulint.capacity.gpu_memory import cuda_memory_mib, slice_memory
from gpulint.capacity.models import ModelShape, model, variant
from gpulint.capacity.weights import (
    Range,
    bytes_per_parameter_from_name,
    params_from_name,
    weights_from_name_mib,
    weights_mib,
)
from gpulint.hardware.gpus import Gpu
from gpulint.model.engine import Engine
from gpulint.model.values import Setting
from gpulint.source.text import Place

T = TypeVar("T")

# How well the size is known: the model's own row of the table or its config.json; the row that a path or an address
# ends in, whose weights may be stored otherwise; the size in a repository's name, or in a path.
Basis = Literal["table", "copy", "name", "path"]
Shapes = Callable[[str], ModelShape | None]


class Fact(NamedTuple):
    """One value that the numbers rest on, and where it is written."""

    label: str
    value: object
    place: Place | None = None


@dataclass(slots=True, eq=False)
class Weights:
    """The memory of a model's weights on one GPU (MiB), with what it was computed from.

    `shape` is the row of the model table. A path that ends in a model's name says nothing about how the weights that
    lie there are stored: `floor` is the least that they can take, also then.
    """

    mib: Range
    floor: float
    basis: Basis
    shape: ModelShape | None
    facts: list[Fact]


def weights_of(
    engine: Engine, *, tensor_parallel: int = 1, pipeline_parallel: int = 1, shapes: Shapes | None = None
) -> Weights | None:
    """The weights of the model that an engine serves; None where anything that matters is not known.

    None also for an engine that keeps part of the weights in the host's memory. `shapes` gives shapes that beat the
    table's (from a config.json), also for paths.
    """
    name = engine.model_end if engine.model_end is not None else engine.model
    if name is None or name.value is None or not engine.sole:
        return None
    if not engine.arguments_known and not engine.only_strange_flags:
        return None
    if engine.cpu_offload_gib is not None and not engine.cpu_offload_gib.default and engine.cpu_offload_gib.value != 0:
        return None
    if is_hidden(engine.quantization) or is_hidden(engine.dtype):
        return None
    dtype = engine.dtype.value if engine.dtype is not None else None
    quantization = engine.quantization.value if engine.quantization is not None else None
    is_path = name is engine.model_end or name.value.startswith(("/", ".", "~")) or name.value.count("/") != 1
    shape = shapes(name.value) if shapes is not None else None
    is_copy = shape is None and is_path
    if shape is None:
        shape = model(name.value if name is not engine.model_end else f"/{name.value}")
    other = variant(name.value) if shape is None else None
    if other is not None:  # another owner's, by its name a copy
        shape, method = other
        is_copy = True
        quantization = method if method is not None else quantization
    facts = [Fact("model", name.value, name.place)]
    for label, setting in (("quantization", engine.quantization), ("dtype", engine.dtype)):
        if setting is not None and setting.place is not None:
            facts.append(Fact(label, setting.value, setting.place))
    if shape is not None and shape.params_total is not None:
        copies = engine.data_parallel.value if engine.data_parallel is not None else 1
        mib = weights_mib(
            shape,
            dtype=dtype,
            quantization=quantization,
            tensor_parallel=tensor_parallel,
            pipeline_parallel=pipeline_parallel,
            # vLLM spreads experts over all ranks of tensor and data parallelism, with expert parallelism or without.
            expert_copies=max(1, copies or 1) if engine.name == "vllm" else 1,
        )
        if mib is None:
            return None  # also for a quantisation that its shape does not tell
        whole = weights_mib(shape, dtype=dtype, quantization=quantization, tensor_parallel=1, pipeline_parallel=1)
        rate = (whole or mib).likely * 2**20 / shape.params_total
        facts.append(Fact("parameters", f"{shape.params_total / 1e9:.2f} billion, {rate:.2g} bytes each"))
        if is_copy and quantization is None and shape.quantization is None:
            language = shape.params_total - shape.params_vision
            floor = 0.5 * language / (tensor_parallel * pipeline_parallel * max(1, copies or 1)) / 2**20
            return Weights(mib, min(mib.low, floor), "copy", shape, facts)
        return Weights(mib, mib.low, "copy" if is_copy else "table", shape, facts)
    if quantization is None and shape is not None and shape.quantization is not None:
        quantization = shape.quantization.method
    parallel = {"tensor_parallel": tensor_parallel, "pipeline_parallel": pipeline_parallel}
    mib = weights_from_name_mib(name.value, dtype=dtype, quantization=quantization, **parallel)
    params = params_from_name(name.value)
    if mib is None or params is None:
        return None
    per_parameter = mib.likely * 2**20 / params * tensor_parallel * pipeline_parallel
    marked = quantization is not None or bytes_per_parameter_from_name(name.value) is not None
    assumed = "" if marked else " (no quantisation is named)"
    facts.append(Fact("parameters", f"{params / 1e9:g} billion by its name, {per_parameter:.2g} bytes each{assumed}"))
    return Weights(mib, mib.low, "path" if is_path else "name", shape, facts)


def is_hidden(setting: Setting[str] | None) -> bool:
    """Whether a setting is written with a value that cannot be read."""
    return setting is not None and not setting.default and setting.value is None


@dataclass(slots=True, eq=False)
class Gpus:
    """The GPUs that one copy of a model gets. `count` is how many the container has, None where unknown.

    `memory` is MiB of one device as CUDA reports it; `name` what people call it; `boards` the candidates; `profile` the
    MIG profile of each device; `shared` says that others may use the same memory.
    """

    name: str
    memory: Range | None
    count: int | None
    boards: tuple[Gpu, ...] = ()
    profile: str | None = None
    shared: bool = False
    place: Place | None = None


def gpus_of(engine: Engine) -> Gpus | None:
    """The GPUs that an engine's container lands on, where they are NVIDIA's and known; else None."""
    container = engine.container
    placement = container.pod.placement
    slices = container.mig_slice
    if slices is not None:
        memory = slices.memory_mib()
        board = slices.gpus[0].name if len(slices.gpus) == 1 else None
        return Gpus(
            f"{board} {slices.profile}" if board else f"MIG {slices.profile}",
            slice_memory(*memory) if memory is not None else None,
            slices.count,
            slices.gpus,
            slices.profile,
            any(request.shared for request in container.gpus),
            slices.place,
        )
    if any(request.virtual or request.vendor != "nvidia" for request in container.gpus):
        return None
    if placement is None or not placement.gpus or placement.fraction is None or placement.mig_profile is not None:
        return None
    if any(board.vendor != "nvidia" or board.memory_mib is None for board in placement.gpus):
        return None
    totals = [size for board in placement.gpus for size in (board.memory_mib or 0, *board.memory_mib_other)]
    lows = [board.memory_mib or 0 for board in placement.gpus]
    memory_range = cuda_memory_mib(min(lows), max(totals))
    if placement.fraction != 1.0:
        memory_range = Range(*(each * placement.fraction for each in memory_range))
    names = _named(placement.gpus)
    return Gpus(
        names,
        memory_range,
        container.gpu_count() if container.gpus and not container.pod.dra_claims else None,
        placement.gpus,
        None,
        placement.shared or any(request.shared for request in container.gpus),
        placement.why.place,
    )


@dataclass(slots=True, eq=False)
class Server:
    """One engine with what its memory will hold. `copies` are the data parallel copies of the model in one replica.

    `prediction` is None where `why` says what is unknown. `bad` says which setting no engine would take.
    """

    engine: Engine
    gpus: Gpus | None = None
    weights: Weights | None = None
    prediction: Prediction | None = None
    copies: int | None = 1
    tensor_parallel: int | None = None
    pipeline_parallel: int | None = None
    why: list[str] = field(default_factory=list)
    bad: str | None = None
    shapes: Shapes | None = None

    @property
    def ranks(self) -> int | None:
        """GPUs of one copy of the model."""
        if self.tensor_parallel is None or self.pipeline_parallel is None:
            return None
        return self.tensor_parallel * self.pipeline_parallel

    @property
    def facts(self) -> list[Fact]:
        """The values behind the numbers, with their places."""
        found = list(self.weights.facts) if self.weights is not None else []
        engine = self.engine
        for setting in (
            engine.tensor_parallel,
            engine.pipeline_parallel,
            engine.memory_fraction,
            engine.kv_cache_free_fraction,
            engine.kv_cache_memory_bytes,
            engine.max_model_len,
            engine.max_num_seqs,
            engine.kv_cache_dtype,
        ):
            if setting is not None and setting.place is not None and not setting.default:
                found.append(Fact(setting.spelled, setting.value, setting.place))
        if self.gpus is not None:
            found.append(Fact("GPU", self.gpus.name, self.gpus.place))
            if self.gpus.memory is not None:
                found.append(Fact("memory of the GPU", f"{self.gpus.memory.likely / 1024:.1f} GiB"))
        return found


def server_of(engine: Engine, *, gpus: Gpus | None = None, shapes: Shapes | None = None) -> Server:
    """What an engine's memory will hold, with reasons for what is unknown. `gpus` beat those that its files say."""
    server = Server(engine, gpus if gpus is not None else gpus_of(engine), shapes=shapes)
    why = server.why
    if not engine.arguments_known and not engine.only_strange_flags:
        why.append("part of its launch cannot be read")
    elif not engine.sole:
        why.append("the container starts several engines, or one of several")
    if engine.accelerator is not None:
        why.append(f"its image is built for {engine.accelerator}")
    server.tensor_parallel, server.pipeline_parallel = _sizes(engine, server.gpus)
    server.copies = engine.data_parallel.value if engine.data_parallel is not None else 1
    for setting in (engine.tensor_parallel, engine.pipeline_parallel, engine.max_num_seqs):
        if setting is not None and setting.value is not None and setting.value < 1 and not setting.default:
            server.bad = f"{setting.spelled} {setting.value}: must be at least 1"
    if server.ranks is None:
        why.append("its parallel sizes are not known")
    if (engine.model is None or engine.model.value is None) and engine.model_end is None:
        why.append("its model is not known")
    if why or server.bad is not None or server.tensor_parallel is None or server.pipeline_parallel is None:
        return server
    try:
        server.weights = weights_of(
            engine,
            tensor_parallel=server.tensor_parallel,
            pipeline_parallel=server.pipeline_parallel,
            shapes=shapes,
        )
        if server.weights is None:
            why.append("the size of the model's weights is not known")
            return server
        server.prediction = predict(serving_of(server))
    except CapacityError as error:
        server.bad = str(error)
    return server


def serving_of(server: Server) -> Serving:
    """The numbers of one GPU of an engine whose weights and parallel sizes are known."""
    engine, weights, gpus = server.engine, server.weights, server.gpus
    shape = weights.shape if weights is not None else None
    boards = gpus.boards if gpus is not None else ()
    capabilities = {board.compute_capability for board in boards}
    links = {board.nvlink for board in boards}
    length = _value(engine.max_model_len)
    if length is None and shape is not None and (engine.max_model_len is None or engine.max_model_len.default):
        length = shape.max_position_embeddings
    tensor, pipeline = server.tensor_parallel or 1, server.pipeline_parallel or 1
    attention = _value(engine.attention_data_parallel)
    if attention and tensor % attention == 0:
        tensor //= attention  # of the attention, and so of the cache
    return Serving(
        engine=engine.name,
        weights=weights.mib if weights is not None else None,
        gpu_memory=gpus.memory if gpus is not None else None,
        shape=shape,
        version=engine.version,
        dtype=_value(engine.dtype),
        kv_cache_dtype=_value(engine.kv_cache_dtype),
        tensor_parallel=tensor,
        pipeline_parallel=pipeline,
        memory_fraction=_value(engine.memory_fraction),
        free_fraction=_value(engine.kv_cache_free_fraction),
        kv_cache_mib=_mib(_value(engine.kv_cache_memory_bytes)),
        max_model_len=length,
        max_num_seqs=_value(engine.max_num_seqs),
        max_batched_tokens=_value(engine.max_batched_tokens),
        cuda_graphs=not (engine.eager is not None and engine.eager.value),
        gpu_name=" ".join(board.name for board in boards),
        capability=next(iter(capabilities)) if len(capabilities) == 1 else None,
        nvswitch=next(iter(links)) == "nvswitch" if len(links) == 1 else None,
    )


def _named(boards: tuple[Gpu, ...]) -> str:
    """The boards in words; of many the one with least memory."""
    names = sorted({board.name for board in boards})
    if len(names) <= 2:
        return " or ".join(names)
    smallest = min(boards, key=lambda board: board.memory_mib or 0)
    return f"{smallest.name} (the smallest of {len(names)} that match)"


def _sizes(engine: Engine, gpus: Gpus | None) -> tuple[int | None, int | None]:
    """Tensor and pipeline parallel size; an engine that spreads over all GPUs it sees takes those of its container.

    llama.cpp spreads layers, which is what pipeline parallelism does.
    """
    if engine.uses_all_visible_gpus:
        count = gpus.count if gpus is not None else engine.container.gpu_count() or None
        return (1, count) if engine.name == "llamacpp" else (count, 1)
    tensor, pipeline = (
        1 if size is None or (size.default and engine.only_strange_flags) else size.value
        for size in (engine.tensor_parallel, engine.pipeline_parallel)
    )
    tensor = tensor if tensor is None or tensor >= 1 else None
    return tensor, pipeline if pipeline is None or pipeline >= 1 else None


def _value(setting: Setting[T] | None) -> T | None:
    return setting.value if setting is not None else None


def _mib(size: int | None) -> float | None:
    return None if size is None else size / 2**20
