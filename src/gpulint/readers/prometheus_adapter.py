"""prometheus-adapter rules: the names that an HPA uses, and the series behind them."""

from __future__ import annotations

import re

from gpulint.metrics.promql import parse
from gpulint.model.monitoring import Expression, MetricAlias, MetricsAdapter
from gpulint.model.project import Project
from gpulint.model.values import ObjectRef, Sourced
from gpulint.readers._manifest import Manifest, embedded_files, sourced, text_at
from gpulint.readers.prometheus import SERVING_WORDS
from gpulint.source.yaml import Node

MARKS = (("seriesQuery",), SERVING_WORDS)
KINDS = frozenset({("", "ConfigMap")})
# Lists of rules in the adapter's configuration and in its chart's values.
# Source: kubernetes-sigs/prometheus-adapter@01919d0 pkg/config/config.go and docs/config.md;
# prometheus-community/helm-charts@cf408a2 charts/prometheus-adapter/values.yaml.
_CUSTOM = (("rules",), ("rules", "custom"))
_EXTERNAL = (("externalRules",), ("rules", "external"))
_SERIES_NAME = re.compile(r"[A-Za-z_:][\w:]*")


def claims_file(root: Node) -> bool:
    return any(root.at(*steps, 0, "seriesQuery") is not None for steps in (*_CUSTOM, *_EXTERNAL))


def read_file(root: Node, project: Project) -> None:
    ref = ObjectRef("adapter configuration", None, root.document.source.path.rpartition("/")[2])
    # The values of the chart add rules of its own unless told not to.
    default = root.at("rules", "default")
    is_whole = default is not None and default.value is False and root.at("rules", "existing") is None
    _read_configuration(root, ref, project, is_whole=is_whole)


def read_object(manifest: Manifest, project: Project) -> None:
    for file in embedded_files(manifest, project, "seriesQuery"):
        _read_configuration(file.root, manifest.ref, project, is_whole=True)


def _read_configuration(root: Node, ref: ObjectRef, project: Project, *, is_whole: bool) -> None:
    custom = _read_rules(root, _CUSTOM, ref, project, external=False)
    external = _read_rules(root, _EXTERNAL, ref, project, external=True)
    project.metrics_adapters.append(
        MetricsAdapter(ref, root.key_place, custom if is_whole else None, external if is_whole else None)
    )


def _read_rules(
    root: Node, lists: tuple[tuple[str, ...], ...], ref: ObjectRef, project: Project, *, external: bool
) -> frozenset[str] | None:
    """Adds the aliases and gives the names that the rules serve; None where one of these cannot be told."""
    names: list[str | None] = []
    for steps in lists:
        rules = root.at(*steps)
        for rule in rules.elements() if rules is not None else ():
            series = rule.get("seriesQuery")
            if series is None or series.text is None:
                names.append(None)
                continue
            name = _name(rule, series)
            names.append(name.value if name is not None else None)
            served = rule.get("metricsQuery")
            if name is None:
                continue
            project.aliases.append(
                MetricAlias(
                    ref,
                    name,
                    Expression(series.text, parse(series.text), series),
                    served=Expression(served.text, parse(served.text), served)
                    if served is not None and served.text is not None
                    else None,
                    external=external,
                    labels=_labels(rule),
                )
            )
    known = frozenset(name for name in names if name is not None)
    return known if None not in names else None


def _labels(rule: Node) -> frozenset[str]:
    """The labels that stand for Kubernetes objects: the keys of `overrides`, or a template (`kube_<<.Resource>>`)."""
    overrides, template = rule.at("resources", "overrides"), text_at(rule, "resources", "template")
    return frozenset([*(overrides.keys() if overrides is not None else ()), *([template] if template else ())])


def _name(rule: Node, series: Node) -> Sourced[str] | None:
    """The name that a rule serves: as written, or that of its one series where the rule leaves it."""
    written = rule.at("name", "as")
    if written is not None and written.text:
        return sourced(written.text, written) if "$" not in written.text else None
    if written is not None or text_at(rule, "name", "matches") is not None:
        return None
    found = _SERIES_NAME.match(series.text or "")
    return Sourced(found[0], series.place, series.key_place) if found is not None else None
