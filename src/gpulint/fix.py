"""Fixes in files: which of them are made in one go, what comes of it, and how it is written.

A file is changed as a whole or not at all: its edits are made together, and what they make is read again and must say
what it said before, but for what was to change.
"""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterable, Set
from contextlib import suppress
from dataclasses import field

from gpulint.discovery import Files, is_inside
from gpulint.finding import Reported
from gpulint.load import read_bytes
from gpulint.record import record
from gpulint.source.edits import Edit, applied, changes_only
from gpulint.source.text import NotText, Source, decode, encoding_of
from gpulint.source.yaml import Problem


@record
class Changed:
    """A file that fixes change: its path as shown and in truth, and what it held and holds."""

    shown: str
    path: str
    before: bytes
    after: bytes

    def texts(self) -> tuple[str, str]:
        return decode(self.before), decode(self.after)


@record
class Fixes:
    """The fixes of a run, gathered in `files.contents` until they are written.

    `fixed` counts the findings that they repair, `problems` are files that stay as they are though they have fixes.
    """

    files: Files
    unsafe: bool = False
    fixed: int = 0
    changed: dict[str, Changed] = field(default_factory=dict)
    problems: dict[str, Problem] = field(default_factory=dict)

    def apply(self, findings: Iterable[Reported], scope: Set[str]) -> bool:
        """Makes those fixes of findings that do not overlap, in files of a scope; says whether anything changed."""
        by_path: dict[str, list[list[Edit]]] = {}
        for reported in findings:
            fix = reported.fix
            if fix is not None and (self.unsafe or fix.is_safe):
                path = fix.edits[0].place.source.path
                if path in scope:
                    by_path.setdefault(path, []).append(fix.edits)
        before = self.fixed
        taken: set[str] = set()
        for shown, fixes in by_path.items():
            real = os.path.realpath(shown)
            if shown in self.problems or real in taken:
                continue
            taken.add(real)
            edits, count = without_overlaps(fixes)
            problem = self._change(shown, real, edits[0].place.source, edits)
            if problem is None:
                self.fixed += count
            else:
                self.problems[shown] = Problem(shown, None, problem)
        return self.fixed > before

    def _change(self, shown: str, real: str, source: Source, edits: list[Edit]) -> str | None:
        """Makes edits in a file; says why not where they are not made."""
        if not is_inside(real, os.path.realpath(self.files.root)):
            return "not fixed: it is a link to a file outside of the project"
        try:
            data = read_bytes(real, self.files)
            if decode(data) != source.text:
                return "not fixed: it has changed since it was read"
        except (OSError, NotText) as error:
            return f"not fixed: {error}"
        text = applied(source.text, edits)
        if not changes_only(source, edits, text):
            return "not fixed, please report it: the fixes would change more than they are meant to"
        encoding, mark = encoding_of(data)
        after = mark + text.encode(encoding)
        known = self.changed.get(real)
        self.changed[real] = Changed(shown, real, known.before if known is not None else data, after)
        self.files.contents[real] = after
        return None

    def write(self) -> list[Problem]:
        """Writes what has changed, each file whole; gives those that could not be written."""
        problems = []
        for changed in self.changed.values():
            try:
                _replace(changed)
            except OSError as error:
                reason = (error.strerror or str(error)).lower()
                problems.append(Problem(changed.shown, None, f"its fixes could not be written: {reason}"))
        return problems


def without_overlaps(fixes: Iterable[list[Edit]]) -> tuple[list[Edit], int]:
    """The edits of those fixes that touch none before them, and how many fixes that are. Equal edits are one."""
    chosen: dict[tuple[int, int, str], Edit] = {}
    count = 0
    for edits in fixes:
        new = [edit for edit in edits if (edit.place.start, edit.place.end, edit.text) not in chosen]
        if any(_touch(edit, other) for edit in new for other in chosen.values()):
            continue
        chosen.update({(edit.place.start, edit.place.end, edit.text): edit for edit in new})
        count += 1
    return list(chosen.values()), count


def _touch(one: Edit, other: Edit) -> bool:
    """Whether two edits overlap or stand side by side, or change the children of one node."""
    if one.place.start <= other.place.end and other.place.start <= one.place.end:
        return True
    if one.effect is None or other.effect is None:
        return False
    return one.effect.raw is other.effect.raw and not one.effect.verb == other.effect.verb == "text"


def _replace(changed: Changed) -> None:
    """Puts the new bytes in the file's place, with its mode and, where that is allowed, its owner."""
    status = os.stat(changed.path)
    if not stat.S_ISREG(status.st_mode):
        raise OSError("it is no file any more")
    with open(changed.path, "rb") as file:
        if file.read() != changed.before:
            raise OSError("it has changed since it was read")
    if not os.access(changed.path, os.W_OK):
        raise PermissionError("it is write-protected")
    folder, name = os.path.split(changed.path)
    number, temporary = tempfile.mkstemp(prefix=f".{name[:100]}.", dir=folder)
    try:
        with os.fdopen(number, "wb") as file:
            file.write(changed.after)
            file.flush()
            os.fsync(number)
        with suppress(OSError, AttributeError):
            os.chown(temporary, status.st_uid, status.st_gid)
        os.chmod(temporary, stat.S_IMODE(status.st_mode))
        os.replace(temporary, changed.path)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)
        raise
