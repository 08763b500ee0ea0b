"""How a container is launched: its command line as words with places, with the variables in it resolved."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache

from gpulint.model.values import Sourced
from gpulint.model.workload import EnvVar
from gpulint.source import shell
from gpulint.source.shell import Piece
from gpulint.source.text import Place
from gpulint.source.yaml import Node

# What substitution may add to a text, and `$@` to a script: references to references would fill the memory.
_LONGEST_TEXT = 256 * 1024
_MOST_PARAMETERS = 10_000
# Gives the YAML of the project that stands at a path of a launch.
Find = Callable[[str], Node | None]
# What a script writes to a file: its pieces, and the node that holds the script.
Written = tuple[list[Piece], Node]
# Scripts that run scripts that run scripts.
_DEEPEST_FILE = 3


class Word:
    """One argument: `text` after substitution (None: unknown), and where it is written.

    `start` and `end` are offsets into the node's value; what came through a variable stands where the variable is
    named. `prefix` is the known beginning of an unknown word (`--tensor-parallel-size=` of
    `--tensor-parallel-size=$(TP)`). `many` says that the word may stand for any number of words. `elsewhere` is where
    the value is written that the one variable in it has, when that is not beside the command: see EnvVar.remote.
    """

    __slots__ = ("elsewhere", "end", "many", "node", "pieces", "prefix", "start", "text")

    def __init__(
        self,
        node: Node,
        pieces: Sequence[Piece],
        start: int,
        end: int,
        *,
        many: bool = False,
        elsewhere: Place | None = None,
    ) -> None:
        self.node = node
        self.pieces = tuple(pieces)
        self.start = start
        self.end = end
        self.many = many
        self.elsewhere = elsewhere
        self.prefix, self.text = shell.joined(self.pieces)

    @property
    def place(self) -> Place:
        if self.elsewhere is not None:
            return self.elsewhere
        if self.end <= self.start:  # an empty string: its quotes
            return self.node.place
        return self.node.fragment(self.start, self.end)

    @property
    def written(self) -> str:
        """The word as written, before substitution."""
        return (self.node.text or "")[self.start : self.end]

    def to(self, other: Word) -> Place | None:
        """The place of this word and the next one together, where both stand on one line of the same scalar."""
        if other.node.raw is not self.node.raw or other.end < self.start or other.elsewhere is not None:
            return None
        place = self.node.fragment(self.start, other.end)
        return place if "\n" not in place.text() else None

    def __repr__(self) -> str:
        return f"<Word {self.prefix!r}{'' if self.text is not None else '…'}>"


class CommandLine:
    """A program with its arguments, and the variables that the script sets for it.

    `conditional` and `repeated` say that a branch decides whether it runs, that a loop runs it several times.
    """

    __slots__ = ("conditional", "environment", "repeated", "words")

    def __init__(
        self, words: list[Word], environment: dict[str, Word], conditional: bool = False, repeated: bool = False
    ) -> None:
        self.words = words
        self.environment = environment
        self.conditional = conditional
        self.repeated = repeated


class Launch:
    """What starts in a container, as written: None for what the file leaves to the image.

    `place` is the container's. `env_known` is False where variables come from elsewhere as a whole (`envFrom`).
    `files` are the texts that the container has at these paths (a ConfigMap that is mounted). `lines` are the command
    lines where there is more than one command: those of a script file; `written` are the files that such a script
    writes. `find` gives the YAML that stands at a path of the launch where a file of the project does. `installed` are
    the versions of packages that were installed before the launch (see engines/_packages.py).
    """

    __slots__ = (
        "_lines", "_mentioned", "_run", "args", "command", "env", "env_known", "files", "find", "image", "installed",
        "place", "written",
    )  # fmt: skip

    def __init__(
        self,
        image: Sourced[str] | None,
        command: list[Word] | None,
        args: list[Word] | None,
        env: dict[str, EnvVar],
        place: Place,
        *,
        env_known: bool = True,
        files: Mapping[str, Node] | None = None,
        lines: list[CommandLine] | None = None,
        installed: Mapping[str, str | None] | None = None,
        written: Mapping[str, Written] | None = None,
        find: Find | None = None,
    ) -> None:
        self.find = find
        self.written = dict(written or {})
        self.installed = installed or {}
        self.image = image
        self.command = command
        self.args = args
        self.env = env
        self.place = place
        self.env_known = env_known
        self.files = files or {}
        self._lines = lines
        self._run: list[CommandLine] | None = None
        self._mentioned: str | None = None

    def mentions(self, marks: Sequence[str]) -> bool:
        """Whether a mark (lower case) occurs in the image, the words as written, or the environment."""
        if self._mentioned is None:
            self._mentioned = "\n".join(self._texts())
        text = self._mentioned
        return any(mark in text for mark in marks)

    def _texts(self) -> list[str]:
        texts = [self.image.value.lower()] if self.image is not None else []
        seen = set()
        words = [*(self.command or ()), *(self.args or ())]
        words += [word for line in self._lines or () for word in line.words]
        for node in (*(word.node for word in words), *self.files.values()):
            if id(node.raw) not in seen:
                seen.add(id(node.raw))
                texts.append((node.text or "").lower())
        for variable in self.env.values():
            texts += (variable.name.lower(), (variable.value or "").lower())
        return texts

    def options(self, path: str) -> Node | None:
        """The YAML in the file that an engine is told to read, by its path; None where the file is not in sight."""
        written = self.written.get(posixpath.normpath(path))
        if written is not None:
            from gpulint.source.written import written_documents

            documents = list(written_documents(*written))
            return documents[0].root if len(documents) == 1 else None
        node = self.files.get(path)
        if node is not None:
            document = node.embedded()
            return document.root if document is not None else None
        return self.find(path) if self.find is not None else None

    def lines(self) -> list[CommandLine]:
        """The command lines that run: those of the script of `sh -c` or of a file, else command and arguments."""
        if self._lines is not None:
            return self._lines
        if self._run is None:
            self._run = self._read_lines()
        return self._run

    def _read_lines(self) -> list[CommandLine]:
        words = [*(self.command or ()), *(self.args or ())]
        index = shell.script_index(words)
        if index is not None:
            script = shell.Script(words[index].pieces, words[index].node.text or "")
            node = words[index].node
            found, heredocs = script_lines(script, node, self.env, words[index + 1 :], env_known=self.env_known)
            self.written |= written_files(heredocs, script, node)
        else:
            found = [CommandLine(words, {})] if words else []
        return [inner for line in found for inner in self._of_file(line, 0)] if self.files else found

    def _of_file(self, line: CommandLine, depth: int) -> list[CommandLine]:
        """The command lines of the file that a command line runs as a script; itself where it runs none of `files`."""
        for index in shell.file_indices(line.words):
            node = self.files.get(line.words[index].text or "")
            if node is None or depth >= _DEEPEST_FILE:
                continue
            env = dict(self.env)
            for name, word in line.environment.items():
                env[name] = EnvVar(name, word.text, word.place, word.place, remote=True)
            text = node.text or ""
            script = shell.Script([Piece(text, 0, len(text))], text)
            inner, heredocs = script_lines(script, node, env, line.words[index:], env_known=self.env_known)
            self.written |= written_files(heredocs, script, node)
            for each in inner:
                each.conditional = each.conditional or line.conditional
                each.repeated = each.repeated or line.repeated
                each.environment = {**line.environment, **each.environment}
            return [deeper for each in inner for deeper in self._of_file(each, depth + 1)]
        return [line]


def script_lines(
    script: shell.Script,
    node: Node,
    env: Mapping[str, EnvVar],
    parameters: Sequence[Word] | None,
    *,
    env_known: bool = True,
) -> tuple[list[CommandLine], list[shell.Heredoc]]:
    """The command lines of a script that is written in a node, and its here-documents.

    `parameters` are $0, $1, …; None for those of a script that nobody calls in sight: its `$@` may be any words, and
    `${1:-default}` is the default.
    """
    remote = remote_places(env)
    texts = [word.text for word in parameters or ()]
    room = _MOST_PARAMETERS
    found = []
    commands, heredocs = shell.commands_and_heredocs(script.text, values(env), texts, env_known=env_known)
    for command in commands:
        line: list[Word] = []
        for word in command.words:
            if word.parameters and parameters is not None and room > 0:
                line += parameters[1:]
                room -= len(parameters)
            else:
                line.append(_moved(word, node, script, remote))
        environment = {name: _moved(word, node, script, remote) for name, word in command.environment.items()}
        found.append(CommandLine(line, environment, command.conditional, command.repeated))
    return found, heredocs


def written_files(heredocs: Sequence[shell.Heredoc], script: shell.Script, node: Node) -> dict[str, Written]:
    """The files that a script of a node writes from here-documents, by their paths."""
    found: dict[str, Written] = {}
    for heredoc in heredocs:
        target = heredoc.target
        if not target and heredoc.words and shell.basename(heredoc.words[0].text) == "tee":
            word = heredoc.words[-1]
            target = word.text or script.text[word.start : word.end].strip("\"'")
        if not target:
            continue
        pieces = [Piece(piece.text, *script.origin(piece.start, piece.end)) for piece in heredoc.pieces]
        found[posixpath.normpath(target)] = pieces, node
    return found


def words_of(sequence: Node, env: Mapping[str, EnvVar]) -> list[Word]:
    """The words of a Kubernetes `command:` or `args:` sequence, with `$(NAME)` replaced from the container's `env`.

    A reference to a name that is not in `env` stays unknown, and so does one whose value comes from elsewhere. Where a
    template wrote something into it that is not known, there may be any number of words more.
    """
    resolved, remote = values(env), remote_places(env)
    found = []
    for node in sequence.elements():
        text = node.text
        if text is None:
            found.append(Word(node, [Piece(None, 0, 0)], 0, 0))
        elif "$" in text:
            elsewhere = written_elsewhere(text, remote)
            found.append(Word(node, substituted(text, resolved), 0, len(text), elsewhere=elsewhere))
        else:
            found.append(Word(node, [Piece(text, 0, len(text))], 0, len(text)))
    if sequence.document.gaps_in(sequence):
        found.append(any_words(sequence))
    return found


def any_words(node: Node) -> Word:
    """What stands at a node and is not known: any number of words."""
    return Word(node, [Piece(None, 0, 0)], 0, 0, many=True)


def argument_of(key: str, value: Node, *, switches: bool) -> Word | None:
    """An entry of a mapping as the flag that it stands for; a list or an object is a value that is not read.

    None for an entry that says nothing: null, and false where it does not switch off (`switches`).
    """
    text = value.text
    if value.is_scalar and (text is None or (value.value is False and not switches)):
        return None
    if value.value is False:
        pieces = [Piece(f"--no-{key}", 0, 0)]
    elif value.value is True:
        pieces = [Piece(f"--{key}", 0, 0)]
    else:
        pieces = [Piece(f"--{key}=", 0, 0), Piece(text, 0, len(text or ""))]
    return Word(value, pieces, 0, len(text or ""))


def arguments_of(mapping: Node, *, switches: bool = False) -> list[Word]:
    """The entries of a mapping as flags (see argument_of)."""
    words = (argument_of(key, value, switches=switches) for key, value in mapping.items())
    return [word for word in words if word is not None]


def words_of_text(node: Node) -> list[Word] | None:
    """The words of a scalar that a shell splits on its way to a program (a variable that holds arguments).

    None where it is not one simple command line.
    """
    text = node.text or ""
    script = shell.Script([Piece(text, 0, len(text))], text)
    found = list(shell.commands(text, {}, [], env_known=False))
    if not found:
        return None if text.strip() else []
    return [_moved(word, node, script) for word in found[0].words] if len(found) == 1 else None


def values(env: Mapping[str, EnvVar]) -> dict[str, str | None]:
    """The environment's values, with the references of each to the others resolved; None where unknown."""
    resolved: dict[str, str | None] = {}
    for name, variable in env.items():
        value = variable.value
        # Kubernetes resolves in the order of definition: a later or missing name stays as it is written.
        resolved[name] = shell.joined(substituted(value, resolved))[1] if value and "$" in value else value
    return resolved


