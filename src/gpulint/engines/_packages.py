"""Which versions of Python packages command lines install: what an engine's version is where no image tells."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from itertools import pairwise

from gpulint.engines import _images
from gpulint.engines.launch import Call, CommandLine, Word, python_module
from gpulint.model.engine import Version
from gpulint.source.shell import basename, programs

_UPGRADING = frozenset({"-U", "--upgrade", "--pre", "--force-reinstall"})
_LONGEST = 1000
_RUNNERS = frozenset({"uv", "uvx"})


def installed(lines: Sequence[CommandLine]) -> dict[str, str | None]:
    """The packages that `pip install`, `uv pip install` and `uv run --with` name, with their versions.

    None where the version is a range, a commit, unknown, or one of several. A package that is only named, which leaves
    an older one in its place, is not listed.
    """
    found: dict[str, str | None] = {}
    for line in lines:
        for word, upgrades in _requirements(line.words):
            requirement = _requirement(word)
            if requirement is None:
                continue
            name, version, is_bare = requirement
            if not is_bare or upgrades:
                found[name] = version if found.get(name, version) == version else None
    return found


def version(call: Call, package: str) -> tuple[Version, str] | tuple[None, None] | None:
    """The version of a package that a launch installs before it starts an engine; None where it installs none."""
    found: Mapping[str, str | None] = {**call.launch.installed, **installed(call.lines)}
    if package not in found:
        return None
    text = found[package]
    return _images.version(re.sub(r"(?<=\d)\.?post", ".post", text)) if text is not None else (None, None)


def _requirements(words: Sequence[Word]) -> Iterator[tuple[Word, bool]]:
    """The words that name packages to install, and whether they replace what is there."""
    for at in programs(words):
        program = basename(words[at].text)
        module = python_module(words[at:])
        begin = at + 1 if program.startswith("pip") else at + module[1] if module is not None else len(words)
        if module is not None and module[0] != "pip":
            continue
        if begin < len(words) and words[begin].text == "install":
            rest = words[begin + 1 :]
            upgrades = any(word.text in _UPGRADING for word in rest)
            yield from ((word, upgrades) for word in rest if not word.prefix.startswith("-"))
            return
    if words and basename(words[0].text) in _RUNNERS:
        for option, word in pairwise(words):
            if option.text in ("--with", "--from"):
                yield word, False


@cache
def _shapes() -> tuple[re.Pattern[str], re.Pattern[str], re.Pattern[str]]:
    return (
        re.compile(r"([A-Za-z0-9][\w.-]*?)\s*(?:\[[^\]]*\])?\s*(?:(===?)\s*([\w.!+-]+)|([<>~!@=].*))?"),
        re.compile(r"git\+\S*/([\w.-]+?)(?:\.git)?(?:@v?([\w.+-]+))?(?:#.*)?"),
        re.compile(r"\S*/(\w+)-(\d[^-/]*)-[^/]*\.whl"),
    )


def _requirement(word: Word) -> tuple[str, str | None, bool] | None:
    """Name, version (None: not known) and whether it is the name alone: `vllm[audio]==0.9.1`, a wheel, a repository."""
    plain, repository, wheel = _shapes()
    text = word.prefix.strip() if word.text is None else word.text.strip()
    if len(text) > _LONGEST:
        return None
    match = wheel.fullmatch(text)
    if match is not None:
        return _name(match[1]), match[2], False
    match = repository.fullmatch(text)
    if match is not None:
        return _name(match[1]), match[2] if "." in (match[2] or "") else None, False
    name, equals, _ = text.partition("==")
    if word.text is None:  # `vllm==${VERSION}`
        return (_name(name.partition("[")[0].strip()), None, False) if equals else None
    match = plain.fullmatch(text)
    if match is None:
        return None
    return _name(match[1]), match[3], match[2] is None and match[4] is None


def _name(text: str) -> str:
    """A name as the index compares them. Source: PyPA, Names and normalization."""
    return re.sub(r"[-_.]+", "-", text).lower()
