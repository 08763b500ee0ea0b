"""YAML documents as nodes with exact places.

libyaml (through PyYAML's CParser) is the fast path; pure `ruamel.yaml` is the reference that settles every
document which libyaml refuses. Both compose nodes of the same shape, which `Node` wraps lazily.
Documents are cut at their `---` lines first, so that one broken document does not hide the others and
a document that cannot matter is never parsed.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, Literal

import yaml
from yaml.cyaml import CParser  # type: ignore[attr-defined]

from gpulint.source.scalars import NULLS, Scalar, character_offsets, resolve_plain
from gpulint.source.templates import template_mark
from gpulint.source.text import NodePath, Place, Source, WrittenPlace

# A marker at the start of a line ends a document wherever it stands, even inside a block scalar
# (YAML 1.2.2, 9.1.2 and rule c-forbidden), so cutting there is exact. `...` ends one, `---` begins the next,
# directives belong to the `---` after them.
# That it begins with the line break, which is looked for much faster than `^`, takes one in front of the text.
_MARKER = re.compile(r"\n\ufeff?(---(?=\s|\Z)|\.\.\.(?=\s|\Z)|%(?:YAML|TAG)[ \t])")
# The reference parser needs about 2 ms per KB: a larger document that libyaml refuses is reported as libyaml sees it.
_REFERENCE_LIMIT_CHARS = 300_000
# For documents that are refused; compiled when there is one.
_CONFLICT = r"(?m)^(?:<{7}|={7}|>{7})(?=[ \r\n]|\Z).*"
# What may stand nowhere. Source: YAML 1.2.2, 5.1.
_UNPRINTABLE = "[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]"
# Halves of a character beyond U+FFFF. Source: RFC 8259, 7.
_SURROGATES = r"\\u[dD][89a-fA-F][0-9a-fA-F]{2}"
_IMPLICIT = "implicit"
_DEEPEST_DATA = 200
_RESOLVED_TAGS = frozenset(f"tag:yaml.org,2002:{name}" for name in ("bool", "int", "float", "null"))

Kind = Literal["mapping", "sequence", "scalar"]
# Gives the place of the values that a span of a rendered text is from, None where it is from the template itself.
Find = Callable[[int, int], Place | None]


class Problem:
    """Something that could not be read: one line for the user."""

    __slots__ = ("line", "path", "reason")

    def __init__(self, path: str, line: int | None, reason: str) -> None:
        self.path = path
        self.line = line
        self.reason = reason


class Template:
    """A document that is a template of something else (Helm, Jinja, Terraform): recognised, not read.

    `reason` says why one that could have been rendered was not.
    """

    __slots__ = ("language", "line", "path", "reason")

    def __init__(self, path: str, line: int, language: str, reason: str | None = None) -> None:
        self.path = path
        self.line = line
        self.language = language
        self.reason = reason


class _FastParser(CParser):
    """libyaml's composer without PyYAML's tag resolution: scalars are resolved by us, from their text."""

    def __init__(self, text: str) -> None:
        CParser.__init__(self, text)

    def resolve(self, kind: Any, value: Any, implicit: Any) -> str:  # noqa: ANN401, ARG002
        return _IMPLICIT

    def descend_resolver(self, parent: Any, index: Any) -> None:  # noqa: ANN401
        pass

    def ascend_resolver(self) -> None:
        pass


class Node:
    """A node of a YAML document: mapping, sequence or scalar, with the place of itself and of its key.

    Aliases are the node that they stand for; merge keys are looked through. Children are wrapped on demand.
    """

    __slots__ = ("_index", "document", "key_raw", "path", "raw")

    def __init__(self, document: Document, raw: Any, path: NodePath | None, key_raw: Any = None) -> None:  # noqa: ANN401
        self.document = document
        self.raw = raw
        self.path = path
        self.key_raw = key_raw
        self._index: dict[str, tuple[Any, Any]] | None = None

    # -- shape

    @property
    def kind(self) -> Kind:
        identifier: str = self.raw.id
        return identifier  # type: ignore[return-value]  # both libraries use these three words

    @property
    def is_mapping(self) -> bool:
        return bool(self.raw.id == "mapping")

    @property
    def is_sequence(self) -> bool:
        return bool(self.raw.id == "sequence")

    @property
    def is_scalar(self) -> bool:
        return bool(self.raw.id == "scalar")

    # -- mappings

    def _entries(self) -> dict[str, tuple[Any, Any]]:
        if self._index is None:
            self._index = _index_of(self.raw) if self.raw.id == "mapping" else {}
        return self._index

    def get(self, key: str) -> Node | None:
        """The value under a key of a mapping (the last one, as kubectl takes it); None where there is none."""
        index = self._index  # spelled out: half of the time of a run's readers is spent here
        if index is None:
            index = self._entries()
        entry = index.get(key)
        if entry is None:
            return None
        return Node(self.document, entry[1], (self.path, key), entry[0])

    def at(self, *steps: str | int) -> Node | None:
        """The node reached by keys and indices; None where a step is missing or of another shape."""
        node: Node | None = self
        for step in steps:
            if node is None:
                return None
            node = node.get(step) if isinstance(step, str) else node.element(step)
        return node

    def items(self) -> Iterator[tuple[str, Node]]:
        for key, (key_raw, value_raw) in self._entries().items():
            yield key, Node(self.document, value_raw, (self.path, key), key_raw)

    def keys(self) -> tuple[str, ...]:
        return tuple(self._entries())

    # -- sequences

    def element(self, index: int) -> Node | None:
        if self.raw.id != "sequence" or not -len(self.raw.value) <= index < len(self.raw.value):
            return None
        return Node(self.document, self.raw.value[index], (self.path, index))

    def elements(self) -> Iterator[Node]:
        """The elements of a sequence; nothing for any other node."""
        if self.raw.id == "sequence":
            for index, raw in enumerate(self.raw.value):
                yield Node(self.document, raw, (self.path, index))

    # -- scalars

    @property
    def text(self) -> str | None:
        """A scalar's text as written (unquoted, unfolded); None for null, mappings and sequences."""
        raw = self.raw
        if raw.id != "scalar":
            return None
        text: str = raw.value
        if text in NULLS and raw.style in (None, "") and raw.tag == _IMPLICIT:
            return None
        return text

    @property
    def value(self) -> Scalar:
        """A scalar's value as kubectl resolves it; None for null, mappings and sequences."""
        raw = self.raw
        if raw.id != "scalar":
            return None
        tag = raw.tag
        if tag == _IMPLICIT:
            return resolve_plain(raw.value) if raw.style in (None, "") else str(raw.value)
        # A custom tag keeps the text, as `!!str` does.
        return resolve_plain(raw.value) if tag in _RESOLVED_TAGS else str(raw.value)

    # -- places

    @property
    def place(self) -> Place:
        """The span of the node itself, a scalar's without its anchor and tag; an empty value stands at its key."""
        raw = self.raw
        start, end = raw.start_mark.index, raw.end_mark.index
        text = self.document.text
        if raw.id == "scalar":
            if start < end and text[start] in "&!":
                start = _value_start(text, start, end)
            if start >= end or (not raw.value and raw.style in (None, "")):
                if self.key_raw is not None:
                    return self.key_place
                return self.document.place(start, start, self.path)
            if raw.style in ("|", ">"):
                end = start + len(text[start:end].rstrip())
        elif not raw.flow_style:
            end = _block_end(text, raw)
        return self.document.place(start, end, self.path)

    @property
    def key_place(self) -> Place:
        """The span of the key that this node is the value of; of the node itself where it has none."""
        key = self.key_raw
        if key is None:
            return self.place
        return self.document.key_place(key, self.path)

    @property
    def entry_place(self) -> Place:
        """Key and value together where both stand on one line; otherwise the key alone."""
        key = self.key_raw
        if key is None:
            return self.place
        start, end = key.start_mark.index, self.raw.end_mark.index
        # An alias stands for a node above its key.
        if end < start or "\n" in self.document.text[start:end]:
            return self.key_place
        place = self.document.place(start, end, self.path)
        if isinstance(place, WrittenPlace) and self.document.find is not None:
            # Where a template writes only the value, that is what the entry says.
            place.spans = (*place.spans, (self.raw.start_mark.index, end))
        return place

    def fragment(self, start: int, end: int) -> Place:
        """The place of `value[start:end]` inside a scalar: a flag inside `sh -c "…"` or a folded block."""
        raw = self.raw
        first, last = raw.start_mark.index, raw.end_mark.index
        if raw.style in (None, "") and last - first == len(raw.value):
            # A plain scalar without folds is its own text.
            start = min(max(start, 0), len(raw.value))
            return self.document.place(first + start, first + min(max(start, end), len(raw.value)), self.path)
        offsets = self.document.character_offsets(raw)
        start, end = min(max(start, 0), len(offsets) - 1), min(end, len(offsets) - 1)
        begin = finish = offsets[start]
        if end > start:
            # Just past the last character, not at the next one: a fold or an escape may lie between them.
            finish = offsets[end - 1] + 1
        return self.document.place(begin, max(begin, finish), self.path)

    def embedded(self) -> Document | None:
        """The YAML document that a scalar holds (a file in a ConfigMap), with places in this file; None if unreadable.

        Its paths continue this node's.
        """
        if self.raw.id != "scalar":
            return None
        text = self.raw.value
        try:
            roots = _compose(text)
        except (yaml.YAMLError, UnicodeError):
            roots = _settle(text)
        if len(roots) != 1 or ("{{" in text and _reads_template(roots[0], text)):
            return None
        outer = self.document
        characters = outer.character_offsets(self.raw)
        offsets = array("i", map(outer.locate, characters))
        ends = array("i", [outer.locate_end(offset + 1) for offset in characters]) if outer.ends is not None else None
        gaps = [0] if outer.gaps_in(self) else [] if outer.gaps is not None else None
        inner = partial(_found_inside, outer.find, characters) if outer.find is not None else None
        return Document(outer.source, outer.index, text, offsets, roots[0], self.path, ends, gaps, inner)

    def data(self, budget: int = 100_000) -> Any:  # noqa: ANN401
        """The node as plain dictionaries, lists and scalars, for a JSON Schema.

        Raises ValueError when it has more than `budget` nodes with its aliases expanded, or is nested absurdly deep.
        """
        count = 0

        def convert(node: Node, depth: int) -> Any:  # noqa: ANN401
            nonlocal count
            count += 1
            if count > budget:
                raise ValueError(f"more than {budget} nodes")
            if depth > _DEEPEST_DATA:
                raise ValueError(f"nested more than {_DEEPEST_DATA} levels deep")
            if node.is_mapping:
                return {key: convert(value, depth + 1) for key, value in node.items()}
            if node.is_sequence:
                return [convert(element, depth + 1) for element in node.elements()]
            return node.value

        return convert(self, 0)


