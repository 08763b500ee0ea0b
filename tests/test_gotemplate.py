"""Go's text/template with the functions of Sprig and Helm. The expected texts are what Go itself gives."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpulint.source.gotemplate.budget import Budget
from gpulint.source.gotemplate.evaluate import Machine, Methods, Unknowns
from gpulint.source.gotemplate.formats import from_yaml, to_yaml
from gpulint.source.gotemplate.lexer import SyntaxProblem
from gpulint.source.gotemplate.parser import parse
from gpulint.source.gotemplate.render import FailedAt, Rendering, render
from gpulint.source.gotemplate.unknown import MARK, LimitReached, TemplateProblem, truth, unknown

VALUES = """\
name: chat
empty: ""
count: 5
ratio: 0.9
million: 1000000
port: 8000
half: "0.5"
yes_: true
no_: false
nothing: null
list: [b, a, b]
none: []
map: {x: 1, yy: two, z: {k: v}}
bare: {}
version: "1.27.3"
lines: "one\\ntwo\\n"
colon: "a: b"
quoted: 'say "hi"'
inner: "{{ .Values.name }}-x"
"""


def machine(text: str, **options: int) -> tuple[Machine, object, list[object]]:
    parsed = parse(text)
    dot = {"Values": from_yaml(VALUES), "Release": {"Name": "rel"}}
    budget = Budget(**{"steps": 300_000, "characters": 20_000_000, **options})
    made = Machine(parsed.defined, budget, Unknowns())
    made.root = dot
    return made, dot, list(parsed.nodes)


def run(text: str, **options: int) -> str:
    made, dot, nodes = machine(text, **options)
    return "".join(piece.text for piece in made.run(nodes, dot))  # type: ignore[arg-type]


def shown(text: str) -> str:
    return run(text).replace(MARK, "$")


EXAMPLES = [
    # text, actions and trimming
    ("a {{ .Values.name }} b", "a chat b"),
    ("a  {{- .Values.name -}}  b", "achatb"),
    ("a\n{{- /* comment */ -}}\n b", "ab"),
    ("{{/* a */}}x", "x"),
    ("{{-3}}", "-3"),
    ("{{ `raw\\n` }}{{ \"a\\tb\\u00e9\" }}{{ 'x' }}", "raw\\na\tbé120"),
    ("{{ .Values.missing }}|{{ .Values.nothing }}|", "||"),
    ("{{ 0x10 }} {{ 1_000 }} {{ 017 }} {{ 1e3 }} {{ -2.50 }}", "16 1000 15 1000 -2.5"),
    # numbers of YAML are float64
    ("{{ .Values.count }} {{ .Values.million }} {{ .Values.ratio }} {{ int .Values.million }}", "5 1e+06 0.9 1000000"),
    ("{{ .Values.list }} {{ .Values.map }}", "[b a b] map[x:1 yy:two z:map[k:v]]"),
    # branches
    ("{{ if .Values.yes_ }}y{{ else }}n{{ end }}{{ if .Values.empty }}y{{ else if .Values.count }}e{{ end }}", "ye"),
    ("{{ with .Values.map }}{{ .x }}{{ $.Values.name }}{{ else }}n{{ end }}", "1chat"),
    ("{{ with .Values.none }}x{{ else }}none{{ end }}", "none"),
    ("{{ range .Values.list }}[{{ . }}]{{ end }}", "[b][a][b]"),
    ("{{ range $i, $v := .Values.list }}{{ $i }}{{ $v }},{{ end }}", "0b,1a,2b,"),
    ("{{ range $k, $v := .Values.map }}{{ $k }};{{ else }}empty{{ end }}", "x;yy;z;"),
    ("{{ range .Values.none }}x{{ else }}empty{{ end }}", "empty"),
    ("{{ range until 5 }}{{ if eq . 1 }}{{ continue }}{{ end }}{{ if eq . 3 }}{{ break }}{{ end }}{{ . }}{{ end }}", "02"),
    # variables
    ("{{ $x := 1 }}{{ if true }}{{ $x = 2 }}{{ end }}{{ $x }}", "2"),
    ("{{ $x := 1 }}{{ if true }}{{ $x := 2 }}{{ $x }}{{ end }}{{ $x }}", "21"),
    ("{{ $m := .Values.map }}{{ $m.z.k }}", "v"),
    ("{{ (.Values.missing).x.y }}|{{ $n := .Values.missing }}{{ $n.x }}", "|"),
    ("{{ (dict \"a\" (dict \"b\" 7)).a.b }}", "7"),
    # definitions
    ("{{ define \"t\" }}<{{ . }}>{{ end }}{{ template \"t\" .Values.name }}{{ include \"t\" 3 | upper }}", "<chat><3>"),
    ("{{ block \"b\" .Values.name }}[{{ . }}]{{ end }}", "[chat]"),
    ("{{ tpl .Values.inner . }}", "chat-x"),
    # logic
    ("{{ and 1 0 2 }} {{ or 0 \"\" 3 }} {{ not .Values.none }} {{ and .Values.missing .Values.missing.x }}", "0 3 true "),
    ("{{ eq 1 2 1 }} {{ ne \"a\" \"b\" }} {{ lt 1 2 }} {{ ge \"b\" \"a\" }} {{ eq .Values.missing \"a\" }}", "true true true true false"),
    ("{{ .Values.empty | default \"d\" }} {{ default 3 .Values.count }} {{ coalesce nil \"\" \"c\" }}", "d 5 c"),
    ("{{ ternary \"y\" \"n\" .Values.no_ }} {{ empty .Values.bare }}", "n true"),
    ("{{ kindOf .Values.count }} {{ kindIs \"map\" .Values.map }} {{ typeOf .Values.name }}", "float64 true string"),
    # texts
    ("{{ quote .Values.name 1 nil }} {{ squote .Values.name }} {{ .Values.quoted | quote }}", "\"chat\" \"1\" 'chat' \"say \\\"hi\\\"\""),
    ("{{ printf \"%s-%d %v %5.1f|%-4s|%q %%\" .Values.name 3 .Values.ratio 1.25 \"a\" \"b\" }}", "chat-3 0.9   1.2|a   |\"b\" %"),
    ("{{ printf \"%s\" .Values.count }} {{ printf \"%d\" }}", "%!s(float64=5) %!d(MISSING)"),
    ("{{ \"a-b-\" | trimSuffix \"-\" | trimPrefix \"a\" }} {{ trunc 3 \"abcdef\" }} {{ trunc -2 \"abc\" }}", "-b abc bc"),
    ("{{ replace \"/\" \"--\" \"a/b\" }} {{ title \"ab cd\" }} {{ contains \"h\" .Values.name }}", "a--b Ab Cd true"),
    ("{{ \"x\" | indent 2 }}{{ \"a\\nb\" | nindent 2 }}", "  x\n  a\n  b"),
    ("{{ splitList \"-\" \"a-b\" }} {{ (split \"-\" \"a-b\")._1 }} {{ join \",\" .Values.list }}", "[a b] b b,a,b"),
    ("{{ cat 1 \"a\" nil }} {{ repeat 3 \"ab\" }} {{ substr 1 3 \"abcd\" }}", "1 a ababab bc"),
    # lists and dictionaries
    ("{{ first .Values.list }}{{ last .Values.list }}{{ rest .Values.list }}{{ initial .Values.list }}", "bb[a b][b a]"),
    ("{{ uniq .Values.list }} {{ sortAlpha .Values.list }} {{ without .Values.list \"b\" }} {{ has \"a\" .Values.list }}", "[b a] [a b b] [a] true"),
    ("{{ append (list 1) 2 }} {{ prepend (list 1) 2 }} {{ concat (list 1) (list 2 3) }} {{ reverse (list 1 2) }}", "[1 2] [2 1] [1 2 3] [2 1]"),
    ("{{ get .Values.map \"yy\" }} {{ hasKey .Values.map \"q\" }} {{ keys .Values.map | sortAlpha }}", "two false [x yy z]"),
    ("{{ $d := dict \"a\" 1 }}{{ $_ := set $d \"b\" 2 }}{{ $_ := unset $d \"a\" }}{{ $d }}", "map[b:2]"),
    ("{{ merge (dict \"a\" 1) (dict \"a\" 2 \"b\" 3) }} {{ mergeOverwrite (dict \"a\" 1) (dict \"a\" 2) }}", "map[a:1 b:3] map[a:2]"),
    ("{{ pick .Values.map \"x\" }} {{ omit .Values.map \"x\" \"z\" }} {{ dig \"z\" \"k\" \"d\" .Values.map }}", "map[x:1] map[yy:two] v"),
    ("{{ index .Values.list 1 }} {{ index .Values.map \"z\" \"k\" }} {{ len .Values.map }}", "a v 3"),
    # numbers
    ("{{ add 1 .Values.count }} {{ sub 5 2 }} {{ mul 2 3 }} {{ div 7 2 }} {{ mod 7 4 }} {{ div -7 2 }}", "6 3 6 3 3 -3"),
    ("{{ max 1 5 2 }} {{ int \"12\" }} {{ int64 2.9 }} {{ float64 .Values.half }} {{ round 2.345 2 }} {{ mulf 1.5 2 }}", "5 12 2 0.5 2.35 3"),
    # formats
    ("{{ toYaml .Values.map }}", "x: 1\nyy: two\nz:\n  k: v"),
    ("{{ toYaml (list 1 (dict \"a\" (list \"x\"))) }}", "- 1\n- a:\n  - x"),
    ("{{ toYaml (dict \"a\" \"8000\" \"b\" \"true\" \"c\" .Values.colon \"d\" \"\" \"e\" .Values.none) }}", "a: \"8000\"\nb: \"true\"\nc: 'a: b'\nd: \"\"\ne: []"),
    ("{{ toYaml (dict \"s\" .Values.lines) }}", "s: |\n  one\n  two"),
    ("{{ toJson .Values.map }} {{ (fromYaml \"a: [1]\").a }} {{ (fromJson \"{\\\"a\\\":1}\").a }}", "{\"x\":1,\"yy\":\"two\",\"z\":{\"k\":\"v\"}} [1] 1"),
    ("{{ b64enc \"hi\" }} {{ b64dec \"aGk=\" }} {{ sha256sum \"\" | trunc 8 }}", "aGk= hi e3b0c442"),
    # patterns and versions
    ("{{ regexMatch \"^v[0-9]+$\" \"v12\" }} {{ regexReplaceAll \"(a)b\" \"abab\" \"${1}-\" }} {{ regexFind \"[0-9]+\" \"a12b\" }}", "true a-a- 12"),
    ("{{ semverCompare \">=1.19-0\" .Values.version }} {{ semverCompare \"^1.2\" \"2.0.0\" }} {{ semverCompare \"~1.27 || 2.x\" .Values.version }}", "true false true"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), EXAMPLES)
def test_examples(text: str, expected: str) -> None:
    assert run(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "{{ .Values.missing.x }}",
        "{{ .Values.name.x }}",
        "{{ fail \"no\" }}",
        "{{ eq 1 .Values.count }}",
        "{{ index .Values.list 9 }}",
        "{{ div 1 0 }}",
        "{{ upper 3 }}",
        "{{ $nobody }}",
        "{{ nosuchfunction 1 }}",
        "{{ range .Values.name }}{{ end }}",
        "{{ semverCompare \"1\" \"x\" }}",
        "{{ include \"t\" }}",
        "{{ nil }}",
    ],
)  # fmt: skip
def test_what_go_refuses_to_run(text: str) -> None:
    with pytest.raises(TemplateProblem):
        run(text)


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("a {{ .x", 2),
        ("{{ if .x }}", 0),
        ("x{{ end }}", 1),
        ("{{ else }}", 0),
        ("{{ if .x }}{{ else }}{{ else }}{{ end }}", 21),
        ('{{ "abc }}', 3),
        ("{{ (1 }}", 0),
        ("{{ 1 | 2 }}", 0),
        ("{{ .x ) }}", 6),
        ("{{/* never", 0),
        ("{{ break }}", 0),
        ('{{ if true }}{{ define "x" }}{{ end }}{{ end }}', 13),
        ("{{ }}", 0),
        ("{{ a ? b }}", 5),
        ("{{ 99999999999999999999 }}", 3),
    ],
)
def test_what_is_no_template(text: str, at: int) -> None:
    with pytest.raises(SyntaxProblem) as error:
        parse(text)
    assert error.value.at == at


# -- what is unknown


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{{ include \"gone\" . }}", "$(include.gone)"),
        ("{{ include \"gone\" . | quote }}", "\"$(include.gone)\""),
        ("{{ printf \"%s-x\" (include \"gone\" .) }}", "$(include.gone)-x"),
        ("{{ include \"gone\" . | nindent 2 }}", "\n  $(include.gone)"),
        # The same call gives the same value, another one another.
        ("{{ include \"gone\" . | trunc 5 }} {{ include \"gone\" . | trunc 5 }} {{ include \"gone\" . | trunc 6 }}", "$(unknown.1) $(unknown.1) $(unknown.2)"),
        ("{{ randAlphaNum 5 }} {{ randAlphaNum 5 }}", "$(unknown.1) $(unknown.2)"),
        ("{{ $p := randAlphaNum 5 }}{{ $p }} {{ $p }}", "$(unknown.1) $(unknown.1)"),
        ("{{ required \"say it\" .Values.missing }} {{ required \"say it\" .Values.name }}", "$(unknown.1) chat"),
        ("{{ toYaml (dict \"a\" (include \"gone\" .)) }}", "a: $(include.gone)"),
        ("{{ default \"d\" (include \"gone\" .) }}", "$(unknown.1)"),
        ("{{ default \"d\" (printf \"x%s\" (include \"gone\" .)) }}", "x$(include.gone)"),
        ("{{ eq (include \"gone\" .) \"a\" }} {{ eq (printf \"x-%s\" (include \"gone\" .)) \"y\" }}", "$(unknown.1) false"),
        ("{{ (lookup \"v1\" \"Secret\" \"a\" \"b\").data }}", ""),
        ("{{ regexMatch \"(a+)+$\" \"aaaa\" }}", "$(unknown.1)"),
        # A condition that is not known: neither branch, and what they may set is not known any more.
        ("a{{ if include \"gone\" . }}b{{ else }}c{{ end }}d", "a$(unknown.1)d"),
        ("{{ $x := 1 }}{{ if include \"gone\" . }}{{ $x = 2 }}{{ end }}{{ $x }}", "$(unknown.1)"),
        ("a:\n{{- if include \"gone\" . }}\n  b: 1\n{{- end }}\nc: 2", "a:\n  $(unknown.1)\nc: 2"),
        ("a:\n{{- with include \"gone\" . }}\n  {{- toYaml . | nindent 4 }}\n{{- end }}\nc: 2", "a:\n    $(unknown.1)\nc: 2"),
        ("a{{ range include \"gone\" . }}x{{ end }}", "a$(unknown.1)"),
        ("a{{ if include \"gone\" . }}{{/* nothing */}}{{ end }}b", "ab"),
    ],
)  # fmt: skip
def test_unknown_values(text: str, expected: str) -> None:
    assert shown(text) == expected


def test_truth() -> None:
    assert truth(unknown("x")) is None
    assert truth(f"a{unknown('x')}") is True
    assert [truth(value) for value in (None, False, 0, 0.0, "", [], {}, 1, "a", [0], {"a": 1}, Methods({}))] == [
        *[False] * 7,
        *[True] * 5,
    ]


# -- places and gates


def rendered(text: str) -> list[Rendering]:
    made, dot, nodes = machine(text)
    return render(nodes, dot, made)  # type: ignore[arg-type]


def test_each_character_knows_what_wrote_it() -> None:
    text = 'a: {{ .Values.name | quote }}\nb: x\n{{ define "t" }}c{{ end }}{{ include "t" . }}'
    [found] = rendered(text)
    assert found.text == 'a: "chat"\nb: x\nc'
    action = text[text.index("{{") : text.index("}}") + 2]

    def wrote(part: str) -> list[str]:
        at = found.text.index(part)
        return [text[start:end] for start, end in zip(*found.places(at, at + len(part)), strict=True)]

    assert wrote('"chat"') == [action] * 6
    assert wrote("b: x") == list("b: x")
    assert wrote(": x\nc") == [*": x\n", '{{ include "t" . }}']


GATED = """\
{{- if .Values.no_ }}
apiVersion: v1
kind: A
value: {{ .Values.missing.deeper }}
inner: {{ if .Values.no_ }}yes{{ else }}no{{ end }}
{{- else }}
apiVersion: v1
kind: B
{{- end }}
"""


def test_a_closed_gate_is_opened_beside_what_is_there_by_default() -> None:
    default, other = rendered(GATED)
    assert (default.text, default.gated) == ("\napiVersion: v1\nkind: B\n", False)
    assert other.gated
    assert other.text.replace(MARK, "$") == "\napiVersion: v1\nkind: A\nvalue: $(Values.missing.deeper)\ninner: no"


def test_a_gate_behind_a_gate() -> None:
    text = "{{ if .Values.no_ }}{{ with .Values.missing }}\napiVersion: v1\nkind: {{ .kind }}{{ end }}{{ end }}"
    found = rendered(text)
    assert [each.text.replace(MARK, "$") for each in found] == ["", "", "\napiVersion: v1\nkind: $(with.kind)"]


def test_a_branch_inside_of_a_document_is_no_gate() -> None:
    [found] = rendered("apiVersion: v1\nkind: A\n{{ if .Values.no_ }}\nspec:\n  kind: B\n{{ end }}")
    assert "kind: B" not in found.text


def test_where_it_fails() -> None:
    with pytest.raises(FailedAt) as error:
        rendered('a: 1\n{{ if true }}{{ fail "say which model" }}{{ end }}')
    assert (error.value.at, error.value.reason) == (5, "error calling fail: say which model")


# -- hostile templates


@pytest.mark.parametrize(
    "text",
    [
        "{{ define \"t\" }}{{ include \"t\" . }}{{ end }}{{ include \"t\" . }}",
        "{{ range until 10000 }}{{ range until 10000 }}x{{ end }}{{ end }}",
        "{{ until 1000000000 }}",
        "{{ range 1000000000 }}x{{ end }}",
        "{{ repeat 1000000000 \"x\" }}",
        "{{ indent 1000000000 \"x\" }}",
        "{{ replace \"\" (repeat 999999 \"x\") (repeat 999999 \"x\") }}",
        "{{ $x := \"xxxxxxxxxx\" }}{{ range until 60 }}{{ $x = printf \"%s%s\" $x $x }}{{ end }}",
        "{{ $l := list 1 }}{{ range until 60 }}{{ $l = concat $l $l }}{{ end }}",
        "{{ $d := dict }}{{ $_ := set $d \"d\" $d }}{{ toYaml $d }}",
        "{{ $d := dict }}{{ $_ := set $d \"d\" $d }}{{ toJson $d }}",
        "{{ $d := dict }}{{ $_ := set $d \"d\" $d }}{{ $d }}",
        "{{ $d := dict }}{{ $_ := set $d \"d\" $d }}{{ deepCopy $d }}",
        "{{ $d := dict }}{{ $_ := set $d \"d\" $d }}{{ merge $d (deepCopy (dict \"d\" (dict \"d\" $d))) $d }}{{ toYaml $d }}",
        "{{ $l := until 9999 }}{{ range until 9999 }}{{ $_ := has \"x\" $l }}{{ end }}",
        "{{ $l := until 9999 }}{{ range until 9999 }}{{ $_ := deepCopy (dict \"a\" $l) }}{{ end }}",
        "{{ $s := repeat 999999 \"x\" }}{{ range until 9999 }}{{ $_ := contains \"y\" $s }}{{ end }}",
        "{{ $s := toYaml (until 9999) }}{{ range until 9999 }}{{ $_ := fromYaml $s }}{{ end }}",
        "{{ $t := \"{{ tpl .t . }}\" }}{{ tpl $t (dict \"t\" $t) }}",
    ],
)  # fmt: skip
def test_what_asks_for_too_much_is_stopped(text: str) -> None:
    begin = time.process_time()
    with pytest.raises(LimitReached):
        run(text)
    assert time.process_time() - begin < 3


@pytest.mark.parametrize("pattern", ["(a|a)*b", "(a*)*b", "(?:a+)+b", "a*a*a*a*a*a*b", "(.*)(.*)(.*)(.*)c", "(a)\\1"])
def test_patterns_that_may_take_forever_are_not_run(pattern: str) -> None:
    begin = time.process_time()
    text = run("{{ regexMatch `" + pattern + '` (repeat 5000 "a") }}')
    assert MARK in text
    assert time.process_time() - begin < 1


def test_nested_parentheses_and_branches() -> None:
    for text in ("{{" + "(" * 5000 + "1" + ")" * 5000 + "}}", "{{ if 1 }}" * 5000 + "{{ end }}" * 5000):
        with pytest.raises(SyntaxProblem):
            parse(text)


PARTS = st.sampled_from(
    ["{{", "}}", "{{-", "-}}", " ", "\n", "if", "end", "else", "range", "with", "define", "\"t\"", ".Values.name", "$x",
     ":=", "=", "|", "(", ")", "include", "toYaml", ".", "nindent 2", "3", "-1", "'a'", "`r`", "/*", "*/", "break", "a: b",
     "printf \"%d\"", "dict", "index", "tpl", "template", "and", "not", "nil", "\\", "\"", "é"]
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.lists(PARTS, max_size=25))
def test_nothing_else_is_ever_raised(parts: list[str]) -> None:
    text = "".join(parts)
    found: list[Rendering] = []
    failed_at = 0
    try:
        made, dot, nodes = machine(text, steps=2000, characters=100_000)
        found = render(nodes, dot, made)  # type: ignore[arg-type]
    except (SyntaxProblem, FailedAt) as error:
        failed_at = error.at
    assert 0 <= failed_at <= len(text)
    for each in found:
        starts, ends = each.places(0, len(each.text))
        assert len(each.text) == len(starts) == len(ends)
        assert all(0 <= start < end <= len(text) for start, end in zip(starts, ends, strict=True))


PRINTABLE = st.text(st.characters(min_codepoint=32, max_codepoint=0x2000, exclude_characters="\x7f\x85"), max_size=12)
DATA = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**53), 2**53).map(float), PRINTABLE),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(PRINTABLE, inner, max_size=3)),
    max_leaves=8,
)


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(st.text("abcxyz", min_size=2, max_size=5), DATA, max_size=3))
def test_yaml_reads_back_as_what_was_written(data: dict[str, object]) -> None:
    assert (from_yaml(to_yaml(data)) or {}) == data
