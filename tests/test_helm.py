"""Helm charts: what their templates make of the default values, and how the objects of a chart join."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpulint.discovery import discover
from gpulint.finding import Reported
from gpulint.lint import check, selected_rules
from gpulint.load import Loaded, load, load_texts
from gpulint.report import Report, render
from gpulint.source.gotemplate.unknown import MARK, unknown
from gpulint.source.helm import settled

FIXTURE = Path(__file__).parent / "fixtures" / "chart"


def texts_of(folder: Path, top: str = "chart") -> dict[str, str]:
    return {
        f"{top}/{path.relative_to(folder).as_posix()}": path.read_text()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def chart(**changes: str) -> dict[str, str]:
    """The chart of the fixtures, with files replaced or added; `__` stands for a slash, `_yaml` for the suffix."""
    found = texts_of(FIXTURE)
    for name, text in changes.items():
        found[f"chart/{name.replace('__', '/').removesuffix('_yaml')}.yaml"] = text
    return found


def reported(loaded: Loaded) -> list[Reported]:
    assert not loaded.problems, [problem.reason for problem in loaded.problems]
    findings, problems = check(loaded, selected_rules([], []))
    assert not problems, [problem.reason for problem in problems]
    return findings


def found(texts: dict[str, str]) -> list[tuple[str, str, int]]:
    """(rule, file, line) of each finding."""
    return sorted((r.rule, r.finding.place.source.path, r.finding.place.line) for r in reported(load_texts(texts)))


def rules(texts: dict[str, str]) -> set[str]:
    return {rule for rule, _, _ in found(texts)}


def with_values(old: str, new: str, **changes: str) -> dict[str, str]:
    texts = chart(**changes)
    assert old in texts["chart/values.yaml"]
    texts["chart/values.yaml"] = texts["chart/values.yaml"].replace(old, new)
    return texts


HPA_ON = "autoscaling:\n  enabled: true"
HPA_OFF = "autoscaling:\n  enabled: false"


# -- reading


def test_a_chart_is_read_with_its_default_values() -> None:
    loaded = load_texts(chart())
    assert not loaded.templates
    [main] = [w for w in loaded.project.workloads if w.ref.name == "chat-chat"]
    assert main.ref.namespace is None
    assert main.replicas is not None
    assert main.replicas.value == 1
    [container] = main.containers
    assert container.image is not None
    assert container.image.value == "vllm/vllm-openai:v0.10.1"
    assert container.gpu_count() == 2
    engine = container.engine
    assert engine is not None
    assert (engine.name, engine.model and engine.model.value) == ("vllm", "Qwen/Qwen3-32B")
    assert engine.tensor_parallel is not None
    assert engine.tensor_parallel.value == 4
    assert not main.complete


def test_subcharts_have_the_values_of_their_parent() -> None:
    loaded = load_texts(chart())
    [cache] = [w for w in loaded.project.workloads if w.ref.name == "chat-cache"]
    [container] = cache.containers
    assert container.image is not None
    assert container.image.value == "lmcache/server:4Gi"
    assert "chat-cache" not in {
        w.ref.name
        for w in load_texts(with_values("cache:\n  enabled: true", "cache:\n  enabled: false")).project.workloads
    }


def test_a_values_file_may_switch_a_subchart_on() -> None:
    texts = with_values("cache:\n  enabled: true", "cache:\n  enabled: false")
    loaded = load_texts({**texts, "chart/cache-values.yaml": "cache: {enabled: true}\n"})
    [cache] = [w for w in loaded.project.workloads if w.ref.name == "chat-cache"]
    assert cache.values is not None


def test_a_value_stands_at_the_action_that_writes_it() -> None:
    loaded = load_texts(chart())
    [main] = [w for w in loaded.project.workloads if w.ref.name == "chat-chat"]
    [request] = main.gpu_requests
    assert request.place.text() == "{{ .Values.gpus }}"
    assert request.key_place.text() == "nvidia.com/gpu"
    assert main.place.text() == '{{ include "chat.fullname" . }}'
    [mismatch] = [r for r in reported(loaded) if r.rule == "parallel-size-exceeds-gpus"]
    place = mismatch.finding.place
    assert (place.source.path, place.line) == ("chart/templates/deployment.yaml", 25)
    assert "{{ .Values.tensorParallelSize }}" in place.text()
    assert "\n" not in place.text()


def test_what_the_defaults_switch_off_is_read_too() -> None:
    assert ("cpu-autoscaling", "chart/templates/hpa.yaml", 17) in found(chart())
    scalers = load_texts(chart()).project.autoscalers
    assert [(s.ref.kind, s.workload.ref.name if s.workload else None) for s in scalers] == [
        ("HorizontalPodAutoscaler", "chat-chat"),
        ("ScaledObject", "chat-chat"),
    ]
    [hpa, keda] = scalers
    assert (hpa.max_replicas and hpa.max_replicas.value, keda.max_replicas) == (4, None)
    assert keda.metrics[0].threshold is None


def test_a_chart_alone_by_its_values_without_chart_yaml() -> None:
    texts = chart()
    del texts["chart/Chart.yaml"]
    texts = {path: text for path, text in texts.items() if "/charts/" not in path}
    assert "cpu-autoscaling" in rules(texts)


def test_a_template_outside_of_a_chart_stays_one() -> None:
    loaded = load_texts({"deploy/templates/d.yaml": chart()["chart/templates/deployment.yaml"]})
    assert [template.reason for template in loaded.templates] == [None]
    assert not loaded.project.workloads


def test_a_template_in_the_folder_itself() -> None:
    texts = {path.removeprefix("chart/"): text for path, text in chart().items()}
    assert ("cpu-autoscaling", "templates/hpa.yaml", 17) in found(texts)


def test_plain_manifests_of_a_chart_belong_to_its_release() -> None:
    plain = """\
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: plain}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: chat-chat}
  maxReplicas: 3
  metrics:
    - {type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 70}}}
