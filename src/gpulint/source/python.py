"""Python files: the calls of a few functions, with their arguments as far as they are constant in the file.

Read with libcst, never run. Names are followed through assignments in the order of execution; what a branch, a loop or
a parameter decides is unknown. `os.environ.get(NAME, default)` is its default, as `${NAME:-default}` is in a script.
"""

from __future__ import annotations

import ast
import re
import warnings
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

import libcst as cst
from libcst.metadata import ByteSpanPositionProvider, MetadataWrapper
from yaml.nodes import MappingNode, ScalarNode, SequenceNode

from gpulint.source.environment import Mark
from gpulint.source.kustomize import Merged
from gpulint.source.shell import Piece
from gpulint.source.text import NodePath, Place, Source
from gpulint.source.yaml import Document, Node

# A launcher is a few KB; what is larger is a program or data. libcst takes 4 s for a MB of usual code.
_LONGEST_CHARS = 64 * 1024
_MOST_EXPANDED = 256 * 1024
_MOST_WORK = 500_000
_DEEPEST = 60
_DEEPEST_TREE = 200
_MOST_STRINGS = 400
_DEEPEST_LOOP = 5
_MOST_ITEMS = 2_000
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", "'": "'", '"': '"', "\n": "", "a": "\a", "b": "\b", "f": "\f"}
_OPTIONAL = ("os.environ.get", "os.getenv")


@dataclass(slots=True, eq=False)
class Value:
    """What an expression gives: by itself, nothing is known of it. [start, end) is where it is written."""

    start: int
    end: int


@dataclass(slots=True, eq=False)
class Text(Value):
    """A string; a piece whose text is None is unknown."""

    pieces: list[Piece]

    @property
    def known(self) -> str | None:
        texts = [piece.text for piece in self.pieces]
        return None if None in texts else "".join(text or "" for text in texts)


@dataclass(slots=True, eq=False)
class Constant(Value):
    """A number, True, False or None."""

    value: complex | None


@dataclass(slots=True, eq=False)
class Rest(Value):
    """Any number of elements of a list."""


@dataclass(slots=True, eq=False)
class Items(Value):
    """A list or tuple."""

    items: list[Value]


@dataclass(slots=True, eq=False)
class Entries(Value):
    """A dictionary, or the keyword arguments of a call: values and the spans of their keys.

    `complete` is False where there may be more.
    """

    entries: dict[str, tuple[Value, int, int]]
    complete: bool = True


@dataclass(slots=True, eq=False)
class Call:
    """A call by the full name of what is called (`vllm.LLM`), imports looked through; its place is that name's."""

    name: str
    positional: list[Value]
    keywords: Entries
    place: Place


def calls(source: Source, wanted: Callable[[str], bool]) -> list[Call]:
    """The calls of wanted names in a file, in the order of execution; nothing for a file that is not Python."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # an escape without a meaning is worth no word on stderr
        return _calls(source, wanted) if _is_tame(source.text) else []


def _is_tame(text: str) -> bool:
    """Whether libcst can read a text: it overflows the stack, and ends the process, where code is nested too deeply.

    Python's own parser does not. Where its tree is flat and libcst's is not, the parts count as depth: `a and b and c`,
    the parts of a dotted name, strings side by side.
    """
    if len(text) > _LONGEST_CHARS:
        return False
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    side_by_side = re.compile(rb"""['"](?:\s|\\\n|\#.*\n)*[A-Za-z]{0,2}['"]""")
    lines = text.encode("utf-8", "surrogatepass").splitlines(keepends=True)
    stack: list[tuple[ast.AST, int]] = [(tree, 0)]
    while stack:
        node, depth = stack.pop()
        if isinstance(node, ast.BoolOp):
            depth += len(node.values)
        elif isinstance(node, ast.ImportFrom):
            depth += (node.module or "").count(".")
        elif isinstance(node, ast.alias):
            depth += node.name.count(".")
        elif isinstance(node, ast.JoinedStr) or (
            isinstance(node, ast.Constant) and isinstance(node.value, str | bytes)
        ):
            last = node.end_lineno or node.lineno
            written = b"".join(lines[node.lineno - 1 : last])[node.col_offset :]
            written = written[: len(written) - len(lines[last - 1]) + (node.end_col_offset or 0)]
            if len(written) > _MOST_STRINGS and sum(1 for _ in side_by_side.finditer(written)) > _MOST_STRINGS:
                return False
        if depth > _DEEPEST_TREE:
            return False
        stack += [(child, depth + 1) for child in ast.iter_child_nodes(node)]
    return True


