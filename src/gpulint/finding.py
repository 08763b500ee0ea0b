"""What a rule says: where, what is wrong, the evidence, and what to do."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from gpulint.model.values import ObjectRef
from gpulint.source.text import Place

Level = Literal["error", "warning", "info"]
Confidence = Literal["high", "medium", "low"]

# Worst first: reports sort by it and --fail-on compares with it.
LEVELS: tuple[Level, ...] = ("error", "warning", "info")


def at_least(level: Level, threshold: Level) -> bool:
    """Whether `level` is as grave as `threshold`, or graver."""
    return LEVELS.index(level) <= LEVELS.index(threshold)


@dataclass(slots=True, eq=False)
class Evidence:
    """One named value that led to a finding, with the place it was read from where it has one."""

    label: str
    value: Any
    place: Place | None = None


@dataclass(slots=True, eq=False)
class Finding:
    """What a rule yields. The first sentence of `message` stands alone and carries the numbers.

    `help` says what to check or do instead. `level` and `confidence` override the page's for this finding.
    """

    place: Place
    message: str
    help: str
    evidence: list[Evidence] = field(default_factory=list)
    level: Level | None = None
    confidence: Confidence | None = None
    ref: ObjectRef | None = None


@dataclass(slots=True, eq=False)
class Reported:
    """A finding as it is reported: with its rule's name, level and confidence, and a stable fingerprint.

    The fingerprint is made of the rule, the path, the object and the node path, never of a line number.
    """

    rule: str
    family: str
    level: Level
    confidence: Confidence
    finding: Finding
    ref: ObjectRef | None
    fingerprint: str

    @property
    def place(self) -> Place:
        return self.finding.place

    def paths(self) -> set[str]:
        """The files that the finding speaks about: its own and those of its evidence."""
        return {self.place.source.path, *(e.place.source.path for e in self.finding.evidence if e.place is not None)}
