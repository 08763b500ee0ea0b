"""Which files a run reads: the scope that was named, and the project around it as context."""

from __future__ import annotations

import os
import stat
from dataclasses import field
from typing import TYPE_CHECKING

from gpulint.record import record
from gpulint.source.yaml import Problem

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

SUFFIXES = (
    ".yaml", ".yml", ".json", ".sh", ".bash", ".ksh", ".zsh", ".py", ".service", ".dockerfile", ".Dockerfile",
    ".pbtxt", ".slurm", ".sbatch",
)  # fmt: skip
_NAMES = ("Dockerfile", "Containerfile")
# Folders that hold other people's files or a tool's own: no repository keeps its manifests there.
_SKIPPED_FOLDERS = frozenset(
    {".git", ".hg", ".svn", ".terraform", ".venv", ".tox", ".nox", "node_modules", "__pycache__", ".mypy_cache"}
)
KUSTOMIZATION_NAMES = ("kustomization.yaml", "kustomization.yml", "Kustomization")
# A folder that holds one of these is the top of a project.
ROOT_MARKERS = (".git", "gpulint.toml")
# What lies at the top of a repository and nowhere else, also where it was unpacked without its history.
REPOSITORY_MARKERS = (".git", ".github", ".gitlab-ci.yml")


@record
class Files:
    """Absolute paths to read, in a fixed order. `scope` are those that were named, by themselves or by a folder.

    `folders` are the folders that were named. `contents` stands in for what real paths hold: what fixes have made of
    it, before it is written.
    """

    root: str
    scope: list[str] = field(default_factory=list)
    context: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    kustomizations: list[str] = field(default_factory=list)
    named: set[str] = field(default_factory=set)
    folders: list[str] = field(default_factory=list)
    contents: dict[str, bytes] = field(default_factory=dict)


def project_root(path: str) -> str | None:
    """The nearest folder at or above a path that is the top of a project, or None."""
    folder = path if os.path.isdir(path) else os.path.dirname(path)
    while True:
        if any(os.path.lexists(os.path.join(folder, marker)) for marker in ROOT_MARKERS):
            return folder
        parent = os.path.dirname(folder)
        if parent == folder:
            return None
        folder = parent


def discover(paths: list[str], exclude: list[str], *, context: bool = True) -> Files:
    """The files that these paths name, and the other files of their projects.

    A missing or unreadable path becomes a Problem. `exclude` holds .gitignore patterns relative to the root. Neither
    they nor .gitignore files leave out what is named itself; links are followed to files inside the folder alone.
    """
    named = [os.path.abspath(path) for path in paths]
    roots = [project_root(path) for path in named]
    files = Files(root=_common_root(named, roots))
    excluded = _spec(exclude) if exclude else None
    scope: set[str] = set()
    for shown, path in zip(paths, named, strict=True):
        if not shown:  # an unset variable in a script, not the current folder
            files.problems.append(Problem("", None, "an empty path"))
            continue
        try:
            mode = os.stat(path).st_mode
        except OSError as error:
            files.problems.append(Problem(shown, None, _reason(error)))
            continue
        if stat.S_ISDIR(mode):
            scope.update(_walk(path, files, excluded))
            files.folders.append(path)
        elif stat.S_ISREG(mode):
            # pre-commit names every changed file: what the project excludes stays excluded.
            if not _ignored(path, False, (), excluded, files.root):
                scope.add(path)
                files.named.add(path)
        else:
            files.problems.append(Problem(shown, None, "not a regular file (use - to read standard input)"))
    files.scope = sorted(scope)
    if context and any(os.path.isfile(path) for path in named):
        around: set[str] = set()
        quiet = Files(root=files.root, kustomizations=files.kustomizations)
        for root in sorted({root for root in roots if root is not None}):
            around.update(_walk(root, quiet, excluded))
        # A file that was named through a link is not a second file.
        around.difference_update(scope, [os.path.realpath(path) for path in scope])
        files.context = sorted(around)
    files.kustomizations = sorted(set(files.kustomizations))
    return files


def _common_root(named: list[str], roots: list[str | None]) -> str:
    """The folder that paths in a report are relative to where it must be the repository's (SARIF, fingerprints)."""
    cwd = os.getcwd()
    own = project_root(cwd)
    if own is not None and all(is_inside(path, own) for path in named):
        return own
    known = {root for root in roots if root is not None}
    if len(known) == 1 and None not in roots:
        return known.pop()
    if all(is_inside(path, cwd) for path in named):
        return cwd
    folders = [path if os.path.isdir(path) else os.path.dirname(path) for path in named]
    try:
        return os.path.commonpath(folders)
    except ValueError:
        return cwd


def is_inside(path: str, folder: str) -> bool:
    """Whether an absolute path is a folder or lies below it."""
    return path == folder or path.startswith(folder.rstrip(os.sep) + os.sep)


