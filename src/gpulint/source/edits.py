"""What a fix changes, in the words of a file's structure, and the spans of text that this comes to.

Only text that says itself what is read has an edit: no anchor or merge key that others use, no escape, no here-document
in an escaped string. Where in doubt there is none.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from gpulint.record import record
from gpulint.source.scalars import resolve_plain
from gpulint.source.text import Place, Source
from gpulint.source.yaml import Document, _block_end, _value_start, documents

_YAML = (".yaml", ".yml", ".json")
_MERGE = "<<"
# What another program makes a manifest of: what is left out here is not left out there.
_MADE_OF_VALUES = frozenset({"HelmRelease", "HelmChart", "HelmChartConfig", "Application", "ApplicationSet"})
# Words that mean the same with and without quotes in any of the languages.
_WORDS = r"[\w.:/=-]+"
# A word that is itself in YAML without quotes.
_PLAIN = r"(?:--?)?[A-Za-z0-9_./][\w./:=-]*(?<!:)"


@record
class ReplaceText:
    """Writes `new` for `old`, which a scalar (a key, a value) is or, where the place lies within it, has there."""

    place: Place
    old: str
    new: str


@record
class RemoveEntry:
    """Takes an entry out of a mapping, by the place of its key, or of its value where that is a scalar.

    Where it is the only one there is no edit, unless `prune` says that the mapping goes with it.
    """

    place: Place
    prune: bool = False


@record
class RemoveElement:
    """Takes an element that holds a place out of the nearest list, which keeps others."""

    place: Place


@record
class SetEntry:
    """Gives a key of a mapping a word for its value: the mapping of the entry at a place, or one `up` levels above it.

    A key that is not there is written behind that entry; its value has quotes where it is to be `quoted`.
    """

    place: Place
    key: str
    value: str
    up: int = 0
    quoted: bool = False


@record
class RemoveComment:
    """Takes a comment away, from the start of a place to the end of its line; with the line if it has no more."""

    place: Place


@record
class CutComment:
    """Takes a part out of a comment."""

    place: Place


Change = ReplaceText | RemoveEntry | RemoveElement | SetEntry | RemoveComment | CutComment


@record
class _Effect:
    """What an edit does to the tree: the node that it changes, and how.

    `verb` is text (a scalar's characters from `start` to `end` become `text`, without quotes if `plain`), remove (the
    child at the index `start`) or add (an entry `text` behind the child at the index `start`).
    """

    raw: Any
    verb: str
    start: int
    end: int
    text: str = ""
    plain: bool = False
    key: str = ""


@record
class Edit:
    """`text` for what stands at a place."""

    place: Place
    text: str
    effect: _Effect | None = None
    loses_comment: bool = False


def edit_of(change: Change) -> Edit | None:
    """The edit that makes a change; None where the text does not allow one that is certain."""
    source = change.place.source
    if "\r" in source.text.replace("\r\n", ""):
        return None
    if isinstance(change, CutComment):
        return Edit(change.place, "")
    if isinstance(change, RemoveComment):
        return _comment(source, change.place)
    if not source.path.lower().endswith(_YAML):
        if not isinstance(change, ReplaceText) or change.place.text() != change.old:
            return None
        both_words = re.fullmatch(_WORDS, change.old) and re.fullmatch(_WORDS, change.new)
        return Edit(change.place, change.new) if both_words else None
    step = layout(source).step_at(change.place)
    if step is None:
        return None
    if isinstance(change, ReplaceText):
        return step.replace(change)
    if isinstance(change, SetEntry):
        return step.set(change)
    return step.remove(element=isinstance(change, RemoveElement), prune=getattr(change, "prune", False))


def applied(text: str, edits: Iterable[Edit]) -> str:
    """A text with edits that do not overlap."""
    for edit in sorted(edits, key=lambda edit: edit.place.start, reverse=True):
        text = text[: edit.place.start] + edit.text + text[edit.place.end :]
    return text


def changes_only(source: Source, edits: Sequence[Edit], text: str) -> bool:
    """Whether a text that edits have made of a source reads as the source does, but for what they were to change."""
    if not source.path.lower().endswith(_YAML):
        return True  # words for words, and comments
    after = Layout(Source(source.path, text))
    before = layout(source)
    if len(after.documents) != len(before.documents):
        return False
    forms = _Forms()
    effects = [edit.effect for edit in edits if edit.effect is not None]
    try:
        return all(
            forms.of(old.root.raw, effects) == forms.of(new.root.raw, ())
            if isinstance(old, Document) and isinstance(new, Document)
            else type(old) is type(new) and old.path == new.path  # type: ignore[union-attr]
            for old, new in zip(before.documents, after.documents, strict=True)
        )
    except RecursionError:
        return False


def layout(source: Source) -> Layout:
    """The one layout of a source: what edits change are its nodes."""
    if not isinstance(source.layout, Layout):
        source.layout = Layout(source)
    return source.layout


class Layout:
    """The documents of a file as it is written."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.documents = list(documents(source))
        self._uses: dict[int, dict[int, int]] = {}

    def step_at(self, place: Place) -> _Step | None:
        """The innermost entry or element at a place; None if others use it by an alias, or it is no literal text."""
        for document in self.documents:
            if isinstance(document, Document) and isinstance(document.offsets, int):
                start, end = place.start - document.offsets, place.end - document.offsets
                if 0 <= start <= end <= len(document.text):
                    step = self._descend(document, start, end)
                    if step is not None:
                        return step
        return None

    def _descend(self, document: Document, start: int, end: int) -> _Step | None:
        raw, step = document.root.raw, None
        while raw.id != "scalar":
            if self.uses(document, raw) > 1:
                return None
            found = None
            for index, entry in enumerate(raw.value):
                key, value = entry if raw.id == "mapping" else (None, entry)
                least = raw.start_mark.index
                if key is not None:
                    least = key.end_mark.index
                    if key.start_mark.index <= start and end <= least:
                        found = _Step(self, document, step, raw, index, key, start, end)
                        return found if key.id == "scalar" else None
                if least <= value.start_mark.index <= start and end <= value.end_mark.index:
                    found = _Step(self, document, step, raw, index, value, start, end)
                    break
            if found is None:
                return None
            step, raw = found, found.raw
        return step if self.uses(document, raw) <= 1 else None

    def uses(self, document: Document, raw: Any) -> int:  # noqa: ANN401
        """How often a node is used, counting its aliases."""
        if "&" not in document.text:
            return 1
        counts = self._uses.get(id(document))
        if counts is None:
            counts = self._uses[id(document)] = {}
            stack = [document.root.raw]
            while stack:
                node = stack.pop()
                counts[id(node)] = counts.get(id(node), 0) + 1
                if counts[id(node)] == 1:
                    stack.extend(_children(node))
        return counts.get(id(raw), 0)


