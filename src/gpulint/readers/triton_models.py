"""Models in a repository of Triton Inference Server that an LLM engine runs: `config.pbtxt` and the engine's own file.

Each model is a workload of its own: its instances, the GPUs that Triton gives each of them, and the engine with its
settings. What the server's container asks for stands elsewhere.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable
from typing import TypeVar

from gpulint.engines import flags
from gpulint.engines.launch import Find
from gpulint.engines.trtllm import from_options
from gpulint.engines.vllm import from_engine_kwargs
from gpulint.model.engine import Engine
from gpulint.model.project import Project
from gpulint.model.values import ObjectRef, Setting
from gpulint.model.workload import PER_INSTANCE, Container, GpuRequest, Pod, Workload
from gpulint.readers._files import project_files
from gpulint.readers._manifest import text_at
from gpulint.source.text import Place, Source
from gpulint.source.textproto import NotTextProto, each, message
from gpulint.source.yaml import Node

T = TypeVar("T")

MARKS = (("backend",), ("vllm", "tensorrtllm", "python", "triton_backend"))
# Files of the backends in the folder of a version. Source: triton-inference-server/vllm_backend@8de0c14 src/model.py
# (the second name: its predecessor in the tutorials); NVIDIA/TensorRT-LLM triton_backend/all_models/llmapi.
_VLLM_FILES = ("model.json", "vllm_engine_args.json")
_LLM_API_FILE = "model.yaml"
_NEWEST_VERSION = 9
# By these parameters a configuration is the TensorRT-LLM backend's where a variable names the backend.
_TRTLLM_PARAMETERS = ("gpt_model_path", "gpt_model_type", "executor_worker_path")


def claims_name(name: str) -> bool:
    return name.endswith(".pbtxt")


def read_text(source: Source, project: Project) -> None:
    try:
        config = message(source)
    except NotTextProto:
        return
    folder = posixpath.dirname(source.path)
    if posixpath.basename(folder) == "configs":  # further configurations of the model, chosen by --model-config-name
        folder = posixpath.dirname(folder)
    engine = _engine(config, folder, project)
    if engine is None:
        return
    container = Container(None, engine.place, gpus=_gpus(config), engine=engine)
    engine.container = container
    project.workloads.append(
        Workload(
            ref=ObjectRef("Triton model", None, text_at(config, "name") or posixpath.basename(folder)),
            api_version="",
            place=engine.place,
            pods=[Pod([container], engine.place, complete=False)],
        )
    )


def _engine(config: Node, folder: str, project: Project) -> Engine | None:
    """The engine that runs a model; None for models of other backends."""
    backend = config.get("backend")
    name = backend.text if backend is not None else None
    if backend is None or name is None:
        return None
    place = backend.place
    files = project_files(project, posixpath.join(folder, "config.pbtxt"), above=0)
    if name in ("vllm", "python"):
        arguments = _of_version(config, _VLLM_FILES, files)
        if arguments is None and name == "python":
            options = _of_version(config, (_LLM_API_FILE,), files)
            return from_options(options, place) if options is not None and options.get("model") is not None else None
        engine = from_engine_kwargs(arguments, place)
        engine.arguments_known = engine.arguments_known and arguments is not None
        engine.serves_metrics = None  # the server's own do, where the configuration says so
        return engine
    parameters = _parameters(config)
    if name == "tensorrtllm" or (name.startswith("$") and any(key in parameters for key in _TRTLLM_PARAMETERS)):
        return _tensorrt_llm(config, parameters, place)
    return None


def _of_version(config: Node, names: tuple[str, ...], files: Find) -> Node | None:
    """The engine's file in the folder of the newest version, or of the newest of those that are named."""
    named = [version.text or "" for version in each(config.at("version_policy", "specific", "versions"))]
    for version in sorted(named, reverse=True) or [str(number) for number in range(_NEWEST_VERSION, 0, -1)]:
        for name in names:
            found = files(posixpath.join(version, name))
            if found is not None:
                return found
    return None


def _tensorrt_llm(config: Node, parameters: dict[str, Node], place: Place) -> Engine:
    """The engine of the backend in C++. How many GPUs it spreads over was decided when the engine was built.

    Source: NVIDIA/TensorRT-LLM triton_backend/all_models/inflight_batcher_llm/tensorrt_llm/config.pbtxt and
    docs/source/legacy/advanced (model configuration).
    """

    def setting(name: str, convert: Callable[[str], T | None]) -> Setting[T] | None:
        node = parameters.get(name)
        if node is None or not node.text or flags.is_placeholder(node.text):
            return None
        return Setting(convert(node.text), name, node.place)

    batch = config.get("max_batch_size")
    size = flags.positive(batch.text) if batch is not None and batch.text is not None else None
    engine = Engine(
        name="trtllm",
        display_name="TensorRT-LLM",
        place=place,
        arguments_known=False,
        model=Setting(None, "gpt_model_path", None, True),
        tensor_parallel=Setting(None, "world_size", None, True),
        kv_cache_free_fraction=setting("kv_cache_free_gpu_mem_fraction", flags.number),
        max_num_seqs=Setting(size, "max_batch_size", batch.place) if batch is not None and size is not None else None,
    )
    devices = parameters.get("gpu_device_ids")
    if devices is not None and devices.text and not flags.is_placeholder(devices.text):
        engine.chooses_devices = True
        ids = devices.text.split(",")
        if all(each_id.strip().isdecimal() for each_id in ids):  # with semicolons there is a list for each instance
            engine.visible_devices = Setting(len(set(ids)), "gpu_device_ids", devices.place)
    return engine


def _parameters(config: Node) -> dict[str, Node]:
    """The parameters by their keys: `parameters { key: "x" value { string_value: "y" } }`."""
    found: dict[str, Node] = {}
    for entry in each(config.get("parameters")):
        key, value = text_at(entry, "key"), entry.at("value", "string_value")
        if key is not None and value is not None:
            found[key] = value
    return found


def _gpus(config: Node) -> list[GpuRequest]:
    """What each instance has: one GPU with KIND_GPU, of which the model sees no other.

    With KIND_MODEL the backend takes what it finds, and several instances find the same. Source: vllm_backend
    src/model.py, _validate_device_config.
    """
    for group in each(config.get("instance_group")):
        kind, count = group.get("kind"), group.get("count")
        instances = flags.integer(count.text or "") if count is not None else 1
        several = instances is not None and instances > 1
        where = count if several and count is not None else kind
        if kind is not None and where is not None and kind.text == PER_INSTANCE:
            return [GpuRequest(PER_INSTANCE, "nvidia", 1, kind.place, where.place, shared=several)]
        if kind is not None and where is not None and kind.text == "KIND_MODEL" and several:
            return [GpuRequest("KIND_MODEL", "nvidia", None, kind.place, where.place, shared=True)]
    return []