def _calls(source: Source, wanted: Callable[[str], bool]) -> list[Call]:
    try:
        module = cst.parse_module(source.text)
        names = _Names()
        module.visit(names)
        # Positions cost more than parsing.
        if not any(wanted(names.full(name)) for name in names.called):
            return []
        wrapper = MetadataWrapper(module, unsafe_skip_copy=True)
        reader = _Reader(source, names, wanted, wrapper.resolve(ByteSpanPositionProvider))
        reader.module(module)
    except (cst.ParserSyntaxError, cst.CSTValidationError, RecursionError, _TooMuchError):
        return []
    return reader.calls


class _TooMuchError(Exception):
    """A file that would take too long to follow."""


class _Names(cst.CSTVisitor):
    """What the file imports under which names, and the dotted names that it calls."""

    def __init__(self) -> None:
        self.imported: dict[str, str] = {}
        self.called: set[str] = set()
        # Names that some function sets in the scope around it.
        self.outer: set[str] = set()

    def visit_Import(self, node: cst.Import) -> None:  # noqa: N802
        for alias in node.names:
            name = _dotted(alias.name)
            if name is not None and alias.asname is not None:
                self.imported[_dotted(alias.asname.name) or ""] = name
            elif name is not None:
                self.imported[name.partition(".")[0]] = name.partition(".")[0]

    def visit_ImportFrom(self, node: cst.ImportFrom) -> None:  # noqa: N802
        module = _dotted(node.module) if node.module is not None and not node.relative else None
        if module is None or isinstance(node.names, cst.ImportStar):
            return
        for alias in node.names:
            local = _dotted(alias.asname.name) if alias.asname is not None else _dotted(alias.name)
            self.imported[local or ""] = f"{module}.{_dotted(alias.name)}"

    def visit_Global(self, node: cst.Global) -> None:  # noqa: N802
        self.outer.update(item.name.value for item in node.names)

    def visit_Nonlocal(self, node: cst.Nonlocal) -> None:  # noqa: N802
        self.outer.update(item.name.value for item in node.names)

    def visit_Call(self, node: cst.Call) -> None:  # noqa: N802
        name = _dotted(node.func)
        if name is not None:
            self.called.add(name)

    def full(self, name: str) -> str:
        head, dot, rest = name.partition(".")
        return self.imported.get(head, head) + dot + rest


def _dotted(node: cst.CSTNode) -> str | None:
    if isinstance(node, cst.Name):
        return node.value
    if isinstance(node, cst.Attribute):
        head = _dotted(node.value)
        return None if head is None else f"{head}.{node.attr.value}"
    return None


Scope = dict[str, Value]


@dataclass(slots=True, eq=False)
class _Function:
    node: cst.FunctionDef
    scope: Scope = field(default_factory=dict)


