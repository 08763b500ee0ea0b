"""What the directives of a batch script ask Slurm for: nodes, and GPUs on each of them.

Source: slurm.schedmd.com/sbatch.html (--nodes, --gpus, --gpus-per-node, --gpus-per-task, --gres); directives stand in
comments ahead of the first command.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import field
from functools import cache
from itertools import pairwise

from gpulint.engines.launch import Word
from gpulint.hardware.gpus import gpus_named
from gpulint.model.values import Sourced
from gpulint.model.workload import EnvVar, GpuRequest, Placement
from gpulint.record import record
from gpulint.source.shell import basename
from gpulint.source.text import Place, Source

DIRECTIVE = "#SBATCH"
_SHORT = {"-N": "--nodes", "-G": "--gpus", "-J": "--job-name", "-n": "--ntasks"}
# The one that says it most directly first.
_OPTIONS = ("--gpus-per-node", "--gres", "--gpus", "--gpus-per-task")
_MOST = 1024


@record
class Job:
    """A batch job, or a step of one that asks for GPUs itself.

    `gpus` are those of one node; `nodes` is None where the number is open.
    """

    name: str | None = None
    nodes: int | None = 1
    gpus: GpuRequest | None = None
    placement: Placement | None = None
    env: dict[str, EnvVar] = field(default_factory=dict)


@cache
def _line() -> re.Pattern[str]:
    return re.compile(
        r"^#SBATCH[ \t]+(?P<option>(?:(?P<long>--[a-z][a-z-]*)|(?P<short>-[A-Za-z]))[ \t=]*(?P<value>[^\s#]*))",
        re.MULTILINE,
    )


def job(source: Source) -> Job | None:
    """The job of a script; None without directives, and for one of several parts."""
    head = _head(source.text)
    given: dict[str, tuple[str, Place]] = {}
    for match in _line().finditer(head):
        name = match["long"] or match["short"]
        place = Place(source, *match.span("option"))
        given[_SHORT.get(name, name)] = (match["value"].strip("\"'"), place)
    if not given or re.search(r"^#SBATCH[ \t]+hetjob", head, re.MULTILINE):
        return None
    found = _job(given)
    if "--nodes" in given and found.nodes is not None:
        place = given["--nodes"][1]
        for name in ("SLURM_NNODES", "SLURM_JOB_NUM_NODES"):
            found.env[name] = EnvVar(name, str(found.nodes), place, place, remote=True)
    request = found.gpus
    if request is not None and request.count is not None:
        for name in ("SLURM_GPUS_ON_NODE", "SLURM_GPUS_PER_NODE"):
            found.env[name] = EnvVar(name, str(request.count), request.place, request.place, remote=True)
    return found


def step(words: Sequence[Word]) -> Job | None:
    """What `srun --gres=gpu:8 PROGRAM` asks for; None where it asks for no GPUs, and for other programs."""
    if not words or basename(words[0].text) != "srun":
        return None
    given: dict[str, tuple[str, Place]] = {}
    for word, following in pairwise(words[1:]):
        if not word.prefix.startswith("-"):
            continue
        name, equals, value = word.prefix.partition("=")
        short = _SHORT.get(name[:2])
        if short is not None and len(name) > 2 and not name.startswith("--"):
            given[short] = (name[2:] + equals + value, word.place)
        elif word.text is not None and (equals or following.text is not None):
            text = value if equals else following.text or ""
            given[_SHORT.get(name, name)] = (text, word.place if equals else word.to(following) or word.place)
    return _job(given) if any(option in given for option in _OPTIONS) else None


def _job(given: dict[str, tuple[str, Place]]) -> Job:
    if "--nodes" in given:
        nodes = _number(given["--nodes"][0])  # `2-4` leaves it open
    else:
        nodes = 1 if "--ntasks" not in given or _number(given["--ntasks"][0]) == 1 else None
    gpus, placement = _gpus(given, nodes)
    return Job(given["--job-name"][0] if "--job-name" in given else None, nodes, gpus, placement)


def _head(text: str) -> str:
    """The blank lines and comments that a script begins with."""
    at = 0
    for line in text.splitlines(keepends=True):
        if line.strip() and not line.lstrip().startswith("#"):
            break
        at += len(line)
    return text[:at]


def _gpus(given: dict[str, tuple[str, Place]], nodes: int | None) -> tuple[GpuRequest | None, Placement | None]:
    """The GPUs of one node and their product, by the option that says it most directly."""
    for option in _OPTIONS:
        if option not in given:
            continue
        text, place = given[option]
        if option == "--gres":
            found = re.search(r"(?:^|,)gpu(?::([^,]*))?(?:,|$)", text)
            if found is None:
                continue
            text = found[1] or "1"
        kind, colon, written = text.rpartition(":")
        count = _number(written)
        if option == "--gpus" and nodes != 1:
            count = None  # of all nodes together, on each as Slurm likes
        if option == "--gpus-per-task":
            tasks = _number(given["--ntasks"][0]) if "--ntasks" in given else 1
            count = count if tasks == 1 and nodes == 1 else None
        boards = gpus_named(kind.replace("_", "-")) if colon else ()
        placement = Placement(boards, Sourced(text, place, place)) if boards else None
        return GpuRequest(option.lstrip("-"), "nvidia", count, place, place), placement
    return None, None


def _number(text: str) -> int | None:
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 6 else 0
    return number if 0 < number <= _MOST else None
