"""`gpulint init`: a configuration, a pre-commit entry and a CI job to begin with."""

from __future__ import annotations

import os
from typing import NamedTuple

import click

from gpulint import __version__
from gpulint.cli._run import fail, write
from gpulint.discovery import project_root
from gpulint.report import HOME

_SOURCE = f"git+{HOME}@v{__version__}"
_CONFIGURATION = """\
#:schema https://raw.githubusercontent.com/gpulint/gpulint/main/schemas/config.schema.json
# How gpulint checks this repository. What stands here are the defaults.

# Rules or families that run (all where it is empty) and that do not; `gpulint rules` lists them.
select = []
ignore = []

# Files that are not read: patterns as in .gitignore.
exclude = []

# The lowest level that fails a run: error, warning or info.
fail-on = "warning"

# Findings to be mended later: uncomment this, and run `gpulint check --write-baseline`.
# baseline = "gpulint-baseline.json"

# Other levels for rules or families.
[levels]
# oversized-gpu = "warning"

# Rules or families that are silent in some files.
[per-path-ignores]
# "clusters/dev/" = ["scaling"]
"""
_PRE_COMMIT_ENTRY = f"""\
  - repo: {HOME}
    rev: v{__version__}
    hooks:
      - id: gpulint
"""
# The commands write annotations; code scanning, which not every repository has, is in the README.
_GITHUB = f"""\
name: gpulint
on:
  push:
  pull_request:
permissions:
  contents: read
jobs:
  gpulint:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
        with:
          persist-credentials: false
      - uses: actions/setup-python@v5
        with:
          python-version: "3.13"
      - run: python -m pip install --quiet "{_SOURCE}"
      - run: gpulint check --format github
"""
_GITLAB = f"""\
gpulint:
  image: python:3.13
  script:
    - python -m pip install --quiet "{_SOURCE}"
    - gpulint check --format text --format gitlab=gl-code-quality-report.json
  artifacts:
    when: always
    reports:
      codequality: gl-code-quality-report.json
"""


class _File(NamedTuple):
    """A file to write. `addition` is what goes into one that is there already, None where that is left as it is."""

    path: str
    text: str
    addition: str | None = None


@click.command(name="init")
@click.option("--pre-commit", "pre_commit", is_flag=True, help="Write .pre-commit-config.yaml too.")
@click.option("--github", is_flag=True, help="Write a workflow for GitHub Actions too.")
@click.option("--gitlab", is_flag=True, help="Write .gitlab-ci.yml too.")
@click.option("--print", "only_print", is_flag=True, help="Write nothing: show what would be written.")
def command(pre_commit: bool, github: bool, gitlab: bool, only_print: bool) -> None:
    """Write gpulint.toml at the top of the project, and show how to run gpulint in pre-commit and CI.

    A file that is there already is never changed: what belongs into it is shown instead.
    """
    root = project_root(os.getcwd()) or os.getcwd()
    optional = {
        _File(".pre-commit-config.yaml", f"repos:\n{_PRE_COMMIT_ENTRY}", _PRE_COMMIT_ENTRY): pre_commit,
        _File(os.path.join(".github", "workflows", "gpulint.yaml"), _GITHUB): github,
        _File(".gitlab-ci.yml", _GITLAB, _GITLAB): gitlab,
    }
    wanted = [_File("gpulint.toml", _CONFIGURATION), *(file for file, chosen in optional.items() if chosen)]
    lines: list[str] = []
    for file in wanted:
        lines += [f"# {_shown(root, file)}", file.text] if only_print else _written(root, file)
    if len(wanted) == 1 and not only_print:
        on_gitlab = os.path.lexists(os.path.join(root, ".gitlab-ci.yml"))
        options = ["--pre-commit", "--gitlab" if on_gitlab else "--github"]
        lines.append(
            f"Run it before each commit and in CI: gpulint init {' '.join(options)} (with --print to see it first)"
        )
    write("\n".join(lines).rstrip("\n") + "\n", None)


def _shown(root: str, file: _File) -> str:
    return os.path.relpath(os.path.join(root, file.path)).replace(os.sep, "/")


def _written(root: str, file: _File) -> list[str]:
    path, shown = os.path.join(root, file.path), _shown(root, file)
    if file.path == "gpulint.toml" and _is_configured(root):
        return ["pyproject.toml configures gpulint already: no gpulint.toml is written"]
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        # "x": a file that appears in the meantime is not overwritten, and no link is followed.
        with open(path, "x", encoding="utf-8", newline="\n") as out:
            out.write(file.text)
    except FileExistsError:
        if file.addition is None:
            return [f"{shown} is there already: left as it is"]
        return [f"{shown} is there already: left as it is. Add to it:", "", file.addition]
    except OSError as error:
        fail(f"{shown}: {(error.strerror or str(error)).lower()}")
    return [f"Wrote {shown}"]


def _is_configured(root: str) -> bool:
    try:
        with open(os.path.join(root, "pyproject.toml"), "rb") as file:
            return b"tool.gpulint" in file.read()
    except OSError:
        return False
