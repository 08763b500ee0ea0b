"""Helm charts: what a chart makes of its own default values, as documents whose nodes know their places in templates,
and in the values that these write.

Nothing is fetched, and no file outside of the project is read. What a release learns only when it is installed, and
what comes from a chart that is not in the project, is unknown: see `gotemplate.unknown`.
Source: Helm v3, pkg/chartutil (coalesce.go, dependencies.go, values.go) and pkg/engine (engine.go, funcs.go).
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Container, Iterator
from copy import copy
from dataclasses import dataclass, field
from functools import cache, partial
from typing import NamedTuple

from gpulint.source.gotemplate.budget import Budget
from gpulint.source.gotemplate.evaluate import Machine, Methods, Unknowns
from gpulint.source.gotemplate.formats import data_of
from gpulint.source.gotemplate.lexer import SyntaxProblem
from gpulint.source.gotemplate.nodes import Node, Template
from gpulint.source.gotemplate.origins import Path
from gpulint.source.gotemplate.parser import parse
from gpulint.source.gotemplate.provenance import Provenance
from gpulint.source.gotemplate.render import FailedAt, Rendering, render
from gpulint.source.gotemplate.unknown import MARK, PartlyKnown, TemplateProblem, unknown
from gpulint.source.text import Source
from gpulint.source.yaml import Document, documents, rendered_documents
from gpulint.source.yaml import Node as YamlNode
from gpulint.source.yaml import Template as Unread

OpenFile = Callable[[str], Source | None]
# Gives the paths of the files below a folder.
ListFiles = Callable[[str], list[str]]

TEMPLATES = "templates"
CHART_NAMES = ("Chart.yaml", "Chart.yml")
VALUES_NAMES = ("values.yaml", "values.yml")
_SUFFIXES = (".yaml", ".yml", ".tpl", ".json")
_DEEPEST_CHART = 4
_MOST_FILES = 500
_LONGEST_FILE = 1_000_000
# Lines of a document that are looked at for what they stand for.
_MOST_UNKNOWN = 2000
# What one chart may take, and all charts of a run: about three and fifteen seconds at the worst.
_STEPS, _CHARACTERS = 300_000, 20_000_000
_MOST_STEPS, _MOST_CHARACTERS = 1_500_000, 100_000_000
# A release of Kubernetes and of Helm as of 2026-11; what a chart asks of them are lower bounds.
_KUBERNETES = "v1.34.0"
_HELM = "v3.19.0"


class Layer(NamedTuple):
    """Values as they are written. What a chart finds below the keys of `at` stands in `root` below those of `above`."""

    root: YamlNode
    above: Path = ()
    at: Path = ()

    def node(self, path: Path) -> YamlNode | None:
        """The node at a path below the values of the chart."""
        if path[: len(self.at)] != self.at:
            return None
        return self.root.at(*self.above, *path[len(self.at) :])

    def seen_from(self, chart: str) -> Iterator[Layer]:
        """What a chart below has of it, by its name, and as what all charts share."""
        for name, key in ((chart, ()), ("global", ("global",))):
            if not self.at:
                yield Layer(self.root, (*self.above, name), key)
            elif self.at[0] == name:
                yield Layer(self.root, self.above, (*key, *self.at[1:]))


@dataclass(slots=True, eq=False)
class Chart:
    """A chart in a folder, its values laid together with those that its parent gives it.

    `templates` are its files by path. `path` tells it from the other charts of a release. `layers` are the files that
    the values stand in, the first of which that has one has the last word.
    """

    folder: str
    name: str
    metadata: dict[str, object]
    values: dict[str, object]
    templates: dict[str, Source]
    subcharts: list[Chart] = field(default_factory=list)
    path: str = ""
    layers: list[Layer] = field(default_factory=list)

    def node_at(self, path: Path) -> YamlNode | None:
        """The node of what stands at a path below the dot of a template."""
        if path[:1] != ("Values",) or len(path) == 1:
            return None
        return next((node for layer in self.layers if (node := layer.node(path[1:])) is not None), None)

    @property
    def is_library(self) -> bool:
        return self.metadata.get("type") == "library"

    def all(self) -> Iterator[Chart]:
        """The charts of the release: those below first, whose definitions the ones above replace."""
        for subchart in self.subcharts:
            yield from subchart.all()
        yield self


@dataclass(slots=True, eq=False)
class Rendered:
    """A document of a release. `gated` says that the default values switch it off."""

    document: Document
    gated: bool


@dataclass(slots=True, eq=False)
class Release:
    """What a chart gives: its documents in the order of its files, and the files that could not be rendered."""

    documents: list[Rendered] = field(default_factory=list)
    unread: list[Unread] = field(default_factory=list)


def load_chart(folder: str, open_file: OpenFile, list_files: ListFiles, values: YamlNode | None = None) -> Chart | None:
    """The chart in a folder with the values that hold by default, or with others over them.

    None where there is no chart, or other values are too large.
    """
    try:
        given = data_of(values) if values is not None else None
    except TemplateProblem:
        return None
    chart = _chart(folder, open_file, list_files, given if isinstance(given, dict) else {})
    if chart is not None:
        if values is not None:
            chart.layers.insert(0, Layer(values))
        _lay_together(chart, {}, [])
    return chart


def _chart(
    folder: str,
    open_file: OpenFile,
    list_files: ListFiles,
    given: dict[str, object],
    path: str = "",
    depth: int = 0,
) -> Chart | None:
    metadata, _ = _mapping_in(folder, CHART_NAMES, open_file)
    values, root = _mapping_in(folder, VALUES_NAMES, open_file)
    if (metadata is None and values is None) or depth > _DEEPEST_CHART:
        return None
    given_name = metadata.get("name") if metadata is not None else None
    name = given_name if isinstance(given_name, str) and given_name else posixpath.basename(folder) or "chart"
    chart = Chart(folder, name, metadata or {}, _over(given, values or {}, 0), {}, path=path)
    if root is not None:
        chart.layers.append(Layer(root))
    below = posixpath.join(folder, TEMPLATES)
    for file in list_files(below)[:_MOST_FILES]:
        source = open_file(file) if file.endswith(_SUFFIXES) else None
        if source is not None and len(source.text) <= _LONGEST_FILE:
            chart.templates[file] = source
    dependencies = _dependencies(chart.metadata)
    for sub in _subfolders(posixpath.join(folder, "charts"), list_files):
        subchart = _chart(sub, open_file, list_files, {}, f"{path}{posixpath.basename(sub)}.", depth + 1)
        if subchart is None:
            continue
        asked = [entry for entry in dependencies if entry.get("name") == subchart.name]
        if asked and not any(_is_enabled(entry, chart.values) for entry in asked):
            continue
        alias = asked[0].get("alias") if asked else None
        if isinstance(alias, str) and alias:
            subchart.name = alias
        chart.subcharts.append(subchart)
    inside = {subchart.name for subchart in chart.subcharts}
    for entry in dependencies:
        alias = entry.get("alias") or entry.get("name")
        if isinstance(alias, str) and alias not in inside and not chart.is_library:
            _take_in_values(chart, alias, entry, open_file)
    return chart


def _dependencies(metadata: dict[str, object]) -> list[dict[str, object]]:
    return [entry for entry in _list(metadata.get("dependencies")) if isinstance(entry, dict)]


def _take_in_values(chart: Chart, name: str, dependency: dict[str, object], open_file: OpenFile) -> None:
    """The values of a chart that is not in this one's folder: those of a chart beside it, else in part unknown."""
    own = chart.values.get(name)
    section = own if isinstance(own, dict) else {}
    beside = _beside(chart.folder, dependency)
    values, root = _mapping_in(beside, VALUES_NAMES, open_file) if beside is not None else (None, None)
    if values is not None:
        chart.values[name] = _over(section, values, 0)
        if root is not None:
            chart.layers.append(Layer(root, (), (name,)))
    elif own is None or isinstance(own, dict):
        chart.values[name] = PartlyKnown(section, f"Values.{name}")


