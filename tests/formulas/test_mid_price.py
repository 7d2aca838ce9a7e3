"""What is particular to mid and microprice: odd lots, one-sided, locked and crossed books, which side weighs which."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmverify.errors import Undefined
from mmverify.formulas.mid_price import microprice, microprice_exact, mid, mid_exact

U = Fraction(1, 2**53)
REPEATABLE = settings(derandomize=True, deadline=None, max_examples=200)
PRICE = st.floats(1e-8, 1e8)
QTY = st.one_of(st.just(0.0), st.floats(1e-8, 1e8))
LEVELS = st.lists(st.tuples(PRICE, QTY), max_size=6)

ODD_LOTS = [("99.9", "0.001"), ("99.5", "0.2"), ("99", "3")]
ASKS = [("100.1", "0.005"), ("100.3", "0.01"), ("101", "9")]


@pytest.mark.parametrize(
    ("bids", "asks", "min_qty", "expected"),
    [
        (ODD_LOTS, ASKS, 0, "100"),  # (99.9 + 100.1)/2
        (ODD_LOTS, ASKS, "0.01", "99.9"),  # (99.5 + 100.3)/2; 0.01 itself counts
        (ODD_LOTS, ASKS, "0.0100001", "100.25"),  # (99.5 + 101)/2
        (ODD_LOTS, ASKS, 3, "100"),  # (99 + 101)/2
        (ODD_LOTS, ASKS, "3.1", None),  # all bids below min_qty
        (ODD_LOTS, ASKS, 10, None),  # all levels below min_qty
        ([], ASKS, 0, None),
        (ODD_LOTS, [], 0, None),
        ([], [], 0, None),
        ([("99", 0)], [("101", 1)], 0, None),  # a level of 0 is no level
        ([("99.9", 0), ("99", 1)], [("101", 1)], 0, "100"),
        ([("100", 1)], [("100", 1)], 0, "100"),  # locked
        ([("101", 1)], [("100", 1)], 0, "100.5"),  # crossed
        ([("0.1", 1)], [("0.2", 1)], 0, "0.15"),
        ([("0.00000001", 1)], [("0.00000002", 1)], 0, "0.000000015"),  # half a tick below the last digit
    ],
)
def test_mids_worked_by_hand(
    bids: list[tuple[str, str]], asks: list[tuple[str, str]], min_qty: str, expected: str | None
) -> None:
    exact = mid_exact(bids, asks, min_qty)
    fast = mid(*([(float(p), float(q)) for p, q in side] for side in (bids, asks)), float(min_qty))
    if expected is None:
        assert exact is None and fast is None
    else:
        assert exact == Fraction(expected)
        assert fast is not None and abs(Fraction(fast) - exact) <= 2 * U * exact


def test_a_quantity_of_min_qty_counts_however_it_is_written() -> None:
    # the float 0.3 is a hair below the decimal 0.3
    for qty, min_qty in ((0.3, "0.3"), ("0.3", 0.3), (Decimal("0.3"), 0.3), (0.3, 0.3)):
        assert mid_exact([(1, qty)], [(3, 1)], min_qty) == 2


@pytest.mark.parametrize("levels", [[(1, 2, 3), (1, 2, 3)], [1, 2], [[[1, 2]]]])
def test_mid_refuses_what_are_no_levels(levels: object) -> None:
    with pytest.raises(Undefined):
        mid(levels, [(1, 1)], 0)


def test_a_mid_beyond_the_largest_float_is_an_error() -> None:
    with pytest.raises(Undefined, match="does not fit a float"):
        mid([(1.7e308, 1)], [(1.7e308, 1)], 0)


@REPEATABLE
@given(LEVELS, LEVELS, QTY)
def test_mid_kernel_equals_oracle_rounded_once(
    bids: list[tuple[float, float]], asks: list[tuple[float, float]], min_qty: float
) -> None:
    exact = mid_exact(bids, asks, min_qty)
    assert mid(bids, asks, min_qty) == (None if exact is None else float(exact))


@REPEATABLE
@given(LEVELS, LEVELS, QTY, st.randoms(use_true_random=False), st.integers(2, 1000))
def test_mid_does_not_depend_on_order_odd_lots_and_worse_levels_and_scales_with_price(
    bids: list[tuple[float, float]], asks: list[tuple[float, float]], min_qty: float, random: object, by: int
) -> None:
    exact = mid_exact(bids, asks, min_qty)
    shuffled = list(bids)
    random.shuffle(shuffled)
    odd = min_qty / 2
    assert mid_exact([(1e9, odd), *shuffled, *([(1e-9, 1e9)] if exact else [])], asks, min_qty) == exact
    scaled = [[(Fraction(price) * by, qty) for price, qty in side] for side in (bids, asks)]
    assert mid_exact(*scaled, min_qty) == (None if exact is None else exact * by)


@pytest.mark.parametrize(
    ("bid", "bid_qty", "ask", "ask_qty", "expected"),
    [
        (100, 1, 101, 3, "100.25"),  # (100 x 3 + 101 x 1)/4: the heavy ask pushes down
        (100, 3, 101, 1, "100.75"),
        (100, 2, 101, 2, "100.5"),  # balanced: the mid
        (100, 0, 101, 5, 100),  # nothing bid: the bid
        (100, 5, 101, 0, 101),
        (100, 7, 100, 1, 100),  # locked
        (101, 1, 100, 3, "100.75"),  # crossed: (101 x 3 + 100)/4
        ("0.1", "0.1", "0.2", "0.2", "4/30"),  # (0.1 x 0.2 + 0.2 x 0.1)/0.3
    ],
)
def test_microprices_worked_by_hand(bid: str, bid_qty: str, ask: str, ask_qty: str, expected: str) -> None:
    exact = Fraction(expected)
    assert microprice_exact(bid, bid_qty, ask, ask_qty) == exact
    assert abs(Fraction(float(microprice(*map(float, (bid, bid_qty, ask, ask_qty))))) - exact) <= 4 * U * exact


@REPEATABLE
@given(PRICE, QTY, PRICE, QTY)
def test_microprice_kernel_is_within_its_bound(bid: float, bid_qty: float, ask: float, ask_qty: float) -> None:
    if bid_qty == ask_qty == 0:
        with pytest.raises(Undefined):
            microprice_exact(bid, bid_qty, ask, ask_qty)
        return
    exact = microprice_exact(bid, bid_qty, ask, ask_qty)
    bound = U * exact + 5 * U * abs(Fraction(ask) - Fraction(bid))
    assert abs(Fraction(float(microprice(bid, bid_qty, ask, ask_qty))) - exact) <= bound


@REPEATABLE
@given(PRICE, st.integers(0, 10**6), PRICE, st.integers(1, 10**6), st.integers(2, 1000))
def test_microprice_lies_between_scales_and_mirrors(
    bid: float, bid_qty: int, ask: float, ask_qty: int, by: int
) -> None:
    exact = microprice_exact(bid, bid_qty, ask, ask_qty)
    assert min(bid, ask) <= exact <= max(bid, ask)
    assert microprice_exact(bid, bid_qty * by, ask, ask_qty * by) == exact
    assert microprice_exact(Fraction(bid) * by, bid_qty, Fraction(ask) * by, ask_qty) == exact * by
    assert microprice_exact(ask, ask_qty, bid, bid_qty) == exact
    other = microprice_exact(bid, ask_qty, ask, bid_qty)
    assert exact + other == Fraction(bid) + Fraction(ask)


def test_arrays_of_microprices_and_one_bad_row() -> None:
    assert microprice([100, 50], [1, 0], [101, 60], [3, 2]).tolist() == [100.25, 50.0]
    with pytest.raises(Undefined):
        microprice([100, 50], [1, 0], [101, 60], [3, 0])


def test_microprice_of_numbers_that_overflow_is_an_error() -> None:
    for inputs in ((1, 1e308, 2, 1e308), (np.inf, 1, np.inf, 1)):
        with pytest.raises(Undefined):
            microprice(*inputs)


def test_a_microprice_of_prices_whose_sum_no_float_holds() -> None:
    assert microprice(1e308, 1, 1e308, 3) == 1e308
