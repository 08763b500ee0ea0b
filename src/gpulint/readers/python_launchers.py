"""Python files that start an engine: as an object of its library, as a model of Ray Serve, or as a process."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from gpulint import engines
from gpulint.engines.launch import CommandLine, Launch, Word, script_lines
from gpulint.model.engine import Engine
from gpulint.model.project import Project
from gpulint.model.values import ObjectRef
from gpulint.readers._commands import add_engines, read_lines, whole
from gpulint.source.shell import Piece, Script, basename
from gpulint.source.text import Source
from gpulint.source.yaml import Node

if TYPE_CHECKING:
    from gpulint.source.python import Call, Value

INTERPRETERS = ("python",)
_PROCESSES = ("subprocess", "os.system", "os.exec", "os.popen", "create_subprocess")
_OBJECTS = ("LLM(", "LLM as", "EngineArgs", "LLMConfig", "ServerArgs", "Engine(", "Runtime(")
MARKS = (("LLMConfig", "--gpus", *engines.marks()), (*_OBJECTS, *_PROCESSES))
# What a file that runs processes must have beside them to be worth a look.
_COMMANDS = (
    r"vllm['\",\s]+serve|api_server|sglang['\",\s]+serve|launch_server|trtllm-serve|tensorrt_llm\.commands"
    r"|text-generation-launcher|lorax-launcher|llama-server|ollama|lmdeploy|tritonserver|launch_triton_server"
    r"|dynamo\.\w+|--gpus"
)
_VLLM = ("LLM", "EngineArgs", "AsyncEngineArgs")
_SGLANG = ("Engine", "Runtime", "ServerArgs")
_RUN_WORDS = frozenset({
    "subprocess.run", "subprocess.Popen", "subprocess.call", "subprocess.check_call", "subprocess.check_output",
})  # fmt: skip
_RUN_SCRIPT = frozenset({
    "os.system", "os.popen", "subprocess.getoutput", "subprocess.getstatusoutput", "asyncio.create_subprocess_shell",
})  # fmt: skip
# The program comes first, then its words, the first of which is the program's name again.
_REPLACE = frozenset({"os.execv", "os.execve", "os.execvp", "os.execvpe"})
_REPLACE_BY_ARGUMENTS = frozenset({"os.execl", "os.execlp"})
_RUN_ARGUMENTS = "asyncio.create_subprocess_exec"


def claims_name(name: str) -> bool:
    return name.endswith((".py", ".pyi", ".pyw"))


def read_text(source: Source, project: Project) -> None:
    name, text = basename(source.path), source.text
    # A test tries an engine out, with whatever it wants to see; it serves nobody.
    if name.startswith(("test_", "conftest.")) or name.endswith("_test.py"):
        return
    makes = any(word in text for word in _OBJECTS[:5]) or ("sglang" in text and any(w in text for w in _OBJECTS[5:]))
    runs = any(word in text for word in _PROCESSES) and re.search(_COMMANDS, text) is not None
    if not makes and not runs:
        return
    from gpulint.source.python import calls

    _Launcher(source, project).read(calls(source, _is_wanted))


def _is_wanted(name: str) -> bool:
    package, last = name.partition(".")[0], name.rpartition(".")[2]
    return (
        (package == "vllm" and last in _VLLM)
        or (package == "sglang" and last in _SGLANG)
        or (package == "ray" and last == "LLMConfig")
        or name in _RUN_WORDS
        or name in _RUN_SCRIPT
        or name in _REPLACE
        or name in _REPLACE_BY_ARGUMENTS
        or name == _RUN_ARGUMENTS
    )


class _Launcher:
    """Reads the calls of one file."""

    def __init__(self, source: Source, project: Project) -> None:
        self.source = source
        self.project = project
        self.node = whole(source)
        self.ref = ObjectRef("Python launcher", None, basename(source.path))

    def read(self, calls: list[Call]) -> None:
        found: list[Engine] = []
        configs: list[Node] = []
        lines: list[CommandLine] = []
        for call in calls:
            last = call.name.rpartition(".")[2]
            if last == "LLMConfig":
                configs.append(self.mapping(call))
            elif call.name.startswith("vllm."):
                from gpulint.engines.vllm import from_engine_kwargs

                found.append(from_engine_kwargs(self.mapping(call, "model"), call.place))
            elif call.name.startswith("sglang."):
                from gpulint.engines.sglang import from_arguments

                found.append(from_arguments(self.mapping(call), call.place))
            else:
                lines += self.process(call)
        for engine in found:
            # A file that sets it in its environment chooses which GPUs its engine sees.
            engine.chooses_devices = "CUDA_VISIBLE_DEVICES" in self.source.text
            engine.sole = engine.alone = len(found) == 1 and not lines
        add_engines(found, self.ref, self.project)
        if configs:
            from gpulint.readers.ray_serve import add_configs

            add_configs(configs, ObjectRef("Ray Serve application", None, self.ref.name), self.project)
        read_lines(lines, {}, self.ref, self.node, self.project)

    def mapping(self, call: Call, first: str | None = None) -> Node:
        """The arguments of a call as a mapping; `first` is the name of the first where it is given by its position."""
        from gpulint.source.python import Entries, Rest, node_of

        entries = dict(call.keywords.entries)
        complete = call.keywords.complete
        if first is not None and call.positional and not isinstance(call.positional[0], Rest):
            value = call.positional[0]
            entries.setdefault(first, (value, value.start, value.end))
            complete = complete and len(call.positional) == 1
        elif call.positional:
            complete = False
        return node_of(Entries(call.place.start, call.keywords.end, entries, complete), self.source)

    def process(self, call: Call) -> list[CommandLine]:
        """The command lines of a process."""
        from gpulint.source.python import Constant, Items, Text

        given = call.positional
        named = call.keywords.entries.get("args") or call.keywords.entries.get("cmd")
        first = given[0] if given else named[0] if named is not None else None
        if call.name in _RUN_SCRIPT:
            return self.script(first)
        if call.name in _RUN_WORDS:
            by_shell = call.keywords.entries.get("shell")
            if isinstance(first, Text) and by_shell is not None and isinstance(by_shell[0], Constant):
                return self.script(first) if by_shell[0].value is True else []
            return self.words(first.items if isinstance(first, Items) else [])
        if call.name in _REPLACE:
            second = given[1] if len(given) > 1 else None
            return self.words([given[0], *second.items[1:]] if isinstance(second, Items) else [])
        if call.name in _REPLACE_BY_ARGUMENTS:
            return self.words([*given[:1], *given[2:]])
        return self.words(given)

    def script(self, value: Value | None) -> list[CommandLine]:
        from gpulint.source.python import Text

        if not isinstance(value, Text):
            return []
        return script_lines(Script(value.pieces, self.source.text), self.node, {}, None)[0]

    def words(self, values: list[Value]) -> list[CommandLine]:
        words = [self.word(value) for value in values]
        return Launch(None, words, None, {}, words[0].place).lines() if words else []

    def word(self, value: Value) -> Word:
        from gpulint.source.python import Constant, Rest, Text

        if isinstance(value, Text):
            return Word(self.node, value.pieces, value.start, value.end)
        number = value.value if isinstance(value, Constant) else None
        pieces = [Piece(str(number) if number is not None else None, value.start, value.end)]
        return Word(self.node, pieces, value.start, value.end, many=isinstance(value, Rest))