def _beside(folder: str, dependency: dict[str, object]) -> str | None:
    """The folder of a dependency whose repository is a folder of the project."""
    repository = dependency.get("repository")
    if not isinstance(repository, str) or not repository.startswith("file://"):
        return None
    path = posixpath.normpath(posixpath.join(folder, repository.removeprefix("file://")))
    return path if not posixpath.isabs(path) else None


def _subfolders(folder: str, list_files: ListFiles) -> list[str]:
    prefix = folder + "/"
    names = {file[len(prefix) :].partition("/")[0] for file in list_files(folder) if file.count("/", len(prefix))}
    return [prefix + name for name in sorted(names)]


def _mapping_in(
    folder: str, names: tuple[str, ...], open_file: OpenFile
) -> tuple[dict[str, object] | None, YamlNode | None]:
    """The mapping that the first of these files holds, as templates see it, and as it is written.

    None where it cannot be read.
    """
    source = next((source for name in names if (source := open_file(posixpath.join(folder, name))) is not None), None)
    if source is None:
        return None, None
    first = next(documents(source), None)
    if not isinstance(first, Document):
        return ({} if first is None else None), None
    try:
        found = data_of(first.root)
    except TemplateProblem:
        return None, None
    return (found, first.root) if isinstance(found, dict) else ({}, None)


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _is_enabled(dependency: dict[str, object], values: dict[str, object]) -> bool:
    """The first path of `condition` that leads to a boolean decides; then tags, any of which switches it on."""
    condition = dependency.get("condition")
    for path in str(condition or "").split(","):
        found: object = values
        for step in path.strip().split("."):
            found = found.get(step) if isinstance(found, dict) else None
        if isinstance(found, bool):
            return found
    tags = values.get("tags")
    set_tags = [tags[tag] for tag in _list(dependency.get("tags")) if isinstance(tags, dict) and tag in tags]
    return not set_tags or any(tag is True for tag in set_tags)


