"""PromQL as rules need it: which metrics a query reads, how it aggregates and scales them, what it compares them to.

The grammar is promql-parser's. It gives no positions and knows no templates, so the text is first cut into tokens here:
that finds the place of each metric name, and puts stand-ins where Grafana (`$x`, `${x}`, `[[x]]`), Helm (`{{ x }}`) or
prometheus-adapter (`<<.Series>>`) will later write something. What a stand-in leaves open is None, never a guess.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import field
from functools import cache
from typing import Any, NamedTuple

from gpulint.metrics.table import Meaning, lookup, meaning_of_alias
from gpulint.record import record

type_node = Any  # a node of promql-parser's tree, which comes without types


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


MAX_CHARACTERS = 20_000
# The parser recurses once per bracket and per operator; thousands of either overflow the C stack, which no Python code
# can catch. 150 operators inside 64 brackets fit a thread's stack of 512 KiB.
MAX_NESTING = 64
MAX_OPERATORS = 150

# Stand-in for a window that a template will fill: prime, so that nobody wrote it.
_OPEN_WINDOW_S = 999_983
_AGGREGATIONS = _words(
    "sum avg min max count group stddev stdvar topk bottomk quantile count_values limitk limit_ratio"
)
_GROUPINGS = _words("by without on ignoring group_left group_right")
_KEYWORDS = _GROUPINGS | _words("and or unless atan2 bool offset inf nan start end")
_COMPARISONS = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}  # and the same, turned round
# Aggregations and functions whose result is in the unit of their input (per second for the rates).
_SAME_UNIT = _words(
    "sum avg min max topk bottomk quantile limitk limit_ratio abs ceil floor round clamp clamp_max clamp_min rate "
    "irate increase delta idelta deriv predict_linear holt_winters double_exponential_smoothing avg_over_time "
    "min_over_time max_over_time last_over_time first_over_time quantile_over_time histogram_quantile "
    "histogram_avg histogram_sum label_replace label_join scalar sort sort_desc sort_by_label sort_by_label_desc vector"
)
_DIFFERENCES = _words("rate irate increase delta idelta deriv")


class Matcher(NamedTuple):
    """A label matcher. `op` is empty where a template stands for whole matchers (`<<.LabelMatchers>>`, `$filters`)."""

    label: str
    op: str  # = != =~ !~
    value: str


class Aggregation(NamedTuple):
    """An aggregation around a selector; `by` and `without` are None where the query has no such clause."""

    op: str
    by: tuple[str, ...] | None
    without: tuple[str, ...] | None
    parameter: float | None  # of topk, quantile, …


@record
class Selector:
    """One metric that a query reads. A matcher `{__name__=~"a|b"}` is two selectors.

    `start` and `end` are character offsets of the metric name in the query's text, of the whole matcher value or braces
    where there is no such name. `functions` and `aggregations` run from the innermost to the outermost.
    """

    name: str | None  # None: not known (a template, or a regular expression on __name__)
    matchers: tuple[Matcher, ...]
    start: int
    end: int
    window_s: float | None = None  # of the range selector or subquery; None where there is none or a template says it
    functions: tuple[str, ...] = ()
    aggregations: tuple[Aggregation, ...] = ()
    scale: float | None = 1.0  # product of the constants that the value is multiplied by; None: by something unknown
    ratio_of: tuple[str, ...] = ()  # names of the metrics that this one is divided by
    in_denominator: bool = False

    @property
    def aggregation(self) -> Aggregation | None:
        """The innermost aggregation."""
        return self.aggregations[0] if self.aggregations else None

    def matcher(self, label: str) -> Matcher | None:
        """The first matcher on this label."""
        return next((matcher for matcher in self.matchers if matcher.label == label), None)


@record
class Comparison:
    """A comparison with a constant, turned so that the metrics are on the left: `expression op threshold`.

    The expression is `scale × metric + offset` where those are numbers. They are None where the compared value is no
    longer in the metric's unit (`count(…)`, a product of metrics, …).
    """

    op: str  # < <= > >= == !=
    threshold: float
    returns_bool: bool
    selectors: tuple[Selector, ...]
    scale: float | None
    offset: float | None
    is_ratio: bool  # the expression divides metrics by metrics
    conjoined: tuple[
        Selector, ...
    ] = ()  # other selectors that must hold too, by and, unless or a product of conditions

    @property
    def on_metric(self) -> tuple[str, float] | None:
        """The comparison solved for the metric (or the ratio of metrics) itself: operator and threshold.

        `x / 100 > 0.9` is `(">", 90.0)`; `1 - x < 0.2` is `(">", 0.8)`. None where scale or offset are unknown.
        """
        if not self.scale or self.offset is None:
            return None
        op = self.op if self.scale > 0 else _COMPARISONS[self.op]
        return op, (self.threshold - self.offset) / self.scale


class HistogramInput(NamedTuple):
    """One metric inside `histogram_quantile`, with what is done to it before the quantile is taken."""

    selector: Selector
    functions: tuple[str, ...]
    aggregations: tuple[Aggregation, ...]


class HistogramQuantile(NamedTuple):
    """A call of `histogram_quantile`; `level` is None where a template says it."""

    level: float | None
    inputs: tuple[HistogramInput, ...]


@record
class Query:
    """A parsed PromQL expression."""

    text: str
    selectors: tuple[Selector, ...]
    comparisons: tuple[Comparison, ...]
    one_series: bool  # aggregated so that at most one series results, whatever is scraped
    quantiles: tuple[HistogramQuantile, ...] = ()

    def metric_names(self) -> tuple[str, ...]:
        """The known metric names, each once, in order."""
        return tuple(dict.fromkeys(selector.name for selector in self.selectors if selector.name))


@cache
def parse(text: str) -> Query | None:
    """The query, or None where the text is not PromQL, too long or too deeply nested. Never raises."""
    if len(text) > MAX_CHARACTERS:
        return None
    prepared = _prepare(text)
    if prepared is None:
        return None
    try:
        import promql_parser

        return _Reader(text, prepared).read(promql_parser.parse(prepared.text))
    except (KeyboardInterrupt, SystemExit, MemoryError):
        raise
    except BaseException:  # a panic in the parser's Rust code is no Exception
        return None


def meaning_of(selector: Selector) -> Meaning | None:
    """What a selector's metric means; a label decides for metrics such as `nv_trt_llm_request_metrics`."""
    if selector.name is None:
        return None
    metric = lookup(selector.name)
    if metric is None:
        return meaning_of_alias(selector.name)
    for label, meanings in metric.label_meanings.items():
        matcher = selector.matcher(label)
        if matcher and matcher.op == "=" and matcher.value in meanings:
            return meanings[matcher.value]
    return metric.meaning


