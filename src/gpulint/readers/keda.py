"""KEDA ScaledObject and ScaledJob: triggers, bounds, the HPA behaviour that KEDA passes on, and the jobs it starts."""

from __future__ import annotations

from gpulint.metrics.promql import meanings, parse
from gpulint.metrics.table import Meaning
from gpulint.model.autoscaler import Autoscaler, ScalingMetric
from gpulint.model.project import Project
from gpulint.model.values import ObjectRef
from gpulint.model.workload import Workload
from gpulint.readers._manifest import Manifest, sourced_int, sourced_number, text_at
from gpulint.readers._pods import read_pod
from gpulint.readers.hpa import metric_meaning, scale_down
from gpulint.source.yaml import Node

MARKS = (("ScaledObject", "ScaledJob"),)
KINDS = frozenset({("keda.sh", "ScaledObject"), ("keda.sh", "ScaledJob")})

# Where each scaler keeps the name or query of its metric, its target, and the value that wakes a target at zero.
# Source: kedacore/keda@8b4f083 pkg/scalers: cpu_memory_scaler.go, prometheus_scaler.go, gcp_stackdriver_scaler.go,
# datadog_scaler.go.
_QUERY_KEYS = {"prometheus": "query", "gcp-stackdriver": "filter", "datadog": "query"}
_FIXED_MEANINGS = {"cpu": Meaning.CPU, "memory": Meaning.HOST_MEMORY}
_ACTIVATION_KEYS = {
    "prometheus": "activationThreshold",
    "gcp-stackdriver": "activationTargetValue",
    "datadog": "activationQueryValue",
}
# Source: kedacore/keda@8b4f083 apis/keda/v1alpha1/scaledobject_types.go (maximum), pkg/scaling/executor:
# scale_scaledobjects.go (minimum 0), scale_executor.go (cooldown).
_DEFAULT_MAX_REPLICAS, _DEFAULT_COOLDOWN_S = 100, 300
_THRESHOLD_KEYS = ("threshold", "targetValue", "value", "queryValue")


def read_object(manifest: Manifest, project: Project) -> None:
    spec = manifest.node.get("spec")
    if spec is None or not spec.is_mapping:
        return
    if manifest.kind == "ScaledJob":
        _read_jobs(spec, manifest, project)
        return
    target = spec.at("scaleTargetRef", "name")
    scaler = autoscaler_of(spec, manifest.ref)
    scaler.place = manifest.name_node().place
    scaler.target_place = (target or manifest.name_node()).place
    scaler.takes_over = _taken_over(manifest, spec)
    if target is not None and target.text is not None:
        kind = text_at(spec, "scaleTargetRef", "kind") or "Deployment"
        scaler.target = ObjectRef(kind, manifest.ref.namespace, target.text)
    else:
        scaler.complete = scaler.metrics_known = False
    project.autoscalers.append(scaler)


def autoscaler_of(spec: Node, ref: ObjectRef) -> Autoscaler:
    """The autoscaler of a ScaledObject's fields, without a target; its places are those of the fields' key."""
    triggers = spec.get("triggers")
    metrics = [_metric(trigger) for trigger in (triggers.elements() if triggers is not None else ())]
    return Autoscaler(
        ref=ref,
        place=spec.key_place,
        target=None,
        target_place=spec.key_place,
        metrics=[metric for metric in metrics if metric is not None],
        metrics_known=triggers is not None
        and None not in metrics
        and text_at(spec, "advanced", "scalingModifiers", "formula") is None,
        min_replicas=sourced_int(spec.get("minReplicaCount")),
        max_replicas=sourced_int(spec.get("maxReplicaCount")),
        scale_down=scale_down(spec.at("advanced", "horizontalPodAutoscalerConfig", "behavior", "scaleDown")),
        complete=triggers is not None,
        default_min_replicas=0 if spec.get("minReplicaCount") is None else None,
        default_max_replicas=_DEFAULT_MAX_REPLICAS if spec.get("maxReplicaCount") is None else None,
        idle_replicas=sourced_int(spec.get("idleReplicaCount")),
        to_zero_after_s=sourced_number(spec.get("cooldownPeriod")),
        default_to_zero_after_s=_DEFAULT_COOLDOWN_S,
        cooldown_only_to_zero=True,
        fallback=fallback.key_place if (fallback := spec.get("fallback")) is not None else None,
    )


