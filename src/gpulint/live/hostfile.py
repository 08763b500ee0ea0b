"""Hosts as JSON: what `gpulint live --save` writes and `--host FILE` reads, by `schemas/host.schema.json`."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from typing import Any

from gpulint.model.host import Host, HostGpu, KnownHost, MigDevice, Pair, Process
from gpulint.source.text import NotText, Place, Source, decode, path_text
from gpulint.source.yaml import Document, Node, documents

VERSION = 1
# The path under which a host that is being measured appears in reports.
THIS_HOST = "<host>"
_IDENTIFIERS = frozenset({"host_name", "uuid", "serial", "pid", "name"})


class HostError(ValueError):
    """A file that does not describe a host: one line that says why."""


def to_text(host: Host) -> str:
    """The host as JSON. Unknown values are null; identifiers that were not read are left out."""
    data = _fields(host)
    gpus, pairs = data.pop("gpus"), data.pop("pairs")
    top = [f'"version": {VERSION}', *_members(data)]
    lines = [f"  {member}," for member in top]
    lines.append('  "gpus": [')
    for number, gpu in enumerate(gpus):
        lines.append("    {")
        members = [f"      {member}" for member in _gpu_members(gpu)]
        lines += [f"{member}," for member in members[:-1]] + [members[-1]]
        lines.append("    }," if number < len(gpus) - 1 else "    }")
    lines.append("  ],")
    lines.append(f'  "pairs": {_rows([_pair_members(pair) for pair in pairs], "  ")}')
    return "\n".join(["{", *lines, "}"]) + "\n"


def _fields(item: Any) -> dict[str, Any]:  # noqa: ANN401  # one of the host's dataclasses
    return {name: getattr(item, name) for name in item.__dataclass_fields__}


def _gpu_members(gpu: HostGpu) -> list[str]:
    data = _fields(gpu)
    devices, processes = data.pop("mig_devices"), data.pop("processes")
    members = _members(data, named=True)
    for key, rows in (("migDevices", devices), ("processes", processes)):
        text = "null" if rows is None else _rows([_members(_fields(row)) for row in rows], "      ")
        members.append(f'"{key}": {text}')
    return members


def _pair_members(pair: Pair) -> list[str]:
    data = _fields(pair)
    return [f'"gpus": [{data.pop("first")}, {data.pop("second")}]', *_members(data)]


def _members(data: Mapping[str, Any], *, named: bool = False) -> list[str]:
    """`"key": value` each; `named` says that `name` is a product's name here and identifies nobody."""
    return [
        f'"{_camel(key)}": {json.dumps(value, ensure_ascii=False)}'
        for key, value in data.items()
        if value is not None or key not in _IDENTIFIERS or (named and key == "name")
    ]


def _rows(rows: list[list[str]], indent: str) -> str:
    if not rows:
        return "[]"
    return "[\n" + ",\n".join(f"{indent}  {{{', '.join(row)}}}" for row in rows) + f"\n{indent}]"


def _camel(key: str) -> str:
    head, *rest = key.split("_")
    return head + "".join(word.capitalize() for word in rest)


# -- reading -----------------------------------------------------------------------------------------------------------


def measured(host: Host) -> KnownHost:
    """The host that gpulint runs on, with the text that `to_text` gives for findings to point in."""
    return _known(host, Source(THIS_HOST, to_text(host)), "this host", current=True)


def read_host_file(path: str) -> KnownHost:
    """The host that a file describes. Raises HostError."""
    try:
        with open(path, "rb") as file:
            text = decode(file.read())
    except OSError as error:
        raise HostError(f"{path}: {(error.strerror or str(error)).lower()}") from None
    except NotText as error:
        raise HostError(f"{path}: {error.reason}") from None
    return read_host_text(Source(os.path.relpath(path).replace(os.sep, "/"), text))


def read_host_text(source: Source, *, current: bool = False) -> KnownHost:
    """The host that a text describes; `current` says that it is of this moment. Raises HostError."""
    try:
        data = json.loads(source.text)
    except (ValueError, RecursionError) as error:
        raise HostError(f"{source.path}: not the JSON of a host: {error}") from None
    problem = _departure(data)
    if problem is not None:
        raise HostError(f"{source.path}: {problem}")
    gpus = tuple(_gpu(gpu) for gpu in data["gpus"])
    if len({gpu.index for gpu in gpus}) < len(gpus):
        raise HostError(f"{source.path}: two GPUs have the same index")
    pairs = tuple(Pair(*pair.pop("gpus"), **_snake(pair)) for pair in data.get("pairs", ()))
    rest = {key: value for key, value in data.items() if key not in ("version", "gpus", "pairs")}
    host = Host(**_snake(rest), gpus=gpus, pairs=pairs)
    return _known(host, source, f"the host in {os.path.basename(source.path)}", current=current)


def _departure(data: object) -> str | None:
    """Where the data departs from the schema, and how; None where it does not."""
    import jsonschema

    from gpulint.data import read_schema

    validator = jsonschema.Draft202012Validator(json.loads(read_schema("host")))
    error = next(iter(validator.iter_errors(data)), None)
    if error is None:
        return None
    where = error.json_path.removeprefix("$").removeprefix(".")
    return f"not the JSON of a host: {f'{where}: ' if where else ''}{error.message}"


def _gpu(data: dict[str, Any]) -> HostGpu:
    devices, processes = data.pop("migDevices", None), data.pop("processes", None)
    reasons = data.pop("clockReasons", None)
    return HostGpu(
        **_snake(data),
        clock_reasons=tuple(reasons) if reasons is not None else None,
        mig_devices=tuple(MigDevice(**_snake(device)) for device in devices) if devices is not None else None,
        processes=tuple(Process(**_snake(process)) for process in processes) if processes is not None else None,
    )


def _snake(data: Mapping[str, Any]) -> dict[str, Any]:
    return {"".join(f"_{c.lower()}" if c.isupper() else c for c in key): value for key, value in data.items()}


def _known(host: Host, source: Source, label: str, *, current: bool) -> KnownHost:
    places = dict(_places(source))
    start = places.get("gpus") or Place(source, 0, min(1, len(source.text)))
    return KnownHost(host, label, current, start, places)


def _places(source: Source) -> Iterator[tuple[str, Place]]:
    """Every member by its path, with the span of its key and, on one line, its value."""
    stack: list[Node] = [document.root for document in documents(source) if isinstance(document, Document)]
    while stack:
        node = stack.pop()
        if node.path is not None:
            yield path_text(node.path), node.entry_place
        stack += [child for _, child in node.items()]
        stack += node.elements()