def meanings(query: Query) -> frozenset[Meaning]:
    """The meanings of all metrics that the query reads, as far as they are known."""
    return frozenset(meaning for selector in query.selectors if (meaning := meaning_of(selector)) is not None)


# --- From text to something that the parser reads ---


class _Token(NamedTuple):
    kind: str
    text: str
    start: int
    end: int


class _Place(NamedTuple):
    """Where a selector's name stands; `name` is None where braces hold it."""

    name: str | None
    start: int
    end: int


class _Prepared(NamedTuple):
    text: str
    places: list[_Place]
    templates: list[str]  # `__t3__` and `__m3__` in the prepared text stand for the fourth


@cache
def _tokens_pattern() -> re.Pattern[str]:
    """Possessive quantifiers and bounded lazy ones keep this linear on any input."""
    string = "|".join(rf"{q}(?:\{{\{{.{{0,300}}?\}}\}}|[^{q}\\]|\\.)*+{q}" for q in "\"'") + r"|`[^`]*+`"
    return re.compile(
        rf"""
        (?P<template> \{{\{{.{{0,300}}?\}}\}} | <<[^<>\n]{{1,100}}>> | \$\{{[^{{}}\n]{{1,100}}\}}
                    | \[\[\w[\w.]*(?::\w+)?\]\] | \$[A-Za-z_]\w* )
      | (?P<string> {string} )
      | (?P<comment> \#[^\n]* )
      | (?P<word> [A-Za-z_:][\w:]* )
      | (?P<number> (?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?\w* )
      | (?P<operator> =~|!~|==|!=|>=|<=|[-+*/%^<>=] )
      | (?P<open> [(\[{{] )
      | (?P<close> [)\]}}] )
      | (?P<comma> , )
      | (?P<space> [\s\ufeff]+ )
      | (?P<other> . )
        """,
        re.VERBOSE | re.DOTALL,
    )


