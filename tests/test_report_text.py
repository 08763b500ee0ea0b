from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpulint.finding import Evidence
from gpulint.model.values import ObjectRef
from gpulint.report import FORMATS, Report, render
from gpulint.report._display import columns, first_sentence, value_text, visible, wrap
from gpulint.report._excerpt import window
from gpulint.source.text import Place, Source
from gpulint.source.yaml import Problem, Template
from report_helper import HPA, place, report, reported

HOSTILE = (
    "\x1b[31mred\x1b[0m\r\n::error file=x::forged\x9b2J\u202egnp.exe\u2028\u200b\udcff\ud800"
    "##[error]forged ##vso[x]\x07"
)


def text(made: Report, *, color: bool = False, width: int = 100) -> str:
    return render(made, "text", color=color, width=width)


def concise(made: Report, *, color: bool = False) -> str:
    return render(made, "concise", color=color, width=80)


def excerpt(source: str, span: str, width: int = 100, occurrence: int = 0) -> list[str]:
    """The line shown and the marks under it, without the margin."""
    lines = text(report(reported(place(Source("a.yaml", source), span, occurrence))), width=width).splitlines()
    number = next(n for n, line in enumerate(lines) if re.match(r"\d+ \|", line))
    return [line.partition("| ")[2] for line in lines[number : number + 2]]


def assert_harmless(shown: str) -> None:
    """Nothing that a terminal obeys, that reorders a line, or that a CI log takes for a command."""
    shown.encode()
    for line in shown.split("\n"):
        assert line.isprintable()
        assert not line.lstrip().startswith("::")
        assert "##[" not in line
        assert "##vso[" not in line


def test_formats_are_the_modules() -> None:
    assert set(FORMATS) >= {"text", "concise", "json", "sarif"}
    with pytest.raises(ValueError, match="unknown format 'yaml'"):
        render(report(), "yaml", color=False, width=80)


def test_whole_report() -> None:
    source = Source("deploy/hpa.yaml", HPA)
    deployment = Source("deploy/llama.yaml", "limits:\n  nvidia.com/gpu: 2\n")
    finding = reported(
        place(source, "cpu"),
        "The only signal of this HPA is host CPU, while its target queues on the GPU. It adds no replica at all.",
        "Scale on vllm:num_requests_waiting per replica, for which a target of 5 is a start.",
        [
            Evidence("target CPU", 70, place(source, "70")),
            Evidence("GPUs of llama", 2, place(deployment, "2")),
            Evidence("engine", "vLLM 0.6.3"),
        ],
        ref=ObjectRef("HorizontalPodAutoscaler", "prod", "llama"),
    )
    assert (
        text(report(finding), width=72)
        == """\
error[cpu-autoscaling]: The only signal of this HPA is host CPU, while
  its target queues on the GPU. It adds no replica at all.
  --> deploy/hpa.yaml:15:15 in HorizontalPodAutoscaler prod/llama
   |
15 |         name: cpu
   |               ^^^
...
18 |           averageUtilization: 70
   |                               -- target CPU: 70
   |
   = note: GPUs of llama: 2 (deploy/llama.yaml:2)
   = note: engine: vLLM 0.6.3
   = help: Scale on vllm:num_requests_waiting per replica, for which a
           target of 5 is a start.

1 error in 12 files
"""
    )


def test_evidence_at_the_finding_labels_it() -> None:
    source = Source("a.yaml", "a: 1\nb: 22\n")
    shown = text(report(reported(place(source, "22"), evidence=[Evidence("limit", 22, place(source, "22"))])))
    assert "2 | b: 22\n  |    ^^ limit: 22\n" in shown
    assert "note:" not in shown


def test_one_line_between_marks_is_shown() -> None:
    source = Source("a.yaml", "a: 1\nb: 22\nc: 3\n")
    shown = text(report(reported(place(source, "3"), evidence=[Evidence("low", 1, place(source, "1"))])))
    assert "1 | a: 1\n  |    - low: 1\n2 | b: 22\n3 | c: 3\n  |    ^\n" in shown


