"""Records behave as the dataclasses that they stand for."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import pytest

from gpulint import record as module
from gpulint.record import record

T = TypeVar("T")


def plain() -> Any:
    class Plain(Generic[T]):
        """Its fields are of every sort."""

        name: str
        value: T
        note: str | None = None
        parts: list[str] = field(default_factory=list)
        _cache: dict[str, int] | None = field(default=None, init=False)
        owner: Any = field(init=False)

        def __post_init__(self) -> None:
            self.owner = self

        @property
        def shouted(self) -> str:
            return self.name.upper()

    return Plain


def pair() -> tuple[Any, Any]:
    return record(plain()), dataclass(slots=True, eq=False)(plain())


@pytest.mark.parametrize(
    ("values", "named"),
    [(("a", 1), {}), (("a",), {"value": 2, "parts": ["x"]}), (("a", 1, "n", ["y"]), {})],
)
def test_a_record_is_made_and_shown_like_the_dataclass(values: tuple[Any, ...], named: dict[str, Any]) -> None:
    ours, theirs = (cls(*values, **named) for cls in pair())
    assert repr(ours) == repr(theirs)
    assert "owner=..." in repr(ours)
    assert ours.shouted == theirs.shouted
    assert ours._cache is None


@pytest.mark.parametrize(("values", "named"), [((), {}), (("a",), {}), (("a", 1), {"owner": 1}), (("a", 1), {"x": 1})])
def test_wrong_arguments_are_refused_at_every_call(values: tuple[Any, ...], named: dict[str, Any]) -> None:
    ours, _ = pair()
    for _ in range(2):
        with pytest.raises(TypeError):
            ours(*values, **named)


def test_defaults_are_not_shared() -> None:
    ours, _ = pair()
    first, second = ours("a", 1), ours("b", 2)
    first.parts.append("x")
    assert second.parts == []


def test_a_record_has_slots_and_is_equal_to_itself_alone() -> None:
    ours, _ = pair()
    one = ours("a", 1)
    with pytest.raises(AttributeError):
        one.other = 1
    assert one != ours("a", 1)
    assert len({one, ours("a", 1)}) == 2
    assert ours.__doc__ == plain().__doc__
    assert ours.__module__ == __name__


def test_the_constructor_is_compiled_once_and_only_when_it_is_called(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled = []

    def noted(**options: bool) -> Any:
        compiled.append(options)
        return dataclasses.dataclass(**options)

    monkeypatch.setattr(module, "dataclass", noted)
    ours, _ = pair()
    assert compiled == []
    ours("a", 1)
    ours("b", 2)
    assert len(compiled) == 1
