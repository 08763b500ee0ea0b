"""Templates from their text. Source: Go, src/text/template/parse/parse.go."""

from __future__ import annotations

from gpulint.source.gotemplate.lexer import Action, Literal, SyntaxProblem, Token, pieces, tokens
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
    Template,
    Text,
    Variable,
)

_DEEPEST = 60
_BRANCHES = ("if", "with", "range")


def parse(text: str) -> Template:
    """The template that a text is. Raises SyntaxProblem."""
    parser = _Parser(text)
    nodes, closing = parser.nodes(0, in_range=False)
    if closing is not None:
        raise SyntaxProblem(closing[0], f"{{{{ {closing[1]} }}}} without a beginning")
    return Template(nodes, parser.defined)


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.pieces = pieces(text)
        self.at = 0
        self.defined: dict[str, list[Node]] = {}

    def nodes(self, depth: int, *, in_range: bool) -> tuple[list[Node], tuple[int, str, _Tokens, Action] | None]:
        """Nodes up to an `end` or `else`, and that one with what follows the keyword; None at the end of the text."""
        found: list[Node] = []
        while self.at < len(self.pieces):
            piece = self.pieces[self.at]
            self.at += 1
            if isinstance(piece, Literal):
                found.append(Text(piece.start, self.text[piece.start : piece.end]))
                continue
            action = _Tokens(tokens(self.text, piece.inner, piece.inner_end), piece.start)
            action.skip_space()
            kind = action.kind()
            if depth > _DEEPEST:
                raise SyntaxProblem(piece.start, "nested too deeply")
            if kind in ("end", "else"):
                action.next()
                return found, (piece.start, kind, action, piece)
            if kind in _BRANCHES:
                action.next()
                found.append(self._branch(kind, action, piece, depth, in_range=in_range or kind == "range"))
            elif kind in ("define", "block"):
                action.next()
                node = self._definition(kind, action, piece, depth)
                if node is not None:
                    found.append(node)
            elif kind == "template":
                action.next()
                found.append(self._call(action, piece))
            elif kind in ("break", "continue"):
                if not in_range:
                    raise SyntaxProblem(piece.start, f"{{{{ {kind} }}}} outside of a range")
                found.append(Leave(kind, piece.start))
            else:
                found.append(Output(action.pipeline(0), piece.start, piece.end))
        return found, None

    def _branch(self, kind: str, action: _Tokens, piece: Action, depth: int, *, in_range: bool) -> Branch:
        pipeline = action.pipeline(0, in_range=kind == "range")
        body, closing = self.nodes(depth + 1, in_range=in_range)
        orelse: list[Node] = []
        if closing is not None and closing[1] == "else":
            after, else_piece = closing[2], closing[3]
            after.skip_space()
            if after.kind() in _BRANCHES:  # else if: a branch that ends where this one does
                inner_kind = after.kind()
                after.next()
                inner = self._branch(inner_kind, after, else_piece, depth + 1, in_range=in_range)
                return Branch(kind, pipeline, body, [inner], piece.start, inner.end)
            orelse, closing = self.nodes(depth + 1, in_range=in_range)
        if closing is None:
            raise SyntaxProblem(piece.start, f"{{{{ {kind} }}}} without its {{{{ end }}}}")
        if closing[1] != "end":
            raise SyntaxProblem(closing[0], "a second {{ else }}")
        return Branch(kind, pipeline, body, orelse, piece.start, closing[3].end)

    def _definition(self, kind: str, action: _Tokens, piece: Action, depth: int) -> Call | None:
        if kind == "define" and depth > 0:
            raise SyntaxProblem(piece.start, "{{ define }} inside of something else")
        name = action.string()
        pipeline = None
        action.skip_space()
        if kind == "block":
            pipeline = action.pipeline(0)
        body, closing = self.nodes(depth + 1, in_range=False)
        if closing is None or closing[1] != "end":
            raise SyntaxProblem(piece.start, f"{{{{ {kind} }}}} without its {{{{ end }}}}")
        # A later definition replaces an earlier one, but for one that is empty.
        if name not in self.defined or not _is_empty(body):
            self.defined[name] = body
        return Call(name, pipeline, piece.start, closing[3].end) if kind == "block" else None

    def _call(self, action: _Tokens, piece: Action) -> Call:
        name = action.string()
        action.skip_space()
        pipeline = action.pipeline(0) if action.kind() != "" else None
        return Call(name, pipeline, piece.start, piece.end)