def test_far_evidence_and_evidence_without_room_are_notes() -> None:
    source = Source("a.yaml", "a: 1\n" + "\n" * 10 + "b: 22\nc: 3\n")
    evidence = [Evidence("far", 1, place(source, "1")), Evidence("x" * 50, 3, place(source, "3"))]
    shown = text(report(reported(place(source, "22"), evidence=evidence)), width=50)
    assert "= note: far: 1 (a.yaml:1)" in shown
    assert f"= note: {'x' * 50}: 3 (a.yaml:13)" in " ".join(shown.split())
    assert shown.count(" | ") == 2


def test_second_mark_in_a_line_that_was_cut_elsewhere_is_a_note() -> None:
    source = Source("a.yaml", f"first: 1, {'x' * 200}, last: 22\n")
    shown = text(report(reported(place(source, "22"), evidence=[Evidence("first", 1, place(source, "1"))])), width=60)
    assert "= note: first: 1 (a.yaml:1)" in shown
    assert shown.count("1 | ") == 1


@pytest.mark.parametrize(
    ("source", "span", "line", "marks"),
    [
        ("\tname:\tcpu\n", "cpu", "    name:    cpu", "             ^^^"),
        ("name: cpu\r\nb: 1\r\n", "cpu", "name: cpu", "      ^^^"),
        ("b: 1\rname: cpu\r", "cpu", "name: cpu", "      ^^^"),
        ("模型: cpu\n", "cpu", "模型: cpu", "      ^^^"),
        ("name: 模型x\n", "模型", "name: 模型x", "      ^^^^"),
        ("a: 😀 cpu\n", "cpu", "a: 😀 cpu", "      ^^^"),
        ("cafe\u0301: cpu\n", "cpu", "cafe\u0301: cpu", "      ^^^"),
        ("a: \x1bcpu\n", "cpu", "a: \\x1bcpu", "       ^^^"),
        ("##[x]: cpu\n", "cpu", "#\\x23[x]: cpu", "          ^^^"),
        ("a: |\n  x\n  y\n\n\n", "|\n  x\n  y\n\n\n", "a: |", "   ^ and 2 more lines"),
        ("a: |\n  x\n\nb: 1", "|\n  x\n\n", "a: |", "   ^ and 1 more line"),
        ("a: cpu   \n", "cpu   \n", "a: cpu", "   ^^^"),
    ],
)
def test_carets(source: str, span: str, line: str, marks: str) -> None:
    assert excerpt(source, span) == [line, marks]


def test_empty_spans() -> None:
    source = Source("a.yaml", "args:\n\n")
    assert "1 | args:\n  |      ^\n" in text(report(reported(Place(source, 5, 5))))
    blank = text(report(reported(Place(source, 6, 6))))
    assert "a.yaml:2:1" in blank
    assert " | " not in blank
    assert "--> nvml:1:1" in text(report(reported(Place(Source("nvml", ""), 0, 0))))


def test_long_lines_are_cut_around_the_span() -> None:
    source = f"{{a: {'x' * 5000}, name: cpu, b: {'y' * 5000}}}"
    line, marks = excerpt(source, "cpu", width=60)
    assert line.startswith("…x")
    assert line.endswith("y…")
    assert columns(line) == 56
    assert line[marks.index("^") : marks.rindex("^") + 1] == "cpu"
    line, marks = excerpt(f"a: {'z' * 500}", "z" * 500, width=60)
    assert line.endswith("z…")
    assert marks.strip("^ ") == ""
    assert columns(marks) <= 56


