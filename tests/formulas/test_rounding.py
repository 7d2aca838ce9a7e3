"""What is particular to rounding: half ticks, odd ticks, binary noise, what is on a tick already."""

from __future__ import annotations

import math
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmverify.errors import Undefined
from mmverify.formulas.rounding import (
    as_printed,
    integers,
    round_price,
    round_price_exact,
    round_qty,
    round_qty_exact,
    scaled_integers,
)

REPEATABLE = settings(derandomize=True, deadline=None, max_examples=200)
UNITS = st.integers(1, 10**24)
SIDE = st.sampled_from(["buy", "sell"])


@pytest.mark.parametrize(
    ("price", "tick", "down", "up"),
    [
        ("100.27", "0.5", "100", "100.5"),
        # half a tick exactly goes to the passive side, not to the even or the upper one
        ("100.25", "0.5", "100", "100.5"),
        ("100.75", "0.5", "100.5", "101"),
        ("2.675", "0.01", "2.67", "2.68"),
        # on a tick already
        ("100.5", "0.5", "100.5", "100.5"),
        ("0.00000012", "1.2e-7", "0.00000012", "0.00000012"),
        # ticks that are no power of ten
        ("165", "110", "110", "220"),
        ("0.0001234567", "0.00013", "0", "0.00013"),
        ("44.00000001", "4.4", "44", "48.4"),
        # below one tick
        ("0.003", "0.01", "0", "0.01"),
        # beyond 28 digits
        (
            "123456789012345678901234567890.05",
            "0.1",
            "123456789012345678901234567890",
            "123456789012345678901234567890.1",
        ),
    ],
)
def test_rounding_worked_by_hand(price: str, tick: str, down: str, up: str) -> None:
    assert round_price_exact(price, tick, "buy") == Fraction(down)
    assert round_price_exact(price, tick, "sell") == Fraction(up)
    assert round_qty_exact(price, tick) == Fraction(down)
    scale = 10**10
    scaled = [int(Fraction(each) * scale) for each in (price, tick)]
    assert int(round_price(*scaled, "buy")) == Fraction(down) * scale
    assert int(round_price(*scaled, "sell")) == Fraction(up) * scale
    assert int(round_qty(*scaled)) == Fraction(down) * scale


@pytest.mark.parametrize(
    ("price", "tick", "ticks"),
    [
        # each is a whole number of ticks that float arithmetic takes for less
        (0.3, 0.1, 3),
        (0.6, 0.2, 3),
        (4.35, 0.01, 435),
        (1.1, 0.1, 11),
        (61800.7, 0.1, 618007),
    ],
)
def test_a_float_on_a_tick_stays_on_it(price: float, tick: float, ticks: int) -> None:
    assert price % tick != 0
    assert round_price_exact(price, tick, "buy") == round_price_exact(price, tick, "sell") == as_printed(tick) * ticks


def test_binary_noise_is_rounded_away_from_the_spread() -> None:
    # 0.1 + 0.2 prints as 0.30000000000000004, which is above three ticks
    assert round_price_exact(0.1 + 0.2, 0.1, "buy") == Fraction(3, 10)
    assert round_price_exact(0.1 + 0.2, 0.1, "sell") == Fraction(4, 10)


def test_a_quantity_below_one_lot_is_nothing() -> None:
    assert round_qty_exact("0.00099", "0.001") == 0
    assert round_qty_exact(0, "0.001") == 0
    assert round_qty([99, 0, 100, 199], 100).tolist() == [0, 0, 100, 100]


def test_arrays_broadcast_and_keep_int64_where_it_fits() -> None:
    rounded = round_price(np.array([101, 149, 150]), np.array([[50], [7]]), "sell")
    assert rounded.dtype == np.int64
    assert rounded.tolist() == [[150, 150, 150], [105, 154, 154]]


@pytest.mark.parametrize(
    ("price", "tick", "up"),
    [
        # the next multiple of 10 above 2^63 - 8 = ...775800 + 0 is itself; of 7 it is beyond int64
        (2**63 - 8, 10, 9223372036854775800),
        (2**63 - 1, 10, 9223372036854775810),
        (10**30 + 1, 10**18, 10**30 + 10**18),
    ],
)
def test_what_int64_would_wrap_is_kept(price: int, tick: int, up: int) -> None:
    assert int(round_price(price, tick, "sell")) == up
    assert int(round_price(np.array([price], dtype=object), tick, "sell")[0]) == up


