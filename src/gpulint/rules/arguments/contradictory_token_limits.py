"""Token limits of TGI that cannot hold together."""

from __future__ import annotations

from collections.abc import Iterator

from gpulint.finding import Evidence, Finding
from gpulint.model.engine import Engine
from gpulint.model.values import Setting
from gpulint.rules import rule


@rule("contradictory-token-limits")
def check(engine: Engine) -> Iterator[Finding]:
    total, prompt, batch = engine.max_model_len, engine.max_input_tokens, engine.batch_total_tokens
    if engine.name not in ("tgi", "lorax") or total is None or total.value is None or total.place is None:
        return
    if prompt is not None and prompt.value is not None and prompt.place is not None and prompt.value >= total.value:
        yield _finding(
            engine,
            prompt,
            total,
            f"{prompt.spelled} {prompt.value} leaves no token for an answer: it must be smaller than {total.spelled} "
            f"{total.value}, which counts prompt and answer together. The server refuses to start.",
            f"Set {total.spelled} to the longest prompt plus the longest answer, such as {prompt.value + 1024}.",
        )
    if batch is not None and batch.value is not None and batch.place is not None and batch.value < total.value:
        yield _finding(
            engine,
            batch,
            total,
            f"{batch.spelled} {batch.value} is less than one request may take ({total.spelled} {total.value}). The "
            "server refuses to start.",
            f"Leave {batch.spelled} out: the server then takes what the GPU's memory holds, and says so in its log.",
        )


def _finding(engine: Engine, first: Setting[int], second: Setting[int], message: str, remedy: str) -> Finding:
    return Finding(
        place=first.place or engine.place,
        message=message,
        help=remedy,
        evidence=[Evidence(each.spelled, each.value, each.place) for each in (first, second)],
    )
