"""What servers' memory will hold, as plain data (`schemas/fit.schema.json`) and for a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from gpulint.capacity.fit import Prediction
from gpulint.capacity.weights import Range
from gpulint.model.serving import Server
from gpulint.model.what_fits import what_fits
from gpulint.report._display import visible
from gpulint.source.text import Place

_MIB_PER_GIB = 1024


def fit_data(servers: Iterable[Server], lengths: Sequence[int] = ()) -> dict[str, Any]:
    """The servers as `schemas/fit.schema.json` describes them; `lengths` are further lengths of a request."""
    return {"version": 1, "servers": [_server(server, lengths) for server in servers]}


def _server(server: Server, lengths: Sequence[int]) -> dict[str, Any]:
    engine, found = server.engine, server.prediction
    gpus = server.gpus
    serving = found.serving if found is not None else None
    unknown = server.bad is not None or found is None
    why = [server.bad] if server.bad is not None else [*server.why, *(found.why if found is not None else [])]
    workload = engine.container.pod.workload
    return {
        "name": str(engine.ref) + (f" in {workload.overlay}" if workload.overlay is not None else ""),
        "container": engine.container.name,
        "path": engine.place.source.path,
        "line": engine.place.line,
        "engine": engine.name,
        "engineVersion": engine.version_text,
        "model": _model(server),
        "modelBasis": server.weights.basis if server.weights is not None else None,
        "gpu": gpus.name if gpus is not None else None,
        "gpuCount": server.ranks,
        "gpuMemoryGib": _gib(gpus.memory if gpus is not None else None),
        "copies": server.copies,
        "replicas": workload.replicas.value if workload.replicas is not None else None,
        "tensorParallel": server.tensor_parallel,
        "pipelineParallel": server.pipeline_parallel,
        "maxModelLen": serving.max_model_len if serving is not None else None,
        "maxNumSeqs": found.batch.sequences if found is not None and found.batch is not None else None,
        "budgetGib": _gib(found.budget if found is not None else None),
        "weightsGib": _gib(server.weights.mib if server.weights is not None else None),
        "kvCacheGib": _gib(found.kv_cache if found is not None else None),
        "kvCacheTokens": _whole(found.tokens if found is not None else None),
        "requestGib": _round(found.request_mib / _MIB_PER_GIB) if found is not None and found.request_mib else None,
        "concurrencyAtMaxLength": _plain(found.requests if found is not None else None),
        "concurrencyAt": [
            {"length": length, "requests": _plain(found.requests_of(length) if found is not None else None)}
            for length in lengths
        ],
        "verdict": "unknown" if unknown or found is None else found.verdict,
        "why": why,
        "validated": bool(found is not None and found.terms and found.calibrated and engine.name == "vllm"),
        "terms": _terms(found) if found is not None else [],
        "wouldFit": [
            {
                "change": change.text,
                "kvCacheGib": _gib(change.prediction.kv_cache),
                "kvCacheTokens": _whole(change.prediction.tokens),
                "concurrencyAtMaxLength": _plain(change.prediction.requests),
            }
            for change in what_fits(server)
        ],
        "evidence": [{"label": f.label, "value": f.value, **_at(f.place)} for f in server.facts],
    }


def _model(server: Server) -> str | None:
    for model in (server.engine.model, server.engine.model_end):
        if model is not None and model.value is not None:
            return str(model.value)
    return None


def _terms(found: Prediction) -> list[dict[str, Any]]:
    terms = [
        {
            "name": term.name,
            "gib": _gib(term.mib),
            "formula": term.formula,
            "source": term.source,
            "validated": term.calibrated,
        }
        for term in found.terms
    ]
    if found.layout is not None:
        terms.append(
            {
                "name": "KV cache per token",
                "gib": None,
                "formula": found.layout.formula,
                "source": "vllm/v1/core/kv_cache_utils.py" if found.serving.engine == "vllm" else "its shape",
                "validated": found.serving.engine == "vllm" and _is_confirmed(found),
            }
        )
    return terms


def _is_confirmed(found: Prediction) -> bool:
    """Whether logs confirm how the cache of the model's kind of attention is laid out."""
    shape = found.serving.shape
    return shape is not None and shape.attention in ("full", "mla", "sliding", "hybrid")


def _at(place: Place | None) -> dict[str, Any]:
    return {"path": None, "line": None} if place is None else {"path": place.source.path, "line": place.line}


def _round(value: float) -> float:
    return round(value, 3)


def _gib(mib: Range | None) -> dict[str, float] | None:
    if mib is None:
        return None
    return {name: _round(value / _MIB_PER_GIB) for name, value in zip(Range._fields, mib, strict=True)}


