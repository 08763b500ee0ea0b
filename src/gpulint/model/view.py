"""The project as plain data and as a tree: what `gpulint inspect` shows."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable
from typing import Any

from gpulint.model.autoscaler import Autoscaler, ScalingMetric
from gpulint.model.engine import Engine
from gpulint.model.mig import MigPlan
from gpulint.model.monitoring import Alert
from gpulint.model.project import Project
from gpulint.model.values import ObjectRef, Setting, Sourced
from gpulint.model.workload import Container, Pod, Workload
from gpulint.report._display import visible
from gpulint.source.text import Place

# Engine settings as the JSON names them, in this order.
_SETTINGS = (
    ("model", "model"),
    ("tensorParallel", "tensor_parallel"),
    ("pipelineParallel", "pipeline_parallel"),
    ("dataParallel", "data_parallel"),
    ("memoryFraction", "memory_fraction"),
    ("maxModelLen", "max_model_len"),
    ("maxNumSeqs", "max_num_seqs"),
    ("dtype", "dtype"),
    ("quantization", "quantization"),
    ("kvCacheDtype", "kv_cache_dtype"),
)


def inspection(project: Project, scope: set[str]) -> dict[str, Any]:
    """The objects of the files in scope, as `schemas/inspect.schema.json` describes them.

    What a kustomization makes of an object belongs to the folder of the kustomization.
    """
    folders = {posixpath.dirname(path) or "." for path in scope}
    return {
        "version": 1,
        "workloads": [
            _workload(w)
            for w in project.workloads
            if (w.place.source.path in scope if w.overlay is None else w.overlay in folders)
        ],
        "autoscalers": [_autoscaler(a) for a in project.autoscalers if a.place.source.path in scope],
        "migPlans": [_mig_plan(p) for p in project.mig_plans if p.place.source.path in scope],
        "alerts": [_alert(project, a) for a in project.alerts if a.place.source.path in scope],
    }


def _identity(ref: ObjectRef, place: Place) -> dict[str, Any]:
    return {
        "kind": ref.kind,
        "namespace": ref.namespace,
        "name": ref.name,
        "path": place.source.path,
        "line": place.line,
    }


def _workload(workload: Workload) -> dict[str, Any]:
    return {
        **_identity(workload.ref, workload.place),
        **({"part": workload.part} if workload.part is not None else {}),
        **({"overlay": workload.overlay} if workload.overlay is not None else {}),
        "replicas": _value(workload.replicas),
        "containers": [_container(container) for container in workload.containers],
        "placement": _placement(workload.pods),
    }


def _container(container: Container) -> dict[str, Any]:
    return {
        "name": container.name,
        "image": _value(container.image),
        "gpus": [
            {"resource": request.resource, "count": request.count, "migProfile": request.mig_profile}
            for request in container.gpus
        ],
        "engine": _engine(container.engine) if container.engine is not None else None,
    }


def _engine(engine: Engine) -> dict[str, Any]:
    data: dict[str, Any] = {"name": engine.name, "version": engine.version_text}
    for key, attribute in _SETTINGS:
        setting: Setting[Any] | None = getattr(engine, attribute)
        data[key] = _setting(setting)
    return data


def _setting(setting: Setting[Any] | None) -> Any:  # noqa: ANN401
    """The value; null where it is unknown; {"value", "default": true} where the file leaves the engine's default."""
    if setting is None or setting.value is None:
        return None
    return {"value": setting.value, "default": True} if setting.default else setting.value


def _placement(pods: Iterable[Pod]) -> dict[str, Any] | None:
    found = next((pod.placement for pod in pods if pod.placement is not None), None)
    if found is None:
        return None
    return {"gpu": [gpu.name for gpu in found.gpus], "migProfile": found.mig_profile, "why": found.why.value}


def _autoscaler(scaler: Autoscaler) -> dict[str, Any]:
    target = scaler.target
    return {
        **_identity(scaler.ref, scaler.place),
        "target": {
            "kind": target.kind,
            "name": target.name,
            "path": scaler.workload.place.source.path if scaler.workload is not None else None,
        }
        if target is not None
        else None,
        "minReplicas": _value(scaler.min_replicas),
        "maxReplicas": _value(scaler.max_replicas),
        "metrics": [_metric(metric) for metric in scaler.metrics],
    }