class _Step:
    """An entry of a mapping or an element of a list, on the way from a document's root to a place.

    `raw` is the node that holds the place, a key or a value, and `index` that of the entry in its `parent`.
    """

    def __init__(
        self,
        layout: Layout,
        document: Document,
        above: _Step | None,
        parent: Any,  # noqa: ANN401
        index: int,
        raw: Any,  # noqa: ANN401
        start: int,
        end: int,
    ) -> None:
        self.layout = layout
        self.document = document
        self.above = above
        self.parent = parent
        self.index = index
        self.raw = raw
        self.start = start
        self.end = end

    def _is_whole(self) -> bool:
        """Whether the place is all of the scalar."""
        first = _value_start(self.document.text, self.raw.start_mark.index, self.raw.end_mark.index)
        return self.start <= first and self.end >= self.raw.end_mark.index

    def _is_in_flow(self) -> bool:
        step: _Step | None = self
        while step is not None:
            if step.parent.flow_style:
                return True
            step = step.above
        return False

    # -- another text

    def replace(self, change: ReplaceText) -> Edit | None:
        raw, text = self.raw, self.document.text
        if raw.id != "scalar":
            return None
        if self._is_whole() and raw.style not in ("|", ">"):
            if raw.value != change.old:
                return None
            written, plain = _written(change.new, raw.style, raw.value, in_flow=self._is_in_flow())
            if written is None:
                return None
            effect = _Effect(raw, "text", 0, len(raw.value), change.new, plain)
            first = _value_start(text, raw.start_mark.index, raw.end_mark.index)
            return self._edit(first, raw.end_mark.index, written, effect)
        offsets = self.document.character_offsets(raw)
        at = bisect_left(offsets, self.start)
        end = at + len(change.old)
        span = list(range(self.start, self.start + len(change.old)))
        if offsets[at:end] != span or raw.value[at:end] != change.old or self.end != self.start + len(change.old):
            return None
        if text[self.start : self.end] != change.old or not _may_stand_in(change.new, raw.style):
            return None
        plain = raw.style in (None, "")
        return self._edit(self.start, self.end, change.new, _Effect(raw, "text", at, end, change.new, plain))

    # -- less

    def remove(self, *, element: bool, prune: bool) -> Edit | None:
        step: _Step | None = self
        if element and self.parent.id == "sequence" and not self._is_whole():
            return None  # a word of a script
        while element and step is not None and step.parent.id != "sequence":
            step = step.above
        while prune and step is not None and len(step.parent.value) == 1:
            step = step.above
        if step is None or len(step.parent.value) < 2 or not self._is_manifest():
            return None
        if step.parent.id == "sequence" and not element:
            return None
        span = step._span()
        if span is None:
            return None
        start, end = span
        effect = _Effect(step.parent, "remove", step.index, step.index + 1)
        return self._edit(start, end, "", effect, loses_comment=self._has_comment(step.parent, start, end))

    def _is_manifest(self) -> bool:
        """Whether the document is what is applied: an entry less or more in values of a chart says something else."""
        root = self.document.root
        kind = root.get("kind")
        return root.get("apiVersion") is not None and kind is not None and kind.text not in _MADE_OF_VALUES

    def _span(self) -> tuple[int, int] | None:
        """What an entry or element takes: its lines, or its part of a line with the comma."""
        text, children = self.document.text, self.parent.value
        mapping = self.parent.id == "mapping"
        if mapping and any(key.value == _MERGE for key, _ in children if key.id == "scalar"):
            return None  # what is merged would come to light
        own = children[self.index]
        nodes = own if mapping else (own,)
        if any(self.layout.uses(self.document, node) > 1 for top in nodes for node in _all(top)):
            return None
        bounds = [self._bounds(child) for child in children]
        known = [found for found in bounds if found is not None]
        if len(known) < len(bounds):
            return None
        start, end = known[self.index]
        if self.parent.flow_style:
            if self.index + 1 < len(known):
                return start, known[self.index + 1][0]
            return known[self.index - 1][1], end
        line = text.rfind("\n", 0, start) + 1
        before = text[line:start]
        tail = re.compile(r"[ \t]*(?:[ \t]#[^\r\n]*)?(?:\r?\n|\Z)").match(text, end)
        if tail is None:
            return None
        if not mapping:
            return self._lines(line, tail.end()) if re.fullmatch(" *- +", before) else None
        if not before.strip(" "):
            return self._lines(line, tail.end())
        if re.fullmatch(" *- +", before) and self.index == 0:
            following = known[1][0]
            return (start, following) if not text[text.rfind("\n", 0, following) + 1 : following].strip(" ") else None
        return None

    def _lines(self, start: int, end: int) -> tuple[int, int]:
        """Whole lines; at the end of a text without a line break there, with the one before."""
        text = self.document.text
        if end == len(text) and start and not text.endswith("\n"):
            start -= 2 if text.startswith("\r\n", start - 2) else 1
        return start, end

    def _bounds(self, child: Any) -> tuple[int, int] | None:  # noqa: ANN401
        """Where an entry or element begins and ends; None for one that stands, in part, elsewhere."""
        text = self.document.text
        key, value = child if self.parent.id == "mapping" else (None, child)
        start = value.start_mark.index if key is None else key.start_mark.index
        least = self.parent.start_mark.index
        if key is not None:
            least = text.find(":", key.end_mark.index) + 1
            if not least or (key.id != "scalar"):
                return None
        if value.start_mark.index < (least if key is None else key.end_mark.index):
            return None
        end = _block_end(text, value) if value.id != "scalar" and not value.flow_style else value.end_mark.index
        if value.id == "scalar" and value.style in ("|", ">"):
            end = value.start_mark.index + len(text[value.start_mark.index : end].rstrip())
        elif value.id == "scalar" and not value.value and value.style in (None, ""):
            end = least  # nothing: libyaml's mark for it may lie on another line
        return start, max(end, least)

    def _has_comment(self, top: Any, start: int, end: int) -> bool:  # noqa: ANN401
        text = list(self.document.text[start:end])
        for node in _all(top):
            if node.id == "scalar" and start <= node.start_mark.index < end:
                text[node.start_mark.index - start : node.end_mark.index - start] = " " * (
                    min(node.end_mark.index, end) - node.start_mark.index
                )
        return "#" in text

    # -- more

    def set(self, change: SetEntry) -> Edit | None:
        step: _Step | None = self
        for _ in range(change.up):
            step = step.above if step is not None else None
        if step is None or step.parent.id != "mapping" or not self._is_manifest():
            return None
        for index, (key, value) in enumerate(step.parent.value):
            if key.id == "scalar" and key.value == change.key:
                start, end = value.start_mark.index, value.end_mark.index
                found = _Step(step.layout, step.document, step.above, step.parent, index, value, start, end)
                if value.id != "scalar" or start < key.end_mark.index or step.layout.uses(step.document, value) > 1:
                    return None
                return found.replace(ReplaceText(change.place, value.value, change.value))
        return step._add(change)

    def _add(self, change: SetEntry) -> Edit | None:
        text = self.document.text
        bounds = self._bounds(self.parent.value[self.index])
        if bounds is None or any(key.value == _MERGE for key, _ in self.parent.value):
            return None
        if not re.fullmatch(_PLAIN, change.value) or not re.fullmatch(_PLAIN, change.key):
            return None
        value = f'"{change.value}"' if change.quoted else change.value
        start, end = bounds
        effect = _Effect(self.parent, "add", self.index, self.index, change.value, not change.quoted, change.key)
        if self.parent.flow_style:
            if text[start] == '"' and self.document.source.path.endswith(".json"):
                return None
            return self._edit(end, end, f", {change.key}: {value}", effect)
        line = text.rfind("\n", 0, start) + 1
        tail = re.compile(r"[^\r\n]*(\r?\n|\Z)").match(text, end)
        if tail is None or not re.fullmatch("[ -]*", text[line:start]):
            return None
        entry = f"{' ' * (start - line)}{change.key}: {value}"
        if tail[1]:
            return self._edit(tail.end(), tail.end(), entry + tail[1], effect)
        return self._edit(tail.end(), tail.end(), ("\r\n" if "\r\n" in text else "\n") + entry, effect)

    def _edit(self, start: int, end: int, text: str, effect: _Effect, *, loses_comment: bool = False) -> Edit:
        return Edit(self.document.place(start, end, None), text, effect, loses_comment)


