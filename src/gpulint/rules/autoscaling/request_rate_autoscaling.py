"""Requests per second as the only signal of a language model."""

from __future__ import annotations

from collections.abc import Iterator

from gpulint.finding import Evidence, Finding
from gpulint.metrics.table import Meaning
from gpulint.model.autoscaler import Autoscaler
from gpulint.model.engine import Engine
from gpulint.rules import rule
from gpulint.rules.advice import scale_on_load, signals
from gpulint.rules.alerts import matches
from gpulint.rules.queries import has, is_fixed, place_in
from gpulint.rules.signals import named, scaled, serves, short_name

# Requests of these cost much the same: one pass over a bounded input.
_UNIFORM = r"embed|rerank|bge|\be5\b|gte-|classif|reward|guard|whisper|diffusion|flux|clip"
# What scales on a query, and on a proxy that can count requests in progress as well.
_QUERIES = frozenset({"HorizontalPodAutoscaler", "ScaledObject", "PodAutoscaler", "NIMService"})
_PROXIES = frozenset({"Service", "Configuration", "InferenceService"})


@rule("request-rate-autoscaling")
def check(scaler: Autoscaler) -> Iterator[Finding]:
    if not scaler.metrics or not scaler.metrics_known or is_fixed(scaler) or not serves(scaler.workload):
        return
    engines = scaler.workload.engines if scaler.workload is not None else []
    engine = next((engine for engine in engines if _generates(engine)), None)
    if engine is None or not all(metric.is_only(Meaning.REQUEST_RATE) for metric in scaler.metrics):
        return
    metric = scaler.metrics[0]
    if metric.query is not None and not any(has(selector) for selector in metric.query.selectors):
        return  # a counter by itself
    words = signals(engine.name, engine.version)
    tokens = f"rate({words.tokens}[5m])" if words is not None else "tokens/s"
    target = metric.threshold
    at = f" at {target.value:g} per replica" if target is not None else ""
    yield Finding(
        place=target.place if target is not None else place_in(metric),
        message=(
            f"{named(scaler)} scales {scaled(scaler)} on requests per second alone ({short_name(metric)}{at}). A "
            "request of a language model costs what its prompt and its answer are long: at the same rate a replica "
            "may be idle or far behind."
        ),
        help=(
            f"Derive the target from {tokens} per replica that a load test reached with the prompts and answers of "
            f"your users, with a third of headroom, and look at it again when these change.{_instead(scaler)}"
        ),
        evidence=[Evidence("engine", engine.label, engine.place)],
    )


def _instead(scaler: Autoscaler) -> str:
    if scaler.ref.kind in _QUERIES:
        return f" Or look past the rate. {scale_on_load(scaler)}"
    if scaler.ref.kind in _PROXIES and all(metric.query is None for metric in scaler.metrics):
        return " Or scale on concurrency, the requests in progress, which rises when they take longer."
    return ""


def _generates(engine: Engine) -> bool:
    """Whether it serves a language model that writes answers of any length."""
    name = engine.model.value if engine.model is not None else None
    return signals(engine.name) is not None and engine.name != "triton" and not (name and matches(_UNIFORM, name))