def _prepare(text: str) -> _Prepared | None:
    """Replaces templates by stand-ins and finds the selectors; None where nesting or operators exceed the limits."""
    tokens = []
    for match in _tokens_pattern().finditer(text):
        token = _Token(match.lastgroup or "other", match.group(), match.start(), match.end())
        if token.kind == "other" and token.text in {'"', "'", "`"}:
            return None  # a string without end; to look for one from each quote on would take quadratic time
        if token.kind not in {"space", "comment"}:
            tokens.append(token)
    return None if _has_impossible_time(tokens) else _Preparation(tokens).run()


def _has_impossible_time(tokens: list[_Token]) -> bool:
    """Whether an offset, window or time is one over which the parser panics, and writes so on standard error."""
    in_window = follows = False
    for token, before in zip(tokens, [None, *tokens], strict=False):
        if token.text in {"[", "]"}:
            in_window = token.text == "["
        elif token.text == "@" or token.text.lower() == "offset":
            follows = True
        elif follows and token.text in {"+", "-"}:
            if before and before.text == "@" and token.text == "-":
                return True
        else:
            if (in_window or follows) and token.kind in {"number", "word"} and _magnitude(token.text) > 1e12:
                return True
            follows = False
    return False


def _magnitude(text: str) -> float:
    """Of a number; 0 for durations and other words."""
    try:
        value = abs(float(text.lstrip(":")))  # a step comes with its colon
    except ValueError:
        return 0.0
    return math.inf if math.isnan(value) else value


