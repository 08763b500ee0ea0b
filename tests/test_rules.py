"""Every example in every rule page, and the parity of pages and checks."""

from __future__ import annotations

import difflib
import inspect
import json

import jsonschema
import pytest

from gpulint.data import read_schema
from gpulint.finding import Fix, Reported
from gpulint.fix import without_overlaps
from gpulint.lint import check
from gpulint.load import Loaded, load_texts
from gpulint.model.project import Project
from gpulint.pages import Example, load_page, page_names
from gpulint.rules import load_rule, rule_names
from gpulint.source.edits import applied, changes_only

PAGES = [load_page(family, name) for name, family in page_names().items()]
EXAMPLES = [
    pytest.param(page.name, example, id=f"{page.name}: {example.title}") for page in PAGES for example in page.examples
]
PAGE_SCHEMA = json.loads(read_schema("rule-page"))


def lint(example: Example) -> tuple[Loaded, list[Reported]]:
    loaded = load_texts(example.files)
    findings, failed = check(loaded, rule_names())
    assert not failed, [problem.reason for problem in failed]
    return loaded, findings


@pytest.mark.parametrize(("name", "example"), EXAMPLES)
def test_example(name: str, example: Example) -> None:
    """The rule's findings are those the page expects, at these lines; other rules may speak only where they are named."""
    loaded, findings = lint(example)
    assert not loaded.problems, [problem.reason for problem in loaded.problems]
    assert not loaded.templates
    named = {name, *(rule for _, _, rule in example.expected)}
    found = [(f.place.source.path, f.place.line, f.rule) for f in findings if f.rule in named]
    assert sorted(found) == sorted(example.expected)


@pytest.mark.parametrize(("name", "example"), EXAMPLES)
def test_message(name: str, example: Example) -> None:
    """A message's first sentence stands alone, and there is something to do."""
    for finding in lint(example)[1]:
        if finding.rule != name:
            continue
        message = finding.finding.message
        assert message[0].isupper() or not message[0].isalpha()
        assert message.endswith(".")
        assert "  " not in message
        assert finding.finding.help.strip()
        assert finding.finding.help.endswith(".")
        assert finding.place.start < finding.place.end
        assert "\n" not in finding.place.text().strip()


def test_pages_and_checks_are_pairs() -> None:
    assert page_names() == rule_names()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_page(page: object) -> None:
    """Each page is complete, follows its schema, fires somewhere and is silent somewhere."""
    page = load_page(page.family, page.name)  # type: ignore[attr-defined]
    jsonschema.Draft202012Validator(PAGE_SCHEMA).validate(page.front_matter)
    for heading in ("## Why it is wrong", "## What to check instead", "## When to ignore it"):
        assert f"\n{heading}\n" in page.prose, f"{page.path} has no section {heading}"
    own = [[rule for _, _, rule in example.expected].count(page.name) for example in page.examples]
    assert any(own), f"{page.path} has no example that fires"
    assert not all(own), f"{page.path} has no example that is silent"
    files = [example.files for example in page.examples]
    assert len({example.title for example in page.examples}) == len(files)


@pytest.mark.parametrize("name", rule_names())
def test_check(name: str) -> None:
    """A check visits something that the project holds, and its module says in a sentence what it is about."""
    rule = load_rule(name)
    Project().objects(rule.subject)
    module = inspect.getmodule(rule.check)
    assert module is not None
    assert module.__doc__


def fixed(name: str, example: Example) -> tuple[dict[str, str], list[Fix]]:
    """What the fixes of one rule make of an example's files, and these fixes."""
    _, findings = lint(example)
    fixes = [found.fix for found in findings if found.rule == name and found.fix is not None]
    texts = dict(example.files)
    for path in {fix.edits[0].place.source.path for fix in fixes}:
        own = [fix.edits for fix in fixes if fix.edits[0].place.source.path == path]
        source = own[0][0].place.source
        edits, count = without_overlaps(own)
        assert count == len(own)
        texts[path] = applied(source.text, edits)
        assert changes_only(source, edits, texts[path])
    return texts, fixes


def as_diff(before: dict[str, str], after: dict[str, str]) -> str:
    lines: list[str] = []
    for path in before:
        hunks = list(difflib.unified_diff(before[path].splitlines(), after[path].splitlines(), n=1, lineterm=""))[2:]
        lines += ["@@" if line.startswith("@@") else line for line in hunks]
    return "".join(f"{line}\n" for line in lines[1:])


@pytest.mark.parametrize(("name", "example"), EXAMPLES)
def test_fix(name: str, example: Example) -> None:
    """A rule's fixes are those that its page shows, and what they have repaired is not reported any more."""
    texts, fixes = fixed(name, example)
    if not fixes:
        assert example.fixed is None
        return
    assert as_diff(example.files, texts) == example.fixed
    for fix in fixes:
        assert fix.title[0].isupper()
        assert not fix.title.endswith(".")
        assert "\n" not in fix.title
        assert len(fix.title) <= 100
    before = len([found for found in lint(example)[1] if found.rule == name])
    after = lint(Example(example.title, texts, []))[1]
    assert len([found for found in after if found.rule == name]) <= before - len(fixes)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_fix_is_what_the_page_says(page: object) -> None:
    page = load_page(page.family, page.name)  # type: ignore[attr-defined]
    safe = [fix.is_safe for example in page.examples for fix in fixed(page.name, example)[1]]
    assert page.fix == ("safe" if any(safe) else "unsafe" if safe else "none")
