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
from gpulint.lint import UnknownRule, check, selected_rules
from gpulint.report import FORMATS, Report, render


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
@click.option("--level-of", multiple=True, metavar="NAME=LEVEL", help="Change a rule's level.")
@click.option("--fail-on", type=click.Choice(LEVELS), help="Lowest level that gives exit status 1 (default: warning).")
@click.option("--exit-zero", is_flag=True, help="Exit 0 whatever is found; errors still exit 2.")
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
    host_files: tuple[str, ...],
    config_path: str | None,
    color: str,
) -> None:
    """Lint files and folders (default: the current folder); - reads standard input.

    Named files say what is reported; the rest of their project is read too, so that a change to an autoscaler shows
    what it does to the workload in another file.

    Exit status: 0 nothing at or above --fail-on, 1 findings, 2 anything that could not be read or done.
    """
    outputs = _outputs(formats)
    files, config = find_files(paths, config_path)
    rules, levels = _rules(config, select, ignore, level_of)
    loaded = read(paths, files, hosts_to_check(host_files))
    to_root = root_relative(files.root)
    findings, failed = check(loaded, rules, levels=levels, root_path=to_root)
    findings = _without_ignored_paths(findings, config, to_root)
    report = Report(
        findings=findings,
        errors=[*loaded.problems, *failed],
        templates=loaded.templates,
        files_checked=len(loaded.scope),
        rules=rules,
        root_path=to_root,
    )
    for name, file in outputs:
        text = render(report, name, color=file is None and wants_color(color), width=terminal_width())
        write(text, file)
    tell(report.errors)
    if report.errors:
        sys.exit(EXIT_ERROR)
    threshold = fail_on or config.fail_on
    if not exit_zero and any(at_least(finding.level, threshold) for finding in findings):
        sys.exit(EXIT_FINDINGS)


def _outputs(formats: tuple[str, ...]) -> list[tuple[str, str | None]]:
    outputs: list[tuple[str, str | None]] = []
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
    levels = dict(config.levels)
    for text in level_of:
        name, _, word = text.partition("=")
        level = next((level for level in LEVELS if level == word), None)
        if level is None:
            fail(f"--level-of {text}: write NAME=LEVEL with a level of {', '.join(LEVELS)}")
        levels[name] = level
    try:
        selected_rules(levels, ())
        for names in config.per_path_ignores.values():
            selected_rules(names, ())
        return selected_rules(_split(select) or config.select, [*config.ignore, *_split(ignore)]), levels
    except UnknownRule as error:
        close = f"; did you mean {' or '.join(error.close)}?" if error.close else ""
        fail(f"there is no rule or family called {error.name!r} (`gpulint rules` lists them){close}")


def _split(words: tuple[str, ...]) -> list[str]:
    return [name.strip() for word in words for name in word.split(",") if name.strip()]


def _without_ignored_paths(findings: list[Reported], config: Config, to_root: Callable[[str], str]) -> list[Reported]:
    if not config.per_path_ignores or not findings:
        return findings
    from pathspec import GitIgnoreSpec

    specs = [
        (GitIgnoreSpec.from_lines([pattern]), set(selected_rules(names, ())))
        for pattern, names in config.per_path_ignores.items()
    ]
    return [
        finding
        for finding in findings
        if not any(
            finding.rule in names and spec.match_file(to_root(finding.place.source.path)) for spec, names in specs
        )
    ]
