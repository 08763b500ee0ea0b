"""Files to project: every file is read once, parsed where it can matter, and handed to the readers."""

from __future__ import annotations

import gc
import os
import posixpath
import stat
import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import field
from functools import cache
from typing import TYPE_CHECKING

from gpulint import readers
from gpulint.discovery import KUSTOMIZATION_NAMES, REPOSITORY_MARKERS, Files, is_inside, project_root
from gpulint.model.project import Project
from gpulint.readers._charts import Charts, read_charts
from gpulint.record import record
from gpulint.source.text import NotText, Source, decode
from gpulint.source.yaml import Document, Problem, Template, documents

if TYPE_CHECKING:
    from gpulint.model.host import KnownHost

# No manifest is this large; a file that is would keep the run busy for a minute.
_LARGEST_FILE_BYTES = 32 * 2**20
STDIN = "<stdin>"
_ENVIRONMENT_SUFFIX = ".env"
_CONFIG_MAP = "kind: ConfigMap"
# What comments to gpulint begin with.
_DIRECTIVE = b"gpulint:"
# As far as the name of an interpreter may reach into a script.
_FIRST_LINE = 128
# A folder that holds more is not one of templates.
_MOST_FILES_OF_A_CHART = 2000
_OPEN_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)


@record
class Loaded:
    """What the files of a run hold. `scope` are the report paths of the files that were named.

    `noted` are the files that hold gpulint's own word, which may be comments that ignore findings. `whole` says that
    nothing of the project was left out.
    """

    project: Project
    problems: list[Problem] = field(default_factory=list)
    templates: list[Template] = field(default_factory=list)
    scope: set[str] = field(default_factory=set)
    noted: dict[str, Source] = field(default_factory=dict)
    whole: bool = True
    charts: Charts = field(default_factory=Charts)


def load(files: Files, stdin: bytes | None = None, hosts: Iterable[KnownHost] = ()) -> Loaded:
    """Reads the files of a run into one project, joined; `hosts` are those to check it against.

    Nothing that cannot be read stops the rest.
    """
    loaded = Loaded(Project(hosts=list(hosts)), problems=list(files.problems))
    # What is read is kept until the end or freed by reference counts: cycle collection only costs time here.
    collecting = gc.isenabled()
    gc.disable()
    try:
        if stdin is not None:
            loaded.scope.add(STDIN)
            _read(STDIN, stdin, loaded, in_scope=True, named=True)
        in_scope = set(files.scope)
        loaded.project.open_file = _opener(files, loaded.scope)
        loaded.project.repository_of = _repositories(files.root)
        paths = {path: shown_path(path) for path in sorted({*files.scope, *files.context})}
        loaded.charts.note(paths.values())
        for path, shown in paths.items():
            if path in in_scope:
                loaded.scope.add(shown)
            try:
                data = read_bytes(path, files)
            except OSError as error:
                if path in in_scope:
                    loaded.problems.append(Problem(shown, None, _why(error)))
                continue
            _read(shown, data, loaded, in_scope=path in in_scope, named=path in files.named)
        _read_charts(loaded, _lister(files))
        kustomizations = files.kustomizations
        cache: dict[str, list[str]] = {}

        def read_kustomizations() -> dict[str, list[str]]:
            if kustomizations and not cache:
                cache.update({posixpath.dirname(shown_path(p)): _kustomization_entries(p) for p in kustomizations})
            return cache

        loaded.project.kustomizations = read_kustomizations
        whole = bool(files.named) or files.root in files.folders
        loaded.whole = files.root in files.folders or (bool(files.named) and project_root(files.root) == files.root)
        _read_referenced(loaded, [shown_path(path) for path in kustomizations], whole=whole)
        loaded.project.join()
    finally:
        if collecting:
            gc.enable()
    return loaded


