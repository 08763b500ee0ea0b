"""A GPU or engine metric compared with, or recorded as, a number in another unit."""

from __future__ import annotations

from collections.abc import Iterator

from gpulint.finding import Evidence, Finding, Level
from gpulint.metrics.promql import Query, Selector
from gpulint.metrics.table import Metric, lookup
from gpulint.model.monitoring import Alert, Panel, RecordingRule
from gpulint.rules import rule
from gpulint.rules.alerts import matches
from gpulint.rules.signals import is_summed, keeps_unit, one_line

# The unit that a recorded name ends in, and by what to multiply other units to reach it.
# Source: Prometheus, "Metric and label naming", base units; units of the metrics in the metric table.
_FACTORS: dict[str, dict[str, float]] = {
    "bytes": {"MiB": 1048576, "MB": 1e6},
    "hertz": {"MHz": 1e6},
    "seconds": {"ms": 1e-3, "us": 1e-6, "ns": 1e-9},
    "joules": {"mJ": 1e-3},
    "watts": {"mW": 1e-3},
    "ratio": {"percent": 1e-2},
    "percent": {"ratio": 100},
    "percentage": {"ratio": 100},
}
# A framebuffer of ten million MiB is none, and fewer than these are percentages.
_BYTES_MEANT = 1e7
_PERCENT_MEANT = (50.0, 100.0)


@rule("metric-unit-mismatch")
def check(item: Alert | RecordingRule | Panel) -> Iterator[Finding]:
    query = item.expression.query
    if query is None:
        return
    if isinstance(item, RecordingRule):
        yield from _recorded(item)
        return
    if isinstance(item, Panel):
        yield from _shown(item, query)
        return
    for comparison in query.comparisons:
        for selector in comparison.selectors[:1]:
            metric = lookup(selector.name or "")
            solved = comparison.on_metric
            if metric is None or solved is None or comparison.is_ratio or not keeps_unit(selector):
                continue
            if metric.range is None or not is_summed(selector):
                yield from _compared(item, selector, metric, *solved)


def _recorded(item: RecordingRule) -> Iterator[Finding]:
    query = item.expression.query
    if query is None or len(query.selectors) != 1 or query.comparisons:
        return
    selector = query.selectors[0]
    metric = lookup(selector.name or "")
    unit = item.name.lower().removesuffix("_total").rpartition("_")[2].rpartition(":")[2]
    if metric is None or metric.unit is None or selector.scale != 1 or not keeps_unit(selector):
        return
    factor = _FACTORS.get(unit, {}).get(metric.unit)
    if factor is None:
        return
    written = f"{factor:.0f}" if factor >= 1 else f"{factor:g}"
    wrong_by = f"{factor:.0f}" if factor >= 1 else f"{1 / factor:.0f}"
    yield Finding(
        place=item.expression.place_of(selector),
        message=(
            f"Recording rule {item.name} records {selector.name}, {_plain(metric)}, under a name that says {unit}. "
            f"Every threshold and axis made by the name is wrong by a factor of {wrong_by}."
        ),
        help=f"Multiply by {written}, `{one_line(item.expression.text)} * {written}`, or rename the series.",
        evidence=[Evidence("recorded name", item.name, item.place), Evidence("unit of the metric", _plain(metric))],
    )


# Units of Grafana's axes: what each says, and for the units of metrics the axis that fits them.
# Source: Grafana packages/grafana-data/src/valueFormats/categories.ts.
_AXES: dict[str, tuple[str, dict[str, str]]] = {
    "bytes": ("bytes", {"MiB": "mbytes", "MB": "decmbytes"}),
    "decbytes": ("bytes", {"MiB": "mbytes", "MB": "decmbytes"}),
    "percent": ("a percentage", {"ratio": "percentunit", "MiB": "mbytes"}),
    "percentunit": ("a ratio from 0 to 1", {"percent": "percent", "MiB": "mbytes"}),
}


def _shown(panel: Panel, query: Query) -> Iterator[Finding]:
    if panel.unit is None or panel.unit.value not in _AXES or len(query.selectors) != 1 or query.comparisons:
        return
    selector = query.selectors[0]
    metric = lookup(selector.name or "")
    if metric is None or selector.scale != 1 or not keeps_unit(selector):
        return
    says, fitting = _AXES[panel.unit.value]
    kind = "ratio" if metric.is_ratio else "percent" if metric.is_percent else metric.unit
    unit = fitting.get(kind or "")
    if unit is None:
        return
    yield Finding(
        place=panel.unit.place,
        message=(
            f"Panel {panel.title} shows {selector.name}, {_plain(metric)}, on an axis of {says} (unit "
            f"{panel.unit.value}). What it says is wrong by the factor between the two."
        ),
        help=f"Set the unit to {unit}.",
        evidence=[Evidence("metric", selector.name, panel.expression.place_of(selector))],
    )


def _compared(alert: Alert, selector: Selector, metric: Metric, op: str, threshold: float) -> Iterator[Finding]:
    verdict: str | None = None
    remedy = ""
    level: Level | None = None
    upper = metric.range[1] if metric.range is not None else None
    if upper is not None and threshold > upper and op in (">", ">=", "<", "<="):
        verdict = "is never true" if op in (">", ">=") else "is always true"
        if metric.is_ratio and threshold <= 100:
            remedy = f"Compare with {threshold / 100:g}."
        else:
            remedy = f"Compare with a number between {metric.range[0] if metric.range else 0:g} and {upper:g}."
        level = "error"
    elif metric.is_percent and upper == 100 and 0 < threshold < 1 and op in (">", ">=", "<", "<="):
        verdict = "is true as soon as the GPU does anything" if op in (">", ">=") else "is true only at rest"
        remedy = f"Compare with {threshold * 100:g}."
    elif metric.unit in ("MiB", "MB"):
        verdict = _framebuffer(alert, op, threshold)
        remedy = (
            "Compare the share of memory in use, DCGM_FI_DEV_FB_USED / (DCGM_FI_DEV_FB_USED + DCGM_FI_DEV_FB_FREE) > "
            "0.9, or give the threshold in MiB."
        )
    if verdict is None:
        return
    yield Finding(
        place=alert.expression.place_of(selector),
        message=(
            f"Alert {alert.name} compares {selector.name}, which is {_plain(metric)}, with {threshold:g}: the "
            f"condition {verdict}. The threshold is written in another unit than the metric."
        ),
        help=remedy,
        evidence=[Evidence("alert", alert.name, alert.place), Evidence("unit of the metric", _plain(metric))],
        level=level,
    )


def _framebuffer(alert: Alert, op: str, threshold: float) -> str | None:
    """What becomes of a threshold that no one would write in MiB; None for one that may be meant."""
    low, high = _PERCENT_MEANT
    if threshold >= _BYTES_MEANT:
        return "is never true" if op in (">", ">=") else "is always true" if op in ("<", "<=") else None
    if op in (">", ">=") and (0 < threshold < 1 or low <= threshold < high):
        return "is true as soon as anything runs on the GPU"
    is_low = op in ("<", "<=") and (0 < threshold < 1 or threshold <= 30)
    if is_low and threshold > 0 and matches(r"\d ?%|percent", alert.words):
        return "is true only when the GPU has failed an allocation already"
    return None


def _plain(metric: Metric) -> str:
    if metric.is_ratio:
        return "a ratio from 0 to 1"
    if metric.is_percent:
        return "in percent"
    return f"in {metric.unit}" if metric.unit else "without a unit"
