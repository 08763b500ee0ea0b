"""What a file asks gpulint to leave out: comments that ignore rules, and annotations of objects that do."""

from __future__ import annotations

from dataclasses import field

from gpulint.model.values import ObjectRef
from gpulint.record import record
from gpulint.source.text import Place

# The annotation of a Kubernetes object; its value is names of rules, with commas between them.
IGNORE_ANNOTATION = "gpulint.dev/ignore"


@record
class Ignore:
    """A comment or an annotation that leaves out findings of the rules in `names` (name, and where it stands).

    A comment speaks of `lines`, the first and last of each span of lines, or, where that is None, of its whole file.
    `inside` are the offsets of the text that holds it where that is itself a value, a script in a manifest: it speaks
    of nothing outside. An annotation speaks of `objects`: each with the folder of the kustomization that gives it the
    annotation, or None where its own file does.
    `problem` says why it is not obeyed as it stands. `unknown` are names of no rule, and `unused` those of rules that
    found nothing here.
    """

    place: Place
    names: list[tuple[str, Place]]
    objects: list[tuple[ObjectRef, str | None]] = field(default_factory=list)
    lines: list[tuple[int, int]] | None = None
    inside: tuple[int, int] | None = None
    problem: str | None = None
    unknown: list[tuple[str, Place]] = field(default_factory=list)
    unused: list[tuple[str, Place]] = field(default_factory=list)
    used: set[str] = field(default_factory=set)

    @property
    def ref(self) -> ObjectRef | None:
        return self.objects[0][0] if self.objects else None
