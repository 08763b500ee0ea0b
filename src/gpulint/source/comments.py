"""Comments that hold a word, in the languages that gpulint reads, each with the lines that it speaks of.

A comment at the end of a line speaks of that line; one that has its line to itself speaks of the line below. Where
comments cannot stand between lines, in a text of several lines or a command that a backslash continues, all of them are
one line.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import NamedTuple

from gpulint.source.text import Source

# No file has as many; what an attacker writes beyond them is not looked at.
_MOST_COMMENTS = 1000
# First and last line, from 1.
Lines = tuple[int, int]


class Comment(NamedTuple):
    """A comment: its offsets [start, end), the spans of lines that it speaks of, and whether only the head is above it.

    `inside` are the offsets of the value (a script in a block scalar, a here-document) of which it is a part.
    """

    start: int
    end: int
    lines: list[Lines]
    in_head: bool = False
    inside: tuple[int, int] | None = None


class _Units:
    """Spans of lines that count as one, by their first lines and by all of their lines."""

    def __init__(self, spans: Iterable[Lines] = ()) -> None:
        self.beginning: dict[int, list[Lines]] = {}
        self.holding: dict[int, list[Lines]] = {}
        for first, last in spans:
            self.beginning.setdefault(first, []).append((first, last))
            for line in range(first, last + 1):
                self.holding.setdefault(line, []).append((first, last))

    def ends(self) -> dict[int, list[Lines]]:
        """The spans by their last lines."""
        found: dict[int, list[Lines]] = {}
        for spans in self.beginning.values():
            for span in spans:
                found.setdefault(span[1], []).append(span)
        return found


class _File:
    """What the scanners share: the lines of a text, the word that is looked for, and where comments begin."""

    def __init__(self, source: Source, word: str) -> None:
        self.source = source
        self.text = source.text
        self.word = word
        self._below: dict[int, int] = {}
        self._head: int | None = None

    def line(self, offset: int) -> int:
        return self.source.position(offset)[0]

    def line_start(self, line: int) -> int:
        return self.source.line_starts()[line - 1]

    def comment(
        self,
        start: int,
        above: dict[int, list[Lines]],
        at_end: dict[int, list[Lines]],
        inside: tuple[int, int] | None = None,
        marks: str = "#",
    ) -> Iterator[Comment]:
        """The comment that begins at an offset, if it holds the word.

        `above` are the lines that count as one for a comment right above the first of them, `at_end` for one at the end
        of a line.
        """
        line = self.line(start)
        begin = self.line_start(line)
        end = begin + len(self.source.line_text(line))
        if inside is not None:
            end = min(end, inside[1])
        if self.text.find(self.word, start, end) < 0:
            return
        if self.text[begin:start].strip():
            yield Comment(start, end, [(line, line), *at_end.get(line, ())], inside=inside)
            return
        last = len(self.source.line_starts()) if inside is None else self.line(max(inside[0], inside[1] - 1))
        below = self.below(line, marks)
        lines: list[Lines] = []
        if below <= last and self.source.line_text(below).strip():
            lines = [(below, below), *above.get(below, ())]
        yield Comment(start, end, lines, inside is None and line < self.head(marks), inside)

    def below(self, line: int, marks: str) -> int:
        """The first line below one that is no comment."""
        passed = []
        count = len(self.source.line_starts())
        at = line + 1
        while at <= count and at not in self._below and self.is_comment(at, marks):
            passed.append(at)
            at += 1
        at = self._below.get(at, at)
        self._below.update(dict.fromkeys(passed, at))
        return at

    def head(self, marks: str) -> int:
        """The first line with more than a comment or the beginning of a document."""
        if self._head is None:
            count = len(self.source.line_starts())
            texts = (self.source.line_text(line).strip() for line in range(1, count + 1))
            outside = (n for n, text in enumerate(texts, 1) if text and not text.startswith((*marks, "---", "%YAML")))
            self._head = next(outside, count + 1)
        return self._head

    def is_comment(self, line: int, marks: str) -> bool:
        return self.source.line_text(line).lstrip().startswith(tuple(marks))

    def by_lines(
        self,
        start: int = 0,
        end: int | None = None,
        *,
        inside: bool = False,
        marks: str = "#",
        at_ends: bool = True,
        escape: str = "\\",
        over_comments: bool = False,
    ) -> Iterator[Comment]:
        """The comments of a text that is known by its lines alone, or of a part of it.

        `at_ends` says that comments may stand behind a blank, outside quotes, at the end of a line. `escape` continues
        a line, `over_comments` past lines that are comments.
        """
        end = len(self.text) if end is None else end
        first, last = self.line(start), self.line(max(start, end - 1))
        units = _Units(self._continued(first, last, escape, marks if over_comments else ""))
        span = (start, end) if inside else None
        at = self.text.find(self.word, start, end)
        while at >= 0:
            line = self.line(at)
            begin = max(start, self.line_start(line))
            before = self.text[begin:at]
            own = len(before) - len(before.lstrip())
            # Also a comment of a Helm template: {{/* … */}}
            opened = own if before[own:].startswith((*marks, "{{")) else _opening(before) if at_ends else None
            if opened is not None:
                yield from self.comment(begin + opened, units.beginning, units.holding, span, marks)
            following = self.line_start(line + 1) if line < len(self.source.line_starts()) else len(self.text)
            at = self.text.find(self.word, following, end)

    def _continued(self, first: int, last: int, escape: str, passed_over: str) -> list[Lines]:
        units: list[Lines] = []
        line = first
        while line <= last:
            begin = line
            while line < last and self.source.line_text(line).rstrip().endswith(escape):
                if begin == line and self.is_comment(line, "#"):
                    break
                line += 1
                while passed_over and line < last and self.is_comment(line, passed_over):
                    line += 1
            if line > begin:
                units.append((begin, line))
            line += 1
        return units


def _opening(text: str) -> int | None:
    """Where a comment begins: the first `#` behind a blank and outside quotes."""
    quotes = {'"': False, "'": False}
    for at, character in enumerate(text):
        if character in quotes:
            quotes[character] = not quotes[character]
        elif character == "#" and at > 0 and text[at - 1].isspace() and not any(quotes.values()):
            return at
    return None


def comments(source: Source, language: str, word: str) -> list[Comment]:
    """The comments of a source that hold a word, in order, each once; at most 1,000.

    `language` is yaml, json, shell, python, dockerfile, systemd or, for anything else, lines. A text that its own
    language's scanner refuses is taken by its lines.
    """
    file = _File(source, word)
    if word not in source.text or language == "json":
        return []
    scanners: dict[str, Callable[[_File], Iterable[Comment]]] = {
        "yaml": _yaml,
        "shell": _shell,
        "python": _python,
        "dockerfile": _dockerfile,
        "systemd": _systemd,
    }
    scanned = islice(scanners.get(language, _File.by_lines)(file), _MOST_COMMENTS)
    found = {comment.start: comment for comment in scanned}
    return [found[start] for start in sorted(found)]


# -- YAML: what stands between tokens


def _yaml(file: _File) -> Iterator[Comment]:
    from gpulint.source.templates import template_mark
    from gpulint.source.yaml import _cuts

    for start, end in _cuts(file.text):
        text = file.text[start:end]
        if file.word not in text:
            continue
        spans = _scalars(text) if template_mark(text) is None else None
        if spans is None:
            yield from file.by_lines(start, end)
        else:
            yield from _between(file, start, text, spans)


# A token's offsets and, for a scalar, its style (an empty text for a plain one); None for a token that is none.
_Token = tuple[int, int, str | None]


def _scalars(text: str) -> list[_Token] | None:
    """The tokens of a document; None where libyaml refuses it."""
    import yaml
    from yaml.cyaml import CParser  # type: ignore[attr-defined]

    parser = CParser(text)
    tokens: list[_Token] = []
    try:
        while (token := parser.get_token()) is not None:
            style = (token.style or "") if isinstance(token, yaml.ScalarToken) else None
            tokens.append((token.start_mark.index, token.end_mark.index, style))
    except (yaml.YAMLError, UnicodeError):
        return None
    finally:
        parser.dispose()
    return tokens


def _between(file: _File, offset: int, text: str, tokens: list[_Token]) -> Iterator[Comment]:
    gaps: list[tuple[int, int]] = []
    spans: list[Lines] = []
    blocks: list[tuple[int, int]] = []
    reached = 0
    for start, end, style in tokens:
        if start > reached:
            gaps.append((reached, start))
        reached = max(reached, end)
        if style is None or "\n" not in text[start:end]:
            continue
        last = start + len(text[start:end].rstrip())
        spans.append((file.line(offset + start), file.line(offset + max(start, last - 1))))
        if style in ("|", ">"):
            header = start + len(text[start:end].split("\n", 1)[0])
            gaps.append((start + 1, header))
            if style == "|" and header < last:
                blocks.append((offset + header + 1, offset + last))
    gaps.append((reached, len(text)))
    units = _Units(spans)
    for start, end in gaps:
        for found in re.finditer(r"#[^\r\n]*", text[start:end]):
            yield from file.comment(offset + start + found.start(), units.beginning, units.holding)
    for start, end in blocks:
        yield from file.by_lines(start, end, inside=True)


# -- the other languages


def _shell(file: _File) -> Iterator[Comment]:
    from gpulint.source.shell import _LONGEST_SCRIPT, _parser

    if len(file.text) > _LONGEST_SCRIPT:  # nobody reads it as a script
        yield from file.by_lines()
        return
    data = file.text.encode("utf-8", "surrogatepass")
    characters = _character_offsets(file.text, data)
    stack = [_parser().parse(data).root_node]
    found: list[int] = []
    spans: list[Lines] = []
    documents: list[tuple[int, int]] = []
    while stack:
        node = stack.pop()
        if node.type == "comment":
            found.append(characters(node.start_byte))
        elif node.type == "heredoc_body":
            documents.append((characters(node.start_byte), characters(node.end_byte)))
            continue
        elif node.type in ("command", "declaration_command", "variable_assignment"):
            first, last = (file.line(characters(at)) for at in (node.start_byte, max(node.end_byte - 1, 0)))
            if last > first:
                spans.append((first, last))
        stack.extend(node.children)
    units = _Units(spans)
    ends = units.ends()
    for start in found:
        yield from file.comment(start, units.beginning, ends)
    for start, end in documents:
        yield from file.by_lines(start, end, inside=True)


def _character_offsets(text: str, data: bytes) -> Callable[[int], int]:
    """Turns an offset in the bytes into one in the text."""
    if len(text) == len(data):
        return lambda at: at
    from bisect import bisect_left
    from itertools import accumulate

    ends = [0, *accumulate(len(character.encode("utf-8", "surrogatepass")) for character in text)]
    return lambda at: bisect_left(ends, at)


def _python(file: _File) -> Iterator[Comment]:
    import io
    import tokenize

    starts = [0]
    for line in file.text.split("\n"):
        starts.append(starts[-1] + len(line) + 1)
    found: list[int] = []
    strings: list[tuple[int, int]] = []
    statements: list[Lines] = []
    opened: list[int] = []
    began: int | None = None
    names = {getattr(tokenize, name): name for name in ("FSTRING_START", "FSTRING_END") if hasattr(tokenize, name)}
    between = (tokenize.NL, tokenize.COMMENT, tokenize.INDENT, tokenize.DEDENT)
    try:
        for token in tokenize.generate_tokens(io.StringIO(file.text, newline="\n").readline):
            start, end = (starts[row - 1] + column for row, column in (token.start, token.end))
            if token.type == tokenize.COMMENT:
                found.append(start)
            elif token.type == tokenize.STRING and token.start[0] != token.end[0]:
                strings.append((start, end))
            elif names.get(token.type) == "FSTRING_START":
                opened.append(start)
            elif names.get(token.type) == "FSTRING_END" and opened:
                strings.append((opened.pop(), end))
            if token.type == tokenize.NEWLINE:
                if began is not None:
                    statements.append((began, token.start[0]))
                began = None
            elif began is None and token.type not in between:
                began = token.start[0]
    except (tokenize.TokenError, SyntaxError):
        yield from file.by_lines()
        return
    several = [(file.line(start), file.line(end - 1)) for start, end in strings]
    above, at_end = _Units([*statements, *several]).beginning, _Units(several).holding
    for start in found:
        yield from file.comment(start, above, at_end)
    for start, end in strings:
        yield from file.by_lines(start, end, inside=True)


def _dockerfile(file: _File) -> Iterator[Comment]:
    escape = re.search(r"(?im)\A(?:#.*\n)*?#[ \t]*escape[ \t]*=[ \t]*`", file.text)
    return file.by_lines(at_ends=False, escape="`" if escape else "\\", over_comments=True)


def _systemd(file: _File) -> Iterator[Comment]:
    return file.by_lines(marks="#;", at_ends=False, over_comments=True)