class _Preparation:
    """One pass over the tokens, with a stack of the open brackets."""

    def __init__(self, tokens: list[_Token]) -> None:
        self.tokens = tokens
        self.out: list[str] = []
        self.places: list[_Place] = []
        self.templates: list[str] = []
        self.stack: list[str] = []  # ( expression, l label list, { matchers
        self.operators = 0

    def run(self) -> _Prepared | None:
        index = 0
        while index < len(self.tokens):
            index = self._step(index)
            if len(self.stack) > MAX_NESTING or self.operators > MAX_OPERATORS:
                return None
        return _Prepared(" ".join(self.out), self.places, self.templates)

    def _step(self, index: int) -> int:
        """Writes the token at `index` (and what belongs to it) and returns the index of the next."""
        token = self.tokens[index]
        in_expression = not self.stack or self.stack[-1] == "("
        if token.kind == "open" and token.text == "[":
            return self._window(index)
        if token.kind == "open":
            before = self.tokens[index - 1] if index else None
            names_it = before and before.kind in {"word", "template"} and before.text.lower() not in _KEYWORDS
            if token.text == "{" and not names_it:
                self.places.append(self._braces(index))
            is_list = before and before.kind == "word" and before.text.lower() in _GROUPINGS
            self.stack.append("l" if is_list else token.text)
        elif token.kind == "close":
            if self.stack:
                self.stack.pop()
        elif token.kind in {"word", "template"} and in_expression:
            return self._name(index)
        elif token.kind == "template":
            self.out.append(self._template_in_list(index))
            return index + 1
        elif token.kind == "operator" and in_expression:
            self.operators += 1
        elif token.kind == "string":
            self.out.append(self._string(token.text))
            return index + 1
        self.out.append(token.text)
        return index + 1

    def _stand_in(self, letter: str, template: str) -> str:
        self.templates.append(template)
        return f"__{letter}{len(self.templates) - 1}__"

    def _string(self, text: str) -> str:
        """Quotes inside `{{ … }}` would end the string early."""
        return re.sub(r"\{\{.{0,300}?\}\}", lambda match: self._stand_in("t", match.group()), text, flags=re.DOTALL)

    def _window(self, index: int) -> int:
        """`[5m]`, `[$__rate_interval]`, `[1h:$__interval]`: a template leaves the window open."""
        parts: list[list[_Token]] = [[]]
        for end in range(index + 1, len(self.tokens)):
            token = self.tokens[end]
            if token.kind == "open":
                self.out.append("[")
                return index + 1  # not a window: the parser will refuse it
            if token.text == "]":
                break
            if token.kind == "word" and token.text.startswith(":"):
                parts.append([token._replace(text=token.text[1:])])
            else:
                parts[-1].append(token)
        else:
            self.out.append("[")
            return index + 1
        written = ["".join(token.text for token in part) for part in parts]
        for position, part in enumerate(parts):
            if any(token.kind == "template" for token in part):
                written[position] = "" if position else f"{_OPEN_WINDOW_S}s"
        self.out.append(f"[{':'.join(written)}]")
        return end + 1

    def _name(self, index: int) -> int:
        """A word or template in an expression, with what is glued to it (`vllm:${metric}_total`)."""
        end = index + 1
        while (
            end < len(self.tokens)
            and self.tokens[end].kind in {"word", "template", "number"}
            and self.tokens[end].start == self.tokens[end - 1].end
        ):
            end += 1
        group = self.tokens[index:end]
        after = self.tokens[end] if end < len(self.tokens) else None
        has_template = any(token.kind == "template" for token in group)
        if has_template and len(group) == 1 and (value := self._template_as_value(index, after)):
            self.out.append(value)
            return end
        word = "".join(self._stand_in("t", t.text) if t.kind == "template" else t.text for t in group)
        lower = word.lower()
        self.out.append(word)
        if lower in {"and", "or", "unless", "atan2"}:
            self.operators += 1
        is_call = after is not None and after.text == "("
        is_aggregation = lower in _AGGREGATIONS and after is not None and after.text.lower() in {"by", "without"}
        if not (is_call or is_aggregation or lower in _KEYWORDS):
            self.places.append(_Place(None if has_template else word, group[0].start, group[-1].end))
        return end

    def _template_as_value(self, index: int, after: _Token | None) -> str | None:
        """The stand-in for a number or duration, or None where the template stands for a metric."""
        before = self.tokens[index - 1] if index else None
        if after and after.text in {"{", "["}:
            return None
        lead = index - 1
        while lead > 0 and self.tokens[lead].text in {"+", "-"}:
            lead -= 1
        if lead >= 0 and self.tokens[lead].text.lower() == "offset":
            return f"{_OPEN_WINDOW_S}s"
        if lead >= 0 and self.tokens[lead].text == "@":
            return "0"
        follows_value = before and (before.kind in {"operator", "comma"} or before.text == "bool")
        is_parameter = before and before.text == "(" and after and after.kind == "comma"
        return "NaN" if follows_value or is_parameter else None

    def _template_in_list(self, index: int) -> str:
        """A template among labels or matchers: a label, a value, or whole matchers."""
        before = self.tokens[index - 1] if index else None
        after = self.tokens[index + 1] if index + 1 < len(self.tokens) else None
        text = self.tokens[index].text
        if self.stack[-1] == "l":
            return self._stand_in("t", text)
        if before and before.kind == "operator":
            return f'"{self._stand_in("t", text)}"'
        if after and after.kind == "operator":
            return self._stand_in("t", text)
        comma_before = "," if before and before.kind not in {"open", "comma"} else ""
        comma_after = "," if after and after.kind not in {"close", "comma"} else ""
        return f'{comma_before}{self._stand_in("m", text)}="x"{comma_after}'

    def _braces(self, index: int) -> _Place:
        """The place of a name inside braces: a quoted name, or the value of the matcher on `__name__`."""
        end = index + 1
        quoted: _Token | None = None
        while end < len(self.tokens) and self.tokens[end].kind not in {"open", "close"}:
            token, before = self.tokens[end], self.tokens[end - 1]
            if token.kind == "string":
                is_name = before.kind in {"open", "comma"}
                is_matcher = before.text in {"=", "=~"} and self.tokens[end - 2].text == "__name__"
                quoted = token if is_name or is_matcher else quoted
            end += 1
        if quoted:
            return _Place(None, quoted.start + 1, quoted.end - 1)
        return _Place(None, self.tokens[index].start, self.tokens[min(end, len(self.tokens) - 1)].end)


# --- From the parser's tree to selectors and comparisons ---


