"""`kubectl label node`: labels that a script gives nodes, as a Node object would have them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gpulint.engines.launch import CommandLine, Word
from gpulint.hardware.labels import match_label
from gpulint.hardware.match import combine
from gpulint.model.project import Project
from gpulint.model.values import ObjectRef, Sourced
from gpulint.source.shell import basename

# The label by which nodes choose a MIG configuration; of others in scripts nothing is asked.
LABEL = "nvidia.com/mig.config"
_PROGRAMS = frozenset({"kubectl", "oc"})
_NODES = frozenset({"no", "node", "nodes"})
# Flags whose value may stand in the next word. Source: kubectl label --help, kubectl options.
_WITH_VALUE = frozenset(
    {"-l", "--selector", "--field-selector", "-n", "--namespace", "--context", "--kubeconfig", "-o", "--output", "-f"}
)


def read_labels(lines: Sequence[CommandLine], project: Project) -> None:
    """Adds a node for each command that labels nodes, called by the one name in it, if there is one."""
    for line in lines:
        words = line.words
        if not words or basename(words[0].text) not in _PROGRAMS:
            continue
        given = list(_arguments(words[1:]))
        texts = [word.text or word.prefix for word in given]
        if len(texts) < 3 or texts[0] != "label" or texts[1].partition("/")[0] not in _NODES:
            continue
        labels = dict(label for word in given[2:] if (label := _label(word)) is not None)
        if LABEL not in labels:
            continue
        from gpulint.model.cluster import Node

        names = [word.text for word in given[2:] if "=" not in word.prefix and not word.prefix.endswith("-")]
        name = texts[1].partition("/")[2] or (names[0] if len(names) == 1 else None)
        matches = [match for key, value in labels.items() if (match := match_label(key, value.value)) is not None]
        match = combine(matches) if matches else None
        project.nodes.append(Node(ObjectRef("Node", None, name or None), labels[LABEL].key_place, labels, match))


def _arguments(words: Sequence[Word]) -> Iterator[Word]:
    skip = False
    for word in words:
        if skip:
            skip = False
        elif word.prefix.startswith("-"):
            skip = word.text in _WITH_VALUE
        else:
            yield word


def _label(word: Word) -> tuple[str, Sourced[str]] | None:
    """The key and value of `key=value`, as long as both are known."""
    if word.text is None or "=" not in word.text:
        return None
    key, _, value = word.text.partition("=")
    place = word.place
    if value and word.written == word.text:
        place = word.node.fragment(word.start + len(key) + 1, word.end)
    return key, Sourced(value, place, word.place)
