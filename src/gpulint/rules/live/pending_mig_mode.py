"""A MIG mode that waits for a reset of the GPU."""

from __future__ import annotations

from collections.abc import Iterator

from gpulint.finding import Evidence, Finding
from gpulint.model.host import KnownHost
from gpulint.rules import rule
from gpulint.rules.hosts import gpus_in_words


@rule("pending-mig-mode")
def check(known: KnownHost) -> Iterator[Finding]:
    for turned_on in (True, False):
        gpus = [
            g for g in known.host.gpus if g.mig is not None and g.mig_pending is turned_on and g.mig is not turned_on
        ]
        if not gpus:
            continue
        word, now = ("on", "off") if turned_on else ("off", "on")
        yield Finding(
            place=known.place_of(gpus[0], "migPending"),
            message=f"MIG of {gpus_in_words(gpus)} on {known.label} is {now} and turns {word} at the next reset. Until "
            "then nothing changes; after it, what runs there now finds other devices.",
            help="Stop what uses the GPU (device plugin, DCGM and the pods) and reset it with `nvidia-smi "
            f"--gpu-reset`, or take the change back with `nvidia-smi -mig {0 if turned_on else 1}`.",
            evidence=[
                Evidence(f"GPU {gpu.index}", f"MIG {now}, pending {word}", known.place_of(gpu, "mig")) for gpu in gpus
            ],
        )