@given(
    st.text(st.characters(exclude_characters="\r\n"), min_size=1, max_size=200),
    st.integers(0, 200),
    st.integers(0, 200),
    st.integers(12, 120),
)
def test_windows_fit(line: str, start: int, size: int, width: int) -> None:
    start = min(start, len(line))
    end = min(start + size, len(line))
    shown, offset, length = window(line, start, end, width)
    assert columns(shown) <= width
    assert 0 <= offset <= width
    assert length >= 1
    assert offset + length <= width + 1
    assert all(character.isprintable() or character in "\u200c\u200d\u3000" for character in shown)
    whole = visible(line[start:end]).rstrip()
    if whole and "\t" not in line[start:end] and "##" not in line and columns(visible(line)) <= width:
        assert whole in shown


@given(st.text(), st.integers(1, 60))
def test_wrapping_loses_no_word_and_starts_no_command(message: str, width: int) -> None:
    words = [word for word in visible(message).split(" ") if word]
    lines = wrap(visible(message), width)
    assert " ".join(lines).split(" ") == (words or [""])
    assert not any(line.lstrip().startswith("::") for line in lines[1:])


@given(
    st.lists(st.sampled_from(["a", "to", "word", "a-longer-word", "a"]), max_size=30),
    st.integers(1, 20),
    st.integers(0, 25),
)
def test_lines_are_as_full_as_they_can_be(words: list[str], width: int, taken: int) -> None:
    message = " ".join(words)
    first, *rest = lines = wrap(message, width, taken)
    assert " ".join(lines) == message
    room = max(width - taken, 0)
    assert len(first) <= room or " " not in first
    assert all(len(line) <= width or " " not in line for line in rest)
    for line, after, space in zip(lines, rest, [room, *([width] * len(rest))], strict=False):
        assert len(line) + 1 + len(after.partition(" ")[0]) > space
    # What is wide in one place only is wrapped word by word, to the same lines.
    assert wrap(message + " é", width, taken)[: len(rest)] == lines[: len(rest)]


def test_no_wrapped_line_is_a_command() -> None:
    """GitHub's runner trims a line before it looks for `::`."""
    shown = text(report(reported(place(Source("a", "b"), "b"), f"{'word ' * 12}::error::forged")), width=60)
    assert "::error::forged" in shown
    assert_harmless(shown)


@pytest.mark.parametrize("width", [40, 60, 100])
def test_hostile_files_change_nothing_but_the_text(width: int) -> None:
    other = Source(f" ::error::{HOSTILE}", f"key: {HOSTILE}\n")
    source = Source(f"::error::{HOSTILE}.yaml", f"{HOSTILE}\n")
    finding = reported(
        Place(source, 0, len(HOSTILE)),
        f"{HOSTILE} is wrong. {HOSTILE}",
        HOSTILE,
        [
            Evidence(HOSTILE, HOSTILE, place(other, "key")),
            Evidence("list", [HOSTILE, {"k": HOSTILE}]),
            Evidence("same", HOSTILE, Place(source, 0, len(HOSTILE))),
        ],
        ref=ObjectRef(HOSTILE, HOSTILE, HOSTILE),
    )
    made = report(finding, templates=[Template(HOSTILE, 1, "Helm")])
    assert_harmless(text(made, width=width))
    assert_harmless(concise(made))
    plain = re.sub(r"\x1b\[[0-9;]*m", "", text(made, width=width, color=True))
    assert plain == text(made, width=width)
    assert concise(made).count("\n") == 1


@given(st.text(st.characters(exclude_categories=())), st.sampled_from(FORMATS), st.integers(0, 200))
def test_any_text_can_be_written(anything: str, format_name: str, width: int) -> None:
    source = Source(anything, anything)
    ref = ObjectRef(anything, anything, anything)
    evidence = [Evidence(anything, anything, Place(source, 0, 1)), Evidence(anything, [anything])]
    finding = reported(Place(source, 0, len(anything)), anything, anything, evidence, ref=ref, rule="unused-ignore")
    made = report(finding, errors=[Problem(anything, 1, anything)], templates=[Template(anything, 1, "Helm")], rules=[])
    shown = render(made, format_name, color=False, width=width)
    shown.encode()
    assert not any((ord(c) < 0x20 and c != "\n") or 0x7F <= ord(c) < 0xA0 for c in shown)


