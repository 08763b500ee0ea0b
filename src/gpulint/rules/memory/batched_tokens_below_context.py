"""A token budget that cannot hold the longest prompt, with chunked prefill switched off."""

from __future__ import annotations

from collections.abc import Iterator

from gpulint.finding import Evidence, Finding
from gpulint.model.engine import Engine
from gpulint.rules import rule


@rule("batched-tokens-below-context")
def check(engine: Engine) -> Iterator[Finding]:
    budget, length, chunked = engine.max_batched_tokens, engine.max_model_len, engine.chunked_prefill
    if engine.name != "vllm" or budget is None or length is None or chunked is None:
        return
    if budget.place is None or length.place is None or budget.value is None or length.value is None:
        return
    if chunked.value is not False or chunked.place is None or budget.value >= length.value:
        return
    yield Finding(
        place=budget.place,
        message=f"{budget.spelled} {budget.value} is less than {length.spelled} {length.value}, and without chunked "
        "prefill a prompt is computed in one piece. vLLM refuses to start with such a pair.",
        help=f"Remove {chunked.spelled}: long prompts are then computed in pieces. Or raise {budget.spelled} to "
        f"{length.value}.",
        evidence=[Evidence(each.spelled, each.value, each.place) for each in (budget, length)]
        + [Evidence(chunked.spelled, False, chunked.place)],
    )