def remote_places(env: Mapping[str, EnvVar]) -> dict[str, Place]:
    """Where the variables are written that come from another object or file."""
    return {name: variable.place for name, variable in env.items() if variable.remote}


def written_elsewhere(text: str, remote: Mapping[str, Place]) -> Place | None:
    """Where the value of the one variable in a text is written, if that is elsewhere."""
    if not remote or "$" not in text:
        return None
    names = [next(filter(None, match.groups()), "") for match in _any_reference().finditer(text)]
    return remote.get(names[0]) if len(names) == 1 else None


@cache
def _any_reference() -> re.Pattern[str]:
    return re.compile(r"\$(?:\((\w+)\)|\{(\w+)|(\w+)|[^\w\s])")


@cache
def _reference() -> re.Pattern[str]:
    return re.compile(r"\$(?:\$|\(([^()\s$]*)\))")


def substituted(text: str, env: Mapping[str, str | None]) -> list[Piece]:
    """The pieces of a text after Kubernetes has replaced `$(NAME)` in it; `$$` stands for one `$`.

    Source: k8s.io/kubernetes third_party/forked/golang/expansion, which the kubelet applies to command, args and env.
    """
    pieces = []
    at = length = 0
    for match in _reference().finditer(text):
        start, end = match.span()
        if start > at:
            pieces.append(Piece(text[at:start], at, start))
        name = match.group(1)
        value = "$" if name is None else env.get(name)
        length += len(value or "")
        pieces.append(Piece(value if length <= _LONGEST_TEXT else None, start, end))
        at = end
    if at < len(text) or not pieces:
        pieces.append(Piece(text[at:], at, len(text)))
    return pieces