def _written(text: str, style: str | None, before: str, *, in_flow: bool) -> tuple[str | None, bool]:
    """A scalar's text with the quotes that it had, and whether it has none; None where it would need escapes.

    One without quotes gets some where it could not stand without, or would become another type than it was.
    """
    if style not in (None, ""):
        return (f"{style}{text}{style}", False) if _may_stand_in(text, style) else (None, False)
    was_text = bool(before) and isinstance(resolve_plain(before), str)
    if _is_plain(text, in_flow=in_flow) and not (was_text and not isinstance(resolve_plain(text), str)):
        return text, True
    quote = next((quote for quote in ('"', "'") if _may_stand_in(text, quote)), None)
    return (f"{quote}{text}{quote}" if quote else None), False


def _is_plain(text: str, *, in_flow: bool) -> bool:
    """Whether a text is certain to be read as it is without quotes."""
    if re.fullmatch(_PLAIN, text):
        return True
    begins = text[:1].isalnum() or text[:1] in ("_", "/", ".")
    banned = re.search(r":(?:\s|$)|\s#|^\s|\s$|\t" + (r"|[,\[\]{}]" if in_flow else ""), text)
    return begins and banned is None and text.isprintable()


def _may_stand_in(text: str, style: str | None) -> bool:
    banned = {'"': '"\\', "'": "'"}.get(style or "", "")
    return text.isprintable() and not any(character in text for character in banned)