class _Reader:
    """Walks statements in the order of execution."""

    def __init__(
        self,
        source: Source,
        names: _Names,
        wanted: Callable[[str], bool],
        spans: Any,  # noqa: ANN401
    ) -> None:
        self.source = source
        self.names = names
        self.wanted = wanted
        self.spans = spans
        self.calls: list[Call] = []
        self.scope: Scope = {}
        self.bound: Counter[str] = Counter()
        self.functions: list[_Function] = []
        self.depth = 0
        self.loops = 0
        self.room = _MOST_EXPANDED
        self.work = _MOST_WORK
        text = source.text
        # libcst counts bytes.
        self.bytes = [] if text.isascii() else [0, *accumulate(len(c.encode("utf-8", "surrogatepass")) for c in text)]

    # -- places

    def span(self, node: cst.CSTNode) -> tuple[int, int]:
        span = self.spans[node]
        start, end = span.start, span.start + span.length
        if self.bytes:
            start, end = bisect_right(self.bytes, start) - 1, bisect_right(self.bytes, end) - 1
        return start, end

    def unknown(self, node: cst.CSTNode) -> Value:
        return Value(*self.span(node))

    # -- statements

    def module(self, module: cst.Module) -> None:
        self.block(module)
        while self.functions:
            self.function(self.functions.pop(0))

    def function(self, function: _Function) -> None:
        self.scope, self.bound = dict(function.scope), Counter()
        parameters = function.node.params
        every = [*parameters.params, *parameters.posonly_params, *parameters.kwonly_params]
        every += [p for p in (parameters.star_arg, parameters.star_kwarg) if isinstance(p, cst.Param)]
        for parameter in every:
            self.scope[parameter.name.value] = self.unknown(parameter.name)
        self.block(function.node.body)

    def block(self, body: cst.Module | cst.BaseSuite) -> None:
        """Runs a body, then hands the functions that it defines what it has assigned once."""
        before = len(self.functions)
        self.suite(body)
        scope = {
            name: Value(value.start, value.end) if self.bound[name] > 1 or name in self.names.outer else value
            for name, value in self.scope.items()
        }
        for function in self.functions[before:]:
            function.scope = scope

    def suite(self, suite: cst.Module | cst.BaseSuite) -> None:
        for statement in suite.body:
            if isinstance(statement, cst.BaseSmallStatement):
                self.small(statement)
            elif isinstance(statement, cst.BaseStatement):
                self.statement(statement)

    def statement(self, node: cst.BaseStatement) -> None:
        if isinstance(node, cst.SimpleStatementLine):
            for small in node.body:
                self.small(small)
        elif isinstance(node, cst.FunctionDef):
            self.bind(node.name.value, self.unknown(node.name))
            self.functions.append(_Function(node))
        elif isinstance(node, cst.ClassDef):
            outer, bound = dict(self.scope), Counter(self.bound)
            self.suite(node.body)
            self.scope, self.bound = outer, bound
        elif isinstance(node, cst.If):
            self.branches(node)
        elif isinstance(node, cst.With):
            for item in node.items:
                self.evaluate(item.item)
                if item.asname is not None:
                    self.assign(item.asname.name, self.unknown(item.item))
            self.suite(node.body)
        elif isinstance(node, cst.For):
            self.evaluate(node.iter)
            before = dict(self.scope)
            self.assign(node.target, self.unknown(node.iter))
            self.loop(node, before)
        elif isinstance(node, cst.While):
            self.evaluate(node.test)
            self.loop(node, dict(self.scope))
        elif isinstance(node, cst.Try | cst.TryStar):
            before = dict(self.scope)
            self.suite(node.body)
            outcomes = [self.scope]
            for handler in node.handlers:
                outcomes += self.outcome(handler.body, before)
            self.scope = _merged(outcomes)
            for part in (node.orelse, node.finalbody):
                if part is not None:
                    self.suite(part.body)
        elif isinstance(node, cst.Match):
            before = dict(self.scope)
            found = [outcome for case in node.cases for outcome in self.outcome(case.body, before)]
            self.scope = _merged([before, *found])

    def loop(self, node: cst.For | cst.While, before: Scope) -> None:
        """Reads the body for any of its turns: what one turn changes is unknown in the next."""
        start, calls, functions = dict(self.scope), len(self.calls), len(self.functions)
        self.loops += 1
        if self.loops <= _DEEPEST_LOOP:
            changed = self.outcome(node.body, start)
            del self.calls[calls:], self.functions[functions:]
            changed = self.outcome(node.body, _merged([start, *changed]))
            self.scope = _merged([before, *changed])
        self.loops -= 1
        if node.orelse is not None:
            self.suite(node.orelse.body)

    def branches(self, node: cst.If) -> None:
        self.evaluate(node.test)
        if _is_main(node.test):
            self.suite(node.body)
            return
        before = dict(self.scope)
        outcomes = self.outcome(node.body, before)
        if node.orelse is None:
            outcomes.append(before)
        elif isinstance(node.orelse, cst.If):
            self.scope = dict(before)
            self.branches(node.orelse)
            outcomes.append(self.scope)
        else:
            outcomes += self.outcome(node.orelse.body, before)
        self.scope = _merged(outcomes) if outcomes else before

    def outcome(self, suite: cst.BaseSuite, before: Scope) -> list[Scope]:
        """The scope behind a branch; none where the branch leaves."""
        self.scope = dict(before)
        self.suite(suite)
        # Each branch is compared name by name with the others: as many branches as names would take forever.
        self.work -= len(before)
        if self.work < 0:
            raise _TooMuchError
        last: Any = suite.body[-1] if suite.body else None
        if isinstance(last, cst.SimpleStatementLine):
            last = last.body[-1]
        return [] if isinstance(last, cst.Return | cst.Raise) else [self.scope]

    def small(self, node: cst.BaseSmallStatement) -> None:
        if isinstance(node, cst.Assign):
            value = self.evaluate(node.value)
            for target in node.targets:
                self.assign(target.target, value)
        elif isinstance(node, cst.AnnAssign):
            if node.value is not None:
                self.assign(node.target, self.evaluate(node.value))
        elif isinstance(node, cst.AugAssign):
            value = self.evaluate(node.value)
            name = _dotted(node.target)
            if name is not None:
                known = self.scope.get(name)
                added = _sum(known, value) if isinstance(node.operator, cst.AddAssign) and known is not None else None
                self.replace(name, added or self.unknown(node))
        elif isinstance(node, cst.Expr | cst.Return):
            if node.value is not None:
                self.evaluate(node.value)
        elif isinstance(node, cst.Assert):
            self.evaluate(node.test)
        elif isinstance(node, cst.Raise):
            if node.exc is not None:
                self.evaluate(node.exc)
        elif isinstance(node, cst.Global | cst.Nonlocal):
            for item in node.names:
                self.replace(item.name.value, self.unknown(item.name))

    def bind(self, name: str, value: Value) -> None:
        self.scope[name] = value
        self.bound[name] += 1

    def replace(self, name: str, value: Value) -> None:
        """Gives a name that is bound already another value, as `+=` and `.append` do."""
        self.scope[name] = value

    def assign(self, target: cst.CSTNode, value: Value) -> None:
        if isinstance(target, cst.Name):
            self.bind(target.value, value)
        elif isinstance(target, cst.Attribute):
            name = _dotted(target)
            if name is not None:
                self.bind(name, value)
        elif isinstance(target, cst.Tuple | cst.List):
            values = value.items if isinstance(value, Items) else []
            plain = len(values) == len(target.elements) and not any(isinstance(each, Rest) for each in values)
            for index, element in enumerate(target.elements):
                self.assign(element.value, values[index] if plain else self.unknown(element.value))
        elif isinstance(target, cst.Subscript):
            name = _dotted(target.value)
            held = self.scope.get(name or "")
            if name is None or held is None:
                return
            key = self.subscript(target)
            if isinstance(held, Entries) and isinstance(key, Text) and key.known is not None:
                entries = {**held.entries, key.known: (value, key.start, key.end)}
                self.replace(name, Entries(held.start, held.end, entries, held.complete))
            elif isinstance(held, Entries):
                self.replace(name, Entries(held.start, held.end, {}, complete=False))
            else:
                self.replace(name, Value(held.start, held.end))

    def subscript(self, node: cst.Subscript) -> Value | None:
        if len(node.slice) != 1 or not isinstance(node.slice[0].slice, cst.Index):
            return None
        return self.evaluate(node.slice[0].slice.value)

    # -- expressions

    def evaluate(self, node: cst.BaseExpression) -> Value:
        self.depth += 1
        try:
            if self.depth > _DEEPEST:
                return self.unknown(node)
            return self.expression(node)
        finally:
            self.depth -= 1

    def expression(self, node: cst.BaseExpression) -> Value:
        if isinstance(node, cst.SimpleString):
            return self.string(node)
        if isinstance(node, cst.FormattedString):
            return self.formatted(node)
        if isinstance(node, cst.ConcatenatedString):
            left, right = self.evaluate(node.left), self.evaluate(node.right)
            return _sum(left, right) or self.unknown(node)
        if isinstance(node, cst.Integer | cst.Float):
            return Constant(*self.span(node), node.evaluated_value)
        if isinstance(node, cst.Name | cst.Attribute):
            return self.named(node)
        if isinstance(node, cst.List | cst.Tuple):
            return self.listed(node)
        if isinstance(node, cst.Dict):
            return self.dictionary(node)
        if isinstance(node, cst.Call):
            return self.call(node)
        if isinstance(node, cst.UnaryOperation):
            value = self.evaluate(node.expression)
            if isinstance(node.operator, cst.Minus) and isinstance(value, Constant) and value.value is not None:
                return Constant(*self.span(node), -value.value)
            return self.unknown(node)
        if isinstance(node, cst.BinaryOperation):
            left, right = self.evaluate(node.left), self.evaluate(node.right)
            if isinstance(node.operator, cst.Add):
                return self.afforded(_sum(left, right)) or self.unknown(node)
            if isinstance(node.operator, cst.Multiply) and isinstance(left, Constant) and isinstance(right, Constant):
                one, other = left.value, right.value
                if isinstance(one, int) and isinstance(other, int) and max(abs(one), abs(other)) < 10**9:
                    return Constant(*self.span(node), one * other)
            return self.unknown(node)
        if isinstance(node, cst.IfExp):
            for each in (node.test, node.body, node.orelse):
                self.evaluate(each)
        elif isinstance(node, cst.BooleanOperation):
            self.evaluate(node.left)
            self.evaluate(node.right)
        elif isinstance(node, cst.Await):
            return self.evaluate(node.expression)
        elif isinstance(node, cst.Subscript):
            held, key = self.evaluate(node.value), self.subscript(node)
            if isinstance(held, Entries) and isinstance(key, Text) and key.known in held.entries:
                return self.reached(held.entries[key.known or ""][0], node)
        elif isinstance(node, cst.NamedExpr):
            value = self.evaluate(node.value)
            self.assign(node.target, value)
            return value
        return self.unknown(node)

    def afforded(self, value: Value | None) -> Value | None:
        """A sum, as long as all of them together are no bomb."""
        if isinstance(value, Text):
            self.room -= sum(len(piece.text or "") for piece in value.pieces)
        elif isinstance(value, Items):
            self.room -= len(value.items)
        return value if self.room > 0 else None

    def string(self, node: cst.SimpleString) -> Value:
        value = node.evaluated_value
        start, end = self.span(node)
        if not isinstance(value, str):
            return Value(start, end)
        skip = len(node.prefix) + len(node.quote)
        inside, behind = start + skip, end - len(node.quote)
        raw = self.source.text[inside:behind]
        if not value:
            return Text(start, end, [Piece("", start, end)])
        pieces = [Piece(raw, inside, behind)] if "r" in node.prefix.lower() else _unescaped(raw, inside)
        found = Text(inside, behind, pieces)
        return found if found.known == value else Text(inside, behind, [Piece(value, inside, behind)])

    def formatted(self, node: cst.FormattedString) -> Value:
        start, end = self.span(node)
        is_raw = "r" in node.prefix.lower()
        pieces: list[Piece] = []
        for part in node.parts:
            first, last = self.span(part)
            if isinstance(part, cst.FormattedStringText):
                raw = self.source.text[first:last]
                pieces += [Piece(raw, first, last)] if is_raw else _unescaped(raw, first, braces=True)
            elif isinstance(part, cst.FormattedStringExpression):
                value = self.evaluate(part.expression)
                text = _shown(value) if part.format_spec is None and part.conversion is None else None
                pieces.append(Piece(text, first, last))
        skip = len(node.start)
        found = Text(start + skip, end - len(node.end), pieces)
        if not pieces:
            return Text(start, end, [Piece("", start, end)])
        return self.afforded(found) or Value(start, end)

    def named(self, node: cst.Name | cst.Attribute) -> Value:
        name = _dotted(node)
        if name in ("True", "False", "None"):
            return Constant(*self.span(node), {"True": True, "False": False, "None": None}[name])
        if name is not None and self.names.full(name) == "sys.executable":
            start, end = self.span(node)
            return Text(start, end, [Piece("python", start, end)])
        value = self.scope.get(name) if name is not None else None
        if value is not None:
            return self.reached(value, node)
        if isinstance(node, cst.Attribute) and name is None:
            self.evaluate(node.value)
        return self.unknown(node)

    def reached(self, value: Value, node: cst.CSTNode) -> Value:
        """A value that a name stands for, at the name."""
        start, end = self.span(node)
        if isinstance(value, Text):
            whole = value.known
            if whole is not None:
                return self.afforded(Text(start, end, [Piece(whole, start, end)])) or Value(start, end)
            return Text(start, end, [Piece(piece.text, start, end) for piece in value.pieces])
        if isinstance(value, Constant):
            return Constant(start, end, value.value)
        return value if isinstance(value, Items | Entries) else Value(start, end)

    def listed(self, node: cst.List | cst.Tuple) -> Value:
        items: list[Value] = []
        for element in node.elements:
            value = self.evaluate(element.value)
            if isinstance(element, cst.StarredElement):
                items += value.items if isinstance(value, Items) else [Rest(*self.span(element.value))]
            else:
                items.append(value)
        return self.afforded(Items(*self.span(node), items)) or self.unknown(node)

    def dictionary(self, node: cst.Dict) -> Value:
        entries: dict[str, tuple[Value, int, int]] = {}
        complete = True
        for element in node.elements:
            value = self.evaluate(element.value)
            if isinstance(element, cst.DictElement):
                key = self.evaluate(element.key)
                if isinstance(key, Text) and key.known is not None:
                    entries[key.known] = (value, key.start, key.end)
                else:
                    complete = False
            elif isinstance(value, Entries):
                entries |= value.entries
                complete = complete and value.complete
            else:
                complete = False
        return Entries(*self.span(node), entries, complete)

    def call(self, node: cst.Call) -> Value:
        positional, keywords = self.arguments(node)
        written = _dotted(node.func)
        if written is None:
            self.evaluate(node.func.value if isinstance(node.func, cst.Attribute) else node.func)
        name = self.names.full(written) if written is not None else ""
        if written is not None and self.wanted(name):
            self.calls.append(Call(name, positional, keywords, Place(self.source, *self.span(node.func))))
        owner, _, method = (written or "").rpartition(".")
        held = self.scope.get(owner) if owner else None
        if held is not None:
            self.method(owner, held, method, positional, keywords)
        if name in _OPTIONAL:
            return self.reached(positional[1], node) if len(positional) > 1 else self.unknown(node)
        if name == "dict" or method.endswith("Config"):
            return keywords if not positional else self.unknown(node)
        if name in ("str", "int", "float") and len(positional) == 1:
            return self.converted(name, positional[0], node)
        if name == "shlex.split" and positional and isinstance(positional[0], Text):
            return self.split_by_shell(positional[0])
        if isinstance(node.func, cst.Attribute) and node.func.attr.value in ("split", "join", "copy", "strip"):
            return self.of_text(node, node.func, positional)
        return self.unknown(node)

    def arguments(self, node: cst.Call) -> tuple[list[Value], Entries]:
        positional: list[Value] = []
        keywords = Entries(*self.span(node), {})
        for argument in node.args:
            value = self.evaluate(argument.value)
            if argument.keyword is not None:
                keywords.entries[argument.keyword.value] = (value, *self.span(argument.keyword))
            elif argument.star == "**":
                if isinstance(value, Entries):
                    keywords.entries |= value.entries
                    keywords.complete = keywords.complete and value.complete
                else:
                    keywords.complete = False
            elif argument.star == "*":
                positional += value.items if isinstance(value, Items) else [Rest(*self.span(argument.value))]
            else:
                positional.append(value)
        return positional, keywords

    def method(self, owner: str, held: Value, method: str, positional: list[Value], keywords: Entries) -> None:
        """What a method does to the list or dictionary that a name holds."""
        if isinstance(held, Items):
            items: list[Value] | None = None
            if method == "append" and len(positional) == 1:
                items = [*held.items, positional[0]]
            elif method == "extend" and len(positional) == 1:
                more = positional[0]
                items = [*held.items, *(more.items if isinstance(more, Items) else [Rest(more.start, more.end)])]
            elif method not in ("copy", "index", "count"):
                self.replace(owner, Value(held.start, held.end))
            if items is not None:
                self.replace(owner, self.afforded(Items(held.start, held.end, items)) or Value(held.start, held.end))
        elif isinstance(held, Entries) and method == "update":
            more = positional[0] if positional else keywords
            known = isinstance(more, Entries)
            entries = {**held.entries, **(more.entries if isinstance(more, Entries) else {}), **keywords.entries}
            complete = held.complete and known and (more.complete if isinstance(more, Entries) else False)
            self.replace(owner, Entries(held.start, held.end, entries, complete and keywords.complete))
        elif isinstance(held, Entries) and method not in ("get", "items", "keys", "values", "copy"):
            self.replace(owner, Entries(held.start, held.end, {}, complete=False))

    def converted(self, name: str, value: Value, node: cst.CSTNode) -> Value:
        text = _shown(value)
        if text is None:
            return self.unknown(node)
        if name == "str":
            if isinstance(value, Text):
                return value
            return Text(value.start, value.end, [Piece(text, value.start, value.end)])
        try:
            number = int(text) if name == "int" and len(text) < 20 else float(text)
        except ValueError:
            return self.unknown(node)
        return Constant(value.start, value.end, number)

    def of_text(self, node: cst.Call, function: cst.Attribute, positional: list[Value]) -> Value:
        """`"a b".split()`, `" ".join(words)`, `words.copy()`."""
        owner = self.evaluate(function.value)
        method = function.attr.value
        if method == "copy":
            return owner
        text = owner.known if isinstance(owner, Text) else None
        if text is None or not isinstance(owner, Text):
            return self.unknown(node)
        if method == "strip" and not positional:
            return owner
        if method == "split" and not positional:
            whole = owner.pieces[0] if len(owner.pieces) == 1 else None
            found: list[Value] = []
            at = 0
            for word in text.split():
                at = text.index(word, at)
                start, end = owner.start, owner.end
                if whole is not None and whole.end - whole.start == len(text):
                    start, end = whole.start + at, whole.start + at + len(word)
                found.append(Text(start, end, [Piece(word, start, end)]))
                at += len(word)
            return self.afforded(Items(*self.span(node), found)) or self.unknown(node)
        if method == "join" and len(positional) == 1 and isinstance(positional[0], Items):
            pieces: list[Piece] = []
            for index, item in enumerate(positional[0].items):
                if index:
                    pieces.append(Piece(text, item.start, item.start))
                pieces += item.pieces if isinstance(item, Text) else [Piece(_shown(item), item.start, item.end)]
            return self.afforded(Text(*self.span(node), pieces)) or self.unknown(node)
        return self.unknown(node)

    def split_by_shell(self, text: Text) -> Value:
        from gpulint.source import shell

        script = shell.Script(text.pieces, self.source.text)
        commands = shell.commands(script.text, {}, None, env_known=False)
        if len(commands) != 1:
            return Items(text.start, text.end, [Rest(text.start, text.end)])
        found: list[Value] = []
        for word in commands[0].words:
            pieces, start, end = script.moved(word)
            found.append(Rest(start, end) if word.many else Text(start, end, pieces))
        return Items(text.start, text.end, found)


