"""Rule pages: `rules/<family>/<name>.md`, the one home of what a rule is, why, and how it behaves.

A page is YAML front matter, then prose, then a section `## Examples` in which each `###` section is one small project
of titled code blocks. A line that must be flagged ends in `# expect: <rule>`; a section without one asserts silence.
A `diff` block says what the rule's fixes make of the section: the lines of a unified diff with one line around each
change, and `@@` between changes that stand apart.
"""

from __future__ import annotations

import os
import re
from dataclasses import field
from functools import cache
from typing import Any

from gpulint.data import data_folder
from gpulint.finding import Confidence, Level
from gpulint.record import record

_EXPECT = re.compile(r"[ \t]*#[ \t]*expect:[ \t]*([a-z0-9-]+(?:[ \t]*,[ \t]*[a-z0-9-]+)*)[ \t]*$", re.MULTILINE)
_FENCE = re.compile(r"^```(?P<language>[\w-]*)(?P<info>[^\n]*)\n(?P<text>.*?)^```[ \t]*$", re.MULTILINE | re.DOTALL)
_TITLE = re.compile(r'title="([^"]+)"')


class PageError(ValueError):
    """A rule page that cannot be read: says which and why."""


@record
class Example:
    """One example project: file name to text (without the expectations), and the expected (file, line, rule).

    `fixed` is the expected change to the files, None where the section shows none.
    """

    title: str
    files: dict[str, str]
    expected: list[tuple[str, int, str]]
    fixed: str | None = None


@record
class Page:
    """A rule's page. `misinterpretation` is the number (1-5) of the wrong conclusion that the rule belongs to."""

    name: str
    family: str
    summary: str
    level: Level
    confidence: Confidence
    misinterpretation: int | None
    fix: str
    since: str
    references: list[str]
    tags: list[str]
    prose: str
    title: str
    front_matter: dict[str, Any]
    examples: list[Example] = field(default_factory=list)

    @property
    def path(self) -> str:
        """Where the page lies in the repository."""
        return f"rules/{self.family}/{self.name}.md"


def page_names() -> dict[str, str]:
    """Every page's rule name and family, sorted by family, then name."""
    folder = data_folder("rules")
    return {
        file[:-3]: family
        for family in sorted(os.listdir(folder))
        if os.path.isdir(os.path.join(folder, family))
        for file in sorted(os.listdir(os.path.join(folder, family)))
        if file.endswith(".md")
    }


@cache
def load_page(family: str, name: str) -> Page:
    """The page of a rule. Raises PageError if it is missing or malformed."""
    path = os.path.join(data_folder("rules"), family, f"{name}.md")
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
    except OSError as error:
        raise PageError(f"rules/{family}/{name}.md: {error.strerror or error}") from None
    return parse_page(family, name, text)


def parse_page(family: str, name: str, text: str) -> Page:
    """A page from its text. Raises PageError."""
    front, _, body = text.removeprefix("---\n").partition("\n---\n")
    if not text.startswith("---\n") or not body:
        raise PageError(f"rules/{family}/{name}.md: no YAML front matter between two `---` lines")
    data = _front_matter(f"rules/{family}/{name}.md", front)
    prose, _, examples = body.partition("\n## Examples\n")
    title = next((line[2:].strip() for line in prose.splitlines() if line.startswith("# ")), name)
    try:
        return Page(
            name=name,
            family=family,
            summary=data["summary"],
            level=data["level"],
            confidence=data["confidence"],
            misinterpretation=data.get("misinterpretation"),
            fix=data.get("fix", "none"),
            since=str(data["since"]),
            references=data["references"],
            tags=data.get("tags", []),
            prose=prose.strip(),
            title=title,
            front_matter=data,
            examples=_examples(examples),
        )
    except KeyError as missing:
        raise PageError(f"rules/{family}/{name}.md: the front matter has no {missing}") from None


def _front_matter(path: str, text: str) -> dict[str, Any]:
    import yaml

    try:
        data = yaml.load(text, Loader=yaml.CSafeLoader)
    except yaml.YAMLError as error:
        raise PageError(f"{path}: the front matter is not YAML: {error}") from None
    if not isinstance(data, dict):
        raise PageError(f"{path}: the front matter is not a mapping")
    return data


def _examples(text: str) -> list[Example]:
    found: list[Example] = []
    for section in re.split(r"^### ", text, flags=re.MULTILINE)[1:]:
        title, _, body = section.partition("\n")
        example = Example(title.strip(), {}, [])
        for number, fence in enumerate(_FENCE.finditer(body), start=1):
            language = fence["language"]
            if language == "diff":
                example.fixed = fence["text"]
                continue
            named = _TITLE.search(fence["info"])
            if named is None and language not in ("yaml", "json"):
                continue
            file = named[1] if named else f"example-{number}.{language}"
            for line_number, line in enumerate(fence["text"].splitlines(), start=1):
                marked = _EXPECT.search(line)
                if marked:
                    example.expected += [(file, line_number, rule.strip()) for rule in marked[1].split(",")]
            example.files[file] = _EXPECT.sub("", fence["text"])
        if example.files:
            found.append(example)
    return found
