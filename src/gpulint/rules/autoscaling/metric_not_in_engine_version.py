"""A metric that the engine's version does not export: renamed, removed, or not yet there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from gpulint.finding import Evidence, Finding, Fix, Level
from gpulint.metrics.table import Metric, lookup
from gpulint.model.engine import Engine, Version
from gpulint.model.project import Project
from gpulint.rules import rule
from gpulint.rules.queries import ENGINES, Use, by_engine, uses
from gpulint.source.edits import ReplaceText

# An engine counts as the one that is watched if its file is no further away than this many folders.
_NEAR = 2
_SUFFIXES = ("_bucket", "_sum", "_count", "_total")


class Verdict(NamedTuple):
    """What becomes of a metric in a version, in words, and how grave that is."""

    text: str
    level: Level
    engine: Engine | None
    short: str = ""


class Stale(NamedTuple):
    """A metric of a dashboard's panel that no version of today has."""

    use: Use
    row: Metric
    verdict: Verdict


@rule("metric-not-in-engine-version")
def check(project: Project) -> Iterator[Finding]:
    all_engines = [engine for workload in project.workloads for engine in workload.engines]
    shown: dict[tuple[int, str, bool], list[Stale]] = {}
    for use in uses(project):
        row = lookup(use.name)
        if row is None or row.engine not in ENGINES or not _is_spelled_so(use, row):
            continue
        if any(_stands_in(other, row) for other in use.beside):
            continue  # `new or old` is right with every version
        if use.scaler is not None and use.scaler.workload is not None:
            own = use.scaler.workload.engines
        else:
            own = [engine for engine in all_engines if project.is_near(use.place, engine.place, _NEAR)]
        verdict = _verdict(row, [engine for engine in own if engine.name == row.engine], use)
        if verdict is None:
            continue
        if use.kind == "panel" and verdict.engine is None:
            group = id(use.ref), use.place.source.path, _new_name(use, row) is not None
            shown.setdefault(group, []).append(Stale(use, row, verdict))
            continue
        evidence = [Evidence("metric", use.name, use.place)]
        if verdict.engine is not None:
            evidence.append(Evidence("engine", verdict.engine.label, verdict.engine.place))
        yield Finding(
            place=use.place,
            message=f"{use.owner} reads {use.name}, {verdict.text}. {_effect(use)}",
            help=_help(use, row),
            evidence=evidence,
            ref=use.ref,
            level=verdict.level,
            fix=_fix(use, row, _of_kind(all_engines, row)),
        )
    for stale in shown.values():
        yield _of_dashboard(stale, all_engines)


def _of_dashboard(stale: list[Stale], engines: list[Engine]) -> Finding:
    """One finding for all that are renamed in a dashboard, or all that are gone: it was made for another version."""
    use, verdict = stale[0].use, stale[0].verdict
    names = {each.use.name: each for each in reversed(stale)}
    panels = dict.fromkeys(each.use.owner for each in stale)
    if len(names) == 1:
        more = f" and {len(panels) - 1} more read" if len(panels) > 1 else " reads"
        first = f"{use.owner}{more} {use.name}, {verdict.text}"
    else:
        listed = ", ".join(f"{name} ({names[name].verdict.short})" for name in dict.fromkeys(e.use.name for e in stale))
        who = f"{use.owner} and others of {use.ref.short} read" if len(panels) > 1 else f"{use.owner} reads"
        first = f"{who} {len(names)} series that are gone: {listed}"
    fixes = [(each, _fix(each.use, each.row, _of_kind(engines, each.row))) for each in stale]
    titles = dict.fromkeys(fix.title for _, fix in fixes if fix is not None)
    changes = [change for _, fix in fixes if fix is not None for change in fix.changes]
    return Finding(
        place=use.place,
        message=f"{first}. {_effect(use)}",
        help=" ".join(dict.fromkeys(_help(each.use, each.row, of=len(names) > 1) for each in stale)),
        evidence=[Evidence(each.use.owner, each.use.name, each.use.place) for each in stale],
        ref=use.ref,
        level="info",
        fix=Fix(", ".join(titles), changes, safe=all(fix is None or fix.safe for _, fix in fixes)) if changes else None,
    )


def _of_kind(engines: list[Engine], row: Metric) -> list[Engine]:
    return [engine for engine in engines if engine.name == row.engine]


def _is_spelled_so(use: Use, row: Metric) -> bool:
    """Whether it is the engine's own name: an adapter's name with `_` for `:` may stand for any series."""
    return ":" in use.name or ":" not in row.name


def _stands_in(name: str, row: Metric) -> bool:
    other = lookup(name)
    return (
        other is not None
        and other.name != row.name
        and (other.name == row.replacement or other.replacement == row.name)
    )


