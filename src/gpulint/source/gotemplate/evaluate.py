"""Running a template. Source: Go, src/text/template/exec.go."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from gpulint.source.gotemplate.budget import Budget
from gpulint.source.gotemplate.functions import RANDOM, functions, takes_unknown
from gpulint.source.gotemplate.lexer import SyntaxProblem
from gpulint.source.gotemplate.nodes import (
    Branch,
    Call,
    Chain,
    Command,
    Constant,
    Dot,
    Field,
    Function,
    Leave,
    Node,
    Operand,
    Output,
    Pipeline,
    Text,
    Variable,
)
from gpulint.source.gotemplate.origins import Origin, Origins, Written, below
from gpulint.source.gotemplate.parser import parse
from gpulint.source.gotemplate.printing import printed, type_name
from gpulint.source.gotemplate.unknown import (
    LimitReached,
    Missing,
    TemplateProblem,
    Unknowable,
    is_unknown,
    missing,
    name_of,
    truth,
    unknown,
)

_DEEPEST_CALL = 40
# By one file, what it includes counted twice.
_MOST_WRITTEN = 3_000_000


class Methods:
    """An object that templates only ask things of: `.Capabilities.APIVersions`, `.Files`."""

    __slots__ = ("members", "shown")

    def __init__(self, members: Mapping[str, object | Callable[..., object]], shown: str = "") -> None:
        self.members = members
        self.shown = shown

    def __str__(self) -> str:
        return self.shown


class Unknowns:
    """The names of values that are not known: the same for what comes from the same call, and for nothing else."""

    __slots__ = ("_fresh", "_names")

    def __init__(self) -> None:
        self._names: dict[tuple[object, ...], str] = {}
        self._fresh = 0

    def of(self, *key: object) -> str:
        """The value that a call gives, by the function and its arguments."""
        try:
            name = self._names.get(key)
        except TypeError:  # an argument that is a list or a dictionary
            return self.fresh()
        if name is None:
            name = self._names[key] = self.fresh()
        return name

    def fresh(self) -> str:
        self._fresh += 1
        return unknown(f"unknown.{self._fresh}")


class Machine(Origins):
    """Runs the nodes of templates that share their definitions.

    `open_gates` says that values which nobody gave are unknown rather than empty. `prefix` tells what is unknown of
    one chart from what another one calls the same.
    """

    def __init__(self, defined: Mapping[str, list[Node]], budget: Budget, unknowns: Unknowns, prefix: str = "") -> None:
        super().__init__()
        self.prefix = prefix
        self.defined = defined
        self.budget = budget
        self.unknowns = unknowns
        self.out: list[Written] = []
        self.written = 0
        self.open_gates = False
        self.depth = 0
        self.extra: list[Mapping[str, list[Node]]] = []
        self.functions = functions()
        self.takes_unknown = takes_unknown()
        # Of branches that were left out before: the variables that they set, and where they begin to write.
        self.left_out: dict[Branch, tuple[list[str], tuple[Node, int | None] | None]] = {}

    # -- nodes

    def walk(self, nodes: Iterable[Node], dot: object) -> str | None:
        """Writes what nodes give; `break` or `continue` where one of them says so."""
        for node in nodes:
            self.budget.step()
            if isinstance(node, Text):
                self.write(node.text, node.start, node.start + len(node.text), exact=True)
            elif isinstance(node, Output):
                value = self.pipeline(node.pipeline, dot)
                if not node.pipeline.variables:
                    self.write(self.shown(value), node.start, node.end, origin=self.origin(node.pipeline))
            elif isinstance(node, Branch):
                left = self.range(node, dot) if node.kind == "range" else self.branch(node, dot)
                if left is not None:
                    return left
            elif isinstance(node, Call):
                given, origin = None, None
                if node.pipeline is not None:
                    given, origin = self.pipeline(node.pipeline, dot), self.origin(node.pipeline)
                text, pieces = self.include(node.name, given, origin)
                self.write(text, node.start, node.end, origin=pieces)
            elif isinstance(node, Leave):
                return node.kind
        return None

    def write(self, text: str, start: int, end: int, *, exact: bool = False, origin: Origin = None) -> None:
        if text:
            self.written += len(text)
            if self.written > _MOST_WRITTEN:
                raise LimitReached("a template that writes too much")
            self.out.append(Written(text, start, end, exact, origin))

    def shown(self, value: object) -> str:
        """A value as an action writes it: nothing where there is none."""
        return "" if value is None else printed(value)

    def branch(self, node: Branch, dot: object) -> str | None:
        mark = len(self.variables)
        value = self.pipeline(node.pipeline, dot)
        known = truth(value)
        left: str | None = None
        if known is None:
            self.leave_out(node)
        elif known:
            with_value = node.kind == "with"
            origin = self.origin(node.pipeline) if with_value else self.dot_origin
            left = self.walk_inside(node.body, value if with_value else dot, origin)
        else:
            left = self.walk(node.orelse, dot)
        del self.variables[mark:]
        return left

    def walk_inside(self, nodes: Iterable[Node], dot: object, origin: Origin) -> str | None:
        """Writes what nodes give for another dot."""
        outer, self.dot_origin = self.dot_origin, origin
        try:
            return self.walk(nodes, dot)
        finally:
            self.dot_origin = outer

    def range(self, node: Branch, dot: object) -> str | None:
        mark = len(self.variables)
        pipeline = node.pipeline
        value = self.commands(pipeline, dot)
        if is_unknown(value):
            self.leave_out(node)
            return None
        origin = self.origin(pipeline)
        for index, element in _elements_of(value):
            self.budget.step()
            names = pipeline.variables
            of_element = below(origin, [index])
            pairs = ((index, None), (element, of_element)) if len(names) == 2 else ((element, of_element),)
            for name, (each, its_origin) in zip(names, pairs, strict=False):
                if pipeline.declares:
                    self.variables.append((name, each, its_origin))
                else:
                    self.assign(name, each, its_origin)
            left = self.walk_inside(node.body, element, of_element)
            del self.variables[mark:]
            if left == "break":
                break
        else:
            if not _has_elements(value):
                left = self.walk(node.orelse, dot)
                del self.variables[mark:]
                return left
        return None

    def leave_out(self, node: Branch) -> None:
        """A branch of which it is not known whether it is taken: what it would write, and set, is unknown."""
        known = self.left_out.get(node)
        if known is None:
            place = _first_line(node.body) or _first_line(node.orelse)
            known = self.left_out[node] = _assigned([*node.body, *node.orelse]), place
        names, place = known
        for name in names:
            self.budget.step()
            self.assign(name, self.unknowns.fresh(), strict=False)
        if place is not None:
            indent = place[1]
            lead = "" if indent is None else "\n" + " " * indent
            self.write(lead + self.unknowns.fresh(), node.start, node.end)

    # -- variables

    def assign(self, name: str, value: object, origin: Origin = None, *, strict: bool = True) -> None:
        self.look_up()
        for index in range(len(self.variables) - 1, -1, -1):
            if self.variables[index][0] == name:
                self.variables[index] = (name, value, origin)
                return
        if strict:
            raise TemplateProblem(f"undefined variable {name}")

    def look_up(self) -> None:
        """Counts what looking for a variable takes: a template may declare thousands."""
        self.budget.step(len(self.variables) // 16)

    def variable(self, name: str) -> object:
        self.look_up()
        for known, value, _ in reversed(self.variables):
            if known == name:
                return value
        raise TemplateProblem(f"undefined variable {name}")

    # -- templates

    def template(self, name: str) -> list[Node] | None:
        for more in reversed(self.extra):
            if name in more:
                return more[name]
        return self.defined.get(name)

    def include(self, name: str, given: object, origin: Origin) -> tuple[str, list[Written] | None]:
        """The output of a template, and its pieces; unknown where it is not among those that are known."""
        nodes = self.template(name)
        if nodes is None:
            if given is self.root:
                return unknown(f"include.{self.prefix}{_plain(name)}"), None
            return self.unknowns.of("include", name, given), None
        pieces = self.run(nodes, given, origin)
        return "".join(piece.text for piece in pieces), pieces

    def run(self, nodes: Iterable[Node], dot: object, origin: Origin = None) -> list[Written]:
        """What nodes write, with variables of their own."""
        if self.depth >= _DEEPEST_CALL:
            raise LimitReached("templates that include each other too deeply")
        outer_out, outer_variables = self.out, self.variables
        self.out, self.variables = [], [("$", dot, origin)]
        self.depth += 1
        try:
            self.walk_inside(nodes, dot, origin)
            return self.out
        finally:
            self.depth -= 1
            self.out, self.variables = outer_out, outer_variables

    def tpl(self, text: object, given: object) -> str:
        if not isinstance(text, str):
            raise TemplateProblem(f"expected string; found {type_name(text)}")
        if "{{" not in text:
            return text
        self.budget.use("tpl", [text])
        try:
            parsed = parse(text)
        except SyntaxProblem as error:
            raise TemplateProblem(error.reason) from None
        self.extra.append(parsed.defined)
        try:
            return "".join(piece.text for piece in self.run(parsed.nodes, given))
        finally:
            self.extra.pop()

    # -- values

    def pipeline(self, pipeline: Pipeline, dot: object) -> object:
        value = self.commands(pipeline, dot)
        if pipeline.variables:
            origin = self.origin(pipeline)
            for name in pipeline.variables:
                if pipeline.declares:
                    self.variables.append((name, value, origin))
                else:
                    self.assign(name, value, origin)
        return value

    def commands(self, pipeline: Pipeline, dot: object) -> object:
        value: object = None
        for index, command in enumerate(pipeline.commands):
            value = self.command(command, dot, (value,) if index else ())
        return value

    def command(self, command: Command, dot: object, last: tuple[object, ...]) -> object:
        self.budget.step()
        first, *rest = command.operands
        if isinstance(first, Function):
            if first.name in ("and", "or"):
                return self.junction(first.name, rest, dot, last)
            arguments = [*(self.operand(each, dot) for each in rest), *last]
            if first.name == "include":
                return self.included(command, arguments)
            return self.call(first.name, arguments)
        if isinstance(first, Constant) and first.value is None:
            raise TemplateProblem("nil is not a command")
        value = self.operand(first, dot, call=False)
        arguments = [*(self.operand(each, dot) for each in rest), *last]
        if isinstance(value, _Method):
            return self.method(value, arguments)
        if arguments:
            if is_unknown(value) or self.open_gates:
                return self.unknowns.fresh()
            raise TemplateProblem(f"can't give argument to non-function {_described(first)}")
        return value

    def included(self, command: Command, arguments: list[object]) -> object:
        _count(arguments, 2)
        name, given = arguments
        if is_unknown(name):
            return self.unknowns.fresh()
        if not isinstance(name, str):
            raise TemplateProblem(f"expected string; found {type_name(name)}")
        operands = command.operands
        text, pieces = self.include(name, given, self.operand_origin(operands[2]) if len(operands) > 2 else None)
        if pieces is not None:
            self.texts[command] = pieces
        else:
            self.texts.pop(command, None)
        return text

    def junction(self, name: str, operands: list[Operand], dot: object, last: tuple[object, ...]) -> object:
        """`and` and `or`, which read no further than they must."""
        value: object = None
        uncertain: object = None
        decisive = name == "or"
        for index in range(len(operands) + len(last)):
            try:
                value = self.operand(operands[index], dot) if index < len(operands) else last[0]
            except LimitReached:
                raise
            except TemplateProblem:
                if uncertain is None:
                    raise
                return uncertain  # what guards it is not known
            known = truth(value)
            if known is decisive:
                return value
            if known is None and uncertain is None:
                uncertain = value
        return value if uncertain is None else self.unknowns.of(name, uncertain)

    def operand(self, operand: Operand, dot: object, *, call: bool = True) -> object:
        value = self.bare(operand, dot)
        return self.method(value, []) if call and isinstance(value, _Method) else value

    def bare(self, operand: Operand, dot: object) -> object:
        if isinstance(operand, Constant):
            return operand.value
        if isinstance(operand, Dot):
            return dot
        if isinstance(operand, Field):
            return self.path(dot, operand.names)
        if isinstance(operand, Variable):
            return self.path(self.variable(operand.name), operand.names)
        if isinstance(operand, Chain):
            return self.path(self.pipeline(operand.of, dot), operand.names)
        if isinstance(operand, Pipeline):
            return self.pipeline(operand, dot)
        return self.call(operand.name, [])

    def path(self, value: object, names: list[str]) -> object:
        for index, name in enumerate(names):
            if isinstance(value, _Method):
                value = self.method(value, [])
            if isinstance(value, dict):
                found = value.get(name)
                if found is None and self.open_gates and name not in value:
                    found = missing(_plain(".".join(names[: index + 1])))
                value = found
            elif isinstance(value, Missing):
                value = missing(_plain(f"{name_of(value)}.{name}"))
            elif is_unknown(value):
                value = self.unknowns.of("field", value, name)
            elif isinstance(value, Methods):
                if name not in value.members:
                    raise TemplateProblem(f"can't evaluate field {name}")
                member = value.members[name]
                value = _Method(member) if callable(member) else member
            elif self.open_gates:
                value = missing(_plain(".".join(names[: index + 1])))
            elif value is None and index == 0:
                return None  # what a pipeline or a variable gives may be nil: only nil inside of a path is refused
            elif value is None:
                raise TemplateProblem(f"nil pointer evaluating interface {{}}.{name}")
            else:
                raise TemplateProblem(f"can't evaluate field {name} in type {type_name(value)}")
        return value

    def method(self, method: _Method, arguments: list[object]) -> object:
        if any(is_unknown(argument) for argument in arguments):
            return self.unknowns.fresh()
        try:
            return method.call(*arguments)
        except TypeError:
            raise TemplateProblem("wrong number of arguments") from None

    def call(self, name: str, arguments: list[object]) -> object:
        if name == "tpl":
            _count(arguments, 2)
            return self.tpl(*arguments)
        if name == "lookup":
            return {}
        if name in RANDOM:
            return self.unknowns.fresh()
        function = self.functions.get(name)
        if function is None:
            raise TemplateProblem(f"function {name} is not known")
        if name not in self.takes_unknown and any(is_unknown(argument) for argument in arguments):
            return self.unknowns.of(name, *arguments)
        self.budget.use(name, arguments)
        try:
            value = function(*arguments)
        except Unknowable:
            return self.unknowns.of(name, *arguments)
        except LimitReached:
            raise
        except TemplateProblem as error:
            if self.open_gates and name != "fail":
                return self.unknowns.of(name, *arguments)
            raise TemplateProblem(f"error calling {name}: {error}") from None
        except (TypeError, ValueError, ArithmeticError, LookupError, AttributeError):
            raise TemplateProblem(f"error calling {name}: wrong arguments") from None
        if isinstance(value, str):
            self.budget.grow(len(value))
        elif isinstance(value, (list, dict)):
            self.budget.grow(8 * len(value))
        return value


class _Method:
    """A member of an object that waits for its arguments."""

    __slots__ = ("call",)

    def __init__(self, call: Callable[..., object]) -> None:
        self.call = call


def _count(arguments: list[object], wanted: int) -> None:
    if len(arguments) != wanted:
        raise TemplateProblem(f"wrong number of args: want {wanted} got {len(arguments)}")


def _plain(name: str) -> str:
    """A name that can stand between the parentheses of what is unknown."""
    return "".join(character if character.isalnum() or character in "._-/" else "_" for character in name)[:120]


def _described(operand: Operand) -> str:
    return f".{'.'.join(operand.names)}" if isinstance(operand, Field) else "value"


def _elements_of(value: object) -> Iterable[tuple[object, object]]:
    if isinstance(value, dict):
        return [(key, value[key]) for key in sorted(value)]
    if isinstance(value, list):
        return list(enumerate(value))
    if isinstance(value, int) and not isinstance(value, bool):
        if value > 100_000:
            raise LimitReached("a range that is too long")
        return [(number, number) for number in range(value)]
    if value is None:
        return []
    raise TemplateProblem(f"range can't iterate over {printed(value)[:40]}")


def _has_elements(value: object) -> bool:
    return value > 0 if isinstance(value, int) and not isinstance(value, bool) else bool(value)


def _assigned(nodes: Iterable[Node]) -> list[str]:
    """The variables that nodes may set which are not their own."""
    found: list[str] = []
    for node in nodes:
        if isinstance(node, (Output, Branch)) and not node.pipeline.declares:
            found += node.pipeline.variables
        if isinstance(node, Branch):
            found += _assigned([*node.body, *node.orelse])
    return found


def _first_line(nodes: Iterable[Node]) -> tuple[Node, int | None] | None:
    """The first node that writes something, and how far in its line begins; None for one that goes on with a line.

    None as a whole where nothing is written.
    """
    for node in nodes:
        if isinstance(node, Text):
            if "\n" in node.text[: len(node.text) - len(node.text.lstrip())]:
                line = node.text.lstrip("\n \t\r")
                before = node.text[: len(node.text) - len(line)]
                if line:
                    return node, len(before) - before.rindex("\n") - 1
                following = _first_line(list(nodes)[list(nodes).index(node) + 1 :])
                return (following[0], len(before) - before.rindex("\n") - 1) if following is not None else None
            if node.text.strip():
                return node, None
        elif isinstance(node, Output):
            if not node.pipeline.variables:
                return node, _indented(node.pipeline)
        elif isinstance(node, Branch):
            inner = _first_line(node.body) or _first_line(node.orelse)
            if inner is not None:
                return inner
        elif isinstance(node, Call):
            return node, None
    return None


def _indented(pipeline: Pipeline) -> int | None:
    """What an action indents its output by that begins a line of its own."""
    last = pipeline.commands[-1].operands
    if isinstance(last[0], Function) and last[0].name == "nindent" and len(last) > 1 and isinstance(last[1], Constant):
        return last[1].value if isinstance(last[1].value, int) and last[1].value < 1000 else None
    return None