def _is_main(test: cst.BaseExpression) -> bool:
    return isinstance(test, cst.Comparison) and isinstance(test.left, cst.Name) and test.left.value == "__name__"


def _shown(value: Value) -> str | None:
    """What a value is in a string."""
    if isinstance(value, Text):
        return value.known
    if isinstance(value, Constant) and isinstance(value.value, bool | int | float):
        return str(value.value)
    return None


def _sum(left: Value, right: Value) -> Value | None:
    """`left + right`; None where that cannot be followed."""
    if isinstance(left, Text) or isinstance(right, Text):
        pieces = [
            piece
            for each in (left, right)
            for piece in (each.pieces if isinstance(each, Text) else [Piece(None, each.start, each.end)])
        ]
        return Text(left.start, max(left.end, right.end), pieces)
    if isinstance(left, Items) or isinstance(right, Items):
        items = [
            item
            for each in (left, right)
            for item in (each.items if isinstance(each, Items) else [Rest(each.start, each.end)])
        ]
        return Items(left.start, left.end, items) if len(items) <= _MOST_ITEMS else None
    if isinstance(left, Constant) and isinstance(right, Constant):
        one, other = left.value, right.value
        if isinstance(one, int) and isinstance(other, int) and max(abs(one), abs(other)) < 10**9:
            return Constant(left.start, right.end, one + other)
    return None


