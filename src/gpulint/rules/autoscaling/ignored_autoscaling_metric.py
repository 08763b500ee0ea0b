"""Signals that are written and never read."""

from __future__ import annotations

from collections.abc import Iterator

from gpulint.finding import Evidence, Finding
from gpulint.model.autoscaler import Autoscaler
from gpulint.rules import rule
from gpulint.rules.queries import is_fixed, place_in
from gpulint.rules.signals import named, serves, short_name


@rule("ignored-autoscaling-metric")
def check(scaler: Autoscaler) -> Iterator[Finding]:
    workload = scaler.workload
    if not scaler.ignored or workload is None or not serves(workload) or is_fixed(scaler):
        return
    metric = scaler.ignored[0]
    names = ", ".join(dict.fromkeys(short_name(each) for each in scaler.ignored))
    because = scaler.ignored_because
    said = f"of class {because.value}" if because is not None else "of the default class"
    left = (
        "no metric is left, and Kubernetes fills in 80% CPU"
        if not scaler.metrics
        else f"only {', '.join(each.name for each in scaler.metrics)} is left"
    )
    yield Finding(
        place=place_in(metric),
        message=(
            f"{named(scaler)} scales on {names} in name only: the autoscaler {said} passes over External and PodMetric "
            f"metrics. Of what is written {left}."
        ),
        help=(
            'Annotate it with `serving.kserve.io/autoscalerClass: "keda"` (in deployment mode Standard), which reads '
            "these metrics."
        ),
        evidence=[
            Evidence("metric", names, place_in(metric)),
            Evidence(
                "autoscalerClass",
                because.value if because is not None else "hpa (default)",
                because.place if because else None,
            ),
        ],
    )
