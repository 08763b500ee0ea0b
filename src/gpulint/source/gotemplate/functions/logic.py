"""Comparisons, defaults and questions about values. `and` and `or` are the evaluator's: they may not read all."""

from __future__ import annotations

from gpulint.source.gotemplate.printing import printed, type_name
from gpulint.source.gotemplate.unknown import MARK, Missing, TemplateProblem, Unknowable, is_unknown, truth


def _known_truth(value: object) -> bool:
    known = truth(value)
    if known is None:
        raise Unknowable
    return known


def _not(value: object) -> bool:
    return not _known_truth(value)


def _default(fallback: object, *given: object) -> object:
    value = given[0] if given else None
    return value if _known_truth(value) else fallback


def _coalesce(*values: object) -> object:
    for value in values:
        if _known_truth(value):
            return value
    return None


def _ternary(one: object, other: object, condition: object) -> object:
    if is_unknown(condition):
        raise Unknowable
    if not isinstance(condition, bool):
        raise TemplateProblem(f"expected bool; found {type_name(condition)}")
    return one if condition else other


def _required(_warning: object, value: object) -> object:
    """What somebody must give has no default: it is unknown."""
    if value is None or value == "":
        raise Unknowable
    return value


def _kind(value: object) -> str:
    """The basic kind that comparisons go by."""
    if isinstance(value, bool):
        return "bool"
    for kind, types in (("int", int), ("float", float), ("string", str)):
        if isinstance(value, types):
            return kind
    return ""


def _equal(one: object, *others: object) -> bool:
    """Whether the first is equal to any of the others. Source: Go, text/template funcs.go, eq."""
    if not others:
        raise TemplateProblem("missing argument for comparison")
    first = None if isinstance(one, Missing) else one
    if isinstance(first, (dict, list)) and any(each is not None for each in others):
        raise TemplateProblem(f"uncomparable type {type_name(first)}")
    uncertain = False
    for each in others:
        other = None if isinstance(each, Missing) else each
        if is_unknown(first) or is_unknown(other):
            uncertain = uncertain or _may_be_equal(first, other)
            continue
        if _kind(first) != _kind(other):
            if first is not None and other is not None:
                raise TemplateProblem("incompatible types for comparison")
            continue
        if first == other:
            return True
    if uncertain:
        raise Unknowable
    return False


def _may_be_equal(one: object, other: object) -> bool:
    """Whether a text with unknown parts can be another: not where what is known of it at its ends differs."""
    if one == other:
        return True
    if not isinstance(one, str) or not isinstance(other, str):
        return one is None or other is None
    if MARK in one and MARK in other:
        return True
    pattern, text = (one, other) if MARK in one else (other, one)
    return text.startswith(pattern[: pattern.index(MARK)]) and text.endswith(pattern[pattern.rindex(")") + 1 :])


def _not_equal(one: object, other: object) -> bool:
    return _not(_equal(one, other))


def _less(one: object, other: object) -> bool:
    if _kind(one) != _kind(other) or _kind(one) in ("", "bool"):
        if "" in (_kind(one), _kind(other)) or _kind(one) == _kind(other):
            raise TemplateProblem("invalid type for comparison")
        raise TemplateProblem("incompatible types for comparison")
    if isinstance(one, str) and isinstance(other, str):
        return one.encode("utf-8", "surrogatepass") < other.encode("utf-8", "surrogatepass")
    return one < other  # type: ignore[operator,no-any-return]  # numbers of one kind, as was seen above


def _less_or_equal(one: object, other: object) -> bool:
    return _less(one, other) or one == other


_REFLECT_KINDS = {"map[string]interface {}": "map", "[]interface {}": "slice", "<nil>": "invalid"}


def _kind_of(value: object) -> str:
    name = type_name(value)
    return _REFLECT_KINDS.get(name, name)


def _fail(message: object) -> object:
    raise TemplateProblem(printed(message))


FUNCTIONS = {
    "not": _not,
    "default": _default,
    "coalesce": _coalesce,
    "ternary": _ternary,
    "required": _required,
    "empty": _not,
    "eq": _equal,
    "ne": _not_equal,
    "lt": _less,
    "le": _less_or_equal,
    "gt": lambda one, other: not _less_or_equal(one, other),
    "ge": lambda one, other: not _less(one, other),
    "all": lambda *values: all(truth(value) is not False for value in values),
    "any": lambda *values: any(truth(value) is not False for value in values),
    "kindOf": _kind_of,
    "kindIs": lambda kind, value: _kind_of(value) == kind,
    "typeOf": type_name,
    "typeIs": lambda name, value: type_name(value) == name,
    "typeIsLike": lambda name, value: type_name(value) in (name, f"*{name}"),
    "deepEqual": lambda one, other: type(one) is type(other) and one == other,
    "fail": _fail,
    "hello": lambda: "Hello!",
}
TAKES_UNKNOWN = frozenset({"not", "default", "coalesce", "ternary", "required", "empty", "eq", "ne", "fail"})
