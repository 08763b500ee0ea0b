"""Command-line flags read by tables: one argparse-like reader for all engines.

A table (JSON, one per engine) says how the engine's parser spells flags and which flags it has had in which versions.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import Any, TypeVar

from gpulint.engines.launch import Word
from gpulint.model.engine import Version, WrongFlag
from gpulint.model.values import Setting, Sourced
from gpulint.source.text import Place

T = TypeVar("T")

_ENGINES = ("vllm", "sglang", "tgi", "llamacpp", "lmdeploy", "trtllm")
_POWERS = {"k": 1, "m": 2, "g": 3, "t": 4}


@cache
def _negative_number() -> re.Pattern[str]:
    return re.compile(r"-\d+|-\d*\.\d+")


@cache
def _placeholder() -> re.Pattern[str]:
    return re.compile(r"\$\{|\$\(|\{\{|^\$|^<.*>$|^__\w+__$|^(?:CHANGE|REPLACE|FILL|YOUR|TODO)[A-Z_-]*$|^[A-Z_]+_HERE$")


class Flag:
    """One flag of an engine.

    `kind` is "value", "boolean" (`--x` alone), "optional" (a value may follow) or "many" (any number of values).
    `defaults` are (first version, value) in ascending order, a version of None for the beginning.
    """

    __slots__ = ("added", "aliases", "defaults", "env", "kind", "name", "negations", "removed", "type")

    def __init__(self, row: dict[str, Any], *, negations: Sequence[str]) -> None:
        self.name: str = row["name"]
        self.aliases: tuple[str, ...] = tuple(row.get("aliases", ()))
        self.kind: str = row["kind"]
        self.type: str | None = row.get("type")
        self.env: str | None = row.get("env")
        self.added = _bound(row.get("added"))
        self.removed = _bound(row.get("removed"))
        self.defaults: list[tuple[Version | None, Any]] = [(_bound(since), value) for since, value in row["defaults"]]
        self.negations = tuple(negations)

    @property
    def names(self) -> tuple[str, ...]:
        return (self.name, *self.aliases, *self.negations)

    def exists(self, version: Version | None) -> bool:
        """Whether the flag is there in a version; for an unknown version, in the newest that the table knows."""
        if version is None:
            return self.removed is None
        return (self.added is None or version >= self.added) and (self.removed is None or version < self.removed)

    def default(self, version: Version | None) -> Any:  # noqa: ANN401
        """The value without the flag; None where it changed between versions and the version is unknown."""
        if version is None:
            return self.defaults[0][1] if len(self.defaults) == 1 else None
        value = None
        for since, candidate in self.defaults:
            if since is None or version >= since:
                value = candidate
        return value


def _bound(text: str | None) -> Version | None:
    return None if text is None else version_tuple(text)


def _covered(text: str, gapless_since: str | None) -> tuple[Version, Version] | None:
    """The ends of `0.2.7 to 0.33.0`, or of its later part that leaves out no version."""
    first, to, last = text.partition(" to ")
    return (version_tuple(gapless_since or first), version_tuple(last)) if to else None


def version_tuple(text: str) -> Version:
    """`0.8.5.post1` as (0, 8, 5, 1): the numbers in order."""
    return tuple(int(number) for number in re.findall(r"\d+", text))


class Table:
    """The flags of an engine, found by any spelling that its parser accepts.

    `underscores`: `--max_model_len` is `--max-model-len`. `abbreviations`: an unambiguous beginning will do.
    `attached`: a value may follow a one-letter flag without a blank (`-O3`). `covers` are the first and last version
    that it knows; None where it does not say.
    """

    __slots__ = ("_by_name", "abbreviations", "attached", "covers", "flags", "underscores")

    def __init__(
        self,
        flags: Iterable[Flag],
        *,
        underscores: bool,
        abbreviations: bool,
        attached: bool = True,
        covers: tuple[Version, Version] | None = None,
    ) -> None:
        self.covers = covers
        self.underscores = underscores
        self.abbreviations = abbreviations
        self.attached = attached
        self.flags: dict[str, Flag] = {}
        self._by_name: dict[str, Flag] = {}
        for flag in flags:
            self.flags[flag.name] = flag
            for name in flag.names:
                self._by_name.setdefault(name, flag)

    @classmethod
    def of(cls, content: dict[str, Any]) -> Table:
        """The table of a JSON file's content."""
        flags = []
        for row in content["flags"]:
            cells = dict(zip(content["columns"], row, strict=True))
            negations = [f"--no-{cells['name'][2:]}"] if cells.get("negatable") else cells.get("negations", ())
            flags.append(Flag(cells, negations=negations))
        return cls(
            flags,
            underscores=content["underscores"],
            abbreviations=content["abbreviations"],
            attached=content.get("attached", True),
            covers=_covered(content.get("versions", ""), content.get("every_version_since")),
        )

    def with_own(self, own: Table) -> Table:
        """This table behind the flags of a launcher that reads its own first and passes the others on."""
        others = [flag for name, flag in self.flags.items() if name not in own.flags]
        return Table(
            [*own.flags.values(), *others],
            underscores=self.underscores,
            abbreviations=self.abbreviations,
            attached=self.attached,
        )

    def normal(self, name: str) -> str:
        """A long name with the parser's own separator; what follows a dot is a key of a JSON value and kept."""
        if not self.underscores or not name.startswith("--"):
            return name
        head, dot, tail = name.partition(".")
        return head.replace("_", "-") + dot + tail

    def exact(self, name: str) -> Flag | None:
        """The flag of a full name or alias."""
        return self._by_name.get(name)

    def find(self, name: str, version: Version | None) -> Flag | None:
        """The flag that a name or an unambiguous abbreviation of one stands for; None if there is none or several."""
        exact = self._by_name.get(name)
        if exact is not None or not self.abbreviations:
            return exact
        candidates = {
            id(flag): flag for full, flag in self._by_name.items() if full.startswith(name) and flag.exists(version)
        }
        return next(iter(candidates.values())) if len(candidates) == 1 else None