class Document:
    """One YAML document: its root node, its own text, and where that text stands in the file.

    `offsets` is the offset of the text's first character, or one offset per character for a document inside a scalar.
    Where a template wrote the text, `ends` says for each character up to where in the file that stands which wrote it,
    `gaps` at which characters something is left out that is not known, and `find` from which values a span is; all are
    None for text as it is written.
    """

    __slots__ = ("_characters", "_path", "_raw", "ends", "find", "gaps", "index", "offsets", "source", "text")

    def __init__(
        self,
        source: Source,
        index: int,
        text: str,
        offsets: int | Sequence[int],
        root: Any,  # noqa: ANN401
        path: NodePath | None = None,
        ends: Sequence[int] | None = None,
        gaps: list[int] | None = None,
        find: Find | None = None,
    ) -> None:
        self.source = source
        self.index = index
        self.text = text
        self.offsets = offsets
        self.ends = ends
        self.gaps = gaps
        self.find = find
        self._raw = root
        self._path = path
        self._characters: dict[int, list[int]] = {}

    @property
    def root(self) -> Node:
        # Made anew each time: a kept one would tie node and document into a cycle that only the collector frees.
        return Node(self, self._raw, self._path)

    def locate(self, offset: int) -> int:
        """The offset in the file of an offset in the document's text."""
        if isinstance(self.offsets, int):
            return self.offsets + offset
        return self.offsets[min(offset, len(self.offsets) - 1)]

    def locate_end(self, offset: int) -> int:
        """Just past what stands in the file for the character before an offset in the document's text."""
        if self.ends is None:
            return self.locate(offset - 1) + 1
        return self.ends[min(offset, len(self.ends)) - 1] if self.ends else 0

    def gaps_in(self, node: Node) -> list[int]:
        """The gaps in a node, and right behind its key."""
        if not self.gaps:
            return []
        key = node.key_raw
        first = key.end_mark.index if key is not None else node.raw.start_mark.index
        return [gap for gap in self.gaps if first <= gap <= node.raw.end_mark.index]

    def place(self, start: int, end: int, path: NodePath | None) -> Place:
        if isinstance(self.offsets, int):
            return Place(self.source, self.offsets + start, self.offsets + end, path)
        first = self.locate(start)
        last = max(first, self.locate_end(end)) if end > start else first
        if self.find is None or end <= start:
            return Place(self.source, first, last, path)
        return WrittenPlace((self.source, first, last, path), self.find, ((start, end),))

    def key_place(self, raw: Any, path: NodePath | None) -> Place:  # noqa: ANN401
        """The span of a key."""
        start, end = raw.start_mark.index, raw.end_mark.index
        if start < end and raw.id == "scalar" and self.text[start] in "&!":
            start = _value_start(self.text, start, end)
        return self.place(start, end, path)

    def character_offsets(self, raw: Any) -> list[int]:  # noqa: ANN401
        """Offsets in the document's text of each character of a scalar's value, and of its end."""
        offsets = self._characters.get(id(raw))
        if offsets is None:
            start, end = raw.start_mark.index, raw.end_mark.index
            if self.text[start:end][:1] in ("&", "!"):
                start = _value_start(self.text, start, end)
            offsets = [start + offset for offset in character_offsets(self.text[start:end], raw.value, raw.style)]
            self._characters[id(raw)] = offsets
        return offsets

    def duplicate_keys(self) -> list[tuple[str, Place, Place, bool]]:
        """Keys that occur twice in one mapping, anywhere in the document: (key, later place, earlier place, same).

        `same` says that both have one value; of mappings and sequences it is not said.
        """
        found: list[tuple[str, Place, Place, bool]] = []
        aliases = "&" in self.text
        seen: set[int] = set()
        stack: list[tuple[Any, NodePath | None]] = [(self._raw, self._path)]
        while stack:
            raw, path = stack.pop()
            if raw.id == "mapping":
                pairs = raw.value
                # Most mappings have no repeated key: counting different ones is the quick way to see it.
                if len({key.value for key, _ in pairs if key.id == "scalar"}) < len(pairs):
                    found += self._repeated(raw, path)
                children = [(value, (path, key.value)) for key, value in pairs if value.id != "scalar"]
            elif raw.id == "sequence":
                children = [(child, (path, index)) for index, child in enumerate(raw.value) if child.id != "scalar"]
            else:
                continue
            if aliases:
                for child in children:
                    if id(child[0]) not in seen:
                        seen.add(id(child[0]))
                        stack.append(child)
            else:
                stack += children
        found.sort(key=lambda duplicate: duplicate[1].start)
        return found

    def _repeated(self, raw: Any, path: NodePath | None) -> list[tuple[str, Place, Place, bool]]:  # noqa: ANN401
        found = []
        first: dict[str, Any] = {}
        values: dict[str, Any] = {}
        for key, value in raw.value:
            if key.id != "scalar" or key.value == "<<":
                continue
            name = key.value
            if name in first:
                here = (path, name)
                same = _same_scalar(value, values[name])
                # In what a template writes, it is the template that has put the two together.
                later, earlier = (self.key_place(each, here).written() for each in (key, first[name]))
                found.append((name, later, earlier, same))
            first[name], values[name] = key, value
        return found


