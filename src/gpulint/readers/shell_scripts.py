"""Shell scripts: engines that they launch, containers that they run, and manifests in their here-documents."""

from __future__ import annotations

from gpulint import engines, readers
from gpulint.engines.launch import script_lines
from gpulint.model.project import Project
from gpulint.model.values import ObjectRef
from gpulint.readers._commands import read_lines, whole
from gpulint.source.shell import Heredoc, Piece, Script, basename
from gpulint.source.text import Source
from gpulint.source.yaml import Document, documents

_MANIFEST = "apiVersion:"
MARKS = ((_MANIFEST, "--gpus", "--runtime", "nvidia.com/gpu=", *engines.marks()),)
_SUFFIXES = (".sh", ".bash")
# What reads commands from its standard input, and files that are written to be run.
_INTERPRETERS = frozenset({"bash", "sbatch", "sh", "ssh", "sudo", "zsh"})
_DEEPEST = 2


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
        inner = _of_heredoc(heredoc, script, source)
        if _MANIFEST in inner.text:
            _read_manifests(inner, source, project)
        elif depth < _DEEPEST and _is_run(heredoc) and any(mark in inner.text for mark in MARKS[0][1:]):
            _read(inner, source, project, True, depth + 1)


def _of_heredoc(heredoc: Heredoc, script: Script, source: Source) -> Script:
    """The text of a here-document, with the offsets of the file."""
    pieces = [Piece(piece.text, *script.origin(piece.start, piece.end)) for piece in heredoc.pieces]
    return Script(pieces, source.text)


def _is_run(heredoc: Heredoc) -> bool:
    """Whether a here-document is commands: for a shell, or in a file that is called a script."""
    target = heredoc.target or ""
    if not target and len(heredoc.words) > 1 and basename(heredoc.words[0].text) == "tee":
        target = heredoc.words[-1].text or ""
    program = basename(heredoc.words[0].text) if heredoc.words else ""
    return program in _INTERPRETERS or target.endswith((*_SUFFIXES, ".slurm", ".sbatch"))


def _read_manifests(script: Script, source: Source, project: Project) -> None:
    """Reads the documents of a here-document, each character with its place in the script."""
    text = script.text
    offsets = [script.origin(at, at + 1)[0] for at in range(len(text))]
    offsets.append(script.origin(max(len(text) - 1, 0), len(text))[1])
    for found in documents(Source(source.path, text), readers.matters):
        if isinstance(found, Document):
            start = found.locate(0)
            placed = offsets[start : start + len(found.text) + 1]
            readers.read(Document(source, found.index, found.text, placed, found.root.raw), project)
