"""Dockerfiles: the engine that an image starts, by its entrypoint and command, or as its base does."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from dataclasses import field
from itertools import islice
from typing import TYPE_CHECKING

from gpulint import engines
from gpulint.engines.launch import Launch, Word, script_lines
from gpulint.model.project import Project
from gpulint.model.values import ObjectRef, Sourced
from gpulint.model.workload import EnvVar
from gpulint.readers._commands import add_engines, whole
from gpulint.readers._files import mounted_files, project_files
from gpulint.record import record
from gpulint.source import shell
from gpulint.source.shell import Piece, Script, basename
from gpulint.source.text import Place, Source
from gpulint.source.yaml import Node

if TYPE_CHECKING:
    from gpulint.source.dockerfile import Instruction

MARKS = (("FROM", "from"), engines.marks())
_NAMES = ("dockerfile", "containerfile")
_MOST_INSTRUCTIONS = 1000
_DEFAULT_SHELL = ("/bin/sh", "-c")
_FROM = r"(\S+)(?:\s+[Aa][Ss]\s+(\S+))?"


def claims_name(name: str) -> bool:
    return name.startswith(_NAMES) or name.endswith(".dockerfile")


@record
class _Stage:
    """A stage of a build. `own` says that it sets what is started; env values are None where they are not known."""

    image: Sourced[str] | None
    place: Place
    name: str | None = None
    env: dict[str, EnvVar] = field(default_factory=dict)
    entrypoint: list[Word] | None = None
    command: list[Word] | None = None
    entrypoint_is_shell: bool = False
    shell: tuple[str, ...] = _DEFAULT_SHELL
    files: dict[str, Node] = field(default_factory=dict)
    arguments: dict[str, str | None] = field(default_factory=dict)
    own: bool = False
    installed: dict[str, str | None] = field(default_factory=dict)
    copied: list[tuple[str, str]] = field(default_factory=list)
    workdir: str | None = None

    def values(self) -> dict[str, str | None]:
        return self.arguments | {name: variable.value for name, variable in self.env.items()}


def read_text(source: Source, project: Project) -> None:
    stages = _stages(source)
    ref = ObjectRef("Dockerfile", None, basename(source.path))
    for stage in stages:
        if stage.own or stage is stages[-1]:
            launch = Launch(
                image=stage.image,
                command=stage.entrypoint,
                # The shell that runs an entrypoint takes no further words.
                args=None if stage.entrypoint_is_shell else stage.command,
                env=stage.env,
                place=stage.place,
                env_known=False,
                files=stage.files,
                installed=stage.installed,
                find=mounted_files(stage.copied, project_files(project, source.path), stage.workdir),
            )
            engine = engines.read(launch)
            if engine is not None:
                add_engines([engine], ref, project, image=stage.image, env=stage.env)


def _stages(source: Source) -> list[_Stage]:
    from gpulint.source.dockerfile import instructions

    node = whole(source)
    stages: list[_Stage] = []
    arguments: dict[str, str | None] = {}
    for instruction in islice(instructions(source), _MOST_INSTRUCTIONS):
        if instruction.name == "FROM":
            stages.append(_from(instruction, stages, arguments, source))
        elif instruction.name == "ARG":
            scope = stages[-1].arguments if stages else arguments
            for name, word in _pairs(instruction, node, scope):
                scope[name] = word.text if word is not None else arguments.get(name)
        elif stages:
            _carry_out(instruction, stages[-1], node)
    return stages


def _from(
    instruction: Instruction, stages: list[_Stage], arguments: Mapping[str, str | None], source: Source
) -> _Stage:
    text = instruction.text
    match = re.match(_FROM, text.text)
    start, end = text.origin(*match.span(1)) if match is not None else text.origin(0, len(text.text))
    place = Place(source, start, end)
    written = match[1] if match is not None else ""
    name = match[2].lower() if match is not None and match[2] else None
    base = next((stage for stage in reversed(stages) if stage.name is not None and stage.name == written.lower()), None)
    if base is None:
        filled = _filled(written, arguments)
        return _Stage(Sourced(filled or written, place, place), place, name)
    return _Stage(
        base.image,
        base.place,
        name,
        dict(base.env),
        base.entrypoint,
        base.command,
        base.entrypoint_is_shell,
        base.shell,
        dict(base.files),
        installed=dict(base.installed),
        copied=list(base.copied),
        workdir=base.workdir,
    )


def _carry_out(instruction: Instruction, stage: _Stage, node: Node) -> None:
    if instruction.name == "ENV":
        for name, word in _pairs(instruction, node, stage.values()):
            if word is not None:
                stage.env[name] = EnvVar(name, word.text, word.place, word.place)
    elif instruction.name == "SHELL":
        stage.shell = tuple(value for value, _, _ in instruction.words() or ()) or _DEFAULT_SHELL
    elif instruction.name == "ENTRYPOINT":
        if not stage.own:
            stage.command = None  # the base's: a new entrypoint resets it
        stage.own = True
        stage.entrypoint = _program(instruction, stage, node)
        stage.entrypoint_is_shell = instruction.words() is None
    elif instruction.name == "RUN":
        stage.installed |= _installed(instruction, stage, node)
    elif instruction.name == "CMD":
        stage.own = True
        stage.command = _program(instruction, stage, node)
    elif instruction.name in ("COPY", "ADD") and instruction.heredocs:
        target = instruction.text.text.split()[-1]
        if len(instruction.heredocs) == 1 and target.startswith("/"):
            (start, end) = next(iter(instruction.heredocs.values()))
            stage.files[target] = _part(node, start, end)
    elif instruction.name in ("COPY", "ADD"):
        stage.copied += _copies(instruction, stage)
    elif instruction.name == "WORKDIR":
        folder = _filled(instruction.text.text.strip(), stage.values())
        stage.workdir = posixpath.join(stage.workdir or "/", folder) if folder is not None else None


def _copies(instruction: Instruction, stage: _Stage) -> list[tuple[str, str]]:
    """The files and folders of the build's context that an image has, with their paths in it."""
    strings = instruction.words()
    words = [value for value, _, _ in strings] if strings is not None else instruction.text.text.split()
    filled = [_filled(word, stage.values()) for word in words]
    target = filled[-1] if len(filled) > 1 else None
    if target is None:
        return []
    path = posixpath.join(stage.workdir or "/", target)
    found: list[tuple[str, str]] = []
    for source in filled[:-1]:
        if source is not None and "://" not in source:
            # A file into a folder keeps its name; of a folder the content is copied.
            relative = source.lstrip("/") or "."
            if target.endswith("/") or len(filled) > 2 or target == ".":
                found.append((relative, posixpath.join(path, posixpath.basename(relative))))
            found.append((relative, path))
    return found


