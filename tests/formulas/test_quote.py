"""What is particular to a quote: which side each rounding goes to, and where there is no quote."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmverify.errors import Undefined
from mmverify.formulas.quote import quote, quote_exact

REPEATABLE = settings(derandomize=True, deadline=None, max_examples=200)
FAIR = st.integers(1, 10**12)
HALF = st.integers(0, 10**10)
SKEW = st.integers(-(10**11), 10**11)
TICK = st.integers(1, 10**4)


@pytest.mark.parametrize(
    ("fair", "half_spread", "skew", "tick", "bid", "ask"),
    [
        # 100.27 -/+ 1.2 = 99.07, 101.47
        ("100.27", "1.2", 0, "0.5", "99", "101.5"),
        # a long position moves both down: 98.57, 100.97
        ("100.27", "1.2", "-0.5", "0.5", "98.5", "101"),
        # already on ticks
        ("100", "1", 0, "0.5", "99", "101"),
        ("100.25", "0.25", 0, "0.5", "100", "100.5"),
        # half a tick exactly on both sides: 99.75, 100.25
        ("100", "0.25", 0, "0.5", "99.5", "100.5"),
        # no half-spread, off the tick: the tick itself is the spread
        ("100.1", 0, 0, "0.5", "100", "100.5"),
        # a tick that is no power of ten: 9.9/0.3 = 33, 10.1/0.3 = 33.67
        ("10", "0.1", 0, "0.3", "9.9", "10.2"),
        # a small price: 0.00000999 and 0.00001001 on 1e-8
        ("0.00001", "0.00000001", 0, "1e-8", "0.00000999", "0.00001001"),
        # the lowest bid that there is
        ("1.5", "0.2", 0, 1, 1, 2),
    ],
)
def test_quotes_worked_by_hand(fair: str, half_spread: str, skew: str, tick: str, bid: str, ask: str) -> None:
    assert quote_exact(fair, half_spread, skew, tick) == (Fraction(bid), Fraction(ask))
    scaled = [int(Fraction(each) * 10**8) for each in (fair, half_spread, skew, tick)]
    assert [int(side) for side in quote(*scaled)] == [Fraction(bid) * 10**8, Fraction(ask) * 10**8]


@pytest.mark.parametrize(
    ("fair", "half_spread", "skew", "tick"),
    [
        ("100", 0, 0, "0.5"),  # bid = ask = 100
        ("99.9", 0, "0.1", "0.5"),  # the skew brings it onto the tick
        ("0.4", "0.1", 0, "0.5"),  # bid 0
        ("1", "1.5", 0, "0.5"),  # bid -0.5
        ("1", "0.1", "-2", "0.5"),  # both below 0
    ],
)
def test_where_there_is_no_quote_it_says_so(fair: str, half_spread: str, skew: str, tick: str) -> None:
    with pytest.raises(Undefined, match="are no quote"):
        quote_exact(fair, half_spread, skew, tick)
    with pytest.raises(Undefined, match="no quote with 0 < bid < ask"):
        quote(*(int(Fraction(each) * 10) for each in (fair, half_spread, skew, tick)))


def test_floats_are_the_decimals_that_they_print_as() -> None:
    # in floats 0.7 - 0.1 = 0.6 and 0.6 // 0.1 = 5; 0.7 + 0.1 = 0.7999999999999999
    assert quote_exact(0.7, 0.1, 0.0, 0.1) == (Fraction("0.6"), Fraction("0.8"))
    assert quote_exact(Decimal("0.7"), "0.1", 0, 0.1) == (Fraction("0.6"), Fraction("0.8"))


def test_arrays_of_quotes_and_one_bad_row() -> None:
    bids, asks = quote(np.array([1003, 1000]), np.array([4, 5]), np.array([0, -7]), 5)
    # 999, 1007; 988, 998
    assert bids.tolist() == [995, 985]
    assert asks.tolist() == [1010, 1000]
    with pytest.raises(Undefined):
        quote([1003, 1000], [4, 0], 0, 5)


def test_sums_beyond_int64_do_not_wrap() -> None:
    bid, ask = quote(2**62, 2**62 - 1, 2**62, 1)
    assert (int(bid), int(ask)) == (2**62 + 1, 3 * 2**62 - 1)


@REPEATABLE
@given(FAIR, HALF, SKEW, TICK)
def test_kernel_equals_oracle(fair: int, half_spread: int, skew: int, tick: int) -> None:
    try:
        bid, ask = quote_exact(fair, half_spread, skew, tick)
    except Undefined:
        with pytest.raises(Undefined):
            quote(fair, half_spread, skew, tick)
        return
    assert [int(side) for side in quote(fair, half_spread, skew, tick)] == [bid, ask]
    # passive, on a tick, within a tick of what was asked for
    assert bid % tick == ask % tick == 0 < bid < ask
    assert 0 <= (fair + skew - half_spread) - bid < tick
    assert 0 <= ask - (fair + skew + half_spread) < tick


@REPEATABLE
@given(FAIR, HALF, TICK, st.integers(-50, 50), st.integers(2, 1000))
def test_whole_ticks_of_skew_shift_it_and_scale_does_not_matter(
    fair: int, half_spread: int, tick: int, ticks: int, by: int
) -> None:
    fair += 60 * tick + half_spread
    half_spread += tick
    bid, ask = quote_exact(fair, half_spread, 0, tick)
    assert quote_exact(fair, half_spread, ticks * tick, tick) == (bid + ticks * tick, ask + ticks * tick)
    assert quote_exact(*(Fraction(each, by) for each in (fair, half_spread, 0, tick))) == (bid / by, ask / by)


@REPEATABLE
@given(FAIR, HALF, SKEW, TICK)
def test_mirrored_around_a_tick_bid_and_ask_change_places(fair: int, half_spread: int, skew: int, tick: int) -> None:
    half_spread += tick
    mirror = 10**12 * tick
    low, high = quote_exact(mirror + fair, half_spread, skew, tick)
    assert quote_exact(mirror - fair, half_spread, -skew, tick) == (2 * mirror - high, 2 * mirror - low)