def _moved(word: shell.Word, node: Node, script: shell.Script, remote: Mapping[str, Place] | None = None) -> Word:
    """A word of a script as one of the node that holds the script."""
    pieces, start, end = script.moved(word)
    elsewhere = written_elsewhere((node.text or "")[start:end], remote) if remote else None
    return Word(node, pieces, start, end, many=word.many, elsewhere=elsewhere)


def python_module(words: Sequence[Word]) -> tuple[str, int] | None:
    """The module that `python -m module …` runs, and the index of its first argument; None for anything else.

    An unknown program (`$PYTHON`) with `-m` right behind it is taken for Python.
    """
    if words[0].text is None:
        if len(words) < 2 or words[1].text != "-m":
            return None
    elif not shell.basename(words[0].text).startswith("python"):
        return None
    for index, word in enumerate(words[1:4], start=1):
        if word.text == "-m" and index + 1 < len(words):
            return words[index + 1].text or "", index + 2
        if word.text is None or not word.text.startswith("-"):
            break
    return None


class Call:
    """An engine's program found in a launch: its arguments, the variables that the script sets for it, its place.

    `lines` are all command lines of the launch; none where the image starts the engine by itself. `program` are the
    words before the arguments, those of programs that only run the engine included (`mpirun -n 8 trtllm-serve`).
    """

    __slots__ = ("arguments", "environment", "launch", "lines", "place", "program")

    def __init__(
        self,
        launch: Launch,
        lines: list[CommandLine],
        arguments: list[Word],
        environment: dict[str, Word],
        place: Place,
        program: Sequence[Word] = (),
    ) -> None:
        self.program = program
        self.launch = launch
        self.lines = lines
        self.arguments = arguments
        self.environment = environment
        self.place = place

    def without(self, *options: str) -> list[Word]:
        """The arguments without these options and their values."""
        found: list[Word] = []
        skip = False
        for word in self.arguments:
            name, equals, _ = word.prefix.partition("=")
            if skip or name in options:
                skip = not skip and not equals
                continue
            found.append(word)
        return found

    def with_arguments(self, arguments: list[Word]) -> Call:
        """The same call with other arguments."""
        return Call(self.launch, self.lines, arguments, self.environment, self.place, self.program)
