"""MIG slices that the host does not offer."""

from __future__ import annotations

from collections.abc import Iterator

from gpulint.finding import Evidence, Finding
from gpulint.model.landing import Landing
from gpulint.rules import rule
from gpulint.rules.hosts import slices_in_words


@rule("mig-profile-not-on-host")
def check(landing: Landing) -> Iterator[Finding]:
    for request in landing.container.gpus:
        profile = request.mig_profile
        if profile is None or request.shared or not landing.hosts:
            continue
        need = request.count or 1
        words: list[str] = []
        for known in landing.hosts:
            slices, described = known.host.slices(), slices_in_words(known)
            if slices is None or described is None or known.host.hidden_gpus or len(slices.get(profile, ())) >= need:
                return
            words.append(f"{known.label} {described}")
        yield Finding(
            place=request.key_place,
            message=f"{landing.ref} asks for {need} × {request.resource}, but {' and '.join(words)}. The node offers "
            "no such device: its pods stay Pending.",
            help="Ask for a slice that is there, or have the GPUs cut as the workload expects (the "
            "nvidia.com/mig.config label of the node, `nvidia-smi mig -lgi` to see what there is). Choose the slice "
            "by the memory that weights and KV cache need.",
            evidence=[
                Evidence("asks for", f"{request.resource}: {need}", request.place),
                *(
                    Evidence(known.label, slices_in_words(known), known.place_of(known.host.gpus[0], "migDevices"))
                    for known in landing.hosts
                ),
            ],
        )