def test_what_is_made_visible() -> None:
    assert (
        visible("a\x1b[0m\n\t\x9b\u202e\udcff\ud800\U000e0041") == "a\\x1b[0m\\n\\t\\x9b\\u202e\\xff\\ud800\\U000e0041"
    )
    assert visible("é 模型 👩‍🚀 a::b ##x") == "é 模型 👩‍🚀 a::b ##x"


def test_colours() -> None:
    made = report(reported(place(Source("a.yaml", "b: cpu\n"), "cpu"), level="warning"))
    shown = text(made, color=True)
    assert "\x1b[1;33mwarning[cpu-autoscaling]\x1b[0m: " in shown
    assert "\x1b[1;33m^^^\x1b[0m" in shown
    assert "\x1b[1;33m1 warning\x1b[0m in 12 files" in shown
    assert "\x1b" not in text(made)
    assert concise(made, color=True).startswith("a.yaml:1:4: \x1b[1;33mwarning[cpu-autoscaling]\x1b[0m ")


def test_summary() -> None:
    where = place(Source("a.yaml", "b"), "b")
    levels = ["error"] * 3 + ["warning"] * 2 + ["info"]
    assert text(report(*(reported(where, level=level) for level in levels))).endswith(
        "\n\n3 errors, 2 warnings, 1 info in 12 files\n"
    )
    assert text(report(reported(where, level="info"), reported(where, level="info"), files=1)).endswith(
        "\n\n2 info in 1 file\n"
    )
    assert text(report()) == "No findings in 12 files.\n"
    assert text(report(errors=[Problem("x.yaml", 1, "SECRET")])) == (
        "No findings in 12 files; 1 problem, see standard error.\n"
    )


def test_templates_are_counted_by_file() -> None:
    templates = [Template(f"{n}.yaml", line, "Helm") for n in range(4) for line in (1, 9)] + [Template("j", 1, "Jinja")]
    assert (
        text(report(templates=templates))
        == """\
No findings in 12 files.
4 files are Helm templates and were not read: render them first, e.g. helm template . | gpulint check -
1 file is a Jinja template and was not read: render it first
"""
    )


def test_concise() -> None:
    source = Source("deploy/hpa.yaml", HPA)
    made = report(
        reported(place(source, "cpu"), "It needs 9.5 GiB, e.g. for vLLM 0.6. More text.", level="error"),
        reported(place(source, "70"), "Only one", level="info", rule="long-winded"),
    )
    assert concise(made) == (
        "deploy/hpa.yaml:15:15: error[cpu-autoscaling] It needs 9.5 GiB, e.g. for vLLM 0.6.\n"
        "deploy/hpa.yaml:18:31: info[long-winded] Only one\n"
    )
    assert concise(report()) == ""


@pytest.mark.parametrize(
    ("message", "first"),
    [
        ("One. Two.", "One."),
        ("Use 0.9 of it. vLLM takes the rest.", "Use 0.9 of it."),
        ("A signal, i.e. a metric, is missing! Add it.", "A signal, i.e. a metric, is missing!"),
        ("No mark", "No mark"),
    ],
)
def test_first_sentence(message: str, first: str) -> None:
    assert first_sentence(message) == first


def test_values() -> None:
    assert [value_text(v) for v in (None, True, 70, 0.9, 14.958333333, "x\ny", (1, "a"), {"b", "a"}, {"k": 1})] == [
        "unknown", "true", "70", "0.9", "14.9583", "x\\ny", "1, a", "a, b", "k=1",
    ]  # fmt: skip
    assert len(value_text("x" * 5000)) == 200
