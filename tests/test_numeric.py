"""Scaled integers against decimal arithmetic."""

from __future__ import annotations

import math
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mmverify.numeric import Decimals, decimal_text, largest, narrow, times_power_of_ten, times_powers_of_ten

REPEATABLE = settings(derandomize=True, deadline=None, max_examples=300)
INT64 = st.integers(-(2**63), 2**63 - 1)
WIDE = st.integers(-(10**60), 10**60)


def made(ints: list[int], scale: int, *, binary: bool = False, digits: int | None = None) -> Decimals:
    """Make a column without empty rows."""
    none = np.zeros(len(ints), dtype=bool)
    return Decimals(narrow(ints), scale, scale if digits is None else digits, binary, none, none)


@REPEATABLE
@given(st.lists(INT64, max_size=6), st.integers(0, 40))
@example([0, 0], 30)
@example([], 40)
@example([-(2**63)], 0)
@example([-(2**63)], 1)
@example([922337203685477580], 1)
@example([922337203685477581], 1)
def test_times_power_of_ten_is_exact(ints: list[int], power: int) -> None:
    found = times_power_of_ten(np.array(ints, dtype=np.int64), power)
    assert found.tolist() == [value * 10**power for value in ints]
    assert times_power_of_ten(np.array(ints, dtype=object), power).tolist() == found.tolist()


@pytest.mark.parametrize("ints", [[1, 2], [0], []])
def test_a_negative_power_of_ten_would_lose_digits(ints: list[int]) -> None:
    with pytest.raises(ValueError, match="power of ten is -1; should be 0 or more"):
        times_power_of_ten(np.array(ints, dtype=np.int64), -1)
    with pytest.raises(ValueError, match="power of ten is -2"):
        made(ints, 3).at_scale(1)


@REPEATABLE
@given(st.lists(st.tuples(INT64 | st.just(0), st.integers(0, 400) | st.integers(0, 18)), min_size=1, max_size=6))
@example([(0, 400), (5, 18)])
@example([(922337203685477580, 1), (1, 0)])
@example([(-(2**63), 0), (1, 1)])
def test_times_powers_of_ten_is_exact_row_by_row(rows: list[tuple[int, int]]) -> None:
    ints, powers = np.array([n for n, _ in rows], dtype=np.int64), np.array([p for _, p in rows], dtype=np.int64)
    assert times_powers_of_ten(ints, powers).tolist() == [n * 10**p for n, p in rows]
    assert times_powers_of_ten(ints.astype(object), powers).tolist() == [n * 10**p for n, p in rows]


def test_times_powers_of_ten_stays_int64_where_it_fits() -> None:
    assert times_powers_of_ten(np.array([600001, 0, 5]), np.array([7, 99, 1])).dtype == np.int64


@REPEATABLE
@given(st.lists(WIDE | INT64, max_size=6))
@example([2**63])
@example([-(2**63), 2**63 - 1])
def test_narrow_keeps_every_value(ints: list[int]) -> None:
    found = narrow(ints)
    assert found.tolist() == ints
    assert found.dtype == (np.int64 if all(-(2**63) <= value < 2**63 for value in ints) else object)
    assert largest(found) == max(map(abs, ints), default=0)


@REPEATABLE
@given(st.lists(WIDE | INT64, min_size=1, max_size=5), st.integers(0, 40), st.integers(0, 20))
def test_a_column_wider_than_int64_has_the_same_values(ints: list[int], scale: int, more: int) -> None:
    found = made(ints, scale)
    expected = [Fraction(value, 10**scale) for value in ints]
    assert found.fractions() == expected
    assert [found.fraction(row) for row in range(len(ints))] == expected
    assert [Fraction(value, 10 ** (scale + more)) for value in found.at_scale(scale + more).tolist()] == expected