@record
class _Value:
    """What a subexpression evaluates to: a constant, or `scale × metric + offset`."""

    constant: float | None = None  # NaN: a constant that a template will say
    scale: float | None = None
    offset: float | None = None
    is_ratio: bool = False
    scaled: list[Selector] = field(default_factory=list)  # those that a factor applies to: no denominators
    members: list[Selector] = field(default_factory=list)  # those that make up the value: no mere filters
    one_series: bool = False

    def unknown(self) -> _Value:
        self.scale = self.offset = None
        return self

    def multiply(self, factor: float) -> None:
        known = math.isfinite(factor) and factor != 0
        for selector in self.scaled:
            selector.scale = selector.scale * factor if known and selector.scale is not None else None
        self.scale = self.scale * factor if known and self.scale is not None else None
        self.offset = self.offset * factor if known and self.offset is not None else None

    def add(self, constant: float) -> None:
        known = math.isfinite(constant) and self.offset is not None
        self.offset = self.offset + constant if known and self.offset is not None else None


class _Reader:
    """Walks the tree from left to right, which is the order of the places in the text."""

    def __init__(self, text: str, prepared: _Prepared) -> None:
        self.text = text
        self.templates = prepared.templates
        self.places: Iterator[_Place] = iter(prepared.places)
        self.selectors: list[Selector] = []
        self.comparisons: list[Comparison] = []
        self.quantiles: list[HistogramQuantile] = []

    def read(self, tree: type_node) -> Query:
        value = self._walk(tree)
        return Query(self.text, tuple(self.selectors), tuple(self.comparisons), value.one_series, tuple(self.quantiles))

    def _restored(self, text: str) -> str:
        return re.sub(r"__[tm](\d+)__", lambda match: self.templates[int(match[1])], text)

    def _walk(self, node: type_node) -> _Value:
        kind = type(node).__name__
        if kind == "ParenExpr":
            return self._walk(node.expr)
        if kind == "NumberLiteral":
            return _Value(constant=node.val, one_series=True)
        if kind == "VectorSelector":
            return self._selector(node)
        if kind == "MatrixSelector":
            return self._window(self._selector(node.vector_selector), node.range.total_seconds())
        if kind == "SubqueryExpr":
            return self._window(self._walk(node.expr), node.range.total_seconds())
        if kind == "UnaryExpr":
            value = self._walk(node.expr)
            if value.constant is not None:
                value.constant = -value.constant
            value.multiply(-1.0)
            return value
        if kind == "AggregateExpr":
            return self._aggregate(node)
        if kind == "Call":
            return self._call(node)
        if kind == "BinaryExpr":
            return self._binary(node)
        return _Value()  # a string

    def _selector(self, node: type_node) -> _Value:
        place = next(self.places)
        if place.name not in {None, node.name}:
            raise ValueError(f"found {place.name} where the parser has {node.name}")
        matchers = []
        names: list[str | None] = [node.name]
        groups = [node.matchers.matchers, *node.matchers.or_matchers]
        for matcher in (matcher for group in groups for matcher in group):
            op = {"Equal": "=", "NotEqual": "!=", "Re": "=~", "NotRe": "!~"}[str(matcher.op).rpartition(".")[2]]
            if matcher.name == "__name__" and op in {"=", "=~"}:
                names = _alternatives(matcher.value) if op == "=~" else [matcher.value]
            if re.fullmatch(r"__m\d+__", matcher.name):
                matchers.append(Matcher(self._restored(matcher.name), "", ""))
            else:
                matchers.append(Matcher(self._restored(matcher.name), op, self._restored(matcher.value)))
        value = _Value(scale=1.0, offset=0.0)
        for name in names:
            if name is not None and re.search(r"__t\d+__", name):
                name = None  # noqa: PLW2901
            start, end = self._span(place, name)
            selector = Selector(name, tuple(matchers), start, end)
            self.selectors.append(selector)
            value.scaled.append(selector)
            value.members.append(selector)
        return value

    def _span(self, place: _Place, name: str | None) -> tuple[int, int]:
        """The name itself inside a quoted name or a regular expression of several."""
        if place.name is None and name is not None:
            match = re.search(rf"(?<!\w)(?<![^?]:){re.escape(name)}(?![\w:])", self.text[place.start : place.end])
            if match:
                return place.start + match.start(), place.start + match.end()
        return place.start, place.end

    def _window(self, value: _Value, seconds: float) -> _Value:
        for selector in value.members:
            if selector.window_s is None and seconds != _OPEN_WINDOW_S:
                selector.window_s = seconds
        return value

    def _aggregate(self, node: type_node) -> _Value:
        start = len(self.selectors)
        parameter = self._walk(node.param) if node.param is not None else _Value()
        value = self._walk(node.expr)
        op = str(node.op)
        labels = tuple(self._restored(label) for label in node.modifier.labels) if node.modifier else ()
        is_by = node.modifier is not None and str(node.modifier.type).endswith("By")
        number = parameter.constant
        aggregation = Aggregation(
            op,
            labels if is_by else None,
            labels if node.modifier is not None and not is_by else None,
            number if number is not None and math.isfinite(number) else None,
        )
        for selector in self.selectors[start:]:
            selector.aggregations += (aggregation,)
        if op not in _SAME_UNIT:
            value.unknown()
        elif op == "sum" and value.offset:
            value.offset = None  # as many offsets as there are series
        keeps_series = op in {"topk", "bottomk", "limitk", "limit_ratio", "count_values"}
        value.one_series = (node.modifier is None or (is_by and not labels)) and not keeps_series
        value.constant = None
        return value

    def _call(self, node: type_node) -> _Value:
        start = len(self.selectors)
        name = node.func.name
        arguments = [self._walk(argument) for argument in node.args]
        if name == "histogram_quantile" and len(arguments) == 2:
            self._note_quantile(arguments[0].constant, self.selectors[start:])
        for selector in self.selectors[start:]:
            selector.functions += (name,)
        value = next((argument for argument in arguments if argument.members), None)
        if value is None:
            is_constant = name in {"vector", "scalar"} and arguments and arguments[0].constant is not None
            return arguments[0] if is_constant else _Value(one_series=True)
        if name not in _SAME_UNIT:
            value.unknown()
        elif name in _DIFFERENCES and value.offset is not None:
            value.offset = 0.0
        value.one_series = value.one_series or name in {"absent", "absent_over_time", "scalar"}
        return value

    def _note_quantile(self, level: float | None, selectors: list[Selector]) -> None:
        known = level if level is not None and math.isfinite(level) else None
        inputs = tuple(HistogramInput(s, s.functions, s.aggregations) for s in selectors)
        self.quantiles.append(HistogramQuantile(known, inputs))

    def _binary(self, node: type_node) -> _Value:
        start, first_comparison = len(self.selectors), len(self.comparisons)
        left = self._walk(node.lhs)
        middle, second_comparison = len(self.selectors), len(self.comparisons)
        right = self._walk(node.rhs)
        op = str(node.op)
        left_selectors, right_selectors = self.selectors[start:middle], self.selectors[middle:]
        left_comparisons = self.comparisons[first_comparison:second_comparison]
        right_comparisons = self.comparisons[second_comparison:]
        is_product_of_conditions = op == "*" and left_comparisons and right_comparisons
        if op in {"and", "unless"} or is_product_of_conditions:
            for comparison in left_comparisons:
                _conjoin(comparison, right_selectors)
            for comparison in right_comparisons:
                _conjoin(comparison, left_selectors)
        if op in {"and", "unless"}:
            return left
        if op == "or":
            return _either(left, right)
        if op in _COMPARISONS:
            return self._compare(op, node.modifier, left, right, left_selectors, right_selectors)
        if left.constant is not None and right.constant is not None:
            return _Value(constant=_fold_constants(op, left.constant, right.constant), one_series=True)
        if right.constant is not None:
            return _with_constant(op, left, right.constant)
        if left.constant is not None:
            return _constant_with(op, left.constant, right)
        return _combine(op, node.modifier, left, right)

    def _compare(
        self,
        op: str,
        modifier: type_node,
        left: _Value,
        right: _Value,
        left_selectors: list[Selector],
        right_selectors: list[Selector],
    ) -> _Value:
        returns_bool = bool(modifier and modifier.return_bool)
        if left.constant is not None and right.constant is not None:
            return _Value(constant=math.nan, one_series=True)
        value, threshold, selectors = left, right.constant, left_selectors
        if left.constant is not None:
            op, value, threshold, selectors = _COMPARISONS[op], right, left.constant, right_selectors
        if threshold is not None and not math.isnan(threshold) and value.members:
            comparison = Comparison(
                op, threshold, returns_bool, tuple(value.members), value.scale, value.offset, value.is_ratio
            )
            _conjoin(comparison, selectors)
            self.comparisons.append(comparison)
        if returns_bool:
            value.unknown()
        value.one_series = left.one_series and right.one_series if right.members and left.members else value.one_series
        return value


