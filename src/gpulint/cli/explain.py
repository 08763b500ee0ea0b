"""`gpulint explain`: a rule's page."""

from __future__ import annotations

import click

from gpulint.cli._run import fail, write
from gpulint.pages import PageError, load_page
from gpulint.rules import rule_names


@click.command(name="explain")
@click.argument("name")
@click.option("--examples", is_flag=True, help="With the examples, which are also the rule's tests.")
def command(name: str, examples: bool) -> None:
    """Show what a rule finds, why it is wrong and what to check instead."""
    names = rule_names()
    if name not in names:
        from difflib import get_close_matches

        close = get_close_matches(name, names, n=3)
        fail(f"there is no rule called {name!r}" + (f"; did you mean {' or '.join(close)}?" if close else ""))
    try:
        page = load_page(names[name], name)
    except PageError as error:
        fail(str(error))
    lines = [page.prose, ""]
    facts = [
        f"Rule: {page.name} ({page.family})",
        f"Level: {page.level}, confidence: {page.confidence}, since {page.since}",
    ]
    if page.fix != "none":
        facts.append(f"Fix: {'safe, with --fix' if page.fix == 'safe' else 'unsafe, with --fix --unsafe-fixes'}")
    if page.misinterpretation is not None:
        facts.append(f"Misinterpretation of GPU utilisation: {page.misinterpretation}")
    lines += [*facts, "", "References:", *(f"  {reference}" for reference in page.references), ""]
    if examples:
        for example in page.examples:
            lines += [f"### {example.title}", ""]
            for file, text in example.files.items():
                flagged = {line: rule for f, line, rule in example.expected if f == file}
                lines.append(f"--- {file}")
                lines += [
                    f"{line}    <-- {flagged[number]}" if number in flagged else line
                    for number, line in enumerate(text.splitlines(), start=1)
                ]
                lines.append("")
    write("\n".join(lines).rstrip() + "\n", None)
