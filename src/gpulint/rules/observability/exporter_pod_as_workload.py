"""Labels of DCGM's series that name the exporter's own pod, taken for the pod that uses the GPU."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from gpulint.finding import Evidence, Finding, Level
from gpulint.metrics.promql import Matcher, Query, Selector
from gpulint.model.monitoring import Alert, MetricAlias, Monitor, Panel, RecordingRule
from gpulint.model.project import Project
from gpulint.model.values import ObjectRef
from gpulint.rules import rule
from gpulint.rules.expressions import watched
from gpulint.source.text import Place

# A monitor so many folders away is that of another project which is checked in the same run.
_FAR_STEPS = 8
_LABELS = ("pod", "container", "namespace")
# Words in the names of the exporter's pods and containers, and of what watches them.
_EXPORTER = ("dcgm", "exporter", "nvidia")


class _Asked(NamedTuple):
    """A query and who asks it; `kept` says that it may also ask whether a label is there at all (an adapter's)."""

    name: str
    ref: ObjectRef
    place: Place
    query: Query
    place_of: Callable[[Selector], Place]
    level: Level | None = None
    kept: bool = False


class _Use(NamedTuple):
    """How a query uses a label: by a matcher, or to group by it."""

    label: str
    matcher: Matcher | None


@rule("exporter-pod-as-workload")
def check(project: Project) -> Iterator[Finding]:
    monitors = [monitor for monitor in project.monitors if any("dcgm" in word.lower() for word in monitor.words)]
    for asked in _queries(project) if monitors else ():
        if "exported_" in asked.query.text:
            continue  # whoever wrote it knows
        near = [monitor for monitor in monitors if project.is_near(asked.place, monitor.place, _FAR_STEPS)]
        for selector in asked.query.selectors:
            if selector.name is None or not selector.name.startswith("DCGM_FI_"):
                continue
            use = next((use for use in _uses(selector, asked) if _is_wrong(use, near)), None)
            if use is not None:
                yield _finding(asked, selector, use, near)
                break


def _queries(project: Project) -> Iterator[_Asked]:
    items: list[Alert | RecordingRule | Panel] = [*project.alerts, *project.recording_rules, *project.panels]
    for item in (*items, *project.autoscalers):
        for found in watched(item):
            level: Level | None = "info" if isinstance(item, Panel) else None
            yield _Asked(found.name, found.ref, found.place, found.query, found.place_of, level)
    for alias in project.aliases:
        if alias.expression.query is not None and not _knows(alias):
            name = f"The adapter rule for {alias.name.value}"
            expression = alias.expression
            place = alias.name.place
            yield _Asked(name, alias.ref, place, alias.expression.query, expression.place_of, kept=True)


def _knows(alias: MetricAlias) -> bool:
    return any("exported_" in label for label in alias.labels) or (
        alias.served is not None and "exported_" in alias.served.text
    )


def _uses(selector: Selector, asked: _Asked) -> Iterator[_Use]:
    """The labels of a pod that a query takes for the workload's."""
    if any(_is_exporter(matcher) for matcher in selector.matchers):
        return
    for label in _LABELS:
        for matcher in selector.matchers:
            if matcher.label == label and (_names_one(matcher) or (asked.kept and _is_any(matcher))):
                yield _Use(label, matcher)
    for label in _LABELS:
        if any(aggregation.by is not None and label in aggregation.by for aggregation in selector.aggregations):
            yield _Use(label, None)


def _is_exporter(matcher: Matcher) -> bool:
    """Whether it names a pod or container of the exporter, or its namespace."""
    is_named = matcher.label in _LABELS and matcher.op in ("=", "=~")
    return is_named and any(word in matcher.value.lower() for word in _EXPORTER)


def _names_one(matcher: Matcher) -> bool:
    """Whether it names pods in plain words: no template, and not any."""
    value = matcher.value
    return matcher.op in ("=", "=~") and value not in ("", ".*", ".+") and not any(c in value for c in "$<{[")


def _is_any(matcher: Matcher) -> bool:
    return (matcher.op, matcher.value) in (("!=", ""), ("=~", ".+"))


def _is_wrong(use: _Use, near: list[Monitor]) -> bool:
    """Whether each scrape of the exporter gives the label to its own pod."""
    if not near or not all(monitor.endpoints for monitor in near):
        return False
    if any(end.taken is None or use.label not in end.taken for monitor in near for end in monitor.endpoints):
        return False
    if use.label != "namespace" or use.matcher is None or use.matcher.op == "!=":
        return True
    # The exporter's own namespace is a fair thing to ask for.
    return all(monitor.namespaces is not None and use.matcher.value not in monitor.namespaces for monitor in near)


def _finding(asked: _Asked, selector: Selector, use: _Use, near: list[Monitor]) -> Finding:
    label, matcher = use
    if matcher is None:
        what = f"groups {selector.name} by {label}"
        then = "Each group is then an exporter with all GPUs of its node, whoever uses them."
    elif asked.kept and _is_any(matcher):
        what = f"takes the {label} of {selector.name} for the one that is scaled"
        then = "An autoscaler then finds no sample for the pods of its target."
    else:
        what = f'reads {selector.name} with {label}{matcher.op}"{matcher.value}"'
        then = "No series matches: an autoscaler finds nothing or takes it for 0, an alert never fires."
    monitor = near[0]
    return Finding(
        place=asked.place_of(selector),
        message=(
            f"{asked.name} {what}, and that is the exporter's own {label}: {monitor.ref} honours no labels, so that "
            f"the workload's stands in exported_{label}. {then}"
        ),
        help=(
            f"Use exported_{label} in its place, or set honorLabels: true where the exporter is scraped, which keeps "
            "the workload's labels as they are."
        ),
        evidence=[Evidence("scraped by", str(found.ref), found.endpoints[0].place) for found in near[:3]],
        level=asked.level if matcher is None else None,
        ref=asked.ref,
    )
