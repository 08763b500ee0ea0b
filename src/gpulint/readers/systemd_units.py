"""Units of systemd that start an engine, or a container with one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gpulint import engines
from gpulint.engines.launch import Launch, Word
from gpulint.model.project import Project
from gpulint.model.values import ObjectRef
from gpulint.model.workload import EnvVar
from gpulint.readers._commands import read_lines, whole
from gpulint.source.shell import Piece, basename
from gpulint.source.text import Source
from gpulint.source.yaml import Node

if TYPE_CHECKING:
    from gpulint.source import systemd

MARKS = (("ExecStart",), ("--gpus", "--runtime", "nvidia.com/gpu=", *engines.marks()))
# What may stand before the program. Source: systemd.service(5), "Special executable prefixes".
_PREFIXES = "@-:+!|"


def claims_name(name: str) -> bool:
    return name.endswith(".service")


def read_text(source: Source, project: Project) -> None:
    from gpulint.source import systemd

    node = whole(source)
    env: dict[str, EnvVar] = {}
    env_known = True
    starts: list[systemd.Setting] = []
    for setting in systemd.settings(source):
        if setting.section != "Service":
            continue
        if setting.key == "Environment":
            if not setting.text.strip():
                env.clear()
            for word in systemd.words(setting.value):
                name, equals, value = word.prefix.partition("=")
                if equals:
                    place = node.fragment(word.start, word.end)
                    env[name] = EnvVar(name, value if word.text is not None else None, place, place)
        elif setting.key in ("EnvironmentFile", "PassEnvironment", "SetCredential"):
            env_known = env_known and setting.key == "SetCredential"
        elif setting.key == "ExecStart":
            # An empty one takes back those before it.
            starts = [*starts, setting] if setting.text.strip() else []
    if not env_known:  # what the file sets beats what stands here
        env = {name: EnvVar(name, None, variable.place, variable.key_place) for name, variable in env.items()}
    lines = []
    for start in starts:
        command = _command(start, env, node)
        if command:
            lines += Launch(None, command, None, env, command[0].place, env_known=env_known).lines()
    read_lines(lines, env, ObjectRef("systemd unit", None, basename(source.path)), node, project, env_known=env_known)


def _command(start: systemd.Setting, env: dict[str, EnvVar], node: Node) -> list[Word]:
    """The words of a command line, with the variables of the unit."""
    from gpulint.source import systemd

    values = {name: variable.value for name, variable in env.items()}
    words = systemd.words(start.value)
    if not words:
        return []
    first = words[0]
    stripped = (first.text or "").lstrip(_PREFIXES)
    found = [
        Word(
            node, [Piece(stripped or None, first.end - len(stripped), first.end)], first.end - len(stripped), first.end
        )
    ]
    for word in words[1:]:
        if not any("$" in (piece.text or "") for piece in word.pieces):
            found.append(Word(node, word.pieces, word.start, word.end))
            continue
        found += [
            Word(node, filled.pieces, filled.start, filled.end, many=filled.many)
            for filled in systemd.filled(word, values)
        ]
    return found
