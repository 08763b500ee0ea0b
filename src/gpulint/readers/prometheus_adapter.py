"""prometheus-adapter rules: the names that an HPA uses, and the series behind them."""

from __future__ import annotations

from gpulint.metrics.promql import parse
from gpulint.model.monitoring import Expression, MetricAlias
from gpulint.model.project import Project
from gpulint.model.values import ObjectRef
from gpulint.readers._manifest import Manifest, embedded_files, sourced_text
from gpulint.readers.prometheus import SERVING_WORDS
from gpulint.source.yaml import Node

MARKS = (("seriesQuery",), SERVING_WORDS)
KINDS = frozenset({("", "ConfigMap")})
# Lists of rules in the adapter's configuration and in its chart's values.
# Source: kubernetes-sigs/prometheus-adapter docs/config.md; prometheus-community chart values `rules`.
_LISTS = (("rules",), ("rules", "custom"), ("rules", "external"), ("externalRules",))


def claims_file(root: Node) -> bool:
    return any(root.at(*steps, 0, "seriesQuery") is not None for steps in _LISTS)


def read_file(root: Node, project: Project) -> None:
    ref = ObjectRef("adapter configuration", None, root.document.source.path.rpartition("/")[2])
    _read_configuration(root, ref, project)


def read_object(manifest: Manifest, project: Project) -> None:
    for file in embedded_files(manifest, project, "seriesQuery"):
        _read_configuration(file.root, manifest.ref, project)


def _read_configuration(root: Node, ref: ObjectRef, project: Project) -> None:
    for steps in _LISTS:
        rules = root.at(*steps)
        for rule in rules.elements() if rules is not None else ():
            series = rule.get("seriesQuery")
            name = sourced_text(rule.at("name", "as"))
            if series is not None and series.text is not None and name is not None and "$" not in name.value:
                project.aliases.append(MetricAlias(ref, name, Expression(series.text, parse(series.text), series)))
