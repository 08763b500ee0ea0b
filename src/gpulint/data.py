"""Where the rule pages and JSON Schemas are: beside the source in a checkout, inside the package in a wheel."""

from __future__ import annotations

import os
from functools import cache

_PACKAGE = os.path.dirname(os.path.abspath(__file__))


@cache
def data_folder(name: str) -> str:
    """The folder `rules` or `schemas`, as an absolute path.

    Raises FileNotFoundError if the installation lacks it.
    """
    checkout = os.path.dirname(os.path.dirname(_PACKAGE))
    candidates = [os.path.join(_PACKAGE, "_data", name)]
    # A checkout wins over packaged data, so that an edited page is the one that is read; `pyproject.toml` tells it
    # from a site-packages folder that happens to hold a folder of this name.
    if os.path.isfile(os.path.join(checkout, "pyproject.toml")):
        candidates.insert(0, os.path.join(checkout, name))
    for candidate in candidates:
        if os.path.isdir(candidate):
            return candidate
    raise FileNotFoundError(f"this installation of gpulint has no {name} folder: looked in {', '.join(candidates)}")


def read_schema(name: str) -> str:
    """The text of `schemas/<name>.schema.json`."""
    with open(os.path.join(data_folder("schemas"), f"{name}.schema.json"), encoding="utf-8") as file:
        return file.read()
