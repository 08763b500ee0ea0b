"""A tensor parallel size that does not divide the model's attention heads."""

from __future__ import annotations

from collections.abc import Iterator

from gpulint.finding import Evidence, Finding
from gpulint.model.engine import Engine
from gpulint.rules import rule
from gpulint.rules.memory_words import model_name, model_place

# Engines that refuse such a size. llama.cpp splits by layers.
_ENGINES = frozenset({"vllm", "sglang", "tgi"})
# With hybrid models, some layers have other numbers of heads.
_SPLIT_BY_HEADS = frozenset({"full", "sliding", "mla", "chunked"})


@rule("indivisible-attention-heads")
def check(engine: Engine) -> Iterator[Finding]:
    size, name = engine.tensor_parallel, engine.model_end or engine.model
    if engine.name not in _ENGINES or size is None or size.value is None or size.value < 2 or size.default:
        return
    if name is None or name.value is None or engine.attention_data_parallel is not None:
        return
    from gpulint.capacity.models import model

    shape = model(name.value if name is not engine.model_end else f"/{name.value}")
    if shape is None or shape.heads <= 0 or shape.heads % size.value == 0 or shape.attention not in _SPLIT_BY_HEADS:
        return
    good = [count for count in range(1, 65) if shape.heads % count == 0 and (count & (count - 1)) == 0]
    sizes = ", ".join(str(count) for count in good if count > 1)
    yield Finding(
        place=size.place or engine.place,
        message=f"{size.spelled} {size.value} does not divide the {shape.heads} attention heads of "
        f"{model_name(engine)}. Tensor parallelism gives each GPU as many heads as the others, so {engine.label} ends "
        "at the start.",
        help=f"Take a size that divides {shape.heads}: {sizes}. For another number of GPUs use pipeline parallelism "
        "(its stages may differ) or replicas, and compare tokens/s per GPU.",
        evidence=[
            Evidence(size.spelled, size.value, size.place),
            Evidence("attention heads", f"{shape.heads} ({shape.id})", model_place(engine)),
        ],
    )
