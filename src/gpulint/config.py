"""Configuration: `gpulint.toml`, or `[tool.gpulint]` in `pyproject.toml`, at the top of the project."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any

from gpulint.finding import LEVELS, Level


class ConfigError(ValueError):
    """A configuration that cannot be used: one line with the file and the reason."""


@dataclass(slots=True, eq=False)
class Config:
    """What a project sets. `path` is the file it came from, None for the defaults.

    `levels` maps names of rules or families to levels; `per_path_ignores` maps .gitignore patterns, relative to the
    file's folder, to names of rules or families. `baseline` is a path.
    """

    path: str | None = None
    select: list[str] = field(default_factory=list)
    ignore: list[str] = field(default_factory=list)
    exclude: list[str] = field(default_factory=list)
    fail_on: Level = "warning"
    levels: dict[str, Level] = field(default_factory=dict)
    per_path_ignores: dict[str, list[str]] = field(default_factory=dict)
    baseline: str | None = None


def find_config(root: str) -> Config:
    """The configuration at the top of a project, or the defaults. Raises ConfigError."""
    own = os.path.join(root, "gpulint.toml")
    if os.path.isfile(own):
        return read_config(own)
    shared = os.path.join(root, "pyproject.toml")
    if os.path.isfile(shared):
        with open(shared, "rb") as file:
            if b"tool.gpulint" in file.read():
                return read_config(shared)
    return Config()


def read_config(path: str) -> Config:
    """The configuration in a file. Raises ConfigError for a file that cannot be read or says something unknown."""
    import tomllib

    shown = os.path.relpath(path)
    try:
        with open(path, "rb") as file:
            data = tomllib.load(file)
    except OSError as error:
        raise ConfigError(f"{shown}: {(error.strerror or str(error)).lower()}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{shown}: not valid TOML: {error}") from None
    if os.path.basename(path) == "pyproject.toml":
        data = _table(shown, "tool.gpulint", _table(shown, "tool", data.get("tool", {})).get("gpulint", {}))
    return _parse(shown, path, data)


def _parse(shown: str, path: str, data: dict[str, Any]) -> Config:
    config = Config(path=path)
    for key, value in data.items():
        if key in ("select", "ignore", "exclude"):
            setattr(config, key, _strings(shown, key, value))
        elif key == "fail-on":
            config.fail_on = _level(shown, key, value)
        elif key == "baseline":
            if not isinstance(value, str) or not value:
                raise ConfigError(f"{shown}: baseline must be a path, relative to the folder of this file")
            config.baseline = os.path.join(os.path.dirname(path), value)
        elif key == "levels":
            config.levels = {name: _level(shown, f"levels.{name}", v) for name, v in _table(shown, key, value).items()}
        elif key == "per-path-ignores":
            config.per_path_ignores = {
                pattern: _strings(shown, f"{key}.{pattern}", v) for pattern, v in _table(shown, key, value).items()
            }
        else:
            known = "select, ignore, exclude, fail-on, baseline, levels, per-path-ignores"
            raise ConfigError(f"{shown}: unknown setting {key!r}; known are {known}")
    return config


def _strings(shown: str, key: str, value: object) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ConfigError(f"{shown}: {key} must be a list of strings")
    return value


def _table(shown: str, key: str, value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ConfigError(f"{shown}: {key} must be a table")
    return value


def _level(shown: str, key: str, value: object) -> Level:
    for level in LEVELS:
        if value == level:
            return level
    raise ConfigError(f"{shown}: {key} must be one of {', '.join(LEVELS)}, not {value!r}")
