"""`gpulint check`: lint files, folders or standard input."""

from __future__ import annotations

import sys
from collections.abc import Callable

import click

from gpulint.cli._run import (
    EXIT_ERROR,
    EXIT_FINDINGS,
    fail,
    find_files,
    hosts_to_check,
    read,
    root_relative,
    tell,
    terminal_width,
    wants_color,
    write,
)
from gpulint.config import Config
from gpulint.finding import LEVELS, Level, Reported, at_least
from gpulint.lint import UnknownRule, examine, selected_rules
from gpulint.report import FORMATS, Report, render
from gpulint.rules import rule_names


@click.command(name="check")
@click.argument("paths", nargs=-1, metavar="[PATH]...")
@click.option(
    "--format",
    "formats",
    multiple=True,
    metavar="FORMAT[=FILE]",
    help=f"One of {', '.join(FORMATS)}; to FILE instead of stdout. Several at once are fine.",
)
@click.option("--select", multiple=True, metavar="NAME", help="Run only these rules or families.")
@click.option("--ignore", multiple=True, metavar="NAME", help="Leave out these rules or families.")
@click.option("--level-of", multiple=True, metavar="NAME=LEVEL", help="Change the level of a rule or family.")
@click.option("--fail-on", type=click.Choice(LEVELS), help="Lowest level that gives exit status 1 (default: warning).")
@click.option("--exit-zero", is_flag=True, help="Exit 0 whatever is found; errors still exit 2.")
@click.option("--statistics", is_flag=True, help="Show how often each rule found something, not the findings.")
@click.option("--fix", "fixing", is_flag=True, help="Repair what can be repaired safely, and report what remains.")
@click.option("--unsafe-fixes", is_flag=True, help="With --fix or --diff: also fixes that are to be looked at.")
@click.option("--diff", is_flag=True, help="Show what --fix would change, as a diff, and change nothing.")
@click.option("--baseline", metavar="FILE", help="Leave out the findings that this file knows.")
@click.option("--write-baseline", is_flag=True, help="Write what is found now to the baseline.")
@click.option(
    "--host",
    "host_files",
    multiple=True,
    metavar="FILE",
    help="Check against a host that `gpulint live --save` described; several are alternatives, one per node type.",
)
@click.option("--config", "config_path", metavar="FILE", help="Use this configuration and no other.")
@click.option("--color", type=click.Choice(["auto", "always", "never"]), default="auto", show_default=True)
def command(
    paths: tuple[str, ...],
    formats: tuple[str, ...],
    select: tuple[str, ...],
    ignore: tuple[str, ...],
    level_of: tuple[str, ...],
    fail_on: Level | None,
    exit_zero: bool,
    statistics: bool,
    fixing: bool,
    unsafe_fixes: bool,
    diff: bool,
    baseline: str | None,
    write_baseline: bool,
    host_files: tuple[str, ...],
    config_path: str | None,
    color: str,
) -> None:
    """Lint files and folders (default: the current folder); - reads standard input.

    Named files say what is reported; the rest of their project is read too, so that a change to an autoscaler shows
    what it does to the workload in another file.

    What is known and meant is left out by a comment `# gpulint: ignore[NAME] reason` on its line or right above it, by
    `# gpulint: ignore-file[NAME]` at the top of a file, or by the annotation `gpulint.dev/ignore: NAME` of an object.

    Exit status: 0 nothing at or above --fail-on, 1 findings, 2 anything that could not be read or done. With --diff: 1
    if there is something to change.
    """
    outputs = _outputs(formats, statistics)
    if fixing or unsafe_fixes or diff:
        _refuse_with_fixes(paths, formats, fixing, diff, statistics, write_baseline)
    files, config = find_files(paths, config_path)
    rules, levels = _rules(config, select, ignore, level_of)
    baseline = baseline or config.baseline
    if write_baseline and baseline is None:
        fail("--write-baseline needs to know where: give --baseline FILE, or set baseline in the configuration")
    hosts = hosts_to_check(host_files)
    to_root = root_relative(files.root)

    def look() -> tuple[Report, set[str]]:
        loaded = read(paths, files, hosts)
        everything, failed, ignored = examine(loaded, rules, levels=levels, root_path=to_root)
        findings = _without_ignored_paths(everything, config, to_root)
        report = Report(
            findings=findings,
            errors=[*loaded.problems, *failed],
            templates=loaded.templates,
            files_checked=len(loaded.scope),
            rules=rules,
            root_path=to_root,
            ignored=len(ignored) + len(everything) - len(findings),
        )
        if baseline is not None:
            from gpulint.cli import _baseline

            _baseline.apply(report, loaded, files, baseline, rewrite=write_baseline)
        return report, loaded.scope

    if fixing or diff:
        from gpulint.cli import _fix

        report, changes = _fix.run(look, files, unsafe=unsafe_fixes, write=not diff)
        if diff:
            write(_fix.as_diff(changes, color=wants_color(color)), None)
            tell(report.errors)
            sys.exit(EXIT_ERROR if report.errors else EXIT_FINDINGS if changes and not exit_zero else 0)
    else:
        report, _ = look()
    for name, file in outputs:
        painted = file is None and wants_color(color)
        if statistics and file is None:
            from gpulint.report import _statistics

            write(_statistics.render(report, color=painted), None)
        else:
            write(render(report, name, color=painted, width=terminal_width()), file)
    tell(report.errors)
    if report.errors:
        sys.exit(EXIT_ERROR)
    threshold = fail_on or config.fail_on
    if not exit_zero and any(at_least(finding.level, threshold) for finding in report.findings):
        sys.exit(EXIT_FINDINGS)


