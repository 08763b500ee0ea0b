"""Shell scripts as commands and words: what is certain is followed, the rest is unknown, nothing is run."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpulint.source import shell
from gpulint.source.shell import Command, Piece, Script, Word, commands


def words(script: str, env: dict[str, str | None] | None = None, **options: object) -> list[list[str | None]]:
    return [[word.text for word in command.words] for command in commands(script, env or {}, **options)]  # type: ignore[arg-type]


def only(script: str, env: dict[str, str | None] | None = None) -> list[str | None]:
    (line,) = words(script, env)
    return line


def command_of(script: str, name: str) -> Command:
    (found,) = (command for command in commands(script, {}) if command.words[0].text == name)
    return found


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("vllm serve m", [["vllm", "serve", "m"]]),
        ("a x && b y; c | d", [["a", "x"], ["b", "y"], ["c"], ["d"]]),
        ("vllm serve \\\n  m \\\n  --tp 4\n", [["vllm", "serve", "m", "--tp", "4"]]),
        ("vllm serve m --tp 4 # --tp 8\n# vllm serve n", [["vllm", "serve", "m", "--tp", "4"]]),
        ("""x 'a $B "c"' "d \\"e\\" \\n" f\\ g h"i"'j'k""", [["x", 'a $B "c"', 'd "e" \\n', "f g", "hijk"]]),
        ("x '' \"\" --a= --b=''", [["x", "", "", "--a=", "--b="]]),
        ("x $'a\\nb'", [["x", "a\nb"]]),
        ('x --json \'{"a": {"b": 1}}\'', [["x", "--json", '{"a": {"b": 1}}']]),
        ("cat <<EOF > f\nvllm serve no\nEOF\nvllm serve yes", [["cat"], ["vllm", "serve", "yes"]]),
        ("vllm serve m > log --tp 4 2>&1", [["vllm", "serve", "m", "--tp", "4"]]),
        ("( cd d; vllm serve m ) &", [["cd", "d"], ["vllm", "serve", "m"]]),
        ("{ vllm serve m; } 2>&1 | tee log", [["vllm", "serve", "m"], ["tee", "log"]]),
        ("! vllm serve m", [["vllm", "serve", "m"]]),
        ("bash -c 'exec vllm serve \"m\" --tp 2'", [["exec", "vllm", "serve", "m", "--tp", "2"]]),
        ("exec bash -lc \"vllm serve 'm'\"", [["vllm", "serve", "m"]]),
        ("eval vllm serve 'm'", [["vllm", "serve", "m"]]),
        ("größe ü --tp 4", [["größe", "ü", "--tp", "4"]]),
    ],
)
def test_commands_and_words(script: str, expected: list[list[str | None]]) -> None:
    assert words(script) == expected


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("TP=4; x $TP", ["x", "4"]),
        ("export TP=4\nx ${TP}", ["x", "4"]),
        ("x $E $MISSING", ["x", "from env", None]),
        ("x ${TP:-2}", ["x", "2"]),
        ('x ${TP:-"2 3"}', ["x", "2 3"]),
        ("x ${E:-2}", ["x", "from", "env"]),
        ("x ${SECRET:-2}", ["x", None]),
        ("x ${A:-${B:-3}}", ["x", "3"]),
        ("x ${TP:=5} $TP", ["x", "5", "5"]),
        ("x ${EMPTY:-d} ${EMPTY-d}", ["x", "d"]),
        ("x ${E:+on} ${MISSING:+off}", ["x", "on"]),
        ("TP=$(nproc); x $TP ${TP:-2}", ["x", None, None]),
        ("TP=2; TP=$(nproc); x $TP", ["x", None]),
        ("A=2; B=$A; x $((A * 2 + B / 2))", ["x", "5"]),
        ("x $((N * 2)) $((1 / 0)) $((08 + 1))", ["x", None, None, None]),
        ("A='--tp 4'; x $A \"$A\"", ["x", "--tp", "4", "--tp 4"]),
        ("A=x; A+=y; x $A", ["x", "xy"]),
        ('A=(m --tp 4); A+=(--pp 2); x "${A[@]}"', ["x", "m", "--tp", "4", "--pp", "2"]),
        ("CUDA=0 x $CUDA", ["x", None]),
        ("unset E; x $E", ["x", None]),
        ("x `nproc` $(nproc) a$(nproc)", ["x", None, None, None]),
        ("x *.gguf model-?", ["x", None, None]),
        ('x {1,2} {"a":1}', ["x", None, "{a:1}"]),
        ("x --model <model-path> --name <model-name> y", ["x", "--model", None, "--name", None, "y"]),
        ("x --tp {{ .Values.tp }} y", ["x", "--tp", None, "y"]),
        ('x "${E#f}" ${#E} ${!E} ${E/f/g}', ["x", None, None, None, None]),
    ],
)
def test_expansion(script: str, expected: list[str | None]) -> None:
    env = {"E": "from env", "SECRET": None, "EMPTY": ""}
    if expected[1] == "from env":
        script = script.replace("$E", '"$E"')
    assert words(script, env)[-1] == expected


@pytest.mark.parametrize(
    "script",
    [
        'if [ -n "$X" ]; then TP=8; fi; x $TP',
        '[ -n "$X" ] && TP=8; x $TP',
        "false || TP=8; x $TP",
        "for TP in 1 2; do :; done; x $TP",
        "while read TP; do :; done; x $TP",
        "case $X in a) TP=8;; esac; x $TP",
        "f() { TP=8; }; f; x $TP",
        "read TP; x $TP",
        "TP=2; if a; then TP=8; fi; x $TP",
    ],
)
def test_an_assignment_that_may_not_happen_leaves_the_variable_unknown(script: str) -> None:
    assert words(script)[-1] == ["x", None]


def test_a_subshell_keeps_its_assignments_to_itself() -> None:
    assert words("TP=2; (TP=8); x $TP; (TP=4; y $TP)") == [["x", "2"], ["y", "4"]]


def test_defaults_hold_only_while_nothing_unseen_sets_variables() -> None:
    assert words(". /etc/settings; x ${TP:-2}")[-1] == ["x", None]
    assert words("source /venv/bin/activate; x ${TP:-2}")[-1] == ["x", "2"]
    assert words("x ${TP:-2}", env_known=False) == [["x", None]]
    assert words("x $TP", {"TP": "4"}, env_known=False) == [["x", "4"]]


def test_branches_and_loops_are_marked() -> None:
    script = "a; if b; then c; else d; fi; e && f || g; for i in 1 2; do h; done; while i; do j; done"
    found = {command.words[0].text: (command.conditional, command.repeated) for command in commands(script, {})}
    assert {name for name, (conditional, _) in found.items() if conditional} == {"c", "d", "g", "h", "i", "j"}
    assert {name for name, (_, repeated) in found.items() if repeated} == {"h"}


def test_words_that_may_be_several() -> None:
    (command,) = commands('x "${ARGS[@]}" $EXTRA_ARGS "$EXTRA_ARGS" $TP $(cat args.txt) $(nproc) *.bin', {})
    assert [word.many for word in command.words] == [False, True, True, False, False, True, False, True]


def test_the_known_beginning_of_an_unknown_word() -> None:
    (command,) = commands('x --tp=$TP --model=/models/$NAME --allowed=* "--a=$B c"', {})
    assert [(word.text, word.prefix) for word in command.words[1:]] == [
        (None, "--tp="),
        (None, "--model=/models/"),
        (None, "--allowed="),
        (None, "--a="),
    ]


def test_parameters() -> None:
    (command,) = commands('exec vllm "$@" $1 $9', {}, ["sh", "serve"])
    assert [word.parameters for word in command.words] == [False, False, True, False, False]
    assert [word.text for word in command.words[3:]] == ["serve", None]
    (inner,) = [c for c in commands('f() { x "$@"; }', {}, ["sh", "a"]) if c.words[0].text == "x"]
    assert not inner.words[1].parameters
    assert inner.words[1].many
    assert words("shift; x $1", parameters=["sh", "a"])[-1] == ["x", None]


def test_what_the_script_sets_for_a_command() -> None:
    script = "export A=1; B=2; export B; C=3; D=4 x"
    environment = command_of(script, "x").environment
    assert {name: word.text for name, word in environment.items()} == {"A": "1", "B": "2", "D": "4"}
    assert script[environment["A"].start : environment["A"].end] == "A=1"


def test_places() -> None:
    script = 'é=1; vllm serve "$M" --tp ${TP:-2} \\\n --json=\'{"a": 1}\' # c'
    command = command_of(script, "vllm")
    assert [script[word.start : word.end] for word in command.words] == [
        "vllm", "serve", '"$M"', "--tp", "${TP:-2}", "--json='{\"a\": 1}'",
    ]  # fmt: skip


def test_places_in_a_script_inside_a_script() -> None:
    script = 'nohup bash -c "vllm serve \\"m\\" --tp 4 $X" &'
    command = command_of(script, "vllm")
    assert [script[word.start : word.end] for word in command.words] == ["vllm", "serve", '\\"m\\"', "--tp", "4", "$X"]
    assert [word.text for word in command.words] == ["vllm", "serve", "m", "--tp", "4", None]


@pytest.mark.parametrize(
    ("line", "index"),
    [
        ("bash -c s", 2),
        ("/bin/sh -ec s a b", 2),
        ("bash -euxo pipefail -c s", 4),
        ("bash -o pipefail -c s", 4),
        ("bash -lc -- s", 3),
        ("env A=1 bash --login -c s", 5),
        ("tini -- bash -c s", 4),
        ("bash script.sh -c s", None),
        ("bash -c", None),
        ("python -c s", None),
        ("echo bash -c s", None),
    ],
)
def test_where_the_script_is(line: str, index: int | None) -> None:
    found = [Word([Piece(text, 0, 0)], 0, 0) for text in line.split()]
    assert shell.script_index(found) == index


def test_origin_of_substituted_text() -> None:
    source = 'a $(B) "c" $(D)'
    script = Script([Piece("a ", 0, 2), Piece("long text", 2, 6), Piece(' "c" ', 6, 11), Piece(None, 11, 15)], source)
    assert script.text == 'a long text "c" $(D)'
    at = script.text.index("c")
    assert source[slice(*script.origin(at, at + 1))] == "c"
    assert source[slice(*script.origin(4, 6))] == "$(B)"
    assert source[slice(*script.origin(16, 20))] == "$(D)"


HOSTILE = [
    *("(" * 20_000, "$(" * 9000, "a=(" * 3000, '"${a[@]}' * 3000, "a|" * 10_000, "{{a}}" * 6000, "x" * 100_000),
    *("\0", "\ud800", "A=x;" + 'A="$A$A";' * 60 + "x $A $A", "A='eval $A'; eval $A"),
    "A=(a);" + 'A+=("${A[@]}");' * 60 + 'x "${A[@]}"',
]


@pytest.mark.parametrize("script", HOSTILE)
def test_hostile_scripts_are_not_followed_for_long(script: str) -> None:
    start = time.process_time()
    found = commands(script, {})
    assert time.process_time() - start < 5
    assert sum(len(word.prefix) for command in found for word in command.words) < 1_000_000


TOKENS = [
    *(
        "vllm",
        "serve",
        "--tp",
        "$X",
        "${X:-1}",
        '"',
        "'",
        "(",
        ")",
        "{",
        "}",
        "$(",
        "`",
        "\\",
        "\n",
        ";",
        "&&",
        "||",
        "|",
    ),
    *("if", "then", "fi", "else", "for", "do", "done", "in", "case", "esac", "<<E", "\nE\n", "<", ">", "=", "A", "+="),
    *("[", "]", "*", "#", "eval", "bash -c", "{{a}}", "<a-b>", "é", "$((", "))", "$@", "!", "&"),
]


@settings(deadline=None, max_examples=300)
@given(st.one_of(st.text(max_size=60), st.lists(st.sampled_from(TOKENS), max_size=40).map(" ".join)))
def test_any_text_is_read_without_an_error(script: str) -> None:
    for command in commands(script, {"X": "a b"}, ["0", "1"]):
        assert command.words
        for word in command.words:
            assert 0 <= word.start <= word.end <= len(script)


PLAIN = st.text(alphabet=st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12)


@settings(deadline=None, max_examples=200)
@given(st.lists(PLAIN, min_size=1, max_size=6))
def test_quoted_words_come_back(texts: list[str]) -> None:
    import shlex

    from gpulint.engines.flags import is_placeholder

    texts = [text for text in texts if not is_placeholder(text)]
    script = "x " + " ".join(shlex.quote(text) for text in texts)
    assert only(script) == ["x", *texts]
