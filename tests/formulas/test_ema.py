"""What is particular to the EMA: seeds, gaps, the blocks of the kernel, the last value alone."""

from __future__ import annotations

import math
from decimal import Decimal, localcontext
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmverify.errors import Undefined
from mmverify.formulas.ema import ema, ema_exact, ema_last

U = Fraction(1, 2**53)
REPEATABLE = settings(derandomize=True, deadline=None, max_examples=100)
VALUES = st.lists(st.one_of(st.none(), st.floats(-1e6, 1e6).map(lambda x: round(x, 3))), max_size=150)
NAN = math.nan


def by_decimals(values: list[float], *, alpha: Fraction, init: str, n: int) -> list[Decimal]:
    """Return the averages of values without gaps, from the n-th on, by the recursion in 60 digits."""
    with localcontext() as context:
        context.prec = 60
        a = Decimal(alpha.numerator) / alpha.denominator
        exact = [Decimal(value) for value in values]
        last, weighted, weights = sum(exact[:n]) / n, exact[0], Decimal(1)
        averages = [last]
        for x in exact[n:]:
            if init == "adjusted":
                weighted, weights = x + (1 - a) * weighted, 1 + (1 - a) * weights
                last = weighted / weights
            else:
                last = a * x + (1 - a) * last
            averages.append(last)
        return averages


def assert_near(
    fast: float, exact: Fraction | Decimal, alpha: float, reach: float, *, fixed: int, per_alpha: int
) -> None:
    bound = U * abs(Fraction(exact)) + (fixed + per_alpha / Fraction(alpha)) * U * Fraction(reach)
    assert abs(Fraction(fast) - Fraction(exact)) <= bound


@pytest.mark.parametrize(
    ("values", "convention", "averages"),
    [
        # alpha 1/2: 100; 100 + (104 - 100)/2; 102 + (101 - 102)/2
        ([100, 104, 101], {"alpha": "0.5", "init": "first"}, [100, 102, "101.5"]),
        # span 3: none, none, (1 + 2 + 6)/3 = 3, then 3 + (7 - 3)/2 = 5
        ([1, 2, 6, 7], {"span": 3, "init": "sma"}, [None, None, 3, 5]),
        # weights 1; 1, 1/2; 1, 1/2, 1/4: 1; (2 + 1/2)/(3/2) = 5/3; (3 + 1 + 1/4)/(7/4) = 17/7
        ([1, 2, 3], {"span": 3, "init": "adjusted"}, [1, "5/3", "17/7"]),
        # a gap repeats, and the next value counts as the next: 1; 1; 1 + (3 - 1)/2 = 2
        ([None, 1, None, 3], {"span": 3, "init": "first"}, [None, 1, 1, 2]),
        ([1, None, 2], {"span": 3, "init": "adjusted"}, [1, 1, "5/3"]),
        # the seed is of n values, a gap is none: (1 + 2 + 6)/3
        ([1, None, 2, 6, None, 7], {"span": 3, "init": "sma"}, [None, None, None, 3, 3, 5]),
        ([5, 7], {"span": 1, "init": "sma"}, [5, 7]),
        ([5, 7, -2], {"alpha": 1, "init": "adjusted"}, [5, 7, -2]),
        ([5, 7, -2], {"alpha": 1, "init": "first"}, [5, 7, -2]),
        ([1, 2], {"span": 3, "init": "sma"}, [None, None]),
        ([], {"span": 3, "init": "first"}, []),
        ([None, None], {"span": 3, "init": "adjusted"}, [None, None]),
    ],
)
def test_seeds_and_gaps_worked_by_hand(values: list[float | None], convention: dict, averages: list) -> None:
    exact = [None if average is None else Fraction(average) for average in averages]
    assert ema_exact(values, **convention) == exact
    assert ema_exact([NAN if value is None else value for value in values], **convention) == exact
    floats = {key: value if key == "init" else float(value) for key, value in convention.items()}
    fast = ema(np.array([NAN if value is None else value for value in values], dtype=float), **floats)
    np.testing.assert_allclose(fast, [NAN if each is None else float(each) for each in exact], rtol=1e-15)


@REPEATABLE
@given(
    VALUES,
    st.one_of(st.integers(1, 40), st.floats(1, 500).map(lambda x: round(x, 2))),
    st.sampled_from(["first", "sma", "adjusted"]),
)
def test_kernel_is_within_its_bound(values: list[float | None], span: float, init: str) -> None:
    span = math.ceil(span) if init == "sma" else span
    exact = ema_exact(values, span=span, init=init)
    fast = ema(np.array(values, dtype=float), span=span, init=init)
    there = [value for value in values if value is not None]
    reach = max((abs(value - there[0]) for value in there), default=0.0)
    for one, each in zip(fast.tolist(), exact, strict=True):
        if each is None:
            assert math.isnan(one)
        else:
            assert_near(one, each, 2 / (span + 1), reach, fixed=1000, per_alpha=4)


@REPEATABLE
@given(VALUES, st.integers(1, 40), st.sampled_from(["first", "sma", "adjusted"]))
def test_last_value_alone_is_within_its_bound(values: list[float | None], span: int, init: str) -> None:
    exact = ema_exact(values, span=span, init=init)[-1] if values else None
    alpha = 2 / (span + 1)
    fast = ema_last(np.array(values, dtype=float), alpha=alpha, init=init, n=span if init == "sma" else None)
    there = [value for value in values if value is not None]
    if exact is None:
        assert math.isnan(fast)
    else:
        assert_near(fast, exact, alpha, 2 * max(map(abs, there)), fixed=100, per_alpha=50)