"""
    inside, outside = "chart/templates/plain.yaml", "other/plain.yaml"
    where = {path for rule, path, _ in found({**chart(), inside: plain, outside: plain}) if rule == "cpu-autoscaling"}
    assert inside in where
    assert outside not in where


# -- joins of what is on and what is off


def test_two_autoscalers_behind_opposite_gates_are_alternatives() -> None:
    assert "several-autoscalers" not in rules(chart())
    assert "several-autoscalers" not in rules(with_values(HPA_OFF, HPA_ON))
    keda_on = "keda:\n  enabled: true\n  maxReplicas: 3\n  threshold: 5\n  prometheus: http://p"
    assert "several-autoscalers" not in rules(with_values("keda:\n  enabled: false", keda_on))


def test_two_autoscalers_that_are_both_on_are_two() -> None:
    always = chart()["chart/templates/hpa.yaml"].replace(
        "{{- if and .Values.autoscaling.enabled (not .Values.keda.enabled) }}\n", ""
    )
    always = always.rstrip().removesuffix("{{- end }}")
    keda_on = "keda:\n  enabled: true\n  maxReplicas: 3\n  threshold: 5\n  prometheus: http://p"
    assert "several-autoscalers" in rules(with_values("keda:\n  enabled: false", keda_on, templates__hpa_yaml=always))


def test_replicas_that_go_when_the_autoscaler_comes() -> None:
    assert "static-replicas-with-autoscaler" not in rules(chart())
    assert "static-replicas-with-autoscaler" not in rules(with_values(HPA_OFF, HPA_ON))


def test_an_autoscaler_that_is_off_is_none_of_the_workloads_own() -> None:
    [main] = [w for w in load_texts(chart()).project.workloads if w.ref.name == "chat-chat"]
    assert not main.autoscalers
    [main] = [w for w in load_texts(with_values(HPA_OFF, HPA_ON)).project.workloads if w.ref.name == "chat-chat"]
    assert [scaler.ref.kind for scaler in main.autoscalers] == ["HorizontalPodAutoscaler"]


def test_replicas_that_stay_when_the_autoscaler_comes() -> None:
    text = chart()["chart/templates/deployment.yaml"]
    gate = "  {{- if not .Values.autoscaling.enabled }}\n  replicas: {{ .Values.replicaCount }}\n  {{- end }}\n"
    assert gate in text
    always = text.replace(gate, "  replicas: {{ .Values.replicaCount }}\n")
    assert "static-replicas-with-autoscaler" in rules(with_values(HPA_OFF, HPA_ON, templates__deployment_yaml=always))


def test_what_an_autoscaler_of_a_chart_leaves_out_is_no_mistake() -> None:
    keda_on = "keda:\n  enabled: true\n  threshold: 5\n  prometheus: http://p"
    silent = {"implicit-scale-to-zero", "unbounded-max-replicas", "implicit-cpu-autoscaling"}
    assert not silent & rules(with_values("keda:\n  enabled: false", keda_on))
    no_metrics = with_values("  targetCPUUtilizationPercentage: 80\n", "")
    assert not silent & rules(no_metrics)


def test_what_a_workload_of_a_chart_leaves_out_is_no_mistake() -> None:
    texts = with_values("tensorParallelSize: 4", "tensorParallelSize: 2")
    assert not {"missing-shared-memory", "unused-gpus"} & rules(texts)


def test_charts_with_the_same_names_do_not_mix() -> None:
    texts = chart() | texts_of(FIXTURE, "second/chart")
    scalers = load_texts(texts).project.autoscalers
    assert len(scalers) == 4
    for scaler in scalers:
        assert scaler.workload is not None
        assert scaler.workload.place.source.path.rpartition("/")[0] == scaler.place.source.path.rpartition("/")[0]


def test_unknown_names_join_when_they_are_the_same_call() -> None:
    texts = chart()
    del texts["chart/templates/_helpers.tpl"]
    assert ("cpu-autoscaling", "chart/templates/hpa.yaml", 17) in found(texts)
    scaler = load_texts(texts).project.autoscalers[0]
    assert scaler.target is not None
    assert scaler.target.name == "$(include.chat.fullname)"
    other = texts["chart/templates/hpa.yaml"].replace(
        'name: {{ include "chat.fullname" . }}\n  minR', "name: {{ randAlpha 5 }}\n  minR"
    )
    texts["chart/templates/hpa.yaml"] = other
    assert "cpu-autoscaling" not in rules(texts)


def test_a_target_by_another_name_is_the_only_workload_of_its_kind() -> None:
    """What the name of the release makes of names is for who installs the chart."""
    text = chart()["chart/templates/hpa.yaml"]
    text = text.replace('name: {{ include "chat.fullname" . }}\n  minReplicas', "name: vllm\n  minReplicas")
    alone = {path: text for path, text in chart(templates__hpa_yaml=text).items() if "/charts/" not in path}
    assert ("cpu-autoscaling", "chart/templates/hpa.yaml", 17) in found(alone)
    assert "cpu-autoscaling" not in rules(chart(templates__hpa_yaml=text))  # there are two of the kind


def test_selectors_that_are_not_known_select_nothing() -> None:
    budget = """\
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {{ include "gone.name" . }}
spec:
  maxUnavailable: 1
  selector:
    matchLabels:
      {{- include "gone.labels" . | nindent 6 }}