def _is_empty(nodes: list[Node]) -> bool:
    return all(isinstance(node, Text) and not node.text.strip() for node in nodes)


class _Tokens:
    """The tokens of one action, from left to right."""

    def __init__(self, found: list[Token], start: int) -> None:
        self.found = found
        self.index = 0
        self.start = start

    def kind(self, ahead: int = 0) -> str:
        index = self.index + ahead
        return self.found[index].kind if index < len(self.found) else ""

    def next(self) -> Token:
        if self.index >= len(self.found):
            raise SyntaxProblem(self.start, "an action that ends too early")
        token = self.found[self.index]
        self.index += 1
        return token

    def skip_space(self) -> None:
        if self.kind() == "space":
            self.index += 1

    def string(self) -> str:
        self.skip_space()
        token = self.next()
        if token.kind != "string":
            raise SyntaxProblem(token.at, "a template's name must be a quoted text")
        return str(token.value)

    def pipeline(self, depth: int, *, in_range: bool = False) -> Pipeline:
        """A pipeline up to the end of the action, or to the parenthesis that closes it, which is not taken."""
        if depth > _DEEPEST:
            raise SyntaxProblem(self.start, "parentheses nested too deeply")
        self.skip_space()
        variables, declares = self._declaration(in_range)
        pipeline = Pipeline([], variables, declares)
        while True:
            self.skip_space()
            pipeline.commands.append(self._command(depth))
            self.skip_space()
            if self.kind() == "|":
                self.next()
                continue
            break
        if self.kind() not in ("", ")") or (self.kind() == ")" and depth == 0):
            raise SyntaxProblem(self.next().at, "something in an action that has no meaning there")
        if any(isinstance(command.operands[0], Constant) for command in pipeline.commands[1:]):
            raise SyntaxProblem(self.start, "a pipeline into something that is no function")
        return pipeline

    def _declaration(self, in_range: bool) -> tuple[list[str], bool]:
        """`$x :=`, `$x =` and, for a range, `$i, $x :=`."""
        start = self.index
        names: list[str] = []
        while self.kind() == "variable":
            names.append(str(self.next().value))
            self.skip_space()
            kind = self.kind()
            if kind in (":=", "="):
                self.next()
                if len(names) > 1 + in_range:
                    raise SyntaxProblem(self.start, "too many variables")
                return names, kind == ":="
            if kind != "," or not in_range:
                break
            self.next()
            self.skip_space()
        self.index = start
        return [], True

    def _command(self, depth: int) -> Command:
        at = self.found[self.index].at if self.index < len(self.found) else self.start
        operands: list[Operand] = []
        while True:
            self.skip_space()
            if self.kind() in ("", "|", ")"):
                break
            operands.append(self._operand(depth))
        if not operands:
            raise SyntaxProblem(at, "a missing value")
        return Command(operands, at)

    def _operand(self, depth: int) -> Operand:
        token = self.next()
        kind = token.kind
        if kind in ("string", "number", "boolean"):
            return Constant(token.value)
        if kind == "nil":
            return Constant(None)
        if kind == "name":
            return Function(str(token.value))
        if kind == "field":
            return Field([str(token.value), *self._fields()])
        if kind == "variable":
            return Variable(str(token.value), self._fields())
        if kind == ".":
            return Dot()
        if kind == "(":
            inner = self.pipeline(depth + 1)
            if self.next().kind != ")":
                raise SyntaxProblem(token.at, "a parenthesis that is never closed")
            names = self._fields()
            return Chain(inner, names) if names else inner
        raise SyntaxProblem(token.at, f"{kind} where a value must stand")

    def _fields(self) -> list[str]:
        names: list[str] = []
        while self.kind() == "field":
            names.append(str(self.next().value))
        return names
