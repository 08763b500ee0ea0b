"""What a template is made of."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True, eq=False)
class Constant:
    """A text, number, boolean or nil as it is written."""

    value: object


@dataclass(slots=True, eq=False)
class Dot:
    """`.`"""


@dataclass(slots=True, eq=False)
class Field:
    """`.a.b`: a path from the dot."""

    names: list[str]


@dataclass(slots=True, eq=False)
class Variable:
    """`$x.a.b`: a path from a variable."""

    name: str
    names: list[str]


@dataclass(slots=True, eq=False)
class Chain:
    """`(…).a.b`: a path from what a pipeline gives."""

    of: Pipeline
    names: list[str]


@dataclass(slots=True, eq=False)
class Function:
    name: str


@dataclass(slots=True, eq=False)
class Command:
    """The first operand applied to the others."""

    operands: list[Operand]
    at: int


@dataclass(slots=True, eq=False)
class Pipeline:
    """Commands, each given the value of the one before as its last argument; `variables` take the value.

    `declares` tells `:=` from `=`.
    """

    commands: list[Command]
    variables: list[str] = field(default_factory=list)
    declares: bool = True


Operand = Constant | Dot | Field | Variable | Chain | Function | Pipeline


@dataclass(slots=True, eq=False)
class Text:
    """Literal text, at its offset in the file."""

    start: int
    text: str


@dataclass(slots=True, eq=False)
class Output:
    """An action that writes the value of a pipeline, or only sets a variable."""

    pipeline: Pipeline
    start: int
    end: int


@dataclass(slots=True, eq=False)
class Branch:
    """`if`, `with` or `range` (`kind`), with what stands in it and behind its `else`."""

    kind: str
    pipeline: Pipeline
    body: list[Node]
    orelse: list[Node]
    start: int
    end: int


@dataclass(slots=True, eq=False)
class Call:
    """`{{ template "name" pipeline }}`."""

    name: str
    pipeline: Pipeline | None
    start: int
    end: int


@dataclass(slots=True, eq=False)
class Leave:
    """`{{ break }}` or `{{ continue }}`."""

    kind: str
    start: int


Node = Text | Output | Branch | Call | Leave


@dataclass(slots=True, eq=False)
class Template:
    """The nodes of a file, and the templates that it defines by their names."""

    nodes: list[Node]
    defined: dict[str, list[Node]]
