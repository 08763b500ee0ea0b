"""Fixes: the edits that changes come to, what they keep, and how `gpulint check` makes, shows and writes them."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from gpulint.cli import main
from gpulint.data import read_schema
from gpulint.source.edits import (
    Change,
    CutComment,
    RemoveComment,
    RemoveElement,
    RemoveEntry,
    ReplaceText,
    SetEntry,
    applied,
    changes_only,
    edit_of,
)
from gpulint.source.text import Place, Source

HEAD = "apiVersion: v1\nkind: Thing\n"


def at(source: Source, text: str, nth: int = 0) -> Place:
    """The place of a text in a source."""
    start = -1
    for _ in range(nth + 1):
        start = source.text.index(text, start + 1)
    return Place(source, start, start + len(text))


def made(source: Source, change: Change) -> str | None:
    edit = edit_of(change)
    if edit is None:
        return None
    text = applied(source.text, [edit])
    assert changes_only(source, [edit], text)
    return text


def removed(body: str, key: str, *, prune: bool = False, element: bool = False, head: str = HEAD) -> str | None:
    source = Source("f.yaml", head + body)
    found = re.compile(rf"(?<!\w){re.escape(key)}(?!\w)").search(source.text, len(head))
    assert found is not None
    place = Place(source, found.start(), found.end())
    text = made(source, RemoveElement(place) if element else RemoveEntry(place, prune))
    return text.removeprefix(head) if text is not None else None


@pytest.mark.parametrize(
    ("body", "key", "expected"),
    [
        ("spec:\n  a: 1\n  b: 2\n", "a", "spec:\n  b: 2\n"),
        ("spec:\n  a: 1\n  b: 2\n", "b", "spec:\n  a: 1\n"),
        ("spec:\n  a: 1\n  b: 2", "b", "spec:\n  a: 1"),
        ("spec:\r\n  a: 1\r\n  b: 2", "b", "spec:\r\n  a: 1"),
        ("spec:\r\n  a: 1\r\n  b: 2\r\n", "a", "spec:\r\n  b: 2\r\n"),
        ("spec:\n  x:\n    y: [1,\n      2]\n\n  # about b\n  b: 2\n", "x", "spec:\n\n  # about b\n  b: 2\n"),
        ("spec:\n  x: |\n    line\n    line\n  b: 2\n", "x", "spec:\n  b: 2\n"),
        ("spec:\n  x:\n  b: 2\n", "x", "spec:\n  b: 2\n"),
        ("spec:\n  - x: 1\n    b: 2\n", "x", "spec:\n  - b: 2\n"),
        ("spec:\n- x: 1\n  b:\n  - 2\n", "b", "spec:\n- x: 1\n"),
        ("spec: {x: 1, b: 2, c: 3}\n", "x", "spec: {b: 2, c: 3}\n"),
        ("spec: {x: 1, b: 2, c: 3}\n", "b", "spec: {x: 1, c: 3}\n"),
        ("spec: {x: 1, b: 2, c: 3}\n", "c", "spec: {x: 1, b: 2}\n"),
        ("spec:\n  'x y': 1\n  b: 2\n", "'x y'", "spec:\n  b: 2\n"),
    ],
)
def test_an_entry_goes_with_its_lines(body: str, key: str, expected: str) -> None:
    source = HEAD.replace("\n", "\r\n") if "\r" in body else HEAD
    assert removed(body, key, head=source) == expected


@pytest.mark.parametrize(
    ("body", "key"),
    [
        ("spec:\n  x: 1\n", "x"),  # the mapping would be null
        ("spec: {x: 1}\n", "x"),
        ("spec:\n  <<: {x: 2}\n  x: 1\n  b: 2\n", "x: 1"),  # what is merged would come to light
        ("spec:\n  x: &n 1\n  b: *n\n", "x"),  # the other needs it
        ("spec:\n  a: &n {x: 1, y: 2}\n  b: *n\n", "x"),  # the other has it too
        ("spec:\n  a: &n 2\n  x: *n\n", "x"),  # it stands elsewhere
        ("spec:\n  ? x\n  : 1\n  b: 2\n", "x"),
        ("spec:\n  text: |\n    x: 1\n    b: 2\n", "x"),  # a text, no entry
        ("spec: {{ .Values.x }}\n", "x"),
        ("spec:\n  a: [x: 1, b: 2]\n", "b: 2"),
    ],
)
def test_an_entry_stays_where_it_is_not_certain(body: str, key: str) -> None:
    assert removed(body, key) is None


def test_values_of_a_chart_have_defaults() -> None:
    """Without an entry, what the chart itself says would hold; one that is added means what the chart makes of it."""
    source = Source("values.yaml", "keda: {threshold: 1}\n")
    assert made(source, SetEntry(at(source, "1"), "metricType", "Value")) is None
    assert removed("replicas: 2\nb: 1\n", "replicas", head="") is None
    assert removed("spec: {values: {a: 1, b: 1}}\n", "a:", head="apiVersion: v1\nkind: HelmRelease\n") is None


def test_an_entry_goes_with_the_mapping_that_it_fills() -> None:
    body = 'metadata:\n  name: n\n  annotations:\n    x: "1"\nspec: {}\n'
    assert removed(body, "x") is None
    assert removed(body, "x", prune=True) == "metadata:\n  name: n\nspec: {}\n"


@pytest.mark.parametrize(
    ("body", "key", "expected"),
    [
        ("args:\n  - --a\n  - --b\n", "--a", "args:\n  - --b\n"),
        ("args:\n- --a\n- --b\n", "--b", "args:\n- --a\n"),
        ("args: [--a, --b, --c]\n", "--b", "args: [--a, --c]\n"),
        ('args: ["--a", "--b"]\n', '"--b"', 'args: ["--a"]\n'),
        ("x:\n  - n: 1\n    m: [\n      2]\n  - n: 2\n", "m", "x:\n  - n: 2\n"),
        ("args: [--b]\n", "--b", None),
        ("args:\n  - exec vllm --b\n  - c\n", "--b", None),  # a word of a script
        ("args:\n  - - --b\n    - c\n  - d\n", "--b", None),
    ],
)
def test_an_element_goes_with_its_lines(body: str, key: str, expected: str | None) -> None:
    assert removed(body, key, element=True) == expected


def test_a_comment_that_goes_is_noted() -> None:
    for body, loses in [
        ("spec:\n  x: 1 # why\n  b: 2\n", True),
        ("spec:\n  x:\n    # why\n    y: 1\n  b: 2\n", True),
        ("spec:\n  - x: 1\n    # about b\n    b: 2\n", True),
        ("spec:\n  # above\n  x: 1\n  b: 2 # other\n", False),
        ("spec:\n  x: 'a # b'\n  b: 2\n", False),
        ("spec:\n  x: a#b\n  b: 2\n", False),
    ]:
        source = Source("f.yaml", HEAD + body)
        edit = edit_of(RemoveEntry(at(source, "x")))
        assert edit is not None
        assert edit.loses_comment is loses, body


@pytest.mark.parametrize(
    ("body", "old", "new", "expected"),
    [
        ("a: one\n", "one", "two", "a: two\n"),
        ("a: 'one'\n", "'one'", "two", "a: 'two'\n"),
        ('a: "one" # c\n', '"one"', "two", 'a: "two" # c\n'),
        ("a: Auto\n", "Auto", "Off", 'a: "Off"\n'),  # would be a boolean
        ("a: 80\n", "80", "0.8", "a: 0.8\n"),
        ("a: one\n", "one", "two: three", 'a: "two: three"\n'),
        ("a: [one]\n", "one", "two, three", 'a: ["two, three"]\n'),
        ("a: one\n", "one", 'sum(x{n="l"})', 'a: sum(x{n="l"})\n'),
        ("{a: one}\n", "one", 'sum(x{n="l"})', "{a: 'sum(x{n=\"l\"})'}\n"),
        ("a: 'one'\n", "'one'", "it's", None),
        ("a: &n one\nb: *n\n", "one", "two", None),
        ("a: &n one\nb: 1\n", "one", "two", "a: &n two\nb: 1\n"),
        ("a: !!str one\n", "one", "two", "a: !!str two\n"),
        ("one: 1\n", "one", "two", "two: 1\n"),
        ("a: sum(one) / 2\n", "one", "two", "a: sum(two) / 2\n"),
        ('a: "x \\" one"\n', "one", "two", 'a: "x \\" two"\n'),
        ("a: |\n  first\n  one\n", "one", "two", "a: |\n  first\n  two\n"),
        ("a: >-\n  first\n  one\n", "one", "two", "a: >-\n  first\n  two\n"),
        ("a: sum(one)\n", "one", 'x "y"', 'a: sum(x "y")\n'),
        ('a: "sum(one)"\n', "one", 'x "y"', None),
    ],
)
def test_text_keeps_its_quotes(body: str, old: str, new: str, expected: str | None) -> None:
    source = Source("f.yaml", body)
    assert made(source, ReplaceText(at(source, old), old.strip("'\""), new)) == expected


def test_text_that_is_not_there_is_not_replaced() -> None:
    source = Source("f.yaml", 'a: one\nb: "\\x61b"\n')
    assert made(source, ReplaceText(at(source, "one"), "on", "two")) is None
    assert made(source, ReplaceText(at(source, "\\x61b"), "ab", "two")) is None
    source = Source("run.sh", "vllm serve --modle x\n")
    assert made(source, ReplaceText(at(source, "--modle"), "--modle", "--model")) == "vllm serve --model x\n"
    assert made(source, ReplaceText(at(source, "--modle"), "--modle", "$(x)")) is None
    assert made(source, RemoveEntry(at(source, "--modle"))) is None
    source = Source("f.yaml", "a: 1\rb: 2\r")
    assert made(source, ReplaceText(at(source, "1"), "1", "2")) is None


@pytest.mark.parametrize(
    ("body", "change", "expected"),
    [
        ("m:\n  a: 1\n  k: 2\n", ("a", "k", "3", 0, False), "m:\n  a: 1\n  k: 3\n"),
        ("m:\n  a: 1\n  b: 2\n", ("a", "k", "3", 0, False), "m:\n  a: 1\n  k: 3\n  b: 2\n"),
        ("m:\n  a: 1", ("a", "k", "3", 0, True), 'm:\n  a: 1\n  k: "3"'),
        ("m: {a: 1}\n", ("a", "k", "3", 0, False), "m: {a: 1, k: 3}\n"),
        ("m:\n  - t: x # c\n    d: {a: 1}\n", ("a", "k", "3", 1, False), "m:\n  - t: x # c\n    d: {a: 1}\n    k: 3\n"),
        (
            "m:\n  - d:\n      a: 1\n    t: x\n",
            ("a", "t", "no", 1, False),
            'm:\n  - d:\n      a: 1\n    t: "no"\n',
        ),
        ("m:\n  - d:\n      a: 1\n    t: {}\n", ("a", "t", "y", 1, False), None),
        ("m: {a: 1}\n", ("a", "k", "3: 4", 0, False), None),
        ("m: {a: 1}\n", ("a", "k", "3", 5, False), None),
        ("m:\n  <<: {k: 1}\n  a: 1\n", ("a", "k", "3", 0, False), None),
    ],
)
def test_an_entry_is_set(body: str, change: tuple[str, str, str, int, bool], expected: str | None) -> None:
    source = Source("f.yaml", HEAD + body)
    where, key, value, up, quoted = change
    place = at(source, f"{where}:")
    place.end -= 1
    after = made(source, SetEntry(place, key, value, up, quoted))
    assert (after.removeprefix(HEAD) if after is not None else None) == expected


def test_comments() -> None:
    source = Source("f.yaml", "a: 1 # gpulint: ignore[x, y] why\n  # gpulint: ignore[z]\nb: 2\n")
    first, second = at(source, "# gpulint: ignore[x, y]"), at(source, "# gpulint: ignore[z]")
    assert made(source, RemoveComment(first)) == "a: 1\n  # gpulint: ignore[z]\nb: 2\n"
    assert made(source, RemoveComment(second)) == "a: 1 # gpulint: ignore[x, y] why\nb: 2\n"
    assert (
        made(source, CutComment(at(source, ", y"))) == "a: 1 # gpulint: ignore[x] why\n  # gpulint: ignore[z]\nb: 2\n"
    )
    source = Source("run.sh", "vllm serve m # gpulint: ignore[x] # noqa\n")
    assert made(source, RemoveComment(at(source, "# gpulint: ignore[x]"))) is None


def test_an_edit_that_changes_more_is_refused() -> None:
    source = Source("f.yaml", "a: 1\nb: 2\n---\nc: 3\n")
    edit = edit_of(ReplaceText(at(source, "1"), "1", "5"))
    assert edit is not None
    assert changes_only(source, [edit], "a: 5\nb: 2\n---\nc: 3\n")
    for text in (
        "a: 5\nb: 3\n---\nc: 3\n",
        "a: 5\n---\nc: 3\n",
        "a: 5\nb: 2\nc: 3\n",
        "a: [\n",
        "a: '5'\nb: 2\n---\nc: 3\n",
    ):
        assert not changes_only(source, [edit], text)


# -- any edits of any manifest

WORDS = st.sampled_from(
    ["one", "two", "x1", "80", "0.8", "true", "a-b", "vllm:queue", "it's", 'say "x"', "# no", "- a"]
)
KEYS = st.sampled_from(["alpha", "beta", "gamma", "delta", "eps", "zeta"])
TREES = st.recursive(
    WORDS,
    lambda children: (
        st.lists(children, min_size=1, max_size=3) | st.dictionaries(KEYS, children, min_size=1, max_size=4)
    ),
    max_leaves=12,
)


@st.composite
def manifests(draw: st.DrawFn) -> str:
    """A manifest in block and flow style, with comments and blank lines between its lines, in LF or CRLF."""
    tree = {"apiVersion": "v1", "kind": "Thing", "spec": draw(st.dictionaries(KEYS, TREES, min_size=1, max_size=4))}
    style = draw(st.sampled_from([None, False]))
    text = yaml.dump(tree, default_flow_style=style, sort_keys=False, width=1000, indent=draw(st.sampled_from([2, 4])))
    lines: list[str] = []
    for line in text.splitlines():
        lines += draw(st.sampled_from([[], [], [], [""], ["# a comment: [x"], ["      # deep"]]))
        lines.append(line + draw(st.sampled_from(["", "", "", " # behind"])))
    ending = draw(st.sampled_from(["\n", "\r\n"]))
    return ending.join(lines) + draw(st.sampled_from([ending, ""]))


def scalars(source: Source) -> list[tuple[Place, str]]:
    """Keys and values of a document, with their places."""
    found = []
    stack: list[Any] = [yaml.compose(source.text, Loader=yaml.SafeLoader)]
    while stack:
        node = stack.pop()
        if isinstance(node, yaml.ScalarNode):
            found.append((Place(source, node.start_mark.index, node.end_mark.index), node.value))
        elif isinstance(node, yaml.MappingNode):
            stack += [each for pair in node.value for each in pair]
        else:
            stack += node.value
    return sorted(found, key=lambda each: each[0].start)


@st.composite
def changes(draw: st.DrawFn, source: Source) -> Change:
    place, value = draw(st.sampled_from(scalars(source)))
    kind = draw(st.integers(0, 3))
    if kind == 0:
        return ReplaceText(place, value, draw(WORDS))
    if kind == 1:
        return RemoveEntry(place, draw(st.booleans()))
    if kind == 2:
        return RemoveElement(place)
    return SetEntry(place, draw(KEYS | st.just("new")), draw(st.sampled_from(["1", "Value"])), draw(st.integers(0, 2)))


@given(st.data())
def test_any_sequence_of_edits_changes_what_it_is_to(data: st.DataObject) -> None:
    """Each edit that is offered can be made, alone and after others, and all else has the value that it had."""
    text = data.draw(manifests())
    for _ in range(4):
        source = Source("f.yaml", text)
        edit = edit_of(data.draw(changes(source)))
        if edit is None:
            continue
        after = applied(text, [edit])
        assert changes_only(source, [edit], after), (text, edit)
        # An oracle of its own: what stands before and behind the edit is untouched, and the leaves are the same but one.
        assert after.startswith(text[: edit.place.start])
        assert after.endswith(text[edit.place.end :])
        assert after.count("\r\n") == after.count("\n") * bool("\r\n" in text) or "\n" not in after
        leaves, others = leaves_of(text), leaves_of(after)
        if edit.effect is not None and edit.effect.verb == "remove":
            assert is_subsequence(others, leaves)
        elif edit.effect is not None and edit.effect.verb == "add":
            assert is_subsequence(leaves, others)
            assert len(others) == len(leaves) + 2
        else:
            assert len(leaves) == len(others)
            assert sum(one != other for one, other in zip(leaves, others, strict=True)) <= 1
        text = after


@given(st.data())
def test_a_replacement_made_twice_changes_nothing(data: st.DataObject) -> None:
    source = Source("f.yaml", data.draw(manifests()))
    place, value = data.draw(st.sampled_from(scalars(source)))
    new = data.draw(WORDS)
    edit = edit_of(ReplaceText(place, value, new))
    if edit is not None and value != new:
        after = Source("f.yaml", applied(source.text, [edit]))
        again = Place(after, place.start, place.start + len(edit.text))
        repeated = edit_of(ReplaceText(again, new, new))
        assert repeated is not None
        assert applied(after.text, [repeated]) == after.text


def leaves_of(text: str) -> list[str]:
    return [value for _, value in scalars(Source("f.yaml", text))]


def is_subsequence(short: list[str], long: list[str]) -> bool:
    rest = iter(long)
    return all(any(each == other for other in rest) for each in short)


# -- the command

KEDA = """\
# The service of the chat.
apiVersion: apps/v1
kind: Deployment
metadata: {name: chat}
spec:
  selector: {matchLabels: {app: chat}}
  template:
    metadata: {labels: {app: chat}}
    spec:
      containers:
        - name: engine
          image: vllm/vllm-openai:v0.11.0
          resources: {limits: {nvidia.com/gpu: 1}}
