"""vLLM: `vllm serve`, its API server modules, images that start it by themselves, and servers that run it inside."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache

from gpulint.engines import _images, _packages, flags
from gpulint.engines._settings import Variables, settings, spelled_in_file
from gpulint.engines.flags import Reading, Table
from gpulint.engines.launch import Call, CommandLine, Launch, Word, arguments_of, python_module
from gpulint.model.engine import Engine, Version
from gpulint.model.values import Setting
from gpulint.source.shell import basename
from gpulint.source.text import Place
from gpulint.source.yaml import Node

MARKS = ("vllm", "llm-d-", "huggingfaceserver")

_DYNAMO = "dynamo.vllm"
_HUGGING_FACE = "huggingfaceserver"
_MODULES = frozenset({
    "vllm.entrypoints.api_server",
    "vllm.entrypoints.openai.api_server",
    "vllm_tgis_adapter",  # vLLM's API server with a gRPC one beside it: the same flags and a few more
    _DYNAMO,
})  # fmt: skip
_SCRIPTS = ("vllm/entrypoints/openai/api_server.py", "vllm/entrypoints/api_server.py")
# Images called "vllm-…" that are something around it.
_OTHER_PROGRAMS = frozenset({
    "bench", "benchmark", "client", "controller", "emulator", "exporter", "gateway", "metrics", "mock", "operator",
    "plugin", "proxy", "router", "scheduler", "semantic", "sidecar", "sim", "simulator", "stack", "test", "tokenizer",
})  # fmt: skip
# Flags by which args are known for vLLM's.
_TELLING = frozenset({
    "--gpu-memory-utilization", "--max-model-len", "--max-num-seqs", "--model", "--served-model-name",
    "--tensor-parallel-size",
})  # fmt: skip
# Scripts of vLLM's examples that start or join a Ray cluster.
_LAUNCHERS_OF_RAY = ("multi-node-serving.sh", "run_cluster.sh")


def arguments(words: Sequence[Word]) -> int | None:
    """The index behind `vllm serve` or `python -m vllm.entrypoints.openai.api_server`."""
    program = basename(words[0].text)
    if program == "vllm":
        return 2 if len(words) > 1 and words[1].text == "serve" else None
    found = python_module(words)
    if found is not None:
        module, at = found
        if module == "vllm.entrypoints.cli.main" and at < len(words) and words[at].text == "serve":
            return at + 1
        if module == _HUGGING_FACE:
            return at if _backend(words[at:]) is not None else None
        return at if module in _MODULES else None
    if program.startswith("python"):
        for index, word in enumerate(words[1:4], start=1):
            if word.text is None or not word.text.startswith("-"):
                return index + 1 if (word.text or "").endswith(_SCRIPTS) else None
    return None


def entrypoint(launch: Launch) -> bool:
    """Whether the image starts vLLM's API server: the official ones by name, others where the args are vLLM's flags."""
    image = launch.image.value if launch.image is not None else ""
    words = _images.words(image)
    given = launch.args or []
    if _HUGGING_FACE in words:
        return _backend(given) is not None
    if "vllm" in words or words[:2] == ["llm", "d"]:
        if not _OTHER_PROGRAMS.isdisjoint(words):
            return False
    elif not any(name.startswith("VLLM_") for name in launch.env) or "/" in image:
        return False  # only an image to be filled in later may be told by its environment
    is_official = words[:2] == ["vllm", "openai"]
    if not given:
        return is_official
    first = given[0]
    if first.text == "serve":
        return "vllm" in words
    if not first.prefix.startswith("-"):
        # The newer images take the model as the first argument; anything else there is another program.
        is_model = first.text is None or re.fullmatch(r"[\w.-]+/[\w.-]+", first.text) is not None
        return is_official and (is_model or ("/" in first.prefix and _has_telling_flag(given)))
    return is_official or _has_telling_flag(given)


def _has_telling_flag(words: Sequence[Word]) -> bool:
    return any(_table().normal(word.prefix.partition("=")[0]) in _TELLING for word in words)


def _backend(words: Sequence[Word]) -> str | None:
    """ "vllm" or "auto" where KServe's Hugging Face server runs vLLM or may; None where it surely does not, or hardly.

    Without `--backend` it takes vLLM for the models that vLLM knows; flags of vLLM's say that this is meant.
    """
    found = flags.read(_server_table(), words, None).given.get("--backend")
    if found is not None and found.value == "vllm":
        return "vllm"
    return "auto" if (found is None or found.value == "auto") and _has_telling_flag(words) else None


def build(call: Call) -> Engine:
    """The engine with its settings, from the flags of its version."""
    launch = call.launch
    image = launch.image.value if launch.image is not None else ""
    version, version_text = _packages.version(call, "vllm") or _version(image)
    words = call.arguments
    if not call.lines and words and words[0].text == "serve":
        words = words[1:]
    program = (call.program[-1].text or "") if call.program else ""
    server = program == _HUGGING_FACE or (not call.program and _HUGGING_FACE in _images.words(image))
    table = _server_table() if server else _worker_table() if program == _DYNAMO else _table()
    reading = flags.read(table, words, version)
    strange = reading.readable and not reading.complete  # flags that vLLM does not have: the others are defaults still
    reading.complete = reading.complete or strange
    if any("VLLM" in name and "ARGS" in name for name in launch.env) or (server and _backend(words) == "auto"):
        reading.complete = False
    if not call.lines and launch.args is None:
        reading.complete = False  # a patch, or an operator that adds the arguments
    if "omni" in _images.words(image) or any(word.text == "--omni" for word in words):
        reading.complete = False  # vLLM-Omni places the stages of a pipeline on the GPUs by itself
    model = _server_model(reading) if server else _model(reading)
    only_strange = strange and reading.complete and "--config" not in reading.given
    reading.complete = reading.complete and not strange
    if "--config" in reading.given:
        reading.complete = False
    engine = _engine(reading, call, model, version, version_text)
    engine.only_strange_flags = only_strange
    engine.model_end = _model_end(reading, call) if engine.model is not None and engine.model.value is None else None
    return engine


def _engine(
    reading: Reading, call: Call, model: Setting[str] | None, version: Version | None, version_text: str | None
) -> Engine:
    launch = call.launch
    image = launch.image.value if launch.image is not None else ""
    ray = _ray_start(call.lines)
    is_worker = bool(call.program) and call.program[-1].text == _DYNAMO  # requests come to it by other ways
    backend = reading.given.get("--data-parallel-backend")
    return Engine(
        name="vllm",
        display_name="vLLM",
        place=call.place,
        version=version,
        version_text=version_text,
        arguments_known=reading.complete,
        model=model,
        dtype=reading.setting("--dtype", flags.text),
        quantization=reading.setting("--quantization", flags.text),
        tensor_parallel=reading.setting("--tensor-parallel-size", flags.integer),
        pipeline_parallel=reading.setting("--pipeline-parallel-size", flags.integer),
        data_parallel=reading.setting("--data-parallel-size", flags.integer),
        data_parallel_local=_data_parallel_local(reading),
        context_parallel=reading.setting("--prefill-context-parallel-size", flags.integer),
        expert_parallel=reading.switch("--enable-expert-parallel"),
        nodes=reading.setting("--nnodes", flags.integer),
        executor=_executor(reading, ray),
        memory_fraction=reading.setting("--gpu-memory-utilization", flags.number),
        kv_cache_memory_bytes=reading.setting("--kv-cache-memory-bytes", flags.human_integer),
        kv_cache_dtype=reading.setting("--kv-cache-dtype", flags.text),
        max_model_len=reading.setting("--max-model-len", _length),
        max_num_seqs=reading.setting("--max-num-seqs", flags.integer),
        max_batched_tokens=reading.setting("--max-num-batched-tokens", flags.human_integer),
        cpu_offload_gib=reading.setting("--cpu-offload-gb", flags.number),
        eager=reading.switch("--enforce-eager"),
        load_format=reading.setting("--load-format", flags.text),
        shutdown_timeout_s=reading.setting("--shutdown-timeout", flags.number),
        prefix_caching=reading.switch("--enable-prefix-caching"),
        chunked_prefill=reading.switch("--enable-chunked-prefill"),
        api_key=_with_variable(reading, call, "--api-key", "VLLM_API_KEY"),
        trust_remote_code=reading.switch("--trust-remote-code"),
        revision=_revision(reading),
        cache_dir=reading.setting("--download-dir", flags.text),
        host=None if is_worker else reading.setting("--host", flags.text),
        port=None if is_worker else reading.setting(_port_flag(reading), flags.integer),
        serves_metrics=flags.negated(reading.switch("--disable-log-stats")),
        config=reading.setting("--config", flags.text) if "--config" in reading.given else None,
        wrong_flags=flags.wrong_flags(reading) if _images.is_release(image) else [],
        repeated_flags=flags.repeated_flags(reading),
        stray_arguments=flags.stray_arguments(reading),
        ray_cluster=ray is not None
        or not launch.env_known
        or any(name.startswith("RAY_") for name in launch.env)
        or (backend is not None and backend.value != "mp"),
        accelerator=_images.accelerator(image),
    )


def from_engine_kwargs(node: Node | None, place: Place) -> Engine:
    """The engine of a mapping of vLLM's engine arguments by their Python names (`tensor_parallel_size: 8`).

    Settings are spelled as the mapping spells them and stand at their values; `place` is that of the engine. Without a
    mapping all are defaults. An argument that vLLM has no flag for, and a node that is no mapping, leave it unknown
    what else is set.
    """
    engine = _of_arguments(node, place)
    for setting in settings(engine):
        if setting.default:
            setting.spelled = setting.spelled.removeprefix("--").replace("-", "_")
    return engine


def configured(call: Call, node: Node) -> Engine:
    """The engine of a call whose `--config` names a file of this content.

    Its entries stand before the arguments, so that the command line beats the file, and the file the defaults
    (vllm/utils/argparse_utils.py, load_config_file).
    """
    words = call.without("--config")
    if not call.lines and words and words[0].text == "serve":
        words = words[1:]
    return spelled_in_file(build(call.with_arguments([*arguments_of(node), *words])), node)


def _of_arguments(node: Node | None, place: Place) -> Engine:
    """The engine of a mapping of arguments; what is written is spelled by its key."""
    words = arguments_of(node, switches=True) if node is not None else []
    reading = flags.read(_table(), words, None)
    reading.complete = reading.complete and (node is None or node.is_mapping)
    call = Call(Launch(None, None, words, {}, place), [], words, {}, place)
    engine = _engine(reading, call, _model(reading), None, None)
    for setting in settings(engine):
        if not setting.default:
            name = setting.spelled.removeprefix("--")
            setting.spelled = f"{name[3:]} false" if name.startswith("no-") else name
    return engine


@cache
def _table() -> Table:
    return flags.load("vllm.json")


@cache
def _server_table() -> Table:
    return _table().with_own(flags.load("huggingfaceserver.json"))


@cache
def _worker_table() -> Table:
    return _table().with_own(flags.load("dynamo.json"))


def _version(image: str) -> tuple[Version, str] | tuple[None, None]:
    """The version in the tag of the official images and their mirrors; other builds number themselves otherwise."""
    repository, tag = _images.split(image)
    if _images.words(image)[:2] != ["vllm", "openai"] or "lmcache/" in repository:
        return None, None
    return _images.version(tag)


def _model(reading: Reading) -> Setting[str]:
    """The model, by flag or as the positional argument; `--model` wins where both are given, as vLLM has it."""
    words = [word for word in reading.positionals if not _is_stray(word)]
    if len(reading.positionals) > ("--model" not in reading.given) or words != reading.positionals:
        # Unrecognized arguments to argparse: what they were meant to say is not said.
        reading.complete = False
    if "--model" in reading.given or not words:
        found = reading.setting("--model", flags.text)
        assert found is not None  # every version has it
        if found.default:  # an operator that mounts the model or names it elsewhere is likelier than the built-in one
            found.value = None
        return found
    return flags.positional(words, "model")


def _model_end(reading: Reading, call: Call) -> Setting[str] | None:
    """The known end of a model's address whose beginning is not (`gs://$(BUCKET)/owner/name`), where it says which."""
    given = reading.given.get("--model")
    words = reading.positionals[:1]
    word = given.place_of if given is not None else words[0] if words else None
    if word is None or word.text is not None:
        return None
    known = []
    for piece in reversed(word.pieces):
        if piece.text is None:
            break
        known.append(piece)
    end = "".join(piece.text or "" for piece in reversed(known))
    if "/" not in end:
        return None
    place = given.place if given is not None else word.place
    for piece in known:  # the variable that names the model, where it is written away from here
        written = (word.node.text or "")[piece.start : piece.end]
        variable = call.launch.env.get(written.strip("${}()"))
        if variable is not None and variable.remote and written.startswith("$"):
            place = variable.place
    return Setting(end.partition("/")[2], given.spelled if given is not None else "model", place)


