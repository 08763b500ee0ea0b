"""A rollout that is reported as failed while its pods may still be starting."""

from __future__ import annotations

from collections.abc import Iterator

from gpulint.finding import Evidence, Finding
from gpulint.model.workload import Workload
from gpulint.rules import rule

# The default is nobody's choice: only a start that may take twice as long is worth a word.
_CLEARLY_LONGER = 1.2
_CLEARLY_LONGER_THAN_DEFAULT = 2


@rule("short-progress-deadline")
def check(workload: Workload) -> Iterator[Finding]:
    rollout = workload.rollout
    deadline = rollout.progress_deadline_s if rollout is not None else None
    if deadline is None or deadline.value is None or not workload.uses_gpus:
        return
    if deadline.default and not workload.complete:
        return
    probes = [c.startup_probe for c in workload.containers if c.startup_probe is not None]
    slowest = max((p for p in probes if p.budget_s is not None), key=lambda p: p.budget_s or 0.0, default=None)
    factor = _CLEARLY_LONGER_THAN_DEFAULT if deadline.default else _CLEARLY_LONGER
    if slowest is None or slowest.budget_s is None or slowest.budget_s < deadline.value * factor:
        return
    written = " (the default)" if deadline.default else ""
    yield Finding(
        place=deadline.place or slowest.place,
        message=f"The startup probe allows {slowest.budget_s:g} s, but the rollout of {workload.ref} counts as failed "
        f"after progressDeadlineSeconds: {deadline.value:g}{written} if no pod gets ready. The pods go on loading "
        "while `kubectl rollout status`, Helm's --wait and Argo CD report a failure, and what rolls back on it acts.",
        help=f"Set progressDeadlineSeconds to {slowest.budget_s + 300:g}: the startup budget, and some minutes for a "
        "new node and the image.",
        evidence=[
            Evidence("startup budget", f"{slowest.budget_s:g} s", slowest.place),
            Evidence("progressDeadlineSeconds", deadline.value, deadline.place),
        ],
    )
