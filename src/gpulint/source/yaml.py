"""YAML documents as nodes with exact places.

libyaml (through PyYAML's CParser) is the fast path; pure `ruamel.yaml` is the reference that settles every
document which libyaml refuses. Both compose nodes of the same shape, which `Node` wraps lazily.
Documents are cut at their `---` lines first, so that one broken document does not hide the others and
a document that cannot matter is never parsed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, Literal

import yaml
from yaml.cyaml import CParser  # type: ignore[attr-defined]

from gpulint.source.scalars import NULLS, Scalar, character_offsets, resolve_plain
from gpulint.source.templates import template_language
from gpulint.source.text import NodePath, Place, Source

# A marker at the start of a line ends a document wherever it stands, even inside a block scalar
# (YAML 1.2.2, 9.1.2 and rule c-forbidden), so cutting there is exact.
_DOCUMENT_START = re.compile(r"^---(?=[ \t\r\n]|\Z)", re.MULTILINE)
_DIRECTIVE = re.compile(r"^%(YAML|TAG)[ \t]", re.MULTILINE)
# The reference parser needs about 2 ms per KB: a larger document that libyaml refuses is reported as libyaml sees it.
_REFERENCE_LIMIT_CHARS = 300_000
_IMPLICIT = "implicit"
_MERGE_DEPTH_LIMIT = 20

Kind = Literal["mapping", "sequence", "scalar"]


class Problem:
    """Something that could not be read: one line for the user."""

    __slots__ = ("line", "path", "reason")

    def __init__(self, path: str, line: int | None, reason: str) -> None:
        self.path = path
        self.line = line
        self.reason = reason


class Template:
    """A document that is a template of something else (Helm, Jinja, Terraform): recognised, not read."""

    __slots__ = ("language", "line", "path")

    def __init__(self, path: str, line: int, language: str) -> None:
        self.path = path
        self.line = line
        self.language = language


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
            self._index = _index_of(self.raw, 0) if self.raw.id == "mapping" else {}
        return self._index

    def get(self, key: str) -> Node | None:
        """The value under a key of a mapping (the last one, as kubectl takes it); None where there is none."""
        entry = self._entries().get(key)
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
        if text in NULLS and raw.style in (None, "") and raw.tag in (_IMPLICIT, None):
            return None
        return text

    @property
    def value(self) -> Scalar:
        """A scalar's value as kubectl resolves it; None for null, mappings and sequences."""
        raw = self.raw
        if raw.id != "scalar":
            return None
        tag = raw.tag
        if tag == _IMPLICIT or tag is None:
            return resolve_plain(raw.value) if raw.style in (None, "") else str(raw.value)
        if str(tag).endswith(":str"):
            return str(raw.value)
        return resolve_plain(raw.value)

    # -- places

    @property
    def place(self) -> Place:
        """The span of the node itself; an empty value stands at its key."""
        raw = self.raw
        start, end = raw.start_mark.index, raw.end_mark.index
        if start >= end or (raw.id == "scalar" and not raw.value and raw.style in (None, "")):
            if self.key_raw is not None:
                return self.key_place
            return self.document.place(start, start, self.path)
        if raw.id != "scalar" or raw.style in ("|", ">"):
            # Block nodes end where the next token begins: step back over blanks and comments.
            end = _trim_end(self.document.text, start, end)
        return self.document.place(start, end, self.path)

    @property
    def key_place(self) -> Place:
        """The span of the key that this node is the value of; of the node itself where it has none."""
        key = self.key_raw
        if key is None:
            return self.place
        return self.document.place(key.start_mark.index, key.end_mark.index, self.path)

    @property
    def entry_place(self) -> Place:
        """Key and value together where both stand on one line; otherwise the key alone."""
        key = self.key_raw
        if key is None:
            return self.place
        start, end = key.start_mark.index, self.raw.end_mark.index
        if "\n" in self.document.text[start:end]:
            return self.key_place
        return self.document.place(start, end, self.path)

    def fragment(self, start: int, end: int) -> Place:
        """The place of `value[start:end]` inside a scalar: a flag inside `sh -c "…"` or a folded block."""
        raw = self.raw
        if raw.style in (None, "") and raw.end_mark.index - raw.start_mark.index == len(raw.value):
            # A plain scalar on one line is its own text.
            first = raw.start_mark.index
            return self.document.place(first + start, first + max(start, end), self.path)
        offsets = self._character_offsets()
        start = min(max(start, 0), len(offsets) - 1)
        begin = finish = offsets[start]
        if end > start:
            # Just past the last character, not at the next one: a fold or an escape may lie between them.
            finish = offsets[min(end, len(offsets)) - 1] + 1
        return self.document.place(begin, max(begin, finish), self.path)

    def _character_offsets(self) -> list[int]:
        """Offsets in the document's text of each character of a scalar's value, and of its end."""
        raw = self.raw
        start = raw.start_mark.index
        text = self.document.text[start : raw.end_mark.index]
        return [start + offset for offset in character_offsets(text, raw.value, raw.style)]

    def embedded(self) -> Document | None:
        """The YAML document that a scalar holds (a file in a ConfigMap), with places in this file; None if unreadable.

        Its paths continue this node's.
        """
        if self.raw.id != "scalar":
            return None
        text = self.raw.value
        try:
            roots, problem = _compose(text), None
        except yaml.YAMLError as error:
            roots, problem = _settle(text, error)
        if problem is not None or len(roots) != 1:
            return None
        outer = self.document
        offsets = [outer.locate(offset) for offset in self._character_offsets()]
        return Document(outer.source, outer.index, text, offsets, roots[0], self.path)

    def data(self, budget: int = 100_000) -> Any:  # noqa: ANN401
        """The node as plain dictionaries, lists and scalars, for a JSON Schema.

        Raises ValueError when it has more than `budget` nodes with its aliases expanded.
        """
        count = 0

        def convert(node: Node) -> Any:  # noqa: ANN401
            nonlocal count
            count += 1
            if count > budget:
                raise ValueError(f"more than {budget} nodes")
            if node.is_mapping:
                return {key: convert(value) for key, value in node.items()}
            if node.is_sequence:
                return [convert(element) for element in node.elements()]
            return node.value

        return convert(self)


