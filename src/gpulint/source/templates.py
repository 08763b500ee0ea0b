"""Recognising files that are templates of something else, by the marks of their language."""

from __future__ import annotations

import re
from functools import cache


@cache
def _marks() -> tuple[tuple[str, re.Pattern[str]], ...]:
    flags = re.MULTILINE
    return (
        # {{- if .Values.x }}, {{ include "name" . }}, {{ .Release.Name }}, {{/* comment */}}
        ("Helm", re.compile(r"\{\{-?\s*(/\*|\.|\$|\(|(if|else|end|range|with|include|template|define|toYaml|printf|"
                            r"default|quote|tpl|required|lookup|block|fail|not|and|or|eq)\b)|-\}\}", flags)),
        # %{ if x }, %{~ for … }
        ("Terraform", re.compile(r"%\{~?\s*(if|for|else|endif|endfor)\b", flags)),
        # {% if x %}, {%- for … %}, {{ name }}, {# comment #}
        ("Jinja", re.compile(r"\{%-?\s*\w+|\{\{-?\s*[A-Za-z_]\w*|\{#", flags)),
    )  # fmt: skip


def template_language(text: str) -> str | None:
    """Helm, Terraform or Jinja if the text carries that language's marks, else None."""
    for language, mark in _marks():
        if mark.search(text):
            return language
    return None