@cache
def load(name: str) -> Table:
    """The table of a JSON file in this package."""
    import json

    with open(os.path.join(os.path.dirname(__file__), name), encoding="utf-8") as file:
        return Table.of(json.load(file))


class Given:
    """A flag as a command line gives it: `value` is the text of its value, None where it has none or it is unknown."""

    __slots__ = ("at", "flag", "negated", "place_of", "spelled", "value", "whole")

    def __init__(
        self, flag: Flag, spelled: str, value: str | None, at: Word, value_word: Word | None, *, whole: bool = True
    ) -> None:
        self.flag = flag
        self.spelled = spelled
        self.value = value
        self.at = at
        self.place_of = value_word
        self.negated = False
        self.whole = whole

    @property
    def place(self) -> Place:
        """Flag and value together where they are one word or one line of a script, else the value."""
        if self.place_of is None or self.place_of is self.at:
            return self.at.place
        return self.at.to(self.place_of) or self.place_of.place


class Reading:
    """What a command line says: the flags given (the last of each wins), positional words, and whether that is all.

    `complete` is False where words that cannot be read may hide further flags, or a flag is not in the table;
    `readable` is False for the former alone; `strange` are the latter. `repeated` are flags of one value that are given
    again: the one that is lost, and the one that comes next.
    """

    __slots__ = ("complete", "given", "positionals", "readable", "repeated", "strange", "table", "version")

    def __init__(self, table: Table, version: Version | None) -> None:
        self.table = table
        self.version = version
        self.given: dict[str, Given] = {}
        self.positionals: list[Word] = []
        self.strange: list[Word] = []
        self.repeated: list[tuple[Given, Given]] = []
        self.complete = True
        self.readable = True

    def setting(self, name: str, convert: Callable[[str], T | None]) -> Setting[T] | None:
        """The setting of a flag: as given, or its default.

        None where this version has no such flag. Not given on a command line that is not known to its end: unknown.
        """
        flag = self.table.flags[name]
        given = self.given.get(name)
        if given is not None:
            text = given.value if given.whole else None
            return Setting(None if text is None or is_placeholder(text) else convert(text), given.spelled, given.place)
        if not flag.exists(self.version):
            return None
        default = flag.default(self.version) if self.complete else None
        return Setting(convert(str(default)) if default is not None else None, name, None, True)

    def switch(self, name: str) -> Setting[bool] | None:
        """The setting of a boolean flag."""
        flag = self.table.flags[name]
        given = self.given.get(name)
        if given is not None:
            return Setting(None if not given.whole else not given.negated, given.spelled, given.place)
        if not flag.exists(self.version):
            return None
        default = flag.default(self.version) if self.complete else None
        return Setting(default if isinstance(default, bool) else None, name, None, True)