def _server_model(reading: Reading) -> Setting[str] | None:
    """What KServe's server is told to fetch; else the model is mounted, and its name unknown."""
    found = reading.setting("--model-id", flags.text)
    if found is not None and found.default:
        found.value = None
    return found


def _is_stray(word: Word) -> bool:
    """Whether a positional word cannot be a model: `--tensor-parallel-size 4` in one word."""
    return word.text is not None and (" " in word.text or word.text.startswith("-"))


def _length(value: str) -> int | None:
    """Tokens; None for `auto` and -1, which take what fits into memory."""
    length = flags.human_integer(value)
    return None if length is None or length < 1 else length


def _port_flag(reading: Reading) -> str:
    return "--http-port" if "--http-port" in reading.table.flags else "--port"


def _with_variable(reading: Reading, call: Call, name: str, variable: str) -> Setting[str] | None:
    """A setting that a variable makes where the flag is not given."""
    found = reading.setting(name, flags.text)
    if found is not None and not found.default:
        return found
    if not call.launch.env_known:
        return Setting(None, name, None)
    return Variables(call).setting(variable, flags.text) or found


def _revision(reading: Reading) -> Setting[str] | None:
    """The revision of the model, or of its code alone."""
    code = reading.setting("--code-revision", flags.text)
    return code if code is not None and not code.default else reading.setting("--revision", flags.text)


