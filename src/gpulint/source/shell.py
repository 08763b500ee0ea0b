"""Shell scripts held in a configuration: their simple commands word by word, read without running anything.

What a word expands to is followed only as far as it is certain: literals, variables that the script assigns or the
environment gives, defaults of `${NAME:-default}`, small arithmetic, arrays. Everything else is unknown.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from itertools import accumulate
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from typing import Protocol

    from tree_sitter import Node, Parser

    class HasText(Protocol):
        @property
        def text(self) -> str | None: ...


# Scripts in manifests are a few KB; what is larger or nested deeper is data or an attack, and is not read. The parser's
# recovery from errors takes time quadratic in the length, 8 s at worst for this one, and so do its long pipelines.
_LONGEST_SCRIPT = 32 * 1024
_MOST_PIPES = 1000
_DEEPEST = 40
_DEEPEST_SCRIPT = 2
# What variables may add to a script, in characters and words: `A=$A$A` a few times over would fill the memory.
_MOST_EXPANDED = 256 * 1024
_LARGEST_INTEGER = 10**12

_SHELLS = frozenset({"sh", "bash", "dash", "ash", "zsh", "ksh"})
# Programs that run the command in their arguments. Where that begins depends on their options: each position may.
_WRAPPERS = frozenset({
    "apptainer", "builtin", "catatonit", "chroot", "chrt", "command", "conda", "coproc", "ddtrace-run", "dumb-init",
    "env", "exec", "gosu", "ionice", "micromamba", "mpiexec", "mpirun", "ncu", "nice", "nohup", "nsys", "numactl",
    "opentelemetry-instrument", "pipenv", "pixi", "poetry", "prlimit", "setsid", "shifter", "singularity", "srun",
    "stdbuf", "strace", "su-exec", "sudo", "taskset", "time", "timeout", "tini", "trtllm-llmapi-launch", "unbuffer",
    "uv",
})  # fmt: skip
# A variable so named, unquoted, is there to hold any number of words.
_SEVERAL = ("ARG", "OPT", "FLAG", "PARAM", "EXTRA", "CMD", "COMMAND")
_ANSI_ESCAPES = {"n": "\n", "t": "\t", "\\": "\\", "'": "'", '"': '"', "r": "\r", "e": "\x1b", "a": "\a", "b": "\b"}


class Piece(NamedTuple):
    """A part of a word: the text it expands to (None: unknown) and the offsets [start, end) where it is written."""

    text: str | None
    start: int
    end: int


class Word:
    """A word after expansion.

    `text` is None where a part is unknown; `prefix` is what is known before that part. `many` says that it may stand
    for any number of words, `parameters` that it is `$@`: the script's own parameters.
    """

    __slots__ = ("end", "many", "parameters", "pieces", "prefix", "start", "text")

    def __init__(
        self, pieces: Sequence[Piece], start: int, end: int, *, many: bool = False, parameters: bool = False
    ) -> None:
        self.pieces = tuple(pieces)
        self.start = start
        self.end = end
        self.many = many
        self.parameters = parameters
        self.prefix, self.text = joined(self.pieces)

    def __repr__(self) -> str:
        return f"<Word {self.prefix!r}{'' if self.text is not None else '…'}{' many' if self.many else ''}>"


class Command:
    """A simple command: its words, and what the script exports to it.

    `conditional` says that a branch or a loop decides whether it runs, `repeated` that a `for` runs it several times.
    """

    __slots__ = ("conditional", "environment", "repeated", "words")

    def __init__(self, words: list[Word], environment: dict[str, Word], conditional: bool, repeated: bool) -> None:
        self.words = words
        self.environment = environment
        self.conditional = conditional
        self.repeated = repeated


class Heredoc(NamedTuple):
    """A text that a script hands to a program: its pieces, the program's words, and the file it is written to.

    `target` is as the script spells it where what it comes to is not known.
    """

    pieces: list[Piece]
    words: list[Word]
    target: str | None


def joined(pieces: Sequence[Piece]) -> tuple[str, str | None]:
    """The known beginning of a sequence of pieces, and their whole text if all of it is known."""
    prefix = ""
    for piece in pieces:
        if piece.text is None:
            return prefix, None
        prefix += piece.text
    return prefix, prefix


class Script:
    """A text to be read as a script, and where each part of it was written.

    An unknown piece stands for its own source text: read again, it is as unknown as it was.
    """

    __slots__ = ("_starts", "pieces", "text")

    def __init__(self, pieces: Sequence[Piece], source: str) -> None:
        self.pieces = [
            piece if piece.text is not None else Piece(source[piece.start : piece.end], piece.start, piece.end)
            for piece in pieces
        ]
        texts = [piece.text or "" for piece in self.pieces]
        self.text = "".join(texts)
        self._starts = [0, *accumulate(len(text) for text in texts)]

    def origin(self, start: int, end: int) -> tuple[int, int]:
        """Where text[start:end] is written: offsets into the source of the pieces."""
        if not self.pieces:
            return 0, 0
        first = self._piece(start)
        last = self._piece(max(end - 1, start))
        begin = self.pieces[first].start
        if self._is_verbatim(first):
            begin += start - self._starts[first]
        finish = self.pieces[last].end
        if self._is_verbatim(last):
            finish = self.pieces[last].start + end - self._starts[last]
        return begin, max(begin, finish)

    def moved(self, word: Word) -> tuple[list[Piece], int, int]:
        """The pieces and the span of a word of this script, in the offsets of the source."""
        pieces = [Piece(piece.text, *self.origin(piece.start, piece.end)) for piece in word.pieces]
        return pieces, *self.origin(word.start, word.end)

    def _piece(self, at: int) -> int:
        return min(max(bisect_right(self._starts, at) - 1, 0), len(self.pieces) - 1)

    def _is_verbatim(self, index: int) -> bool:
        piece = self.pieces[index]
        return piece.end - piece.start == len(piece.text or "")


def programs(words: Sequence[HasText]) -> Iterator[int]:
    """The positions at which the program that really runs may stand: 0, or any after `env`, `exec`, `nohup`, …

    An unknown first word (`$PREFIX vllm serve`) may be such a program, or nothing.
    """
    if not words:
        return
    yield 0
    first = 0
    if words[0].text is None and len(words) > 1:
        first = 1
        yield first
    name = basename(words[first].text)
    if first and name == "exec":  # `$KUBECTL exec pod -- …`
        return
    if name in _WRAPPERS or name.endswith("entrypoint.sh"):
        yield from range(first + 1, len(words))


def basename(text: str | None) -> str:
    """`/usr/bin/bash` as `bash`; the empty string for an unknown word."""
    return (text or "").rsplit("/", 1)[-1]


def script_index(words: Sequence[HasText]) -> int | None:
    """The index of the script in `bash -c script`, `sh -lc script`, `exec bash -euo pipefail -c script`; else None."""
    for at in programs(words):
        if basename(words[at].text) not in _SHELLS:
            continue
        is_script = False
        index = at + 1
        while index < len(words):
            text = words[index].text
            if text is None or len(text) < 2 or text[0] not in "-+":
                break
            index += 1
            if text == "--":
                break
            if text.startswith("--"):  # --login, --norc
                continue
            is_script = is_script or (text[0] == "-" and "c" in text)
            if text[-1] in "oO":  # the option's name is the next word
                index += 1
        return index if is_script and index < len(words) else None
    return None


def file_indices(words: Sequence[HasText]) -> Iterator[int]:
    """Where the file of a script may stand: in `/run.sh …`, `bash -e /run.sh …`, `exec tini -- /run.sh …`."""
    for at in programs(words):
        index = _file_index(words[at:])
        if index is not None:
            yield at + index
        text = words[at].text or ""
        if not (text.startswith("-") or "=" in text or text.isdigit() or basename(text) in _WRAPPERS):
            return


def _file_index(words: Sequence[HasText]) -> int | None:
    if basename(words[0].text) not in _SHELLS:
        return 0
    for index, word in enumerate(words[1:], start=1):
        if word.text is None or (word.text[:1] in ("-", "+") and ("c" in word.text or word.text[-1] in "oO")):
            return None
        if word.text[:1] not in ("-", "+"):
            return index
    return None


def commands(
    text: str,
    env: Mapping[str, str | None],
    parameters: Sequence[str | None] | None = (),
    *,
    env_known: bool = True,
) -> list[Command]:
    """The simple commands of a script in order.

    `env` is the environment that the script starts with (None: set, but to what is unknown); a name that is not in it
    is taken for unset where the script gives a default, unless `env_known` is False, and for unknown where it does
    not. `parameters` are $0, $1, … (None: unknown). A script of more than 32 KiB or nested too deeply gives nothing.
    """
    return commands_and_heredocs(text, env, parameters, env_known=env_known)[0]


def commands_and_heredocs(
    text: str,
    env: Mapping[str, str | None],
    parameters: Sequence[str | None] | None = (),
    *,
    env_known: bool = True,
) -> tuple[list[Command], list[Heredoc]]:
    """The simple commands of a script, as `commands` gives them, and its here-documents."""
    reader = _Reader(text, dict(env), parameters, _Room(), unseen=not env_known)
    return reader.read(), reader.heredocs


@cache
def _parser() -> Parser:
    import tree_sitter_bash
    from tree_sitter import Language, Parser

    return Parser(Language(tree_sitter_bash.language()))


@cache
def _placeholders() -> re.Pattern[str]:
    """What a file is to be filled in with before a shell sees it: `{{ .Values.model }}`, `<model-path>`."""
    return re.compile(r"\{\{[^{}\n]*\}\}|(?<![<>&\w])<[A-Za-z][\w.-]*>", re.ASCII)


class _TooDeepError(Exception):
    pass


class _Room:
    """What a script and the scripts inside it may still take, in characters."""

    __slots__ = ("expanded", "scripts")

    def __init__(self) -> None:
        self.scripts = 2 * _LONGEST_SCRIPT
        self.expanded = _MOST_EXPANDED


class _Unset:
    """The value of a variable that nothing in sight sets."""


_UNSET = _Unset()


class _Part(NamedTuple):
    """A part of a word before splitting: a quoted or literal piece, an unquoted expansion, or whole words."""

    piece: Piece
    quoted: bool
    words: list[Word] | None = None
    many: bool = False
    parameters: bool = False
    expansion: bool = False


class _Reader:
    """Walks a syntax tree in the order of execution and follows the variables."""

    def __init__(
        self,
        text: str,
        variables: dict[str, str | None],
        parameters: Sequence[str | None] | None,
        room: _Room,
        *,
        unseen: bool,
        depth: int = 0,
    ) -> None:
        self.text = text
        # The parser sees placeholders as plain words: `<x>` would be two redirections to it.
        spans = [match.span() for match in _placeholders().finditer(text)]
        self.placeholder_starts = [start for start, _ in spans]
        self.placeholder_ends = [end for _, end in spans]
        masked = _placeholders().sub(lambda match: "%" * len(match[0]), text)
        # So are characters beyond ASCII, one byte each: bytes and characters then have the same offsets, and
        # tree-sitter-bash 0.25.1 ends the process on `{` before a code point beyond Unicode's assigned planes.
        self.data = bytes(ord(c) if c < "\x80" else 0x5F for c in masked)
        self.inherited = frozenset(variables)
        self.variables = variables
        self.arrays: dict[str, list[Word]] = {}
        self.assigned: dict[str, Word] = {}
        self.exported: set[str] = set()
        self.exports_all = False
        self.parameters = parameters
        # Whether a variable that nothing in sight sets may be set all the same.
        self.unseen = unseen
        self.loops = 0
        self.room = room
        self.depth = depth
        self.found: list[Command] = []
        self.heredocs: list[Heredoc] = []

    def read(self) -> list[Command]:
        self.room.scripts -= len(self.text)
        if (
            len(self.text) > _LONGEST_SCRIPT
            or self.room.scripts < 0
            or self.depth > _DEEPEST_SCRIPT
            or "\0" in self.text
            or self.text.count("|") > _MOST_PIPES
        ):
            return []
        try:
            self.statement(_parser().parse(self.data).root_node, conditional=False, depth=0)
        except (_TooDeepError, RecursionError):
            return []
        return self.found

    # -- offsets

    def start(self, node: Node) -> int:
        return node.start_byte

    def end(self, node: Node) -> int:
        return node.end_byte

    def source(self, node: Node) -> str:
        return self.text[self.start(node) : self.end(node)]

    # -- statements

    def statement(self, node: Node, conditional: bool, depth: int) -> None:
        if depth > _DEEPEST:
            raise _TooDeepError
        depth += 1
        kind = node.type
        if kind == "command":
            self.command(node, [], conditional, depth)
        elif kind == "redirected_statement":
            self.redirected(node, conditional, depth)
        elif kind == "declaration_command":
            self.declaration(node, conditional)
        elif kind == "variable_assignment":
            self.assign(node, conditional)
        elif kind == "unset_command":
            for child in node.named_children:
                if child.type == "variable_name":
                    self.forget(self.source(child))
        elif kind in ("subshell", "pipeline"):
            # Both run apart: what they assign does not outlast them.
            kept = dict(self.variables), dict(self.arrays), dict(self.assigned), set(self.exported)
            self.each(node.named_children, conditional, depth)
            self.variables, self.arrays, self.assigned, self.exported = kept
        elif kind == "list":
            self.chain(node, conditional, depth)
        elif kind == "if_statement":
            branch = conditional
            for child in node.children:
                branch = branch or child.type in ("then", "elif_clause", "else_clause")
                self.statement(child, branch, depth)
        elif kind in ("while_statement", "for_statement", "c_style_for_statement", "case_statement", "case_item"):
            repeats = kind in ("for_statement", "c_style_for_statement")
            self.loops += repeats
            for child in node.children:
                if child.type == "variable_name":
                    self.forget(self.source(child))
                else:
                    self.statement(child, True, depth)
            self.loops -= repeats
        elif kind == "function_definition":
            parameters, self.parameters = self.parameters, None
            self.each(node.named_children, True, depth)
            self.parameters = parameters
        elif kind in ("program", "compound_statement", "do_group", "negated_command", "ERROR",
                      "elif_clause", "else_clause", "variable_assignments"):  # fmt: skip
            self.each(node.named_children, conditional, depth)

    def each(self, nodes: Sequence[Node], conditional: bool, depth: int) -> None:
        for node in nodes:
            self.statement(node, conditional, depth)

    def chain(self, node: Node, conditional: bool, depth: int) -> None:
        """`a && b`, `a || b`: b is a branch after `||` or after a test; else it runs whenever all goes well."""
        # A chain of n parts nests n deep on the left: it is unrolled, so that length is not taken for depth.
        links = []
        while node.type == "list" and node.child_count == 3:
            links.append((node.children[1].type, node.children[2]))
            node = node.children[0]
        self.statement(node, conditional, depth)
        after_test = node.type in ("test_command", "negated_command") or self.source(node).startswith("test ")
        for operator, right in reversed(links):
            self.statement(right, conditional or operator == "||" or after_test, depth)
            after_test = after_test or right.type == "test_command"

    def redirected(self, node: Node, conditional: bool, depth: int) -> None:
        extra: list[Node] = []
        for child in node.children:
            if child.type == "file_redirect":
                # The grammar takes every word after `> file` for its destination; a shell takes one.
                extra += child.children_by_field_name("destination")[1:]
        body = node.child_by_field_name("body")
        before = len(self.found)
        if body is not None and body.type == "command":
            self.command(body, extra, conditional, depth)
        elif body is not None:
            self.statement(body, conditional, depth)
        for child in node.children:
            if child.type == "heredoc_redirect":
                words = self.found[before].words if len(self.found) > before else []
                self.heredoc(child, [*node.children, *child.children], words, depth)

    def heredoc(self, node: Node, beside: Sequence[Node], words: list[Word], depth: int) -> None:
        """A here-document with what the shell fills in, unless its delimiter is quoted; `<<-` takes leading tabs."""
        body = next((child for child in node.children if child.type == "heredoc_body"), None)
        delimiter = next((child for child in node.children if child.type == "heredoc_start"), None)
        if body is None or delimiter is None:
            return
        # The grammar begins it behind the blanks of its first line.
        at, end = self.text.rfind("\n", 0, self.start(body)) + 1, self.end(body)
        pieces: list[Piece] = []
        if any(quote in self.source(delimiter) for quote in "'\"\\"):
            pieces = [Piece(self.text[at:end], at, end)]
        else:
            for child in body.named_children:
                if child.type == "heredoc_content":
                    continue
                begin, finish = self.start(child), self.end(child)
                begin += len(self.text[begin:finish]) - len(self.text[begin:finish].lstrip())
                pieces += self.unescaped(at, begin, escapable="$`\\\n")
                pieces += [part.piece for part in self.parts(child, quoted=True, depth=depth + 1)]
                at = finish
            pieces += self.unescaped(at, end, escapable="$`\\\n")
        if node.children[0].type == "<<-":
            pieces = [short for piece in pieces for short in _without_tabs(piece, self.text)]
        destinations = [
            destination
            for child in beside
            if child.type == "file_redirect"
            for destination in child.children_by_field_name("destination")[:1]
        ]
        target = None
        if destinations:
            named = self.words(destinations[:1], depth + 1)
            known = named[0].text if len(named) == 1 else None
            target = known if known is not None else self.source(destinations[0]).strip("\"'")
        self.heredocs.append(Heredoc(pieces, words, target))

    def command(self, node: Node, extra: Sequence[Node], conditional: bool, depth: int) -> None:
        arguments: list[Node] = []
        prefix: dict[str, Word] = {}
        for index, child in enumerate(node.children):
            if child.type == "variable_assignment":
                name, word = self.assignment(child)
                if name is not None:
                    prefix[name] = word
            elif child.type == "command_name":
                arguments += child.children
            elif child.type == "ERROR" or node.field_name_for_child(index) == "argument":
                arguments.append(child)
            elif child.type == "file_redirect":
                arguments += child.children_by_field_name("destination")[1:]
        arguments += extra
        words = self.words(arguments, depth)
        if not words:
            return
        self.builtin(words, conditional)
        inner = self.inner_script(words)
        if inner is not None:
            for command in inner:
                command.conditional = command.conditional or conditional
                command.repeated = command.repeated or self.loops > 0
                command.environment = {**self.environment(), **prefix, **command.environment}
            self.found += inner
            return
        self.found.append(Command(words, {**self.environment(), **prefix}, conditional, self.loops > 0))

    def environment(self) -> dict[str, Word]:
        names = self.assigned if self.exports_all else self.exported | (self.inherited & self.assigned.keys())
        return {name: self.assigned[name] for name in names if name in self.assigned}

    def inner_script(self, words: Sequence[Word]) -> list[Command] | None:
        """The commands of `bash -c '…'` or `eval …` inside the script, with their places in this one."""
        index = script_index(words)
        if index is not None:
            script = words[index].pieces
            parameters: Sequence[str | None] | None = [word.text for word in words[index + 1 :]]
        elif words[0].text == "eval":
            script = tuple(p for word in words[1:] for p in (*word.pieces, Piece(" ", word.end, word.end)))
            parameters = None
        else:
            return None
        text = Script(script, self.text)
        inner = _Reader(
            text.text, dict(self.variables), parameters, self.room, unseen=self.unseen, depth=self.depth + 1
        ).read()
        for command in inner:
            command.words = [_moved(word, text) for word in command.words]
            command.environment = {name: _moved(word, text) for name, word in command.environment.items()}
        return inner

    def builtin(self, words: Sequence[Word], conditional: bool) -> None:
        """What the shell's own commands do to variables and parameters."""
        name = words[0].text
        if name in ("read", "mapfile", "readarray", "getopts"):
            for word in words[1:]:
                if word.text is not None and word.text.isidentifier():
                    self.forget(word.text)
        elif name in ("source", ".") and len(words) > 1:
            # A file may set anything, except the ones that only put a program on the path.
            self.unseen = self.unseen or basename(words[1].text) not in ("activate", ".bashrc", "setvars.sh")
        elif name == "shift":
            self.parameters = None
        elif name == "set":
            for word in words[1:]:
                if word.text in ("-a", "-o") and (word.text == "-a" or words[-1].text == "allexport"):
                    self.exports_all = not conditional
                if word.text is None or word.text == "--":
                    self.parameters = None

    # -- variables

    def forget(self, name: str) -> None:
        self.variables[name] = None
        self.arrays.pop(name, None)
        self.assigned.pop(name, None)

    def lookup(self, name: str) -> str | _Unset | None:
        if name.isdigit() and name.isascii() and len(name) < 5:
            if self.parameters is None:
                return None
            return self.parameters[int(name)] if int(name) < len(self.parameters) else _UNSET
        if name in self.arrays:
            return None
        if name in self.variables:
            return self.variables[name]
        return None if self.unseen or not name.isidentifier() else _UNSET

    def declaration(self, node: Node, conditional: bool) -> None:
        """`export`, `local`, `declare`, `readonly`, `typeset`."""
        exports = node.children[0].type == "export" or any(
            self.source(child).startswith("-") and "x" in self.source(child) for child in node.named_children
        )
        for child in node.named_children:
            if child.type == "variable_assignment":
                name = self.assign(child, conditional)
            elif child.type == "variable_name":
                name = self.source(child)
            else:
                self.unseen = self.unseen or child.type in ("command_substitution", "simple_expansion", "expansion")
                continue
            if exports and name is not None:
                self.exported.add(name)

    def assign(self, node: Node, conditional: bool) -> str | None:
        """Carry out an assignment and give its name; one in a branch or a loop leaves the variable unknown."""
        name_node = node.child_by_field_name("name")
        value = node.child_by_field_name("value")
        if name_node is None:
            return None
        name = self.source(name_node)
        if name_node.type != "variable_name":
            self.forget(name.partition("[")[0])
            return None
        appends = any(child.type == "+=" for child in node.children)
        if value is not None and value.type == "array":
            words = self.words(value.named_children, 0)
            if conditional:
                words = [Word([Piece(None, w.start, w.end)], w.start, w.end, many=True) for w in words[:1]]
            before = self.arrays.get(name, []) if appends or conditional else []
            self.forget(name)
            self.arrays[name] = before + words
            return name
        known = self.lookup(name) if appends else ""
        _, word = self.assignment(node)
        self.arrays.pop(name, None)
        unknown = conditional or word.text is None or not isinstance(known, str)
        value_text = "" if unknown else f"{known}{word.text}"
        unknown = unknown or not self.affordable(len(value_text))
        self.variables[name] = None if unknown else value_text
        self.assigned[name] = Word([Piece(None, word.start, word.end)], word.start, word.end) if unknown else word
        return name

    def assignment(self, node: Node) -> tuple[str | None, Word]:
        """The name and the value of `NAME=value`; the word spans all of it, so that a place shows both."""
        name = node.child_by_field_name("name")
        value = node.child_by_field_name("value")
        parts = [] if value is None else self.parts(value, quoted=True, depth=0)
        pieces = [Piece(None, p.piece.start, p.piece.end) if p.words is not None else p.piece for p in parts]
        is_name = name is not None and name.type == "variable_name"
        return self.source(name) if name is not None and is_name else None, Word(
            pieces, self.start(node), self.end(node)
        )

    # -- words

    def words(self, nodes: Sequence[Node], depth: int) -> list[Word]:
        """The words of arguments, split where an unquoted variable holds several."""
        found: list[Word] = []
        builder = _Builder(found)
        end = -1
        for node in nodes:
            if self.start(node) != end:
                builder.flush()
            builder.at = self.start(node), self.end(node)
            end = self.end(node)
            if node.type == "ERROR":
                builder.flush()
                found.append(Word([Piece(None, *builder.at)], *builder.at, many=True))
                continue
            source = self.source(node)
            parts = self.parts(node, quoted=False, depth=depth)
            if node.type in ("word", "concatenation") and _is_pattern(source):
                parts = self.without_patterns(parts)
            for part in parts:
                builder.add(part)
        builder.flush()
        return found

    def without_patterns(self, parts: list[_Part]) -> list[_Part]:
        """The parts up to the first unquoted pattern character: what a glob or braces give is unknown."""
        kept: list[_Part] = []
        for part in parts:
            text = part.piece.text
            bare = not part.quoted and not part.expansion and text is not None
            at = min((text.find(c) for c in "*?[{" if c in text), default=-1) if bare and text is not None else -1
            if at < 0:
                kept.append(part)
                continue
            start = part.piece.start
            if at:
                kept.append(_Part(Piece((text or "")[:at], start, start + at), quoted=False))
            kept.append(_Part(Piece(None, start + at, parts[-1].piece.end), quoted=True, many=not kept))
            break
        return kept

    def parts(self, node: Node, quoted: bool, depth: int) -> list[_Part]:
        if depth > _DEEPEST:
            raise _TooDeepError
        kind = node.type
        start, end = self.start(node), self.end(node)
        if kind in ("word", "number", "regex", "extglob_pattern", "variable_name", "special_variable_name", "="):
            return [
                _Part(piece, quoted=False, many=piece.text is None and self.text[piece.start] == "{")
                for piece in self.unescaped(start, end, escapable=None)
            ]
        if kind == "raw_string":
            return [_Part(Piece(self.text[start + 1 : max(end - 1, start + 1)], start + 1, end - 1), quoted=True)]
        if kind == "ansi_c_string":
            return [_Part(Piece(_ansi(self.text[start + 2 : end - 1]), start, end), quoted=True)]
        if kind == "string":
            return self.string_parts(node, depth)
        if kind in ("concatenation", "translated_string", "command_name"):
            found = []
            at = start
            for child in node.children:
                if self.start(child) > at:  # the grammar drops blanks inside `${NAME:-a b}`
                    found.append(_Part(Piece(self.text[at : self.start(child)], at, self.start(child)), quoted=False))
                found += self.parts(child, quoted, depth + 1)
                at = self.end(child)
            return found
        if kind == "simple_expansion":
            return [self.expanded(self.source(node).lstrip()[1:], node, quoted)]
        if kind == "expansion":
            return [self.expansion(node, quoted, depth + 1)]
        if kind == "arithmetic_expansion":
            values = [self.integer(child, depth + 1) for child in node.named_children]
            value = str(values[0]) if len(values) == 1 and values[0] is not None else None
            return [_Part(Piece(value, start, end), quoted=True)]
        if kind in ("$", "{", "}", "[", "]", "(", ")") or not node.is_named:
            return [_Part(Piece(self.text[start:end], start, end), quoted=False)]
        # A command's output mostly is one word, as in `--host $(hostname -i)`; `$(cat args.txt)` says that it is not.
        several = kind == "command_substitution" and not quoted and holds_several(self.text[start:end])
        return [_Part(Piece(None, start, end), quoted, many=several)]

    def string_parts(self, node: Node, depth: int) -> list[_Part]:
        """The inside of double quotes. The grammar loses blanks beside expansions, so text is what lies between."""
        start, end = self.start(node), self.end(node)
        at = start + 1
        end = end - 1 if end - start > 1 and self.text[end - 1] == '"' else end
        found = [_Part(Piece("", at, at), quoted=True)]
        for child in node.named_children:
            if child.type == "string_content":
                continue
            begin, finish = self.start(child), self.end(child)
            begin += len(self.text[begin:finish]) - len(self.text[begin:finish].lstrip())
            found += [_Part(piece, quoted=True) for piece in self.unescaped(at, begin, escapable='$`"\\\n')]
            found += self.parts(child, quoted=True, depth=depth + 1)
            at = finish
        found += [_Part(piece, quoted=True) for piece in self.unescaped(at, end, escapable='$`"\\\n')]
        return found

    def unescaped(self, start: int, end: int, escapable: str | None) -> list[Piece]:
        """Literal text without its backslashes; `escapable` are the characters that one may stand before."""
        pieces: list[Piece] = []
        for index in range(bisect_left(self.placeholder_starts, start), len(self.placeholder_starts)):
            begin, finish = self.placeholder_starts[index], self.placeholder_ends[index]
            if finish > end:
                break
            pieces += self.literal(start, begin, escapable)
            pieces.append(Piece(None, begin, finish))
            start = finish
        return pieces + self.literal(start, end, escapable)

    def literal(self, start: int, end: int, escapable: str | None) -> list[Piece]:
        text = self.text
        if "\\" not in text[start:end]:
            return [Piece(text[start:end], start, end)] if end > start else []
        pieces: list[Piece] = []
        at = run = start
        while at < end:
            if text[at] == "\\" and at + 1 < end and (escapable is None or text[at + 1] in escapable):
                if at > run:
                    pieces.append(Piece(text[run:at], run, at))
                if text[at + 1] != "\n":
                    pieces.append(Piece(text[at + 1], at, at + 2))
                at = run = at + 2
            else:
                at += 1
        if end > run:
            pieces.append(Piece(text[run:end], run, end))
        return pieces

    def expanded(self, name: str, node: Node, quoted: bool) -> _Part:
        """`$NAME`, `$1`, `$@`."""
        start, end = self.start(node), self.end(node)
        start += len(self.text[start:end]) - len(self.text[start:end].lstrip())
        if name in ("@", "*"):
            return self.all_parameters(start, end)
        value = self.lookup(name)
        if isinstance(value, str) and self.affordable(len(value)):
            return _Part(Piece(value, start, end), quoted, expansion=True)
        several = not quoted and holds_several(name)
        words = self.arrays.get(name)
        return _Part(Piece(None, start, end), quoted, many=several and words is None, expansion=True)

    def affordable(self, size: int) -> bool:
        """Whether an expansion of so many characters is within what all of them may take."""
        self.room.expanded -= size
        return self.room.expanded >= 0

    def all_parameters(self, start: int, end: int) -> _Part:
        word = Word([Piece(None, start, end)], start, end, many=True, parameters=self.parameters is not None)
        return _Part(word.pieces[0], quoted=False, words=[word], expansion=True)

    def expansion(self, node: Node, quoted: bool, depth: int) -> _Part:
        """`${NAME}` with or without an operator."""
        start, end = self.start(node), self.end(node)
        start += len(self.text[start:end]) - len(self.text[start:end].lstrip())
        unknown = _Part(Piece(None, start, end), quoted, expansion=True)
        children = [child for child in node.children if child.type not in ("}", "${") and "{" not in child.type]
        if not children:
            return unknown
        subject, rest = children[0], children[1:]
        if subject.type == "subscript":
            name = subject.child_by_field_name("name")
            index = subject.child_by_field_name("index")
            if rest or name is None or index is None or self.source(index) not in ("@", "*"):
                return unknown
            words = self.arrays.get(self.source(name))
            if (
                words is None
                or not self.affordable(len(words))
                or not self.affordable(sum(len(word.prefix) for word in words))
            ):
                words = [Word([Piece(None, start, end)], start, end, many=True)]
            return _Part(Piece(None, start, end), quoted=False, words=words, expansion=True)
        if subject.type not in ("variable_name", "special_variable_name"):
            return unknown
        name_text = self.source(subject)
        if not rest:
            return self.expanded(name_text, node, quoted)
        operator = rest[0].type
        if operator not in (":-", "-", ":=", "=", ":?", "?", ":+", "+"):
            return unknown
        value = self.lookup(name_text)
        if value is None or name_text in ("@", "*"):
            return unknown._replace(many=not quoted and holds_several(name_text))
        given = isinstance(value, str) and (value != "" or ":" not in operator)
        if operator[-1] == "?":
            return self.expanded(name_text, node, quoted)
        if operator[-1] == "+":
            text = self.default(rest[1:], depth) if given else ""
        else:
            text = value if given and isinstance(value, str) else self.default(rest[1:], depth)
            text = text if text is None or self.affordable(len(text)) else None
            if operator[-1] == "=" and not given:
                self.variables[name_text] = text
        several = text is None and not quoted and holds_several(name_text)
        if len(rest) == 2 and not given and rest[1].type in ("string", "raw_string"):
            quoted = True
        return _Part(Piece(text, start, end), quoted, many=several, expansion=True)

    def default(self, nodes: Sequence[Node], depth: int) -> str | None:
        """The text of the word after an operator such as `:-`."""
        text = ""
        at = self.start(nodes[0]) if nodes else 0
        for node in nodes:
            text += self.text[at : self.start(node)]
            for part in self.parts(node, quoted=True, depth=depth + 1):
                if part.piece.text is None or part.words is not None:
                    return None
                text += part.piece.text
            at = self.end(node)
        return text

    def integer(self, node: Node, depth: int) -> int | None:
        """The value of an arithmetic expression of known integers: + - * / % and parentheses."""
        if depth > _DEEPEST:
            return None
        kind = node.type
        if kind in ("number", "word", "variable_name", "simple_expansion", "expansion"):
            text: str | _Unset | None = self.source(node)
            if kind == "variable_name":
                text = self.lookup(str(text))
            elif kind in ("simple_expansion", "expansion"):
                text = self.parts(node, quoted=True, depth=depth)[0].piece.text
            if not isinstance(text, str) or not text.isascii() or not text.isdigit() or len(text) > 12:
                return None
            return None if len(text) > 1 and text[0] == "0" else int(text)
        if kind == "parenthesized_expression" and node.named_child_count == 1:
            return self.integer(node.named_children[0], depth + 1)
        if kind != "binary_expression" or node.child_count != 3:
            return None
        left = self.integer(node.children[0], depth + 1)
        right = self.integer(node.children[2], depth + 1)
        if left is None or right is None:
            return None
        operator = node.children[1].type
        if operator in ("/", "%") and (right == 0 or left < 0 or right < 0):  # the shell's rounding differs below zero
            return None
        results = {"+": left + right, "-": left - right, "*": left * right}
        result = results.get(operator)
        if operator in ("/", "%"):
            result = left // right if operator == "/" else left % right
        return result if result is not None and abs(result) <= _LARGEST_INTEGER else None


