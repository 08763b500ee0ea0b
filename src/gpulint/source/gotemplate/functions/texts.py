"""Functions on text."""

from __future__ import annotations

import re

from gpulint.source.gotemplate.printing import formatted, printed, quoted, type_name
from gpulint.source.gotemplate.unknown import LimitReached, TemplateProblem

_LONGEST = 1_000_000
_FARTHEST = 1000


def string(value: object) -> str:
    """An argument that Go's types demand to be a text."""
    if isinstance(value, str):
        return value
    raise TemplateProblem(f"expected string; found {type_name(value)}")


def whole_number(value: object) -> int:
    """An argument that Go's types demand to be an int."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise TemplateProblem(f"expected int; found {type_name(value)}")


def shown(value: object) -> str:
    """A value as Sprig makes a text of it (strval)."""
    return printed(value)


def _quote(*values: object) -> str:
    return " ".join(quoted(shown(value)) for value in values if value is not None)


def _squote(*values: object) -> str:
    return " ".join(f"'{shown(value)}'" for value in values if value is not None)


def _indent(spaces: object, text: object) -> str:
    width = whole_number(spaces)
    if not 0 <= width <= _FARTHEST:
        raise LimitReached("an indentation out of bounds")
    pad = " " * width
    return pad + string(text).replace("\n", "\n" + pad)


def _nindent(spaces: object, text: object) -> str:
    return "\n" + _indent(spaces, text)


def _print(*values: object) -> str:
    """Sprint: a blank between two values of which neither is a text."""
    found = ""
    for index, value in enumerate(values):
        if index and not isinstance(value, str) and not isinstance(values[index - 1], str):
            found += " "
        found += printed(value)
    return found


def _cat(*values: object) -> str:
    return " ".join(printed(value) for value in values if value is not None)


def _trunc(length: object, text: object) -> str:
    """Counted in bytes; a cut inside a character leaves nothing that could stand in a manifest."""
    count, whole = whole_number(length), string(text).encode("utf-8", "surrogatepass")
    part = whole[:count] if count >= 0 else whole[max(len(whole) + count, 0) :]
    return part.decode("utf-8", "replace")


def _substr(start: object, end: object, text: object) -> str:
    first, last, whole = whole_number(start), whole_number(end), string(text).encode()
    if first > len(whole) or 0 <= last < first:
        raise TemplateProblem("a slice out of range")
    if first < 0:
        return whole[: max(last, 0)].decode("utf-8", "replace")
    if last < 0 or last > len(whole):
        return whole[first:].decode("utf-8", "replace")
    return whole[first:last].decode("utf-8", "replace")


def _repeat(count: object, text: object) -> str:
    times, once = whole_number(count), string(text)
    if times < 0:
        raise TemplateProblem("a text repeated less than no time")
    if times * len(once) > _LONGEST:
        raise LimitReached("a text repeated too often")
    return once * times


def _replace(old: object, new: object, text: object) -> str:
    one, other, whole = string(old), string(new), string(text)
    if len(other) * (whole.count(one) if one else len(whole) + 1) > _LONGEST:
        raise LimitReached("a text that grows too long")
    return whole.replace(one, other)


def _title(text: object) -> str:
    return re.sub(r"(?<![\w'])\w", lambda match: match[0].upper(), string(text))


def _split_list(separator: object, text: object) -> list[object]:
    sep, whole = string(separator), string(text)
    return list(whole.split(sep)) if sep else list(whole)


def _split(separator: object, text: object) -> dict[str, object]:
    return {f"_{index}": part for index, part in enumerate(_split_list(separator, text))}


def _splitn(separator: object, most: object, text: object) -> dict[str, object]:
    parts = string(text).split(string(separator), max(whole_number(most) - 1, 0))
    return {f"_{index}": part for index, part in enumerate(parts)}


def texts_of(value: object) -> list[str]:
    """A value as a list of texts (strslice): nil left out, and one value alone as a list of itself."""
    if value is None:
        return []
    if isinstance(value, list):
        return [shown(element) for element in value if element is not None]
    return [shown(value)]


def _join(separator: object, values: object) -> str:
    return string(separator).join(texts_of(values))


def _words(text: object) -> list[str]:
    return re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", string(text))


def _snake(text: object) -> str:
    return "_".join(word.lower() for word in _words(text))


def _kebab(text: object) -> str:
    return "-".join(word.lower() for word in _words(text))


def _camel(text: object) -> str:
    return "".join(part[:1].upper() + part[1:] for part in re.split(r"[_\s-]+", string(text)))


def _trim_all(cutset: object, text: object) -> str:
    return string(text).strip(string(cutset))


def _without_prefix(prefix: object, text: object) -> str:
    return string(text).removeprefix(string(prefix))


def _without_suffix(suffix: object, text: object) -> str:
    return string(text).removesuffix(string(suffix))


def _wrap(width: object, text: object) -> str:
    import textwrap

    return "\n".join(textwrap.wrap(string(text), max(whole_number(width), 1), break_long_words=False))


def _html(*values: object) -> str:
    text = _print(*values)
    for character, escape in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ('"', "&#34;"), ("'", "&#39;")):
        text = text.replace(character, escape)
    return text


FUNCTIONS = {
    "quote": _quote,
    "squote": _squote,
    "indent": _indent,
    "nindent": _nindent,
    "print": _print,
    "println": lambda *values: " ".join(printed(value) for value in values) + "\n",
    "printf": lambda template, *values: formatted(string(template), list(values)),
    "html": _html,
    "cat": _cat,
    "toString": shown,
    "toStrings": lambda values: list(texts_of(values)),
    "trim": lambda text: string(text).strip(),
    "trimAll": _trim_all,
    "trimall": _trim_all,
    "trimPrefix": _without_prefix,
    "trimSuffix": _without_suffix,
    "lower": lambda text: string(text).lower(),
    "upper": lambda text: string(text).upper(),
    "title": _title,
    "untitle": lambda text: re.sub(r"(?<![\w'])\w", lambda match: match[0].lower(), string(text)),
    "nospace": lambda text: re.sub(r"\s", "", string(text)),
    "trunc": _trunc,
    "substr": _substr,
    "repeat": _repeat,
    "replace": _replace,
    "contains": lambda part, text: string(part) in string(text),
    "hasPrefix": lambda prefix, text: string(text).startswith(string(prefix)),
    "hasSuffix": lambda suffix, text: string(text).endswith(string(suffix)),
    "splitList": _split_list,
    "split": _split,
    "splitn": _splitn,
    "join": _join,
    "snakecase": _snake,
    "kebabcase": _kebab,
    "camelcase": _camel,
    "wrap": _wrap,
    "plural": lambda one, many, count: one if whole_number(count) == 1 else many,
}
# What surrounds the unknown part can be told all the same.
TAKES_UNKNOWN = frozenset({
    "quote", "squote", "indent", "nindent", "print", "println", "printf", "cat", "toString", "toStrings", "join",
})  # fmt: skip