def _read_jobs(spec: Node, manifest: Manifest, project: Project) -> None:
    """The job template, as a workload that runs to an end, and how many jobs KEDA starts.

    Source: KEDA documentation 2.18, "Scaling Jobs".
    """
    triggers, template = spec.get("triggers"), spec.at("jobTargetRef", "template", "spec")
    place = manifest.name_node().place
    workload = None
    if template is not None and template.is_mapping:
        pod = read_pod(template)
        pod.complete = pod.complete and manifest.ref.name is not None
        workload = Workload(
            ref=manifest.ref,
            api_version=manifest.api_version,
            place=place,
            pods=[pod],
            batch=True,
        )
        if workload.uses_gpus or workload.engines:
            project.workloads.append(workload)
    metrics = [_metric(trigger) for trigger in (triggers.elements() if triggers is not None else ())]
    scaler = Autoscaler(
        ref=manifest.ref,
        place=place,
        target=manifest.ref,
        target_place=place,
        metrics=[metric for metric in metrics if metric is not None],
        metrics_known=triggers is not None and None not in metrics,
        min_replicas=sourced_int(spec.get("minReplicaCount")),
        max_replicas=sourced_int(spec.get("maxReplicaCount")),
        complete=triggers is not None and workload is not None,
        workload=workload,
    )
    project.autoscalers.append(scaler)
    if workload is not None:
        workload.autoscalers.append(scaler)


def _metric(trigger: Node) -> ScalingMetric | None:
    type_node, metadata = trigger.get("type"), trigger.get("metadata")
    if type_node is None or type_node.text is None:
        return None
    kind = type_node.text
    threshold = next((n for key in _THRESHOLD_KEYS if metadata is not None and (n := metadata.get(key))), None)
    metric_type = text_at(trigger, "metricType")
    if kind in _FIXED_MEANINGS:
        return ScalingMetric(
            type=kind,
            name=kind,
            place=type_node.place,
            meanings=frozenset({_FIXED_MEANINGS[kind]}),
            container=text_at(metadata, "containerName"),
            target_type=metric_type or text_at(metadata, "type"),
            threshold=sourced_number(threshold),
        )
    query_node = metadata.get(_QUERY_KEYS[kind]) if metadata is not None and kind in _QUERY_KEYS else None
    if query_node is None or query_node.text is None:
        return ScalingMetric(kind, kind, type_node.place, frozenset(), target_type=metric_type)
    query = parse(query_node.text) if kind == "prometheus" else None
    return ScalingMetric(
        type=kind,
        name=query_node.text,
        place=query_node.place,
        meanings=meanings(query) if query is not None else _meaning_in_filter(query_node.text, kind),
        query=query,
        query_node=query_node,
        target_type=metric_type or "AverageValue",
        threshold=sourced_number(threshold),
        activation=sourced_number(metadata.get(_ACTIVATION_KEYS[kind])) if metadata is not None else None,
        missing_is_zero=_missing_is_zero(metadata.get("ignoreNullValues"))
        if metadata is not None and kind == "prometheus"
        else None,
        missing_place=missing.entry_place
        if metadata is not None and (missing := metadata.get("ignoreNullValues")) is not None
        else None,
        scoped=metadata is not None and metadata.get("namespace") is not None,
    )


def _meaning_in_filter(text: str, kind: str) -> frozenset[Meaning]:
    """A Cloud Monitoring filter names its metric in `metric.type="…"`."""
    if kind != "gcp-stackdriver":
        return frozenset()
    _, _, rest = text.replace(" ", "").partition('metric.type="')
    return metric_meaning(rest.partition('"')[0]) if rest else frozenset()


def _missing_is_zero(node: Node | None) -> bool | None:
    """Whether a query of Prometheus without a result counts as 0, as it does unless told otherwise.

    Source: kedacore/keda@8b4f083 pkg/scalers/prometheus_scaler.go, IgnoreNullValues.
    """
    if node is None:
        return True
    text = (node.text or "").lower()
    return {"true": True, "false": False}.get(text)


def _taken_over(manifest: Manifest, spec: Node) -> str | None:
    """The HPA that KEDA makes its own.

    Source: kedacore/keda@8b4f083 apis/keda/v1alpha1/scaledobject_types.go, ScaledObjectTransferHpaOwnershipAnnotation.
    """
    transfer = manifest.annotations().get("scaledobject.keda.sh/transfer-hpa-ownership")
    if transfer is None or transfer.value.lower() != "true":
        return None
    return text_at(spec, "advanced", "horizontalPodAutoscalerConfig", "name")