class _Builder:
    """Puts parts together into words, splitting unquoted expansions at blanks. `at` spans the argument being read."""

    def __init__(self, found: list[Word]) -> None:
        self.found = found
        self.at = (0, 0)
        self.start = 0
        self.end = 0
        self.pieces: list[Piece] = []
        self.many = False

    def add(self, part: _Part) -> None:
        if part.words is not None:
            if any(piece.text != "" for piece in self.pieces):
                # "a${ARRAY[@]}": what the first word becomes is not worth following
                self.append(Piece(None, part.piece.start, part.piece.end))
            else:
                self.pieces = []
                self.found += part.words
            return
        text = part.piece.text
        if text is None or part.quoted or not part.expansion:
            self.append(part.piece)
            self.many = self.many or part.many
            return
        fields = text.split()
        if text[:1].isspace():
            self.flush()
        for index, field in enumerate(fields):
            if index:
                self.flush()
            self.append(Piece(field, part.piece.start, part.piece.end))
        if fields and text[-1:].isspace():
            self.flush()

    def append(self, piece: Piece) -> None:
        if not self.pieces:
            self.start = self.at[0]
        self.pieces.append(piece)
        self.end = self.at[1]

    def flush(self) -> None:
        if self.pieces:
            many = self.many and all(piece.text is None for piece in self.pieces)
            self.found.append(Word(self.pieces, self.start, self.end, many=many))
        self.pieces = []
        self.many = False


