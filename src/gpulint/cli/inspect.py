"""`gpulint inspect`: what gpulint understood."""

from __future__ import annotations

import sys

import click

from gpulint.cli._run import EXIT_ERROR, find_files, read, tell, wants_color, write


@click.command(name="inspect")
@click.argument("paths", nargs=-1, metavar="[PATH]...")
@click.option("--format", "style", type=click.Choice(["tree", "json"]), default="tree", show_default=True)
@click.option("--config", "config_path", metavar="FILE", help="Use this configuration and no other.")
@click.option("--color", type=click.Choice(["auto", "always", "never"]), default="auto", show_default=True)
def command(paths: tuple[str, ...], style: str, config_path: str | None, color: str) -> None:
    """Show the workloads, engines, GPUs, autoscalers, MIG plans and alerts in the files, and how they join."""
    from gpulint.model import view

    files, _ = find_files(paths, config_path)
    loaded = read(paths, files)
    data = view.inspection(loaded.project, loaded.scope)
    if style == "json":
        import json

        write(json.dumps(data, indent=2, ensure_ascii=False) + "\n", None)
    else:
        write(view.tree(data, color=wants_color(color)), None)
    tell(loaded.problems)
    if loaded.problems:
        sys.exit(EXIT_ERROR)
