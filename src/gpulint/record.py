"""Classes of plain fields, for objects of which a run may need none: they cost next to nothing until one is made."""

from __future__ import annotations

from dataclasses import dataclass, field
from reprlib import recursive_repr
from typing import Any, TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(eq_default=False, field_specifiers=(field,))
def record(cls: type[T]) -> type[T]:
    """What `dataclass(slots=True, eq=False)` makes of a class that inherits no fields, without the functions of fields.

    A dataclass compiles its methods as it is defined, which was a sixth of the time of a run over one small file. Here
    `__init__` is compiled when it is first called, and `__repr__` is the same function for all. `replace`, `fields` and
    `asdict` do not take a record: what needs them is a dataclass.
    """
    names = tuple(cls.__annotations__)
    kept = {name: value for name, value in vars(cls).items() if name not in (*names, "__dict__", "__weakref__")}
    made: Any = type(cls.__name__, cls.__bases__, {**kept, "__slots__": names, "__qualname__": cls.__qualname__})

    def compile_and_call(self: Any, *values: Any, **named: Any) -> None:  # noqa: ANN401
        made.__init__ = dataclass(slots=True, eq=False, repr=False)(cls).__init__
        made.__init__(self, *values, **named)

    made.__init__ = compile_and_call
    made.__repr__ = _repr
    found: type[T] = made
    return found


@recursive_repr()
def _repr(self: Any) -> str:  # noqa: ANN401
    fields = ", ".join(f"{name}={getattr(self, name)!r}" for name in self.__slots__)
    return f"{type(self).__qualname__}({fields})"
