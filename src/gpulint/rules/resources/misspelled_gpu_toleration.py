"""A toleration that was meant for the taint of GPU nodes and misses it by some letters."""

from __future__ import annotations

from collections.abc import Iterator

from gpulint.finding import Evidence, Finding, Fix
from gpulint.model.workload import Workload
from gpulint.rules import rule
from gpulint.source.edits import ReplaceText

_TAINT = "nvidia.com/gpu"
_NEAR = 2


@rule("misspelled-gpu-toleration")
def check(workload: Workload) -> Iterator[Finding]:
    for pod in workload.pods:
        requests = [r for c in pod.containers for r in c.gpus if r.vendor == "nvidia"]
        keys = [toleration.key.value if toleration.key is not None else None for toleration in pod.tolerations]
        if not requests or _TAINT in keys or None in keys:
            continue
        for toleration in pod.tolerations:
            key = toleration.key
            if key is None or not _is_meant(key.value):
                continue
            yield Finding(
                place=key.place,
                message=f"The toleration of {key.value} tolerates no GPU node: their taint is called {_TAINT}. Where "
                "nodes have it and nothing adds the right toleration, as GKE does, the pod stays Pending, and so does "
                "every replica that an autoscaler adds.",
                help=f"Write key: {_TAINT} with operator: Exists. `kubectl describe node` shows the taints of a node; "
                "where this one is really called otherwise, write it there as well.",
                evidence=[
                    Evidence("toleration", key.value, key.place),
                    Evidence("asks for", requests[0].resource, requests[0].key_place),
                ],
                fix=Fix(f"Write {_TAINT}", [ReplaceText(key.place, key.value, _TAINT)], safe=False),
            )


def _is_meant(key: str) -> bool:
    """Whether a key is the taint's with a few letters wrong. Clusters have taints of their own: `nvidia-gpu`, `gpu`."""
    if "/" not in key or "vgpu" in key or "mig" in key:
        return False
    letters = "".join(letter for letter in key.lower() if letter.isalnum())
    return letters in ("nvidiagpu", "nvidiacomgpu", "nvidiagpus", "nvidiacomgpus") or _distance(key) <= _NEAR


def _distance(key: str) -> int:
    """Insertions, deletions and replacements that make the taint of it."""
    row = list(range(len(_TAINT) + 1))
    for index, letter in enumerate(key[:40], start=1):
        previous, row[0] = row[0], index
        for at, wanted in enumerate(_TAINT, start=1):
            previous, row[at] = row[at], min(row[at] + 1, row[at - 1] + 1, previous + (letter != wanted))
    return row[-1]