def _installed(instruction: Instruction, stage: _Stage, node: Node) -> dict[str, str | None]:
    """The versions of the packages that RUN installs."""
    start, end = instruction.text.origin(0, len(instruction.text.text))
    texts = [instruction.text.text, *(node.document.source.text[a:b] for a, b in instruction.heredocs.values())]
    found: dict[str, str | None] = {}
    for text in texts:
        if "install" in text:
            from gpulint.engines import _packages

            env = {name: EnvVar(name, value, stage.place, stage.place) for name, value in stage.values().items()}
            script = Script([Piece(text, start, end)], node.document.source.text)
            found |= _packages.installed(script_lines(script, node, env, [])[0])
    return found


def _part(node: Node, start: int, end: int) -> Node:
    from gpulint.source.environment import text_node

    source = node.document.source
    return text_node(source, source.text[start:end], start, end)


def _program(instruction: Instruction, stage: _Stage, node: Node) -> list[Word]:
    """The words of CMD or ENTRYPOINT; in the shell form `/bin/sh -c` and the script."""
    strings = instruction.words()
    if strings is not None:
        return [Word(node, [Piece(value, start, end)], start, end) for value, start, end in strings]
    text = instruction.text
    start, end = text.origin(0, len(text.text))
    return [
        *(Word(node, [Piece(word, start, start)], start, start) for word in stage.shell),
        Word(node, text.pieces, start, end),
    ]


def _pairs(instruction: Instruction, node: Node, values: Mapping[str, str | None]) -> list[tuple[str, Word | None]]:
    """The names and values of ENV and ARG; None where ARG gives no value."""
    text = instruction.text
    legacy = re.match(r"([^\s=]+)\s+(.*)", text.text, re.DOTALL)
    if legacy is not None and instruction.name == "ENV":
        value = legacy[2]
        start, end = text.origin(*legacy.span(2))
        plain = not any(character in value for character in "$\"'\\")
        return [(legacy[1], Word(node, [Piece(value if plain else None, start, end)], start, end))]
    # As arguments the words are split and filled in as Docker does, with the values from before the instruction. A
    # value with blanks would be split, which Docker does not.
    known = {name: None if value is None or len(value.split()) > 1 else value for name, value in values.items()}
    script = Script([Piece(": ", text.origin(0, 0)[0], text.origin(0, 0)[0]), *text.pieces], node.text or "")
    found: list[tuple[str, Word | None]] = []
    for command in shell.commands(script.text, known, None, env_known=False)[:1]:
        for word in command.words[1:]:
            pieces, start, end = script.moved(word)
            name, equals, _ = word.prefix.partition("=")
            whole_word = Word(node, pieces, start, end)
            if equals:
                from gpulint.readers._docker import after

                found.append((name, after(whole_word, len(name) + 1)))
            elif name:
                found.append((name, None))
    return found


def _filled(text: str, values: Mapping[str, str | None]) -> str | None:
    """A text with `$NAME`, `${NAME}` and `${NAME:-default}` filled in; None where one is unknown."""
    if "$" not in text:
        return text
    commands = shell.commands(f": {text}", dict(values), None, env_known=False)
    words = commands[0].words[1:] if commands else []
    return words[0].text if len(words) == 1 else None
