"""YAML documents as nodes: places, shapes, templates, problems, hostile input, and libyaml against the reference."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
import yaml as pyyaml
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from gpulint.source import yaml as source_yaml
from gpulint.source.text import Place, Source, decode
from gpulint.source.yaml import Document, Node, Problem, Template, documents

ROOT = Path(__file__).parent.parent


def roots(text: str) -> list[Node]:
    found = list(documents(Source("f.yaml", text)))
    assert all(isinstance(item, Document) for item in found), [vars_of(item) for item in found]
    return [item.root for item in found if isinstance(item, Document)]


def root(text: str) -> Node:
    (only,) = roots(text)
    return only


def vars_of(item: object) -> object:
    return (item.line, item.reason) if isinstance(item, Problem) else item


def problem(text: str, path: str = "f.yaml") -> tuple[int | None, str]:
    (only,) = documents(Source(path, text))
    assert isinstance(only, Problem)
    return only.line, only.reason


def template(text: str) -> tuple[int, str]:
    (only,) = documents(Source("f.yaml", text))
    assert isinstance(only, Template)
    return only.line, only.language


def node(text: str, *steps: str | int) -> Node:
    found = root(text).at(*steps)
    assert found is not None
    return found


# -- places


@pytest.mark.parametrize(
    ("text", "key", "value"),
    [
        ("k: plain text # c\n", "k", "plain text"),
        ("k: 'it''s' # c\n", "k", "'it''s'"),
        ('"k": "a\\tb"\n', '"k"', '"a\\tb"'),
        ("k: one\n  two\n\n  three\nz: 1\n", "k", "one\n  two\n\n  three"),
        ("k: 'one\n  two'\nz: 1\n", "k", "'one\n  two'"),
        ("k: |\n  a\n  b\n\n\n# c\nz: 1\n", "k", "|\n  a\n  b"),
        ("k: |+ # c\n  a\n\nz: 1\n", "k", "|+ # c\n  a"),
        ("k: >-2\n    a\n   b\n", "k", ">-2\n    a\n   b"),
        ("k: |\n  a\n  # text, not a comment\n# a comment\nz: 1\n", "k", "|\n  a\n  # text, not a comment"),
        ("{k: v, z: 1}\n", "k", "v"),
        ('{"k":"v"}', '"k"', '"v"'),
        ("{k: [1,\n 2], z: 1}\n", "k", "[1,\n 2]"),
        ("k: !!str 4\n", "k", "4"),
        ("k: !custom v\n", "k", "v"),
        ("k: &anchor v\n", "k", "v"),
        ("k: &anchor !!str v\n", "k", "v"),
        ("k: !!str &anchor 'v'\n", "k", "'v'"),
        ("k: &anchor # why\n  v\n", "k", "v"),
        ("k: &anchor |\n  a\n", "k", "|\n  a"),
        ("&anchor k: v\n", "k", "v"),
        ("k:\tv\t# c\n", "k", "v"),
        ("k: v\r\nz: 1\r\n", "k", "v"),
        ("k: |\r\n  a\r\n  b\r\nz: 1\r\n", "k", "|\r\n  a\r\n  b"),
        ("é日本😀: 日本😀 # c\nk: é\n", "k", "é"),
        ("k: 😀é\n", "k", "😀é"),
        ("? k\n: v\n", "k", "v"),
        ("k:\n  a: 1\n  b: 2 # c\n\n# c\nz: 1\n", "k", "a: 1\n  b: 2"),
        ("k:\n  a:\n    - 1\n    - x:\n  # c\nz: 1\n", "k", "a:\n    - 1\n    - x:"),
        ("k:\n- a\n- |\n  b\n  # text\n# c\nz: 1\n", "k", "- a\n- |\n  b\n  # text"),
        ("k:\n  a: &x 1\n  b: *x\n  # c\nz: 1\n", "k", "a: &x 1\n  b: *x"),
        ("%YAML 1.2\n---\nk: v\n...\n", "k", "v"),
        ("# c\n--- # c\nk: v\n", "k", "v"),
    ],
)
def test_keys_and_values_span_what_a_reader_would_underline(text: str, key: str, value: str) -> None:
    found = node(text, "k")
    assert found.key_place.text() == key
    assert found.place.text() == value


def test_an_empty_value_stands_at_its_key() -> None:
    for text in ("a:\n  k:\n  z: 1\n", "a: {k: , z: 1}\n", "a:\n  k: # c\n", "a:\n  k: &x\n", "a: {k}\n"):
        found = node(text, "a", "k")
        assert found.text is None
        assert found.place.text() == "k"


def test_an_empty_element_stands_behind_its_dash() -> None:
    found = node("- \n- a\n", 0)
    assert found.value is None
    assert (found.place.text(), found.place.line) == ("", 1)


def test_an_empty_quoted_value_is_a_place_of_its_own() -> None:
    assert node("k: ''\n", "k").place.text() == "''"
    assert node("k: ''\n", "k").text == ""


def test_an_alias_is_the_node_that_it_stands_for_under_its_own_key() -> None:
    found = node("a: &x value\nb: *x\n", "b")
    assert (found.value, found.place.text(), found.place.line) == ("value", "value", 1)
    assert (found.key_place.text(), found.key_place.line) == ("b", 2)
    assert found.entry_place.text() == "b"


def test_entries_on_one_line_are_one_place() -> None:
    assert node("a: {k: v}\n", "a", "k").entry_place.text() == "k: v"
    assert node("k:\n  v\n", "k").entry_place.text() == "k"
    assert node("- v\n", 0).entry_place.text() == "v"


def test_paths_name_the_way_from_the_document() -> None:
    found = node("spec:\n  containers:\n    - image: x\n", "spec", "containers", 0, "image")
    assert found.place.node_path() == "spec.containers[0].image"


@pytest.mark.parametrize("prefix", [b"\xef\xbb\xbf", b"\xef\xbb\xbf\xef\xbb\xbf", b""])
def test_byte_order_marks_shift_nothing(prefix: bytes) -> None:
    source = Source("f", decode(prefix + "a: é\n\ufeff---\nb: 日\n".encode()))
    found = [item.root for item in documents(source) if isinstance(item, Document)]
    assert [(key, value.place.text(), value.place.line) for item in found for key, value in item.items()] == [
        ("a", "é", 1),
        ("b", "日", 3),
    ]


def test_utf_16_has_the_same_places() -> None:
    source = Source("f", decode("a: 日本😀\r\nb: x\r\n".encode("utf-16")))
    (document,) = documents(source)
    assert isinstance(document, Document)
    found = document.root.get("b")
    assert found is not None
    assert found.place.region() == (2, 4, 2, 5)


# -- fragments


def scalars(found: Node) -> list[Node]:
    if found.is_scalar:
        return [found]
    children = [child for _, child in found.items()] if found.is_mapping else list(found.elements())
    return [scalar for child in children for scalar in scalars(child)]


WORDS = st.text(st.sampled_from("ab -'\"\\#:,|>[]{}&*!%@é日😀\n\t$"), max_size=24)


@settings(max_examples=300, deadline=None)
@given(WORDS, st.sampled_from([None, "'", '"', "|", ">"]), st.data(), st.sampled_from(["\n", "\r\n"]))
def test_fragments_of_dumped_scalars_are_slices_of_the_value(value: str, style: Any, data: Any, ending: str) -> None:
    text = pyyaml.dump({"a": [{"key": value}]}, default_style=style, allow_unicode=True, width=12, line_break=ending)
    # PyYAML folds lines that begin with a blank, which then come back broken: such a text says something else.
    assume(pyyaml.safe_load(text) == {"a": [{"key": value}]})
    (found,) = scalars(root(text))
    assert found.raw.value == value
    check_fragments(found, value, data)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.text(st.sampled_from("ab #-'é😀"), max_size=8), min_size=1, max_size=6), st.data())
def test_fragments_of_indented_blocks_are_slices_of_the_value(lines: list[str], data: Any) -> None:
    style = data.draw(st.sampled_from(["|", ">", "|-", ">+", "|2", ">2-"]))
    if "2" not in style:  # the first line that is no blank tells the indentation
        lines = [line if line.strip() else "" for line in lines]
    text = f"k: {style} # header\n" + "".join(f"  {line}\n" for line in lines) + "z: 1\n"
    first = next((line for line in lines if line.strip()), "")
    assume("2" in style or not first.startswith(" "))
    (found, _) = scalars(root(text))
    check_fragments(found, found.raw.value, data)


def check_fragments(found: Node, value: str, data: Any) -> None:
    begin = data.draw(st.integers(0, len(value)))
    end = data.draw(st.integers(begin, len(value)))
    place = found.fragment(begin, end)
    assert found.place.start <= place.start <= place.end
    for index, character in enumerate(value):
        text = found.fragment(index, index + 1).text()
        if character == "\n":
            assert text in "\r\n\\"
        elif character == " ":
            assert text in " \r\n\\"
        elif character in "\\\"\t'é日😀":
            assert text in (character, "\\")
        else:
            assert text == character
    if begin < end and not {"\\", "\n", "\r"} & set(place.text()) and "''" not in place.text():
        assert place.text() == value[begin:end]


@pytest.mark.parametrize(
    ("text", "word", "line"),
    [
        ("k: vllm serve --tp 2\n", "--tp", 1),
        ("k: &a !!str vllm serve --tp 2\n", "--tp", 1),
        ("k: vllm\n   serve\n   --tp 2\n", "--tp", 3),
        ('k: "vllm serve \\\n   --tp 2"\n', "--tp", 2),
        ('k: "vllm \\"x\\" \\u00e9\n\n   --tp 2"\n', "--tp", 3),
        ("k: 'vllm ''x''\n   --tp 2'\n", "--tp", 2),
        ("k: |\n  exec vllm \\\n    --tp 2\n", "--tp", 3),
        ("k: |-4\n      vllm\n      --tp 2\n", "--tp", 3),
        ("k: >-\n  vllm\n  serve\n\n    --tp 2\n", "--tp", 5),
        ("k: &a |\r\n  vllm 😀\r\n  --tp 2\r\n", "--tp", 3),
    ],
)
def test_a_flag_inside_any_scalar_has_its_place(text: str, word: str, line: int) -> None:
    found = node(text, "k")
    assert isinstance(found.value, str)
    at = found.value.index(word)
    place = found.fragment(at, at + len(word))
    assert (place.text(), place.line) == (word, line)


def test_fragments_outside_the_value_are_cut_to_it() -> None:
    for text in ("k: abc\n", "k: 'abc'\n", "k: |-\n  abc\n"):
        found = node(text, "k")
        assert found.fragment(-5, 99).text() == "abc"
        assert found.fragment(50, 99).text() == ""


def test_documents_inside_scalars_keep_places_in_the_file() -> None:
    text = "data:\n  f.yaml: |\n    outer:\n      inner: |\n        deep: 日本 # c\n      z: 1\n"
    outer = node(text, "data", "f.yaml").embedded()
    assert outer is not None
    inner_node = outer.root.at("outer", "inner")
    assert inner_node is not None
    inner = inner_node.embedded()
    assert inner is not None
    deep = inner.root.get("deep")
    assert deep is not None
    assert (deep.place.text(), deep.place.region()[:2]) == ("日本", (5, 15))
    assert deep.place.node_path() == 'data["f.yaml"].outer.inner.deep'
    assert node("a: [1]\n", "a").embedded() is None
    assert node("a: '[1'\n", "a").embedded() is None
    assert node("a: 'x: {{ y }}'\n", "a").embedded() is None


# -- values and shapes


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("4", 4),
        ("'4'", "4"),
        ("!!str 4", "4"),
        ("!!int '4'", 4),
        ("!!float 4", 4),
        ("!!bool 'yes'", True),
        ("!custom 4", "4"),
        ("null", None),
        ("'null'", "null"),
        ("!!str null", "null"),
        ("!!null ''", None),
        ("~", None),
        ("on", True),
        ("|-\n  on", "on"),
        ("1e400", "1e400"),
    ],
)
def test_values_resolve_from_text_tag_and_quotes(text: str, value: object) -> None:
    resolved = node(f"k: {text}\n", "k").value
    assert resolved == value
    assert isinstance(resolved, bool) == isinstance(value, bool)


def test_values_are_the_same_from_the_reference_parser() -> None:
    # An anchor used twice is valid and refused by libyaml.
    text = "a: &x 1\nb: &x '1'\nc: *x\nd: !!str 1\ne: ~\nf: on\ng: !custom 1\n"
    found = root(text)
    assert {key: value.value for key, value in found.items()} == {
        "a": 1,
        "b": "1",
        "c": "1",
        "d": "1",
        "e": None,
        "f": True,
        "g": "1",
    }


def test_reused_anchors_say_nothing(recwarn: pytest.WarningsRecorder, capfd: pytest.CaptureFixture[str]) -> None:
    root("a: &x 1\nb: &x 2\n")
    assert not recwarn
    assert capfd.readouterr() == ("", "")


def test_merge_keys_are_looked_through() -> None:
    text = (
        "base: &b {x: 1, y: 1}\nmore: &m {<<: *b, y: 2, z: 2}\none: {<<: *m, z: 3}\n"
        "list: {<<: [*b, *m], w: 4}\nquoted: {'<<': *b}\n"
    )
    found = root(text)

    def values(key: str) -> dict[str, object]:
        child = found.get(key)
        assert child is not None
        return {name: value.value for name, value in child.items()}

    assert values("one") == {"x": 1, "y": 2, "z": 3}
    assert values("list") == {"x": 1, "y": 1, "z": 2, "w": 4}
    assert list(values("quoted")) == ["<<"]


def test_steps_that_lead_nowhere_give_none() -> None:
    found = root("a: [1, {b: 2}]\n? [x]\n: 1\n")
    assert found.at("a", 1, "b") is not None
    for steps in (("x",), ("a", 5), ("a", "b"), ("a", 0, "b"), (0,), ("a", 1, 0)):
        assert found.at(*steps) is None
    assert found.keys() == ("a",)
    last = found.at("a", -1, "b")
    assert last is not None
    assert last.value == 2
    assert found.data() == {"a": [1, {"b": 2}]}


# -- documents


def test_documents_come_in_order_with_their_lines() -> None:
    text = (
        "# head\n---\na: 1\n# between\n---\n---\n# only a comment\n...\n# c\n"
        "---\nb: |\n  x\n  ---\n...\nc: 1\n--- {d: 1}\n"
    )
    found = [(key, value.key_place.line) for item in roots(text) for key, value in item.items()]
    assert found == [("a", 3), ("b", 11), ("c", 15), ("d", 16)]


@pytest.mark.parametrize("text", ["", "\n", "# c\n", "---\n", "---\n---\n...\n", "\ufeff", "--- # c\n", "~\n", "\r\n"])
def test_nothing_comes_of_empty_documents(text: str) -> None:
    assert [
        item for item in documents(Source("f", text)) if not (isinstance(item, Document) and item.root.value is None)
    ] == []


def test_directives_belong_to_the_document_after_them() -> None:
    text = "%YAML 1.1\n---\na: 1\n...\n# c\n%YAML 1.2\n%TAG !x! tag:x,1:\n---\nb: !x!y 1\n---\nc: [\n---\nd: 1\n"
    found = list(documents(Source("f", text)))
    assert [type(item).__name__ for item in found] == ["Document", "Document", "Problem", "Document"]
    assert vars_of(found[2]) == (
        12,
        "not valid YAML: a value is missing before this, or a bracket or brace is not closed",
    )


def test_one_broken_document_does_not_hide_the_others() -> None:
    text = "a: 1\n---\nb: [1\n---\nc: {{ .Values.c }}\n---\nd: 1\n...\ne: 'x\n...\nf: 1\n"
    found = list(documents(Source("f", text)))
    assert [type(item).__name__ for item in found] == [
        "Document",
        "Problem",
        "Template",
        "Document",
        "Problem",
        "Document",
    ]


def test_documents_that_cannot_matter_are_not_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    composed: list[str] = []
    compose = source_yaml._compose

    def spy(text: str) -> list[Any]:
        composed.append(text)
        return compose(text)

    monkeypatch.setattr(source_yaml, "_compose", spy)
    found = list(documents(Source("f", "gpu: 1\n---\nother: [\n---\ngpu: 2\n"), lambda text: "gpu" in text))
    assert [isinstance(item, Document) for item in found] == [True, True]
    assert composed == ["gpu: 1\n", "---\ngpu: 2\n"]


def test_marks_inside_quotes_cut_nothing() -> None:
    assert node("a: 'x\n  ---\n  y'\n", "a").value == "x --- y"
    assert node("a: |\n  %YAML 1.2\n  ...\n", "a").value == "%YAML 1.2\n...\n"
    assert node("a: 100%\n", "a").value == "100%"


# -- duplicate keys


def duplicates(text: str) -> list[tuple[str, int, int]]:
    (document,) = documents(Source("f", text))
    assert isinstance(document, Document)
    return [(key, later.line, earlier.line) for key, later, earlier, _ in document.duplicate_keys()]


def test_duplicate_keys_are_found_at_any_depth() -> None:
    assert duplicates("a: 1\nb:\n  - c: {d: 1,\n      d: 2}\na: 2\na: 3\n") == [("d", 4, 3), ("a", 5, 1), ("a", 6, 5)]
    assert duplicates("a: 1\n'a': 2\n") == [("a", 2, 1)]
    assert duplicates("- a: 1\n- a: 2\n") == []
    assert duplicates("x: &x {a: 1, a: 2}\ny: *x\nz: *x\n") == [("a", 1, 1)]
    assert duplicates("b: &b {a: 1}\nc:\n  <<: *b\n  a: 2\n") == []
    assert duplicates("b: &b {a: 1}\nc:\n  <<: *b\n  <<: *b\n") == []
    assert duplicates("? [a]\n: 1\n? [a]\n: 2\n") == []
    assert duplicates("plain\n") == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: 1\na: 1\n", True),
        ("a: x\na: x # again\n", True),
        ("a: 1\na: 2\n", False),
        ('a: 1\na: "1"\n', False),
        ("a: 'x'\na: \"x\"\n", True),
        ("a: !!str 1\na: 1\n", False),
        ("a: [1]\na: [1]\n", False),
        ("a:\na:\n", True),
    ],
)
def test_duplicate_keys_with_one_value(text: str, expected: bool) -> None:
    (document,) = documents(Source("f", text))
    assert isinstance(document, Document)
    assert [same for *_, same in document.duplicate_keys()] == [expected]


def test_duplicate_keys_point_at_the_keys_with_their_path() -> None:
    (document,) = documents(Source("f", "a:\n  - &x k: 1\n    k: 2\n"))
    assert isinstance(document, Document)
    ((key, later, earlier, same),) = document.duplicate_keys()
    assert not same
    assert (key, later.text(), earlier.text()) == ("k", "k", "k")
    assert later.node_path() == earlier.node_path() == "a[0].k"


# -- templates


@pytest.mark.parametrize(
    ("text", "line", "language"),
    [
        ("{{- if .Values.on }}\na: 1\n{{- end }}\n", 1, "Helm"),
        ("# c\nname: {{ .Release.Name }}\n", 2, "Helm"),
        ('a: x\nname: {{ include "n" . }}-x\n', 2, "Helm"),
        ('name: "{{ include "n" . }}"\n', 1, "Helm"),
        ("a:\n  {{- toYaml .Values.a | nindent 2 }}\n", 2, "Helm"),
        ("a: 1\n{{/* why */}}\n", 2, "Helm"),
        ("a: {{ $x }}\n", 1, "Helm"),
        ('token: {{ env "HF_TOKEN" }}\n', 1, "Helm"),
        ("d: |\n  text\n{{ .Values.x }}\nb: 1\n", 3, "Helm"),
        ("- a: |\n    text\n  b: {{ .Values.x }}\n", 3, "Helm"),
        ("a: 1\nname: {{ name }}\n", 2, "Jinja"),
        ("{% for x in y %}\n- a\n{% endfor %}\n", 1, "Jinja"),
        ("a: 1\n{# why #}\nb: 1\n", 2, "Jinja"),
        ("a: 1\n%{ if x }\nb: 1\n%{ endif }\n", 2, "Terraform"),
        ("a: 1\n%{~ for x in y ~}\n- x\n%{ endfor }\n", 2, "Terraform"),
    ],
)
def test_templates_are_recognised_with_language_and_line(text: str, line: int, language: str) -> None:
    assert template(text) == (line, language)


@pytest.mark.parametrize(
    "text",
    [
        'summary: "{{ $labels.pod }} is slow"\n',
        "summary: '{{ $value | humanize }}'\n",
        "description: >-\n  {{ $labels.pod }}\n  {{- if gt $value 5.0 }}x{{ end }}\n",
        "summary: Pod {{ $labels.pod }} is slow\n",
        "chat: |\n  {% for message in messages %}\n  {{ message }}\n  {% endfor %}\n",
        "# {{- if .Values.x }}\na: 1\n# {{- end }}\n",
        "image: ${IMAGE}\n",
        "image: <IMAGE>\n",
        "image: x/{username}\n",
        "image: ${{ secrets.X }}\n",
        "a: {b: {c: 1}}\n",
        "a: { {b: 1}: 1}\n",
    ],
)
def test_what_parses_and_has_its_marks_in_text_is_no_template(text: str) -> None:
    assert isinstance(root(text), Node)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('summary: "{{ $labels.pod }} is slow"\n bad: 1\n', 2),
        ("a: 1\nsummary: {{ $labels.pod }} is slow\n", 2),
        ("d: |\n  {{ .Values.x }}\n\n  {% if x %}\nb: [\n", 6),
        ("# {{ .Values.x }}\na: [\n", 3),
        ("a: '{{ .Values.x }}' # {{ y }}\nb: [{c: \"{{ name }}\", d: '{% if %}'}\n", 3),
        ("image: {username}/server\n", 1),
        ("image: ${{ x }}\n\tb: 1\n", 2),
    ],
)
def test_a_broken_document_with_marks_in_its_text_alone_is_a_problem(text: str, line: int) -> None:
    assert problem(text)[0] == line


# -- problems


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        (
            "a: 1\n<<<<<<< HEAD\nb: 1\n=======\nb: 2\n>>>>>>> other\n",
            2,
            "a merge conflict marker (<<<<<<< HEAD) was left in the file",
        ),
        ("a: 1\nb: 2\n>>>>>>> other\n", 3, "a merge conflict marker (>>>>>>> other)"),
        ("a:\n\tb: 1\n", 2, "a tab in the indentation"),
        ("a:\n  b: 1\n  \tc: 1\n\td: 1\n", 3, "a tab in the indentation"),
        ("a: 1\nb: 'x\nc: 1\n", 2, "the quote that opens here is never closed"),
        ("a: b: c\n", 1, "a ':' where no key can stand"),
        ("a: 1\n  b: 2\n", 2, "a ':' where no key can stand"),
        ("a:\n    - x: 1\n   y: 2\n", 3, "does not continue the mapping that begins on line 1"),
        ("- a\nb: c\n", 2, "does not continue the list that begins on line 1"),
        ("a: 1\nb: 'it's'\n", 2, "quote the whole value"),
        ("a: [1,\n  2\nb: 3\n", 3, "the [ of line 1 is not closed"),
        ("a: {x: 1\nb: 3\n", 2, "the { of line 1 is not closed"),
        ("a: *none\n", 1, "the alias *none has no anchor &none above it"),
        ("a: 1\nb: @x\n", 2, "a value cannot begin with @ unless it is quoted"),
        ("a: `x`\n", 1, "a value cannot begin with ` unless it is quoted"),
        ("a: - b\n", 1, "a '-' where no list can begin"),
        ("a: 1\nbare\nc: 2\n", 2, "a line without the ':' of a key"),
        ("a: 1\nb: \x07\n", 2, "a control character (U+0007)"),
        ("日本: \x1b[31m\n", 1, "a control character (U+001B)"),
        ("a: \ud800\n", 1, "a control character (U+D800)"),
        ('a: "\\q"\n', 1, "\\q is no escape in double quotes"),
        ("{a: 1}\nb\n", 2, "text behind the end of the document"),
        ("%YAML 3.0\n---\na: 1\n", 1, "%YAML names a version other than 1.1 and 1.2"),
        ("a: !x!y 1\n", 1, "found undefined tag handle"),
        ("a: |x\n  b\n", 1, "did not find expected comment or line break"),
    ],
)
def test_problems_have_the_right_line_and_a_readers_words(text: str, line: int, words: str) -> None:
    found_line, reason = problem(text)
    assert (found_line, words in reason) == (line, True), (found_line, reason)
    assert "merge conflict" in reason or reason.startswith("not valid YAML: ")
    assert "Error" not in reason
    assert "<" not in reason.replace("<<<<<<< HEAD", "")
    assert "\n" not in reason


def test_a_problem_is_counted_from_the_start_of_the_file() -> None:
    found = list(documents(Source("f", "a: 1\r\n---\r\nb: 1\r\n\tc: 1\r\n")))
    assert vars_of(found[1]) == (4, "not valid YAML: a tab in the indentation, where only spaces may stand")


def test_broken_json_is_said_to_be_json() -> None:
    assert problem('{"a": 1\n"b": 2}', "f.json") == (
        2,
        "not valid JSON: the { of line 1 is not closed, or a comma is missing",
    )


def test_json_with_surrogate_pairs_is_read() -> None:
    assert isinstance(node('{"title": "\\ud83d\\ude00", "gpu": 4}', "gpu").value, int)


@given(st.text(st.sampled_from("ab:-[]{}'\"|>&*!%@#,? \n\t\r<é😀.\ufeff\x00\x07"), max_size=40))
@settings(max_examples=400, deadline=None)
def test_no_text_raises(text: str) -> None:
    source = Source("f", text)
    for item in documents(source):
        if isinstance(item, Document):
            item.duplicate_keys()
            touch(item.root, source)
        else:
            assert item.line is not None
            assert 1 <= item.line <= len(source.line_starts())


def touch(found: Node, source: Source, depth: int = 0) -> None:
    for place in (found.place, found.key_place, found.entry_place):
        assert isinstance(place, Place)
        assert 0 <= place.start <= place.end <= len(source.text)
    if depth < 6:
        for child in [*(value for _, value in found.items()), *found.elements()]:
            touch(child, source, depth + 1)


# -- hostile input


# What this bounds takes a fraction of a second, or years: a slow machine decides nothing.
_ENDS_S = 60


def read_and_end(text: str) -> list[Document | Template | Problem]:
    started = time.perf_counter()
    found = list(documents(Source("f.yaml", text)))
    for item in found:
        if isinstance(item, Document):
            item.duplicate_keys()
    assert time.perf_counter() - started < _ENDS_S
    return found


@pytest.mark.parametrize(
    "text", ["[" * 100_000, "{a: " * 100_000, "- " * 100_000 + "x", "? " * 100_000, "[" * 100_000 + "]" * 100_000]
)
def test_endless_nesting_is_a_problem(text: str) -> None:
    (found,) = read_and_end(text)
    assert vars_of(found) == (1, "not valid YAML: nested too deeply to read")


def test_deep_nesting_that_is_read_has_bounded_data() -> None:
    deep = root("[" * 900 + "]" * 900)
    with pytest.raises(ValueError, match="levels deep"):
        deep.data()


def bomb(levels: int, merge: bool) -> str:
    lines = ["a0: &a0 {k: v}"]
    for level in range(1, levels):
        parents = ", ".join([f"*a{level - 1}"] * 9)
        lines.append(f"a{level}: &a{level} " + (f"{{<<: [{parents}], k{level}: v}}" if merge else f"[{parents}]"))
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("merge", [False, True])
def test_alias_bombs_do_not_go_off(merge: bool) -> None:
    (document,) = read_and_end(bomb(60, merge))
    assert isinstance(document, Document)
    last = document.root.get("a59")
    assert last is not None
    if merge:
        started = time.perf_counter()
        assert len(last.keys()) == 60
        assert time.perf_counter() - started < _ENDS_S
    else:
        with pytest.raises(ValueError, match=r"nodes|deep"):
            last.data(10_000)


@pytest.mark.parametrize(
    "text",
    [
        "&a [*a]\n",
        "&a {k: *a}\n",
        "&a {<<: *a, k: 1}\n",
        "&a {<<: [*a, *a], k: 1}\n",
        "a: &a\n  b: &b {<<: *a}\n  <<: *b\n",
    ],
)
def test_cycles_end(text: str) -> None:
    (document,) = read_and_end(text)
    assert isinstance(document, Document)
    document.root.keys()
    if "k: *a" in text or "[*a]" in text:
        with pytest.raises(ValueError, match="levels deep"):
            document.root.data()


def test_huge_lines_and_scalars_are_read_in_linear_time() -> None:
    (document,) = read_and_end("a: " + "x" * 10_000_000 + "\nb: 1\n")
    assert isinstance(document, Document)
    found = document.root.get("b")
    assert found is not None
    assert found.place.line == 2
    (document,) = read_and_end("a: [" + "x, " * 100_000 + "]\nb: |\n" + "  line of text\n" * 50_000)
    assert isinstance(document, Document)
    found = document.root.get("b")
    assert found is not None
    started = time.perf_counter()
    for at in range(0, 500_000, 5_000):
        found.fragment(at, at + 5)
    assert time.perf_counter() - started < _ENDS_S


@pytest.mark.parametrize(
    "broken",
    [
        "[\n" + "- " * 200_000 + " |\n {{ x",
        "[\n" + ": " * 200_000 + " " * 200_000 + "\n{{ x",
        "[\n" + "- |\n" * 50_000 + "{{ x",
        "[\n" + "'a' \"b: " * 50_000 + "{{ x",
        "[\n" + "#" * 200_000 + " {{ x",
        "{{ " * 100_000,
        "%{" * 100_000 + "{{- " * 50_000,
    ],
    ids=range(7),
)
def test_looking_for_template_marks_takes_no_time(broken: str) -> None:
    assert len(read_and_end("a: " + broken)) == 1


def test_a_large_broken_document_is_reported_without_the_slow_parser(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source_yaml, "_REFERENCE_LIMIT_CHARS", 1000)
    text = "a: 1\n" * 1 + "".join(f"k{n}: v\n" for n in range(1000)) + "b: [\n"
    assert problem(text)[0] == 1003


# -- libyaml against the reference


def shape(found: Any) -> Any:
    """Kinds, values, styles and spans; empty scalars have no span, and block nodes no certain end."""
    empty = found.id == "scalar" and not found.value and found.style in (None, "")
    block = found.style in ("|", ">") if found.id == "scalar" else not found.flow_style
    span = (None if empty else found.start_mark.index, None if empty or block else found.end_mark.index)
    if found.id == "scalar":
        return found.id, found.value, found.style or None, str(found.tag), span
    if found.id == "sequence":
        return found.id, [shape(child) for child in found.value], span
    return found.id, [(shape(key), shape(value)) for key, value in found.value], span


def assert_parsers_agree(text: str) -> None:
    for start, end in source_yaml._cuts(text):
        part = text[start:end]
        try:
            fast = source_yaml._compose(part)
        except pyyaml.YAMLError:
            continue
        assert [shape(item) for item in fast] == [shape(item) for item in source_yaml._settle(part)]


def test_libyaml_and_the_reference_agree_on_the_files_of_this_repository() -> None:
    seen = 0
    for folder in ("examples", "tests/fixtures", "tests/schemas", "schemas"):
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in (".yaml", ".yml", ".json") and path.stat().st_size < 8_000 and seen < 25:
                seen += 1
                assert_parsers_agree(path.read_text(encoding="utf-8"))
    for path in sorted((ROOT / "rules").rglob("*.md"))[:12]:
        for block in path.read_text(encoding="utf-8").split("```yaml")[1:]:
            seen += 1
            assert_parsers_agree(block.split("\n", 1)[1].split("\n```")[0] + "\n")
    assert seen >= 5


LEAVES = st.none() | st.booleans() | st.integers(-99, 99) | st.text(st.sampled_from("ab :#-'\"\n\\é日😀"), max_size=12)
TREES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abc:- ", max_size=4), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=60, deadline=None)
@given(TREES, st.sampled_from([None, True, False]), st.sampled_from([None, "'", '"', "|", ">"]))
def test_libyaml_and_the_reference_agree_on_generated_documents(tree: Any, flow: Any, style: Any) -> None:
    assert_parsers_agree(
        pyyaml.safe_dump(tree, default_flow_style=flow, default_style=style, allow_unicode=True, width=20)
    )


@settings(max_examples=60, deadline=None)
@given(TREES, st.sampled_from([True, False]))
def test_data_is_what_was_dumped(tree: Any, flow: bool) -> None:
    text = pyyaml.safe_dump({"k": tree}, default_flow_style=flow, allow_unicode=True)
    assert node(text, "k").data() == tree


def test_json_writes_characters_as_two_escapes() -> None:
    # Longer than what the reference parser is asked about.
    text = '{"title": "GPU \\ud83d\\ude80 use", "text": "' + "x" * 300_000 + '"}'
    [document] = documents(Source("board.json", text))
    assert isinstance(document, Document)
    title = document.root.at("title")
    assert title is not None
    assert title.text == "GPU \ufffd\ufffd use"
    assert title.fragment(7, 10).text() == "use"
