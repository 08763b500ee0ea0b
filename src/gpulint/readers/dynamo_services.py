"""Configurations of NVIDIA Dynamo's first releases: `dynamo serve graph:Frontend -f config.yaml`, by component.

Source: ai-dynamo/dynamo examples/llm/configs at v0.3; its SDK merges `common-configs` from Common into a component and
starts `ServiceArgs.workers` processes of it with `resources.gpu` GPUs each.
"""

from __future__ import annotations

from gpulint.engines import flags
from gpulint.engines.sglang import from_arguments
from gpulint.engines.vllm import from_engine_kwargs
from gpulint.model.engine import Engine
from gpulint.model.project import Project
from gpulint.model.quantity import whole
from gpulint.model.values import ObjectRef
from gpulint.model.workload import Container, GpuRequest, Pod, SharedMemory, Workload
from gpulint.readers._manifest import sourced_int
from gpulint.source.yaml import Node

MARKS = (("ServiceArgs",),)
_SERVICE = "ServiceArgs"
_COMMON, _TAKEN = "Common", "common-configs"


def claims_file(root: Node) -> bool:
    if root.get("apiVersion") is not None or root.get("kind") is not None:
        return False
    return any(component.get(_SERVICE) is not None for _, component in root.items())


def read_file(root: Node, project: Project) -> None:
    names = " ".join(root.keys()).lower()
    engines = [name for name in ("vllm", "sglang", "trtllm", "tensorrt") if name in names]
    common = root.get(_COMMON)
    for name, component in root.items():
        gpu = component.at(_SERVICE, "resources", "gpu")
        if gpu is None:
            continue
        count = whole(gpu.value)
        place = component.key_place
        container = Container(
            None,
            place,
            gpus=[GpuRequest("gpu", "nvidia", count, gpu.place, gpu.key_place)] if count != 0 else [],
            engine=_engine(component, common, engines[0]) if len(engines) == 1 else None,
            shared_memory=SharedMemory("unknown", None, place),  # of whatever it runs in
        )
        if container.engine is not None:
            container.engine.container = container
        workload = Workload(
            ref=ObjectRef("Dynamo component", None, name),
            api_version="",
            place=place,
            pods=[Pod([container], place)],
            replicas=sourced_int(component.at(_SERVICE, "workers")),
        )
        project.workloads.append(workload)


def _engine(component: Node, common: Node | None, name: str) -> Engine | None:
    """The engine of a worker: its own entries and those that it takes from Common, as far as they are the engine's."""
    if name not in ("vllm", "sglang"):
        return None  # its settings stand in a file of TensorRT-LLM's
    from gpulint.source.kustomize import Merged

    entries: dict[str, Node] = {}
    taken = component.get(_TAKEN)
    for element in taken.elements() if taken is not None else ():
        value = common.get(element.text or "") if common is not None else None
        if value is not None and element.text is not None:
            entries[element.text] = value
    entries |= dict(component.items())
    table = flags.load(f"{name}.json")
    own = {key: value for key, value in entries.items() if table.find(f"--{key.replace('_', '-')}", None) is not None}
    build = from_engine_kwargs if name == "vllm" else from_arguments
    engine = build(Merged(component, own), component.key_place)
    for setting in (engine.tensor_parallel, engine.pipeline_parallel, engine.data_parallel):
        if setting is not None and setting.default:
            setting.spelled = setting.spelled.replace("_", "-")
    return engine
