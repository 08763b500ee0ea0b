"""A metric with an engine's prefix that the engine has under another name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from gpulint.finding import Evidence, Finding, Fix
from gpulint.metrics.table import Metric, lookup
from gpulint.model.project import Project
from gpulint.rules import rule
from gpulint.rules.queries import Use, by_engine, uses
from gpulint.source.edits import ReplaceText

# Prefixes that belong to one engine each, and how its names are spelled in Prometheus.
_PREFIXES = {"vllm:": "vllm", "sglang:": "sglang", "lmdeploy:": "lmdeploy", "llamacpp:": "llamacpp", "tgi_": "tgi"}
_WITHOUT_COLON = ("vllm_", "sglang_", "lmdeploy_", "llamacpp_")
_NAMES = {"vllm": "vLLM", "sglang": "SGLang", "lmdeploy": "LMDeploy", "llamacpp": "llama.cpp", "tgi": "TGI"}


@rule("unknown-engine-metric")
def check(project: Project) -> Iterator[Finding]:
    own = {rule.name for rule in project.recording_rules} | {alias.name.value for alias in project.aliases}
    for use in uses(project):
        if use.name in own or use.kind == "panel":
            continue
        meant = _with_colon(use)
        if meant is not None:
            yield _finding(
                use,
                meant,
                f"{use.owner} reads {use.name}, and {_NAMES[meant.engine]} spells it with a colon: {meant.name}",
                "Prometheus keeps the colon, so no series has this name unless a collector on the way rewrites it.",
            )
            continue
        # What an HPA names is an adapter's, which may well add a word of its own.
        meant = _close(use.name, slips_alone=use.kind == "name")
        if meant is not None:
            yield _finding(
                use,
                meant,
                f"{use.owner} reads {use.name}, which {_NAMES[meant.engine]} does not export in any version",
                f"The metric that it has is called {meant.name}: a query for another name finds nothing.",
            )


def _finding(use: Use, meant: Metric, first: str, why: str) -> Finding:
    return Finding(
        place=use.place,
        message=f"{first}. {why}",
        help=f"Write {meant.name}, and look whether it is there: `count({meant.name})` in Prometheus.",
        evidence=[Evidence("metric", use.name, use.place), Evidence("engine has", meant.name)],
        ref=use.ref,
        fix=_fix(use, meant),
    )


def _fix(use: Use, meant: Metric) -> Fix | None:
    name = use.name.replace("_", ":", 1) if use.name.startswith(_WITHOUT_COLON) else meant.name
    if name.endswith("_total") != use.name.endswith("_total") or name == use.name:
        return None  # a counter's name, or its series'
    return Fix(f"Write {name}", [ReplaceText(place, use.name, name) for place in use.places], safe=False)


def _with_colon(use: Use) -> Metric | None:
    """The metric behind `vllm_x` in a query; as an HPA's metric the name is an adapter's, and may be so."""
    if use.kind == "name" or not use.name.startswith(_WITHOUT_COLON):
        return None
    row = lookup(use.name)
    return row if row is not None and row.name.partition(":")[0] == use.name.partition("_")[0] else None


def _close(name: str, *, slips_alone: bool) -> Metric | None:
    """The one metric of the engine that a name comes close to: a slip of letters, or the same words but for one."""
    engine = next((engine for prefix, engine in _PREFIXES.items() if name.startswith(prefix)), None)
    if engine is None or lookup(name) is not None:
        return None
    rows = [row for row in by_engine(engine) if row.status == "current"]
    slips = [row for row in rows if _distance_at_most_two(name, row.name)]
    if slips:
        return slips[0] if len(slips) == 1 else None
    if slips_alone:
        return None
    similar = [row for row in rows if _same_words(name, row.name)]
    return similar[0] if len(similar) == 1 else None


def _same_words(name: str, other: str) -> bool:
    first, second = _words(name), _words(other)
    shared = (first & second).total()
    return shared >= 3 and (first - second).total() + (second - first).total() <= 1


def _words(name: str) -> Counter[str]:
    plain = name.removesuffix("_total").replace(":", "_")
    return Counter(word.rstrip("s") for word in plain.split("_"))


def _distance_at_most_two(first: str, second: str) -> bool:
    """Whether two letters are missing, added or changed at most (Levenshtein)."""
    if abs(len(first) - len(second)) > 2:
        return False
    row = list(range(len(second) + 1))
    for i, letter in enumerate(first, start=1):
        previous, row[0] = row[0], i
        for j, other in enumerate(second, start=1):
            previous, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, previous + (letter != other))
    return row[-1] <= 2
