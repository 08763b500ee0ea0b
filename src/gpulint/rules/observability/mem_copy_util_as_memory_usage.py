"""The memory controller's duty cycle read as memory in use."""

from __future__ import annotations

from collections.abc import Iterator

from gpulint.finding import Evidence, Finding, Level
from gpulint.metrics.table import Meaning
from gpulint.model.monitoring import Alert, MetricAlias, Panel, RecordingRule
from gpulint.rules import rule
from gpulint.rules.alerts import matches

_TRAFFIC = r"bandwidth|copy|copies|controller|traffic|throughput|dram"
# Words that can only mean how much is in use.
_AMOUNT = (
    r"mem(ory)?.?(in.?use|us(e|ed|age)\b|used|full|free|exhaust|pressure|left|remaining|bytes|alloc|capacity|leak)"
    r"|out.?of.?memory|\boom\b|vram|frame.?buffer|_bytes|显存"
)
# Words that most often do.
_LIKELY = r"mem(ory)?.?(util|high|low|percent|perc|pct)|(high|low|gpu).?(gpu)?.?mem"


@rule("mem-copy-util-as-memory-usage")
def check(item: Alert | RecordingRule | MetricAlias | Panel) -> Iterator[Finding]:
    query = item.expression.query
    if query is None or any(Meaning.GPU_MEMORY in item.expression.meanings(selector) for selector in query.selectors):
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
        if not matches(_LIKELY, words):
            return
        level = "warning"
    yield Finding(
        place=item.expression.place_of(selector),
        message=(
            f"{what} takes {selector.name} for GPU memory in use. It is the share of time in which memory was read or "
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
    )


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