def _same_scalar(one: Any, other: Any) -> bool:  # noqa: ANN401
    """Whether two nodes are scalars that are read alike."""
    if one.id != "scalar" or other.id != "scalar" or one.tag != other.tag or one.value != other.value:
        return False
    return (one.style in (None, "")) == (other.style in (None, ""))


def documents(source: Source, matters: Callable[[str], bool] | None = None) -> Iterator[Document | Template | Problem]:
    """The documents of a YAML (or JSON) file in order; unreadable ones as Problem, templates as Template.

    `matters` decides from a document's text whether it is parsed at all. Empty documents are passed over.
    """
    for index, (start, end) in enumerate(_cuts(source.text)):
        text = source.text[start:end]
        if matters is not None and not matters(text):
            continue
        refused: Exception | None = None
        try:
            roots = _compose(text)
        except (yaml.YAMLError, UnicodeError) as error:
            refused = error
            if source.path.endswith(".json") and re.search(_SURROGATES, text):
                roots = _compose_json(text)
            else:
                roots = [] if "nesting depth" in str(error) else _settle(text)
        if refused is not None and not roots:
            yield _refusal(source, start, text, refused)
            continue
        if "{{" in text and any(_reads_template(root, text) for root in roots):
            # `a: {{ .Values.x }}` is valid YAML: a flow mapping whose key is a flow mapping.
            language, at = template_mark(text) or ("Helm", text.index("{{"))
            yield Template(source.path, source.position(start + at)[0], language)
            continue
        for root in roots:
            if root.id == "scalar" and not root.value:
                continue
            yield Document(source, index, text, start, root)