def _metric(metric: ScalingMetric) -> dict[str, Any]:
    return {"meaning": sorted(metric.meanings), "name": metric.name, "threshold": _value(metric.threshold)}


def _mig_plan(plan: MigPlan) -> dict[str, Any]:
    return {
        **_identity(plan.ref, plan.place),
        "layouts": [
            {
                "config": layout.config,
                "deviceFilter": [device.value for device in layout.device_filter],
                "enabled": layout.enabled,
                "profiles": {count.profile.value: count.count.value for count in layout.profiles},
            }
            for layout in plan.layouts
        ],
    }


def _alert(project: Project, alert: Alert) -> dict[str, Any]:
    query = alert.expression.query
    meanings = project.meanings_of(query.metric_names(), alert.place) if query is not None else frozenset()
    return {
        **_identity(alert.ref, alert.place),
        "alert": alert.name,
        "metrics": list(query.metric_names()) if query is not None else None,
        "meanings": sorted(meanings),
    }


def _value(sourced: Sourced[Any] | None) -> Any:  # noqa: ANN401
    return sourced.value if sourced is not None else None


# -- the tree


def tree(data: dict[str, Any], *, color: bool) -> str:
    """The inspection for a terminal: one block per object, with what it joins to."""

    def bold(text: str) -> str:
        return f"\x1b[1m{visible(text)}\x1b[0m" if color else visible(text)

    lines: list[str] = []
    for workload in data["workloads"]:
        lines.append(_heading(workload, bold))
        if "overlay" in workload:
            lines.append(f"  as the kustomization in {visible(workload['overlay'])} makes it")
        placement = workload["placement"]
        if placement is not None:
            lines.append(f"  lands on {_alternatives(placement['gpu'])} ({visible(placement['why'])})")
        for container in workload["containers"]:
            gpus = ", ".join(f"{g['resource']} × {_known(g['count'])}" for g in container["gpus"]) or "no accelerator"
            lines.append(f"  container {visible(_known(container['name']))}: {visible(gpus)}")
            if container["engine"] is not None:
                lines.append(f"    {visible(_engine_line(container['engine']))}")
    for scaler in data["autoscalers"]:
        lines.append(_heading(scaler, bold))
        target = scaler["target"]
        if target is not None:
            where = target["path"] or "not among these files, or not certain which"
            lines.append(f"  scales {visible(target['kind'])} {visible(target['name'])} ({visible(where)})")
        lines.append(f"  replicas {_known(scaler['minReplicas'])} to {_known(scaler['maxReplicas'])}")
        for metric in scaler["metrics"]:
            at = f" at {metric['threshold']:g}" if metric["threshold"] is not None else ""
            lines.append(f"  on {', '.join(metric['meaning']) or 'unknown'}: {visible(metric['name'])}{at}")
    for plan in data["migPlans"]:
        lines.append(_heading(plan, bold))
        for layout in plan["layouts"]:
            profiles = ", ".join(f"{count} × {profile}" for profile, count in layout["profiles"].items())
            lines.append(f"  {visible(layout['config'])}: {visible(profiles or 'MIG off')}")
    for alert in data["alerts"]:
        lines.append(f"{bold('alert ' + alert['alert'])}  {visible(alert['path'])}:{alert['line']}")
        lines.append(f"  watches {', '.join(alert['meanings']) or 'unknown'}")
    return "\n".join(lines) + "\n" if lines else "nothing that gpulint knows in these files\n"


def _heading(item: dict[str, Any], bold: Any) -> str:  # noqa: ANN401
    name = f"{item['namespace']}/{item['name']}" if item["namespace"] else str(item["name"])
    part = f" ({visible(item['part'])})" if "part" in item else ""
    return f"{bold(item['kind'] + ' ' + name)}{part}  {visible(item['path'])}:{item['line']}"


def _engine_line(engine: dict[str, Any]) -> str:
    words = [engine["name"] + (f" {engine['version']}" if engine["version"] else "")]
    for key, _ in _SETTINGS:
        value = engine[key]
        if value is not None and not isinstance(value, dict):
            words.append(f"{key} {value}")
    return ", ".join(words)


def _alternatives(names: list[str]) -> str:
    return visible(" or ".join(names)) if names else "an unknown GPU"


def _known(value: object) -> str:
    return "?" if value is None else str(value)