@REPEATABLE
@given(
    st.lists(st.integers(-(10**38), 10**38) | INT64 | st.integers(-(10**6), 10**6), min_size=1, max_size=5),
    st.integers(0, 40),
)
@example([2**63 - 1, 3], 22)
@example([2**63 - 1, 3], 23)
@example([5, 17], 324)
@example([10**38, 1], 380)
def test_floats_are_within_one_and_a_half_ulp(ints: list[int], scale: int) -> None:
    found = made(ints, scale).floats()
    for value, near in zip(ints, found.tolist(), strict=True):
        exact = Fraction(value, 10**scale)
        assert abs(Fraction(near) - exact) <= Fraction(3, 2) * Fraction(math.ulp(near))
        if abs(value) < 2**53:
            assert near == float(exact)


def test_rows_without_a_number_are_nan_in_floats_and_not_known() -> None:
    missing, nan = np.array([True, False, False]), np.array([False, True, False])
    column = Decimals(np.array([0, 0, 125]), 2, 2, False, missing, nan)
    assert column.known.tolist() == [False, False, True]
    assert np.isnan(column.floats()).tolist() == [True, True, False]
    assert column.floats()[2] == 1.25


@pytest.mark.parametrize(
    ("digits", "half"), [(0, "0.5"), (2, "0.005"), (8, "0.000000005"), (38, "5e-39"), (324, "5e-325")]
)
def test_a_printed_claim_may_be_off_by_half_its_last_digit(digits: int, half: str) -> None:
    column = made([125, -7], 2, digits=digits)
    assert column.tolerance(0) == column.tolerance(1) == Fraction(Decimal(half))
    assert column.tolerances().tolist() == [float(Fraction(Decimal(half)))] * 2


def test_a_float64_claim_may_be_off_by_a_billionth_of_itself_or_a_hundredth_of_that_of_the_largest() -> None:
    column = made([-1250, 0], 2, binary=True)
    assert [column.tolerance(0), column.tolerance(1)] == [Fraction(Decimal("1.25e-8")), Fraction(Decimal("1.25e-10"))]
    assert column.tolerances().tolist() == pytest.approx([1.25e-8, 1.25e-10], rel=1e-15)


@pytest.mark.parametrize(
    ("ints", "scale", "rows", "unit"),
    [
        ([1200, 1250, 1000], 3, [0, 2], "0.1"),
        ([1200, 1250, 1000], 3, [0, 1], "0.01"),
        ([1200, 1251, 1000], 3, [0, 1], "0.001"),
        ([1200, 1250, 1000], 3, [2], "1"),
        ([0, 0], 3, [0], "1"),
        ([12 * 10**30, 10**30], 31, [0], "0.1"),
    ],
)
def test_the_last_digit_is_what_the_values_need(ints: list[int], scale: int, rows: list[int], unit: str) -> None:
    assert made(ints, scale).last_digit(np.array(rows)) == Fraction(unit)


def test_the_last_digit_is_what_the_rows_print() -> None:
    none = np.zeros(3, dtype=bool)
    column = Decimals(np.array([1500, 1500, 1]), 3, 3, False, none, none, np.array([1, 2, 3], dtype=np.uint8))
    assert column.last_digit(np.array([0])) == Fraction(1, 10)
    assert column.last_digit(np.array([0, 1])) == Fraction(1, 100)


@REPEATABLE
@given(st.integers(-(10**30), 10**30), st.integers(0, 14), st.integers(1, 14))
def test_decimal_text_is_exact_where_it_ends(value: int, scale: int, digits: int) -> None:
    number = Fraction(value, 10**scale)
    text = decimal_text(number, digits)
    if (number * 10**digits).denominator == 1:
        assert Fraction(text) == number
        assert "." not in text or not text.endswith("0")
    else:
        assert text.startswith("~")
        assert abs(Fraction(text[1:]) - number) <= Fraction(1, 2 * 10**digits)


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [
        (Fraction(247, 20), 12, "12.35"),
        (Fraction(1, 3), 4, "~0.3333"),
        (Fraction(-1, 3), 4, "~-0.3333"),
        (Fraction(-1, 3000), 2, "~0"),
        (Fraction(5, 2), 0, "~2"),
        (1000, 12, "1000"),
        (-1000, 0, "-1000"),
        (0, 12, "0"),
        (Fraction(-1, 20), 12, "-0.05"),
    ],
)
def test_decimal_text_by_hand(value: Fraction | int, digits: int, text: str) -> None:
    assert decimal_text(value, digits) == text
