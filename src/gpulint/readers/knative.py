"""Knative Service: the pods of its revisions, and the autoscaling that annotations of the template set."""

from __future__ import annotations

import math
from collections.abc import Mapping

from gpulint import engines
from gpulint.metrics.table import Meaning
from gpulint.model.autoscaler import Autoscaler, ScaleDown, ScalingMetric
from gpulint.model.project import Project
from gpulint.model.quantity import duration_s, quantity
from gpulint.model.values import Sourced
from gpulint.model.workload import Rollout, Workload
from gpulint.readers._manifest import Manifest, sourced_int, texts
from gpulint.readers._pods import ACCELERATOR_WORDS, read_pod
from gpulint.readers.hpa import metric_meaning
from gpulint.source.text import Place

MARKS = (("serving.knative.dev",), (*ACCELERATOR_WORDS, *engines.marks()))
KINDS = frozenset({("serving.knative.dev", "Service"), ("serving.knative.dev", "Configuration")})

# Source: knative/serving@98e5ef9 pkg/apis/autoscaling/register.go: each annotation and its older spelling.
_GROUP = "autoscaling.knative.dev/"
_SPELLINGS = {
    "min-scale": ("min-scale", "minScale"),
    "max-scale": ("max-scale", "maxScale"),
    "scale-down-delay": ("scale-down-delay", "scaleDownDelay"),
    "scale-to-zero-pod-retention-period": ("scale-to-zero-pod-retention-period", "scaleToZeroPodRetentionPeriod"),
    "window": ("window",),
}
_HPA_CLASS = "hpa.autoscaling.knative.dev"
# What the metrics of Knative's autoscalers measure; the HPA class also takes names of custom metrics.
_MEANINGS = {
    "concurrency": Meaning.CONCURRENCY,
    "rps": Meaning.REQUEST_RATE,
    "cpu": Meaning.CPU,
    "memory": Meaning.HOST_MEMORY,
}
# Knative averages over this window before it acts.
# Source: knative/serving@98e5ef9 config/core/configmaps/autoscaler.yaml, stable-window.
STABLE_WINDOW_S = 60
# Source: Knative documentation, "Configuring scale bounds", and knative/serving#12551.
_REVISIONS = "Knative keeps the old revision until the new one has its minimum of pods"


def read_object(manifest: Manifest, project: Project) -> None:
    template = manifest.node.at("spec", "template")
    spec = template.get("spec") if template is not None else None
    if template is None or spec is None or not spec.is_mapping:
        return
    pod = read_pod(spec)
    pod.concurrency_limit = sourced_int(spec.get("containerConcurrency"))
    pod.complete = pod.complete and manifest.ref.name is not None
    place = manifest.name_node().place
    workload = Workload(
        ref=manifest.ref,
        api_version=manifest.api_version,
        place=place,
        pods=[pod],
    )
    project.workloads.append(workload)
    annotations = texts(template.at("metadata", "annotations"))
    if is_configured(annotations):
        scaler = autoscaler(manifest, annotations)
        project.autoscalers.append(scaler)
        if scaler.lowest:
            workload.rollout = Rollout(place, side_by_side=_REVISIONS)


def is_configured(annotations: Mapping[str, Sourced[str]]) -> bool:
    """Whether annotations say anything to Knative's autoscalers."""
    return any(name.startswith(_GROUP) for name in annotations)


def autoscaler(manifest: Manifest, annotations: Mapping[str, Sourced[str]]) -> Autoscaler:
    """The autoscaler that Knative runs for an object's pods, as annotations configure it.

    Without a class the cluster's default holds (KPA as it ships), without a metric the class's: requests in flight for
    KPA, CPU for an HPA. An HPA that is given no target has no metric of its own and falls to the API's default, CPU;
    its minimum is at least one. A maximum of 0 is none.
    Source: knative/serving@98e5ef9 pkg/reconciler/autoscaling/hpa/resources/hpa.go, MakeHPA;
    pkg/apis/autoscaling/v1alpha1/pa_defaults.go; config/core/configmaps/autoscaler.yaml.
    """
    class_ = annotations.get(f"{_GROUP}class")
    metric, target = annotations.get(f"{_GROUP}metric"), annotations.get(f"{_GROUP}target")
    is_hpa = class_ is not None and class_.value == _HPA_CLASS
    low, high = _integer(_find(annotations, "min-scale")), _integer(_find(annotations, "max-scale"))
    has_minimum = _find(annotations, "min-scale") is not None and not (is_hpa and low is not None and low.value == 0)
    has_maximum = _find(annotations, "max-scale") is not None and not (high is not None and high.value == 0)
    metrics: list[ScalingMetric] = []
    default_metric: Place | None = None
    known = class_ is None or is_hpa or class_.value == "kpa.autoscaling.knative.dev"
    if is_hpa and class_ is not None and target is None:
        default_metric = class_.place
    elif metric is not None:
        metrics.append(scaling_metric(metric.value, metric.place, _number(target)))
    elif is_hpa and class_ is not None:
        metrics.append(scaling_metric("cpu", class_.place, _number(target)))
    elif target is not None and known:
        metrics.append(scaling_metric("concurrency", target.place, _number(target)))
        known = class_ is not None
    else:
        known = False
    return Autoscaler(
        ref=manifest.ref,
        place=manifest.name_node().place,
        target=manifest.ref,
        target_place=manifest.name_node().place,
        metrics=metrics,
        metrics_known=known,
        default_metric=default_metric,
        min_replicas=low if has_minimum else None,
        max_replicas=high if has_maximum else None,
        scale_down=_scale_down_of_hpa(annotations) if is_hpa else _scale_down(annotations),
        default_min_replicas=None if has_minimum else (1 if is_hpa else 0),
        default_max_replicas=None if has_maximum else math.inf,
        holds_requests=not is_hpa,
        to_zero_after_s=None if is_hpa else _to_zero(annotations),
        default_to_zero_after_s=None if is_hpa or _has_window(annotations) else STABLE_WINDOW_S,
    )


