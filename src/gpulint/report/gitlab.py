"""GitLab's code quality report: findings in the widget and the changes of a merge request.

Source: GitLab, "Code Quality", section "Code Quality report format".
"""

from __future__ import annotations

from typing import Any

from gpulint.finding import Level
from gpulint.report import Report
from gpulint.report._display import to_json, visible
from gpulint.source.yaml import Problem

_SEVERITIES: dict[Level, str] = {"error": "critical", "warning": "major", "info": "info"}


def render(report: Report, *, color: bool, width: int) -> str:  # noqa: ARG001  # for programs
    """The findings, and what could not be read: without that a report of nothing would look like a clean project."""
    problems = [_problem(error, report.root_path(error.path)) for error in report.errors]
    findings = [
        _issue(
            visible(reported.finding.message),
            reported.rule,
            reported.fingerprint,
            _SEVERITIES[reported.level],
            report.root_path(reported.place.source.path),
            reported.place.line,
        )
        for reported in report.findings
    ]
    return to_json([*problems, *findings], indent=2)


def _problem(error: Problem, path: str) -> dict[str, Any]:
    from hashlib import sha256

    identity = "\0".join(("", path, error.reason))
    digest = sha256(identity.encode("utf-8", "surrogatepass")).hexdigest()[:32]
    return _issue(visible(error.reason), "unreadable", digest, "blocker", path or ".", error.line or 1)


def _issue(description: str, rule: str, fingerprint: str, severity: str, path: str, line: int) -> dict[str, Any]:
    return {
        "description": description,
        "check_name": f"gpulint/{rule}",
        "fingerprint": fingerprint,
        "severity": severity,
        "location": {"path": path, "lines": {"begin": line}},
    }
