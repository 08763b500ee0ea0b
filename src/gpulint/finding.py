"""What a rule says: where, what is wrong, the evidence, and what to do."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, Any, Literal

from gpulint.model.values import ObjectRef
from gpulint.record import record
from gpulint.source.text import Place

if TYPE_CHECKING:
    from gpulint.source.edits import Change, Edit

Level = Literal["error", "warning", "info"]
Confidence = Literal["high", "medium", "low"]

# Worst first: reports sort by it and --fail-on compares with it.
LEVELS: tuple[Level, ...] = ("error", "warning", "info")


def at_least(level: Level, threshold: Level) -> bool:
    """Whether `level` is as grave as `threshold`, or graver."""
    return LEVELS.index(level) <= LEVELS.index(threshold)


@record
class Evidence:
    """One named value that led to a finding, with the place it was read from where it has one."""

    label: str
    value: Any
    place: Place | None = None


@record
class Fix:
    """What repairs a finding: `title` says it as a request, without a full stop; `changes` are all in one file.

    A `safe` one changes nothing that takes effect as it is written, or says the same under the name that takes effect.
    `by_object` says that this holds because of other fields of the object, so not where an overlay may change these.
    """

    title: str
    changes: list[Change]
    safe: bool = True
    by_object: bool = False
    _edits: list[Edit] | None = None

    @property
    def edits(self) -> list[Edit]:
        """The edits that make the changes; none where the text does not allow all of them."""
        if self._edits is None:
            from gpulint.source.edits import edit_of

            edits = [edit for change in self.changes if (edit := edit_of(change)) is not None]
            self._edits = edits if len(edits) == len(self.changes) else []
        return self._edits

    @property
    def is_safe(self) -> bool:
        """Whether it may be made without a look at it: it is safe, and no comment goes with what it takes away."""
        return self.safe and not any(edit.loses_comment for edit in self.edits)


@record
class Finding:
    """What a rule yields. The first sentence of `message` stands alone and carries the numbers.

    `help` says what to check or do instead, and `fix` does it where that is certain enough. `level` and `confidence`
    override the page's for this finding. `action` is where a template writes what stands at `place` in values.
    """

    place: Place
    message: str
    help: str
    evidence: list[Evidence] = field(default_factory=list)
    level: Level | None = None
    confidence: Confidence | None = None
    ref: ObjectRef | None = None
    fix: Fix | None = None
    action: Place | None = None

    def places(self) -> list[Place]:
        """Where comments may speak of it: its place, and the action of a template that writes what stands there."""
        return [self.place] if self.action is None else [self.place, self.action]

    def find_origins(self) -> None:
        """Puts the places of what a template takes from values where these stand."""
        place = self.place.origin()
        if place is not self.place:
            self.place, self.action = place, self.place
        for evidence in self.evidence:
            if evidence.place is not None:
                evidence.place = evidence.place.origin()


@record
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

    @property
    def fix(self) -> Fix | None:
        """The finding's fix, where the text allows it."""
        fix = self.finding.fix
        return fix if fix is not None and fix.edits else None

    def paths(self) -> set[str]:
        """The files that the finding speaks about: its own, those of its evidence, and the template of an action."""
        found = {self.place.source.path, *(e.place.source.path for e in self.finding.evidence if e.place is not None)}
        return found if self.finding.action is None else {*found, self.finding.action.source.path}
