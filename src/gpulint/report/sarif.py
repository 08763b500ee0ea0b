"""SARIF 2.1.0, as GitHub code scanning wants it.

Sections (§) are those of the OASIS standard, "Static Analysis Results Interchange Format (SARIF) Version 2.1.0".
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from gpulint import __version__, pages, rules
from gpulint.finding import Evidence, Fix, Level, Reported
from gpulint.report import HOME, Report
from gpulint.report._display import to_json, value_text, visible
from gpulint.source.text import Place, Source
from gpulint.source.yaml import Problem

_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_ROOT = "%SRCROOT%"
_LEVELS: dict[Level, str] = {"error": "error", "warning": "warning", "info": "note"}
_SEVERITIES: dict[Level, str] = {"error": "error", "warning": "warning", "info": "recommendation"}
# GitHub's limits: characters of a description, tags that it shows.
_DESCRIPTION_LIMIT = 1024
_TAGS_LIMIT = 10

Json = dict[str, Any]
ToRoot = Callable[[str], str]


def render(report: Report, *, color: bool, width: int) -> str:  # noqa: ARG001  # for programs
    """One run: all enabled rules, the findings worst first (code scanning shows 5,000 at most), and what went wrong."""
    families = {**{reported.rule: reported.family for reported in report.findings}, **rules.rule_names()}
    names = list(dict.fromkeys([*report.rules, *(reported.rule for reported in report.findings)]))
    index = {name: number for number, name in enumerate(names)}
    worst_first = sorted(report.findings, key=lambda reported: list(_LEVELS).index(reported.level))
    driver = {
        "name": "gpulint",
        "semanticVersion": __version__,
        "informationUri": HOME,
        "rules": [_rule(name, families[name], report) for name in names],
    }
    run = {
        "tool": {"driver": driver},
        "columnKind": "utf16CodeUnits",
        "newlineSequences": ["\r\n", "\n", "\r"],
        "originalUriBaseIds": {_ROOT: {"description": {"text": "The root of the project that was checked."}}},
        "invocations": [_invocation(report)],
        "results": [_result(reported, index[reported.rule], report.root_path) for reported in worst_first],
    }
    return to_json({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]})


# -- rules


def _rule(name: str, family: str, report: Report) -> Json:
    """A rule's descriptor, from its page; one that has no page is described by its name.

    Where that is not a finding of gpulint itself but a fault of the installation, it becomes an error of the report.
    """
    rule: Json = {"id": f"gpulint/{name}", "name": "".join(word.capitalize() for word in name.split("-"))}
    try:
        page = pages.load_page(family, name)
    except pages.PageError as error:
        if name in rules.rule_names():
            report.errors.append(Problem("gpulint", None, f"rule {name}: {error}"))
        text = {"text": _sentence(name.replace("-", " ").capitalize())}
        return {**rule, "shortDescription": text, "fullDescription": text, "help": text}
    uri = f"{HOME}/blob/main/{page.path}"
    links = "\n".join(f"- <{link}>" for link in [uri, *page.references])
    properties: Json = {
        "tags": list(dict.fromkeys([family, *page.tags]))[:_TAGS_LIMIT],
        "precision": page.confidence,  # GitHub's words too; its fourth, very-high, is not claimed
        "problem.severity": _SEVERITIES[page.level],
    }
    if "security-severity" in page.front_matter:  # its presence alone makes every result of the rule a security alert
        properties["security-severity"] = str(page.front_matter["security-severity"])
    return {
        **rule,
        "shortDescription": {"text": _description(page.summary)},
        "fullDescription": {"text": _description(_first_paragraph(page.prose) or page.summary)},
        "help": {
            "text": f"{_plain(page.prose)}\n\n{links}",
            "markdown": f"{page.prose}\n\n{links}",
        },
        "helpUri": uri,
        "defaultConfiguration": {"level": _LEVELS[page.level]},
        "properties": properties,
    }


def _first_paragraph(prose: str) -> str:
    return next((block for block in re.split(r"\n\s*\n", prose) if block and not block.startswith(("#", "```"))), "")


def _plain(markdown: str) -> str:
    """Markdown's text: links by their text, without the marks of headings, code and emphasis."""
    text = re.sub(r"!?\[([^\]]*)\]\([^)\s]*\)", r"\1", markdown)
    return re.sub(r"^#+ +|^```.*\n?|\*\*|`", "", text, flags=re.MULTILINE).strip()


def _description(markdown: str) -> str:
    text = " ".join(_plain(markdown).split())
    if len(text) >= _DESCRIPTION_LIMIT:
        text = text[: _DESCRIPTION_LIMIT - 2].rsplit(" ", 1)[0] + "…"
    return _sentence(text)


def _sentence(text: str) -> str:
    text = text.rstrip()
    return text if text.endswith((".", "!", "?")) else f"{text}."


# -- results