def load_texts(texts: Mapping[str, str]) -> Loaded:
    """A project of texts by their paths, all in scope: what the examples of rule pages are.

    A text whose name begins with `host` and ends in `.json` is a host that is being measured.
    """
    loaded = Loaded(Project(), scope=set(texts))
    sources = {path: Source(path, text) for path, text in sorted(texts.items())}
    loaded.project.open_file = sources.get
    loaded.noted = {path: source for path, source in sources.items() if _DIRECTIVE.decode() in source.text}
    loaded.charts.note(sources)
    for path, source in sources.items():
        name = posixpath.basename(path)
        if name.startswith("host") and name.endswith(".json"):
            from gpulint.live.hostfile import read_host_text

            loaded.project.hosts.append(read_host_text(source, current=True))
        elif not path.endswith(_ENVIRONMENT_SUFFIX) and name not in KUSTOMIZATION_NAMES:
            _read_text(source, loaded, in_scope=True)
    _read_charts(loaded, lambda folder: [path for path in sources if path.startswith(f"{folder}/")])
    kustomizations = [path for path in sources if posixpath.basename(path) in KUSTOMIZATION_NAMES]
    _read_referenced(loaded, kustomizations, whole=True)
    loaded.project.join()
    return loaded


def _read_referenced(loaded: Loaded, kustomizations: list[str], *, whole: bool) -> None:
    try:
        readers.read_referenced(loaded.project, kustomizations, whole=whole)
    except Exception as error:  # what the files say by themselves is known all the same
        loaded.problems.append(internal_error(kustomizations[0] if kustomizations else "gpulint", None, error))


def _read_charts(loaded: Loaded, list_files: Callable[[str], list[str]]) -> None:
    if not loaded.charts.templates:
        return
    before = set(loaded.scope)
    try:
        unread, plain = read_charts(loaded.charts, loaded.project, list_files, loaded.scope, readers.read)
    except Exception as error:
        loaded.problems.append(internal_error(next(iter(loaded.charts.templates)), None, error))
        return
    found = {template.path: template for template in unread}
    for source in plain:
        # Braces in it may be meant for somebody else: an alert's annotations, a dashboard, Jinja.
        for document in documents(source, readers.matters):
            if isinstance(document, Document):
                _read_document(document, loaded)
            elif isinstance(document, Template) and document.language != "Helm":
                found[source.path] = document
    loaded.templates += [template for path, template in sorted(found.items()) if path in before]


def _lister(files: Files) -> Callable[[str], list[str]]:
    """Gives the files of the project below a folder, by report paths."""
    root = os.path.realpath(files.root)

    def list_files(folder: str) -> list[str]:
        top = os.path.abspath(folder)
        if not is_inside(os.path.realpath(top), root):
            return []
        found = []
        for above, folders, names in os.walk(top):
            folders.sort()
            found += [shown_path(os.path.join(above, name)) for name in sorted(names)]
            if len(found) > _MOST_FILES_OF_A_CHART:
                break
        return found

    return list_files


def _opener(files: Files, scope: set[str]) -> Callable[[str], Source | None]:
    """Gives files of the project that others name, by their report paths; None for what lies outside or is no text.

    What lies in a folder that was named belongs to the scope.
    """
    root = os.path.realpath(files.root)
    known: dict[str, Source | None] = {}
    real_folder = cache(os.path.realpath)  # it asks about every folder above: once for all files of a folder

    def open_file(shown: str) -> Source | None:
        if shown not in known:
            path = os.path.abspath(shown)
            known[shown] = None
            above, name = os.path.split(path)
            target = os.path.join(real_folder(above), name)
            if is_inside(os.path.realpath(target) if os.path.islink(target) else target, root):
                try:
                    known[shown] = Source(shown, decode(read_bytes(path, files)))
                except (OSError, NotText):
                    return None
                if any(is_inside(path, folder) for folder in files.folders):
                    scope.add(shown)
        return known[shown]

    return open_file


def _repositories(root: str) -> Callable[[str], str]:
    """For a path as shown, the nearest folder above it that is the top of a repository; else the root."""

    @cache
    def top(folder: str) -> str:
        if folder == root or not is_inside(folder, root):
            return root
        if any(os.path.lexists(os.path.join(folder, marker)) for marker in REPOSITORY_MARKERS):
            return folder
        return top(os.path.dirname(folder))

    return lambda shown: top(os.path.dirname(os.path.abspath(shown)))


def shown_path(path: str) -> str:
    """An absolute path as a report shows it: relative to the current folder, with slashes."""
    folder, name = os.path.split(path)
    above = _relative_folder(folder, os.getcwd())
    return name if above == os.curdir else f"{above}/{name}".replace(os.sep, "/")