"""
    texts = chart(templates__pdb_yaml=budget)
    assert "disruption-budget-without-selector" not in rules(texts)
    [budget_read] = load_texts(texts).project.disruption_budgets
    assert not budget_read.workloads


def test_variables_from_a_config_map_of_the_chart() -> None:
    config = """\
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ include "chat.fullname" . }}-env
data:
  TP: {{ .Values.tensorParallelSize | quote }}
"""
    text = chart()["chart/templates/deployment.yaml"].replace("{{ .Values.tensorParallelSize }}", "$(TP)")
    text = text.replace(
        "          resources:\n",
        '          envFrom:\n            - configMapRef: {name: {{ include "chat.fullname" . }}-env}\n          resources:\n',
    )
    texts = chart(templates__config_yaml=config, templates__deployment_yaml=text)
    assert ("parallel-size-exceeds-gpus", "chart/values.yaml", 6) in found(texts)
    loaded = load_texts(texts)
    assert not any(w.complete for w in loaded.project.workloads)


# -- values


OTHER_VALUES = """\
gpus: 8
resources:
  limits:
    nvidia.com/gpu: 8
"""


def test_the_values_of_a_rendered_chart_are_read_once() -> None:
    with_resources = with_values("gpus: 2", "gpus: 2\nresources:\n  limits:\n    nvidia.com/gpu: 2")
    kinds = {w.ref.kind for w in load_texts(with_resources).project.workloads}
    assert kinds == {"Deployment"}


def test_values_that_no_template_takes_are_read_by_themselves() -> None:
    texts = with_values("gpus: 2", "gpus: 2\nresources:\n  limits:\n    nvidia.com/gpu: 2")
    texts = {path: text for path, text in texts.items() if "/charts/" not in path and "deployment" not in path}
    loaded = load_texts(texts)
    assert [w.ref.kind for w in loaded.project.workloads] == ["Chart"]
    assert ("cpu-autoscaling", "chart/templates/hpa.yaml", 17) in found(texts)


def test_values_beside_a_chart_that_put_it_on_gpus() -> None:
    on_cpu = {path: text for path, text in with_values("gpus: 2", "gpus: 0").items() if "/charts/" not in path}
    assert "cpu-autoscaling" not in rules(on_cpu)
    [(_, path, line)] = [
        f for f in found({**on_cpu, "chart/gpu-values.yaml": OTHER_VALUES}) if f[0] == "cpu-autoscaling"
    ]
    assert (path, line) == ("chart/templates/hpa.yaml", 17)


def test_values_beside_a_chart_that_break_it() -> None:
    fits = {path: text for path, text in with_values("gpus: 2", "gpus: 4").items() if "/charts/" not in path}
    assert "parallel-size-exceeds-gpus" not in rules(fits)
    larger = {**fits, "chart/values-prod.yaml": "tensorParallelSize: 8\nautoscaling: {enabled: true}\n"}
    loaded = load_texts(larger)
    [broken] = [r for r in reported(loaded) if r.rule == "parallel-size-exceeds-gpus"]
    assert (broken.place.source.path, broken.place.line) == ("chart/templates/deployment.yaml", 25)
    last = broken.finding.evidence[-1]
    assert (last.label, last.value) == ("with the values of", "chart/values-prod.yaml")
    # The same mistake with both values is one.
    counts = [rule for rule, _, _ in found(larger) if rule == "cpu-autoscaling"]
    assert counts == ["cpu-autoscaling"]
    assert not {"several-autoscalers", "static-replicas-with-autoscaler"} & rules(larger)
    [deployment, _] = load_texts(larger).project.workloads
    assert deployment.values is None


ARGO = """\
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata:
  name: chat-prod
