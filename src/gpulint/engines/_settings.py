"""Settings of engines that take them from environment variables too."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from gpulint.engines import flags
from gpulint.engines.flags import Reading
from gpulint.engines.launch import Call, values
from gpulint.model.engine import Engine
from gpulint.model.values import Setting
from gpulint.source.text import Place
from gpulint.source.yaml import Node

T = TypeVar("T")


def settings(engine: Engine) -> list[Setting[Any]]:
    """The settings that an engine has."""
    found = (getattr(engine, name, None) for name in Engine.__annotations__)
    return [value for value in found if isinstance(value, Setting)]


def spelled_in_file(engine: Engine, node: Node) -> Engine:
    """The engine with those settings that stand in a mapping spelled by their keys there, without dashes."""
    whole = node.place
    for setting in settings(engine):
        place = setting.place
        if place is not None and place.source is whole.source and whole.start <= place.start < whole.end:
            setting.spelled = setting.spelled.removeprefix("--")
    return engine


class Variables:
    """The environment of an engine's process: what the script sets for it, then the container's variables."""

    def __init__(self, call: Call) -> None:
        self.call = call
        self.values = values(call.launch.env)

    def __contains__(self, name: str) -> bool:
        return name in self.call.environment or name in self.call.launch.env

    def value(self, name: str) -> tuple[str | None, Place] | None:
        """The value of a variable (None: unknown) and its place; None where it is not set in sight."""
        word = self.call.environment.get(name)
        if word is not None:
            return word.text, word.place
        given = self.call.launch.env.get(name)
        return None if given is None else (self.values.get(name), given.place)

    def setting(self, name: str, convert: Callable[[str], T | None]) -> Setting[T] | None:
        """The setting that a variable makes; None where it is not set in sight."""
        found = self.value(name)
        if found is None:
            return None
        value, place = found
        return Setting(None if value is None or flags.is_placeholder(value) else convert(value), name, place)

    def choice(self, name: str, convert: Callable[[str], T | None]) -> Setting[T]:
        """The setting that a variable makes; where it is not set in sight, the engine chooses."""
        found = self.setting(name, convert)
        return found if found is not None else Setting(None, name, None, True)


class Settings:
    """Looks a setting up on the command line, then in the variable that the table names for its flag."""

    def __init__(self, call: Call, reading: Reading) -> None:
        self.reading = reading
        self.variables = Variables(call)

    def switch(self, name: str) -> Setting[bool] | None:
        """The setting of a switch; its variable may be set to any of llama.cpp's words for true."""
        flag = self.reading.table.flags[name]
        if name not in self.reading.given and flag.env is not None:
            found = self.variables.setting(flag.env, lambda value: value.lower() in ("on", "enabled", "true", "1"))
            if found is not None:
                return found
        return self.reading.switch(name)

    def setting(self, name: str, convert: Callable[[str], T | None]) -> Setting[T] | None:
        """The setting of a flag; None where the engine, or this version of it, has no such flag."""
        flag = self.reading.table.flags.get(name)
        if flag is None:
            return None
        if name not in self.reading.given and flag.env is not None:
            found = self.variables.setting(flag.env, convert)
            if found is not None:
                return found
        return self.reading.setting(name, convert)