def read(table: Table, words: Sequence[Word], version: Version | None) -> Reading:
    """Read the words after the program's name as argparse would.

    A word such as `--tensor-parallel-size 4` in one list element is no flag to argparse: with a blank in it and no `=`
    before, it counts as a positional argument and ends the start with "unrecognized arguments". So the flag is not
    read as set, and nothing is called a default beside it.
    """
    reading = Reading(table, version)
    index = 0
    while index < len(words):
        word = words[index]
        index += 1
        text = word.prefix if word.text is None else word.text
        if text == "--" and word.text is not None:
            reading.positionals += words[index:]
            break
        if not _is_flag(word):
            reading.positionals.append(word)
            reading.readable = reading.readable and not word.many
            reading.complete = reading.complete and not word.many
            continue
        name, equals, value = text.partition("=")
        if word.text is None and not equals:  # the name itself goes on into something unknown
            reading.complete = reading.readable = False
            continue
        name = table.normal(name)
        flag, attached = _find(table, name, version)
        if flag is None:
            reading.complete = False
            reading.strange.append(word)
            if not equals and index < len(words) and not _is_flag(words[index]) and not words[index].many:
                index += 1  # a flag of unknown shape: what follows is more likely its value than anything else
            continue
        dotted = "." in name  # a key of a JSON value is set, not all of it
        if attached is not None:
            equals, value = "=", attached
        spelled = text.partition("=")[0] if attached is None else name[: len(name) - len(attached)]
        if equals:
            known = word.text is not None
            given = Given(flag, spelled, value if known else None, word, word, whole=not dotted)
            given.whole = given.whole and flag.kind != "boolean"  # "ignored explicit argument": it will not start
        else:
            values, index = _values(flag, words, index, reading)
            first = values[0] if values else None
            given = Given(flag, spelled, first.text if first else None, word, first, whole=not dotted)
            if flag.kind == "boolean" and index < len(words) and (words[index].text or "").lower() in ("true", "false"):
                # Some booleans took a value in some versions; elsewhere it is an error, never the model's name.
                given.whole = False
                index += 1
        given.negated = flag.kind == "boolean" and _negates(table, name, flag)
        before = reading.given.get(flag.name)
        if before is not None and flag.kind == "value" and flag.type != "list":
            reading.repeated.append((before, given))
        reading.given[flag.name] = given
    return reading


def _find(table: Table, name: str, version: Version | None) -> tuple[Flag | None, str | None]:
    """The flag of a name without its dotted keys, and the value that is attached to a one-letter flag (`-O3`)."""
    flag = table.find(name.partition(".")[0], version)
    if flag is not None or not table.attached or name.startswith("--") or len(name) < 3:
        return flag, None
    short = table.exact(name[:2])
    return short, name[2:] if short is not None else None


def _negates(table: Table, name: str, flag: Flag) -> bool:
    return name.startswith("--no-") and not flag.name.startswith("--no-") and name not in table.flags


def _is_flag(word: Word) -> bool:
    """Whether argparse takes a word for a flag: by its dash, unless it is a negative number or holds blanks."""
    text = word.prefix if word.text is None else word.text
    if len(text) < 2 or text[0] != "-" or _negative_number().fullmatch(text):
        return False
    return " " not in text.partition("=")[0]


