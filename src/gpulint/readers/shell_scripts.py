"""Shell scripts: engines that they launch, containers that they run, and manifests in their here-documents."""

from __future__ import annotations

from gpulint import engines, readers
from gpulint.engines.launch import script_lines
from gpulint.model.project import Project
from gpulint.model.values import ObjectRef
from gpulint.readers._commands import read_lines, whole
from gpulint.source.shell import Heredoc, Piece, Script, basename
from gpulint.source.text import NodePath, Place, Source
from gpulint.source.yaml import Document, documents

_MANIFEST = "apiVersion:"
MARKS = ((_MANIFEST, "--gpus", "--runtime", "nvidia.com/gpu=", *engines.marks()),)
INTERPRETERS = ("ash", "bash", "dash", "ksh", "sh", "zsh")
_SUFFIXES = (".sh", ".bash", ".ksh", ".zsh")
# What reads commands from its standard input, and files that are written to be run.
_INTERPRETERS = frozenset({"bash", "sbatch", "sh", "ssh", "sudo", "zsh"})
_DEEPEST = 2
# A reference that no container can resolve, and that may stand anywhere in YAML.
_UNKNOWN = "$(?)"


def claims_name(name: str) -> bool:
    return name.endswith(_SUFFIXES)


def read_text(source: Source, project: Project) -> None:
    text = source.text
    launches = any(mark in text for mark in MARKS[0][1:])
    if launches or ("<<" in text and readers.matters(text)):
        _read(Script([Piece(text, 0, len(text))], text), source, project, launches, 0)


def _read(script: Script, source: Source, project: Project, launches: bool, depth: int) -> None:
    node = whole(source)
    # Nobody calls it in sight: what it takes from its environment has the defaults that it writes.
    lines, heredocs = script_lines(script, node, {}, None)
    if launches:
        read_lines(lines, {}, ObjectRef("shell script", None, basename(source.path)), node, project)
    for heredoc in heredocs:
        pieces = [Piece(piece.text, *script.origin(piece.start, piece.end)) for piece in heredoc.pieces]
        if any(_MANIFEST in (piece.text or "") for piece in pieces):
            _read_manifests(pieces, source, project)
        elif depth < _DEEPEST and _is_run(heredoc):
            inner = Script(pieces, source.text)
            if any(mark in inner.text for mark in MARKS[0][1:]):
                _read(inner, source, project, True, depth + 1)


def _is_run(heredoc: Heredoc) -> bool:
    """Whether a here-document is commands: for a shell, or in a file that is called a script."""
    target = heredoc.target or ""
    if not target and len(heredoc.words) > 1 and basename(heredoc.words[0].text) == "tee":
        target = heredoc.words[-1].text or ""
    program = basename(heredoc.words[0].text) if heredoc.words else ""
    return program in _INTERPRETERS or target.endswith((*_SUFFIXES, ".slurm", ".sbatch"))


class _Filled(Document):
    """A document of a here-document, each part of it with its place in the script."""

    __slots__ = ("script", "start")

    def __init__(self, found: Document, script: Script, source: Source) -> None:
        super().__init__(source, found.index, found.text, 0, found.root.raw)
        self.script = script
        self.start = found.locate(0)

    def locate(self, offset: int) -> int:
        return self.script.origin(self.start + offset, self.start + offset)[0]

    def place(self, start: int, end: int, path: NodePath | None) -> Place:
        return Place(self.source, *self.script.origin(self.start + start, self.start + end), path)


def _read_manifests(pieces: list[Piece], source: Source, project: Project) -> None:
    """Reads the documents of a here-document; what the shell fills in is unknown to them where it is to us."""
    filled = [Piece(_UNKNOWN, piece.start, piece.end) if piece.text is None else piece for piece in pieces]
    script = Script(filled, source.text)
    for found in documents(Source(source.path, script.text), readers.matters):
        if isinstance(found, Document):
            readers.read(_Filled(found, script, source), project)
