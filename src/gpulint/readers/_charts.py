"""Helm charts of a project: their templates, gathered while files are read and rendered when all of them are known."""

from __future__ import annotations

import posixpath
import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cache, partial
from typing import TYPE_CHECKING

from gpulint.model.autoscaler import Autoscaler
from gpulint.model.project import Project
from gpulint.model.values import ObjectRef
from gpulint.model.workload import Workload
from gpulint.source.text import Place, Source
from gpulint.source.yaml import Document, Template

if TYPE_CHECKING:
    from gpulint.source.helm import Chart, Parsed, Release

_TEMPLATES = "templates"
_CONFIG_MAP = "kind: ConfigMap"
_CHART_FILES = ("Chart.yaml", "Chart.yml", "values.yaml", "values.yml")
_PARTIALS = (".tpl", ".txt")
_MOST_VALUES = 8
# What the reader of values calls what it finds in a file.
_OF_VALUES = ("Chart", "Values")

Read = Callable[[Document, Project], None]


@cache
def _kind() -> re.Pattern[str]:
    return re.compile(r"^kind:[ \t]*[\"']?(\w+)", re.MULTILINE)


@dataclass(slots=True, eq=False)
class Charts:
    """The charts in sight: `folders` hold a file of a chart, `templates` are those to render, by their chart's folder.

    `partials` are the named files that other templates take in.
    """

    folders: set[str] = field(default_factory=set)
    templates: dict[str, list[Source]] = field(default_factory=dict)
    partials: list[str] = field(default_factory=list)

    def note(self, paths: Iterable[str]) -> None:
        """Takes note of the files of charts among all files of a run."""
        for path in paths:
            if path.endswith(_CHART_FILES) and posixpath.basename(path) in _CHART_FILES:
                self.folders.add(posixpath.dirname(path))

    def takes(self, source: Source) -> bool:
        """Whether a file belongs to a chart that is read as a whole, later."""
        folder = self._chart_of(source.path) if _TEMPLATES in source.path and self.folders else None
        if folder is None:
            return False
        if source.path.endswith(_PARTIALS):
            self.partials.append(source.path)
            return True
        if "{{" not in source.text:
            return False
        self.templates.setdefault(self._release_of(folder), []).append(source)
        return True

    def _chart_of(self, path: str) -> str | None:
        """The folder of the chart that a file is a template of."""
        steps = path.split("/")
        for index, step in enumerate(steps[:-1]):
            folder = "/".join(steps[:index])
            if step == _TEMPLATES and folder in self.folders:
                return folder
        return None

    def _release_of(self, folder: str) -> str:
        """The folder of the chart that a chart is released with: itself, or the one whose `charts/` it stands in."""
        while True:
            parent, name = posixpath.split(posixpath.dirname(folder))
            if name != "charts" or parent not in self.folders:
                return folder
            folder = parent


def read_charts(
    charts: Charts,
    project: Project,
    list_files: Callable[[str], list[str]],
    scope: set[str],
    read: Read,
) -> tuple[list[Template], list[Source]]:
    """Adds what the charts make of their default values.

    Gives the templates that could not be rendered, and the files that are to be read as they stand for that reason.
    `scope` grows by the templates of each chart of which another file (values, partials) is in it.
    """
    from gpulint.readers import identity as identity_of
    from gpulint.readers import matters, words_in

    unread: list[Template] = []
    plain: list[Source] = []
    parsed: Parsed | None = None
    for folder, sources in sorted(charts.templates.items()):
        beside = words_in(_values_texts(folder, charts, project))
        wanted = {source.path for source in sources if matters(source.text, beside)}
        if not wanted:
            continue
        wanted |= {source.path for source in sources if _CONFIG_MAP in source.text}
        from gpulint.source import helm

        parsed = parsed or helm.Parsed()
        known = {source.path: source for source in sources}

        def open_file(path: str, known: dict[str, Source] = known) -> Source | None:
            return known.get(path) or project.open_file(path)

        chart = helm.load_chart(folder, open_file, list_files)
        if chart is None:
            plain += sources
            continue
        kinds: Counter[str] = Counter()

        def keeps(
            path: str,
            text: str,
            kinds: Counter[str] = kinds,
            passed_over: dict[tuple[str, str], list[str]] = project.passed_over,
        ) -> bool:
            kinds.update(_kind().findall(text))
            if matters(text) or _CONFIG_MAP in text:
                return True
            identity = identity_of(text)
            if identity is not None:
                passed_over.setdefault(identity, []).append(path)
            return False

        rendered = helm.render_chart(chart, open_file, list_files, parsed, wanted, keeps)
        failed = {template.path for template in rendered.unread}
        unread += rendered.unread
        plain += [source for source in sources if source.path in failed]
        paths = [path for each in chart.all() for path in each.templates]
        project.releases.update(dict.fromkeys(paths, folder))
        if any(path in scope for path in _other_files(chart, charts)):
            scope.update(paths)
        for each in chart.all():
            for source in each.templates.values():
                if "{{" not in source.text:
                    kinds.update(_kind().findall(source.text))
        running, scalers = _read_release(rendered, chart, kinds, project, read)
        refs = {each.place.sort_key(): each.ref for each in (*scalers, *running)}
        for file, holder in _other_values(folder, project, list_files, _serves(running), bool(scalers)):
            with_file = helm.load_chart(folder, open_file, list_files, file)
            if with_file is not None:
                variant = Project(open_file=project.open_file, releases=project.releases)
                keeps_again = partial(keeps, passed_over=variant.passed_over)
                again = helm.render_chart(with_file, open_file, list_files, parsed, wanted, keeps_again)
                _read_variant(again, file, holder, refs, variant, project, read)
    return unread, plain