def _lay_together(chart: Chart, given: dict[str, object], above: list[Layer]) -> None:
    """Lays what the parent gives over the chart's own values, and hands on to the charts below.

    `above` are the layers of what is given.
    """
    chart.values = _over(given, chart.values, 0)
    chart.layers = [*above, *chart.layers]
    shared = chart.values.get("global")
    for subchart in chart.subcharts:
        section = chart.values.get(subchart.name)
        handed = copy(section) if isinstance(section, dict) else {}
        if isinstance(shared, dict):
            own = handed.get("global")
            handed["global"] = _over(shared, own if isinstance(own, dict) else {}, 0)
        handed_layers = [seen for layer in chart.layers for seen in layer.seen_from(subchart.name)]
        _lay_together(subchart, handed, handed_layers)
        chart.values[subchart.name] = subchart.values
        own = subchart.layers[len(handed_layers) :]
        chart.layers += [Layer(layer.root, layer.above, (subchart.name, *layer.at)) for layer in own]


def _over(upper: dict[str, object], lower: dict[str, object], depth: int) -> dict[str, object]:
    """Two mappings of values laid together; null above takes away what is below."""
    found = copy(upper)
    for key, value in lower.items():
        if key not in upper:
            found[key] = value
            continue
        above = upper[key]
        if above is None:
            del found[key]
        elif isinstance(above, dict) and isinstance(value, dict) and depth < 60:
            found[key] = _over(above, value, depth + 1)
    return found


# -- rendering


class Parsed:
    """Templates, each parsed once; those that are none are remembered with the reason.

    `left` is what all charts of a run may take together.
    """

    def __init__(self) -> None:
        self.files: dict[str, Template | SyntaxProblem] = {}
        self.left = Budget(_MOST_STEPS, _MOST_CHARACTERS)

    def of(self, source: Source) -> Template | SyntaxProblem:
        found = self.files.get(source.path)
        if found is None:
            try:
                found = parse(source.text)
            except SyntaxProblem as error:
                found = error
            except RecursionError:
                found = SyntaxProblem(0, "nested too deeply")
            self.files[source.path] = found
        return found


