"""A fallback for lost metrics that a missing series does not reach."""

from __future__ import annotations

from collections.abc import Iterator

from gpulint.finding import Evidence, Finding, Fix
from gpulint.model.autoscaler import Autoscaler
from gpulint.rules import rule
from gpulint.rules.queries import is_fixed, place_in, promql
from gpulint.rules.signals import named, scales_gpus, short_name, target_name
from gpulint.source.edits import SetEntry


@rule("missing-series-as-zero")
def check(scaler: Autoscaler) -> Iterator[Finding]:
    if scaler.fallback is None or is_fixed(scaler) or not scales_gpus(scaler):
        return
    triggers = list(promql(scaler))
    blind = [metric for metric, query in triggers if metric.missing_is_zero and "vector(" not in query.text]
    if not blind or len(blind) < len(triggers):
        return  # one of them fails when its series is gone, and that is enough for the fallback
    metric = blind[0]
    names = ", ".join(dict.fromkeys(short_name(each) for each in blind))
    low = scaler.lowest
    yield Finding(
        place=scaler.fallback,
        message=(
            f"{named(scaler)} has a fallback that a missing series does not reach: KEDA takes an empty result for "
            f"{names} as 0. A scrape that fails or a metric that is renamed then looks like no load, and "
            f"{target_name(scaler)} is scaled down{f' to {low}' if low is not None else ''}; the fallback acts only "
            "when Prometheus itself cannot be reached."
        ),
        help='Set `ignoreNullValues: "false"` on the trigger: a missing series is then an error and the fallback acts.',
        evidence=[
            Evidence("fallback", scaler.fallback.text(), scaler.fallback),
            Evidence("metric", names, metric.missing_place or place_in(metric)),
        ],
        fix=Fix(
            'Set ignoreNullValues: "false"',
            [SetEntry(each.place, "ignoreNullValues", "false", quoted=True) for each in blind],
            safe=False,
        )
        if scaler.ref.kind == "ScaledObject"
        else None,
    )