def _merged(scopes: list[Scope]) -> Scope:
    """What is known behind several branches: what all of them agree on."""
    if len(scopes) == 1:
        return scopes[0]
    found: Scope = {}
    for name in {name for scope in scopes for name in scope}:
        values = [scope.get(name) for scope in scopes]
        first = next(value for value in values if value is not None)
        found[name] = first if all(value is first for value in values) else _either(first, values)
    return found


def _either(first: Value, values: list[Value | None]) -> Value:
    start, end = first.start, first.end
    lists = [value for value in values if isinstance(value, Items)]
    if len(lists) == len(values):
        common = min((each.items for each in lists), key=len)
        for each in lists:
            agreed = [a for a, b in zip(common, each.items, strict=False) if a is b]
            common = common[: len(agreed)] if common[: len(agreed)] == agreed else []
        return Items(start, end, [*common, Rest(start, end)])
    dictionaries = [value for value in values if isinstance(value, Entries)]
    if len(dictionaries) == len(values):
        entries: dict[str, tuple[Value, int, int]] = {}
        for dictionary in dictionaries:
            for key, entry in dictionary.entries.items():
                agreed_by_all = all(other.entries.get(key, (None,))[0] is entry[0] for other in dictionaries)
                entries[key] = entry if agreed_by_all else (Value(entry[0].start, entry[0].end), entry[1], entry[2])
        return Entries(start, end, entries, all(each.complete for each in dictionaries))
    return Value(start, end)


