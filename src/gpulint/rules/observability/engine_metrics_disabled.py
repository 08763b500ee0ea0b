"""Metrics that an engine does not serve, and something that relies on them."""

from __future__ import annotations

from collections.abc import Iterator

from gpulint.finding import Evidence, Finding, Fix, Level
from gpulint.metrics.table import lookup
from gpulint.model.autoscaler import Autoscaler, ScalingMetric
from gpulint.model.engine import Engine
from gpulint.model.monitoring import Alert, Panel, RecordingRule
from gpulint.model.project import Project
from gpulint.rules import rule
from gpulint.rules.expressions import title
from gpulint.rules.signals import named
from gpulint.source.edits import RemoveElement
from gpulint.source.text import Place

# An alert so many folders away is of another project that is checked in the same run.
_FAR_STEPS = 8


@rule("engine-metrics-disabled")
def check(project: Project) -> Iterator[Finding]:
    for workload in project.workloads:
        for engine in workload.engines:
            setting = engine.serves_metrics
            if setting is None or setting.value is not False:
                continue
            user = next((found for s in workload.autoscalers if (found := _relies(s, engine)) is not None), None)
            if user is not None:
                scaler, place, name = user
                yield _finding(engine, f"{named(scaler)} scales on", name, place, "error")
            elif _is_only_one(project, engine):
                watch = _watch(project, engine)
                if watch is not None:
                    yield _finding(engine, *watch, "warning")


def _finding(engine: Engine, who: str, metric: str, place: Place, level: Level) -> Finding:
    setting = engine.serves_metrics
    assert setting is not None
    switched_off = setting.place is not None
    how = f"with {setting.spelled}" if switched_off else f"without {setting.spelled}"
    return Finding(
        place=setting.place or engine.place,
        message=(
            f"{engine.ref} runs {engine.label} {how}, which serves no metrics, and {who} {metric}. The series does not "
            "exist: an autoscaler finds no sample or takes it for 0, an alert never fires, a panel stays empty."
        ),
        help=f"Remove {setting.spelled}." if switched_off else f"Start the server with {setting.spelled}.",
        evidence=[Evidence("relies on", metric, place)],
        level=level,
        ref=engine.ref,
        fix=Fix(f"Remove {setting.spelled}", [RemoveElement(setting.place)], safe=False)
        if setting.place is not None and setting.place.text().strip("'\"") == setting.spelled
        else None,
    )


def _relies(scaler: Autoscaler, engine: Engine) -> tuple[Autoscaler, Place, str] | None:
    for metric in scaler.metrics:
        name = next((name for name in _names(metric) if _is_of(name, engine)), None)
        if name is not None:
            return scaler, metric.place, name
    return None


def _names(metric: ScalingMetric) -> tuple[str, ...]:
    return metric.query.metric_names() if metric.query is not None else (metric.name,)


def _is_of(name: str, engine: Engine) -> bool:
    row = lookup(name)
    return row is not None and row.engine == engine.name


def _is_only_one(project: Project, engine: Engine) -> bool:
    """Whether no other server of the project may have the series that something looks at."""
    others = [other for workload in project.workloads for other in workload.engines if other.name == engine.name]
    return all(other.serves_metrics is not None and other.serves_metrics.value is False for other in others)


def _watch(project: Project, engine: Engine) -> tuple[str, str, Place] | None:
    items: list[Alert | RecordingRule | Panel] = [*project.alerts, *project.recording_rules, *project.panels]
    for item in items:
        query = item.expression.query
        for selector in query.selectors if query is not None else ():
            name = selector.name
            if name is not None and _is_of(name, engine) and project.is_near(engine.place, item.place, _FAR_STEPS):
                return f"{title(item)} reads", name, item.expression.place_of(selector)
    return None