@REPEATABLE
@given(UNITS, UNITS, SIDE)
def test_kernel_equals_oracle(price: int, tick: int, side: str) -> None:
    assert int(round_price(price, tick, side)) == round_price_exact(price, tick, side)
    assert int(round_qty(price, tick)) == round_qty_exact(price, tick)


@REPEATABLE
@given(st.lists(st.integers(1, 10**9), min_size=1, max_size=20), st.integers(1, 10**5), SIDE)
def test_kernel_rounds_each_of_an_array(prices: list[int], tick: int, side: str) -> None:
    assert round_price(prices, tick, side).tolist() == [round_price_exact(price, tick, side) for price in prices]


@REPEATABLE
@given(st.decimals("1e-9", "1e9", places=9), st.integers(0, 9))
def test_oracle_equals_the_decimal_module_on_decimal_places(price: Decimal, places: int) -> None:
    tick = Decimal(1).scaleb(-places)
    assert round_price_exact(price, tick, "buy") == Fraction(price.quantize(tick, ROUND_FLOOR))
    assert round_price_exact(price, tick, "sell") == Fraction(price.quantize(tick, ROUND_CEILING))


@REPEATABLE
@given(UNITS, UNITS, st.integers(2, 1000))
def test_scale_does_not_matter_and_rounding_twice_is_rounding_once(price: int, tick: int, by: int) -> None:
    for side in ("buy", "sell"):
        rounded = round_price_exact(price, tick, side)
        assert round_price_exact(Fraction(price, by), Fraction(tick, by), side) == rounded / by
        assert rounded == 0 or round_price_exact(rounded, tick, side) == rounded
    assert 0 <= price - round_price_exact(price, tick, "buy") < tick
    assert 0 <= round_price_exact(price, tick, "sell") - price < tick


@REPEATABLE
@given(UNITS, UNITS, st.integers(0, 10**6))
def test_whole_ticks_shift_it(price: int, tick: int, ticks: int) -> None:
    for side in ("buy", "sell"):
        assert (
            round_price_exact(price + ticks * tick, tick, side) == round_price_exact(price, tick, side) + ticks * tick
        )


@pytest.mark.parametrize("values", [[1.0], ["1"], [Decimal(1)], [True], [None], [1, 2.5], [math.nan]])
def test_only_integers_are_scaled_integers(values: list[object]) -> None:
    with pytest.raises(Undefined, match="scaled integers are needed"):
        scaled_integers([1], values, terms=1)


def test_a_list_of_numpy_integers_is_taken_as_one_of_integers() -> None:
    (array,) = scaled_integers([np.int64(7), np.int32(-2)], terms=1)
    assert (array.dtype, array.tolist()) == (np.int64, [7, -2])


def test_scaled_integers_are_wide_enough_for_the_sum_that_is_told() -> None:
    assert [array.dtype for array in scaled_integers(2**62 - 1, [], terms=2)] == [np.int64, np.int64]
    assert [array.dtype for array in scaled_integers([-(2**62)], [1], terms=2)] == [object, object]
    (wide,) = scaled_integers(np.array([2**64 - 1], dtype=np.uint64), terms=1)
    assert wide.tolist() == [18446744073709551615]
    (mixed,) = scaled_integers([4, 2**63, -(2**63)], terms=1)
    assert mixed.tolist() == [4, 9223372036854775808, -9223372036854775808]


def test_a_float_is_what_it_prints_as() -> None:
    assert as_printed(0.1) == as_printed(np.float64(0.1)) == Fraction(1, 10)
    assert as_printed(1e22) == 10**22
    assert as_printed(Decimal("0.1")) == as_printed("1/10") == Fraction(1, 10)
    assert as_printed(np.int64(7)) == 7


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        ([1, 2], np.int64),
        (np.array([1, 2], dtype=np.int8), np.int64),
        (np.array([1, 2], dtype=np.uint64), np.int64),
        (np.array([2**63 - 1], dtype=np.uint64), np.int64),
        (np.array([2**63], dtype=np.uint64), object),
        ([2**63], object),
        (np.array([1, 2], dtype=object), object),
    ],
)
def test_integers_are_int64_where_they_fit(values: Any, dtype: Any) -> None:
    found = integers(values)
    assert found.dtype == dtype and found.tolist() == list(values)
