"""What rules about queries share: every place where one is written, under one shape."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from gpulint.metrics.promql import Query, Selector
from gpulint.model.autoscaler import Autoscaler
from gpulint.model.monitoring import Alert, Panel, RecordingRule
from gpulint.model.values import ObjectRef
from gpulint.rules.signals import named
from gpulint.source.text import Place


@dataclass(slots=True, eq=False)
class Watched:
    """A query and who asks it: `name` as a sentence names it, `place` of that name."""

    name: str
    ref: ObjectRef
    place: Place
    query: Query
    place_of: Callable[[Selector], Place]


def watched(item: Alert | RecordingRule | Panel | Autoscaler) -> Iterator[Watched]:
    """The queries of an alert, a recording rule, a panel of a dashboard or an autoscaler, as far as they parse."""
    if isinstance(item, Autoscaler):
        for metric in item.metrics:
            if metric.query is not None:
                yield Watched(named(item), item.ref, item.place, metric.query, metric.place_of)
    elif item.expression.query is not None:
        yield Watched(title(item), item.ref, item.place, item.expression.query, item.expression.place_of)


def title(item: Alert | RecordingRule | Panel) -> str:
    """`Alert KVCacheFull`, `Panel GPU memory`."""
    if isinstance(item, Panel):
        return f"Panel {item.title}"
    return f"{'Alert' if isinstance(item, Alert) else 'Recording rule'} {item.name}"
