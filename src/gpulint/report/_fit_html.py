"""What servers' memory will hold, as one HTML page that needs nothing else: no script, no network, no font."""

from __future__ import annotations

from html import escape
from typing import Any

from gpulint.report._display import visible
from gpulint.report._fit import cache_line, count, engine_label, segments, size, where

_WIDTH = 1000  # of a bar, in the units of its drawing
_CLASSES = {
    "weights": "w",
    "activations": "a",
    "non-torch": "n",
    "CUDA graphs": "g",
    "KV cache": "k",
    "not used": "u",
}
_STYLE = """
:root{color-scheme:light dark;--fg:#1d2330;--mut:#5b6474;--bg:#fff;--card:#f6f7f9;--line:#dde1e8;
--w:#3567c7;--a:#8a4fbf;--n:#b8862b;--g:#d9a441;--k:#2f8f5b;--u:#e3e6ec;--bad:#b3261e;--warn:#8f5b00;--good:#1f7a4a}
@media(prefers-color-scheme:dark){:root{--fg:#e7eaf0;--mut:#9aa4b5;--bg:#14171d;--card:#1c2129;--line:#303743;
--w:#6f9bee;--a:#b98be6;--n:#d6a650;--g:#f0c674;--k:#58c08a;--u:#303743;--bad:#ff8a80;--warn:#f0b64c;--good:#69d39b}}
*{box-sizing:border-box}body{margin:0 auto;max-width:70rem;padding:2rem 1.25rem;background:var(--bg);color:var(--fg);
font:15px/1.5 system-ui,sans-serif}h1{font-size:1.5rem;margin:0 0 .25rem}
h2{font-size:1.1rem;margin:0;overflow-wrap:anywhere}
p{margin:.25rem 0;overflow-wrap:anywhere}.mut{color:var(--mut)}table{border-collapse:collapse;width:100%;margin:1rem 0}
.scroll{overflow-x:auto}
th,td{text-align:left;padding:.4rem .6rem;border-bottom:1px solid var(--line);vertical-align:top}
th{color:var(--mut);font-weight:600}td.num,th.num{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
.server{background:var(--card);border:1px solid var(--line);border-radius:8px;padding:1rem 1.25rem;margin:1rem 0}
.head{display:flex;gap:1rem;justify-content:space-between;align-items:baseline;flex-wrap:wrap}
.verdict{font-weight:700;white-space:nowrap}.fits{color:var(--good)}.does-not-fit{color:var(--bad)}.uncertain{color:var(--warn)}
.unknown{color:var(--mut)}svg{display:block;width:100%;height:2.2rem;margin:.75rem 0 0}
.total{text-align:right;margin:0}a{color:var(--w)}
.w{fill:var(--w);background:var(--w)}.a{fill:var(--a);background:var(--a)}.n{fill:var(--n);background:var(--n)}
.g{fill:var(--g);background:var(--g)}.k{fill:var(--k);background:var(--k)}.u{fill:var(--u);background:var(--u)}
.edge{stroke:var(--bad);stroke-width:3}
ul.legend{list-style:none;display:flex;flex-wrap:wrap;gap:.25rem 1.25rem;padding:0;margin:.25rem 0 .75rem}
.legend span{display:inline-block;width:.8rem;height:.8rem;border-radius:2px;margin-right:.4rem;vertical-align:-.05rem}
dl{display:grid;grid-template-columns:fit-content(45%) 1fr;gap:.15rem 1rem;margin:.5rem 0}
dt{color:var(--mut)}dd{margin:0}
details{margin-top:.75rem}summary{cursor:pointer;color:var(--mut)}
code{font:.92em ui-monospace,monospace;overflow-wrap:anywhere}
@media print{body{max-width:none}.server{break-inside:avoid}}
""".strip()


def fit_html(data: dict[str, Any]) -> str:
    """The page."""
    servers = data["servers"]
    body = [_summary(servers)] if len(servers) > 1 else []
    body += [_server(server, number) for number, server in enumerate(servers, start=1)]
    if not servers:
        body.append("<p>No model server that gpulint knows in these files.</p>")
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>What the GPU memory will hold</title>\n<style>\n{_STYLE}\n</style>\n</head>\n<body>\n"
        "<h1>What the GPU memory will hold</h1>\n"
        '<p class="mut">GiB are per GPU, tokens and requests per copy of the model. Bars show likely values; ranges '
        "are low to high.</p>\n" + "\n".join(body) + "\n</body>\n</html>\n"
    )


def _t(text: object) -> str:
    return escape(visible(str(text)))


def _verdict(server: dict[str, Any]) -> str:
    return f'<span class="verdict {server["verdict"].replace(" ", "-")}">{_t(server["verdict"])}</span>'


