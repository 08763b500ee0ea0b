"""A template's text as literal pieces and actions, and an action's text as tokens.

Source: Go, src/text/template/parse/lex.go.
"""

from __future__ import annotations

import re
from functools import cache
from typing import NamedTuple


class SyntaxProblem(ValueError):  # noqa: N818 - what it is, as a caller reads it
    """The text is no template; `at` is the offset where it goes wrong."""

    def __init__(self, at: int, reason: str) -> None:
        super().__init__(reason)
        self.at = at
        self.reason = reason


class Literal(NamedTuple):
    """Text between actions, trimmed where an action beside it asks for that."""

    start: int
    end: int


class Action(NamedTuple):
    """`{{ … }}`: `start` and `end` are those of its braces, `inner` and `inner_end` of what stands in them."""

    start: int
    end: int
    inner: int
    inner_end: int


class Token(NamedTuple):
    """`kind` is a keyword's or punctuation's own text, or one of name, field, variable, string, number, character.

    `value` is the text of a name, field (without its dot) or variable, and the value of a literal.
    """

    kind: str
    value: object
    at: int


_SPACES = " \t\r\n"
_LONGEST_NUMBER = 40
KEYWORDS = frozenset({"if", "else", "end", "range", "with", "define", "block", "template", "break", "continue", "nil"})


def pieces(text: str) -> list[Literal | Action]:
    """Literals and actions in the order of the text; comments are dropped. Raises SyntaxProblem."""
    found: list[Literal | Action] = []
    at = 0
    trimmed = False  # whether the action before wants the space behind it gone
    while True:
        begin = text.find("{{", at)
        end = begin if begin >= 0 else len(text)
        trims_before = begin >= 0 and text.startswith("-", begin + 2) and text[begin + 3 : begin + 4] in tuple(_SPACES)
        first = at
        if trimmed:
            while first < end and text[first] in _SPACES:
                first += 1
        last = end
        if trims_before:
            while last > first and text[last - 1] in _SPACES:
                last -= 1
        if last > first:
            found.append(Literal(first, last))
        if begin < 0:
            return found
        inner = begin + 2 + trims_before
        at, trimmed, action = _action(text, begin, inner)
        if action is not None:
            found.append(action)


def _action(text: str, begin: int, inner: int) -> tuple[int, bool, Action | None]:
    """The end of the action that begins here, whether it trims what follows, and itself unless it is a comment."""
    start = inner
    while start < len(text) and text[start] in _SPACES:
        start += 1
    if text.startswith("/*", start):
        close = text.find("*/", start)
        if close < 0:
            raise SyntaxProblem(begin, "a comment that is never closed")
        rest = close + 2
        while rest < len(text) and text[rest] in _SPACES:
            rest += 1
        trims = rest > close + 2 and text.startswith("-}}", rest)
        if not trims and not text.startswith("}}", rest):
            raise SyntaxProblem(begin, "a comment with something behind it")
        return rest + 2 + trims, trims, None
    at = inner
    match = _inside().match
    while True:
        found = match(text, at)
        assert found is not None  # it matches the empty text
        at = found.end()
        if text.startswith("}}", at):
            trims = text[at - 1] == "-" and text[at - 2] in _SPACES and at - 2 >= inner - 1
            return at + 2, trims, Action(begin, at + 2, inner, at - trims)
        if at >= len(text):
            raise SyntaxProblem(begin, "an action that is never closed")
        if text[at] in "\"'`":
            raise SyntaxProblem(at, "a quote that is never closed")
        at += 1  # a brace that stands alone


@cache
def _inside() -> re.Pattern[str]:
    # Possessive: what was read once is not read again.
    return re.compile(r"""(?:[^}"'`]++|"(?:[^"\\\n]|\\.)*+"|'(?:[^'\\\n]|\\.)*+'|`[^`]*+`)*+""")


