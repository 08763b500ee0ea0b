"""Functions on lists and dictionaries."""

from __future__ import annotations

from gpulint.source.gotemplate.functions.texts import shown, string, texts_of, whole_number
from gpulint.source.gotemplate.printing import type_name
from gpulint.source.gotemplate.unknown import LimitReached, TemplateProblem, Unknowable, is_unknown, truth

_LONGEST = 10_000
_MOST_COMPARED = 100
_DEEPEST = 60
_MOST_NODES = 50_000


def dictionary(value: object) -> dict[str, object]:
    if isinstance(value, dict):
        return value
    raise TemplateProblem(f"expected map[string]interface {{}}; found {type_name(value)}")


def sequence(value: object) -> list[object]:
    if isinstance(value, list):
        return value
    raise TemplateProblem(f"expected a list; found {type_name(value)}")


def _bounded(values: list[object]) -> list[object]:
    if len(values) > _LONGEST:
        raise LimitReached("a list that is too long")
    return values


# -- dictionaries


def _dict(*pairs: object) -> dict[str, object]:
    return {
        shown(pairs[index]): pairs[index + 1] if index + 1 < len(pairs) else "" for index in range(0, len(pairs), 2)
    }


def _get(holder: object, key: object) -> object:
    return dictionary(holder).get(string(key), "")


def _set(holder: object, key: object, value: object) -> object:
    dictionary(holder)[string(key)] = value
    return holder


def _unset(holder: object, key: object) -> object:
    dictionary(holder).pop(string(key), None)
    return holder


def _keys(*holders: object) -> list[object]:
    """In their order; Go's own order is a random one."""
    names = sorted(key for holder in holders for key in dictionary(holder))
    return [*names]


def _values(holder: object) -> list[object]:
    """In the order of the keys; Go's own order is a random one."""
    found = dictionary(holder)
    return [found[key] for key in sorted(found)]


def _pick(holder: object, *names: object) -> dict[str, object]:
    found = dictionary(holder)
    return {key: found[key] for name in names if (key := string(name)) in found}


def _pluck(key: object, *holders: object) -> list[object]:
    name = string(key)
    return [found[name] for each in holders if name in (found := dictionary(each))]


def _omit(holder: object, *names: object) -> dict[str, object]:
    left_out = {string(name) for name in names}
    return {key: value for key, value in dictionary(holder).items() if key not in left_out}


def _merge(target: object, *sources: object) -> object:
    """The target's own values win; an empty one is filled. Source: imdario/mergo, deepMerge."""
    found = dictionary(target)
    for source in sources:
        if source is not None:
            _merge_into(found, dictionary(source), overwrite=False, depth=0)
    return found


def _merge_overwrite(target: object, *sources: object) -> object:
    found = dictionary(target)
    for source in sources:
        if source is not None:
            _merge_into(found, dictionary(source), overwrite=True, depth=0)
    return found


def _merge_into(target: dict[str, object], source: dict[str, object], *, overwrite: bool, depth: int) -> None:
    if depth > _DEEPEST:
        raise LimitReached("a value nested too deeply")
    for key, value in source.items():
        old = target.get(key)
        if isinstance(old, dict) and isinstance(value, dict):
            _merge_into(old, value, overwrite=overwrite, depth=depth + 1)
        elif key not in target:
            target[key] = value
        elif truth(old) is False:
            if value is not None or overwrite:
                target[key] = value
        elif overwrite and not isinstance(value, dict):
            target[key] = value


def _deep_copy(value: object) -> object:
    room = _MOST_NODES

    def copied(each: object, depth: int) -> object:
        nonlocal room
        room -= 1
        if room < 0 or depth > _DEEPEST:
            raise LimitReached("a value that is too large to copy")
        if isinstance(each, dict):
            return {key: copied(inner, depth + 1) for key, inner in each.items()}
        if isinstance(each, list):
            return [copied(inner, depth + 1) for inner in each]
        return each

    return copied(value, 0)


def _dig(*arguments: object) -> object:
    """`dig "a" "b" default dict`."""
    if len(arguments) < 3:
        raise TemplateProblem("dig needs at least three arguments")
    *path, default, holder = arguments
    found: object = dictionary(holder)
    for step in path:
        key = string(step)
        holder_of_key = dictionary(found)
        if key not in holder_of_key:
            return default
        found = holder_of_key[key]
    return found


# -- lists


def _first(values: object) -> object:
    found = sequence(values)
    return found[0] if found else None


def _last(values: object) -> object:
    found = sequence(values)
    return found[-1] if found else None


def _concat(*lists: object) -> list[object]:
    return _bounded([element for each in lists for element in sequence(each)])


def _unique(values: object) -> list[object]:
    found: list[object] = []
    seen: set[tuple[type, object]] = set()
    others: list[object] = []
    for element in _bounded(sequence(values)):
        if isinstance(element, (dict, list)):
            if len(others) > _MOST_COMPARED:
                raise LimitReached("a list that is too long to compare")
            if any(same(element, other) for other in others):
                continue
            others.append(element)
        elif (type(element), element) in seen:
            continue
        else:
            seen.add((type(element), element))
        found.append(element)
    return found


def same(one: object, other: object) -> bool:
    """Whether two values are of one type and equal (reflect.DeepEqual)."""
    return type(one) is type(other) and one == other