spec:
  source:
    repoURL: https://git.example.com/chat
    path: chart
    helm:
      valuesObject:
        tensorParallelSize: 8
"""
FLUX = """\
apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata:
  name: chat-prod
spec:
  chart:
    spec:
      chart: chart
      sourceRef: {kind: GitRepository, name: apps}
  values:
    tensorParallelSize: 8
"""


@pytest.mark.parametrize("release", [ARGO, FLUX])
def test_a_release_of_the_chart_with_its_own_values(release: str) -> None:
    fits = with_values("gpus: 2", "gpus: 4")
    assert "parallel-size-exceeds-gpus" not in rules(fits)
    [broken] = [
        r for r in reported(load_texts({**fits, "apps/chat.yaml": release})) if r.rule == "parallel-size-exceeds-gpus"
    ]
    assert (broken.place.source.path, broken.place.line) == ("chart/templates/deployment.yaml", 25)
    last = broken.finding.evidence[-1]
    assert (last.value, last.place and last.place.line) == ("apps/chat.yaml", 4)


def test_a_values_file_that_autoscales_speaks_for_itself() -> None:
    own = OTHER_VALUES + "autoscaling:\n  enabled: true\n  targetCPUUtilizationPercentage: 50\n"
    texts = {path: text for path, text in with_values("gpus: 2", "gpus: 0").items() if "/charts/" not in path}
    assert [f[1:] for f in found({**texts, "chart/gpu-values.yaml": own}) if f[0] == "cpu-autoscaling"] == [
        ("chart/gpu-values.yaml", 7)
    ]


# -- what cannot be rendered


def test_a_template_that_refuses_its_values_is_named() -> None:
    text = 'kind: Deployment\nengine: vllm\nx: {{ fail "say which model" }}\nresources: nvidia.com/gpu\n'
    loaded = load_texts(chart(templates__broken_yaml=text))
    assert [(t.path, t.line, t.reason) for t in loaded.templates] == [
        ("chart/templates/broken.yaml", 3, "error calling fail: say which model")
    ]
    assert any(w.ref.name == "chat-chat" for w in loaded.project.workloads)


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("a: 1\n{{ if .Values.x }}\nkind: Deployment # vllm nvidia.com/gpu\n", 2, "{{ if }} without its {{ end }}"),
        (
            "a: {{ .Values.model }}\nkind: Deployment # vllm nvidia.com/gpu\n b: 1\n",
            3,
            "what it writes is not valid YAML",
        ),
    ],
)
def test_a_template_that_is_none_is_named(text: str, line: int, reason: str) -> None:
    loaded = load_texts(chart(templates__broken_yaml=text))
    [template] = loaded.templates
    assert (template.line, (template.reason or "").startswith(reason)) == (line, True), template.reason


def test_values_that_must_be_given_are_unknown() -> None:
    text = chart()["chart/templates/deployment.yaml"].replace("{{ .Values.gpus }}", "{{ .Values.gpu.count }}")
    loaded = load_texts(chart(templates__deployment_yaml=text))
    [main] = [w for w in loaded.project.workloads if w.ref.name == "chat-chat"]
    assert main.containers[0].gpu_count() is None
    assert not loaded.templates


def test_arguments_that_are_not_known_may_be_any() -> None:
    text = chart()["chart/templates/deployment.yaml"].replace(
        "range .Values.extraArgs", 'range (include "gone" . | fromYaml).args'
    )
    loaded = load_texts(chart(templates__deployment_yaml=text))
    [main] = [w for w in loaded.project.workloads if w.ref.name == "chat-chat"]
    engine = main.containers[0].engine
    assert engine is not None
    assert engine.max_num_seqs is None or engine.max_num_seqs.value is None


def test_braces_for_somebody_else_are_read_as_they_stand() -> None:
    alerts = """\
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata: {name: alerts}
spec:
  groups:
    - name: g
      rules:
        - alert: HighGpuUtilization
          expr: avg(DCGM_FI_DEV_GPU_UTIL) > 90
          annotations: {summary: "GPU of {{ $labels.pod }} is saturated"}