def _whole(found: Range | None) -> dict[str, int] | None:
    return None if found is None else {name: int(v) for name, v in zip(Range._fields, found, strict=True)}


def _plain(found: Range | None) -> dict[str, float] | None:
    return None if found is None else {name: round(v, 2) for name, v in zip(Range._fields, found, strict=True)}


# -- shared by the terminal and the page ----------------------------------------------------------------------------


def segments(server: dict[str, Any]) -> list[tuple[str, float]]:
    """The likely parts of one GPU's memory in GiB, in the order they are stacked; the last is what stays unused.

    Where the parts exceed the GPU, the bar is as long as they are and nothing is unused.
    """
    terms = [(t["name"], t["gib"]["likely"]) for t in server["terms"] if t["gib"] is not None]
    parts = [(name, size) for name, size in terms if name not in ("budget", "KV cache") and size > 0]
    cache, memory = server["kvCacheGib"], server["gpuMemoryGib"]
    if not parts or memory is None:
        return []
    if cache is not None and cache["likely"] > 0:
        parts.append(("KV cache", cache["likely"]))
    rest = memory["likely"] - sum(size for _, size in parts)
    if rest > 0:
        parts.append(("not used", rest))
    return parts


def size(value: dict[str, float] | None) -> str:
    """`14.9`, with its range where that is wide: `3.1 (0.4 to 5.8)`; what is missing has a minus."""
    if value is None:
        return "?"
    low, likely, high = (f"{value[name]:.1f}" for name in ("low", "likely", "high"))
    return likely if value["high"] - value["low"] < 0.2 else f"{likely} ({low} to {high})"


def count(value: dict[str, float] | None) -> str:
    """`20,512`, `2.5`, with its range where that is wide."""
    if value is None:
        return "?"

    def shown(number: float) -> str:
        return f"{number:,.0f}" if number >= 10 or number == int(number) else f"{number:.1f}"

    if value["high"] <= value["low"] * 1.02:
        return shown(value["likely"])
    return f"{shown(value['likely'])} ({shown(value['low'])} to {shown(value['high'])})"


def cache_line(server: dict[str, Any]) -> str:
    """The KV cache in words: what is left for it, or what is short."""
    cache = server["kvCacheGib"]
    if cache["high"] <= 0:
        return f"nothing is left for a KV cache: {-cache['likely']:.1f} GiB are short"
    return f"KV cache: {size(cache)} GiB, {count(server['kvCacheTokens'])} tokens"


def where(server: dict[str, Any]) -> str:
    gpu = server["gpu"] or "unknown GPU"
    number = server["gpuCount"]
    return f"{number} × {gpu}" if number is not None and number > 1 else gpu


def engine_label(server: dict[str, Any]) -> str:
    return f"{server['engine']} {server['engineVersion']}" if server["engineVersion"] else str(server["engine"])


# -- the terminal ---------------------------------------------------------------------------------------------------

_MARKS = {"weights": "█", "activations": "▓", "non-torch": "▒", "CUDA graphs": "▒", "KV cache": "░", "not used": "·"}
_COLORS = {
    "weights": "34",
    "activations": "35",
    "non-torch": "33",
    "CUDA graphs": "33",
    "KV cache": "32",
    "not used": "2",
}
_VERDICTS = {"fits": "32", "does not fit": "1;31", "uncertain": "1;33", "unknown": "2"}