def _has(needle: object, values: object) -> bool:
    return any(same(needle, element) for element in sequence(values)) if values is not None else False


def _without(values: object, *left_out: object) -> list[object]:
    return [element for element in sequence(values) if not any(same(element, each) for each in left_out)]


def _sort_alpha(values: object) -> list[object]:
    return [*sorted(texts_of(values))] if isinstance(values, list) else [shown(values)]


def _until(count: object) -> list[object]:
    end = whole_number(count)
    return _until_step(0, end, 1 if end >= 0 else -1)


def _until_step(start: object, stop: object, step: object) -> list[object]:
    first, last, by = whole_number(start), whole_number(stop), whole_number(step)
    if by == 0 or (last < first) != (by < 0):
        return []
    found = range(first, last, by)
    if len(found) > _LONGEST:
        raise LimitReached("a list that is too long")
    return list(found)


def _slice(values: object, *bounds: object) -> object:
    first = whole_number(bounds[0]) if bounds else 0
    if isinstance(values, str):
        last = whole_number(bounds[1]) if len(bounds) > 1 else len(values)
        return values[first:last]
    found = sequence(values)
    if not found:
        return None
    last = whole_number(bounds[1]) if len(bounds) > 1 else len(found)
    if not 0 <= first <= last <= len(found):
        raise TemplateProblem("a slice out of range")
    return found[first:last]


def _chunk(size: object, values: object) -> list[object]:
    count, found = whole_number(size), sequence(values)
    if count <= 0:
        raise TemplateProblem("chunks of no size")
    return [found[index : index + count] for index in range(0, len(found), count)]


def _index(holder: object, *steps: object) -> object:
    found = holder
    for step in steps:
        if is_unknown(found) or is_unknown(step):
            raise Unknowable
        if isinstance(found, dict):
            found = found.get(string(step))
        elif isinstance(found, (list, str)):
            number = whole_number(step)
            if not 0 <= number < len(found):
                raise TemplateProblem(f"index out of range: {number}")
            found = found[number] if isinstance(found, list) else ord(found[number])
        else:
            raise TemplateProblem("index of untyped nil" if found is None else f"can't index {type_name(found)}")
    return found


def _len(value: object) -> int:
    if isinstance(value, str):
        return len(value.encode("utf-8", "surrogatepass"))
    if isinstance(value, (list, dict)):
        return len(value)
    raise TemplateProblem(f"len of {type_name(value)}")


FUNCTIONS = {
    "dict": _dict,
    "get": _get,
    "set": _set,
    "unset": _unset,
    "hasKey": lambda holder, key: string(key) in dictionary(holder),
    "keys": _keys,
    "values": _values,
    "pick": _pick,
    "omit": _omit,
    "pluck": _pluck,
    "merge": _merge,
    "mustMerge": _merge,
    "mergeOverwrite": _merge_overwrite,
    "mustMergeOverwrite": _merge_overwrite,
    "deepCopy": _deep_copy,
    "mustDeepCopy": _deep_copy,
    "dig": _dig,
    "list": lambda *values: list(values),
    "tuple": lambda *values: list(values),
    "first": _first,
    "mustFirst": _first,
    "last": _last,
    "mustLast": _last,
    "rest": lambda values: sequence(values)[1:],
    "mustRest": lambda values: sequence(values)[1:],
    "initial": lambda values: sequence(values)[:-1],
    "mustInitial": lambda values: sequence(values)[:-1],
    "append": lambda values, value: _bounded([*sequence(values), value]),
    "mustAppend": lambda values, value: _bounded([*sequence(values), value]),
    "push": lambda values, value: _bounded([*sequence(values), value]),
    "mustPush": lambda values, value: _bounded([*sequence(values), value]),
    "prepend": lambda values, value: _bounded([value, *sequence(values)]),
    "mustPrepend": lambda values, value: _bounded([value, *sequence(values)]),
    "concat": _concat,
    "reverse": lambda values: sequence(values)[::-1],
    "mustReverse": lambda values: sequence(values)[::-1],
    "uniq": _unique,
    "mustUniq": _unique,
    "has": _has,
    "mustHas": _has,
    "without": _without,
    "mustWithout": _without,
    "compact": lambda values: [element for element in sequence(values) if truth(element) is not False],
    "mustCompact": lambda values: [element for element in sequence(values) if truth(element) is not False],
    "sortAlpha": _sort_alpha,
    "until": _until,
    "untilStep": _until_step,
    "seq": lambda *bounds: " ".join(map(str, _sequence_of_numbers([whole_number(bound) for bound in bounds]))),
    "slice": _slice,
    "mustSlice": _slice,
    "chunk": _chunk,
    "index": _index,
    "len": _len,
}


def _sequence_of_numbers(bounds: list[int]) -> list[object]:
    """As seq(1) counts: to the end, and the end itself too."""
    first, by, last = {1: (1, 1, *bounds), 2: (bounds[0], 1, bounds[-1])}.get(len(bounds), tuple(bounds[:3]))
    if len(bounds) in (1, 2) and last < first:
        by = -1
    return _until_step(first, last + (1 if by > 0 else -1), by)


# A list or dictionary may hold what is not known: only what it is looked up by, or is itself, must be.
TAKES_UNKNOWN = frozenset({"dict", "list", "tuple", "index"})
