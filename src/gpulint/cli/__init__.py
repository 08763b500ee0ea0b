"""The command line. Each command is a module of this package, imported only when it runs."""

from __future__ import annotations

import gc
import importlib
import os
from collections.abc import Sequence
from typing import Any

import click

from gpulint import __version__


class _LazyGroup(click.Group):
    """Finds a command `name` in the module `gpulint.cli.<name>`."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        folder = os.path.dirname(os.path.abspath(__file__))
        return sorted(file[:-3] for file in os.listdir(folder) if file.endswith(".py") and not file.startswith("_"))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.list_commands(ctx):
            return None
        command: click.Command = importlib.import_module(f"gpulint.cli.{cmd_name}").command
        return command

    def main(self, args: Sequence[str] | None = None, *rest: Any, **options: Any) -> Any:  # noqa: ANN401
        if args is None:  # a process of its own
            # Nearly all that a run makes lives until its end: looking for garbage as often as usual costs time alone.
            gc.set_threshold(100_000)
        try:
            return super().main(args, *rest, **options)
        except BrokenPipeError:
            # The reader of a pipe has gone (`gpulint check | head`): nobody is left to tell.
            os._exit(1)


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="gpulint")
def main() -> None:
    """Finds what will fail, hang, waste GPUs or scale on the wrong signal, before it is applied."""