def _data_parallel_local(reading: Reading) -> Setting[int] | None:
    """Ranks on this node. A launch that names its own rank is one rank (vllm/engine/arg_utils.py)."""
    rank = reading.given.get("--data-parallel-rank")
    if rank is not None and "--data-parallel-size-local" not in reading.given:
        return Setting(1, rank.spelled, rank.place)
    if "--data-parallel-hybrid-lb" in reading.given and "--data-parallel-size-local" not in reading.given:
        return Setting(None, "--data-parallel-size-local")  # vLLM computes it from the GPUs of the node
    local = reading.setting("--data-parallel-size-local", flags.integer)
    return None if local is not None and local.default else local


def _executor(reading: Reading, ray: Setting[str] | None) -> Setting[str] | None:
    """The backend that spreads the workers; Ray too where the launch joins a Ray cluster before."""
    found = reading.setting("--distributed-executor-backend", flags.text)
    if found is not None and not found.default:
        return found
    old = reading.given.get("--worker-use-ray")
    if old is not None:
        return Setting("ray", old.spelled, old.place)
    return ray if ray is not None else found


def _ray_start(lines: Sequence[CommandLine]) -> Setting[str] | None:
    """The start of a Ray cluster, or of a node of one, in the launch."""
    for line in lines:
        words = line.words
        if basename(words[0].text) == "ray" and len(words) > 1 and words[1].text == "start":
            return Setting("ray", "ray start", words[0].to(words[1]) or words[0].place)
        for word in words:
            if basename(word.text) in _LAUNCHERS_OF_RAY or "RAY_START_CMD" in word.written:
                return Setting("ray", basename(word.text) or "ray start", word.place)
    return None