class Document:
    """One YAML document: its root node, its own text, and where that text stands in the file.

    `offsets` is the offset of the text's first character, or one offset per character for a document inside a scalar.
    """

    __slots__ = ("_path", "_raw", "index", "offsets", "source", "text")

    def __init__(
        self,
        source: Source,
        index: int,
        text: str,
        offsets: int | list[int],
        root: Any,  # noqa: ANN401
        path: NodePath | None = None,
    ) -> None:
        self.source = source
        self.index = index
        self.text = text
        self.offsets = offsets
        self._raw = root
        self._path = path

    @property
    def root(self) -> Node:
        # Made anew each time: a kept one would tie node and document into a cycle that only the collector frees.
        return Node(self, self._raw, self._path)

    def locate(self, offset: int) -> int:
        """The offset in the file of an offset in the document's text."""
        if isinstance(self.offsets, int):
            return self.offsets + offset
        return self.offsets[min(offset, len(self.offsets) - 1)]

    def place(self, start: int, end: int, path: NodePath | None) -> Place:
        if isinstance(self.offsets, int):
            return Place(self.source, self.offsets + start, self.offsets + end, path)
        return Place(self.source, self.locate(start), self.locate(end - 1) + 1 if end > start else self.locate(start), path)

    def duplicate_keys(self) -> list[tuple[str, Place, Place]]:
        """Keys that occur twice in one mapping, anywhere in the document: (key, later place, earlier place)."""
        found: list[tuple[str, Place, Place]] = []
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
                children = [child for child in children if id(child[0]) not in seen]
                seen.update(id(child[0]) for child in children)
            stack += children
        found.sort(key=lambda duplicate: duplicate[1].start)
        return found

    def _repeated(self, raw: Any, path: NodePath | None) -> list[tuple[str, Place, Place]]:  # noqa: ANN401
        found = []
        first: dict[str, Any] = {}
        for key, _ in raw.value:
            if key.id != "scalar" or key.value == "<<":
                continue
            name = key.value
            if name in first:
                found.append((name, self._key(key, (path, name)), self._key(first[name], (path, name))))
            first[name] = key
        return found

    def _key(self, raw: Any, path: NodePath) -> Place:  # noqa: ANN401
        return self.place(raw.start_mark.index, raw.end_mark.index, path)


