"""A template file's text with the place of each character, and what it offers behind gates that are closed.

A gate is an `if` or `with` around a whole document: where it is closed, the document is rendered all the same, on its
own, with the values that nobody gave unknown.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache

from gpulint.source.gotemplate.evaluate import Machine
from gpulint.source.gotemplate.nodes import Branch, Call, Function, Node, Output, Text
from gpulint.source.gotemplate.origins import Origin, Written
from gpulint.source.gotemplate.unknown import TemplateProblem, missing, truth

_MOST_GATES = 40


@dataclass(slots=True, eq=False)
class Rendering:
    """The output of a file. `gated` says that the default values switch it off."""

    text: str
    pieces: list[Written]
    gated: bool

    def places(self, first: int, last: int) -> tuple[Sequence[int], Sequence[int]]:
        """For each character of a part, where in the file that begins, and ends, which wrote it.

        Text that an action wrote stands at the whole action.
        """
        starts, ends = array("i"), array("i")
        at = 0
        for piece in self.pieces:
            begin, at = at, at + len(piece.text)
            if at <= first:
                continue
            if begin >= last:
                break
            skipped, length = max(first - begin, 0), min(at, last) - max(begin, first)
            if piece.exact:
                start = piece.start + skipped
                starts.extend(range(start, start + length))
                ends.extend(range(start + 1, start + length + 1))
            else:
                starts.extend([piece.start] * length)
                ends.extend([piece.end] * length)
        return starts, ends


class FailedAt(Exception):  # noqa: N818 - what happened, as a caller reads it
    """The template does not render: the offset of the action that failed, and why."""

    def __init__(self, at: int, reason: str) -> None:
        super().__init__(reason)
        self.at = at
        self.reason = reason


@dataclass(slots=True, eq=False)
class _Part:
    """A file, or what stands behind a closed gate, with the dot and the variables that it would have."""

    nodes: list[Node]
    dot: object
    origin: Origin
    variables: list[tuple[str, object, Origin]]


def render(nodes: list[Node], dot: object, machine: Machine, *, given: bool = False) -> list[Rendering]:
    """What a file writes by default, then what each of its closed gates would write. Raises FailedAt.

    With `given`, values that are missing are ones that somebody will give: unknown, in what is written by default too.
    """
    machine.root = dot
    closed: list[_Part] = []
    machine.open_gates = given
    found = [_rendered(_Part(nodes, dot, (), [("$", dot, ())]), machine, closed)]
    machine.open_gates = True
    try:
        for count, gate in enumerate(closed):  # it grows: a gate may stand behind another one
            if count >= _MOST_GATES:
                break
            try:
                found.append(_rendered(gate, machine, closed))
            except FailedAt:
                continue  # it asks for values that only who opens the gate knows
    finally:
        machine.open_gates = False
    return found


def _rendered(part: _Part, machine: Machine, closed: list[_Part]) -> Rendering:
    machine.out, machine.variables, machine.written = [], part.variables, 0
    machine.dot_origin = part.origin
    _Top(machine, closed).walk(part.nodes, part.dot)
    return Rendering("".join(piece.text for piece in machine.out), machine.out, machine.open_gates)


class _Top:
    """Walks what stands outside of everything but gates."""

    def __init__(self, machine: Machine, closed: list[_Part]) -> None:
        self.machine = machine
        self.closed = closed

    def walk(self, nodes: Iterable[Node], dot: object) -> None:
        for node in nodes:
            try:
                if isinstance(node, Branch) and _is_gate(node):
                    self.gate(node, dot)
                else:
                    self.machine.walk((node,), dot)
            except RecursionError:
                raise FailedAt(node.start, "nested too deeply") from None
            except TemplateProblem as error:
                raise FailedAt(node.start, str(error)) from None

    def gate(self, node: Branch, dot: object) -> None:
        machine = self.machine
        mark = len(machine.variables)
        value = machine.pipeline(node.pipeline, dot)
        known = truth(value)
        outer = machine.dot_origin
        inner, origin = (value, machine.origin(node.pipeline)) if node.kind == "with" else (dot, outer)
        if node.kind == "with" and not known and not isinstance(value, dict):
            inner = missing("with")
        body, orelse = (node.body, known is True, inner, origin), (node.orelse, known is False, dot, outer)
        for nodes, chosen, their_dot, their_origin in (body, orelse):
            if chosen:
                machine.dot_origin = their_origin
                self.walk(nodes, their_dot)
                machine.dot_origin = outer
            elif _holds_document(nodes):
                self.closed.append(_Part(nodes, their_dot, their_origin, list(machine.variables)))
        del machine.variables[mark:]


def _is_gate(node: Branch) -> bool:
    return node.kind != "range" and (_holds_document(node.body) or _holds_document(node.orelse))


def _holds_document(nodes: Iterable[Node]) -> bool:
    """Whether a whole document stands in these nodes: its kind and version, or what includes it as a whole."""
    text = "".join(_literal(nodes))
    if all(pattern.search(text) for pattern in _heads()):
        return True
    return not text.strip(" \t\r\n\0") and any(_includes(node) for node in nodes)


def _literal(nodes: Iterable[Node]) -> Iterable[str]:
    for node in nodes:
        if isinstance(node, Text):
            yield node.text
        elif isinstance(node, Branch):
            yield from _literal(node.body)
            yield from _literal(node.orelse)
        else:
            yield "\0"  # something stands here: what follows begins no line


def _includes(node: Node) -> bool:
    if isinstance(node, Call):
        return True
    if not isinstance(node, Output) or node.pipeline.variables:
        return False
    first = node.pipeline.commands[0].operands[0]
    return isinstance(first, Function) and first.name in ("include", "tpl")


@cache
def _heads() -> tuple[re.Pattern[str], re.Pattern[str]]:
    return re.compile(r"^apiVersion[ \t]*:", re.MULTILINE), re.compile(r"^kind[ \t]*:", re.MULTILINE)