def _comment(source: Source, place: Place) -> Edit | None:
    text = source.text
    begin = text.rfind("\n", 0, place.start) + 1
    end = place.start + len(text[place.start :].split("\n", 1)[0].rstrip("\r"))
    if text[place.start : place.start + 1] not in ("#", ";") or re.search(r"\s#|gpulint:", text[place.end : end]):
        return None  # what else stands in the comment is not ours
    before = text[begin : place.start]
    if before.strip():
        return Edit(Place(source, begin + len(before.rstrip()), end), "")
    after = text.find("\n", end)
    return Edit(Place(source, begin, after + 1 if after >= 0 else len(text)), "")


# -- trees


def _children(raw: Any) -> Iterator[Any]:  # noqa: ANN401
    if raw.id == "mapping":
        for key, value in raw.value:
            yield key
            yield value
    elif raw.id == "sequence":
        yield from raw.value


def _all(raw: Any) -> Iterator[Any]:  # noqa: ANN401
    """A node and all below it, each once."""
    stack, seen = [raw], set()
    while stack:
        node = stack.pop()
        if id(node) not in seen:
            seen.add(id(node))
            yield node
            stack.extend(_children(node))


class _Forms:
    """Numbers for what nodes say: equal ones for equal trees, however often their aliases repeat them."""

    def __init__(self) -> None:
        self._numbers: dict[tuple[object, ...], int] = {}

    def of(self, root: Any, effects: Iterable[_Effect]) -> int:  # noqa: ANN401
        """The number of a tree with effects on it."""
        by_node: dict[int, list[_Effect]] = {}
        for effect in effects:
            by_node.setdefault(id(effect.raw), []).append(effect)
        known: dict[int, int] = {}

        def form(raw: Any) -> int:  # noqa: ANN401
            if id(raw) in known:
                return known[id(raw)]
            known[id(raw)] = -1  # a cycle says no more than that it is one
            own = sorted(by_node.get(id(raw), ()), key=lambda effect: effect.start, reverse=True)
            what: tuple[object, ...]
            if raw.id == "scalar":
                value, plain = raw.value, raw.style in (None, "")
                for effect in own:
                    value, plain = value[: effect.start] + effect.text + value[effect.end :], effect.plain
                what = ("scalar", str(raw.tag), plain, value)
            else:
                children: list[object] = [
                    (form(child[0]), form(child[1])) if raw.id == "mapping" else form(child) for child in raw.value
                ]
                for effect in own:
                    if effect.verb == "remove":
                        del children[effect.start]
                    else:
                        key = self._number(("scalar", _implicit(raw), True, effect.key))
                        value = self._number(("scalar", _implicit(raw), effect.plain, effect.text))
                        children.insert(effect.start + 1, (key, value))
                what = (raw.id, str(raw.tag), *children)
            known[id(raw)] = self._number(what)
            return known[id(raw)]

        return form(root)

    def _number(self, what: tuple[object, ...]) -> int:
        return self._numbers.setdefault(what, len(self._numbers))


def _implicit(raw: Any) -> str:  # noqa: ANN401
    """The tag of a scalar without one, as the parser of a mapping has it."""
    return next((str(key.tag) for key, _ in raw.value if key.id == "scalar" and key.style in (None, "")), "implicit")