def documents(source: Source, matters: Callable[[str], bool] | None = None) -> Iterator[Document | Template | Problem]:
    """The documents of a YAML (or JSON) file in order; unreadable ones as Problem, templates as Template.

    `matters` decides from a document's text whether it is parsed at all. Empty documents are passed over.
    """
    for index, (start, end) in enumerate(_cuts(source.text)):
        text = source.text[start:end]
        if matters is not None and not matters(text):
            continue
        language: str | None = None
        try:
            roots, problem = _compose(text), None
        except yaml.YAMLError as error:
            roots, problem = _settle(text, error)
        if problem is not None:
            language = template_language(text)
            if language is not None:
                yield Template(source.path, source.position(start)[0] + problem[2], language)
            else:
                line, reason, _ = problem
                yield Problem(source.path, source.position(start)[0] + line, reason)
            continue
        if "{{" in text and any(_reads_template(root, text) for root in roots):
            # `a: {{ .Values.x }}` is valid YAML: a flow mapping whose key is a flow mapping.
            language = template_language(text) or "Helm"
            yield Template(source.path, source.position(start)[0], language)
            continue
        for root in roots:
            if root.id == "scalar" and not root.value:
                continue
            yield Document(source, index, text, start, root)


def _cuts(text: str) -> list[tuple[int, int]]:
    if _DIRECTIVE.search(text):  # %TAG and %YAML reach across the marker after them
        return [(0, len(text))]
    starts = [match.start() for match in _DOCUMENT_START.finditer(text)] if "---" in text else []
    if not starts or starts[0] != 0:
        starts.insert(0, 0)
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


def _settle(text: str, error: yaml.YAMLError) -> tuple[list[Any], tuple[int, str, int] | None]:
    """What the reference parser makes of a text that libyaml refused: nodes, or (line from 0, reason, first line)."""
    fast = _describe(error)
    if "nesting" in fast[1] or len(text) > _REFERENCE_LIMIT_CHARS:
        return [], (*fast, 0)
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    # pure=True always: ruamel's own C parser refuses valid manifests such as `args: [s3://bucket/model]`.
    reference = YAML(typ="safe", pure=True)
    try:
        roots = [root for root in reference.compose_all(text) if root is not None]
    except RecursionError:
        return [], (0, "nested too deeply to read", 0)
    except (YAMLError, ValueError, TypeError, AttributeError, IndexError) as refused:
        return [], (*_describe(refused, fast), 0)
    for root in roots:
        _forget_resolved_tags(root)
    return roots, None


def _forget_resolved_tags(root: Any) -> None:  # noqa: ANN401
    """Mark the reference parser's implicit tags as ours, so that every scalar is resolved in one place."""
    stack, seen = [root], set()
    while stack:
        raw = stack.pop()
        if id(raw) in seen:
            continue
        seen.add(id(raw))
        if raw.id == "scalar":
            if str(raw.tag).startswith("tag:yaml.org,2002:"):
                raw.ctag = None
        elif raw.id == "sequence":
            stack.extend(raw.value)
        else:
            for key, value in raw.value:
                stack += (key, value)


def _describe(error: Any, otherwise: tuple[int, str] = (0, "not valid YAML")) -> tuple[int, str]:  # noqa: ANN401
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    words = [w for w in (getattr(error, "context", None), getattr(error, "problem", None)) if w]
    if mark is None and not words:
        position = getattr(error, "position", None)
        reason = str(getattr(error, "reason", "") or error).splitlines()[0] if str(error) else otherwise[1]
        return (otherwise[0] if position is None else 0), f"not valid YAML: {reason}"
    return (mark.line if mark is not None else otherwise[0]), "not valid YAML: " + ", ".join(words)


def _index_of(raw: Any, depth: int) -> dict[str, tuple[Any, Any]]:  # noqa: ANN401
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
    if merges and depth < _MERGE_DEPTH_LIMIT:
        for merge in merges:
            for parent in merge.value if merge.id == "sequence" else [merge]:
                if parent.id == "mapping":
                    for key, pair in _index_of(parent, depth + 1).items():
                        index.setdefault(key, pair)
    return index


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


def _trim_end(text: str, start: int, end: int) -> int:
    """The end of a block node without the blank lines and comments after it."""
    while end > start:
        stripped = text[start:end].rstrip()
        end = start + len(stripped)
        line_start = text.rfind("\n", start, end) + 1
        if line_start == 0 or not text[line_start:end].lstrip().startswith("#"):
            return end
        end = line_start
    return end
