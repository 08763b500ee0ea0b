"""Recognising files that are templates of something else, by the marks of their language."""

from __future__ import annotations

import re
from functools import cache


@cache
def _marks() -> tuple[tuple[str, re.Pattern[str]], ...]:
    return (
        # {{- if .Values.x }}, {{ include "name" . }}, {{ .Release.Name }}, {{/* comment */}}; but {{ $labels.pod }}
        # and {{ $value }} are what Prometheus fills in when an alert fires, and ${{ }} belongs to a workflow.
        (
            "Helm",
            re.compile(
                r"(?<!\$)\{\{-?\s*(/\*|\.|\$(?!labels\b|value\b|externalLabels\b)|\(|(if|else|end|range|with|include|"
                r"template|define|toYaml|printf|default|quote|tpl|required|lookup|block|fail|not|and|or|eq)\b|"
                r"[A-Za-z]\w*\s+[\".$(])|-\}\}"
            ),
        ),
        # %{ if x }, %{~ for … }
        ("Terraform", re.compile(r"%\{~?\s*(if|for|else|endif|endfor)\b")),
        # {% if x %}, {%- for … %}, {{ name }}, {# comment #}
        ("Jinja", re.compile(r"\{%-?\s*\w+|(?<!\$)\{\{-?\s*[A-Za-z_]\w*|\{#")),
    )


@cache
def _inert() -> re.Pattern[str]:
    """Comments, and quoted values that are whole: what cannot be why a document does not parse."""
    return re.compile(
        r"""(?:(?<=\s)|^)\#.*$ | (?<=[:\-\[,]\ ) (?: "[^"\\\n]*" | '[^'\n]*' ) (?=\s*(?:[,\]}]|\#|$))""",
        re.MULTILINE | re.VERBOSE,
    )


@cache
def _block_header() -> re.Pattern[str]:
    return re.compile(r"[:-][ \t]+(?:[&!]\S+[ \t]+)*[|>][-+0-9]{0,2}[ \t]*(?:#.*)?$")


def template_mark(text: str) -> tuple[str, int] | None:
    """The language (Helm, Terraform or Jinja) whose marks a text carries, and the offset of its first one, or None.

    Meant for documents that do not parse. Marks in comments, in quoted values and in block scalars do not count:
    there they are the contents of a plain manifest, an alert's annotation or a chat template.
    """
    if not any(mark.search(text) for _, mark in _marks()):
        return None
    structure = _structure(text)
    for language, mark in _marks():
        found = mark.search(structure)
        if found is not None:
            return language, found.start()
    return None


def _structure(text: str) -> str:
    """The text with everything that is inert replaced by blanks of the same length."""
    lines = text.split("\n")
    depth: int | None = None  # of the line with the header of the block scalar that we are in
    for number, line in enumerate(lines):
        stripped = line.lstrip(" ")
        if depth is not None:
            if not stripped.strip() or len(line) - len(stripped) > depth:
                lines[number] = " " * len(line)
                continue
            depth = None
        if (" |" in line or " >" in line) and _block_header().search(line.rstrip("\r")):
            depth = _key_column(line)
    return _inert().sub(lambda found: " " * len(found[0]), "\n".join(lines))


def _key_column(line: str) -> int:
    """The column that the contents of a block must go beyond: of its key, or of the `-` of a bare element."""
    column = len(line) - len(line.lstrip(" -"))
    return line.rindex("-", 0, column) if line[column] in "|>&!" and "-" in line[:column] else column