def _unescaped(raw: str, start: int, *, braces: bool = False) -> list[Piece]:
    """A string's text without its escapes, and without the second brace of a pair in an f-string."""
    pieces: list[Piece] = []
    at = run = 0
    while at < len(raw):
        c, following = raw[at], raw[at + 1 : at + 2]
        is_escape = c == "\\"
        if not is_escape and not (braces and c in "{}" and following == c):
            at += 1
            continue
        if at > run:
            pieces.append(Piece(raw[run:at], start + run, start + at))
        # An escape of a character that means nothing special stays as it is written.
        text = _ESCAPES.get(following, None if following and following in "xuUN01234567" else c + following)
        pieces.append(Piece(text if is_escape else c, start + at, start + at + 2))
        at += 2
        run = at
    if at > run:
        pieces.append(Piece(raw[run:], start + run, start + len(raw)))
    return pieces


# -- as nodes


class _Scalar(Node):
    """A value of a Python file as a scalar; a part of it is all of it where it is not written out."""

    __slots__ = ()

    @property
    def place(self) -> Place:
        return self.document.place(self.raw.start_mark.index, self.raw.end_mark.index, self.path)

    def fragment(self, start: int, end: int) -> Place:
        first, last = self.raw.start_mark.index, self.raw.end_mark.index
        if last - first != len(self.raw.value):
            return self.place
        return self.document.place(first + start, min(first + max(start, end), last), self.path)


