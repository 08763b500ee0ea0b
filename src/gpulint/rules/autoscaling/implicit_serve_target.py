"""A model of Ray Serve LLM that is to scale and names no target."""

from __future__ import annotations

from collections.abc import Iterator

from gpulint.finding import Evidence, Finding
from gpulint.model.autoscaler import Autoscaler
from gpulint.rules import rule
from gpulint.rules.queries import is_fixed
from gpulint.rules.signals import named


@rule("implicit-serve-target")
def check(scaler: Autoscaler) -> Iterator[Finding]:
    if is_fixed(scaler) or not scaler.metrics_known:
        return
    for metric in scaler.metrics:
        if metric.threshold is not None or not metric.default_targets:
            continue
        latest, before = metric.default_targets[0], metric.default_targets[-1]
        evidence = []
        if scaler.max_replicas is not None:
            evidence.append(Evidence("maximum", scaler.max_replicas.value, scaler.max_replicas.place))
        limit = metric.ceiling
        room = f", below {limit.spelled} ({limit.value})" if limit is not None and limit.value else ""
        yield Finding(
            place=metric.place,
            message=(
                f"{named(scaler)} is to scale a model and writes no {metric.name}. Ray Serve LLM then takes "
                f"{latest:,.0f} requests per replica, so that it never adds one; older releases take {before:g}, which "
                "adds replicas while the batch is all but empty."
            ),
            help=(
                f"Write {metric.name}{room}: the highest number of requests in progress per replica at which p95 "
                "latency held in a load test, which is tens for most models."
            ),
            evidence=evidence,
        )