def _verdict(row: Metric, engines: list[Engine], use: Use) -> Verdict | None:
    known = [(engine.version, engine) for engine in engines if engine.version is not None]
    label = _display(row, engines)
    if known and len(known) == len(engines):
        version, engine = max(known, key=lambda pair: pair[0]) if row.status != "current" else min(known, key=_first)
        return _of_version(row, version, engine, label, use)
    if row.status == "removed":
        since = f"{label} {row.removed}" if row.removed else label
        text = f"which {since} no longer has" if row.removed is None else f"which is gone since {since}"
        worst: Level = "info" if use.worst == "info" else "warning"
        return Verdict(text, worst, None, f"since {since}" if row.removed else f"not in {label}")
    return None


def _first(pair: tuple[Version, Engine]) -> Version:
    return pair[0]


def _of_version(row: Metric, version: Version, engine: Engine, label: str, use: Use) -> Verdict | None:
    has = f"{engine.display_name} {engine.version_text}"
    milder: Level = "info" if use.worst == "info" else "warning"
    if row.introduced is not None and version < _tuple(row.introduced):
        return Verdict(f"which {has} does not have yet: it came with {row.introduced}", use.worst, engine)
    if row.removed is not None and version >= _tuple(row.removed):
        return Verdict(f"which {has} does not export: it is gone since {row.removed}", use.worst, engine)
    if row.hidden is not None and version >= _tuple(row.hidden):
        return Verdict(f"which {has} exports only on request, and {label} {row.removed} no longer", milder, engine)
    if row.deprecated is not None and version >= _tuple(row.deprecated):
        return Verdict(f"which is deprecated since {label} {row.deprecated} and goes away", "info", engine)
    return None


def _tuple(text: str) -> Version:
    return tuple(int(number) for number in re.findall(r"\d+", text))


def _display(row: Metric, engines: list[Engine]) -> str:
    names = {"vllm": "vLLM", "sglang": "SGLang", "llamacpp": "llama.cpp", "tgi": "TGI"}
    return engines[0].display_name if engines else names.get(row.engine, row.engine)


def _fix(use: Use, row: Metric, engines: list[Engine]) -> Fix | None:
    """Writes the new name of a metric; safely where every engine of its kind in the project has it under that name.

    What an HPA or an adapter's rule names, others name as well.
    """
    name = _new_name(use, row)
    new = lookup(row.replacement) if row.replacement is not None else None
    if name is None or new is None or use.kind in ("name", "adapter"):
        return None
    least = _tuple(new.introduced) if new.introduced is not None else ()
    have = bool(engines) and all(engine.version is not None and engine.version >= least for engine in engines)
    return Fix(f"Write {name}", [ReplaceText(place, use.name, name) for place in use.places], safe=have)


def _new_name(use: Use, row: Metric) -> str | None:
    """The new name of a metric that has only been renamed."""
    if row.replacement is None or not row.rename or row.status == "current":
        return None
    return row.replacement + next((s for s in _SUFFIXES if use.name.endswith(s) and not row.name.endswith(s)), "")


def _effect(use: Use) -> str:
    match use.kind:
        case "autoscaler":
            return (
                "A series that does not exist has no value: KEDA takes it for 0, which looks like an idle service, and "
                "scales down."
            )
        case "name":
            return "An HPA that cannot read its metric does nothing with it: no replica is added under load."
        case "adapter":
            return "The adapter serves nothing under that name, and an HPA that cannot read its metric adds no replica."
        case "alert":
            return "A comparison with a series that does not exist is never true: the alert stays silent."
    return "A series that does not exist leaves a gap where a value should be."


def _help(use: Use, row: Metric, *, of: bool = False) -> str:
    """What to read instead; `of` says instead of what, for a list."""
    of_what = f" for {use.name}" if of else ""
    if row.status == "current":
        before = next((old.name for old in by_engine(row.engine) if old.rename and old.replacement == row.name), None)
        name = f"Write {before}, its name until then" if before is not None else "Use a metric that the version has"
        return f"{name}, or run {row.introduced} or later."
    if row.replacement is None:
        if of:
            return f"Nothing has taken the place of {use.name}."
        return "Look for another signal: there is no metric in its place."
    new_name = _new_name(use, row)
    if new_name is not None:
        return f"Write {new_name}{of_what}: the same quantity under its new name."
    if use.kind == "panel":
        return f"Look at {_exported(row.replacement)}{of_what or ' instead'}; it is another quantity."
    return f"Look at {_exported(row.replacement)} instead; it is another quantity, so choose its target anew."


def _exported(name: str) -> str:
    """A counter under the name that its series has."""
    row = lookup(name)
    return f"{name}_total" if row is not None and row.type == "counter" and not name.endswith("_total") else name