def rendered_documents(
    source: Source,
    text: str,
    places: Callable[[int, int], tuple[Sequence[int], Sequence[int]]],
    gaps: list[int],
    find: Find,
    matters: Callable[[str], bool],
) -> Iterator[Document | Template]:
    """The documents of a text that a template in `source` wrote.

    `places` gives for a part of it the `offsets` and `ends` of a Document; `gaps` and `find` are its own. `matters`
    decides from a document's text whether it is parsed at all.
    """
    for index, (first, last) in enumerate(_cuts(text)):
        part = text[first:last]
        if not matters(part):
            continue
        refused: Exception | None = None
        try:
            roots = _compose(part)
        except (yaml.YAMLError, UnicodeError) as error:
            refused = error
            roots = [] if "nesting depth" in str(error) else _settle(part)
        if refused is not None and not roots:
            at, reason = _explained(source, 0, part, refused)
            at = min(first + at, len(text) - 1)
            line = source.position(places(at, at + 1)[0][0])[0]
            yield Template(source.path, line, "Helm", f"what it writes is not valid YAML: {reason}")
            continue
        own = [gap - first for gap in gaps if first <= gap < last]
        starts, ends = places(first, last)
        for root in roots:
            if root.id != "scalar" or root.value:
                yield Document(source, index, part, starts, root, None, ends, own, partial(_found_from, find, first))


