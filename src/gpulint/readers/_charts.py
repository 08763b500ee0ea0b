"""Helm charts of a project: their templates, gathered while files are read and rendered when all of them are known."""

from __future__ import annotations

import posixpath
import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import field
from functools import cache
from typing import TYPE_CHECKING

from gpulint.model.autoscaler import Autoscaler
from gpulint.model.project import Project
from gpulint.model.values import ObjectRef
from gpulint.model.workload import Workload
from gpulint.record import record
from gpulint.source.text import Place, Source
from gpulint.source.yaml import Document, Node, Template, documents

if TYPE_CHECKING:
    from gpulint.source.helm import Chart, Parsed, Release

_TEMPLATES = "templates"
_CONFIG_MAP = "kind: ConfigMap"
_CHART_FILES = ("Chart.yaml", "Chart.yml", "values.yaml", "values.yml")
_PARTIALS = (".tpl", ".txt")
_MOST_VALUES = 4
_MOST_VARIANTS = 20
# What the reader of values calls what it finds in a file.
_OF_VALUES = ("Chart", "Values")

Read = Callable[[Document, Project], None]


@cache
def _kind() -> re.Pattern[str]:
    return re.compile(r"^kind:[ \t]*[\"']?(\w+)", re.MULTILINE)


@record
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
    from gpulint.readers import matters, words_in

    unread: list[Template] = []
    plain: list[Source] = []
    parsed: Parsed | None = None
    for folder, sources in sorted(charts.templates.items()):
        beside = words_in(_values_texts(folder, charts, project))
        wanted = {source.path for source in sources if matters(source.text, beside)}
        if not wanted:
            continue
        from gpulint.source import helm

        wanted |= {source.path for source in sources if _CONFIG_MAP in source.text}
        parsed = parsed or helm.Parsed()
        reader = _ChartReader(folder, sources, wanted, project, list_files, parsed, read)
        chart = reader.chart
        if chart is None:
            plain += sources
            continue
        paths = [path for each in chart.all() for path in each.templates] + [source.path for source in sources]
        project.releases.update(dict.fromkeys(paths, folder))
        if any(path in scope for path in _other_files(chart, charts)):
            scope.update(paths)
        not_rendered = reader.read_default(chart)
        unread += not_rendered
        failed = {template.path for template in not_rendered}
        plain += [source for source in sources if source.path in failed]
        reader.read_other_values()
        project.variants[folder] = reader.read_variant
    return unread, plain


