"""What loops are compiled, and what happens where they cannot be."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import pytest

from mmverify import compiled
from mmverify.compiled import LARGE


def twice(number: int) -> int:
    return 2 * number


@pytest.fixture(autouse=True)
def afresh() -> Iterator[None]:
    compiled._compiled.cache_clear()
    yield
    compiled._compiled.cache_clear()


def a_numba(njit: Callable[..., Any], patch: pytest.MonkeyPatch) -> None:
    """Let another numba be imported."""
    other = ModuleType("numba")
    other.njit = njit  # type: ignore[attr-defined]
    patch.setitem(sys.modules, "numba", other)


def test_a_loop_is_compiled_for_long_columns_alone() -> None:
    pytest.importorskip("numba")
    assert compiled.compiled(twice, LARGE - 1) is None
    loop = compiled.compiled(twice, LARGE)
    assert loop is not None and loop is not twice and loop(21) == 42
    assert compiled.compiled(twice, 10 * LARGE) is loop


def test_without_numba_there_is_no_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "numba", None)
    assert compiled.compiled(twice, LARGE) is None


def test_a_loop_that_cannot_be_kept_is_compiled_anyway(monkeypatch: pytest.MonkeyPatch) -> None:
    def njit(loop: Callable[..., Any], **options: bool) -> Callable[..., Any]:
        if options.get("cache"):
            raise RuntimeError("no locator available")
        return loop

    a_numba(njit, monkeypatch)
    assert compiled.compiled(twice, LARGE) is twice
