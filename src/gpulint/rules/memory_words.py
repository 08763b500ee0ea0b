"""What rules about memory share: the servers that have something to be judged, sizes in words, numbers as evidence."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import TYPE_CHECKING

from gpulint.finding import Evidence
from gpulint.model.engine import Engine
from gpulint.source.text import Place

if TYPE_CHECKING:
    # The arithmetic and its tables are imported where a rule has an engine to look at.
    from gpulint.capacity.weights import Range
    from gpulint.model.serving import Fact, Server


def gib(mib: float) -> str:
    """`14.96 GiB`"""
    return f"{mib / 1024:.2f} GiB" if abs(mib) < 10240 else f"{mib / 1024:.1f} GiB"


def between(mib: Range) -> str:
    """`14.8 GiB to 15.4 GiB`, or one size where both ends are the same."""
    low, high = gib(mib.low), gib(mib.high)
    return low if low == high else f"{low} to {high}"


def evidence_of(facts: Iterable[Fact]) -> list[Evidence]:
    return [Evidence(fact.label, fact.value, fact.place) for fact in facts]


@cache  # several rules ask for the same engine
def predicted(engine: Engine) -> Server | None:
    """The server of an engine on whole GPUs that are known; None without a prediction, and on MIG slices."""
    if engine.container.mig_slice is not None or not engine.sole:
        return None
    from gpulint.model.serving import server_of

    server = server_of(engine)
    found = server.prediction
    if server.gpus is None or server.gpus.profile is not None or found is None or found.kv_cache is None:
        return None
    return server


def on_gpus(server: Server) -> str:
    """`each of 4 NVIDIA L4`, `an NVIDIA L4`."""
    name = server.gpus.name if server.gpus is not None else "GPU"
    count = server.ranks or 1
    return f"each of {count} × {name}" if count > 1 else name


def model_place(engine: Engine) -> Place:
    """Where the model is named, else the launch."""
    for model in (engine.model_end, engine.model):
        if model is not None and model.place is not None:
            return model.place
    return engine.place


def model_name(engine: Engine) -> str:
    for model in (engine.model_end, engine.model):
        if model is not None and model.value is not None:
            return model.value
    return "the model"


def changes(server: Server, most: int = 3) -> str:
    """The cheapest changes with which it fits, as a clause; empty where no single one is known."""
    from gpulint.model.what_fits import what_fits

    found = [change.text for change in what_fits(server)][:most]
    return f"{', or '.join(found)}" if found else ""