def _found_from(find: Find, first: int, start: int, end: int) -> Place | None:
    return find(first + start, first + end)


def _found_inside(find: Find, characters: Sequence[int], start: int, end: int) -> Place | None:
    return find(characters[start], characters[end - 1] + 1)


def _cuts(text: str) -> list[tuple[int, int]]:
    """Where each document begins and ends."""
    # libyaml passes over a byte order mark without counting it: no document begins with one.
    starts = [int(text.startswith("\ufeff"))]
    directives: int | None = None
    for match in _MARKER.finditer("\n" + text) if "---" in text or "..." in text or "%" in text else ():
        at = match.start(1) - 1
        marker = text[at : at + 3]
        if marker == "...":
            directives = None
            at = text.find("\n", at) + 1
            if at == 0:
                break
        elif marker != "---":
            directives = at if directives is None else directives
            continue
        elif directives is not None:
            at, directives = directives, None
        if at > starts[-1]:
            starts.append(at)
    return list(zip(starts, [*starts[1:], len(text)], strict=True))


def _compose(text: str) -> list[Any]:
    parser = _FastParser(text)
    roots = []
    try:
        while parser.check_node():
            roots.append(parser.get_node())
    finally:
        parser.dispose()
    return roots


def _compose_json(text: str) -> list[Any]:
    """A JSON text that writes characters as two escapes, as JSON does and YAML does not; nothing if that is not all."""
    try:
        # As long as before, so that every place stays; the characters themselves decide nothing.
        return _compose(re.sub(_SURROGATES, r"\\ufffd", text))
    except (yaml.YAMLError, UnicodeError):
        return []