def holds_several(name: str) -> bool:
    """Whether a variable, by its name, holds any number of words."""
    upper = name.upper()
    return any(part in upper for part in _SEVERAL)


def _is_pattern(source: str) -> bool:
    """Whether an argument may be a glob or hold braces to expand."""
    return (
        "*" in source
        or "?" in source
        or ("[" in source and "]" in source)
        or any("," in match[0] or ".." in match[0] for match in re.finditer(r"\{[^{}]*\}", source))
    )


def _without_tabs(piece: Piece, text: str) -> list[Piece]:
    """A piece of a here-document without the tabs at the beginnings of its lines."""
    if piece.text is None or "\t" not in piece.text or len(piece.text) != piece.end - piece.start:
        return [piece]
    found, at = [], piece.start
    for match in re.finditer(r"(?m)^\t+", text[piece.start : piece.end]):
        start, end = piece.start + match.start(), piece.start + match.end()
        if start == piece.start and start and text[start - 1] != "\n":
            continue
        if start > at:
            found.append(Piece(text[at:start], at, start))
        at = end
    return [*found, Piece(text[at : piece.end], at, piece.end)] if at < piece.end else found


def _moved(word: Word, script: Script) -> Word:
    """A word of an inner script with the offsets of the outer one."""
    pieces, start, end = script.moved(word)
    return Word(pieces, start, end, many=word.many)


def _ansi(text: str) -> str | None:
    """What `$'…'` means; None where it uses an escape beyond the everyday ones."""
    result, at = "", 0
    while at < len(text):
        if text[at] != "\\":
            result += text[at]
            at += 1
            continue
        escape: Any = _ANSI_ESCAPES.get(text[at + 1 : at + 2])
        if escape is None:
            return None
        result += escape
        at += 2
    return result
