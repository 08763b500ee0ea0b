"""Values of Helm charts: what a template writes stands where somebody wrote it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpulint.discovery import discover
from gpulint.lint import Checked, examine, selected_rules
from gpulint.load import Loaded, load, load_texts
from gpulint.source.gotemplate.formats import to_yaml
from gpulint.source.helm import Parsed, load_chart, render_chart
from gpulint.source.text import Place, Source
from gpulint.source.yaml import Document, Node, documents

VALUES = """\
name: chat
gpus: 4
million: 1000000
empty: ""
args: ["--model", 'Qwen/Qwen3-32B', --enforce-eager]
probe:
  httpGet: {path: /health, port: 8000}
  failureThreshold: 3   # often
  command:
    - sh
    - -c
    - "curl -f localhost"
script: |
  #!/bin/sh
    vllm serve a
  sleep 1
models:
  - name: small
    gpus: 1
  - name: large
    gpus: 8
by_name: {a: {gpus: 1}, b: {gpus: 2}}
braces: "{{ .Values.name }}-x"
"""
HELPERS = """\
{{- define "name" }}{{ .Values.name }}{{ end }}
{{- define "limits" -}}
memory: 16Gi
nvidia.com/gpu: {{ required "how many" .Values.gpus | quote }}
{{- end }}
{{- define "render" -}}
{{- $value := typeIs "string" .value | ternary .value (.value | toYaml) }}
{{- if contains "{{" (toJson .value) }}{{ tpl $value .context }}{{ else }}{{ $value }}{{ end }}
{{- end }}
{{- define "of" }}{{ .gpus }}{{ end }}
"""


def rendered(template: str, *, at: str = "", **files: str) -> Node:
    """What a template makes of VALUES, or of other files by their paths; `__` stands for a slash."""
    texts = {"c/values.yaml": VALUES, "c/templates/_helpers.tpl": HELPERS}
    texts |= {f"c/{path.replace('__', '/')}.yaml": text for path, text in files.items()}
    texts[f"c/{at}templates/t.yaml"] = template
    sources = {path: Source(path, text) for path, text in texts.items()}

    def list_files(folder: str) -> list[str]:
        return [path for path in sources if path.startswith(f"{folder}/")]

    over = sources.get("c/over.yaml")
    given = next(documents(over)) if over is not None else None
    assert given is None or isinstance(given, Document)
    chart = load_chart("c", sources.get, list_files, given.root if given is not None else None)
    assert chart is not None
    release = render_chart(chart, sources.get, list_files, Parsed(), {f"c/{at}templates/t.yaml"}, lambda *_: True)
    assert not release.unread, release.unread[0].reason
    return release.documents[0].document.root


def shown(place: Place) -> tuple[str, str, str]:
    """(file, text, path) of where a place has its origin."""
    found = place.origin()
    return found.source.path.removeprefix("c/"), found.text(), found.node_path()


def at(root: Node, *steps: str | int) -> Node:
    found = root.at(*steps)
    assert found is not None
    return found


# -- what has its place in the values


@pytest.mark.parametrize(
    ("template", "text", "path"),
    [
        ("x: {{ .Values.gpus }}", "4", "gpus"),
        ("x: {{ $.Values.gpus | int }}", "4", "gpus"),
        ("x: {{ .Values.name | quote }}", "chat", "name"),
        ('x: "{{ .Values.name }}"', "chat", "name"),
        ("x: {{ .Values.million }}", "1000000", "million"),
        ("x: {{ default 1 .Values.gpus }}", "4", "gpus"),
        ('x: {{ .Values.gpus | default "1" | toString | quote }}', "4", "gpus"),
        ("x: {{ .Values.none | default .Values.gpus }}", "4", "gpus"),
        ("x: {{ coalesce .Values.none .Values.empty .Values.gpus }}", "4", "gpus"),
        ("x: {{ or .Values.empty .Values.name }}", "chat", "name"),
        ('x: {{ required "say" .Values.name }}', "chat", "name"),
        ('x: {{ index .Values "args" 2 }}', "--enforce-eager", "args[2]"),
        ('x: {{ get .Values.probe "failureThreshold" }}', "3", "probe.failureThreshold"),
        ("{{ with .Values.probe }}x: {{ .failureThreshold }}{{ end }}", "3", "probe.failureThreshold"),
        ("{{ with .Values.none }}{{ else }}x: {{ .Values.gpus }}{{ end }}", "4", "gpus"),
        ("{{ $p := .Values.probe }}x: {{ $p.failureThreshold }}", "3", "probe.failureThreshold"),
        ("{{ $p := 1 }}{{ if .Values.name }}{{ $p = .Values.gpus }}{{ end }}x: {{ $p }}", "4", "gpus"),
        ("{{ range .Values.models }}x: {{ .gpus }}\n{{ end }}", "8", "models[1].gpus"),
        ("{{ range $i, $m := .Values.models }}x: {{ $m.name }}\n{{ end }}", "large", "models[1].name"),
        ("{{ range $k, $v := .Values.by_name }}x: {{ $v.gpus }}\n{{ end }}", "2", "by_name.b.gpus"),
        (
            "{{ range .Values.models }}{{ $.Values.name | trim | nindent 0 }}: {{ $.Values.gpus }}\n{{ end }}",
            "4",
            "gpus",
        ),
        ('x: {{ include "name" . }}', "chat", "name"),
        ('x: {{ include "name" . | quote }}', "chat", "name"),
        ('x: {{ template "name" . }}', "chat", "name"),
        ('{{ $n := include "name" . }}x: {{ $n | default "a" }}', "chat", "name"),
        ('x: {{ include "of" (index .Values.models 1) }}', "8", "models[1].gpus"),
        ('{{ range .Values.models }}x: {{ include "of" . }}\n{{ end }}', "8", "models[1].gpus"),
        ('{{ range .Values.models }}x: {{ include "of" (dict "gpus" .gpus) }}\n{{ end }}', "8", "models[1].gpus"),
        ('x: {{ include "render" (dict "value" .Values.name "context" $) }}', "chat", "name"),
        ("x: {{ (.Values.probe).failureThreshold }}", "3", "probe.failureThreshold"),
        ("x: {{ tpl .Values.name . }}", "chat", "name"),
    ],
)
def test_a_scalar_of_the_values(template: str, text: str, path: str) -> None:
    [*_, (_, node)] = rendered(template).items()
    assert shown(node.place) == ("values.yaml", node.place.origin().text(), path)
    assert node.place.origin().text().strip("\"'") == text
    assert node.place.source.path == "c/templates/t.yaml"
    assert shown(node.entry_place)[::2] == ("values.yaml", path)


@pytest.mark.parametrize(
    "template",
    [
        "x:\n  {{- toYaml .Values.probe | nindent 2 }}",
        "x:\n{{ toYaml .Values.probe | indent 4 }}",
        "x:\n  {{ toYaml .Values.probe | indent 2 | trim }}",
        "x:\n  {{- with .Values.probe }}\n  {{- toYaml . | nindent 2 }}\n  {{- end }}",
        "x: {{ .Values.probe | toJson }}",
        'x:\n  first: 1\n  {{- omit .Values.probe "enabled" | toYaml | nindent 2 }}\n  last: 1',
        'x:\n  {{- include "render" (dict "value" .Values.probe "context" $) | nindent 2 }}',
        "x:\n  {{- tpl (toYaml .Values.probe) . | nindent 2 }}",
    ],
)
def test_a_part_of_the_values(template: str) -> None:
    probe = at(rendered(template), "x")
    port = at(probe, "httpGet", "port")
    assert shown(port.place) == ("values.yaml", "8000", "probe.httpGet.port")
    assert shown(port.key_place) == ("values.yaml", "port", "probe.httpGet.port")
    assert shown(port.entry_place) == ("values.yaml", "port: 8000", "probe.httpGet.port")
    assert shown(at(probe, "failureThreshold").entry_place)[1] == "failureThreshold: 3"
    assert shown(at(probe, "httpGet").place) == ("values.yaml", "{path: /health, port: 8000}", "probe.httpGet")
    script = at(probe, "command", 2)
    assert shown(script.place) == ("values.yaml", '"curl -f localhost"', "probe.command[2]")
    assert shown(script.fragment(5, 7)) == ("values.yaml", "-f", "probe.command[2]")
    if "first" not in template:
        assert shown(probe.place)[::2] == ("values.yaml", "probe")
    assert shown(probe.key_place) == ("templates/t.yaml", "x", "x")


def test_lines_of_a_script() -> None:
    script = at(rendered("x: |\n  {{- .Values.script | nindent 4 }}"), "x")
    assert script.text is not None
    start = script.text.index("vllm serve a")
    assert shown(script.fragment(start, start + 12)) == ("values.yaml", "vllm serve a", "script")


def test_neighbours_in_a_list() -> None:
    for template in (
        "x:\n  {{- toYaml .Values.args | nindent 2 }}",
        "x:\n  {{- range .Values.args }}\n  - {{ . | quote }}\n  {{- end }}",
    ):
        args = at(rendered(template), "x")
        first, last = at(args, 0).place, at(args, 1).place
        start, end = args.raw.value[0].start_mark.index, args.raw.value[1].end_mark.index
        both = args.document.place(start, end, None)
        assert shown(first)[1] == '"--model"'
        assert shown(last)[1] == "'Qwen/Qwen3-32B'"
        assert shown(both) == ("values.yaml", "\"--model\", 'Qwen/Qwen3-32B'", "args[0]")


def test_text_of_a_helper_stands_at_the_action() -> None:
    limits = at(rendered('x: {{- include "limits" . | nindent 2 }}'), "x")
    assert shown(at(limits, "nvidia.com/gpu").place) == ("values.yaml", "4", "gpus")
    assert shown(at(limits, "memory").place)[:2] == ("templates/t.yaml", '{{- include "limits" . | nindent 2 }}')


def test_yaml_inside_of_a_value() -> None:
    root = rendered("x: |\n  a: {{ .Values.gpus }}\n  {{- toYaml .Values.probe | nindent 2 }}\n")
    inner = at(root, "x").embedded()
    assert inner is not None
    assert shown(at(inner.root, "a").place) == ("values.yaml", "4", "gpus")
    assert shown(at(inner.root, "httpGet", "path").place) == ("values.yaml", "/health", "probe.httpGet.path")


# -- what has not


@pytest.mark.parametrize(
    "template",
    [
        "x: 4",
        "x: {{ 4 }}",
        "x: {{ .Values.none | default 4 }}",
        'x: {{ printf "%s-x" .Values.name }}',
        "x: {{ add .Values.gpus 1 }}",
        "x: {{ .Values.name }}-x",
        "x: {{ .Values.name }}{{ .Values.gpus }}",
        "x: {{ .Values.name | upper }}",
        "x: {{ tpl .Values.braces . }}",
        "x: {{ ternary .Values.name .Values.gpus true }}",
        '{{ $_ := set .Values "name" "other" }}x: {{ .Values.name }}',
        '{{ $_ := set .Values.probe "failureThreshold" 9 }}x: {{ .Values.probe.failureThreshold }}',
        '{{ $m := merge (dict "name" "other") .Values }}x: {{ $m.name }}',
        "x: {{ .Chart.Name }}",
        "x: {{ len .Values.args }}",
        "x: {{ range $k, $v := .Values.by_name }}{{ $k }}{{ end }}",
        "x: {{ .Values.probe }}",
    ],
)
def test_what_is_changed_on_the_way(template: str) -> None:
    [*_, (_, node)] = rendered(template).items()
    assert shown(node.place)[0] == "templates/t.yaml"
    assert shown(node.entry_place)[0] == "templates/t.yaml"


def test_a_variable_without_end() -> None:
    rendered("{{ $x := .Values }}{{ range until 9000 }}{{ $x = $x.a }}{{ end }}x: 1")


# -- which file of values


SUB = {"charts__sub__Chart": "name: sub\n", "charts__sub__values": "gpus: 1\nown: 2\nglobal: {tier: low, more: 1}\n"}
PARENT = "sub:\n  gpus: 3\nglobal:\n  tier: high\n"


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("x: {{ .Values.gpus }}", ("values.yaml", "3", "sub.gpus")),
        ("x: {{ .Values.own }}", ("charts/sub/values.yaml", "2", "own")),
        ("x: {{ .Values.global.tier }}", ("values.yaml", "high", "global.tier")),
        ("x: {{ .Values.global.more }}", ("charts/sub/values.yaml", "1", "global.more")),
    ],
)
def test_values_of_a_subchart(template: str, expected: tuple[str, str, str]) -> None:
    assert shown(at(rendered(template, at="charts/sub/", values=PARENT, **SUB), "x").place) == expected


def test_values_of_a_subchart_in_its_parent() -> None:
    root = rendered("x: {{ .Values.sub.gpus }}\ny: {{ .Values.sub.own }}", values=PARENT, **SUB)
    assert shown(at(root, "x").place) == ("values.yaml", "3", "sub.gpus")
    assert shown(at(root, "y").place) == ("charts/sub/values.yaml", "2", "own")


def test_other_values_have_the_last_word() -> None:
    root = rendered("x: {{ toYaml .Values.probe | nindent 2 }}", over="probe: {failureThreshold: 30}")
    assert shown(at(root, "x", "failureThreshold").place) == ("over.yaml", "30", "probe.failureThreshold")
    assert shown(at(root, "x", "httpGet", "port").place) == ("values.yaml", "8000", "probe.httpGet.port")


# -- all that values can be

TEXTS = st.text(
    st.characters(
        min_codepoint=32, max_codepoint=0x2000, exclude_characters="{" + "".join(map(chr, range(0x7F, 0xA0)))
    ),
    max_size=12,
)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**53), 2**53),
    TEXTS,
    st.sampled_from(["--a=b", "a: b", "1.0", "on", "a\nb\n", "two  lines\n end", "# no", "- x", "'", '"', "~", ""]),
)
TREES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(TEXTS, inner, max_size=4)),
    max_leaves=12,
)


def pairs(one: Node, other: Node | None) -> Iterator[tuple[Node, Node]]:
    """The scalars and keys of a node, each with that of another at the same path."""
    assert other is not None
    if one.is_scalar:
        yield one, other
    for key, child in one.items():
        yield from pairs(child, other.get(key))
    for index, child in enumerate(one.elements()):
        yield from pairs(child, other.element(index))


@settings(max_examples=150, deadline=None)
@given(TREES, st.integers(2, 20), st.booleans(), st.sampled_from(["toYaml", "toJson"]))
def test_each_scalar_stands_where_it_is_written(value: object, indent: int, flow: bool, function: str) -> None:
    text = f"x: {json.dumps(value)}\n" if flow else to_yaml({"x": value}) + "\n"
    read = next(documents(Source("c/values.yaml", text)))
    assert isinstance(read, Document)
    root = rendered(f"kind: a\ny:\n{{{{ {function} .Values.x | indent {indent} }}}}\n", values=text)
    y, x = root.get("y"), read.root.get("x")
    assert y is not None
    if x is None or value is None:
        return
    for one, other in pairs(y, x):
        found = one.place.origin()
        assert (found.source.path, found.text(), found.start) == (
            "c/values.yaml",
            other.place.text(),
            other.place.start,
        )
        if one.path != (None, "y"):
            key = one.key_place.origin()
            assert (key.source.path, key.text()) == ("c/values.yaml", other.key_place.text())


# -- findings

CHART = {
    "chart/Chart.yaml": "name: chat\nversion: 0.1.0\n",
    "chart/values.yaml": """\
