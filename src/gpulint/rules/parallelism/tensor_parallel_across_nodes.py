"""Tensor parallelism that reaches over several nodes."""

from __future__ import annotations

from collections.abc import Iterator

from gpulint.finding import Evidence, Finding
from gpulint.model.engine import Engine
from gpulint.rules import rule
from gpulint.rules.parallel import devices, evidence_of_gpus, gpus_asked


@rule("tensor-parallel-across-nodes")
def check(engine: Engine) -> Iterator[Finding]:
    container, setting = engine.container, engine.tensor_parallel
    asked = gpus_asked(container)
    if setting is None or setting.value is None or not asked or setting.value <= asked or not engine.sole:
        return
    if container.mig_slice is not None or not _spans_nodes(engine) or _shares_an_nvlink_domain(engine):
        return
    workload = container.pod.workload
    total = workload.gpus_per_group() if workload.multi_node else None
    if total is not None and total < setting.value:
        return  # there are not enough GPUs at all: see parallel-size-exceeds-gpus
    size = setting.value
    pods = -(-size // asked)
    pipeline = engine.pipeline_parallel
    pipelined = pipeline is not None and not pipeline.default and (pipeline.value or 2) > 1
    yield Finding(
        place=setting.place or engine.place,
        message=(
            f"{setting.spelled} {size} splits every layer over {pods} pods of {devices(container, asked)} each. Each "
            "layer then waits for an all-reduce over the network between nodes, which is many times slower than NVLink "
            "inside one; GPU utilisation counts that waiting as work."
        ),
        help=(
            f"Keep tensor parallelism inside a node and pipeline the rest: {setting.spelled} {asked}"
            + (f" {pipeline.spelled} {pods}" if pipeline is not None and not pipelined and size % asked == 0 else "")
            + ". If the model must be split like this, check in the NCCL log (NCCL_DEBUG=INFO) that it uses NET/IB "
            "with GPUDirect RDMA and not NET/Socket, and compare tokens/s per GPU and p95 latency."
        ),
        evidence=[
            Evidence(setting.spelled, size, setting.place),
            *evidence_of_gpus(container),
            *(
                [Evidence(pipeline.spelled, pipeline.value, pipeline.place)]
                if pipelined and pipeline is not None
                else []
            ),
        ],
        level="info" if pipelined else None,
    )


def _spans_nodes(engine: Engine) -> bool:
    """Whether the launch is one of several pods that work together, as it says itself or as its object does."""
    nodes = engine.nodes
    if nodes is not None and not nodes.default:
        return nodes.value is None or nodes.value > 1
    ray = engine.executor is not None and engine.executor.value == "ray"
    return engine.container.pod.workload.multi_node or (engine.ray_cluster and ray)


def _shares_an_nvlink_domain(engine: Engine) -> bool:
    """GB200 and GB300 racks reach over nodes by NVLink."""
    placement = engine.container.pod.placement
    return placement is not None and any(gpu.nvlink == "nvl4_to_nvl72" for gpu in placement.gpus)
