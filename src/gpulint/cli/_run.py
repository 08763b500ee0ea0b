"""What the commands share: reading the files of a run, colours, and errors on stderr."""

from __future__ import annotations

import gc
import os
import posixpath
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, NoReturn

import click

from gpulint.config import Config, ConfigError, find_config, read_config
from gpulint.discovery import Files, discover
from gpulint.load import Loaded, load
from gpulint.report._display import visible
from gpulint.source.yaml import Problem

if TYPE_CHECKING:
    from gpulint.model.host import KnownHost

EXIT_FINDINGS = 1
EXIT_ERROR = 2


def fail(message: str) -> NoReturn:
    """One line on stderr and exit status 2."""
    click.echo(f"gpulint: error: {visible(message)}", err=True)
    sys.exit(EXIT_ERROR)


def tell(problems: Iterable[Problem]) -> None:
    """Problems on stderr, one line each."""
    for problem in problems:
        where = problem.path if problem.line is None else f"{problem.path}:{problem.line}"
        click.echo(f"gpulint: error: {visible(where)}: {visible(problem.reason)}", err=True)


def configuration(path: str | None, root: str) -> Config:
    try:
        return read_config(path) if path is not None else find_config(root)
    except ConfigError as error:
        fail(str(error))


def find_files(paths: tuple[str, ...], config_path: str | None) -> tuple[Files, Config]:
    """The files that the command line names (default: the current folder) and the configuration that holds for them."""
    named = [path for path in paths or (".",) if path != "-"]
    files = discover(named, [], context=False) if named else Files(root=os.getcwd())
    config = configuration(config_path, files.root)
    if named:
        files = discover(named, config.exclude)
    return files, config


def read(paths: tuple[str, ...], files: Files, hosts: Iterable[KnownHost] = ()) -> Loaded:
    stdin = sys.stdin.buffer.read() if "-" in paths else None
    loaded = load(files, stdin, hosts)
    gc.freeze()  # what was read stays until the end: no collection, not even the last one, need look at it
    return loaded


def hosts_to_check(host_files: tuple[str, ...]) -> list[KnownHost]:
    """The hosts of `--host` and the one that `gpulint live` has measured before it runs another command."""
    hosts: list[KnownHost] = list(click.get_current_context().obj or ())
    if host_files:
        from gpulint.live.hostfile import HostError, read_host_file

        try:
            hosts += [read_host_file(path) for path in host_files]
        except HostError as error:
            fail(str(error))
    return hosts


def root_relative(root: str) -> Callable[[str], str]:
    """Turns a report path (relative to the current folder) into one relative to the project's root."""
    prefix = os.path.relpath(os.getcwd(), root).replace(os.sep, "/")

    def convert(path: str) -> str:
        return posixpath.normpath(posixpath.join(prefix, path)) if not path.startswith("<") else path

    return convert


def wants_color(choice: str) -> bool:
    """Whether to colour stdout: `--color`, then NO_COLOR and FORCE_COLOR, then whether it is a terminal.

    Source: no-color.org, force-color.org.
    """
    if choice != "auto":
        return choice == "always"
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return sys.stdout.isatty() and os.environ.get("TERM") != "dumb"


def terminal_width() -> int:
    """The columns that COLUMNS or the terminal says, 100 where neither does; at most 120."""
    # As shutil.get_terminal_size, which brings all of Python's compression with it.
    said = os.environ.get("COLUMNS", "")
    width = int(said) if said.isascii() and said.isdigit() and len(said) < 6 else 0
    if width == 0:
        with suppress(OSError):  # no terminal
            width = os.get_terminal_size().columns
    return min(width or 100, 120)


def write(text: str, file: str | None) -> None:
    """A report to stdout, or whole to a file. Exits with status 2 if the file cannot be written."""
    if file is None:
        data = text.encode("utf-8", "replace")
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
        return
    try:
        with open(file, "w", encoding="utf-8", errors="replace", newline="\n") as out:
            out.write(text)
    except OSError as error:
        fail(f"{file}: {(error.strerror or str(error)).lower()}")