image: vllm/vllm-openai:v0.10.1
command: ["vllm", "serve", "Qwen/Qwen3-32B", "--enforce-eager"]
gpus: 4
""",
    "chart/templates/deployment.yaml": """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ .Release.Name }}
spec:
  template:
    spec:
      containers:
        - name: vllm
          image: {{ .Values.image }}
          command:
            {{- toYaml .Values.command | nindent 12 }}
          resources:
            limits:
              nvidia.com/gpu: {{ .Values.gpus }}
""",
}


def checked(loaded: Loaded) -> Checked:
    found = examine(loaded, selected_rules([], []))
    assert not found.problems
    return found


def changed(path: str, old: str, new: str) -> dict[str, str]:
    assert old in CHART[path]
    return {**CHART, path: CHART[path].replace(old, new)}


def test_a_finding_stands_in_the_values() -> None:
    [eager] = [r for r in checked(load_texts(CHART)).findings if r.rule == "eager-execution"]
    assert (eager.place.source.path, eager.place.line, eager.place.node_path()) == (
        "chart/values.yaml",
        2,
        "command[3]",
    )
    assert eager.place.text() == '"--enforce-eager"'
    assert eager.finding.action is not None
    assert eager.finding.action.text() == "{{- toYaml .Values.command | nindent 12 }}"
    assert eager.fix is None
    again = checked(load_texts(changed("chart/values.yaml", "gpus", "# more\ngpus"))).findings
    assert eager.fingerprint in {r.fingerprint for r in again}


@pytest.mark.parametrize(
    ("path", "old", "new"),
    [
        ("chart/values.yaml", 'eager"]', 'eager"]  # gpulint: ignore[eager-execution]'),
        ("chart/values.yaml", "command:", "# gpulint: ignore[eager-execution]\ncommand:"),
        (
            "chart/templates/deployment.yaml",
            "            {{- toYaml",
            "            # gpulint: ignore[eager-execution]\n            {{- toYaml",
        ),
    ],
)
def test_both_places_may_have_an_ignore(path: str, old: str, new: str) -> None:
    found = checked(load_texts(changed(path, old, new)))
    assert "eager-execution" in {r.rule for r in found.ignored}
    assert not {"eager-execution", "unused-ignore"} & {r.rule for r in found.findings}


def test_each_values_file_is_told_of_its_own() -> None:
    other = {"chart/values-prod.yaml": 'gpus: 8\ncommand: ["vllm", "serve", "a/b", "--enforce-eager"]\n'}
    eager = [r.place for r in checked(load_texts({**CHART, **other})).findings if r.rule == "eager-execution"]
    assert [(place.source.path, place.line) for place in eager] == [
        ("chart/values-prod.yaml", 2),
        ("chart/values.yaml", 2),
    ]
    same = {"chart/values-prod.yaml": "gpus: 8\n"}
    eager = [r.place for r in checked(load_texts({**CHART, **same})).findings if r.rule == "eager-execution"]
    assert [(place.source.path, place.line) for place in eager] == [("chart/values.yaml", 2)]


def test_a_release_is_told_of_its_own() -> None:
    release = """\
apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: {name: prod}
spec:
  chart:
    spec: {chart: chart, sourceRef: {kind: GitRepository, name: apps}}
  values:
    command: ["vllm", "serve", "Qwen/Qwen3-32B", "--enforce-eager"]
"""
    plain = changed("chart/values.yaml", ', "--enforce-eager"', "")
    [eager] = [
        r for r in checked(load_texts({**plain, "apps/prod.yaml": release})).findings if r.rule == "eager-execution"
    ]
    assert (eager.place.source.path, eager.place.line) == ("apps/prod.yaml", 8)
    assert eager.place.text() == '"--enforce-eager"'


def test_evidence_stands_in_the_values() -> None:
    spread = changed("chart/values.yaml", '"--enforce-eager"', '"--tensor-parallel-size", "8"')
    [size] = [r for r in checked(load_texts(spread)).findings if r.rule == "parallel-size-exceeds-gpus"]
    assert (size.place.source.path, size.place.text()) == ("chart/values.yaml", '"8"')
    assert [(e.place.source.path, e.place.line) for e in size.finding.evidence if e.place is not None] == [
        ("chart/values.yaml", 2),
        ("chart/values.yaml", 3),
    ]


def test_a_key_that_a_template_writes_twice_is_its_own() -> None:
    twice = changed(
        "chart/templates/deployment.yaml",
        "              nvidia.com/gpu: {{ .Values.gpus }}",
        "              cpu: 1\n              {{- toYaml .Values.limits | nindent 14 }}",
    )
    twice["chart/values.yaml"] += "limits:\n  cpu: 2\n  nvidia.com/gpu: 4\n"
    [key] = [r for r in checked(load_texts(twice)).findings if r.rule == "duplicate-key"]
    assert (key.place.source.path, key.place.line) == ("chart/templates/deployment.yaml", 16)


def test_what_is_named_does_not_change_what_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for path, text in CHART.items():
        os.makedirs((tmp_path / path).parent, exist_ok=True)
        (tmp_path / path).write_text(text)
    (tmp_path / "chart/templates/service.yaml").write_text("apiVersion: v1\nkind: Service\nspec: {}\n")
    (tmp_path / ".git").mkdir()
    monkeypatch.chdir(tmp_path)

    def named(*names: str) -> set[tuple[str, str, str]]:
        findings = checked(load(discover([*names], []))).findings
        return {(r.rule, r.place.source.path, r.fingerprint) for r in findings}

    values, template, service = "chart/values.yaml", "chart/templates/deployment.yaml", "chart/templates/service.yaml"
    everything = named("chart")
    assert ("eager-execution", values) in {found[:2] for found in everything}
    assert named(values) == named(values, template) == everything
    # What its action writes concerns a template as well.
    assert named(template) == everything
    assert named(service) == set()
