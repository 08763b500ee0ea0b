"""Serving engines: from a container's launch to its settings. Each module of this package is one engine."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator, Sequence
from functools import cache
from typing import TYPE_CHECKING, Protocol

from gpulint.engines.launch import Call, CommandLine, Launch, Word
from gpulint.source.shell import programs

if TYPE_CHECKING:
    from gpulint.model.engine import Engine

_NOT_ENGINES = ("flags", "launch")


class EngineModule(Protocol):
    """What a module of this package offers."""

    MARKS: tuple[str, ...]
    """Lower-case texts of which one occurs wherever the engine is launched."""

    def arguments(self, words: Sequence[Word]) -> int | None:
        """The index of the first argument, where the words begin with the engine's program; else None."""

    def entrypoint(self, launch: Launch) -> bool:
        """Whether the image starts the engine by itself and takes the container's args for its own."""

    def build(self, call: Call) -> Engine:
        """The engine that a call starts."""


@cache
def modules() -> tuple[EngineModule, ...]:
    """The engines' modules, by name."""
    names = sorted(info.name for info in pkgutil.iter_modules(__path__))
    return tuple(
        importlib.import_module(f"{__name__}.{name}")  # type: ignore[misc]  # a module has the protocol's members
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
    lines = launch.lines()
    calls = [call for line in lines for call in _calls(line, lines, launch, candidates)]
    if calls:
        module, call = calls[0]
        engine = module.build(call)
        engine.sole = len(calls) == 1
        return engine
    if launch.command is None:
        for module in candidates:
            if module.entrypoint(launch):
                place = launch.image.place if launch.image is not None else launch.place
                return module.build(Call(launch, [], list(launch.args or ()), {}, place))
    return None


def _calls(
    line: CommandLine, lines: list[CommandLine], launch: Launch, candidates: Sequence[EngineModule]
) -> Iterator[tuple[EngineModule, Call]]:
    for at in programs(line.words):
        for module in candidates:
            index = module.arguments(line.words[at:])
            if index is not None:
                program, last = line.words[at], line.words[at + index - 1]
                place = program.to(last) or program.place
                yield module, Call(launch, lines, line.words[at + index :], line.environment, place)
                return