def _summary(servers: list[dict[str, Any]]) -> str:
    rows = []
    for number, server in enumerate(servers, start=1):
        cells = [
            f'<td><a href="#s{number}">{_t(server["name"])}</a></td>',
            f"<td>{_t(server['model'] or '?')}</td>",
            f"<td>{_t(where(server))}</td>",
            *(
                f'<td class="num">{_number(server[key], form)}</td>'
                for key, form in (("weightsGib", ".1f"), ("kvCacheGib", ".1f"), ("kvCacheTokens", ",.0f"))
            ),
            f'<td class="num">{_number(server["concurrencyAtMaxLength"], ",.1f")}</td>',
            f"<td>{_verdict(server)}</td>",
        ]
        rows.append(f"<tr>{''.join(cells)}</tr>")
    head = (
        "<th>Server</th><th>Model</th><th>GPU</th><th class=num>Weights</th><th class=num>KV cache</th>"
        "<th class=num>Tokens</th><th class=num>Requests</th><th>Verdict</th>"
    )
    body = "\n".join(rows)
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>\n{body}\n</tbody></table></div>'


def _number(value: dict[str, float] | None, form: str) -> str:
    return "?" if value is None else format(value["likely"], form)


def _server(server: dict[str, Any], number: int) -> str:
    facts: list[tuple[str, str]] = []
    if server["kvCacheGib"] is not None:
        facts.append(("KV cache", cache_line(server).removeprefix("KV cache: ")))
    if server["maxModelLen"] is not None:
        each = f", {server['requestGib']:.2f} GiB each" if server["requestGib"] is not None else ""
        facts.append(
            (f"Requests of {server['maxModelLen']:,} tokens", f"{count(server['concurrencyAtMaxLength'])}{each}")
        )
    facts += [(f"Requests of {o['length']:,} tokens", count(o["requests"])) for o in server["concurrencyAt"]]
    facts += [("Why", reason) for reason in server["why"]]
    listed = "".join(f"<dt>{_t(name)}</dt><dd>{_t(value)}</dd>" for name, value in facts)
    parts = [
        f'<section class="server" id="s{number}">',
        f'<div class="head"><h2>{_t(server["name"])}</h2>{_verdict(server)}</div>',
        f"<p>{_t(engine_label(server))}, <code>{_t(server['model'] or 'unknown model')}</code> on {_t(where(server))} "
        f'<span class="mut">({_t(server["path"])}:{server["line"]})</span></p>',
        _bar(server),
        f"<dl>{listed}</dl>" if listed else "",
    ]
    if server["wouldFit"]:
        changes = "".join(
            f"<li><code>{_t(change['change'])}</code>"
            + (f": {_t(count(change['kvCacheTokens']))} tokens" if change["kvCacheTokens"] is not None else "")
            + "</li>"
            for change in server["wouldFit"]
        )
        parts.append(f"<p>What would fit, the cheapest change first:</p><ul>{changes}</ul>")
    if server["terms"]:
        parts.append(_terms(server))
    parts.append("</section>")
    return "\n".join(part for part in parts if part)


def _bar(server: dict[str, Any]) -> str:
    parts = segments(server)
    if not parts:
        return ""
    total = sum(value for _, value in parts)
    memory = server["gpuMemoryGib"]["likely"]
    at, shapes, legend = 0.0, [], []
    for name, value in parts:
        width = _WIDTH * value / total
        kind = _CLASSES.get(name, "n")
        shapes.append(
            f'<rect class="{kind}" x="{at:.1f}" y="0" width="{width:.1f}" height="34"><title>{_t(name)} '
            f"{value:.1f} GiB</title></rect>"
        )
        legend.append(f'<li><span class="{kind}"></span>{_t(name)} {value:.1f}</li>')
        at += width
    edge = min(_WIDTH * memory / total, _WIDTH - 1.5)
    overflow = total > memory * 1.001
    if overflow:
        shapes.append(f'<line class="edge" x1="{edge:.1f}" y1="-4" x2="{edge:.1f}" y2="38"/>')
    words = f"{memory:.1f} GiB" + (f" of the GPU, at the mark; {total:.1f} GiB are asked for" if overflow else "")
    described = ", ".join(f"{name} {value:.1f} GiB" for name, value in parts)
    return (
        f'<svg viewBox="0 -5 {_WIDTH} 44" preserveAspectRatio="none" role="img" aria-label="{_t(described)}">'
        f'{"".join(shapes)}</svg>\n<p class="total mut">{words}</p><ul class="legend">{"".join(legend)}</ul>'
    )


def _terms(server: dict[str, Any]) -> str:
    rows = "".join(
        f"<tr><td>{_t(term['name'])}</td>"
        f'<td class="num">{_t(size(term["gib"])) if term["gib"] is not None else ""}</td>'
        f"<td>{_t(term['formula'])}<br><span class=mut>{_t(term['source'])}</span></td>"
        f"<td>{'start-up logs' if term['validated'] else 'formula only'}</td></tr>"
        for term in server["terms"]
    )
    head = "<th>Term</th><th class=num>GiB</th><th>How</th><th>Confirmed by</th>"
    return (
        f'<details><summary>How this was computed</summary><div class="scroll"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div></details>"
    )