def _walk(top: str, files: Files, excluded: GitIgnoreSpec | None) -> list[str]:
    """Regular files with a suffix that we read, below a folder; what .gitignore files leave out is passed over.

    A link to a file that is found anyway is that file, not another one.
    """
    found: list[str] = []
    links: dict[str, str] = {}
    ignores = _ignores_above(top, files.root)
    if _ignored(top, True, ignores, None, files.root):
        ignores = ()  # it was named all the same, as folders of rendered manifests are
    stack: list[tuple[str, tuple[tuple[str, GitIgnoreSpec], ...]]] = [(top, ignores)]
    while stack:
        folder, above = stack.pop()
        try:
            with os.scandir(folder) as entries:
                children = sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            files.problems.append(Problem(os.path.relpath(folder), None, _reason(error)))
            continue
        ignores = above
        if any(child.name == ".gitignore" for child in children):
            spec = _read_ignore(os.path.join(folder, ".gitignore"))
            if spec is not None:
                ignores = (*above, (folder, spec))
        for child in children:
            name = child.name
            if _is_folder(child):
                if name not in _SKIPPED_FOLDERS and not _ignored(child.path, True, ignores, excluded, files.root):
                    stack.append((child.path, ignores))
            elif name.endswith(SUFFIXES) or name.startswith(_NAMES) or name == "Kustomization":
                if _ignored(child.path, False, ignores, excluded, files.root):
                    continue
                target = _regular_inside(child, top)
                if target is None:
                    continue
                if name in KUSTOMIZATION_NAMES:
                    files.kustomizations.append(child.path)
                elif target == child.path:
                    found.append(child.path)
                else:
                    links[child.path] = target
    if links:
        targets = {os.path.realpath(path) for path in found}
        for path, target in sorted(links.items()):
            if target not in targets:
                targets.add(target)
                found.append(path)
    return found


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir(follow_symlinks=False)
    except OSError:
        return False


def _regular_inside(entry: os.DirEntry[str], top: str) -> str | None:
    """The path of a regular file, or what a link leads to inside the folder being walked; else None."""
    try:
        if not entry.is_symlink():
            return entry.path if entry.is_file(follow_symlinks=False) else None
        if not entry.is_file():
            return None
    except OSError:
        return None
    target = os.path.realpath(entry.path)
    return target if is_inside(target, os.path.realpath(top)) else None


def _ignores_above(top: str, root: str) -> tuple[tuple[str, GitIgnoreSpec], ...]:
    """The .gitignore files between the project's root and a folder below it."""
    found: list[tuple[str, GitIgnoreSpec]] = []
    if not is_inside(top, root):
        return ()
    folder = root
    steps = os.path.relpath(top, root).split(os.sep) if top != root else []
    for step in steps:
        spec = _read_ignore(os.path.join(folder, ".gitignore"))
        if spec is not None:
            found.append((folder, spec))
        folder = os.path.join(folder, step)
    return tuple(found)


def _read_ignore(path: str) -> GitIgnoreSpec | None:
    if not os.path.isfile(path):  # opening a pipe of that name would wait forever
        return None
    try:
        with open(path, encoding="utf-8-sig", errors="replace") as file:
            lines = file.read().splitlines()
    except OSError:
        return None
    return _spec(lines)


def _spec(lines: list[str]) -> GitIgnoreSpec | None:
    from pathspec import GitIgnoreSpec

    usable = [line for line in lines if line.strip() and not line.startswith("#")]
    if not usable:
        return None
    try:
        return GitIgnoreSpec.from_lines(usable)
    except ValueError:
        return GitIgnoreSpec.from_lines(line for line in usable if _is_pattern(line))


def _is_pattern(line: str) -> bool:
    """Whether git itself would take it; it passes over a line that it cannot read."""
    from pathspec import GitIgnoreSpec

    try:
        GitIgnoreSpec.from_lines([line])
    except ValueError:
        return False
    return True


def _ignored(
    path: str,
    is_folder: bool,
    ignores: tuple[tuple[str, GitIgnoreSpec], ...],
    excluded: GitIgnoreSpec | None,
    root: str,
) -> bool:
    if excluded is not None and is_inside(path, root) and excluded.match_file(_relative(path, root, is_folder)):
        return True
    # The nearest .gitignore that speaks of the path decides.
    for folder, spec in reversed(ignores):
        verdict = spec.check_file(_relative(path, folder, is_folder)).include
        if verdict is not None:
            return verdict
    return False


def _relative(path: str, folder: str, is_folder: bool) -> str:
    relative = path[len(folder.rstrip(os.sep)) + 1 :].replace(os.sep, "/")
    return relative + "/" if is_folder else relative


def _reason(error: OSError) -> str:
    return {
        FileNotFoundError: "no such file or folder",
        PermissionError: "no permission to read it",
    }.get(type(error), (error.strerror or str(error)).lower())