def node_of(
    value: Value, source: Source, key: tuple[str, int, int] | None = None, path: NodePath | None = None
) -> Node:
    """A value as the node that a YAML file with it would have: what is not known is a list of nothing, as no text.

    A mapping that may have more entries than are known has one of the key `**`.
    """
    key_raw = None
    if key is not None:
        key_raw = ScalarNode("tag:yaml.org,2002:str", key[0], Mark(key[1]), Mark(key[2]))  # type: ignore[arg-type]
    start: Any = Mark(value.start)
    end: Any = Mark(value.end)
    if isinstance(value, Text) and value.known is not None:
        return _node(source, ScalarNode("tag:yaml.org,2002:str", value.known, start, end), path, key_raw)
    if isinstance(value, Constant):
        shown = "" if value.value is None else str(value.value)
        return _node(source, ScalarNode("implicit", shown, start, end), path, key_raw)
    if isinstance(value, Entries):
        face = _node(source, MappingNode("implicit", [], start, end, flow_style=True), path, key_raw)
        parts = {
            name: node_of(inner, source, (name, first, last), (path, name))
            for name, (inner, first, last) in value.entries.items()
        }
        if not value.complete:
            parts["**"] = node_of(Value(value.start, value.end), source, None, (path, "**"))
        return Merged(face, parts)
    face = _node(source, SequenceNode("implicit", [], start, end, flow_style=True), path, key_raw)
    if isinstance(value, Items) and not any(isinstance(item, Rest) for item in value.items):
        return Merged(face, [node_of(item, source, None, (path, at)) for at, item in enumerate(value.items)])
    return Merged(face, [])


def _node(source: Source, raw: Any, path: NodePath | None, key_raw: Any) -> Node:  # noqa: ANN401
    document = Document(source, 0, source.text, 0, raw)
    kind = _Scalar if raw.id == "scalar" else Node
    return kind(document, raw, path, key_raw)
