"""Shell scripts: engines that they launch, containers that they run, and manifests in their here-documents."""

from __future__ import annotations

from gpulint import engines, readers
from gpulint.engines.launch import script_lines, written_files
from gpulint.model.project import Project
from gpulint.model.values import ObjectRef
from gpulint.readers._commands import read_lines, whole
from gpulint.readers._kubectl import LABEL, read_labels
from gpulint.readers._slurm import DIRECTIVE
from gpulint.readers._slurm import job as slurm_job
from gpulint.source.shell import Heredoc, Piece, Script, basename
from gpulint.source.text import Source
from gpulint.source.written import written_documents
from gpulint.source.yaml import Node

_MANIFEST = "apiVersion:"
MARKS = ((_MANIFEST, "--gpus", "--runtime", "nvidia.com/gpu=", LABEL, *engines.marks()),)
INTERPRETERS = ("ash", "bash", "dash", "ksh", "sh", "zsh")
_SUFFIXES = (".sh", ".bash", ".ksh", ".zsh", ".slurm", ".sbatch")
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
    job = slurm_job(source) if launches and DIRECTIVE in source.text and not depth else None
    lines, heredocs = script_lines(script, node, job.env if job is not None else {}, None)
    if launches:
        name = basename(source.path)
        ref = ObjectRef("shell script", None, name) if job is None else ObjectRef("Slurm job", None, job.name or name)
        read_lines(lines, {}, ref, node, project, written=written_files(heredocs, script, node), job=job)
        read_labels(lines, project)
    for heredoc in heredocs:
        pieces = [Piece(piece.text, *script.origin(piece.start, piece.end)) for piece in heredoc.pieces]
        if any(_MANIFEST in (piece.text or "") for piece in pieces):
            _read_manifests(pieces, node, project)
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
    return program in _INTERPRETERS or target.endswith(_SUFFIXES)


def _read_manifests(pieces: list[Piece], node: Node, project: Project) -> None:
    """Reads the documents of a here-document; what the shell fills in is unknown to them where it is to us."""
    for document in written_documents(pieces, node, readers.matters):
        readers.read(document, project)
