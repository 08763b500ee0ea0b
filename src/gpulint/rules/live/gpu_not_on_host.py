"""A pod that selects GPUs which no host has."""

from __future__ import annotations

from collections.abc import Iterator

from gpulint.finding import Evidence, Finding, Level
from gpulint.model.landing import Landing
from gpulint.rules import rule
from gpulint.rules.hosts import evidence_of_hosts


@rule("gpu-not-on-host")
def check(landing: Landing) -> Iterator[Finding]:
    placement = landing.container.pod.placement
    if landing.hosts or not landing.elsewhere or placement is None:
        return
    if landing.others_fit and any(known.current for known in landing.elsewhere):
        return  # this host is one of several kinds, and others of the workloads are meant for it
    level: Level = "info" if landing.others_fit else "error"
    summaries = " or ".join(dict.fromkeys(known.summary() for known in landing.elsewhere))
    labels = " or ".join(
        dict.fromkeys(
            gpu.product_label for known in landing.elsewhere for gpu in known.host.gpus if gpu.product_label is not None
        )
    )
    yield Finding(
        place=placement.why.place,
        message=f"The pods of {landing.ref} go to nodes with {placement.why.value}, but {landing.hosts_named()} has "
        f"{summaries}. They are not scheduled there.",
        help="Select the GPU that is there"
        + (f" (nvidia.com/gpu.product: {labels})" if labels else "")
        + ", or check against a host of the kind that the pod selects.",
        evidence=[
            Evidence("selects", " or ".join(board.name for board in placement.gpus[:3]), placement.why.place),
            *evidence_of_hosts(landing),
        ],
        level=level,
    )
