"""Serving engines: from a container's launch to its settings. Each module of this package is one engine."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Protocol

from gpulint.engines.launch import Call, CommandLine, Launch, Word
from gpulint.model.values import Setting
from gpulint.source.shell import basename, programs

if TYPE_CHECKING:
    from gpulint.model.engine import Engine
    from gpulint.source.text import Place
    from gpulint.source.yaml import Node

_NOT_ENGINES = ("flags", "launch")
# What a script runs before or beside an engine without using a GPU.
_PREPARATION = frozenset({
    "[", "[[", ":", "apk", "apt", "apt-get", "cat", "cd", "chmod", "chown", "conda", "cp", "curl", "date", "echo",
    "exit", "export", "find", "free", "git", "grep", "hf", "hostname", "huggingface-cli", "ldconfig", "ln", "ls",
    "mkdir", "ml", "module", "mount", "mv", "nvidia-smi", "pip", "pip3", "printenv", "printf", "pwd", "rm",
    "scontrol", "sed", "set", "shopt", "sleep", "source", ".", "sysctl", "tail", "tar", "tee", "test", "touch",
    "trap", "true", "ulimit", "umask", "unset", "uv", "wait", "wget", "which", "yum",
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

        A module whose engine reads a configuration file offers `configured(call, node)` as well: the same with the
        YAML in that file.
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
                call = Call(launch, [], list(launch.args or ()), {}, place)
                engine = _configured(module, call)
                _read_devices(engine, call, [])
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
    engine = _configured(module, call)
    engine.sole = len(calls) == 1 and not line.repeated
    others = [other for other in call.lines if other is not line and other.words]
    computing = [other for other in others if basename(other.words[0].text) not in _PREPARATION]
    engine.alone = engine.sole and not computing
    # Another engine takes what it sees, another program what it is told of.
    rivals = [other for other, _, _ in calls if other is not line]
    rivals += [other for other in computing if _device_list(other.environment, launch) is not None]
    _read_devices(engine, call, rivals)
    return engine


def _read_devices(engine: Engine, call: Call, rivals: Sequence[CommandLine]) -> None:
    """Which devices the launch lets the engine see, where it says so and the engine does not choose by itself."""
    if not any(name in call.environment or name in call.launch.env for name in _VISIBLE_DEVICES):
        return
    found = None if engine.chooses_devices else _device_list(call.environment, call.launch)
    engine.chooses_devices = True
    if found is None:
        return
    name, text, place = found
    devices = _devices(text)
    if devices is None:
        return
    engine.visible_devices = Setting(len(devices), name, place)
    for rival in rivals:
        listed = _device_list(rival.environment, call.launch)
        others = _devices(listed[1]) if listed is not None else None
        if others is None or not devices.isdisjoint(others):
            engine.shares_devices = True


def _configured(module: EngineModule, call: Call) -> Engine:
    """The engine of a call, with the configuration file that it is told to read where that is in sight."""
    engine = module.build(call)
    configured: Callable[[Call, Node], Engine] | None = getattr(module, "configured", None)
    path = engine.config.value or _spelled_path(engine.config) if engine.config is not None else None
    node = call.launch.options(path) if configured is not None and path is not None else None
    return configured(call, node) if configured is not None and node is not None and node.is_mapping else engine


def _spelled_path(option: Setting[str]) -> str | None:
    """The path that an option names as it is spelled: what a script writes to `$DIR/a.yaml` it finds there again."""
    text = option.place.text().strip() if option.place is not None else ""
    _, _, path = text.replace("=", " ", 1).rpartition(" ")
    return path.strip("\"'") if "$" in path else None


def _device_list(environment: Mapping[str, Word], launch: Launch) -> tuple[str, str | None, Place] | None:
    """The variable that lists a program's devices, its text (None: unknown) and place; None for none and for several.

    The last of the names is the container runtime's, which hands devices to the container and hides none inside it.
    """
    names = [name for name in _VISIBLE_DEVICES[:-1] if name in environment or name in launch.env]
    if len(names) != 1:
        return None
    name = names[0]
    word = environment.get(name)
    if word is not None:
        return name, word.text, word.place
    return name, launch.env[name].value, launch.env[name].place


def _devices(text: str | None) -> frozenset[str] | None:
    """The devices of a list of indices or UUIDs; None for MIG slices, for none and for what is unknown."""
    devices = [device.strip() for device in (text or "").split(",")]
    known = all(device.isdecimal() or device.startswith("GPU-") for device in devices)
    return frozenset(devices) if known and len(set(devices)) == len(devices) else None


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