def _result(reported: Reported, rule_index: int, to_root: ToRoot) -> Json:
    finding = reported.finding
    related = _related(finding.evidence)
    parts = [_escaped(_sentence(visible(finding.message)))]
    if finding.evidence:
        # A related location is shown only if the message links to it (§3.11.6).
        numbers = {id(evidence): number for number, evidence, _ in related}
        texts = [(_escaped(_evidence(evidence)), numbers.get(id(evidence))) for evidence in finding.evidence]
        listed = ", ".join(text if number is None else f"[{text}]({number})" for text, number in texts)
        parts.append(f"Evidence: {listed}.")
    if finding.help:
        parts.append(_escaped(_sentence(visible(finding.help))))
    result: Json = {
        "ruleId": f"gpulint/{reported.rule}",
        "ruleIndex": rule_index,
        "level": _LEVELS[reported.level],
        "message": {"text": "\n\n".join(parts)},
        "locations": [_location(reported.place, to_root)],
        "partialFingerprints": {"gpulint/v1": reported.fingerprint},
    }
    if reported.fix is not None:
        result["fixes"] = [_fix(reported.fix, to_root)]
    if related:
        result["relatedLocations"] = [
            {"id": number, **_location(place, to_root, _evidence(evidence))} for number, evidence, place in related
        ]
        steps = [_location(place, to_root, _evidence(evidence)) for _, evidence, place in related]
        steps.append(_location(reported.place, to_root, visible(finding.message)))
        result["codeFlows"] = [{"threadFlows": [{"locations": [{"location": step} for step in steps]}]}]
    return result


def _fix(fix: Fix, to_root: ToRoot) -> Json:
    """All edits are in one file. What a replacement inserts is left out where it only deletes (§3.57.4)."""
    replacements = []
    for edit in sorted(fix.edits, key=lambda edit: edit.place.start):
        inserted = {"insertedContent": {"text": edit.text}} if edit.text else {}
        replacements.append({"deletedRegion": _region(edit.place), **inserted})
    artifact = _artifact(to_root(fix.edits[0].place.source.path))
    return {
        "description": {"text": _escaped(_sentence(visible(fix.title)))},
        "artifactChanges": [{"artifactLocation": artifact, "replacements": replacements}],
    }


def _related(evidence: list[Evidence]) -> list[tuple[int, Evidence, Place]]:
    """The evidence that was read from a place, numbered from 1."""
    placed = [(item, item.place) for item in evidence if item.place is not None]
    return [(number, item, place) for number, (item, place) in enumerate(placed, start=1)]


def _evidence(evidence: Evidence) -> str:
    return f"{visible(evidence.label)}: {value_text(evidence.value)}"


def _escaped(text: str) -> str:
    """Text in which nothing is a link. §3.11.6 asks for it in link texts alone; CodeQL and GitHub do it throughout."""
    return re.sub(r"([\[\]\\])", r"\\\1", text)


def _location(place: Place, to_root: ToRoot, message: str | None = None) -> Json:
    artifact = _artifact(to_root(place.source.path))
    location: Json = {"physicalLocation": {"artifactLocation": artifact, "region": _region(place)}}
    if message is not None:
        location["message"] = {"text": _escaped(_sentence(message))}
    return location


def _artifact(path: str) -> Json:
    """A relative reference under the root, percent-encoded byte by byte; a file URI for a path outside the project."""
    try:
        uri = quote(path, errors="surrogateescape")
    except UnicodeEncodeError:  # a surrogate that stands for no byte
        uri = quote(re.sub("[\ud800-\udfff]", "\ufffd", path))
    return {"uri": f"file://{uri}"} if path.startswith("/") else {"uri": uri, "uriBaseId": _ROOT}


def _region(place: Place) -> Json:
    line, column, end_line, end_column = place.region()
    return {
        "startLine": line,
        "startColumn": _utf16_column(place.source, line, column),
        "endLine": end_line,
        "endColumn": _utf16_column(place.source, end_line, end_column),
    }


def _utf16_column(source: Source, line: int, column: int) -> int:
    start = source.line_starts()[line - 1]
    before = source.text[start : start + column - 1]
    return column if before.isascii() else column + sum(character > "\uffff" for character in before)


# -- the run


def _invocation(report: Report) -> Json:
    """What could not be read, as warnings of a run that succeeded.

    An `error` among the notifications means that the run failed (§3.20.21), and code scanning refuses all results of
    a run that says so; these are valid, if incomplete, which is what `warning` means (§3.58.6).
    """
    notifications = []
    for error in sorted(report.errors, key=lambda error: (error.path, error.line or 0, error.reason)):
        notification: Json = {"level": "warning", "message": {"text": _escaped(_sentence(visible(error.reason)))}}
        if error.path:
            location: Json = {"artifactLocation": _artifact(report.root_path(error.path))}
            if error.line is not None:
                location["region"] = {"startLine": error.line}
            notification["locations"] = [{"physicalLocation": location}]
        notifications.append(notification)
    return {"executionSuccessful": True, "toolExecutionNotifications": notifications}
