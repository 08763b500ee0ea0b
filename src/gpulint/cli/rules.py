"""`gpulint rules`: all rules."""

from __future__ import annotations

import click

from gpulint.cli._run import fail, write
from gpulint.pages import PageError, load_page
from gpulint.rules import rule_names


@click.command(name="rules")
@click.option("--format", "style", type=click.Choice(["text", "json"]), default="text", show_default=True)
def command(style: str) -> None:
    """List every rule with its level and what it finds."""
    try:
        pages = [load_page(family, name) for name, family in rule_names().items()]
    except PageError as error:
        fail(str(error))
    if style == "json":
        import json

        rows = [
            {
                "name": page.name,
                "family": page.family,
                "level": page.level,
                "confidence": page.confidence,
                "misinterpretation": page.misinterpretation,
                "fix": page.fix,
                "summary": page.summary,
                "references": page.references,
            }
            for page in pages
        ]
        write(json.dumps({"version": 1, "rules": rows}, indent=2, ensure_ascii=False) + "\n", None)
        return
    width = max((len(page.name) for page in pages), default=0)
    lines: list[str] = []
    family = None
    for page in pages:
        if page.family != family:
            family = page.family
            lines += ["", family] if lines else [family]
        lines.append(f"  {page.name:<{width}}  {page.level:<7}  {page.summary}")
    write("\n".join(lines) + "\n", None)
