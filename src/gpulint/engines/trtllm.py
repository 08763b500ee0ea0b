"""TensorRT-LLM: `trtllm-serve`, and the worker of NVIDIA Dynamo that runs it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from gpulint.engines import _images, _packages, flags
from gpulint.engines._settings import Settings, settings
from gpulint.engines.launch import Call, Launch, Word, python_module
from gpulint.model.engine import Engine, Version
from gpulint.model.values import Setting
from gpulint.source.shell import basename
from gpulint.source.text import Place
from gpulint.source.yaml import Node

T = TypeVar("T")

MARKS = ("trtllm-serve", "dynamo.trtllm", "tensorrt_llm.commands")

_DYNAMO = "dynamo.trtllm"
_COMMAND = "tensorrt_llm.commands.serve"
_SERVING = ("serve", "grpc")
_OTHER = ("disaggregated", "disaggregated_mpi_worker", "mm_embedding_serve")
# Launchers of processes, and the options by which they are told of other hosts.
_LAUNCHERS = ("mpirun", "mpiexec", "srun")
_HOSTS = ("-H", "-host", "--host", "-hostfile", "--hostfile", "-machinefile", "--machinefile", "-f")
# Files and values that change settings over the heads of the flags.
_OVERRIDING = ("--config", "--extra-engine-args", "--override-engine-args")
_FILES = ("--config", "--extra_llm_api_options", "--extra-engine-args")
_SIZES = (
    ("tensor_parallel", "tensor_parallel_size"),
    ("pipeline_parallel", "pipeline_parallel_size"),
    ("context_parallel", "context_parallel_size"),
    ("max_model_len", "max_seq_len"),
    ("max_num_seqs", "max_batch_size"),
    ("max_batched_tokens", "max_num_tokens"),
)


def arguments(words: Sequence[Word]) -> int | None:
    """The index behind `trtllm-serve`, `trtllm-serve serve` or `python -m dynamo.trtllm`."""
    found = python_module(words)
    if found is not None and found[0] == _DYNAMO:
        return found[1]
    at = 1 if basename(words[0].text) == "trtllm-serve" else None
    if found is not None and found[0] == _COMMAND:
        at = found[1]
    if at is None or at >= len(words):
        return at
    if words[at].text in _SERVING:
        return at + 1
    return None if words[at].text in _OTHER else at


def entrypoint(launch: Launch) -> bool:  # noqa: ARG001
    """No image of TensorRT-LLM starts it by itself."""
    return False


def build(call: Call) -> Engine:
    """The engine with its settings.

    A file of options overrides the command line (tensorrt_llm/commands/serve.py), which mostly sets what has no flag:
    what is on the command line is taken as said, what is not is unknown.
    """
    image = call.launch.image.value if call.launch.image is not None else ""
    version, version_text = _packages.version(call, "tensorrt-llm") or _version(image)
    is_worker = bool(call.program) and call.program[-1].text == _DYNAMO
    reading = flags.read(flags.load("dynamo_trtllm.json" if is_worker else "trtllm.json"), call.arguments, version)
    read = Settings(call, reading)
    if any(_is_set(read, name) for name in _OVERRIDING) or len(reading.positionals) > (not is_worker):
        reading.complete = False
    # The worker spells its flags with dashes, the server with underscores, and some otherwise.
    model: Setting[str] | None
    if is_worker:
        reading.complete = reading.complete and call.launch.env_known
        model = read.setting("--model", flags.text)
        fraction = read.setting("--free-gpu-memory-fraction", flags.number)
        experts = read.setting("--expert-parallel-size", flags.integer)
        sizes = ("--tensor-parallel-size", "--pipeline-parallel-size", "--max-seq-len", "--max-batch-size")
        tokens, attention, per_node = "--max-num-tokens", "--enable-attention-dp", "--gpus-per-node"
    else:
        model = flags.positional(reading.positionals, "model")
        fraction = read.setting("--free_gpu_memory_fraction", flags.number)
        experts = read.setting("--moe_expert_parallel_size", flags.integer)
        sizes = ("--tensor_parallel_size", "--pipeline_parallel_size", "--max_seq_len", "--max_batch_size")
        tokens, attention, per_node = "--max_num_tokens", "--enable_attention_dp", "--gpus_per_node"
    tensor, pipeline, length, batch = (read.setting(name, flags.integer) for name in sizes)
    engine = Engine(
        name="trtllm",
        display_name="TensorRT-LLM",
        place=call.place,
        version=version,
        version_text=version_text,
        arguments_known=reading.complete,
        model=model,
        tensor_parallel=tensor,
        pipeline_parallel=pipeline,
        context_parallel=read.setting("--context_parallel_size", flags.integer),
        expert_parallel=flags.above_one(experts),
        kv_cache_free_fraction=fraction,
        kv_cache_dtype=read.setting("--kv_cache_dtype", flags.text),
        max_model_len=length,
        max_num_seqs=batch,
        max_batched_tokens=read.setting(tokens, flags.integer),
        host=read.setting("--host", flags.text),
        port=read.setting("--port", flags.integer),
        config=_file(read),
        accelerator=_images.accelerator(image),
    )
    inside = reading.given.get(attention)
    if inside is not None and not inside.negated:  # one copy of the attention on each GPU of the group
        size = tensor.value if tensor is not None else None
        engine.attention_data_parallel = Setting(size, inside.spelled, inside.place)
    engine.nodes = _nodes(engine, read.setting(per_node, flags.integer)) or _other_hosts(call.program)
    return engine


def configured(call: Call, node: Node) -> Engine:
    """The engine of a call that names a file of this content, which says what the command line leaves open.

    Where both speak, the file wins in the releases whose source is known, but that may change: what they disagree on is
    unknown. Source: tensorrt_llm/llmapi/llm_args.py, update_llm_args_with_extra_dict.
    """
    return _with_options(build(call.with_arguments(call.without(*_FILES))), node)


def from_options(node: Node, place: Place) -> Engine:
    """The engine of a mapping of the LLM class's arguments (`tensor_parallel_size: 4`, `kv_cache_config: {…}`)."""
    engine = build(Call(Launch(None, None, [], {}, place), [], [], {}, place))
    for setting in settings(engine):
        setting.spelled = setting.spelled.removeprefix("--")
    return _with_options(engine, node)


