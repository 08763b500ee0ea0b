"""Time-slicing on GPUs that admit one process."""

from __future__ import annotations

from collections.abc import Iterator

from gpulint.finding import Evidence, Finding
from gpulint.model.project import Project
from gpulint.rules import rule
from gpulint.rules.hosts import gpus_in_words


@rule("exclusive-gpu-time-sliced")
def check(project: Project) -> Iterator[Finding]:
    for known in project.hosts:
        exclusive = [gpu for gpu in known.host.gpus if gpu.compute_mode == "exclusive-process"]
        if not exclusive or len(exclusive) < len(known.host.gpus):
            continue
        for config in project.device_plugin_configs:
            for sharing in config.sharings:
                # MPS sets this mode itself: its server is the one process.
                if sharing.strategy != "time-slicing" or sharing.replicas is None or sharing.replicas.value < 2:
                    continue
                if sharing.resource.value != "nvidia.com/gpu":
                    continue
                replicas = sharing.replicas
                yield Finding(
                    place=replicas.place,
                    message=f"Each GPU is handed out {replicas.value} times by time-slicing, but {known.label} lets "
                    f"one process onto {gpus_in_words(exclusive)} (compute mode EXCLUSIVE_PROCESS). The second pod on "
                    "a GPU fails with CUDA error 46, all devices busy or unavailable.",
                    help="Set the mode with `nvidia-smi --compute-mode DEFAULT`, or share the GPUs through MPS or MIG. "
                    "Time-slices share the memory too: the fractions of all engines on a GPU must fit together.",
                    evidence=[
                        Evidence("replicas", replicas.value, replicas.place),
                        Evidence("compute mode", "exclusive-process", known.place_of(exclusive[0], "computeMode")),
                    ],
                    ref=sharing.ref,
                )
