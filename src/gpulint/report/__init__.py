"""Reports: one module per format, each with `render(report, *, color, width)`, imported only when it is asked for."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from gpulint.finding import LEVELS, Level, Reported
from gpulint.record import record

if TYPE_CHECKING:
    from gpulint.source.yaml import Problem, Template

FORMATS: tuple[str, ...] = tuple(
    sorted(
        file[:-3]
        for file in os.listdir(os.path.dirname(os.path.abspath(__file__)))
        if file.endswith(".py") and not file.startswith("_")
    )
)


HOME = "https://github.com/gpulint/gpulint"


@record
class Report:
    """Everything that one run has to say.

    `findings` are sorted by path, line, column and rule. `errors` are input that could not be read, and internal
    errors. `templates` were recognised and not read. `rules` are the names of the enabled rules.
    `ignored` counts findings that comments, annotations and the configuration leave out, `baselined` those that the
    baseline knows, `stale_baseline` its entries that find nothing any more; none of them is in `findings`.
    `root_path` turns a path as shown (relative to the current folder) into one below the repository's root.
    """

    findings: list[Reported]
    errors: list[Problem]
    templates: list[Template]
    files_checked: int
    rules: list[str]
    root_path: Callable[[str], str] = str
    ignored: int = 0
    baselined: int = 0
    stale_baseline: int = 0

    def counts(self) -> dict[Level, int]:
        """How many findings there are of each level, worst first."""
        counts = dict.fromkeys(LEVELS, 0)
        for reported in self.findings:
            counts[reported.level] += 1
        return counts


def render(report: Report, format: str, *, color: bool, width: int) -> str:  # noqa: A002  # the option's own name
    """The report as text that ends in a newline, or is empty; it can always be encoded as UTF-8.

    `width` is the terminal's, in columns; only the formats for people use it, and colour. Raises ValueError for a
    format that is not in FORMATS.
    """
    if format not in FORMATS:
        raise ValueError(f"unknown format {format!r}: choose from {', '.join(FORMATS)}")
    text: str = importlib.import_module(f"{__name__}.{format}").render(report, color=color, width=width)
    return text
