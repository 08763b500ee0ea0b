"""`gpulint models`: the table of models."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from gpulint.cli._run import fail, write

if TYPE_CHECKING:
    from gpulint.capacity.models import ModelShape

_SIZES = (1, 2, 4, 8)


@click.command(name="models")
@click.argument("name", required=False)
@click.option("--format", "style", type=click.Choice(["text", "json"]), default="text", show_default=True)
def command(name: str | None, style: str) -> None:
    """List the models whose shape is known, or explain one: NAME is a repository id or the path of a config.json."""
    from gpulint.capacity.models import all_models, model

    if name is None:
        shapes = list(all_models())
    else:
        found = _local(name) or model(name)
        if found is None:
            from difflib import get_close_matches

            ids = {shape.id.lower(): shape.id for shape in all_models()}
            close = [ids[each] for each in get_close_matches(name.lower(), ids, n=3)]
            fail(f"no model is known as {name!r}" + (f"; did you mean {' or '.join(close)}?" if close else ""))
        shapes = [found]
    if style == "json":
        import json

        rows = [_row(shape) for shape in shapes]
        write(json.dumps({"version": 1, "models": rows}, indent=2, ensure_ascii=False) + "\n", None)
    elif name is None:
        width = max(len(shape.id) for shape in shapes)
        lines = [
            f"{shape.id:<{width}}  {_billions(shape):>9}  {shape.attention:<10}  {_stored(shape)}" for shape in shapes
        ]
        write("\n".join([f"{'model':<{width}}  {'billions':>9}  {'attention':<10}  stored as", *lines]) + "\n", None)
    else:
        write("\n".join(_explained(shapes[0])) + "\n", None)


def _local(name: str) -> ModelShape | None:
    import os

    path = os.path.join(name, "config.json") if os.path.isdir(name) else name
    if not os.path.isfile(path):
        return None
    from gpulint.capacity.config_json import ConfigJsonError, shape_of_file

    try:
        return shape_of_file(path, name)
    except ConfigJsonError as error:
        fail(str(error))


def _billions(shape: ModelShape) -> str:
    return "?" if shape.params_total is None else f"{shape.params_total / 1e9:.2f}"


def _stored(shape: ModelShape) -> str:
    if shape.quantization is None:
        return shape.native_dtype or "16 bits"
    bits = f", {shape.quantization.bits} bits" if shape.quantization.bits else ""
    return f"{shape.quantization.method}{bits}"


def _row(shape: ModelShape) -> dict[str, Any]:
    from dataclasses import asdict

    return {key: value for key, value in asdict(shape).items() if value not in (None, {}, ())}


def _explained(shape: ModelShape) -> list[str]:
    from gpulint.capacity.kv_cache import kv_layout
    from gpulint.capacity.weights import weights_mib

    lines = [
        shape.id,
        f"  {_billions(shape)} billion parameters, stored as {_stored(shape)}",
        f"  {shape.layers} layers, hidden size {shape.hidden_size}, {shape.heads} heads, {shape.kv_heads} KV heads, "
        f"vocabulary {shape.vocab_size}",
    ]
    if shape.experts:
        lines.append(f"  {shape.experts} experts, {shape.experts_per_token or '?'} for each token")
    if shape.max_position_embeddings is not None:
        lines.append(f"  context of {shape.max_position_embeddings:,} tokens")
    layout = kv_layout(shape, kv_cache_dtype=None, tensor_parallel=1, pipeline_parallel=1)
    kept = layout.formula if layout is not None else "its layout is not known"
    lines.append(f"  KV cache ({shape.attention} attention, 16 bits, one GPU): {kept}")
    for size in _SIZES:
        weights = weights_mib(shape, dtype=None, quantization=None, tensor_parallel=size, pipeline_parallel=1)
        if weights is not None and shape.heads % size == 0:
            low, likely, high = (each / 1024 for each in weights)
            lines.append(f"  weights at tensor parallel {size}: {likely:.1f} GiB per GPU ({low:.1f} to {high:.1f})")
    lines.append(f"  source: {shape.source} (confidence {shape.confidence})")
    return lines