@pytest.mark.parametrize("init", ["first", "sma", "adjusted"])
@pytest.mark.parametrize(("span", "length"), [(1, 200), (3, 64), (3, 65), (20, 5_000), (5_000, 20_000), (400, 270_000)])
def test_blocks_of_blocks_are_one_recursion(span: int, length: int, init: str) -> None:
    # 64, 65: a block and one more; 5,000 is over 64^2, 270,000 over 64^3: the recursion over the blocks' ends nests.
    random = np.random.default_rng(span)
    prices = 100_000 + np.round(np.cumsum(random.normal(0, 1, length)), 1)
    alpha = Fraction(2, span + 1)
    n = span if init == "sma" and span <= length else 1
    fast = ema(prices, span=span, init=init)
    exact = by_decimals(prices.tolist(), alpha=alpha, init=init, n=n)
    reach = float(np.abs(prices - prices[0]).max())
    assert np.isnan(fast).tolist() == [True] * (n - 1) + [False] * (length - n + 1)
    for one, each in list(zip(fast[n - 1 :].tolist(), exact, strict=True))[:: max(1, length // 500)]:
        assert_near(one, each, alpha, reach, fixed=1000, per_alpha=4)
    alone = ema_last(prices, alpha=2 / (span + 1), init=init, n=n if init == "sma" else None)
    assert_near(alone, exact[-1], alpha, 2 * reach, fixed=100, per_alpha=50)


def test_a_bitcoin_price_keeps_digits_below_a_tick() -> None:
    prices = 100_000 + np.tile([0.0, 0.1], 500)
    exact = by_decimals(prices.tolist(), alpha=Fraction(2, 21), init="first", n=1)[-1]
    assert abs(Fraction(float(ema(prices, span=20, init="first")[-1])) - Fraction(exact)) <= Fraction(math.ulp(1e5))
    assert abs(Fraction(ema_last(prices, alpha=2 / 21, init="first")) - Fraction(exact)) <= Fraction(math.ulp(1e5))


@pytest.mark.parametrize("init", ["first", "sma", "adjusted"])
def test_what_comes_later_changes_nothing_before(init: str) -> None:
    values = [round(math.sin(number) * 50 + 100, 2) for number in range(120)]
    whole = ema_exact(values, span=7, init=init)
    for end in (1, 6, 7, 8, 64, 65, 119):
        assert ema_exact(values[:end], span=7, init=init) == whole[:end]
        cut = ema(values[:end], span=7, init=init)
        np.testing.assert_allclose(cut, ema([*values[:end], 1e9], span=7, init=init)[:-1], rtol=1e-14)


@REPEATABLE
@given(VALUES, st.integers(-100, 100), st.integers(1, 100), st.sampled_from(["first", "sma", "adjusted"]))
def test_shifting_and_scaling_the_inputs_shifts_and_scales_it(
    values: list[float | None], shift: int, scale: int, init: str
) -> None:
    moved = [None if value is None else Fraction(value) * scale + shift for value in values]
    averages = ema_exact(values, span=5, init=init)
    expected = [None if each is None else each * scale + shift for each in averages]
    assert ema_exact(moved, span=5, init=init) == expected


@pytest.mark.parametrize("lags", [1, 20, 43, 44, 45, 46, 48, 52, 66, 67, 90])
def test_no_weight_that_a_float_can_see_is_left_out(lags: int) -> None:
    # alpha 1/2, a 1 and then zeros: the weight of the first value alone, (1/2)^lags
    assert abs(ema_last([1.0] + [0.0] * lags, alpha=0.5, init="first") - 0.5**lags) <= 8 * U


def test_gaps_in_front_of_the_window_are_found() -> None:
    values = [1.0] * 40 + [NAN] * 3000 + [2.0]
    # alpha 1/2: 1 + (2 - 1)/2, however long the gap.
    assert ema_last(values, alpha=0.5, init="first") == 1.5
    assert ema_last(values, alpha=0.5, init="sma", n=40) == 1.5


def test_last_value_alone_refuses_what_the_recursion_refuses() -> None:
    for convention in (
        {"alpha": 0.0, "init": "first"},
        {"alpha": 1.1, "init": "first"},
        {"alpha": 0.5, "init": "last"},
        {"alpha": 0.5, "init": "sma"},
        {"alpha": 0.5, "init": "sma", "n": 0},
        {"alpha": 0.5, "init": "first", "n": 3},
    ):
        with pytest.raises(Undefined):
            ema_last([1.0, 2.0], **convention)
    with pytest.raises(Undefined):
        ema_last([1.0, math.inf], alpha=0.5, init="first")


def test_alpha_of_one_is_the_last_value() -> None:
    for init, n in (("first", None), ("adjusted", None), ("sma", 3)):
        assert ema_last([4.0, 9.0, 2.0, 7.0], alpha=1.0, init=init, n=n) == 7.0
    assert ema_last([4.0, 9.0, 2.0], alpha=1.0, init="sma", n=3) == 5.0


@pytest.mark.parametrize("missing", [None, math.nan])
def test_a_missing_input_may_be_none_or_nan(missing: float | None) -> None:
    # 100; nothing new; 100 + (104 - 100)/2 = 102
    values = [100, missing, 104]
    assert ema_exact(values, alpha="0.5", init="first") == [100, 100, 102]
    assert ema(values, alpha=0.5, init="first").tolist() == [100.0, 100.0, 102.0]
    assert ema_last(values, alpha=0.5, init="first") == 102.0