@cache
def _relative_folder(folder: str, current: str) -> str:
    return os.path.relpath(folder, current)


def read_bytes(path: str, files: Files) -> bytes:
    """What a run reads in a file. Raises OSError, also for what is no file and for one that is too large."""
    if files.contents:
        found = files.contents.get(os.path.realpath(path))
        if found is not None:
            return found
    return _read_bytes(path)


def _read_bytes(path: str) -> bytes:
    # O_NONBLOCK: what was a file when it was found may be a pipe by now, and opening one waits for its writer.
    with open(os.open(path, _OPEN_FLAGS), "rb", buffering=0) as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise OSError("is a directory" if stat.S_ISDIR(status.st_mode) else "not a regular file")
        if status.st_size > _LARGEST_FILE_BYTES:
            raise OSError(f"larger than {_LARGEST_FILE_BYTES // 1024} KiB, which no manifest is")
        return file.readall()


def _why(error: OSError) -> str:
    if isinstance(error, PermissionError):
        return "no permission to read it"
    return error.strerror.lower() if error.strerror else str(error)


def _read(shown: str, data: bytes, loaded: Loaded, *, in_scope: bool, named: bool) -> None:
    if shown.endswith(_ENVIRONMENT_SUFFIX):
        return  # no manifest: it is read where one names it
    if _DIRECTIVE in data:
        with suppress(NotText):  # said below, if it matters
            loaded.noted[shown] = Source(shown, decode(data))
    reader = readers.text_reader(shown, data[:_FIRST_LINE].decode("latin-1"))
    if reader is not None and not reader.matters(data):
        return
    try:
        text = decode(data)
    except NotText as error:
        # A stray file of another encoding that says nothing about GPUs is nobody's concern unless it was named.
        if in_scope and (named or reader is not None or readers.matters(data.decode("latin-1"))):
            loaded.problems.append(Problem(shown, error.line, error.reason))
        return
    _read_text(Source(shown, text), loaded, in_scope=in_scope)


def _read_text(source: Source, loaded: Loaded, *, in_scope: bool) -> None:
    reader = readers.text_reader(source.path, source.text[:_FIRST_LINE])
    if reader is not None:
        try:
            reader.read(source, loaded.project)
        except Exception as error:
            loaded.problems.append(internal_error(source.path, None, error))
        return
    if loaded.charts.takes(source):
        return
    if _CONFIG_MAP in source.text:
        loaded.project.config_map_files.append(source.path)
    passed_over = loaded.project.passed_over

    def matters(text: str) -> bool:
        if readers.matters(text):
            return True
        identity = readers.identity(text)
        if identity is not None:
            passed_over.setdefault(identity, []).append(source.path)
        return False

    for document in documents(source, matters):
        if isinstance(document, Problem):
            if in_scope:
                loaded.problems.append(document)
        elif isinstance(document, Template):
            if in_scope:
                loaded.templates.append(document)
        else:
            _read_document(document, loaded)


def _read_document(document: Document, loaded: Loaded) -> None:
    try:
        readers.read(document, loaded.project)
    except Exception as error:  # one broken document must not cost the others their check
        line = document.source.position(document.locate(0))[0]
        loaded.problems.append(internal_error(document.source.path, line, error))


def internal_error(path: str, line: int | None, error: Exception) -> Problem:
    """A fault of gpulint itself, as one line that a bug report can start from."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    where = ""
    if trace is not None:
        where = f" at {os.path.basename(trace.tb_frame.f_code.co_filename)}:{trace.tb_lineno}"
    return Problem(path, line, f"internal error, please report it: {type(error).__name__}: {error}{where}")


def _kustomization_entries(path: str) -> list[str]:
    """The files and folders that a kustomization names (resources, bases, components, patches)."""
    try:
        text = decode(_read_bytes(path))
    except (OSError, NotText):
        return []
    entries: list[str] = []
    for document in documents(Source(shown_path(path), text)):
        if not isinstance(document, Document):
            continue
        for key in ("resources", "bases", "components", "patchesStrategicMerge", "patches"):
            node = document.root.get(key)
            for element in node.elements() if node is not None else ():
                entry = element if element.is_scalar else element.get("path")
                if entry is not None and entry.text is not None and "://" not in entry.text:
                    entries.append(entry.text)
    return [sys.intern(entry) for entry in entries]