def _values_texts(folder: str, charts: Charts, project: Project) -> str:
    """The texts of the values of a chart and of those below it."""
    inside = f"{folder}/charts/" if folder else "charts/"
    texts = []
    for each in sorted(charts.folders):
        if each == folder or each.startswith(inside):
            for name in _CHART_FILES[2:]:
                source = project.open_file(posixpath.join(each, name))
                if source is not None:
                    texts.append(source.text)
    return "\n".join(texts)


def _other_files(chart: Chart, charts: Charts) -> list[str]:
    """The files whose change changes what every template of a release gives."""
    found = [posixpath.join(each.folder, name) for each in chart.all() for name in _CHART_FILES]
    inside = f"{chart.folder}/" if chart.folder else ""
    return found + [path for path in charts.partials if path.startswith(inside)]


def _read_release(
    release: Release, chart: Chart, kinds: Counter[str], project: Project, read: Read
) -> tuple[list[Workload], list[Autoscaler]]:
    """Adds the objects of a release, which has documents of these kinds; gives its workloads and autoscalers."""
    workloads, scalers = len(project.workloads), len(project.autoscalers)
    for rendered in release.documents:
        own_workloads, own_scalers = len(project.workloads), len(project.autoscalers)
        read(rendered.document, project)
        if _CONFIG_MAP in rendered.document.text:
            project.rendered_config_maps.append(rendered.document.root)
        for workload in project.workloads[own_workloads:]:
            for pod in workload.pods:
                pod.complete, pod.of_chart = False, True  # who installs the chart may add to it
        for scaler in project.autoscalers[own_scalers:]:
            _settle(scaler, gated=rendered.gated)
    own, running = project.autoscalers[scalers:], project.workloads[workloads:]
    _join_values(chart, kinds, project, running, own)
    _join_by_kind(own, running, kinds)
    return running, own


def _other_values(
    folder: str, project: Project, list_files: Callable[[str], list[str]], serves: bool, scales: bool
) -> list[tuple[Source, Workload | None]]:
    """Files of values beside a chart, or in folders of its own for them, that may change what matters.

    With each, what the reader of values has found in it. One that says enough by itself is left out. `serves` and
    `scales` say whether the chart gives by default what holds GPUs or an engine, and an autoscaler.
    """
    folders = {posixpath.join(folder, name) for name in ("", "ci", "values", "examples")} | {folder}
    holders: dict[str, list[Workload]] = {}
    for workload in project.workloads:
        if workload.ref.kind in _OF_VALUES and posixpath.dirname(workload.place.source.path) in folders:
            holders.setdefault(workload.place.source.path, []).append(workload)
    found: list[tuple[Source, Workload | None]] = []
    for path in list_files(folder):
        name = posixpath.basename(path)
        is_values = "values" in name or posixpath.basename(posixpath.dirname(path)) in ("ci", "values")
        if not is_values or not name.endswith((".yaml", ".yml")) or name in _CHART_FILES:
            continue
        if posixpath.dirname(path) not in folders or len(found) >= _MOST_VALUES:
            continue
        own = holders.get(path, [])
        source = project.open_file(path)
        if source is None or len(own) > 1 or any(workload.autoscalers for workload in own):
            continue
        if own:
            if scales and own[0].uses_gpus:
                found.append((source, own[0]))
        elif serves or any(word in source.text for word in _serving_words()):
            found.append((source, None))
    return found


@cache
def _serving_words() -> tuple[str, ...]:
    from gpulint import engines
    from gpulint.readers._pods import ACCELERATOR_WORDS

    return (*ACCELERATOR_WORDS, *engines.marks())


