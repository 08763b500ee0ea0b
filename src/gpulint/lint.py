"""The rules over a project: findings in a fixed order, each with its rule's level and a stable fingerprint."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from gpulint.finding import LEVELS, Finding, Level, Reported
from gpulint.load import Loaded, internal_error
from gpulint.model.values import ObjectRef
from gpulint.pages import load_page
from gpulint.rules import Rule, load_rule, rule_names
from gpulint.source.yaml import Problem

# Rules that compare files with hosts: without a host they have nothing to visit.
_FAMILY_OF_HOSTS = "live"


class Raw(NamedTuple):
    """A finding as its rule gives it, with the object that it is reported for and the one that the rule looked at."""

    rule: Rule
    finding: Finding
    ref: ObjectRef | None
    subject: object

    def identity(self) -> tuple[object, ...]:
        return (self.rule.name, *self.finding.place.sort_key(), id(self.ref))


class UnknownRule(ValueError):  # noqa: N818 - what it is, as a caller reads it
    """A name that is neither a rule nor a family; `close` are names it may have meant."""

    def __init__(self, name: str, close: list[str]) -> None:
        super().__init__(name)
        self.name = name
        self.close = close


def selected_rules(select: Iterable[str], ignore: Iterable[str]) -> list[str]:
    """The names of the rules that run: those of `select` (all when empty) without those of `ignore`.

    Both take rule names and family names. Raises UnknownRule.
    """
    names = rule_names()
    chosen = _expand(select, names) or set(names)
    return [name for name in names if name in chosen and name not in _expand(ignore, names)]


def _expand(words: Iterable[str], names: dict[str, str]) -> set[str]:
    found: set[str] = set()
    families = set(names.values())
    for word in words:
        if word in names:
            found.add(word)
        elif word in families:
            found |= {name for name, family in names.items() if family == word}
        else:
            from difflib import get_close_matches

            raise UnknownRule(word, get_close_matches(word, [*names, *sorted(families)], n=3))
    return found


def check(
    loaded: Loaded,
    rules: Iterable[str],
    *,
    levels: dict[str, Level] | None = None,
    root_path: Callable[[str], str] = lambda path: path,
) -> tuple[list[Reported], list[Problem]]:
    """Findings that concern the scope, sorted by place, and the rules that failed.

    `levels` overrides the level of a rule; `root_path` turns a report path into one below the project's root, which
    fingerprints are made of.
    """
    raw: list[Raw] = []
    problems: list[Problem] = []
    families = rule_names()
    for name in rules:
        if families[name] == _FAMILY_OF_HOSTS and not loaded.project.hosts:
            continue  # not even imported
        rule = load_rule(name)
        for subject in loaded.project.objects(rule.subject):
            try:
                found = list(rule.check(subject))
                raw += [Raw(rule, finding, finding.ref or getattr(subject, "ref", None), subject) for finding in found]
            except Exception as error:  # a broken rule must not cost the others their findings
                place = getattr(subject, "place", None)
                path = place.source.path if place is not None else "gpulint"
                problem = internal_error(path, place.line if place is not None else None, error)
                problem.reason = f"rule {name}: {problem.reason}"
                problems.append(problem)
    raw = _once_per_object(raw)
    raw.sort(key=lambda entry: (*entry.finding.place.sort_key(), entry.rule.name, entry.finding.message))
    # The scope is applied last: what is named must not change what stands elsewhere, nor any fingerprint. What is
    # said of a host itself always counts; that a finding speaks of one does not bring it into the scope.
    reported = _report(raw, levels or {}, root_path)
    hosts = {known.place.source.path for known in loaded.project.hosts}
    return [
        finding
        for finding in reported
        if finding.place.source.path in hosts or (finding.paths() - hosts) & loaded.scope
    ], problems


def _once_per_object(raw: list[Raw]) -> list[Raw]:
    """What a rule says of several forms of one object (the overlays of a base, the choices of a task) at one place.

    The gravest form speaks for all, the first of equals.
    """
    speakers: dict[tuple[object, ...], tuple[int, object]] = {}
    for entry in raw:
        grave = LEVELS.index(entry.finding.level or load_page(entry.rule.family, entry.rule.name).level)
        known = speakers.get(entry.identity())
        if known is None or grave < known[0]:
            speakers[entry.identity()] = grave, entry.subject
    return [entry for entry in raw if entry.ref is None or speakers[entry.identity()][1] is entry.subject]


def _report(raw: list[Raw], levels: dict[str, Level], root_path: Callable[[str], str]) -> list[Reported]:
    if not raw:
        return []
    from hashlib import sha256

    reported: list[Reported] = []
    occurrences: dict[tuple[str, ...], int] = {}
    seen: set[tuple[object, ...]] = set()
    for rule, finding, ref, _ in raw:
        place = finding.place
        same = (rule.name, *place.sort_key(), finding.message)
        if same in seen:  # the same object reached twice (an alias, a List) is one finding
            continue
        seen.add(same)
        page = load_page(rule.family, rule.name)
        identity = (
            rule.name,
            root_path(place.source.path),
            ref.kind if ref else "",
            (ref.namespace or "") if ref else "",
            (ref.name or "") if ref else "",
            place.node_path(),
        )
        occurrences[identity] = occurrences.get(identity, 0) + 1
        digest = sha256("\0".join([*identity, str(occurrences[identity])]).encode("utf-8", "surrogatepass"))
        reported.append(
            Reported(
                rule=rule.name,
                family=rule.family,
                level=levels.get(rule.name) or finding.level or page.level,
                confidence=finding.confidence or page.confidence,
                finding=finding,
                ref=ref,
                fingerprint=digest.hexdigest()[:32],
            )
        )
    return reported