---
apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata: {name: chat}
spec:
  scaleTargetRef: {name: chat}
  minReplicaCount: 1
  idleReplicaCount: 1
  maxReplicaCount: 6
  cooldownPeriod: 300
  triggers:
    - type: prometheus
      metadata: {query: 'sum(vllm:num_requests_running{model_name="chät"})', threshold: "16"}
"""
FIXED = KEDA.replace("  idleReplicaCount: 1\n", "").replace("  cooldownPeriod: 300\n", "")
IDLE = "--select=nonzero-idle-replicas,cooldown-only-to-zero,unused-ignore"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / ".git").mkdir()
    (folder / "keda.yaml").write_text(KEDA, encoding="utf-8")
    monkeypatch.chdir(folder)
    return folder


def check(*arguments: str, status: int = 0) -> Result:
    result = CliRunner().invoke(main, ["check", *arguments])
    assert result.exit_code == status, result.output + result.stderr
    return result


def read(path: Path) -> str:
    return path.read_bytes().decode("utf-8")


def test_fix_repeats_until_nothing_is_left(project: Path) -> None:
    """The cooldown is found as soon as the idle count is gone."""
    result = check(IDLE, "--fix")
    assert read(project / "keda.yaml") == FIXED
    assert result.stderr == "gpulint: fixed 2 findings in 1 file\n"
    assert result.stdout == "No findings in 1 file.\n"
    assert check(IDLE, "--fix").stderr == "gpulint: fixed nothing\n"
    assert read(project / "keda.yaml") == FIXED


def test_report_says_what_can_be_fixed_and_what_remains(project: Path) -> None:
    result = check("--select=nonzero-idle-replicas", status=1)
    assert "fix: Remove idleReplicaCount (--fix)" in result.stdout
    assert result.stdout.endswith("1 can be fixed with --fix\n")
    path = project / "keda.yaml"
    path.write_text(KEDA.replace("minReplicaCount: 1", "minReplicaCount: 2"), encoding="utf-8")
    result = check("--select=nonzero-idle-replicas", "--fix", status=1)
    assert result.stderr == "gpulint: fixed nothing\n"
    assert "(--fix --unsafe-fixes)" in result.stdout
    assert "1 can be fixed with --fix --unsafe-fixes" in result.stdout
    assert check("--select=nonzero-idle-replicas", "--fix", "--unsafe-fixes").stdout == "No findings in 1 file.\n"


def test_diff_changes_nothing_and_can_be_applied(project: Path) -> None:
    result = check(IDLE, "--diff", status=1)
    assert read(project / "keda.yaml") == KEDA
    assert result.stderr == "gpulint: would fix 2 findings in 1 file\n"
    assert "-  idleReplicaCount: 1\n" in result.stdout
    subprocess.run(["patch", "-s", "-p0"], input=result.stdout.encode(), check=True, cwd=project)
    assert read(project / "keda.yaml") == FIXED
    assert check(IDLE, "--diff").stdout == ""
    assert check(IDLE, "--diff", "--exit-zero").stdout == ""


def test_diff_of_a_file_without_a_last_line_break(project: Path) -> None:
    path = project / "keda.yaml"
    path.write_text(KEDA[:-1], encoding="utf-8")
    result = check(IDLE, "--diff", status=1)
    subprocess.run(["patch", "-s", "-p0"], input=result.stdout.encode(), check=True, cwd=project)
    assert read(path) == FIXED[:-1]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_bytes_and_mode_are_kept(project: Path, encoding: str, ending: str) -> None:
    path = project / "keda.yaml"
    path.write_bytes(KEDA.replace("\n", ending).encode(encoding))
    path.chmod(0o640)
    check(IDLE, "--fix")
    assert path.read_bytes() == FIXED.replace("\n", ending).encode(encoding)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert sorted(os.listdir(project)) == [".git", "keda.yaml"]


def test_links(project: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside.yaml"
    outside.write_text(KEDA, encoding="utf-8")
    path = project / "keda.yaml"
    path.unlink()
    path.symlink_to(outside)
    result = check(IDLE, "--fix", "keda.yaml", status=2)
    assert "not fixed: it is a link to a file outside of the project" in result.stderr
    assert read(outside) == KEDA
    inside = project / "real" / "keda.txt"
    inside.parent.mkdir()
    inside.write_text(KEDA, encoding="utf-8")
    path.unlink()
    path.symlink_to(inside)
    check(IDLE, "--fix", "keda.yaml")
    assert path.is_symlink()
    assert read(inside) == FIXED


def test_what_cannot_be_written_is_said_and_reported(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(source: str, target: str) -> None:
        raise PermissionError(13, "Permission denied", target)

    monkeypatch.setattr(os, "replace", refuse)
    result = check("--select=nonzero-idle-replicas", "--fix", status=2)
    assert "keda.yaml: its fixes could not be written: permission denied" in result.stderr
    assert "nonzero-idle-replicas" in result.stdout
    assert read(project / "keda.yaml") == KEDA
    assert sorted(os.listdir(project)) == [".git", "keda.yaml"]


def test_ignored_and_baselined_findings_stay(project: Path) -> None:
    path = project / "keda.yaml"
    text = KEDA.replace("Count: 1\n  max", "Count: 1 # gpulint: ignore[nonzero-idle-replicas] known\n  max")
    path.write_text(text, encoding="utf-8")
    assert check("--select=nonzero-idle-replicas", "--fix").stderr == "gpulint: fixed nothing\n"
    path.write_text(KEDA, encoding="utf-8")
    check("--select=nonzero-idle-replicas", "--baseline=base.json", "--write-baseline")
    result = check("--select=nonzero-idle-replicas", "--baseline=base.json", "--fix")
    assert result.stderr == "gpulint: fixed nothing\n"
    assert read(path) == KEDA


def test_files_that_are_not_named_stay(project: Path) -> None:
    """What a named file says of another is reported; the other is not changed."""
    deployment, scaler = KEDA.split("---\n")
    deployment = deployment.replace("spec:\n  sel", "spec:\n  replicas: 4\n  sel")
    (project / "deployment.yaml").write_text(deployment, encoding="utf-8")
    (project / "keda.yaml").write_text(scaler, encoding="utf-8")
    select = "--select=static-replicas-with-autoscaler"
    result = check(select, "--fix", "--unsafe-fixes", "--format=concise", "keda.yaml", status=1)
    assert result.stdout.startswith("deployment.yaml:6:13: ")
    assert result.stderr == "gpulint: fixed nothing\n"
    assert read(project / "deployment.yaml") == deployment
    check(select, "--fix", "--unsafe-fixes", "deployment.yaml")
    assert read(project / "deployment.yaml") == KEDA.split("---\n")[0]


def test_an_idle_ignore_goes_and_a_comment_makes_a_removal_unsafe(project: Path) -> None:
    path = project / "keda.yaml"
    path.write_text(KEDA.replace("idleReplicaCount: 1", "idleReplicaCount: 1 # asked for by ops"), encoding="utf-8")
    result = check("--select=nonzero-idle-replicas", "--fix", "--format=json", status=1)
    (finding,) = json.loads(result.stdout)["findings"]
    assert finding["fix"]["safe"] is False
    path.write_text("# gpulint: ignore-file[cpu-autoscaling] no longer\n" + FIXED, encoding="utf-8")
    check("--fix", "--exit-zero", "--format=concise")
    assert read(path) == FIXED


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("--unsafe-fixes",), "give --fix to make them, or --diff to see them"),
        (("--fix", "-"), "standard input cannot be fixed"),
        (("--diff", "-"), "standard input cannot be fixed"),
        (("--fix", "--baseline=b.json", "--write-baseline"), "fix first"),
        (("--diff", "--format=json"), "leave --format and --statistics out"),
    ],
)
def test_what_does_not_go_together(project: Path, arguments: tuple[str, ...], reason: str) -> None:
    assert reason in check(*arguments, status=2).stderr
    assert read(project / "keda.yaml") == KEDA


def test_templates_of_a_chart_are_not_fixed(project: Path) -> None:
    (project / "keda.yaml").unlink()
    (project / "templates").mkdir()
    (project / "Chart.yaml").write_text("apiVersion: v2\nname: chat\nversion: 0.1.0\n", encoding="utf-8")
    (project / "values.yaml").write_text("max: 6\n", encoding="utf-8")
    path = project / "templates" / "keda.yaml"
    text = KEDA.replace("maxReplicaCount: 6", 'maxReplicaCount: {{ .Values.max }}\n  comment: "{{ .Values.max }}"')
    path.write_text(text, encoding="utf-8")
    result = check("--select=nonzero-idle-replicas", "--fix", status=1)
    assert "nonzero-idle-replicas" in result.stdout
    assert "fix:" not in result.stdout
    assert read(path) == text


def test_what_an_overlay_may_need_is_unsafe(project: Path) -> None:
    """A cooldown has no effect beside a minimum of one, and has one where an overlay sets the minimum to zero."""
    base, overlay = project / "base", project / "overlay"
    base.mkdir()
    overlay.mkdir()
    (project / "keda.yaml").rename(base / "keda.yaml")
    (base / "kustomization.yaml").write_text("resources: [keda.yaml]\n", encoding="utf-8")
    assert "1 file" in check("--select=nonzero-idle-replicas", "--diff", status=1).stderr
    patch = "apiVersion: keda.sh/v1alpha1\nkind: ScaledObject\nmetadata: {name: chat}\nspec: {minReplicaCount: 0}\n"
    (overlay / "patch.yaml").write_text(patch, encoding="utf-8")
    (overlay / "kustomization.yaml").write_text(
        "resources: [../base]\npatches: [{path: patch.yaml}]\n", encoding="utf-8"
    )
    assert check("--select=nonzero-idle-replicas", "--diff").stderr == "gpulint: would fix nothing\n"
    (overlay / "kustomization.yaml").unlink()
    (base / "kustomization.yaml").write_text(
        "resources: [keda.yaml]\npatches: [{path: ../overlay/patch.yaml}]\n", encoding="utf-8"
    )
    assert check("--select=nonzero-idle-replicas", "--diff").stderr == "gpulint: would fix nothing\n"


def test_machines_read_the_fix(project: Path) -> None:
    check(IDLE, "--format=sarif=s.json", "--format=json=j.json", "--format=rdjson=r.json", status=1)
    schema = json.loads(read(Path(__file__).parent / "schemas" / "sarif-2.1.0.json"))
    jsonschema.validate(json.loads(read(project / "s.json")), schema, cls=jsonschema.Draft202012Validator)
    jsonschema.validate(json.loads(read(project / "j.json")), json.loads(read_schema("report")))
    sarif = json.loads(read(project / "s.json"))["runs"][0]["results"][0]["fixes"]
    region = {"startLine": 21, "startColumn": 1, "endLine": 22, "endColumn": 1}
    assert sarif == [
        {
            "description": {"text": "Remove idleReplicaCount."},
            "artifactChanges": [
                {
                    "artifactLocation": {"uri": "keda.yaml", "uriBaseId": "%SRCROOT%"},
                    "replacements": [{"deletedRegion": region}],
                }
            ],
        }
    ]
    span = {"line": 21, "column": 1, "endLine": 22, "endColumn": 1}
    assert json.loads(read(project / "j.json"))["findings"][0]["fix"] == {
        "title": "Remove idleReplicaCount",
        "safe": True,
        "edits": [{"path": "keda.yaml", **span, "text": ""}],
    }
    assert json.loads(read(project / "r.json"))["diagnostics"][0]["suggestions"] == [
        {"range": {"start": {"line": 21, "column": 1}, "end": {"line": 22, "column": 1}}, "text": ""}
    ]


def test_several_edits_are_one_suggestion(project: Path) -> None:
    hpa = KEDA.split("---\n")[0] + (
        "---\napiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {name: chat}\nspec:\n"
        "  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: chat}\n  minReplicas: 1\n  maxReplicas: 8\n"
        "  metrics:\n    - type: Pods\n      pods:\n        metric: {name: vllm:kv_cache_usage_perc}\n"
        "        target: {type: Utilization, averageUtilization: 70}\n"
    )
    (project / "keda.yaml").write_text(hpa, encoding="utf-8")
    result = check("--select=utilization-target-on-custom-metric", "--format=rdjson", status=1)
    (suggestion,) = json.loads(result.stdout)["diagnostics"][0]["suggestions"]
    assert suggestion["text"] == "AverageValue, averageValue"
