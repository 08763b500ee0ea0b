"""Counter lists of dcgm-exporter: CSV text in a ConfigMap or in the values of its chart."""

from __future__ import annotations

import re
from functools import cache

from gpulint.model.monitoring import CounterList
from gpulint.model.project import Project
from gpulint.model.values import ObjectRef
from gpulint.readers._manifest import Manifest
from gpulint.source.yaml import Node

MARKS = (("DCGM_FI_",), ("customMetrics", "ConfigMap"))
KINDS = frozenset({("", "ConfigMap")})
# Source: dcgm-exporter's chart, values.yaml.
_VALUES_KEY = "customMetrics"


def claims_file(root: Node) -> bool:
    return bool(_values(root))


def read_file(root: Node, project: Project) -> None:
    ref = ObjectRef("chart values", None, root.document.source.path.rpartition("/")[2])
    for node in _values(root):
        _read_list(node, ref, project)


def read_object(manifest: Manifest, project: Project) -> None:
    data = manifest.node.get("data")
    for _, value in data.items() if data is not None else ():
        _read_list(value, manifest.ref, project)


def _values(root: Node) -> list[Node]:
    """The chart's own values, or those that an umbrella chart passes on to it."""
    holders = [root, *(value for _, value in root.items())]
    return [node for holder in holders if (node := holder.get(_VALUES_KEY)) is not None]


@cache
def _line_pattern() -> re.Pattern[str]:
    """`DCGM_FI_DEV_FB_USED, gauge, Framebuffer memory used`. Source: dcgm-exporter README, "Changing Metrics"."""
    return re.compile(r"^[ \t]*(DCGM_\w+)[ \t]*,[ \t]*(?:gauge|counter|label|histogram)[ \t]*,", re.MULTILINE)


def _read_list(node: Node, ref: ObjectRef, project: Project) -> None:
    names = _line_pattern().findall(node.text or "")
    if names:
        project.counter_lists.append(CounterList(ref, node.key_place, frozenset(names)))
