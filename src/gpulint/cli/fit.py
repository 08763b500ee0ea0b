"""`gpulint fit`: what each model server's memory will hold."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

import click

from gpulint.cli._run import EXIT_ERROR, fail, find_files, read, tell, terminal_width, wants_color, write

if TYPE_CHECKING:
    from gpulint.capacity.models import ModelShape
    from gpulint.model.engine import Engine
    from gpulint.model.serving import Gpus, Server, Shapes
    from gpulint.model.workload import Workload

_FORMATS = ("table", "json", "html")
_LAUNCH = "gpulint.launch"


class _Command(click.Command):
    """Sets aside what follows `--`: a launch command."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if "--" in args:
            at = args.index("--")
            ctx.meta[_LAUNCH] = args[at + 1 :]
            args = args[:at]
        return super().parse_args(ctx, args)


@click.command(name="fit", cls=_Command)
@click.argument("paths", nargs=-1, metavar="[PATH]... [-- COMMAND...]")
@click.option(
    "--gpu",
    "gpu_name",
    metavar="NAME",
    help="Product, NVML name, node label, instance type, or GPU:MIG-profile; for servers whose GPU is not known.",
)
@click.option("--gpu-memory-gib", type=float, metavar="X", help="Memory of one GPU as CUDA reports it.")
@click.option("--gpu-count", type=click.IntRange(min=1), metavar="N", help="GPUs, for engines that take all they see.")
@click.option("--engine-version", metavar="V", help="Version of the engine, where no image says it.")
@click.option("--model-config", metavar="FILE", help="A config.json that beats the table of models.")
@click.option("--hub", is_flag=True, help="Read the config.json of unknown models from the hub (needs gpulint[hub]).")
@click.option(
    "--length", "lengths", multiple=True, type=click.IntRange(min=1), help="Requests of this many tokens too."
)
@click.option("--explain", is_flag=True, help="Every term with its formula, value and source.")
@click.option("--format", "formats", multiple=True, metavar="FORMAT[=FILE]", help=f"One of {', '.join(_FORMATS)}.")
@click.option("--config", "config_path", metavar="FILE", help="Use this configuration and no other.")
@click.option("--color", type=click.Choice(["auto", "always", "never"]), default="auto", show_default=True)
@click.pass_context
def command(
    ctx: click.Context,
    paths: tuple[str, ...],
    gpu_name: str | None,
    gpu_memory_gib: float | None,
    gpu_count: int | None,
    engine_version: str | None,
    model_config: str | None,
    hub: bool,
    lengths: tuple[int, ...],
    explain: bool,
    formats: tuple[str, ...],
    config_path: str | None,
    color: str,
) -> None:
    """Weights, KV cache, tokens and concurrent requests of each model server, and whether it fits its GPU.

    For the files and folders named (default: the current folder), or for the launch command that follows --:

    gpulint fit --gpu H100-SXM5-80GB -- vllm serve meta-llama/Llama-3.1-8B-Instruct

    Exit status: 0, or 2 where something could not be read. `gpulint check` fails on what does not fit.
    """
    outputs = _outputs(formats)
    launch: list[str] | None = ctx.meta.get(_LAUNCH)
    shapes = _shapes(model_config, hub)
    gpus = _gpus(gpu_name, gpu_memory_gib, gpu_count)
    problems = []
    if launch is not None:
        if paths:
            fail("name files, or a launch command after --, not both")
        servers = [_typed(launch, engine_version, gpus, shapes)]
    else:
        from gpulint.model.serving import gpus_of, server_of

        files, _ = find_files(paths, config_path)
        loaded = read(paths, files)
        problems = loaded.problems
        servers = [
            server_of(engine, gpus=None if gpus_of(engine) is not None else gpus, shapes=shapes)
            for workload in loaded.project.workloads
            for engine in workload.engines
            if _in_scope(engine, workload, loaded.scope)
        ]
    from gpulint.report._fit import fit_data

    data = fit_data(servers, lengths)
    for name, file in outputs:
        write(_rendered(data, name, color=file is None and wants_color(color), explain=explain), file)
    tell(problems)
    bad = [server for server in servers if server.bad is not None]
    for server in bad:
        place = server.engine.place
        click.echo(f"gpulint: error: {place.source.path}:{place.line}: {server.bad}", err=True)
    if problems or bad:
        sys.exit(EXIT_ERROR)


