"""A key that stands twice in one mapping of a manifest."""

from __future__ import annotations

from collections.abc import Iterator

from gpulint.finding import Evidence, Finding, Fix
from gpulint.model.files import DuplicateKey
from gpulint.model.project import Project
from gpulint.rules import rule
from gpulint.source.edits import RemoveEntry


@rule("duplicate-key")
def check(project: Project) -> Iterator[Finding]:
    objects: dict[int, list[DuplicateKey]] = {}
    for duplicate in project.duplicate_keys:
        objects.setdefault(id(duplicate.ref), []).append(duplicate)
    for duplicates in objects.values():
        second = [d for d in duplicates if d.place.region()[1] == d.first.region()[1] == 1]
        joined = {"apiVersion", "kind"} <= {d.key for d in second}
        if joined:
            yield _two_objects(second)
        for duplicate in duplicates:
            if not (joined and duplicate in second):
                yield _of_key(duplicate)


def _two_objects(duplicates: list[DuplicateKey]) -> Finding:
    first = min(duplicates, key=lambda duplicate: duplicate.place.start)
    return Finding(
        place=first.place,
        message=(
            f"A second object begins here without a line of `---` before it: {first.ref} wins, and the object that "
            f"begins on line {min(duplicate.first.line for duplicate in duplicates)} is lost. To a parser they are one "
            "mapping with keys that stand twice."
        ),
        help="Write `---` between the two.",
        evidence=[Evidence("first", duplicate.key, duplicate.first) for duplicate in duplicates],
        ref=first.ref,
    )


def _of_key(duplicate: DuplicateKey) -> Finding:
    first = duplicate.first
    elsewhere = f" of {first.source.path}" if first.source.path != duplicate.place.source.path else ""
    return Finding(
        place=duplicate.place,
        message=f"The key {duplicate.key} stands twice in one mapping of {duplicate.ref}: this one wins, and the one "
        f"on line {first.line}{elsewhere} is lost. kubectl and GitOps tools either drop the first without a word or "
        "reject the object.",
        help="Merge the two, or rename one. What only the first one sets is not in the cluster now.",
        evidence=[Evidence("first", duplicate.key, first)],
        fix=Fix("Remove the second, which says the same", [RemoveEntry(duplicate.place)]) if duplicate.same else None,
        ref=duplicate.ref,
    )
