"""What is particular to returns and volatility."""

from __future__ import annotations

import math
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmverify.errors import Undefined
from mmverify.formulas.returns import returns, returns_exact, volatility, volatility_exact

U = Fraction(1, 2**53)
REPEATABLE = settings(derandomize=True, deadline=None, max_examples=150)
PRICES = st.lists(st.floats(1e-8, 1e8), min_size=2, max_size=40)
CLOSE = st.lists(st.integers(-50, 50), min_size=2, max_size=40).map(
    lambda ticks: [60_000 + tick / 10 for tick in ticks]
)
KIND = st.sampled_from(["log", "simple"])
LN2 = "0.69314718055994530941723212145817656807550013436026"
LN_1_PLUS_1E_20 = "9.9999999999999999999500000000000000000003333333333E-21"


def test_returns_worked_by_hand() -> None:
    assert returns_exact(["100", "125", "100"], kind="simple") == [Fraction(1, 4), Fraction(-1, 5)]
    # ln 2 to 50 digits, OEIS A002162
    assert returns_exact([3, 6, 3], kind="log") == [Decimal(LN2), Decimal("-" + LN2)]
    # ln(1 + x) = x - x^2/2 + x^3/3 - ...
    assert returns_exact([1, "1.00000000000000000001"], kind="log") == [Decimal(LN_1_PLUS_1E_20)]


@pytest.mark.parametrize("kind", ["log", "simple"])
def test_one_price_or_none_has_no_return(kind: str) -> None:
    for prices in ([], [100]):
        assert returns_exact(prices, kind=kind) == []
        assert returns(prices, kind=kind).tolist() == []


@REPEATABLE
@given(st.one_of(PRICES, CLOSE), KIND)
def test_each_return_is_within_its_bound(prices: list[float], kind: str) -> None:
    for fast, exact in zip(returns(prices, kind=kind).tolist(), returns_exact(prices, kind=kind), strict=True):
        assert abs(Fraction(fast) - Fraction(exact)) <= 8 * U * abs(Fraction(exact))


@REPEATABLE
@given(st.one_of(PRICES, CLOSE), KIND, st.sampled_from([0, 1]), st.sampled_from([1, 252, 365, 525_600]))
def test_volatility_is_within_its_bound(prices: list[float], kind: str, ddof: int, periods: int) -> None:
    n = len(prices) - 1
    if n <= ddof:
        prices, n = [*prices, prices[0]], n + 1
    exact = Fraction(volatility_exact(prices, kind=kind, ddof=ddof, periods_per_year=periods))
    fast = Fraction(volatility(prices, kind=kind, ddof=ddof, periods_per_year=periods))
    largest = max(abs(Fraction(each)) for each in returns_exact(prices, kind=kind))
    bound = n * U * exact + 32 * U * Fraction(math.sqrt(periods * n / (n - ddof))) * largest
    assert abs(fast - exact) <= bound


@pytest.mark.parametrize("pairs", [2, 500])
def test_one_tick_back_and_forth_at_a_bitcoin_price(pairs: int) -> None:
    # Simple returns a = 0.01/100000 and -b = -0.01/100000.01, as many of each: the mean is (a - b)/2, every return lies
    # (a + b)/2 from it, and so does the population's deviation. a + b = 0.01 x 200000.01 / (100000 x 100000.01).
    half = Fraction("0.01") * Fraction("200000.01") / (100_000 * Fraction("100000.01")) / 2
    ticks = [10_000_000, 10_000_001] * pairs + [10_000_000]
    exact = volatility_exact(ticks, kind="simple", ddof=0, periods_per_year=1)
    assert abs(Fraction(exact) - half) <= half / 10**45
    assert (
        abs(Fraction(volatility(ticks, kind="simple", ddof=0, periods_per_year=1)) - half)
        <= half * 2 * pairs * U + 64 * U * half
    )


def test_constant_growth_has_no_volatility() -> None:
    assert volatility_exact([100, 200, 400, 800], kind="simple", ddof=1, periods_per_year=365) == 0
    assert volatility([100, 200, 400, 800], kind="log", ddof=1, periods_per_year=365) == 0
    assert volatility_exact([7, 7, 7], kind="log", ddof=1, periods_per_year=365) == 0


def test_conventions_change_the_number_as_they_should() -> None:
    prices = [60000, 62000, 59000, 61500, 63000]
    population = volatility_exact(prices, kind="log", ddof=0, periods_per_year=365)
    sample = volatility_exact(prices, kind="log", ddof=1, periods_per_year=365)
    weekday = volatility_exact(prices, kind="log", ddof=1, periods_per_year=252)
    # four returns: 4 / 3 in the variance; and 365 / 252
    assert abs((sample / population) ** 2 - Decimal(4) / 3) < Decimal("1e-27")
    assert abs((sample / weekday) ** 2 - Decimal(365) / 252) < Decimal("1e-27")


def test_volatility_worked_by_hand() -> None:
    # Simple returns 0.2, 0.1, 0.0: mean 0.1, squares 0.02, over 2 = 0.01, x 4 quarters, root 0.2; over 3 with ddof 0.
    prices = [100, 120, 132, 132]
    assert volatility_exact(prices, kind="simple", ddof=1, periods_per_year=4) == Decimal("0.2")
    assert volatility_exact(prices, kind="simple", ddof=0, periods_per_year=6) == Decimal("0.2")
    assert volatility(prices, kind="simple", ddof=1, periods_per_year=4) == pytest.approx(0.2, rel=1e-15, abs=0)


@REPEATABLE
@given(PRICES, KIND, st.integers(2, 1000))
def test_the_unit_of_the_price_does_not_matter(prices: list[float], kind: str, by: int) -> None:
    assert returns_exact([Fraction(price) * by for price in prices], kind=kind) == returns_exact(prices, kind=kind)


@REPEATABLE
@given(PRICES)
def test_log_returns_add_up_and_turn_with_time(prices: list[float]) -> None:
    forward = returns_exact(prices, kind="log")
    backward = returns_exact(prices[::-1], kind="log")
    assert forward == [each.copy_negate() for each in reversed(backward)]
    total = returns_exact([prices[0], prices[-1]], kind="log")[0]
    assert abs(sum(map(Fraction, forward)) - Fraction(total)) <= Fraction(len(prices), 10**47)


def test_kernel_takes_integer_arrays() -> None:
    assert returns(np.array([100, 125, 100]), kind="simple").tolist() == [0.25, -0.2]


def test_a_year_of_a_broken_number_of_periods() -> None:
    # Variance 0.01 a period (returns 0.2, 0.1, 0.0) x 9/4 periods = 0.0225, root 0.15.
    prices = [100, 120, 132, 132]
    assert volatility_exact(prices, kind="simple", ddof=1, periods_per_year="9/4") == Decimal("0.15")
    assert volatility(prices, kind="simple", ddof=1, periods_per_year=2.25) == pytest.approx(0.15, rel=1e-15)


def test_a_ratio_that_underflows_is_refused_and_a_fall_to_almost_nothing_is_not_however_numpy_is_set() -> None:
    with np.errstate(all="raise"):
        assert returns([1e200, 1e-200], kind="simple").tolist() == [-1.0]
        with pytest.raises(Undefined, match="does not fit a float"):
            returns([1e200, 1e-200], kind="log")
