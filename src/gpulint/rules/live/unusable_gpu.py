"""A GPU of the host that no process can use."""

from __future__ import annotations

from collections.abc import Iterator

from gpulint.finding import Finding
from gpulint.model.host import HostGpu, KnownHost
from gpulint.rules import rule
from gpulint.rules.hosts import gpus_in_words


@rule("unusable-gpu")
def check(known: KnownHost) -> Iterator[Finding]:
    gpus = known.host.gpus
    if known.current:
        yield from _found(
            known,
            [gpu for gpu in gpus if gpu.problem == "lost"],
            "problem",
            "has fallen off the bus: the driver does not reach it any more. Whatever runs on it hangs or fails.",
            "Look for Xid 79 in the kernel's log, restart the host, and have the board and its power checked if it "
            "returns.",
        )
        yield from _found(
            known,
            [gpu for gpu in gpus if gpu.problem == "reset-required"],
            "problem",
            "needs a reset before any process can use it.",
            "Move the workloads away and reset it with `nvidia-smi --gpu-reset`.",
        )
        yield from _found(
            known,
            [gpu for gpu in gpus if gpu.fabric in ("not-started", "in-progress", "failed")],
            "fabric",
            "has not joined the NVSwitch fabric: CUDA does not start on it (system not yet initialized).",
            "Start the Fabric Manager of the driver's own version (nvidia-fabricmanager) and look at its log; "
            "`nvidia-smi -q` shows the state of the fabric.",
        )
    yield from _found(
        known,
        [gpu for gpu in gpus if gpu.compute_mode == "prohibited"],
        "computeMode",
        "is in compute mode PROHIBITED: no process may compute on it.",
        "Set the mode back with `nvidia-smi --compute-mode DEFAULT`.",
    )


def _found(known: KnownHost, gpus: list[HostGpu], key: str, what: str, what_to_do: str) -> Iterator[Finding]:
    if gpus:
        yield Finding(
            place=known.place_of(gpus[0], key),
            message=f"{gpus_in_words(gpus)} of {known.label} {what if len(gpus) == 1 else _of_several(what)}",
            help=what_to_do,
        )


def _of_several(what: str) -> str:
    for one, many in (("has ", "have "), ("needs ", "need "), ("is ", "are ")):
        if what.startswith(one):
            return many + what.removeprefix(one)
    return what
