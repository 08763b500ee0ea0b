"""Prometheus rules: PrometheusRule objects and their kin, and rule files: plain, in a ConfigMap or in Helm values."""

from __future__ import annotations

from gpulint.metrics.promql import parse
from gpulint.model.monitoring import Alert, Expression, RecordingRule
from gpulint.model.project import Project
from gpulint.model.quantity import duration_s
from gpulint.model.values import ObjectRef
from gpulint.readers._manifest import Manifest, embedded_files, plain_texts, text_at
from gpulint.source.yaml import Node

# A word of each file that watches GPUs or what runs on them.
SERVING_WORDS = ("DCGM_", "dcgm_", "gpu", "GPU", "nvidia_smi", "duty_cycle", "vllm", "sglang", "tgi_")
MARKS = (("groups",), ("expr",), SERVING_WORDS)
# Objects with `spec.groups` as Prometheus has them. Source: Prometheus Operator, VictoriaMetrics Operator and Google
# Cloud Managed Service for Prometheus, API references.
KINDS = frozenset(
    {
        ("", "ConfigMap"),
        ("monitoring.coreos.com", "PrometheusRule"),
        ("operator.victoriametrics.com", "VMRule"),
        ("monitoring.googleapis.com", "Rules"),
        ("monitoring.googleapis.com", "ClusterRules"),
        ("monitoring.googleapis.com", "GlobalRules"),
    }
)
# Where the values of Prometheus' charts keep rule files: `prometheus` and `kube-prometheus-stack`.
_IN_VALUES = ("serverFiles", "additionalPrometheusRulesMap", "additionalPrometheusRules")


def claims_file(root: Node) -> bool:
    return bool(_rule_files(root))


def read_file(root: Node, project: Project) -> None:
    ref = ObjectRef("rule file", None, root.document.source.path.rpartition("/")[2])
    for node in _rule_files(root):
        _read_groups(node, ref, project)


def read_object(manifest: Manifest, project: Project) -> None:
    if manifest.kind == "ConfigMap":
        _read_config_map(manifest, project)
        return
    spec = manifest.node.get("spec")
    if spec is not None:
        _read_groups(spec, manifest.ref, project)


def _looks_like_rules(node: Node) -> bool:
    first = node.at("groups", 0)
    return first is not None and first.get("rules") is not None


def _rule_files(root: Node) -> list[Node]:
    """The nodes of a file that are rule files: itself, or what the values of a chart hold."""
    if _looks_like_rules(root):
        return [root]
    found = []
    for key in _IN_VALUES:
        holder = root.get(key)
        if holder is not None:
            entries = [*holder.elements(), *(value for _, value in holder.items())]
            found += [entry for entry in entries if _looks_like_rules(entry)]
    return found


def _read_config_map(manifest: Manifest, project: Project) -> None:
    for file in embedded_files(manifest, project, "groups", "expr"):
        if _looks_like_rules(file.root):
            _read_groups(file.root, manifest.ref, project)


def _read_groups(node: Node, ref: ObjectRef, project: Project) -> None:
    groups = node.get("groups")
    for group in groups.elements() if groups is not None else ():
        rules = group.get("rules")
        for rule in rules.elements() if rules is not None else ():
            _read_rule(rule, ref, project)


def _read_rule(rule: Node, ref: ObjectRef, project: Project) -> None:
    expr = rule.get("expr")
    if expr is None or expr.text is None:
        return
    expression = Expression(expr.text, parse(expr.text), expr)
    record, alert = rule.get("record"), rule.get("alert")
    if record is not None and record.text is not None:
        project.recording_rules.append(RecordingRule(ref, record.text, record.place, expression))
    elif alert is not None and alert.text is not None:
        project.alerts.append(
            Alert(
                ref=ref,
                name=alert.text,
                place=alert.place,
                expression=expression,
                for_s=duration_s(text_at(rule, "for")) if rule.get("for") is not None else 0.0,
                labels=plain_texts(rule.get("labels")),
                annotations=plain_texts(rule.get("annotations")),
            )
        )
