"""Files of the project that a launch reads: beside the file that launches, or mounted into a container."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Sequence
from functools import cache

from gpulint.engines.launch import Find
from gpulint.model.project import Project
from gpulint.source.yaml import Document, Node, documents

# How far above a script the folder may be from which it is run, or a Dockerfile built.
_FOLDERS_ABOVE = 3
_LONGEST_PATH = 1000


@cache
def _own_folder() -> re.Pattern[str]:
    """A variable that scripts keep their own folder in, or that of the repository."""
    return re.compile(r"\$\{?\w*(?:SCRIPT|HERE|PROJECT|REPO|ROOT|CURRENT|THIS|(?<![A-Z])PWD)\w*\}?/", re.IGNORECASE)


def project_files(project: Project, path: str, *, above: int = _FOLDERS_ABOVE) -> Find:
    """What finds YAML files by relative paths, from the folder of the file at `path` or from the nearest above it.

    Which folder a command is run from is nowhere written: it is taken for the nearest that has the file.
    """

    def find(name: str) -> Node | None:
        if len(name) > _LONGEST_PATH:
            return None
        own_folder = _own_folder().match(name)
        if own_folder is not None:
            name = name[own_folder.end() :] or "."
        if posixpath.isabs(name) or name.startswith("~") or "\0" in name:
            return None
        folder = posixpath.dirname(path)
        for _ in range(above + 1):
            source = project.open_file(posixpath.normpath(posixpath.join(folder, name)))
            if source is not None:
                found = [document for document in documents(source) if isinstance(document, Document)]
                return found[0].root if len(found) == 1 else None
            if posixpath.basename(folder) in ("", ".", ".."):
                return None
            folder = posixpath.dirname(folder)
        return None

    return find


def mounted_files(mounts: Sequence[tuple[str, str]], outside: Find, workdir: str | None = None) -> Find:
    """What finds the files of a container by their paths in it, from mounts (source outside, target inside)."""

    def find(name: str) -> Node | None:
        path = posixpath.normpath(posixpath.join(workdir or "", name))
        # The longest target lies over the others. A folder is no file, and is passed over.
        for source, target in sorted(mounts, key=lambda mount: -len(mount[1])):
            base = posixpath.normpath(target)
            if path == base:
                found = outside(source)
            elif base == "." and not posixpath.isabs(path):
                found = outside(posixpath.join(source, path))
            elif path.startswith(f"{base.rstrip('/')}/"):
                found = outside(posixpath.join(source, posixpath.relpath(path, base)))
            else:
                continue
            if found is not None:
                return found
        return None

    return find