def _settle(text: str) -> list[Any]:
    """What the reference parser makes of a text that libyaml refused; nothing if it refuses it too."""
    if len(text) > _REFERENCE_LIMIT_CHARS:
        return []
    import warnings

    from ruamel.yaml import YAML
    from ruamel.yaml.tag import Tag

    # pure=True always: ruamel's own C parser refuses valid manifests such as `args: [s3://bucket/model]`.
    reference = YAML(typ="safe", pure=True)
    implicit = Tag(suffix=_IMPLICIT)
    reference.resolver.resolve = lambda kind, value, tag_is_implicit: implicit  # noqa: ARG005
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an anchor used twice is valid and worth no word on stderr
            return [root for root in reference.compose_all(text) if root is not None]
    except Exception:  # its own errors, and the many ways in which it stumbles over hostile input
        return []


def _index_of(raw: Any) -> dict[str, tuple[Any, Any]]:  # noqa: ANN401
    """The entries of a mapping by their keys' text, its own before those that it merges."""
    index: dict[str, tuple[Any, Any]] = {}
    merges = []
    for pair in raw.value:
        key = pair[0]
        if key.id != "scalar":
            continue
        if key.value == "<<" and key.style in (None, ""):
            merges.append(pair[1])
        else:
            index[key.value] = pair
    if merges:
        _merge(merges, index, {id(raw)})
    return index


def _merge(merges: list[Any], index: dict[str, tuple[Any, Any]], seen: set[int]) -> None:
    """Adds what merge keys bring in. A mapping met again has nothing to add, so bombs and cycles end."""
    stack = merges[::-1]
    while stack:
        raw = stack.pop()
        if raw.id == "scalar" or id(raw) in seen:
            continue
        seen.add(id(raw))
        if raw.id == "sequence":
            stack += raw.value[::-1]
            continue
        own: dict[str, tuple[Any, Any]] = {}
        deeper = []
        for pair in raw.value:
            key = pair[0]
            if key.id == "scalar":
                if key.value == "<<" and key.style in (None, ""):
                    deeper.append(pair[1])
                else:
                    own[key.value] = pair
        for name, pair in own.items():
            index.setdefault(name, pair)
        stack += deeper[::-1]


def _reads_template(root: Any, text: str) -> bool:  # noqa: ANN401
    stack, seen = [root], set()
    while stack:
        raw = stack.pop()
        if raw.id == "scalar" or id(raw) in seen:
            continue
        seen.add(id(raw))
        if raw.id == "sequence":
            stack.extend(raw.value)
            continue
        if text.startswith("{{", raw.start_mark.index):
            return True
        for key, value in raw.value:
            stack += (key, value)
    return False


def _value_start(text: str, start: int, end: int) -> int:
    """Where a scalar begins behind its properties: anchor, tag, and the blanks and comments after them."""
    while start < end and text[start] in "&!":
        while start < end and not text[start].isspace():
            start += 1
        while start < end and (text[start].isspace() or text[start] == "#"):
            start = text.find("\n", start, end) if text[start] == "#" else start + 1
            if start < 0:
                return end
    return start


def _block_end(text: str, raw: Any) -> int:  # noqa: ANN401
    """The end of a block collection: libyaml's is where the next token begins, behind blank lines and comments."""
    while raw.id != "scalar" and not raw.flow_style:
        *before, last = raw.value if raw.id == "sequence" else raw.value[-1]
        if any(other.start_mark.index >= last.start_mark.index for other in before):  # an alias: it stands elsewhere
            return _without_comments(text, raw.start_mark.index, raw.end_mark.index)
        raw = last
    end: int = raw.end_mark.index
    if raw.id == "scalar" and raw.style in ("|", ">"):
        end = raw.start_mark.index + len(text[raw.start_mark.index : end].rstrip())
    return end


