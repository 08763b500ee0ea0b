"""A key that stands twice in one mapping of a manifest."""

from __future__ import annotations

from collections.abc import Iterator

from gpulint.finding import Evidence, Finding
from gpulint.model.files import DuplicateKey
from gpulint.rules import rule


@rule("duplicate-key")
def check(duplicate: DuplicateKey) -> Iterator[Finding]:
    yield Finding(
        place=duplicate.place,
        message=f"The key {duplicate.key} stands twice in one mapping of {duplicate.ref}: this one wins, and the one "
        f"on line {duplicate.first.line} is lost. kubectl and GitOps tools either drop the first without a word or "
        "reject the object.",
        help="Merge the two, or rename one. What only the first one sets is not in the cluster now.",
        evidence=[Evidence("first", duplicate.key, duplicate.first)],
    )
