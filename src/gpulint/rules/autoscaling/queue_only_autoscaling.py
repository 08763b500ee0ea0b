"""The waiting queue as the only signal, with little to keep replicas once it is empty."""

from __future__ import annotations

from collections.abc import Iterator

from gpulint.finding import Evidence, Finding
from gpulint.metrics.table import Meaning
from gpulint.model.autoscaler import Autoscaler
from gpulint.rules import rule
from gpulint.rules.advice import signals_near
from gpulint.rules.queries import is_fixed, place_in
from gpulint.rules.signals import named, scales_gpus, short_name, target_name

_DEFAULT_WINDOW_S = 300


@rule("queue-only-autoscaling")
def check(scaler: Autoscaler) -> Iterator[Finding]:
    if len(scaler.metrics) != 1 or not scaler.metrics_known or is_fixed(scaler) or not scales_gpus(scaler):
        return
    metric, window = scaler.metrics[0], scaler.scale_down.stabilization_window_s
    if not metric.is_only(Meaning.QUEUE) or scaler.scale_down.disabled:
        return
    if window is None or window.value >= _DEFAULT_WINDOW_S:
        return
    near = signals_near(scaler)
    second = near.running if near is not None else "the requests in progress"
    cache = f" or {near.kv_cache}" if near is not None and near.kv_cache is not None else ""
    yield Finding(
        place=place_in(metric),
        message=(
            f"{named(scaler)} scales {target_name(scaler)} on its queue alone ({short_name(metric)}) and removes "
            f"replicas after {window.value:g} s. The queue is empty as soon as the replicas keep up, busy as they are: "
            "the next step down brings it back, and the number of replicas swings."
        ),
        help=(
            f"Add {second}{cache} as a second signal, which stays up while the replicas work, or set "
            f"{scaler.scale_down.spelled} to {_DEFAULT_WINDOW_S} s or more."
        ),
        evidence=[
            Evidence("only signal", short_name(metric), place_in(metric)),
            Evidence(scaler.scale_down.spelled, f"{window.value:g} s", window.place),
        ],
    )