def _without_comments(text: str, start: int, end: int) -> int:
    while end > start:
        end = start + len(text[start:end].rstrip())
        line_start = text.rfind("\n", start, end) + 1
        if line_start == 0 or not text[line_start:end].lstrip().startswith("#"):
            break
        end = line_start
    return end


# -- what is said about a document that cannot be read


def _refusal(source: Source, start: int, text: str, error: Exception) -> Template | Problem:
    """A document that does not parse, as a template of something else or as a problem."""
    conflict = re.search(_CONFLICT, text)
    if conflict is not None:
        line = source.position(start + conflict.start())[0]
        return Problem(source.path, line, f"a merge conflict marker ({conflict[0].strip()}) was left in the file")
    mark = template_mark(text)
    if mark is not None:
        return Template(source.path, source.position(start + mark[1])[0], mark[0])
    at, reason = _explained(source, start, text, error)
    language = "JSON" if source.path.endswith(".json") else "YAML"
    return Problem(source.path, source.position(start + min(at, len(text)))[0], f"not valid {language}: {reason}")


def _explained(source: Source, start: int, text: str, error: Any) -> tuple[int, str]:  # noqa: ANN401
    """Where in a text libyaml refused it, and why, in a reader's words rather than in a parser's."""
    unprintable = re.search(_UNPRINTABLE, text)
    if not isinstance(error, yaml.MarkedYAMLError) or error.problem_mark is None:
        if unprintable is not None:
            return unprintable.start(), f"a control character (U+{ord(unprintable[0]):04X})"
        return 0, "it cannot be read"
    at: int = error.problem_mark.index
    problem, context = str(error.problem or ""), str(error.context or "")
    began = error.context_mark.index if error.context_mark is not None else at
    line_began = source.position(start + began)[0]
    here = text[at : at + 1]
    line_start = text.rfind("\n", 0, at) + 1
    margin = text[line_start : len(text) - len(text[line_start:].lstrip(" \t"))]
    if "\t" in margin or "tab character" in problem:
        return at, "a tab in the indentation, where only spaces may stand"
    if "nesting" in problem:
        return at, "nested too deeply to read"
    if "quoted scalar" in context and ("end of stream" in problem or "document indicator" in problem):
        return began, "the quote that opens here is never closed"
    if problem.startswith("could not find expected ':'"):
        return began, "a line without the ':' of a key: check its indentation, or that of the line before"
    if "undefined alias" in problem:
        name = text[at:].split(None, 1)[0]
        return at, f"the alias {name} has no anchor &{name[1:]} above it"
    if "cannot start any token" in problem:
        return at, f"a value cannot begin with {here} unless it is quoted"
    if "mapping values are not allowed" in problem:
        return at, "a ':' where no key can stand: check the indentation, or quote the text that holds it"
    if "block sequence entries are not allowed" in problem:
        return at, "a '-' where no list can begin: check the indentation"
    if "',' or ']'" in problem or "',' or '}'" in problem:
        opened = "[" if "]" in problem else "{"
        return at, f"the {opened} of line {line_began} is not closed, or a comma is missing"
    if "expected key" in problem or "expected '-' indicator" in problem:
        if text[line_start:at].strip(" -"):
            return at, "text behind a complete value: quote the whole value"
        what = "list" if "'-'" in problem else "mapping"
        return at, f"this does not continue the {what} that begins on line {line_began}: check indentation and quotes"
    if "expected node content" in problem:
        return at, "a value is missing before this, or a bracket or brace is not closed"
    if "expected <document start>" in problem:
        return at, "text behind the end of the document"
    if "incompatible YAML" in problem:
        return at, "%YAML names a version other than 1.1 and 1.2"
    if "unknown escape character" in problem:
        return at, f"\\{text[at + 1 : at + 2]} is no escape in double quotes: write \\\\ or use single quotes"
    return at, ", ".join(words for words in (context, problem) if words)
