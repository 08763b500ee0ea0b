"""Serving engines: from a container's launch to its settings. Each module of this package is one engine."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Protocol

from gpulint.engines.launch import Call, CommandLine, Launch, Word
from gpulint.source.shell import basename, programs

if TYPE_CHECKING:
    from gpulint.model.engine import Engine
    from gpulint.source.text import Place

_NOT_ENGINES = ("flags", "launch")
# What a script runs before or beside an engine without using a GPU.
_PREPARATION = frozenset({
    "[", "[[", ":", "apk", "apt", "apt-get", "cat", "cd", "chmod", "chown", "conda", "cp", "curl", "date", "echo",
    "exit", "export", "find", "free", "git", "grep", "hf", "hostname", "huggingface-cli", "ldconfig", "ln", "ls",
    "mkdir", "mount", "mv", "nvidia-smi", "pip", "pip3", "printenv", "printf", "pwd", "rm", "sed", "set", "shopt",
    "sleep", "source", ".", "sysctl", "tail", "tar", "tee", "test", "touch", "trap", "true", "ulimit", "umask",
    "unset", "uv", "wait", "wget", "which", "yum",
})  # fmt: skip
_VISIBLE_DEVICES = ("CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES", "NVIDIA_VISIBLE_DEVICES")


class EngineModule(Protocol):
    """What a module of this package offers."""

    __name__: str
    MARKS: tuple[str, ...]
    """Lower-case texts of which one occurs wherever the engine is launched."""

    def arguments(self, words: Sequence[Word]) -> int | None:
        """The index of the first argument, where the words begin with the engine's program; else None."""

    def entrypoint(self, launch: Launch) -> bool:
        """Whether the image starts the engine by itself and takes the container's args for its own."""

    def build(self, call: Call) -> Engine:
        """The engine that a call starts.

        A module whose engine reads a configuration file offers `apply_config(engine, node)` as well.
        """


# A command line, the module of the engine that it starts, and the call of it.
_Found = tuple[CommandLine, EngineModule, Call]


@cache
def modules() -> tuple[EngineModule, ...]:
    """The engines' modules, by name."""
    names = sorted(info.name for info in pkgutil.iter_modules(__path__))
    return tuple(
        importlib.import_module(f"{__name__}.{name}")
        for name in names
        if not name.startswith("_") and name not in _NOT_ENGINES
    )


@cache
def marks() -> tuple[str, ...]:
    """Lower-case texts of which at least one occurs in every file that launches an engine."""
    return tuple(mark for module in modules() for mark in module.MARKS)


def read(launch: Launch) -> Engine | None:
    """The engine that a container starts; None where it starts none that is known.

    Of several, the first; its `sole` is then False.
    """
    candidates = [module for module in modules() if launch.mentions(module.MARKS)]
    if not candidates:
        return None
    calls = _calls(launch, candidates)
    if calls:
        return _built(calls[0], calls, launch)
    if launch.command is None:
        for module in candidates:
            if module.entrypoint(launch):
                place = launch.image.place if launch.image is not None else launch.place
                engine = module.build(Call(launch, [], list(launch.args or ()), {}, place))
                _read_config(engine, module, launch)
                if any(name in launch.env for name in _VISIBLE_DEVICES):
                    engine.chooses_devices = True
                return engine
    return None


def read_all(launch: Launch) -> list[Engine]:
    """Every engine that the command lines of a launch start, in their order."""
    candidates = [module for module in modules() if launch.mentions(module.MARKS)]
    calls = _calls(launch, candidates) if candidates else []
    return [_built(found, calls, launch) for found in calls]


def _calls(launch: Launch, candidates: Sequence[EngineModule]) -> list[_Found]:
    lines = launch.lines()
    return [(line, *found) for line in lines if (found := _call(line, lines, launch, candidates)) is not None]


def _built(found: _Found, calls: Sequence[_Found], launch: Launch) -> Engine:
    """The engine of one of the calls of a launch."""
    line, module, call = found
    engine = module.build(call)
    engine.sole = len(calls) == 1 and not line.repeated
    others = [other for other in call.lines if other is not line and other.words]
    engine.alone = engine.sole and all(basename(other.words[0].text) in _PREPARATION for other in others)
    if any(name in call.environment or name in launch.env for name in _VISIBLE_DEVICES):
        engine.chooses_devices = True
    engine.visible_devices = _visible_devices(call)
    _read_config(engine, module, launch)
    return engine


def _read_config(engine: Engine, module: EngineModule, launch: Launch) -> None:
    """Lays the configuration file that an engine is told to read under its command line, where it is in sight."""
    apply = getattr(module, "apply_config", None)
    path = engine.config.value if engine.config is not None else None
    node = launch.files.get(path) if path is not None else None
    inner = node.embedded() if node is not None else None
    if apply is not None and inner is not None:
        apply(engine, inner.root)


def _visible_devices(call: Call) -> int | None:
    """How many devices the launch shows to the engine, where it lists them."""
    word = call.environment.get(_VISIBLE_DEVICES[0])
    given = call.launch.env.get(_VISIBLE_DEVICES[0])
    text = word.text if word is not None else given.value if given is not None else None
    devices = (text or "").split(",")
    return len(devices) if all(device.strip().isdigit() for device in devices) else None


def start(name: str, launch: Launch, arguments: Sequence[Word], place: Place) -> Engine | None:
    """The engine of a name (`vllm`) that an operator or a runtime starts with these arguments; None if unknown."""
    for module in modules():
        if module.__name__.rpartition(".")[2] == name:
            return module.build(Call(launch, [], list(arguments), {}, place))
    return None


def _call(
    line: CommandLine, lines: list[CommandLine], launch: Launch, candidates: Sequence[EngineModule]
) -> tuple[EngineModule, Call] | None:
    """The engine's program in a command line, behind the programs that only run another."""
    for at in programs(line.words):
        for module in candidates:
            index = module.arguments(line.words[at:])
            if index is not None and not any(word.text in ("--help", "--version") for word in line.words[at + index :]):
                program, last = line.words[at], line.words[at + index - 1]
                place = program.to(last) or program.place
                behind = at + index
                call = Call(launch, lines, line.words[behind:], line.environment, place, line.words[:behind])
                return module, call
    return None
