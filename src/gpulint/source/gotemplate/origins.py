"""Where the values that a template writes come from: the path of a value below the dot of its file.

An origin is found from how a pipeline is written. What changes a value on its way has none; what only presents it
keeps the origin. It is a claim about values that a template may have set itself, so that `provenance` compares them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from gpulint.source.gotemplate.nodes import (
    Chain,
    Command,
    Constant,
    Dot,
    Field,
    Function,
    Operand,
    Pipeline,
    Variable,
)
from gpulint.source.gotemplate.unknown import truth

# The keys and indices that lead from the dot of a file to a value.
Path = tuple["str | int", ...]


class Made(dict["str | int", "Origin"]):
    """A dictionary or list that a template has made: the origins of what is in it."""


class Written(NamedTuple):
    """A piece of output. `exact` text stands so in the file from `start`; other text was written by start..end."""

    text: str
    start: int
    end: int
    exact: bool
    origin: Origin = None


# A value, several, or a text that another template wrote.
Origin = Path | Made | list[Written] | None

# What only presents the value that comes last, and what does so with the one that comes first.
_PRESENTS_LAST = frozenset({
    "toYaml", "mustToYaml", "toYamlPretty", "toJson", "mustToJson", "toRawJson", "mustToRawJson", "toPrettyJson",
    "indent", "nindent", "quote", "squote", "toString", "trim", "trimSuffix", "trimPrefix", "int", "int64", "float64",
    "deepCopy", "mustDeepCopy", "required",
})  # fmt: skip
# `tpl` gives a text without actions as it is.
_PRESENTS_FIRST = frozenset({"omit", "pick", "tpl"})
# Values are not nested more deeply than this; a variable that goes on and on is.
_DEEPEST = 100
# With which of them the first that is not empty is taken.
_CHOOSES = {"default": -1, "coalesce": 1, "or": 1}


class Origins:
    """What a machine knows of where its values come from. `dot_origin` is that of the dot.

    `texts` are what templates wrote where a command included them, the last time that it did.
    """

    def __init__(self) -> None:
        self.root: object = None
        self.variables: list[tuple[str, object, Origin]] = []
        self.dot_origin: Origin = ()
        self.texts: dict[Command, list[Written]] = {}

    def origin(self, pipeline: Pipeline) -> Origin:
        """The origin of what a pipeline has just given."""
        origin: Origin = None
        for index, command in enumerate(pipeline.commands):
            origin = self._of_command(command, [origin] if index else [])
        return origin

    def operand_origin(self, operand: Operand) -> Origin:
        if isinstance(operand, Dot):
            return self.dot_origin
        if isinstance(operand, Field):
            return below(self.dot_origin, operand.names)
        if isinstance(operand, Variable):
            known = next((each[2] for each in reversed(self.variables) if each[0] == operand.name), None)
            return below(known, operand.names)
        if isinstance(operand, Chain):
            return below(self.origin(operand.of), operand.names)
        return self.origin(operand) if isinstance(operand, Pipeline) else None

    def _of_command(self, command: Command, last: list[Origin]) -> Origin:
        first, *rest = command.operands
        if not isinstance(first, Function):
            return self.operand_origin(first) if not rest and not last else None
        name = first.name
        if name == "include":
            return self.texts.get(command)
        if name in _PRESENTS_LAST:
            return last[0] if last else self.operand_origin(rest[-1]) if rest else None
        if not rest:
            return None
        if name in _PRESENTS_FIRST:
            return self.operand_origin(rest[0])
        if name in _CHOOSES:
            return self._chosen([*map(self.operand_origin, rest), *last][:: _CHOOSES[name]])
        if name == "ternary":
            one, other = [*map(self.operand_origin, rest), *last][:2]
            return one if isinstance(one, tuple) and one == other else None
        if name in ("index", "get"):
            return below(self.operand_origin(rest[0]), map(self._step, rest[1:]))
        if name == "dict":
            keys = [self._step(operand) for operand in rest[::2]]
            origins = map(self.operand_origin, rest[1::2])
            return Made((key, origin) for key, origin in zip(keys, origins, strict=False) if key is not None)
        return Made(enumerate(map(self.operand_origin, rest))) if name in ("list", "tuple") else None

    def _chosen(self, origins: Iterable[Origin]) -> Origin:
        for origin in origins:
            if isinstance(origin, list):
                known: bool | None = any(piece.text for piece in origin)
            else:
                known = truth(self._value(origin)) if isinstance(origin, tuple) else None
            if known is not False:
                return origin if known else None
        return None

    def _step(self, operand: Operand) -> str | int | None:
        """A key or an index, where it stands there or is all that a variable holds."""
        value: object = None
        if isinstance(operand, Constant):
            value = operand.value
        elif isinstance(operand, Variable) and not operand.names:
            value = next((each[1] for each in reversed(self.variables) if each[0] == operand.name), None)
        return value if isinstance(value, (str, int)) else None

    def _value(self, path: Path) -> object:
        value = self.root
        for step in path:
            if isinstance(value, dict):
                value = value.get(str(step))
            elif isinstance(value, list) and isinstance(step, int) and 0 <= step < len(value):
                value = value[step]
            else:
                return None
        return value


def below(origin: Origin, steps: Iterable[object]) -> Origin:
    """The origin of what lies at the end of some steps from a value; None where a step is not known."""
    for step in steps:
        if not isinstance(step, (str, int)):
            return None
        if isinstance(origin, tuple):
            origin = (*origin, step) if len(origin) < _DEEPEST else None
        else:
            origin = origin.get(step) if isinstance(origin, Made) else None
    return origin