def fit_text(data: dict[str, Any], *, color: bool, width: int, explain: bool) -> str:
    """A table of the servers, and for each a bar of its GPU's memory with what is behind it."""

    def paint(text: str, code: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if color else text

    servers = data["servers"]
    if not servers:
        return "no model server that gpulint knows in these files\n"
    lines = _table(servers, width, paint) if len(servers) > 1 else []
    for server in servers:
        lines += ["", *_block(server, width, paint, explain)]
    lines += [
        "",
        "GiB are per GPU, tokens and requests per copy of the model; ranges are low to high, bars likely values.",
    ]
    return "\n".join(lines).lstrip("\n") + "\n"


def _table(servers: list[dict[str, Any]], width: int, paint: Any) -> list[str]:  # noqa: ANN401
    head = ("server", "model", "GPU", "weights", "KV cache", "tokens", "requests", "verdict")
    rows = [
        (
            server["name"],
            server["model"] or "?",
            where(server),
            _likely(server["weightsGib"], ".1f"),
            _likely(server["kvCacheGib"], ".1f"),
            _likely(server["kvCacheTokens"], ",.0f"),
            _likely(server["concurrencyAtMaxLength"], ",.1f"),
            server["verdict"],
        )
        for server in servers
    ]
    cells = [[visible(cell) for cell in row] for row in rows]
    widths = [max(len(head[i]), *(len(row[i]) for row in cells)) for i in range(len(head))]
    flexible = (0, 1, 2)
    while sum(widths) + 2 * (len(head) - 1) > width and max(widths[i] for i in flexible) > 12:
        widths[max(flexible, key=lambda i: widths[i])] -= 1
    lines = [paint("  ".join(_cell(head[i], widths[i], i) for i in range(len(head))), "1")]
    for row in cells:
        shown = [_cell(row[i], widths[i], i) for i in range(len(head))]
        shown[-1] = paint(shown[-1].rstrip(), _VERDICTS[row[-1]])
        lines.append("  ".join(shown))
    return lines


def _cell(text: str, width: int, column: int) -> str:
    if len(text) > width:
        text = f"…{text[len(text) - width + 1 :]}" if column < 2 else f"{text[: width - 1]}…"
    return text.rjust(width) if 3 <= column <= 6 else text.ljust(width)


def _likely(value: dict[str, float] | None, form: str) -> str:
    return "?" if value is None else format(value["likely"], form)


def _block(server: dict[str, Any], width: int, paint: Any, explain: bool) -> list[str]:  # noqa: ANN401
    verdict = server["verdict"]
    lines = [
        f"{paint(visible(server['name']), '1')}  {visible(server['path'])}:{server['line']}",
        f"  {visible(engine_label(server))}, {visible(server['model'] or 'unknown model')} on {visible(where(server))}",
    ]
    parts = segments(server)
    if parts:
        total = sum(value for _, value in parts)
        room = max(20, min(60, width - 20))
        memory = server["gpuMemoryGib"]["likely"]
        lines.append(f"  {_bar(parts, total, room, paint)} {memory:.1f} GiB")
        if total > memory * 1.001:
            edge = round(room * memory / total)
            lines.append(f"  {' ' * max(0, edge - 1)}^ the GPU ends here; {total:.1f} GiB are asked for")
        legend = [f"{_MARKS.get(name, '▒')} {name} {value:.1f}" for name, value in parts]
        lines.append("  " + "  ".join(legend))
    if server["kvCacheGib"] is not None:
        lines.append(f"  {cache_line(server)}")
    if server["maxModelLen"] is not None and (server["kvCacheGib"] or {"high": 1})["high"] > 0:
        at = f" ({server['requestGib']:.2f} GiB each)" if server["requestGib"] is not None else ""
        requests = count(server["concurrencyAtMaxLength"])
        lines.append(f"  requests of {server['maxModelLen']:,} tokens at once: {requests}{at}")
    lines += [
        f"  requests of {other['length']:,} tokens at once: {count(other['requests'])}"
        for other in server["concurrencyAt"]
    ]
    copies = (server["copies"] or 1) * (server["replicas"] or 1)
    if copies > 1 and server["kvCacheTokens"] is not None and server["kvCacheTokens"]["likely"]:
        lines.append(f"  in all {copies} copies: {server['kvCacheTokens']['likely'] * copies:,} tokens")
    why = f": {'; '.join(server['why'])}" if server["why"] else ""
    lines.append(f"  {paint(verdict, _VERDICTS[verdict])}{visible(why)}")
    if server["wouldFit"]:
        lines.append("  what would fit:")
        for change in server["wouldFit"]:
            tokens = f": {count(change['kvCacheTokens'])} tokens" if change["kvCacheTokens"] is not None else ""
            lines.append(f"    {visible(change['change'])}{tokens}")
    if explain:
        lines += _explained(server)
    return lines


def _bar(parts: list[tuple[str, float]], total: float, room: int, paint: Any) -> str:  # noqa: ANN401
    bar, done, at = "", 0.0, 0
    for name, value in parts:
        done += value
        end = round(room * done / total)
        bar += paint(_MARKS.get(name, "▒") * (end - at), _COLORS.get(name, "33"))
        at = end
    return f"[{bar}]"


def _explained(server: dict[str, Any]) -> list[str]:
    lines = ["  how:"]
    for term in server["terms"]:
        value = "" if term["gib"] is None else f": {size(term['gib'])} GiB"
        confirmed = "confirmed by start-up logs" if term["validated"] else "formula only"
        lines += [
            f"    {term['name']}{value} = {visible(term['formula'])}",
            f"      {visible(term['source'])}; {confirmed}",
        ]
    lines.append("  from:")
    for fact in server["evidence"]:
        at = f" ({fact['path']}:{fact['line']})" if fact["path"] is not None else ""
        lines.append(f"    {visible(fact['label'])}: {visible(str(fact['value']))}{visible(at)}")
    return lines