class _ChartReader:
    """Reads one chart into a project: with its default values, then with others."""

    def __init__(
        self,
        folder: str,
        sources: list[Source],
        wanted: set[str],
        project: Project,
        list_files: Callable[[str], list[str]],
        parsed: Parsed,
        read: Read,
    ) -> None:
        self.folder = folder
        self.known = {source.path: source for source in sources}
        self.wanted = wanted
        self.project = project
        self.list_files = list_files
        self.parsed = parsed
        self.read = read
        self.chart = self._load(None)
        # What the default values give: how many documents of each kind, whether any serves, and the objects by place.
        self.kinds: Counter[str] = Counter()
        self.serves = self.scales = False
        self.refs: dict[tuple[str, int, int], ObjectRef] = {}
        # The files that other values may make more of.
        self.telling: set[str] = set()
        self.left = _MOST_VARIANTS

    def _open(self, path: str) -> Source | None:
        return self.known.get(path) or self.project.open_file(path)

    def _load(self, values: Node | None) -> Chart | None:
        from gpulint.source import helm

        return helm.load_chart(self.folder, self._open, self.list_files, values)

    def _render(self, chart: Chart, project: Project, kinds: Counter[str]) -> Release:
        from gpulint.readers import identity, matters
        from gpulint.source import helm

        def keeps(path: str, text: str) -> bool:
            kinds.update(_kind().findall(text))
            if matters(text) or _CONFIG_MAP in text:
                self.telling.add(path)
                return True
            if "image:" in text:
                self.telling.add(path)
            passed_over = identity(text)
            if passed_over is not None:
                project.passed_over.setdefault(passed_over, []).append(path)
            return False

        return helm.render_chart(chart, self._open, self.list_files, self.parsed, self.wanted, keeps)

    def read_default(self, chart: Chart) -> list[Template]:
        """Adds what the chart gives by default; the templates that could not be rendered."""
        project = self.project
        release = self._render(chart, project, self.kinds)
        for each in chart.all():
            for source in each.templates.values():
                if "{{" not in source.text:
                    self.kinds.update(_kind().findall(source.text))
        workloads, scalers = len(project.workloads), len(project.autoscalers)
        for rendered in release.documents:
            before = len(project.autoscalers)
            self.read(rendered.document, project)
            if _CONFIG_MAP in rendered.document.text:
                project.rendered_config_maps.append(rendered.document.root)
            for scaler in project.autoscalers[before:]:
                _settle(scaler, gated=rendered.gated)
        running, scaling = project.workloads[workloads:], project.autoscalers[scalers:]
        for workload in running:
            _mark(workload)
        _join_values(chart, self.kinds, project, running, scaling)
        _join_by_kind(scaling, running, self.kinds)
        self.serves, self.scales = _serves(running), bool(scaling)
        self.refs = {scaler.place.sort_key(): scaler.ref for scaler in scaling}
        self.refs |= {workload.place.sort_key(): workload.ref for workload in running}
        switched_off = self.wanted - {path for each in chart.all() for path in each.templates}
        self.wanted = self.telling | {template.path for template in release.unread} | switched_off
        return release.unread

    def read_other_values(self) -> None:
        """Adds what the chart makes of the files of values beside it."""
        for file, holder in _other_values(self.folder, self.project, self.list_files, self.serves, self.scales):
            values = next(documents(file), None)
            if isinstance(values, Document):
                self.read_variant(values.root, Place(file, 0, 0), holder)

    def read_variant(self, values: Node | None, place: Place, holder: Workload | None = None) -> bool:
        """Adds what other values give: workloads, and the autoscalers of those that hold accelerators.

        Where the reader of values has found a workload in them, `holder`, that one stands for the chart's. What holds
        for several forms of an object is told once. Tells whether anything serves.
        """
        chart = self._load(values) if self.left > 0 and values is not None else None
        self.left -= 1
        if chart is None:
            return False
        scratch = Project(open_file=self.project.open_file, releases=self.project.releases)
        for rendered in self._render(chart, scratch, Counter()).documents:
            before = len(scratch.autoscalers)
            self.read(rendered.document, scratch)
            for scaler in scratch.autoscalers[before:]:
                scaler.ref = self.refs.get(scaler.place.sort_key(), scaler.ref)
                _settle(scaler, gated=rendered.gated)
                scaler.complete = False  # beside those of the default values it is none more
        for workload in scratch.workloads:
            workload.ref = self.refs.get(workload.place.sort_key(), workload.ref)
            workload.values = place
            _mark(workload)
        scratch.join()
        running = [workload for workload in scratch.workloads if workload.uses_gpus or workload.engines]
        added = [s for s in scratch.autoscalers if s.workload is not None and s.workload.uses_gpus]
        self.project.autoscalers += added
        if holder is not None:
            holder.autoscalers += [scaler for scaler in added if not scaler.optional]
            for scaler in added:
                scaler.workload = holder
            return True
        for workload in running:
            workload.overlay = place.source.path  # only now: a join passes over overlays
        self.project.workloads += running
        return bool(running)


def _mark(workload: Workload) -> None:
    """Who installs a chart may add to its pods."""
    for pod in workload.pods:
        pod.complete, pod.of_chart = False, True


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


def _serves(workloads: list[Workload]) -> bool:
    return any(workload.uses_gpus or workload.engines for workload in workloads)


def _settle(scaler: Autoscaler, *, gated: bool) -> None:
    """What a chart's autoscaler does not say, who installs the chart may say.

    One that is switched off by default is an alternative to what is not: it is nothing beside that.
    """
    scaler.default_metric = scaler.default_min_replicas = scaler.default_max_replicas = None
    if gated:
        scaler.complete, scaler.optional = False, True


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
    holders[0].autoscalers[:] = [scaler for scaler in lone if not scaler.optional]
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
            if not scaler.optional:
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