def _in_scope(engine: Engine, workload: Workload, scope: set[str]) -> bool:
    """Whether a server is written in the files that were named, or made by a kustomization in a folder that was."""
    folder = f"{workload.overlay}/" if workload.overlay is not None else None
    return (
        engine.place.source.path in scope
        or workload.place.source.path in scope
        or (folder is not None and any(path.startswith(folder) for path in scope))
    )


def _rendered(data: dict[str, Any], name: str, *, color: bool, explain: bool) -> str:
    if name == "json":
        import json

        return json.dumps(data, indent=2, ensure_ascii=False) + "\n"
    if name == "html":
        from gpulint.report._fit_html import fit_html

        return fit_html(data)
    from gpulint.report._fit import fit_text

    return fit_text(data, color=color, width=terminal_width(), explain=explain)


def _outputs(formats: tuple[str, ...]) -> list[tuple[str, str | None]]:
    outputs: list[tuple[str, str | None]] = []
    for text in formats or ("table",):
        name, _, file = text.partition("=")
        if name not in _FORMATS:
            fail(f"unknown format {name!r}; known are {', '.join(_FORMATS)}")
        outputs.append((name, file or None))
    targets = [file for _, file in outputs]
    if len(targets) != len(set(targets)):
        fail("two formats would be written to the same place: give each its own with FORMAT=FILE")
    return outputs


def _typed(launch: list[str], version: str | None, gpus: Gpus | None, shapes: Shapes) -> Server:
    from gpulint.engines.flags import version_tuple
    from gpulint.model.serving import Gpus, gpus_of, server_of
    from gpulint.readers._typed import NotAnEngine, engine_of

    if version is not None and not version_tuple(version):
        fail(f"--engine-version {version}: no version such as 0.11.0")
    try:
        engine = engine_of(launch, (version or "").removeprefix("v") or None)
    except NotAnEngine as error:
        fail(str(error))
    if gpus is None and gpus_of(engine) is None:
        gpus = Gpus("", None, None)
    if gpus is not None and gpus.count is None:
        gpus.count = engine.container.gpu_count() or 1
    server = server_of(engine, gpus=gpus, shapes=shapes)
    if gpus is not None and not gpus.name:
        server.gpus = None
    return server


def _gpus(name: str | None, memory_gib: float | None, count: int | None) -> Gpus | None:
    """The GPU that the command line names. Exits with a message for a name that is not known."""
    from gpulint.capacity.weights import Range
    from gpulint.hardware.named import named_gpu
    from gpulint.model.serving import Gpus

    if memory_gib is not None and not 0 < memory_gib < 10_000:
        fail(f"--gpu-memory-gib {memory_gib:g}: must be above 0, in GiB of one GPU")
    if name is None and memory_gib is None:
        return Gpus("", None, count) if count is not None else None
    found = named_gpu(name) if name is not None else None
    if found is None and memory_gib is None:
        fail(f"no GPU is known as {name!r}: give its memory with --gpu-memory-gib")
    memory = found.memory if found is not None else None
    if memory_gib is not None:
        memory = Range(memory_gib * 1024, memory_gib * 1024, memory_gib * 1024)
    if found is None:
        return Gpus(name or f"GPU of {memory_gib:g} GiB", memory, count)
    if found.note is not None and memory_gib is None:
        click.echo(f"gpulint: note: {found.note}", err=True)
    return Gpus(found.name, memory, count, found.boards, found.profile)


def _shapes(model_config: str | None, hub: bool) -> Shapes:
    """Shapes from config.json files: the one that is named, that of a local folder, that of the hub."""
    from gpulint.capacity.config_json import ConfigJsonError, shape_of_file

    named: ModelShape | None = None
    if model_config is not None:
        try:
            named = shape_of_file(model_config, model_config)
        except ConfigJsonError as error:
            fail(str(error))

    def shapes(model_id: str) -> ModelShape | None:
        if named is not None:
            return named
        path = os.path.join(os.path.expanduser(model_id), "config.json")
        if os.path.isfile(path):
            try:
                return shape_of_file(path, model_id)
            except ConfigJsonError as error:
                fail(str(error))
        if hub:
            from gpulint.capacity.hub import HubError, shape_of_hub
            from gpulint.capacity.models import model

            if model(model_id) is None:
                try:
                    return shape_of_hub(model_id)
                except (HubError, ConfigJsonError) as error:
                    fail(str(error))
        return None

    return shapes
