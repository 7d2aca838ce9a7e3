"""What is particular to drawdown: the running maximum, equity at and below 0, no look ahead."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmverify.errors import Undefined
from mmverify.formulas.drawdown import drawdown, drawdown_exact

U = Fraction(1, 2**53)
REPEATABLE = settings(derandomize=True, deadline=None, max_examples=200)
INTEGERS = st.lists(
    st.one_of(st.integers(-(2**63), 2**63 - 1), st.integers(-(10**30), 10**30)), min_size=1, max_size=30
)
AMOUNT = st.floats(1e-8, 1e12)
FLOATS = st.lists(st.one_of(AMOUNT, AMOUNT.map(lambda amount: -amount), st.just(0.0)), min_size=1, max_size=30)


@pytest.mark.parametrize(
    ("equity", "expected"),
    [
        ([], []),
        ([100], [0]),
        ([100, 100], [0, 0]),
        ([100, 80, 120, 90, 130], [0, "1/5", 0, "1/4", 0]),  # back to 0 at each new high
        ([100, 50, 100], [0, "1/2", 0]),  # at the old high too
        ([100, 0], [0, 1]),
        ([100, -50], [0, "3/2"]),  # below 0: more than all
        ([0, 10, 5], [None, 0, "1/2"]),
        ([-10, -5, -20, 0, 4, 3], [None, None, None, None, 0, "1/4"]),
        (["0.1", "0.3", "0.2"], [0, 0, "1/3"]),
        ([1000, 999], [0, "1/1000"]),
    ],
)
def test_drawdowns_worked_by_hand(equity: list[str], expected: list[str | None]) -> None:
    fractions = [None if each is None else Fraction(each) for each in expected]
    assert drawdown_exact(equity) == fractions
    fast = drawdown([float(value) for value in equity])
    for value, fraction in zip(fast.tolist(), fractions, strict=True):
        assert np.isnan(value) if fraction is None else abs(Fraction(value) - fraction) <= 4 * U * fraction


def assert_within_bound(equity: list[int] | list[float]) -> None:
    for value, exact in zip(drawdown(equity).tolist(), drawdown_exact(equity), strict=True):
        if exact is None:
            assert np.isnan(value)
        else:
            assert abs(Fraction(value) - exact) <= 4 * U * exact


@REPEATABLE
@given(INTEGERS)
def test_kernel_is_within_its_bound_on_integers(equity: list[int]) -> None:
    assert_within_bound(equity)


@REPEATABLE
@given(FLOATS)
def test_kernel_is_within_its_bound_on_floats(equity: list[float]) -> None:
    assert_within_bound(equity)


def test_one_unit_of_a_large_integer_keeps_its_digits() -> None:
    # 1/(2^60 + 1): as floats both are 2^60, and the difference would be 0
    assert drawdown([2**60 + 1, 2**60])[1] == 1 / (2**60 + 1)


def test_a_difference_beyond_int64_does_not_wrap() -> None:
    assert drawdown([2**62, -(2**62)]).tolist() == [0.0, 2.0]


def test_a_difference_beyond_the_largest_float_is_an_error() -> None:
    with pytest.raises(Undefined, match="fit a float"):
        drawdown([1.7e308, -1.7e308])
    with pytest.raises(Undefined, match="fit a float"):
        drawdown([1, -(10**400)])
    with pytest.raises(Undefined, match="one row"):
        drawdown([[1.0, 2.0]])


@REPEATABLE
@given(FLOATS, st.integers(1, 1000), st.integers(1, 29))
def test_it_scales_with_nothing_and_never_looks_ahead(equity: list[float], by: int, cut: int) -> None:
    exact = drawdown_exact(equity)
    assert drawdown_exact([Fraction(value) * by for value in equity]) == exact
    assert drawdown_exact(equity[:cut]) == exact[:cut]
    assert all(each is None or each >= 0 for each in exact)


@REPEATABLE
@given(st.lists(st.integers(1, 10**9), min_size=1, max_size=20), st.integers(1, 10**9))
def test_more_equity_throughout_draws_down_less(equity: list[int], more: int) -> None:
    for low, high in zip(drawdown_exact(equity), drawdown_exact([value + more for value in equity]), strict=True):
        assert high <= low


def test_a_difference_that_does_not_fit_a_float_is_refused_where_there_is_no_drawdown_too() -> None:
    with pytest.raises(Undefined, match="does not fit a float"):
        drawdown([0, -(2**1024)])
