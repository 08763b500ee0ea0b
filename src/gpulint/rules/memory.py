"""What rules about memory share: how much the weights of an engine's model take, and how well that is known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from gpulint.capacity.models import ModelShape, model
from gpulint.capacity.weights import (
    Range,
    bytes_per_parameter_from_name,
    params_from_name,
    weights_from_name_mib,
    weights_mib,
)
from gpulint.finding import Evidence
from gpulint.model.engine import Engine
from gpulint.model.values import Setting

# How well the size is known: the model's own row of the table, the size in a repository's name, or in a path.
Basis = Literal["table", "name", "path"]


@dataclass(slots=True, eq=False)
class Weights:
    """The memory of a model's weights on one GPU (MiB), unsplit, with what it was computed from.

    `shape` is the row of the model table, for a model that is named by its repository; a path says nothing about the
    weights that lie there.
    """

    mib: Range
    basis: Basis
    shape: ModelShape | None
    evidence: list[Evidence]


def weights_of(engine: Engine) -> Weights | None:
    """The weights of the model that an engine serves on one GPU; None where anything that matters is not known.

    None also for an engine that keeps part of the weights in the host's memory.
    """
    name = engine.model
    if name is None or name.value is None or not engine.arguments_known or not engine.sole:
        return None
    if engine.cpu_offload_gib is not None and engine.cpu_offload_gib.value != 0:
        return None
    if _is_hidden(engine.quantization) or _is_hidden(engine.dtype):
        return None
    dtype = engine.dtype.value if engine.dtype is not None else None
    quantization = engine.quantization.value if engine.quantization is not None else None
    is_path = name.value.startswith(("/", ".", "~")) or name.value.count("/") != 1
    shape = None if is_path else model(name.value)
    evidence = [Evidence("model", name.value, name.place)]
    for label, setting in (("quantization", engine.quantization), ("dtype", engine.dtype)):
        if setting is not None and setting.place is not None:
            evidence.append(Evidence(label, setting.value, setting.place))
    if shape is not None:
        mib = weights_mib(shape, dtype=dtype, quantization=quantization, tensor_parallel=1, pipeline_parallel=1)
        if mib is None or shape.params_total is None:
            return None
        rate = mib.likely * 2**20 / shape.params_total
        evidence.append(Evidence("parameters", f"{shape.params_total / 1e9:.2f} billion, {rate:.2g} bytes each"))
        return Weights(mib, "table", shape, evidence)
    mib = weights_from_name_mib(
        name.value, dtype=dtype, quantization=quantization, tensor_parallel=1, pipeline_parallel=1
    )
    params = params_from_name(name.value)
    if mib is None or params is None:
        return None
    rate = mib.likely * 2**20 / params
    marked = quantization is not None or bytes_per_parameter_from_name(name.value) is not None
    assumed = "" if marked else " (no quantisation is named)"
    evidence.append(Evidence("parameters", f"{params / 1e9:g} billion by its name, {rate:.2g} bytes each{assumed}"))
    return Weights(mib, "path" if is_path else "name", None, evidence)


def _is_hidden(setting: Setting[str] | None) -> bool:
    """Whether a setting is written with a value that cannot be read."""
    return setting is not None and not setting.default and setting.value is None


def gib(mib: float) -> str:
    """`14.96 GiB`"""
    return f"{mib / 1024:.2f} GiB" if mib < 10240 else f"{mib / 1024:.1f} GiB"
