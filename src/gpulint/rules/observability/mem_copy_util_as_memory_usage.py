"""The memory controller's duty cycle read as memory in use."""

from __future__ import annotations

from collections.abc import Iterator

from gpulint.finding import Evidence, Finding, Level
from gpulint.metrics.table import Meaning
from gpulint.model.monitoring import Alert, Dashboard, Expression, MetricAlias, Panel, RecordingRule
from gpulint.rules import rule
from gpulint.rules.alerts import matches

_TRAFFIC = r"bandwidth|copy|copies|\bcpy\b|controller|traffic|throughput|dram"
# Words that can only mean how much is in use.
_AMOUNT = (
    r"mem(ory)?.?(in.?use|us(e|ed|age)\b|used|full|free|exhaust|pressure|left|remaining|bytes|alloc|capacity|leak)"
    r"|out.?of.?memory|\boom\b|vram|frame.?buffer|_bytes|显存"
)
# Words that most often do.
_LIKELY = r"mem(ory)?.?(util|high|low|percent|perc|pct)|(high|low|gpu).?(gpu)?.?mem"


@rule("mem-copy-util-as-memory-usage")
def check(item: Alert | RecordingRule | MetricAlias | Dashboard) -> Iterator[Finding]:
    if isinstance(item, Dashboard):
        shows_memory = any(_reads_memory(panel.expression) for panel in item.panels)
        for panel in item.panels:
            yield from _judge(panel, beside_memory=shows_memory)
    else:
        yield from _judge(item)


def _judge(item: Alert | RecordingRule | MetricAlias | Panel, *, beside_memory: bool = False) -> Iterator[Finding]:
    """What an item makes of the duty cycle; `beside_memory`: its dashboard shows memory in use as well."""
    query = item.expression.query
    if query is None or _reads_memory(item.expression):
        return
    selector = next((s for s in query.selectors if _is_duty_cycle(s.name)), None)
    if selector is None:
        return
    words, what = _words(item)
    if matches(_TRAFFIC, words):
        return
    level: Level | None = None
    if isinstance(item, Alert):
        level = "warning"
        if not matches(_AMOUNT, words) and not matches(_LIKELY, words):
            return
    elif not matches(_AMOUNT, words):
        if not matches(_LIKELY, words) or beside_memory:
            return
        level = "info" if isinstance(item, Panel) else "warning"
    taken = f"takes {selector.name} for GPU memory in use"
    if level == "info":
        taken = f"shows {selector.name} under words that most take for GPU memory in use"
    yield Finding(
        place=item.expression.place_of(selector),
        message=(
            f"{what} {taken}. It is the share of time in which memory was read or "
            "written: it is low on a GPU whose memory is full of weights and cache that are not being read, and high "
            "on one with most of its memory free."
        ),
        help=(
            "Use DCGM_FI_DEV_FB_USED / (DCGM_FI_DEV_FB_USED + DCGM_FI_DEV_FB_FREE) for the share of memory in use, or "
            "DCGM_FI_DEV_FB_USED * 1048576 for bytes (the field is in MiB). For an engine that reserves its memory at "
            "start, its KV cache usage (vllm:kv_cache_usage_perc) says how full it is."
        ),
        evidence=[Evidence("read as", what, item.name.place if isinstance(item, MetricAlias) else item.place)],
        level=level,
        ref=item.ref,
    )


def _reads_memory(expression: Expression) -> bool:
    selectors = expression.query.selectors if expression.query is not None else ()
    return any(Meaning.GPU_MEMORY in expression.meanings(selector) for selector in selectors)


def _is_duty_cycle(name: str | None) -> bool:
    """DRAM_ACTIVE and its kin are called what they are; these two carry only the word memory."""
    return (name or "").upper() in ("DCGM_FI_DEV_MEM_COPY_UTIL", "NVIDIA_SMI_UTILIZATION_MEMORY_RATIO")


def _words(item: Alert | RecordingRule | MetricAlias | Panel) -> tuple[str, str]:
    """What the item calls the metric, and how to name the item."""
    if isinstance(item, Alert):
        return item.words, f"Alert {item.name}"
    if isinstance(item, RecordingRule):
        return item.name, f"Recording rule {item.name}"
    if isinstance(item, Panel):
        return item.title, f"Panel {item.title}"
    return item.name.value, f"Metric alias {item.name.value}"