def _refuse_with_fixes(
    paths: tuple[str, ...],
    formats: tuple[str, ...],
    fixing: bool,
    diff: bool,
    statistics: bool,
    write_baseline: bool,
) -> None:
    """Exits with status 2 where fixes and another option do not go together."""
    if not fixing and not diff:
        fail("--unsafe-fixes says which fixes: give --fix to make them, or --diff to see them")
    if "-" in paths:
        fail("standard input cannot be fixed: name the files")
    if write_baseline:
        fail("--write-baseline is for what remains: fix first, then write it")
    if diff and (formats or statistics):
        fail("--diff prints a diff and no report: leave --format and --statistics out")


def _outputs(formats: tuple[str, ...], statistics: bool) -> list[tuple[str, str | None]]:
    outputs: list[tuple[str, str | None]] = []
    if statistics:
        if any("=" not in text and text != "text" for text in formats):
            fail("--statistics is text for standard output: give the other formats a file with FORMAT=FILE")
        formats = ("text", *(text for text in formats if text != "text"))
    for text in formats or ("text",):
        name, _, file = text.partition("=")
        if name not in FORMATS:
            fail(f"unknown format {name!r}; known are {', '.join(FORMATS)}")
        outputs.append((name, file or None))
    for kind in ("stdout", "file"):
        targets = [file for _, file in outputs if (file is None) == (kind == "stdout")]
        if len(targets) != len(set(targets)):
            where = "stdout" if kind == "stdout" else "the same file"
            fail(f"two formats would be written to {where}: give each its own with FORMAT=FILE")
    return outputs


def _rules(
    config: Config, select: tuple[str, ...], ignore: tuple[str, ...], level_of: tuple[str, ...]
) -> tuple[list[str], dict[str, Level]]:
    given: list[tuple[str, Level]] = []
    for text in level_of:
        name, _, word = text.partition("=")
        level = next((level for level in LEVELS if level == word), None)
        if level is None:
            fail(f"--level-of {text}: write NAME=LEVEL with a level of {', '.join(LEVELS)}")
        given.append((name, level))
    try:
        levels = _by_rule(list(config.levels.items())) | _by_rule(given)
        for names in config.per_path_ignores.values():
            selected_rules(names, ())
        return selected_rules(_split(select) or config.select, [*config.ignore, *_split(ignore)]), levels
    except UnknownRule as error:
        close = f"; did you mean {' or '.join(error.close)}?" if error.close else ""
        fail(f"there is no rule or family called {error.name!r} (`gpulint rules` lists them){close}")


def _by_rule(given: list[tuple[str, Level]]) -> dict[str, Level]:
    """The levels of rules; what is said of a rule beats what is said of its family. Raises UnknownRule."""
    families = rule_names()
    levels: dict[str, Level] = {}
    for name, level in sorted(given, key=lambda entry: entry[0] in families):
        for rule in selected_rules([name], ()):
            levels[rule] = level
    return levels


def _split(words: tuple[str, ...]) -> list[str]:
    return [name.strip() for word in words for name in word.split(",") if name.strip()]


def _without_ignored_paths(findings: list[Reported], config: Config, to_root: Callable[[str], str]) -> list[Reported]:
    if not config.per_path_ignores or not findings:
        return findings
    from pathspec import GitIgnoreSpec

    specs: list[tuple[GitIgnoreSpec, set[str]]] = []
    for pattern, names in config.per_path_ignores.items():
        try:
            specs.append((GitIgnoreSpec.from_lines([pattern]), set(selected_rules(names, ()))))
        except ValueError as error:
            fail(f"{config.path}: per-path-ignores: {error}")
    return [
        finding
        for finding in findings
        if not any(
            finding.rule in names and spec.match_file(to_root(finding.place.source.path)) for spec, names in specs
        )
    ]