def _values(flag: Flag, words: Sequence[Word], index: int, reading: Reading) -> tuple[list[Word], int]:
    """The words after a flag that are its values, and the index behind them."""
    limit = {"value": 1, "optional": 1, "boolean": 0}.get(flag.kind, len(words))
    found: list[Word] = []
    while len(found) < limit and index < len(words) and not _is_flag(words[index]):
        if words[index].text == "--":
            break
        reading.readable = reading.readable and not words[index].many
        reading.complete = reading.complete and not words[index].many
        found.append(words[index])
        index += 1
    return found, index


def wrong_flags(reading: Reading) -> list[WrongFlag]:
    """The flags on a command line that this version does not have; none where version or flags are not all known."""
    table, version = reading.table, reading.version
    if version is None or table.covers is None or not table.covers[0] <= version <= table.covers[1]:
        return []
    found = [
        WrongFlag(
            given.spelled,
            given.at.place,
            ".".join(map(str, given.flag.added)) if given.flag.added is not None else None,
            ".".join(map(str, given.flag.removed)) if given.flag.removed is not None else None,
        )
        for given in reading.given.values()
        if not given.flag.exists(version)
    ]
    return found + [WrongFlag(word.prefix.partition("=")[0], word.place) for word in reading.strange]


def repeated_flags(reading: Reading) -> list[tuple[Setting[str], Setting[str]]]:
    """The flags that are given twice with different values, both known: the lost one, and the one that follows."""
    return [
        (Setting(first.value, first.spelled, first.place), Setting(last.value, last.spelled, last.place))
        for first, last in reading.repeated
        if first.value is not None and last.value is not None and first.value != last.value
    ]


def stray_arguments(reading: Reading) -> list[Sourced[str]]:
    """Words that hold a flag and its value with a blank between: no parser takes them for either."""
    return [
        Sourced(word.text, word.place, word.place)
        for word in reading.positionals
        if word.text is not None and word.text.startswith("--") and " " in word.text
    ]


def engines_with(name: str) -> list[str]:
    """The engines, by the names of their tables, that have a flag of this name or have had one."""
    return [engine for engine in _ENGINES if (table := load(f"{engine}.json")).exact(table.normal(name)) is not None]


# -- values


def is_placeholder(text: str) -> bool:
    """Whether a text stands for a value to be filled in: `${X}`, `$(X)`, `<model>`, `{{ x }}`, CHANGE_ME."""
    return bool(_placeholder().search(text.strip()))


def integer(text: str) -> int | None:
    """An integer as Python's int() reads it."""
    try:
        return int(text) if len(text) < 40 else None
    except ValueError:
        return None


def human_integer(text: str) -> int | None:
    """An integer with a suffix: 1k is 1000, 1K is 1024, 25.6k is 25600; no fraction of a binary unit.

    Source: vllm/engine/arg_utils.py, human_readable_int.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([kKmMgGtT])", text) if len(text) < 40 else None
    if match is None:
        return integer(text)
    number, unit = match.groups()
    if unit.islower():
        return int(float(number) * 1000 ** _POWERS[unit])
    return int(number) * 1024 ** _POWERS[unit.lower()] if number.isdigit() else None


def number(text: str) -> float | None:
    """A finite decimal number."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if abs(value) < float("inf") else None


def text(value: str) -> str | None:
    """A text that is not empty."""
    return value or None


def positional(words: Sequence[Word], spelled: str) -> Setting[str]:
    """The setting that the first of these positional words makes; where there is none, nothing is known of it."""
    if not words:
        return Setting(None, spelled, None, True)
    value = words[0].text
    return Setting(None if value is None or is_placeholder(value) else text(value), spelled, words[0].place)


def positive(value: str) -> int | None:
    """An integer above zero: zero and less mean that the engine decides, or does without."""
    found = integer(value)
    return found if found is not None and found > 0 else None


def negated(switch: Setting[bool] | None) -> Setting[bool] | None:
    """What a switch that turns something off says of that."""
    if switch is None:
        return None
    return Setting(None if switch.value is None else not switch.value, switch.spelled, switch.place, switch.default)


def above_one(size: Setting[int] | None) -> Setting[bool] | None:
    """Whether a size spreads anything."""
    if size is None:
        return None
    return Setting(None if size.value is None else size.value > 1, size.spelled, size.place, size.default)
