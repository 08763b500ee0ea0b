"""The rules: one check function per rule in `<family>/<name_>.py`, found by walking, no list anywhere.

A check is a generator over one object of the model; the annotation of its first parameter says which objects it visits:

    @rule("cpu-autoscaling")
    def check(scaler: Autoscaler) -> Iterator[Finding]:
        ...

Its page, `rules/<family>/<name>.md` at the top of the repository, holds everything else: level, prose, examples.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar

from gpulint.finding import Finding

Check = Callable[[Any], Iterator[Finding]]
C = TypeVar("C", bound=Callable[..., Iterator[Finding]])


@dataclass(slots=True, eq=False)
class Rule:
    """A rule as found: its kebab-case name, its family (the folder), the class of object it visits, and its check."""

    name: str
    family: str
    subject: str
    check: Check


class RuleError(Exception):
    """The rules of this installation are inconsistent: two of one name, or a module that declares none."""


_declared: dict[str, Rule] = {}


def rule(name: str) -> Callable[[C], C]:
    """Declares a check. Raises RuleError if the name is taken or is not its module's own."""

    def declare(check: C) -> C:
        family, module = check.__module__.split(".")[-2:]
        if module.replace("_", "-") != name:
            raise RuleError(f"rule {name!r} must live in a module of its own name, not in {check.__module__}")
        if name in _declared and _declared[name].check.__module__ != check.__module__:
            raise RuleError(f"two rules are called {name!r}")
        annotations = check.__annotations__
        subject = str(next(iter(annotations.values()))).rsplit(".", 1)[-1]
        _declared[name] = Rule(name, family, subject, check)
        return check

    return declare


@cache
def rule_names() -> dict[str, str]:
    """Every rule's name and its family, without importing any rule; sorted by family, then name."""
    folder = os.path.dirname(os.path.abspath(__file__))
    found: dict[str, str] = {}
    for family in sorted(os.listdir(folder)):
        if family.startswith("_") or not os.path.isdir(os.path.join(folder, family)):
            continue
        for file in sorted(os.listdir(os.path.join(folder, family))):
            if file.endswith(".py") and not file.startswith("_"):
                name = file[:-3].replace("_", "-")
                if name in found:
                    raise RuleError(f"two rules are called {name!r}")
                found[name] = family
    return found


@cache
def load_rule(name: str) -> Rule:
    """The rule of a name. Raises KeyError for an unknown name, RuleError if its module does not declare it."""
    family = rule_names()[name]
    importlib.import_module(f"gpulint.rules.{family}.{name.replace('-', '_')}")
    if name not in _declared:
        raise RuleError(f"gpulint.rules.{family}.{name.replace('-', '_')} declares no rule")
    return _declared[name]
