"""What is particular to the VWAP."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmverify.errors import Undefined
from mmverify.formulas.vwap import vwap, vwap_exact

U = Fraction(1, 2**53)
REPEATABLE = settings(derandomize=True, deadline=None, max_examples=200)
PRICE = st.floats(1e-8, 1e8)
QTY = st.floats(0, 1e8).filter(lambda qty: qty == 0 or qty > 1e-12)
TRADES = st.lists(st.tuples(PRICE, QTY), min_size=1, max_size=60).filter(lambda trades: any(qty for _, qty in trades))
INTEGERS = st.lists(st.tuples(st.integers(1, 10**20), st.integers(0, 10**15)), min_size=1, max_size=30).filter(
    lambda trades: any(qty for _, qty in trades)
)


def assert_within_bound(prices: list[float], qtys: list[float]) -> None:
    exact = vwap_exact(prices, qtys)
    spread = exact - Fraction(min(prices))
    bound = U * exact + (2 * len(prices) + 4) * U * spread
    assert abs(Fraction(vwap(prices, qtys)) - exact) <= bound


@REPEATABLE
@given(TRADES)
def test_kernel_is_within_its_bound(trades: list[tuple[float, float]]) -> None:
    prices, qtys = (list(column) for column in zip(*trades, strict=True))
    assert_within_bound(prices, qtys)


@pytest.mark.parametrize("level", [60_000.0, 1e5, 1e7])
def test_a_tick_of_spread_on_a_high_price_keeps_its_digits(level: float) -> None:
    random = np.random.default_rng(7)
    prices = (level + np.round(random.uniform(0, 1, 5000), 2)).tolist()
    qtys = np.round(random.exponential(1, 5000), 5).tolist()
    assert_within_bound(prices, qtys)
    assert abs(Fraction(vwap(prices, qtys)) - vwap_exact(prices, qtys)) <= Fraction(math.ulp(level))


def test_nist_numacc4_has_its_certified_mean() -> None:
    # NIST StRD, univariate, NumAcc4: 10000000.2, then 500 times 10000000.1, 10000000.3; certified mean 10000000.2.
    tenths = [100_000_002] + [100_000_001, 100_000_003] * 500
    assert vwap_exact(tenths, [1] * 1001) == 100_000_002
    assert vwap(tenths, [1] * 1001) / 10 == 10_000_000.2
    assert vwap([tick / 10 for tick in tenths], [1.0] * 1001) == 10_000_000.2


@REPEATABLE
@given(INTEGERS)
def test_integers_give_the_correctly_rounded_average(trades: list[tuple[int, int]]) -> None:
    prices, qtys = (list(column) for column in zip(*trades, strict=True))
    assert vwap(prices, qtys) == float(vwap_exact(prices, qtys))


@pytest.mark.parametrize(
    ("prices", "qtys", "average"),
    [
        # 6e12 x 2e8 = 1.2e21 is beyond int64, which would wrap it.
        ([6_000_000_000_000, 6_000_000_000_002], [200_000_000, 200_000_000], 6_000_000_000_001.0),
        # 3037000500^2 is the first square beyond 2^63 - 1.
        ([3_037_000_500], [3_037_000_500], 3_037_000_500.0),
        ([2**63 - 1, 2**63 - 1], [1, 1], float(2**63 - 1)),
    ],
)
def test_products_beyond_int64_do_not_wrap(prices: list[int], qtys: list[int], average: float) -> None:
    assert vwap(np.array(prices, dtype=np.int64), np.array(qtys, dtype=np.int64)) == average


def test_unsigned_and_mixed_arrays_are_taken_as_the_numbers_that_they_are() -> None:
    assert vwap(np.array([100, 103], dtype=np.uint64), np.array([2, 1], dtype=np.uint8)) == 101.0
    assert vwap(np.array([100, 103]), np.array([0.5, 0.25])) == 101.0
    assert vwap(np.array([10**25, 10**25 + 3 * 10**22], dtype=object), np.array([2, 1])) == 1.001e25


def test_trades_of_one_timestamp_all_count() -> None:
    # Two trades at 101 in one nanosecond: (100 x 1 + 101 x 1 + 101 x 2) / 4 = 403 / 4.
    assert vwap_exact([100, 101, 101], [1, 1, 2]) == Fraction(403, 4)
    assert vwap([100, 101, 101], [1, 1, 2]) == 100.75


def test_a_quantity_of_zero_does_not_move_it() -> None:
    assert vwap_exact([100, 7], [3, 0]) == 100
    assert vwap([100.0, 7.0], [3.0, 0.0]) == 100.0


@REPEATABLE
@given(TRADES, st.randoms(use_true_random=False))
def test_order_of_trades_does_not_matter(trades: list[tuple[float, float]], random: object) -> None:
    shuffled = list(trades)
    random.shuffle(shuffled)
    assert vwap_exact(*zip(*trades, strict=True)) == vwap_exact(*zip(*shuffled, strict=True))


@REPEATABLE
@given(TRADES, st.integers(1, 1000))
def test_scaling_prices_scales_it_and_scaling_quantities_does_not(trades: list[tuple[float, float]], by: int) -> None:
    prices, qtys = zip(*trades, strict=True)
    average = vwap_exact(prices, qtys)
    assert vwap_exact([Fraction(price) * by for price in prices], qtys) == average * by
    assert vwap_exact(prices, [Fraction(qty) * by for qty in qtys]) == average


@REPEATABLE
@given(TRADES, st.fractions(0, 1))
def test_splitting_a_trade_at_its_price_does_not_matter(trades: list[tuple[float, float]], share: Fraction) -> None:
    prices, qtys = (list(column) for column in zip(*trades, strict=True))
    part = Fraction(qtys[0]) * share
    assert vwap_exact([prices[0], *prices], [part, Fraction(qtys[0]) - part, *qtys[1:]]) == vwap_exact(prices, qtys)


def test_a_sum_that_overflows_is_an_error_not_infinity() -> None:
    with pytest.raises(Undefined, match="does not fit a float"):
        vwap([1e308, 1e308, 1.0], [1e10, 1e10, 1.0])


def test_whole_numbers_are_summed_exactly_up_to_the_edge_of_int64_and_past_it() -> None:
    # (2^53 + 1 + 1) / 2: in floats 2^53 + 1 is 2^53, and so is 1 more
    assert vwap([2**53 + 1, 1], [1, 1]) == 4503599627370497.0
    # 2^31 x 2^31 twice is 2^63, the first sum that int64 cannot hold
    assert vwap([2**31, 2**31], [2**31, 2**31]) == 2147483648.0
