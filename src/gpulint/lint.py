"""The rules over a project: findings in a fixed order, each with its rule's level and a stable fingerprint."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from gpulint.finding import LEVELS, Evidence, Finding, Level, Reported
from gpulint.load import Loaded, internal_error
from gpulint.model.autoscaler import Autoscaler
from gpulint.model.engine import Engine
from gpulint.model.values import ObjectRef, readable
from gpulint.model.workload import Container, Workload
from gpulint.pages import load_page
from gpulint.rules import Rule, load_rule, rule_names
from gpulint.source.yaml import Problem

if TYPE_CHECKING:
    from gpulint.model.ignores import Ignore
    from gpulint.source.text import Place

# Rules that compare files with hosts: without a host they have nothing to visit.
_FAMILY_OF_HOSTS = "live"
# What the rules about ignores visit: they run when all others have, and it is known which ignores are idle.
_IGNORE = "Ignore"
_DIRECTIVE = "gpulint:"


class Raw(NamedTuple):
    """A finding as its rule gives it, with the object that it is reported for and the one that the rule looked at.

    `ignored` says that an annotation of the object silences it.
    """

    rule: Rule
    finding: Finding
    ref: ObjectRef | None
    subject: object
    ignored: bool = False

    def identity(self) -> tuple[object, ...]:
        return (self.rule.name, *self.finding.place.sort_key(), id(self.ref))


class Checked(NamedTuple):
    """What a check gives, sorted by place: findings, and those that are ignored. `problems` are rules that failed."""

    findings: list[Reported]
    problems: list[Problem]
    ignored: list[Reported]


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
    """The findings and the rules that failed, as `examine` gives them."""
    return examine(loaded, rules, levels=levels, root_path=root_path)[:2]


def examine(
    loaded: Loaded,
    rules: Iterable[str],
    *,
    levels: dict[str, Level] | None = None,
    root_path: Callable[[str], str] = lambda path: path,
) -> Checked:
    """Findings that concern the scope, sorted by place, those that are ignored, and the rules that failed.

    `levels` overrides the level of a rule; `root_path` turns a report path into one below the project's root, which
    fingerprints are made of.
    """
    families = rule_names()
    known, problems = _load_rules([n for n in rules if families[n] != _FAMILY_OF_HOSTS or loaded.project.hosts])
    raw: list[Raw] = []
    failed: set[str] = set()
    objects = cache(loaded.project.objects)
    for rule in known:
        if rule.subject != _IGNORE:
            found, broken = _visit(rule, objects(rule.subject))
            raw += found
            if broken:
                failed.add(rule.name)
                problems += broken
    annotations = loaded.project.ignores
    if annotations:
        raw = _with_annotations(raw, annotations)
    raw = _sorted(_once_per_object(raw))
    # The scope is applied last: what is named must not change what stands elsewhere, nor any fingerprint.
    reported, ignored = _report(raw, levels or {}, root_path)
    noted = {place.source.path: place.source for entry in reported for place in entry.finding.places()}
    noted = {path: source for path, source in noted.items() if _DIRECTIVE in source.text} | loaded.noted
    if noted or annotations:
        from gpulint import suppress

        comments = [ignore for path in sorted(noted) for ignore in suppress.ignores_of(noted[path])]
        reported, silenced = _split(reported, suppress.silenced(reported, comments))
        ignores = [*annotations, *comments]
        suppress.judge(ignores, {rule.name for rule in known} - failed, doubtful(loaded))
        raw = []
        for rule in known:
            if rule.subject == _IGNORE:
                found, broken = _visit(rule, ignores)
                raw += found
                problems += broken
        about, silenced_too = _report(_sorted(_with_annotations(raw, annotations)), levels or {}, root_path)
        about, hushed = _split(about, suppress.silenced(about, comments))
        reported = sorted([*reported, *about], key=_order)
        ignored = sorted([*ignored, *silenced, *silenced_too, *hushed], key=_order)
    reported = _in_scope(reported, loaded)
    _restrict_fixes(reported, loaded)
    return Checked(reported, problems, _in_scope(ignored, loaded))


def _restrict_fixes(reported: list[Reported], loaded: Loaded) -> None:
    """Takes away the fixes in what a chart renders, and those in several files.

    What an overlay may need is not taken away safely.
    """
    rendered = {source.path for sources in loaded.charts.templates.values() for source in sources}
    for entry in reported:
        fix = entry.finding.fix
        if fix is not None:
            paths = {change.place.source.path for change in fix.changes}
            if len(paths) > 1 or paths & rendered:
                entry.finding.fix = None
            elif fix.safe and fix.by_object:
                fix.safe = not any(loaded.project.is_base(path) for path in paths)


def _load_rules(names: Iterable[str]) -> tuple[list[Rule], list[Problem]]:
    """The rules of these names, and what is wrong with those that cannot be loaded."""
    known: list[Rule] = []
    problems: list[Problem] = []
    for name in names:
        try:
            known.append(load_rule(name))
        except Exception as error:  # one broken module must not cost the others their findings
            problems.append(_fault(name, "gpulint", None, error))
    return known, problems


def _fault(name: str, path: str, line: int | None, error: Exception) -> Problem:
    problem = internal_error(path, line, error)
    problem.reason = f"rule {name}: {problem.reason}"
    return problem


def _visit(rule: Rule, subjects: Iterable[object]) -> tuple[list[Raw], list[Problem]]:
    raw: list[Raw] = []
    problems: list[Problem] = []
    for subject in subjects:
        try:
            found = list(rule.check(subject))
            for finding in found:
                finding.find_origins()
            values = _values_of(subject) if found else None
            if values is not None:
                for finding in found:
                    finding.evidence.append(Evidence("with the values of", values.source.path, values))
            raw += [Raw(rule, finding, finding.ref or getattr(subject, "ref", None), subject) for finding in found]
        except Exception as error:  # a broken rule must not cost the others their findings
            place = getattr(subject, "place", None)
            path = place.source.path if place is not None else "gpulint"
            problems.append(_fault(rule.name, path, place.line if place is not None else None, error))
    if raw:
        try:
            load_page(rule.family, rule.name)
        except Exception as error:  # what it finds has no level without its page
            return [], [*problems, _fault(rule.name, "gpulint", None, error)]
    return raw, problems


def _values_of(subject: object) -> Place | None:
    """The file of values with which a chart makes what a rule has visited, if these are not its default ones."""
    if isinstance(subject, Engine):
        subject = subject.container
    if isinstance(subject, Container):
        subject = subject.pod.workload
    elif isinstance(subject, Autoscaler):
        subject = subject.workload
    return subject.values if isinstance(subject, Workload) else None


def _sorted(raw: list[Raw]) -> list[Raw]:
    return sorted(raw, key=lambda entry: (*entry.finding.place.sort_key(), entry.rule.name, entry.finding.message))


def _order(reported: Reported) -> tuple[object, ...]:
    return (*reported.place.sort_key(), reported.rule, reported.finding.message)


def _in_scope(reported: list[Reported], loaded: Loaded) -> list[Reported]:
    """What concerns the scope. What is said of a host itself always does.

    That a finding speaks of a host does not bring it into the scope.
    """
    hosts = {known.place.source.path for known in loaded.project.hosts}
    return [
        finding
        for finding in reported
        if finding.place.source.path in hosts or (finding.paths() - hosts) & loaded.scope
    ]


def _split(reported: list[Reported], chosen: set[int]) -> tuple[list[Reported], list[Reported]]:
    """The findings that are not chosen, by their positions, and those that are."""
    return (
        [finding for index, finding in enumerate(reported) if index not in chosen],
        [finding for index, finding in enumerate(reported) if index in chosen],
    )


def _with_annotations(raw: list[Raw], annotations: list[Ignore]) -> list[Raw]:
    from gpulint.suppress import silencing

    found: list[Raw] = []
    for entry in raw:
        by = silencing(entry, annotations)
        for ignore in by:
            ignore.used.add(entry.rule.name)
        found.append(entry._replace(ignored=bool(by)))
    return found


def doubtful(loaded: Loaded) -> set[str] | None:
    """The files that were not read whole; None where the run does not see all that a finding may depend on.

    What is not found there may be there all the same: in another part of the project, or by the tables alone where the
    run checks against hosts.
    """
    if not loaded.whole or loaded.project.hosts:
        return None
    return {problem.path for problem in loaded.problems} | {template.path for template in loaded.templates}


def _once_per_object(raw: list[Raw]) -> list[Raw]:
    """What a rule says of several forms of one object (the overlays of a base, the choices of a task) at one place.

    The gravest form speaks for all, the first of equals. A rule that looks at the project says one thing of an object
    at a place: which form it has looked at nobody else knows.
    """
    speakers: dict[tuple[object, ...], tuple[tuple[bool, int], object]] = {}
    for entry in raw:
        level = entry.finding.level or load_page(entry.rule.family, entry.rule.name).level
        grave = entry.ignored, LEVELS.index(level)  # what one form is silenced for, another may still have to say
        known = speakers.get(entry.identity())
        if known is None or grave < known[0]:
            speakers[entry.identity()] = grave, _form(entry)
    return [entry for entry in raw if entry.ref is None or speakers[entry.identity()][1] is _form(entry)]


def _form(entry: Raw) -> object:
    return entry.finding if entry.rule.subject == "Project" else entry.subject


def _report(
    raw: list[Raw], levels: dict[str, Level], root_path: Callable[[str], str]
) -> tuple[list[Reported], list[Reported]]:
    """The findings as they are reported, and those that are ignored: they count in the fingerprints of their likes."""
    if not raw:
        return [], []
    from hashlib import sha256

    reported: list[Reported] = []
    ignored: list[Reported] = []
    occurrences: dict[tuple[str, ...], int] = {}
    seen: set[tuple[object, ...]] = set()
    for rule, finding, ref, _, is_ignored in raw:
        place = finding.place
        finding.message, finding.help = readable(finding.message), readable(finding.help)
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
        (ignored if is_ignored else reported).append(
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
    return reported, ignored
