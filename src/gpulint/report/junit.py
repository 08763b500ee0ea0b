"""JUnit's XML, as CI systems read it: a test suite for each file with findings, a failed test for each finding.

Source: Jenkins, xunit-plugin, junit-10.xsd.
"""

from __future__ import annotations

from itertools import groupby

from gpulint.finding import Reported
from gpulint.report import Report
from gpulint.report._display import visible

_ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;"}
_HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'


def render(report: Report, *, color: bool, width: int) -> str:  # noqa: ARG001  # for programs
    """The whole report. Findings of the level `info` are tests that pass, with what they say as their output.

    A file that could not be read is a test with an error; a run without either is one test that passes.
    """
    suites: list[str] = []
    failures = errors = tests = 0
    by_path = sorted(report.errors, key=lambda error: (error.path, error.line or 0, error.reason))
    if by_path:
        cases = [
            _case(
                report.root_path(error.path) or ".",
                "could not be read" if error.line is None else f"could not be read, line {error.line}",
                f"<error{_attributes(type='unreadable', message=error.reason)}/>",
            )
            for error in by_path
        ]
        suites.append(_suite("could not be read", None, cases, 0, len(cases)))
        tests, errors = len(cases), len(cases)
    for path, findings in groupby(report.findings, key=lambda reported: reported.place.source.path):
        listed = list(findings)
        failed = sum(reported.level != "info" for reported in listed)
        file = report.root_path(path)
        suites.append(_suite(file, file, [_test(reported, file) for reported in listed], failed, 0))
        tests, failures = tests + len(listed), failures + failed
    if not suites:
        suites.append(_suite("gpulint", None, [_case("gpulint", "no findings", "")], 0, 0))
        tests = 1
    counts = _attributes(name="gpulint", tests=tests, failures=failures, errors=errors)
    return f"{_HEAD}<testsuites{counts}>\n{''.join(suites)}</testsuites>\n"


def _suite(name: str, file: str | None, cases: list[str], failures: int, errors: int) -> str:
    counts = _attributes(name=name, tests=len(cases), failures=failures, errors=errors, file=file)
    return f"  <testsuite{counts}>\n{''.join(cases)}  </testsuite>\n"


def _test(reported: Reported, file: str) -> str:
    finding = reported.finding
    line, column, _, _ = reported.place.region()
    where = f"{file}:{line}:{column}" + (f" in {reported.ref}" if reported.ref else "")
    text = "\n".join(_text(part) for part in (finding.message, finding.help, where) if part)
    if reported.level == "info":
        body = f"<system-out>{text}</system-out>"
    else:
        body = f"<failure{_attributes(type=reported.level, message=finding.message)}>{text}</failure>"
    return _case(file, f"{reported.rule}, line {line}, column {column}", body)


def _case(classname: str, name: str, body: str) -> str:
    attributes = _attributes(classname=classname, name=name)
    return f"    <testcase{attributes}>{body}</testcase>\n" if body else f"    <testcase{attributes}/>\n"


def _attributes(**values: str | int | None) -> str:
    return "".join(f' {name}="{_text(str(value))}"' for name, value in values.items() if value is not None)


def _text(text: str) -> str:
    """Text that XML may hold: what does not print is escaped as everywhere, which leaves no forbidden character."""
    shown = visible(text)
    return "".join(_ESCAPES.get(character, character) for character in shown)
