"""An autoscaler that reads a metric of another engine than the one it scales."""

from __future__ import annotations

from collections.abc import Iterator

from gpulint.finding import Evidence, Finding
from gpulint.metrics.table import Metric, lookup
from gpulint.model.autoscaler import Autoscaler, ScalingMetric
from gpulint.model.workload import Workload
from gpulint.rules import rule
from gpulint.rules.advice import scale_on_load
from gpulint.rules.queries import place_in
from gpulint.rules.signals import named

# Whose metrics each engine exports. Triton and NIM run other engines inside and hand their metrics on.
# Source: triton-inference-server/vllm_backend README, "Triton Metrics"; NVIDIA NIM documentation, "Observability".
_EXPORTS = {
    "vllm": frozenset({"vllm"}),
    "tgi": frozenset({"tgi"}),
    "sglang": frozenset({"sglang"}),
    "llamacpp": frozenset({"llamacpp"}),
    "lmdeploy": frozenset({"lmdeploy"}),
    "trtllm": frozenset({"trtllm", "triton"}),
    "triton": frozenset({"triton", "vllm", "trtllm"}),
    "nim": frozenset({"nim", "vllm", "sglang", "trtllm", "triton"}),
}
# Names that tell whose they are; NIM's are plain words which others use too.
_TELLING = frozenset(_EXPORTS) - {"nim"}


@rule("foreign-engine-metric")
def check(scaler: Autoscaler) -> Iterator[Finding]:
    workload = scaler.workload
    if workload is None or not _is_known(workload):
        return
    exported = frozenset[str]().union(*(_EXPORTS[engine.name] for engine in workload.engines))
    engine = workload.engines[0]
    for metric in scaler.metrics:
        rows = _rows(metric)
        if not rows or any(row is None or row.engine not in _TELLING or row.engine in exported for row in rows):
            continue
        foreign = rows[0]
        if foreign is None:
            continue
        yield Finding(
            place=place_in(metric),
            message=(
                f"{named(scaler)} scales {workload.ref} on {foreign.name}, and {engine.label} exports no such metric. "
                "The series never exists for these pods: the signal is 0 or unknown whatever the load."
            ),
            help=scale_on_load(scaler),
            evidence=[
                Evidence("metric", foreign.name, metric.place),
                Evidence("engine", engine.label, engine.place),
                Evidence("scales", str(workload.ref), workload.place),
            ],
        )


def _is_known(workload: Workload) -> bool:
    """Whether every container with GPUs runs an engine whose metrics are known, so that no other can export one."""
    engines = workload.engines
    if not engines or any(engine.name not in _EXPORTS or not engine.sole for engine in engines):
        return False
    return all(container.engine is not None for container in workload.containers if container.gpus)


def _rows(metric: ScalingMetric) -> list[Metric | None]:
    if metric.via is not None:
        return []
    names = metric.query.metric_names() if metric.query is not None else (metric.name,)
    return [lookup(name) for name in names]
