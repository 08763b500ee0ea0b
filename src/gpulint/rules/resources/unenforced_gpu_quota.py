"""A quota for GPUs under a name that Kubernetes does not count."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from gpulint.finding import Evidence, Finding
from gpulint.rules import rule

if TYPE_CHECKING:
    from gpulint.model.policies import ResourceQuota

_ACCELERATORS = (
    "nvidia.com/", "amd.com/gpu", "habana.ai/gaudi", "google.com/tpu", "aws.amazon.com/neuron", "gpu.intel.com/",
)  # fmt: skip


@rule("unenforced-gpu-quota")
def check(quota: ResourceQuota) -> Iterator[Finding]:
    for name, limit in quota.hard.items():
        resource = name.removeprefix("limits.")
        if not resource.startswith(_ACCELERATORS):
            continue
        if f"requests.{resource}" in quota.hard:
            continue
        yield Finding(
            place=limit.key_place,
            message=f"The quota {name}: {limit.value:g} limits nothing. Of extended resources Kubernetes counts only "
            f"requests.{resource}, so the namespace may take every GPU of the cluster, and an autoscaler with it.",
            help=f"Rename it to requests.{resource}. `kubectl describe quota` shows what is used of each name: this "
            "one stays at 0.",
            evidence=[Evidence(name, f"{limit.value:g}", limit.place)],
        )
