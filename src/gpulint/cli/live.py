"""`gpulint live`: the GPUs of this host, and the same checks against them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from gpulint.cli import check
from gpulint.cli._run import fail, wants_color, write

if TYPE_CHECKING:
    from gpulint.model.host import Host


@click.command(name="live")
@click.argument("paths", nargs=-1, metavar="[PATH]...")
@click.option("--save", metavar="FILE", help="Write the host as JSON, for `gpulint check --host FILE` elsewhere.")
@click.option(
    "--identifiers",
    is_flag=True,
    help="Read UUIDs, serial numbers, host name, and ids and names of processes too, which are otherwise left alone.",
)
@click.pass_context
def command(
    context: click.Context,
    /,
    paths: tuple[str, ...],
    save: str | None,
    identifiers: bool,
    **options: Any,  # noqa: ANN401  # those of check
) -> None:
    """Check files and folders against the GPUs of this host; without a path, describe the host.

    Reads NVML, changes nothing on the GPUs and needs no privilege. All options of `gpulint check` hold for the check;
    a description is text or, with --format json, what --save writes.

    Exit status: as for check; 2 where the GPUs of this host cannot be read.
    """
    formats: tuple[str, ...] = options["formats"]
    file = None
    if not paths:
        style, _, file = (formats[0] if len(formats) == 1 else ",".join(formats) or "text").partition("=")
        if style not in ("text", "json"):
            fail(f"unknown format {style!r} for the description of a host; known are text, json")
    host = _read_host(identifiers)
    from gpulint.live import hostfile

    if save is not None:
        write(hostfile.to_text(host), save)
    if paths:
        context.obj = [hostfile.measured(host)]
        context.invoke(check.command, paths=paths, host_files=(), **options)
    elif style == "json":
        write(hostfile.to_text(host), file or None)
    else:
        from gpulint.live.describe import describe

        write(describe(host, color=not file and wants_color(options["color"])), file or None)


command.params += [option for option in check.command.params if option.name not in ("paths", "host_files")]


def _read_host(identifiers: bool) -> Host:
    try:
        from gpulint.live.nvml import NvmlUnavailable, read_host
    except ModuleNotFoundError as error:
        if error.name != "pynvml":
            raise
        fail("gpulint live needs the package nvidia-ml-py: pip install 'gpulint[live]'")
    try:
        return read_host(identifiers=identifiers)
    except NvmlUnavailable as error:
        fail(str(error))
