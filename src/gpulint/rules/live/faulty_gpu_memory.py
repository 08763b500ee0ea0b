"""GPU memory with errors that ECC could not correct, or that could not be mapped out."""

from __future__ import annotations

from collections.abc import Iterator

from gpulint.finding import Evidence, Finding
from gpulint.model.host import KnownHost
from gpulint.rules import rule
from gpulint.rules.hosts import gpus_in_words

_DRAIN = "Move the workloads away and reset the GPU"


@rule("faulty-gpu-memory")
def check(known: KnownHost) -> Iterator[Finding]:
    gpus = known.host.gpus
    failed = [gpu for gpu in gpus if gpu.remap_failure]
    if failed:
        yield Finding(
            place=known.place_of(failed[0], "remapFailure"),
            message=f"{gpus_in_words(failed)} of {known.label} could not map out a faulty row of memory. The spare "
            "rows are used up there: errors stop whatever runs on it, again and again.",
            help="Take the GPU out of service and have it replaced; `nvidia-smi -q -d ROW_REMAPPER` shows the counts.",
            evidence=[Evidence(f"GPU {gpu.index}", "row remapping failed") for gpu in failed],
            level="error",
        )
    pending = [gpu for gpu in gpus if gpu.remap_pending and not gpu.remap_failure]
    if pending:
        yield Finding(
            place=known.place_of(pending[0], "remapPending"),
            message=f"{gpus_in_words(pending)} of {known.label} maps out a faulty row of memory at the next reset. "
            "Until then the row stays in use.",
            help=f"{_DRAIN} (`nvidia-smi --gpu-reset`).",
            evidence=[Evidence(f"GPU {gpu.index}", "row remapping pending") for gpu in pending],
        )
    wrong = [gpu for gpu in gpus if gpu.ecc_uncorrected and not gpu.remap_failure and not gpu.remap_pending]
    if wrong and known.current:
        counts = ", ".join(f"{gpu.ecc_uncorrected} on GPU {gpu.index}" for gpu in wrong)
        yield Finding(
            place=known.place_of(wrong[0], "eccUncorrected"),
            message=f"{known.label[0].upper()}{known.label[1:]} has had uncorrected memory errors since its driver was "
            f"loaded: {counts}. Each ends the process that meets it.",
            help=f"{_DRAIN}, and look for Xid 48, 63, 64, 94 and 95 in the kernel's log; errors that come back are "
            "for the vendor.",
            evidence=[Evidence(f"GPU {gpu.index}", f"{gpu.ecc_uncorrected} uncorrected errors") for gpu in wrong],
        )
    changed = [gpu for gpu in gpus if None not in (gpu.ecc, gpu.ecc_pending) and gpu.ecc is not gpu.ecc_pending]
    if changed:
        yield Finding(
            place=known.place_of(changed[0], "eccPending"),
            message=f"ECC of {gpus_in_words(changed)} on {known.label} turns "
            f"{'on' if changed[0].ecc_pending else 'off'} at the next reset. On boards with GDDR memory that changes "
            "how much there is.",
            help=f"{_DRAIN}, or take the change back with `nvidia-smi -e {int(bool(changed[0].ecc))}`.",
            evidence=[Evidence(f"GPU {gpu.index}", "ECC change pending") for gpu in changed],
            level="info",
        )