@cache
def _token() -> re.Pattern[str]:
    return re.compile(
        r"""(?P<space>[ \t\r\n]+)
        |(?P<string>"(?:[^"\\\n]|\\.)*+")
        |(?P<raw>`[^`]*+`)
        |(?P<character>'(?:[^'\\\n]|\\.)++')
        |(?P<number>[+-]?(?:0[xX][0-9a-fA-F_]+|0[bB][01_]+|0[oO][0-7_]+|(?:[0-9][0-9_]*\.?[0-9_]*|\.[0-9][0-9_]*)
            (?:[eE][+-]?[0-9]+)?)(?![\w.]))
        |(?P<field>\.[^\W\d]\w*)
        |(?P<variable>\$\w*)
        |(?P<name>[^\W\d]\w*)
        |(?P<mark>:=|[=|(),.])""",
        re.VERBOSE,
    )


def tokens(text: str, start: int, end: int) -> list[Token]:
    """The tokens of an action, a `space` between those that blanks separate. Raises SyntaxProblem."""
    found: list[Token] = []
    match = _token().match
    at = start
    while at < end:
        token = match(text, at, end)
        if token is None:
            raise SyntaxProblem(at, f"{text[at]!r} in an action")
        kind, written = str(token.lastgroup), token.group()
        if kind == "space":
            if found and found[-1].kind != "space":
                found.append(Token("space", None, at))
        elif kind == "mark":
            found.append(Token(written, None, at))
        elif kind == "name":
            if written in ("true", "false"):
                found.append(Token("boolean", written == "true", at))
            else:
                found.append(Token(written if written in KEYWORDS else "name", written, at))
        elif kind == "field":
            found.append(Token("field", written[1:], at))
        elif kind == "variable":
            found.append(Token("variable", written, at))
        elif kind == "raw":
            found.append(Token("string", written[1:-1].replace("\r", ""), at))
        elif kind == "number":
            found.append(Token("number", _number(written, at), at))
        else:
            value = _unquoted(written[1:-1], at)
            if kind == "character":
                if len(value) != 1:
                    raise SyntaxProblem(at, "a character constant of more than one character")
                found.append(Token("number", ord(value), at))
            else:
                found.append(Token("string", value, at))
        at = token.end()
    while found and found[-1].kind == "space":
        found.pop()
    return found


def _number(written: str, at: int) -> int | float:
    digits = written.replace("_", "")
    try:
        if digits.lstrip("+-")[:2].lower() in ("0x", "0b", "0o"):
            value: int | float = int(digits[: _LONGEST_NUMBER * 4], 0)
        elif digits.lstrip("+-").isdigit():
            body = digits.lstrip("+-")
            octal = len(body) > 1 and body[0] == "0"
            if len(body) > _LONGEST_NUMBER:
                raise SyntaxProblem(at, "a number that no 64-bit integer holds")
            value = int(body, 8 if octal else 10) * (-1 if digits[0] == "-" else 1)
        else:
            value = float(digits)
    except ValueError:
        raise SyntaxProblem(at, f"a number that cannot be read: {written[:40]}") from None
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise SyntaxProblem(at, "a number that no 64-bit integer holds")
    return value


_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}
_LENGTHS = {"x": 2, "u": 4, "U": 8}


def _unquoted(body: str, at: int) -> str:
    """The text of an interpreted string or a character constant. Source: Go specification, "String literals"."""
    if "\\" not in body:
        return body
    found: list[str] = []
    index = 0
    while index < len(body):
        character = body[index]
        index += 1
        if character != "\\":
            found.append(character)
            continue
        escape = body[index]
        index += 1
        try:
            if escape in _LENGTHS:
                length = _LENGTHS[escape]
                found.append(chr(int(body[index : index + length], 16)))
                index += length
            elif escape in "01234567":
                found.append(chr(int(body[index - 1 : index + 2], 8)))
                index += 2
            elif escape in "\\\"'":
                found.append(escape)
            else:
                found.append(_ESCAPES[escape])
        except (ValueError, KeyError, OverflowError):
            raise SyntaxProblem(at, f"an escape that Go does not know: \\{escape}") from None
    return "".join(found)
