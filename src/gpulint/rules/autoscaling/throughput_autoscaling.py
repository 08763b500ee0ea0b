"""Tokens per second as the only signal."""

from __future__ import annotations

from collections.abc import Iterator

from gpulint.finding import Evidence, Finding
from gpulint.metrics.table import Meaning
from gpulint.model.autoscaler import Autoscaler
from gpulint.rules import rule
from gpulint.rules.advice import signals_near
from gpulint.rules.queries import has, is_fixed, place_in
from gpulint.rules.signals import named, scales_gpus, short_name, target_name


@rule("throughput-autoscaling")
def check(scaler: Autoscaler) -> Iterator[Finding]:
    if not scaler.metrics_known or is_fixed(scaler) or not scales_gpus(scaler):
        return
    if not scaler.metrics or not all(metric.is_only(Meaning.TOKENS) for metric in scaler.metrics):
        return
    metric = scaler.metrics[0]
    if metric.query is not None and not any(has(selector) for selector in metric.query.selectors):
        return  # a counter by itself, or a gauge of a number of tokens
    near = signals_near(scaler)
    queue = near.queue if near is not None else "the queue"
    latency = f"p95 of {near.first_token}" if near is not None and near.first_token else "p95 latency"
    yield Finding(
        place=place_in(metric),
        message=(
            f"{named(scaler)} scales {target_name(scaler)} on tokens per second alone ({short_name(metric)}). "
            "Throughput stops rising when a replica is saturated: from there on more load only lengthens the queue, "
            "and the signal does not move."
        ),
        help=(
            f"Put {queue} beside it, and keep the target below the tokens/s per replica at which {latency} begins to "
            "rise in a load test."
        ),
        evidence=[Evidence("only signal", short_name(metric), place_in(metric))],
    )