def _alternatives(pattern: str) -> list[str | None]:
    """The names that a regular expression on `__name__` lists, or [None] if it is more than a list of names."""
    match = re.fullmatch(r"\^?\(?(?:\?:)?([A-Za-z_:][\w:]*(?:\|[A-Za-z_:][\w:]*)*)\)?\$?", pattern)
    return list(match[1].split("|")) if match else [None]


def _conjoin(comparison: Comparison, others: list[Selector]) -> None:
    known = {id(selector) for selector in (*comparison.selectors, *comparison.conjoined)}
    comparison.conjoined += tuple(selector for selector in others if id(selector) not in known)


def _fold_constants(op: str, left: float, right: float) -> float:
    try:
        match op:
            case "+":
                return left + right
            case "-":
                return left - right
            case "*":
                return left * right
            case "/":
                return left / right
            case "^":
                return float(left**right)
    except (ArithmeticError, TypeError):  # a complex power is no float
        pass
    return math.nan


def _with_constant(op: str, value: _Value, constant: float) -> _Value:
    if op == "*":
        value.multiply(constant)
    elif op == "/":
        value.multiply(1 / constant if constant else math.nan)
    elif op in {"+", "-"}:
        value.add(constant if op == "+" else -constant)
    else:
        value.multiply(math.nan)
    return value