def render_chart(
    chart: Chart,
    open_file: OpenFile,
    list_files: ListFiles,
    parsed: Parsed,
    wanted: Container[str],
    matters: Callable[[str, str], bool],
) -> Release:
    """The documents of a chart and of the charts below it: those of the files whose paths are `wanted`.

    `matters` decides from the path of a file and the text of a document that it wrote whether that one is parsed.
    """
    release = Release()
    charts = list(chart.all())
    defined = _definitions(charts, parsed, open_file, list_files)
    left, unknowns = parsed.left, Unknowns()
    budget = Budget(min(_STEPS, left.steps), min(_CHARACTERS, left.characters))
    left.steps -= budget.steps
    left.characters -= budget.characters
    for each in charts:
        if each.is_library:
            continue
        machine = Machine(defined, budget, unknowns, each.path)
        for source in each.templates.values():
            if source.path not in wanted or posixpath.basename(source.path).startswith("_"):
                continue
            template = parsed.of(source)
            if isinstance(template, SyntaxProblem):
                release.unread.append(_unread(source, template.at, template.reason))
                continue
            dot = _dot(chart, each, source, open_file)
            try:
                renderings = render(template.nodes, dot, machine)
            except FailedAt as error:
                try:  # it asks for values that whoever installs it gives
                    renderings = render(template.nodes, dot, machine, given=True)
                except FailedAt:
                    release.unread.append(_unread(source, error.at, error.reason))
                    continue
            for rendering in renderings:
                _add_documents(rendering, source, each, release, partial(matters, source.path))
    left.steps += max(budget.steps, 0)
    left.characters += max(budget.characters, 0)
    return release


def _unread(source: Source, at: int, reason: str) -> Unread:
    return Unread(source.path, source.position(min(at, len(source.text)))[0], "Helm", reason)


def _definitions(
    charts: list[Chart], parsed: Parsed, open_file: OpenFile, list_files: ListFiles
) -> dict[str, list[Node]]:
    """The templates that any file defines, those of charts beside this one that it depends on included."""
    defined: dict[str, list[Node]] = {}
    seen: set[str] = set()

    def add(sources: Iterator[Source] | list[Source]) -> None:
        for source in sources:
            template = parsed.of(source) if "define" in source.text or "block" in source.text else None
            if isinstance(template, Template):
                defined.update(template.defined)

    def add_beside(folder: str, metadata: dict[str, object], depth: int) -> None:
        for entry in _dependencies(metadata):
            other = _beside(folder, entry)
            if other is None or other in seen or depth > _DEEPEST_CHART:
                continue
            seen.add(other)
            add_beside(other, _mapping_in(other, CHART_NAMES, open_file)[0] or {}, depth + 1)
            files = list_files(posixpath.join(other, TEMPLATES))[:_MOST_FILES]
            add([s for file in files if file.endswith(_SUFFIXES) and (s := open_file(file)) is not None])

    for chart in charts:
        add_beside(chart.folder, chart.metadata, 0)
        add(list(chart.templates.values()))
    return defined


def _dot(top: Chart, chart: Chart, source: Source, open_file: OpenFile) -> dict[str, object]:
    """What `.` is in a template."""

    def file(name: object = "") -> object:
        if not isinstance(name, str):
            raise TemplateProblem("the name of a file must be a text")
        path = posixpath.normpath(posixpath.join(chart.folder, name))
        inside = not chart.folder or path.startswith(chart.folder + "/")
        found = open_file(path) if inside and not path.startswith("..") else None
        return found.text if found is not None else unknown("Files.Get")

    def not_known(*_: object) -> object:
        return unknown("Files")

    relative = source.path[len(chart.folder) :].lstrip("/")
    return {
        "Values": chart.values,
        "Chart": {
            "IsRoot": chart is top,
            **{key[:1].upper() + key[1:]: each for key, each in chart.metadata.items()},
            "Name": chart.name,
        },
        "Release": {
            "Name": top.name,
            "Namespace": unknown("Release.Namespace"),
            "IsInstall": True,
            "IsUpgrade": False,
            "Revision": 1,
            "Service": "Helm",
        },
        "Capabilities": {
            "APIVersions": Methods({"Has": lambda _name: True}),
            "KubeVersion": Methods(
                {"Version": _KUBERNETES, "GitVersion": _KUBERNETES, "Major": "1", "Minor": "34"}, _KUBERNETES
            ),
            "HelmVersion": {"Version": _HELM, "GitCommit": "", "GitTreeState": "clean", "GoVersion": "go1.24"},
        },
        "Template": {
            "Name": posixpath.join(chart.name, relative),
            "BasePath": posixpath.join(chart.name, TEMPLATES),
        },
        "Files": Methods(
            {"Get": file, **dict.fromkeys(("GetBytes", "Glob", "Lines", "AsConfig", "AsSecrets"), not_known)}
        ),
        "Subcharts": unknown("Subcharts"),
    }


