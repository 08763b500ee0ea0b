"""Showing untrusted text: in a terminal, in a CI log, and as JSON.

File names, values and messages come from files that somebody else wrote. Nothing in them may move the cursor, reorder
the line or start a command of the CI system that prints it.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from gpulint.finding import Level

# `##[error]…` (GitHub's first syntax), `##vso[…]` (Azure) and `##teamcity[…]` are commands wherever they stand in a
# line of a CI log. GitHub's `::error::…` is one only after blanks at the start of a line: see `wrap` and `path_text`.
_LOG_COMMAND = re.compile(r"##(?=[A-Za-z]*\[)")
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
# Invisible, but emoji and several scripts are spelled with the two joiners, and CJK text with the wide blank.
_HARMLESS = "\u200c\u200d\u3000"
_TAB_COLUMNS = 4
# What JSON may hold raw although terminals obey it: DEL, the C1 controls, separators and bidirectional controls.
_RAW_IN_JSON = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_SURROGATE = re.compile("[\ud800-\udfff]")
# ANSI "select graphic rendition" parameters: bold red, bold yellow, bold cyan.
LEVEL_COLORS: dict[Level, str] = {"error": "1;31", "warning": "1;33", "info": "1;36"}
_ABBREVIATIONS = ("e.g", "i.e", "etc", "vs", "cf", "approx", "incl", "resp")


def _escaped(character: str) -> str:
    if character.isprintable() or character in _HARMLESS:
        return character
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # a byte of a file name that is not UTF-8 (PEP 383)
        code -= 0xDC00
    if code < 0x100:
        return _SHORT.get(character, f"\\x{code:02x}")
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def cells(text: str) -> list[str]:
    """How each character is shown: itself, an escape such as `\\x1b`, or blanks for a tab."""
    shown = [" " * _TAB_COLUMNS if c == "\t" else _escaped(c) for c in text]
    if "##" in text:
        for command in _LOG_COMMAND.finditer(text):
            shown[command.start() + 1] = "\\x23"
    return shown


def visible(text: str) -> str:
    """The text on one line, with everything that does not print made visible as an escape."""
    if text.isprintable() and "##" not in text:
        return text
    return _LOG_COMMAND.sub("#\\\\x23", "".join(map(_escaped, text)))


def path_text(path: str) -> str:
    """A path that may stand at the start of a line: it is never read as a `::` command."""
    shown = visible(path)
    return f"./{shown}" if shown.lstrip().startswith("::") else shown


def value_text(value: Any, limit: int = 200) -> str:  # noqa: ANN401  # evidence may be anything
    """An evidence value in one line, cut to `limit` characters before escapes."""
    if value is None:
        text = "unknown"
    elif isinstance(value, bool):
        text = "true" if value else "false"
    elif isinstance(value, float):
        text = f"{value:.6g}"
    elif isinstance(value, dict):
        text = ", ".join(f"{key}={value_text(item)}" for key, item in value.items())
    elif isinstance(value, (set, frozenset)):
        text = ", ".join(sorted(value_text(item) for item in value))
    elif isinstance(value, (list, tuple)):
        text = ", ".join(value_text(item) for item in value)
    else:
        text = str(value)
    return visible(text if len(text) <= limit else text[: limit - 1] + "…")


def first_sentence(text: str) -> str:
    """The first sentence, with its mark; the whole text where it has but one."""
    for end in re.finditer(r"[.!?](?=\s)", text):
        if not text[: end.start()].endswith(_ABBREVIATIONS):
            return text[: end.end()]
    return text


@cache
def _columns_of(character: str) -> int:
    import unicodedata

    if unicodedata.category(character) in ("Mn", "Me") or character in "\u200c\u200d":
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def columns(text: str) -> int:
    """The columns that visible text takes in a terminal: none for a combining character, two for a wide one."""
    return len(text) if text.isascii() else sum(map(_columns_of, text))


def paint(text: str, style: str, color: bool) -> str:
    """The text in an ANSI style, or as it is where there is no colour or nothing to colour."""
    return f"\x1b[{style}m{text}\x1b[0m" if color and text else text


def wrap(text: str, width: int, taken: int = 0) -> list[str]:
    """Visible text in lines of at most `width` columns, `taken` of them used up in the first.

    Longer words (paths, queries) stay whole, and no line after the first starts with `::`.
    """
    if text.isascii() and "  " not in text and "::" not in text:
        return _wrap_plain(text.strip(" "), width, taken)
    lines: list[str] = []
    line, used = "", taken
    for word in text.split(" "):
        if not word:
            continue
        size = columns(word)
        if line and used + 1 + size > width and not word.lstrip().startswith("::"):
            lines.append(line)
            line, used = "", 0
        line, used = (f"{line} {word}", used + 1 + size) if line else (word, used + size)
    return [*lines, line]


def _wrap_plain(text: str, width: int, taken: int) -> list[str]:
    """The same for text of which each character is a column: line by line instead of word by word."""
    lines: list[str] = []
    room = max(width - taken, 0)
    while len(text) > room:
        end = text.rfind(" ", 0, room + 1)
        if end < 0:
            end = text.find(" ")
        if end < 0:
            break
        lines.append(text[:end])
        text, room = text[end + 1 :], width
    return [*lines, text]


def to_json(document: Any, indent: int | None = None) -> str:  # noqa: ANN401
    """JSON that any UTF-8 stream takes, and that a terminal or a CI log shows without obeying it.

    Lone surrogates become U+FFFD, which loses them; the escapes for the rest change no value.
    """
    import json  # the reports for people do without it

    separators = None if indent else (",", ":")
    text = json.dumps(document, ensure_ascii=False, allow_nan=False, indent=indent, separators=separators)
    text = _SURROGATE.sub("\ufffd", text)
    text = _RAW_IN_JSON.sub(lambda match: f"\\u{ord(match[0]):04x}", text)
    return _LOG_COMMAND.sub(r"#\\u0023", text) + "\n"