def _with_options(engine: Engine, node: Node) -> Engine:
    _lay(engine, "model", node.get("model"), "model", flags.text)
    # AutoDeploy has the one size for all.
    tensor = node.get("tensor_parallel_size") or node.get("world_size")
    for field, key in _SIZES:
        _lay(engine, field, tensor if field == "tensor_parallel" else node.get(key), key, flags.integer)
    experts = node.get("moe_expert_parallel_size")
    if experts is not None and experts.text is not None:
        size = flags.integer(experts.text)
        engine.expert_parallel = Setting(None if size is None else size > 1, "moe_expert_parallel_size", experts.place)
    cache = node.get("kv_cache_config")
    if cache is not None and cache.is_mapping:
        fraction = cache.get("free_gpu_memory_fraction")
        own = engine.kv_cache_free_fraction
        if fraction is None and own is not None and not own.default:
            own.value = None  # some releases replace the whole, others one key
        _lay(engine, "kv_cache_free_fraction", fraction, "free_gpu_memory_fraction", flags.number)
        _lay(engine, "kv_cache_dtype", cache.get("dtype"), "dtype", flags.text)
    inside = node.get("enable_attention_dp")
    if inside is not None and inside.value is True:  # one copy of the attention on each GPU of the group
        ranks = engine.tensor_parallel.value if engine.tensor_parallel is not None else None
        engine.attention_data_parallel = Setting(ranks, "enable_attention_dp", inside.place)
    per_node = node.get("gpus_per_node")
    if per_node is not None and per_node.text is not None:
        setting = Setting(flags.integer(per_node.text), "gpus_per_node", per_node.place)
        engine.nodes = _nodes(engine, setting) or engine.nodes
    engine.config = None
    return engine


def _lay(engine: Engine, field: str, node: Node | None, key: str, convert: Callable[[str], T | None]) -> None:
    """Sets what a file says; a value that the command line contradicts is unknown."""
    if node is None or node.text is None:
        return
    value = None if flags.is_placeholder(node.text) else convert(node.text)
    own: Setting[T] | None = getattr(engine, field)
    if own is not None and not own.default and own.value != value:
        value = None
    setattr(engine, field, Setting(value, key, node.place))


def _is_set(read: Settings, name: str) -> bool:
    flag = read.reading.table.flags.get(name)
    return flag is not None and (name in read.reading.given or (flag.env is not None and flag.env in read.variables))


def _file(read: Settings) -> Setting[str] | None:
    """The file of options, by flag or by variable."""
    for name in ("--config", "--extra-engine-args"):
        if _is_set(read, name):
            return read.setting(name, flags.text)
    return None


def _nodes(engine: Engine, per_node: Setting[int] | None) -> Setting[int] | None:
    """The nodes that the workers take where the GPUs of each are told."""
    total = engine.gpus_used()
    if per_node is None or per_node.default:
        return None
    if total is None or per_node.value is None or per_node.value < 1:
        return Setting(None, per_node.spelled, per_node.place)
    if total % per_node.value and total > per_node.value:
        return Setting(None, per_node.spelled, per_node.place)
    return Setting(max(1, total // per_node.value), per_node.spelled, per_node.place)


def _other_hosts(program: Sequence[Word]) -> Setting[int] | None:
    """An unknown number of nodes where a launcher of processes is told of other hosts."""
    for word in program:
        name = basename(word.text)
        if name == "srun" or (name in _LAUNCHERS and any((w.prefix.partition("=")[0]) in _HOSTS for w in program)):
            return Setting(None, name, word.place)
    return None


def _version(image: str) -> tuple[Version, str] | tuple[None, None]:
    """The version in the tag of nvcr.io/nvidia/tensorrt-llm/release and of builds called tensorrt-llm."""
    repository, tag = _images.split(image)
    is_release = repository.endswith("tensorrt-llm/release") or repository.rsplit("/", 1)[-1] == "tensorrt-llm"
    return _images.version(tag) if is_release else (None, None)
