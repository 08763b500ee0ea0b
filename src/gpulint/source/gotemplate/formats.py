"""YAML and JSON in templates: values as `toYaml` and `toJson` write them, and texts as `fromYaml` reads them."""

from __future__ import annotations

import json
import re
from functools import cache

from gpulint.source.gotemplate.printing import shortest
from gpulint.source.gotemplate.unknown import MARK, LimitReached, TemplateProblem
from gpulint.source.scalars import resolve_plain
from gpulint.source.text import Source
from gpulint.source.yaml import Document, Node, documents

_DEEPEST = 60
_MOST_NODES = 20_000


class _Room:
    __slots__ = ("left",)

    def __init__(self) -> None:
        self.left = _MOST_NODES

    def take(self, depth: int) -> None:
        self.left -= 1
        if self.left < 0 or depth > _DEEPEST:
            raise LimitReached("a value that is too large to write")


def to_yaml(value: object) -> str:
    """A value in block style, keys sorted, without the last line break.

    Source: sigs.k8s.io/yaml (Marshal) and its goyaml.v2, encode.go and sorter.go; long lines are not folded here.
    """
    lines: list[str] = []
    _write(value, 0, lines, "", _Room(), 0)
    return "\n".join(lines)


def _write(value: object, indent: int, lines: list[str], lead: str, room: _Room, depth: int) -> None:
    """Adds the lines of a value; `lead` is what stands before it on its first line (`key:`, `-`)."""
    room.take(depth)
    if isinstance(value, dict) and value:
        in_list = lead.endswith("-")
        if lead and not in_list:
            lines.append(lead)
        first = True
        for key in sorted(value, key=_natural):
            start = f"{lead} " if in_list and first else " " * indent
            first = False
            _write_entry(f"{start}{scalar(str(key))}:", value[key], indent, lines, room, depth)
        return
    if isinstance(value, list) and value:
        in_list = lead.endswith("-")
        if lead and not in_list:
            lines.append(lead)
        first = True
        for element in value:
            start = f"{lead} -" if in_list and first else " " * indent + "-"
            first = False
            _write(element, indent + 2, lines, start, room, depth + 1)
        return
    text = _scalar_lines(value, indent)
    lines.append(f"{lead} {text}" if lead else text)


def _write_entry(lead: str, value: object, indent: int, lines: list[str], room: _Room, depth: int) -> None:
    # A list stands as far in as its key, a mapping two further.
    inner = indent if isinstance(value, list) else indent + 2
    if isinstance(value, (dict, list)) and value:
        lines.append(lead)
        _write(value, inner, lines, "", room, depth + 1)
    else:
        _write(value, inner, lines, lead, room, depth + 1)


def _scalar_lines(value: object, indent: int) -> str:
    if isinstance(value, dict):
        return "{}"
    if isinstance(value, list):
        return "[]"
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        # Through JSON, where a whole number has no point.
        return str(int(value)) if value.is_integer() and abs(value) < 2**63 else shortest(value)
    if not isinstance(value, str):
        return "{}"
    if "\n" in value and _prints_literally(value):
        body = value.rstrip("\n")
        trailing = len(value) - len(body)
        header = "|" + ("2" if value[0] in " \n" else "") + ("-" if trailing == 0 else "" if trailing == 1 else "+")
        pad = " " * max(indent, 2)
        lines = [f"{pad}{line}" if line else "" for line in value[: len(value) - (trailing > 0)].split("\n")]
        return "\n".join([header, *lines])
    return scalar(value)


def _prints_literally(value: str) -> bool:
    first_line = value.partition("\n")[0]
    return not first_line.endswith((" ", "\t")) and _printable().fullmatch(value) is not None


@cache
def _printable() -> re.Pattern[str]:
    return re.compile("[\t\n\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]*")


@cache
def _plain() -> re.Pattern[str]:
    """Texts that need no quotes in block style."""
    first = r"(?:[^\s\-?:,\[\]{}#&*!|>'\"%@`]|[\-?:](?=[^\s]))"
    return re.compile(first + r"(?:[^\s:#]|:(?=\S)|(?<=\S)\#|[ ](?=[^\s#]))*")


def scalar(text: str) -> str:
    """A text on one line: plain where that reads back as the same text, else in quotes."""
    if text == "" or (MARK not in text and not isinstance(resolve_plain(text), str)) or text in ("<<", "="):
        return json.dumps(text, ensure_ascii=False)
    if _looks_like_other(text):
        return f'"{text}"'
    on_one_line = _printable().fullmatch(text) is not None and "\n" not in text and "\t" not in text
    if on_one_line and _plain().fullmatch(text) and not text.startswith(("---", "...")):
        return text
    if on_one_line:
        return "'" + text.replace("'", "''") + "'"
    return json.dumps(text, ensure_ascii=not _printable().fullmatch(text))


@cache
def _other() -> re.Pattern[str]:
    # Dates, and the numbers to base 60 of YAML 1.1, which the library quotes though it reads them as text.
    return re.compile(r"[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?|\d{4}-\d{1,2}-\d{1,2}(?:[Tt ].*)?")


def _looks_like_other(text: str) -> bool:
    return text[0] in "0123456789-+" and _other().fullmatch(text) is not None


def _natural(key: object) -> tuple[object, ...]:
    """Keys in the order of the library: numbers in them by their value, letters after other characters."""
    parts: list[object] = []
    for digits, character in re.findall(r"(\d+)|(\D)", str(key)):
        if digits:
            parts.append((1, int(digits[:18]), digits))
        else:
            parts.append((2 if character.isalpha() else 0, ord(character), ""))
    return tuple(parts)


def to_json(value: object, *, pretty: bool = False) -> str:
    """A value as encoding/json marshals it: keys sorted, and <, > and & escaped."""
    room = _Room()
    plain = _json_value(value, room, 0)
    separators = None if pretty else (",", ":")
    text = json.dumps(plain, sort_keys=True, ensure_ascii=False, indent=2 if pretty else None, separators=separators)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _json_value(value: object, room: _Room, depth: int) -> object:
    room.take(depth)
    if isinstance(value, dict):
        return {str(key): _json_value(each, room, depth + 1) for key, each in value.items()}
    if isinstance(value, list):
        return [_json_value(each, room, depth + 1) for each in value]
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e21:
        return int(value)
    return value if isinstance(value, (str, bool, int, float)) or value is None else {}


def from_yaml(text: str) -> object:
    """What a YAML text holds, numbers as float64. Raises TemplateProblem."""
    for document in documents(Source("", text)):
        if not isinstance(document, Document):
            raise TemplateProblem("a text that is not YAML")
        return data_of(document.root)
    return None


def data_of(node: Node) -> object:
    """What a node holds, numbers as float64. Raises LimitReached for a large one."""
    try:
        return as_go(node.data(_MOST_NODES))
    except ValueError as error:
        raise LimitReached(str(error)) from None


def as_go(value: object) -> object:
    """Plain data as Helm has it from YAML, which goes through JSON: every number is a float64."""
    if isinstance(value, dict):
        return {key: as_go(each) for key, each in value.items()}
    if isinstance(value, list):
        return [as_go(each) for each in value]
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value