def _read_variant(
    release: Release,
    file: Source,
    holder: Workload | None,
    refs: dict[tuple[str, int, int], ObjectRef],
    scratch: Project,
    project: Project,
    read: Read,
) -> None:
    """Adds what a chart makes of the values in a file: workloads, and the autoscalers of those that hold accelerators.

    Where the reader of values has found a workload in it, `holder`, that one stands for the chart's. `refs` are the
    objects that the default values give, by their places: what holds for several forms of one is told once.
    """
    for rendered in release.documents:
        workloads, scalers = len(scratch.workloads), len(scratch.autoscalers)
        read(rendered.document, scratch)
        for workload in scratch.workloads[workloads:]:
            workload.ref = refs.get(workload.place.sort_key(), workload.ref)
            workload.values = Place(file, 0, 0)
            for pod in workload.pods:
                pod.complete, pod.of_chart = False, True
        for scaler in scratch.autoscalers[scalers:]:
            scaler.ref = refs.get(scaler.place.sort_key(), scaler.ref)
            _settle(scaler, gated=True)
    scratch.join()
    running = [workload for workload in scratch.workloads if workload.uses_gpus or workload.engines]
    added = [s for s in scratch.autoscalers if s.workload is not None and s.workload.uses_gpus]
    project.autoscalers += added
    for workload in running:
        workload.overlay = file.path  # only now: a join passes over overlays
    if holder is None:
        project.workloads += running
        return
    holder.autoscalers += added
    for scaler in added:
        scaler.workload = holder


def _serves(workloads: list[Workload]) -> bool:
    return any(workload.uses_gpus or workload.engines for workload in workloads)


def _settle(scaler: Autoscaler, *, gated: bool) -> None:
    """What a chart's autoscaler does not say, who installs the chart may say.

    One that is switched off by default is an alternative to what is not: it is nothing beside that.
    """
    scaler.default_metric = scaler.default_min_replicas = scaler.default_max_replicas = None
    if gated:
        scaler.complete = False


# -- the values of the chart, read by themselves


def _join_values(
    chart: Chart, kinds: Counter[str], project: Project, workloads: list[Workload], scalers: list[Autoscaler]
) -> None:
    """Keeps one of two readings of a chart's values: the templates', where these give what holds GPUs or an engine."""
    paths = {posixpath.join(chart.folder, name) for name in _CHART_FILES[2:]}
    of_values = [w for w in project.workloads if w.ref.kind in _OF_VALUES and w.place.source.path in paths]
    if not of_values:
        return
    if _serves(workloads):
        elsewhere = _dependencies_elsewhere(chart)
        replaced = {id(w) for w in of_values if not elsewhere & set(_steps(w.place))}
        project.workloads[:] = [w for w in project.workloads if id(w) not in replaced]
        project.autoscalers[:] = [
            s for s in project.autoscalers if s.ref.kind != "Values" or id(s.workload) not in replaced
        ]
        return
    # What the autoscalers of the chart scale is not among its templates that could be read.
    lone = [s for s in scalers if s.workload is None and s.target is not None and not kinds[s.target.kind]]
    holders = [workload for workload in of_values if workload.uses_gpus]
    if len(holders) != 1 or not lone:
        return
    project.autoscalers[:] = [s for s in project.autoscalers if s.ref.kind != "Values" or s.workload is not holders[0]]
    holders[0].autoscalers[:] = lone
    for scaler in lone:
        scaler.workload = holders[0]


def _join_by_kind(scalers: list[Autoscaler], workloads: list[Workload], kinds: Counter[str]) -> None:
    """Gives an autoscaler whose target has no such name the only workload of its kind in the release.

    What a chart calls its objects depends on the name of the release, which nobody has given yet.
    """
    by_kind: dict[str, list[Workload]] = {}
    for workload in workloads:
        by_kind.setdefault(workload.ref.kind, []).append(workload)
    for scaler in scalers:
        target = scaler.target
        if target is None or scaler.workload is not None or kinds[target.kind] != 1:
            continue
        alike = by_kind.get(target.kind, [])
        if len(alike) == 1 and alike[0].ref.name != target.name:
            scaler.workload = alike[0]
            alike[0].autoscalers.append(scaler)


def _dependencies_elsewhere(chart: Chart) -> set[str]:
    """The charts that this one takes in and that are not in its folder, as its values call them."""
    entries = chart.metadata.get("dependencies")
    named = {
        str(entry.get("alias") or entry.get("name"))
        for entry in (entries if isinstance(entries, list) else [])
        if isinstance(entry, dict)
    }
    return named - {subchart.name for subchart in chart.subcharts}


def _steps(place: Place) -> list[str]:
    found = []
    path = place.path
    while path is not None:
        path, step = path
        found.append(str(step))
    return found