def _has_window(annotations: Mapping[str, Sourced[str]]) -> bool:
    names = ("window", "scale-to-zero-pod-retention-period")
    return any(_find(annotations, name) is not None for name in names)


def _to_zero(annotations: Mapping[str, Sourced[str]]) -> Sourced[float] | None:
    """After how long the last pod goes: a window without requests, and from then on the pod's retention.

    None where that is less than the window of the cluster's configuration: a grace period for the network comes on top.
    Source: knative/serving@98e5ef9 pkg/reconciler/autoscaling/kpa/scaler.go, handleScaleToZero.
    """
    window, retention = _find(annotations, "window"), _find(annotations, "scale-to-zero-pod-retention-period")
    window_s = duration_s(window.value) if window is not None else STABLE_WINDOW_S
    retention_s = duration_s(retention.value) if retention is not None else 0
    if window_s is None or retention_s is None or window_s + retention_s < STABLE_WINDOW_S:
        return None
    longest = retention if retention is not None and (window is None or retention_s > window_s) else window
    return Sourced(window_s + retention_s, longest.place, longest.key_place) if longest is not None else None


def scaling_metric(name: str, place: Place, threshold: Sourced[float] | None) -> ScalingMetric:
    """A metric by the name that Knative and KServe give it; CPU and memory are shares of the request."""
    is_resource = name in ("cpu", "memory")
    return ScalingMetric(
        type="Resource" if is_resource else "Pods",
        name=name,
        place=place,
        meanings=frozenset({_MEANINGS[name]}) if name in _MEANINGS else metric_meaning(name),
        target_type="Utilization" if name == "cpu" else "AverageValue",
        threshold=threshold,
    )


def _scale_down(annotations: Mapping[str, Sourced[str]]) -> ScaleDown:
    """How soon KPA takes pods away: it averages over the window, and holds the greatest proposal for the delay.

    Source: knative/serving@98e5ef9 pkg/autoscaler/scaling/autoscaler.go, Scale.
    """
    window, delay = annotations.get(f"{_GROUP}window"), _find(annotations, "scale-down-delay")
    window_s = duration_s(window.value) if window is not None else STABLE_WINDOW_S
    delay_s = duration_s(delay.value) if delay is not None else 0
    if window_s is None or delay_s is None:
        return ScaleDown(default_s=STABLE_WINDOW_S)
    if window is not None and delay_s < window_s:
        total = Sourced(window_s + delay_s, window.place, window.key_place)
        spelled = f"{_GROUP}window" if delay_s == 0 else f"{_GROUP}window + scale-down-delay"
        return ScaleDown(total, spelled=spelled, default_s=STABLE_WINDOW_S)
    if delay is not None and delay_s >= STABLE_WINDOW_S:
        found = Sourced(delay_s, delay.place, delay.key_place)
        return ScaleDown(found, spelled=f"{_GROUP}scale-down-delay", default_s=STABLE_WINDOW_S)
    return ScaleDown(default_s=STABLE_WINDOW_S)


def _scale_down_of_hpa(annotations: Mapping[str, Sourced[str]]) -> ScaleDown:
    """The HPA's stabilisation window is the annotation's, since release 1.1.

    Source: knative/serving@98e5ef9 pkg/reconciler/autoscaling/hpa/resources/hpa.go, MakeHPA.
    """
    window = _find(annotations, "window")
    seconds = duration_s(window.value) if window is not None else None
    if window is None or seconds is None:
        return ScaleDown()
    return ScaleDown(Sourced(seconds, window.place, window.key_place), spelled=f"{_GROUP}window")


def _find(annotations: Mapping[str, Sourced[str]], name: str) -> Sourced[str] | None:
    return next((annotations[_GROUP + s] for s in _SPELLINGS[name] if _GROUP + s in annotations), None)


def _number(text: Sourced[str] | None) -> Sourced[float] | None:
    number = quantity(text.value) if text is not None else None
    return Sourced(number, text.place, text.key_place) if text is not None and number is not None else None


def _integer(text: Sourced[str] | None) -> Sourced[int] | None:
    is_number = text is not None and text.value.isascii() and text.value.isdigit() and len(text.value) < 10
    return Sourced(int(text.value), text.place, text.key_place) if text is not None and is_number else None