def _constant_with(op: str, constant: float, value: _Value) -> _Value:
    if op == "*":
        value.multiply(constant)
    elif op in {"+", "-"}:
        value.multiply(1.0 if op == "+" else -1.0)
        value.add(constant)
    else:
        value.multiply(math.nan)
    return value


def _either(left: _Value, right: _Value) -> _Value:
    """`x or vector(0)` is x; of two metrics, what both have in common."""
    if not left.members or not right.members:
        return left if left.members else right
    same = left.scale == right.scale and left.offset == right.offset
    return _Value(
        scale=left.scale if same else None,
        offset=left.offset if same else None,
        is_ratio=left.is_ratio and right.is_ratio,
        scaled=left.scaled + right.scaled,
        members=left.members + right.members,
        one_series=left.one_series and right.one_series,
    )


def _combine(op: str, modifier: type_node, left: _Value, right: _Value) -> _Value:
    """Arithmetic between two series."""
    one_series = left.one_series and right.one_series
    if not left.members or not right.members:  # with time(), a scalar that a template says, …
        value = left if left.members else right
        value.multiply(math.nan)
        value.one_series = one_series
        return value
    if op == "/":
        return _divide(left, right, one_series)
    if op == "*" and modifier is not None and str(modifier.card).endswith(("ManyToOne", "OneToMany")):
        # A join that adds the labels of an info metric, whose value is 1.
        value = left if str(modifier.card).endswith("ManyToOne") else right
        value.one_series = one_series
        return value
    if op not in {"+", "-"}:
        left.multiply(math.nan)
        right.multiply(math.nan)
    same = left.scale is not None and left.scale == right.scale
    offset = None
    if same and left.offset is not None and right.offset is not None:
        offset = left.offset + right.offset if op == "+" else left.offset - right.offset
    return _Value(
        scale=left.scale if same else None,
        offset=offset,
        scaled=left.scaled + right.scaled,
        members=left.members + right.members,
        one_series=one_series,
    )


def _divide(left: _Value, right: _Value, one_series: bool) -> _Value:
    is_mean = all(s.aggregations and s.aggregations[-1].op in {"count", "group"} for s in right.members)
    names = tuple(dict.fromkeys(selector.name for selector in right.members if selector.name))
    for selector in left.scaled if not is_mean else ():
        selector.ratio_of += names
    for selector in right.members:
        selector.in_denominator = True
    divisor = 1.0 if is_mean else right.scale
    is_plain = left.offset == 0 and (is_mean or right.offset == 0)
    return _Value(
        scale=left.scale / divisor if left.scale is not None and divisor else None,
        offset=0.0 if is_plain else None,
        is_ratio=not is_mean,
        scaled=left.scaled,
        members=left.members + right.members,
        one_series=one_series,
    )