def _add_documents(
    rendering: Rendering, source: Source, chart: Chart, release: Release, matters: Callable[[str], bool]
) -> None:
    text, gaps = settled(rendering.text)
    find = Provenance(rendering.text, rendering.pieces, chart.node_at).place
    for found in rendered_documents(source, text, rendering.places, gaps, find, matters):
        if isinstance(found, Document):
            release.documents.append(Rendered(found, rendering.gated))
        elif not rendering.gated:
            release.unread.append(found)


# -- what is unknown, as YAML can hold it


@cache
def _ends_line() -> re.Pattern[str]:
    """What is unknown and all of a line, or all that stands behind a key."""
    return re.compile(
        rf"^(?P<before>[ \t]*|[ \t]*(?:- +)*[\w./-]+:[ \t]*)(?:{MARK}\([^()\n]*\)[ \t]*)++(?=\r?$)",
        re.MULTILINE,
    )


@cache
def _namespace() -> re.Pattern[str]:
    return re.compile(rf"""(?<=namespace:)[ \t]+(["']?){MARK}\([^()\n]*\)\1(?=[ \t\r]*$)""", re.MULTILINE)


@cache
def _block_header() -> re.Pattern[str]:
    return re.compile(r"[:-][ \t]+(?:[&!]\S+[ \t]+)*[|>][-+0-9]{0,2}[ \t]*(?:#.*)?$")


def settled(text: str) -> tuple[str, list[int]]:
    """A rendered text with what is unknown as `$(name)`, and the offsets at which lines are missing.

    What is unknown and may stand for any number of entries is left blank, unless it is all that a key has. A namespace
    that only the release knows is one that is not written. No character moves.
    """
    if MARK not in text:
        return text, []
    text = _namespace().sub(lambda match: " " * len(match[0]), text)
    gaps: list[int] = []
    parts: list[str] = []
    done = 0
    for count, match in enumerate(_ends_line().finditer(text)):
        at = match.end("before")
        if count < _MOST_UNKNOWN and _is_value(text, match.start(), at, match.end()):
            continue
        parts += (text[done:at], " " * (match.end() - at))
        done = match.end()
        gaps.append(at)
    return "".join((*parts, text[done:])).replace(MARK, "$"), gaps


def _is_value(text: str, line_start: int, at: int, end: int) -> bool:
    """Whether an unknown text that ends its line is all that a key has, or part of a block scalar."""
    line_end = text.find("\n", end)
    following = text[line_end + 1 : line_end + 20_000] if line_end >= 0 else ""
    next_line = next((line for line in following.split("\n", 50) if line.strip()), "")
    next_indent = len(next_line) - len(next_line.lstrip(" "))
    before = text[max(line_start - 20_000, 0) : line_start].rstrip("\n").split("\n") if line_start else []
    written = text[line_start:at]
    if written.strip():
        column = len(written) - len(written.lstrip(" -"))
        goes_on = next_indent > column or (next_indent == column and next_line.lstrip().startswith("- "))
        return not goes_on or _in_block(before, column)
    above = next((line for line in reversed(before) if line.strip() and not line.lstrip().startswith("#")), "")
    column = len(above) - len(above.lstrip(" -"))
    indent = at - line_start
    if above.rstrip().endswith(":") and indent > column and next_indent < indent:
        return True
    return _in_block(before, indent)


def _in_block(lines: list[str], indent: int) -> bool:
    """Whether the line behind these is part of a block scalar."""
    for line in reversed(lines):
        own = len(line) - len(line.lstrip(" "))
        if line.strip() and own < indent:
            indent = own
            if _block_header().search(line.rstrip()) and (" |" in line or " >" in line):
                return True
    return False