"""
    assert [alert.name for alert in load_texts(chart(templates__alerts_yaml=alerts)).project.alerts] == [
        "HighGpuUtilization"
    ]


# -- named files


def scoped(tmp_path: Path, *names: str) -> set[tuple[str, str]]:
    shutil.copytree(FIXTURE, tmp_path / "chart", dirs_exist_ok=True)
    (tmp_path / ".git").mkdir(exist_ok=True)
    before = os.getcwd()
    os.chdir(tmp_path)
    try:
        loaded = load(discover([str(tmp_path / name) for name in names], []))
        return {(r.rule, r.finding.place.source.path) for r in reported(loaded)}
    finally:
        os.chdir(before)


def test_one_changed_template_is_read_with_its_chart(tmp_path: Path) -> None:
    cpu, size = (
        ("cpu-autoscaling", "chart/templates/hpa.yaml"),
        ("parallel-size-exceeds-gpus", "chart/templates/deployment.yaml"),
    )
    everything = scoped(tmp_path, "chart")
    assert {cpu, size} <= everything
    assert cpu in scoped(tmp_path, "chart/templates/hpa.yaml")
    assert size not in scoped(tmp_path, "chart/templates/hpa.yaml")
    assert {cpu, size} <= scoped(tmp_path, "chart/templates/deployment.yaml")


@pytest.mark.parametrize("name", ["values.yaml", "Chart.yaml", "templates/_helpers.tpl"])
def test_a_change_of_what_all_templates_take_in(tmp_path: Path, name: str) -> None:
    assert scoped(tmp_path, f"chart/{name}") == scoped(tmp_path, "chart")


def test_nothing_outside_of_the_chart_is_read(tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("vllm/vllm-openai:v0.1.0")
    shutil.copytree(FIXTURE, tmp_path / "chart")
    (tmp_path / ".git").mkdir()
    template = tmp_path / "chart" / "templates" / "deployment.yaml"
    text = template.read_text().replace("{{ .Values.model }}", '{{ .Files.Get "../secret.txt" }}')
    template.write_text(text)
    loaded = load(discover([str(tmp_path / "chart")], []))
    [main] = [w for w in loaded.project.workloads if w.ref.name == "chat-chat"]
    engine = main.containers[0].engine
    assert engine is not None
    assert engine.model is None or engine.model.value is None


def test_a_chart_that_matters_to_nobody_is_not_rendered() -> None:
    plain = {
        "chart/Chart.yaml": "name: web\n",
        "chart/values.yaml": "port: 80\n",
        "chart/templates/service.yaml": 'apiVersion: v1\nkind: Service\nmetadata: {name: {{ .Release.Name }}}\n{{ fail "x" }}\n',
    }
    loaded = load_texts(plain)
    assert not loaded.templates
    assert not loaded.project.releases


# -- unknown lines


@pytest.mark.parametrize(
    ("text", "expected", "gaps"),
    [
        ("a: ?\nb: 1", "a: $(x)\nb: 1", 0),
        ("a:\n  ?\nb: 1", "a:\n  $(x)\nb: 1", 0),
        ("a:\n  b: 1\n  ?\nc: 1", "a:\n  b: 1\n      \nc: 1", 1),
        ("a:\n  ?\n  b: 1", "a:\n      \n  b: 1", 1),
        ("a:    ?\n  b: 1", "a:        \n  b: 1", 1),
        ("- a\n?\n- b", "- a\n    \n- b", 1),
        ("a: |\n  echo\n  ?\n  echo", "a: |\n  echo\n  $(x)\n  echo", 0),
        ("a:\n  ??\n  b: 1", "a:\n          \n  b: 1", 1),
        ("- ?\n- ?x", "- $(x)\n- $(x)x", 0),
        ("metadata:\n  namespace: ?\n  name: ?", "metadata:\n  namespace:     \n  name: $(x)", 0),
        ('namespace: "?"', "namespace:       ", 0),
    ],
)
def test_what_is_unknown_as_yaml_can_hold_it(text: str, expected: str, gaps: int) -> None:
    written = text.replace("?", unknown("x"))
    became, holes = settled(written)
    # Blanks are as long as what they stand for.
    assert "\n".join(line.rstrip() for line in became.split("\n")) == "\n".join(
        line.rstrip() for line in expected.split("\n")
    )
    assert len(became) == len(written)
    assert len(holes) == gaps


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from([" ", "\n", "a", ":", "-", "|", unknown("x"), "(", ")", "namespace:"]), max_size=40))
def test_no_character_moves(parts: list[str]) -> None:
    text = "".join(parts)
    became, gaps = settled(text)
    assert len(became) == len(text)
    assert became.count("\n") == text.count("\n")
    assert MARK not in became
    assert all(0 <= gap < len(text) for gap in gaps)


def test_the_reports_say_why_a_template_was_not_rendered() -> None:
    text = 'kind: Deployment\nengine: vllm\nx: {{ fail "say which model" }}\nresources: nvidia.com/gpu\n'
    loaded = load_texts(chart(templates__broken_yaml=text))
    report = Report([], [], loaded.templates, 1, [])
    read = json.loads(render(report, "json", color=False, width=80))
    assert read["templates"][0]["reason"] == "error calling fail: say which model"
    line = "chart/templates/broken.yaml:3: error calling fail: say which model"
    assert line in render(report, "text", color=False, width=100)
