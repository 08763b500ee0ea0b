"""What templates may take: a chart is a few hundred small files, and whoever writes one may be anybody."""

from __future__ import annotations

from gpulint.source.gotemplate.unknown import LimitReached

_LONGEST_VALUE = 1_000_000
_HEAVIEST = 50_000
_PARSING = frozenset({"fromYaml", "fromYamlArray", "fromJson", "fromJsonArray", "mustFromJson", "tpl"})
# Functions that look at all that is in a value.
_DEEP = frozenset({
    "deepCopy", "mustDeepCopy", "merge", "mustMerge", "mergeOverwrite", "mustMergeOverwrite", "toYaml", "mustToYaml",
    "toYamlPretty", "toJson", "mustToJson", "toRawJson", "toPrettyJson", "deepEqual", "uniq", "mustUniq", "has",
    "without", "toString", "quote", "squote", "print", "printf", "println", "cat", "html", "join", "sortAlpha",
})  # fmt: skip


class Budget:
    """What the templates of one chart may take together: steps, and characters that values are made of."""

    __slots__ = ("characters", "steps")

    def __init__(self, steps: int, characters: int) -> None:
        self.steps = steps
        self.characters = characters

    def step(self, count: int = 1) -> None:
        self.steps -= count
        if self.steps < 0:
            raise LimitReached("a template that takes too many steps")

    def grow(self, length: int) -> None:
        self.characters -= length
        if self.characters < 0 or length > _LONGEST_VALUE:
            raise LimitReached("a template that writes too much")

    def use(self, name: str, arguments: list[object]) -> None:
        """Counts what a function has to look at."""
        for argument in arguments:
            if isinstance(argument, str):
                self.characters -= len(argument) * 8 if name in _PARSING else len(argument) // 8
            elif isinstance(argument, (list, dict)):
                weight = _weight(argument) if name in _DEEP else len(argument)
                if weight >= _HEAVIEST:  # what holds itself, or the same many times over, has no end
                    raise LimitReached("a value that is too large")
                self.steps -= weight // 16
        if self.steps < 0 or self.characters < 0:
            raise LimitReached("a template that takes too many steps")


def _weight(value: object) -> int:
    """How many values there are in a value, as far as that is worth counting."""
    count, stack = 0, [value]
    while stack and count < _HEAVIEST:
        each = stack.pop()
        count += 1
        if isinstance(each, dict):
            stack += each.values()
        elif isinstance(each, list):
            stack += each
    return count
