"""What is particular to exposure: both signs, no clamp, the limit itself."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmverify.errors import Undefined
from mmverify.formulas.exposure import exposure, exposure_exact

REPEATABLE = settings(derandomize=True, deadline=None, max_examples=200)
ORDERS = st.lists(st.tuples(st.sampled_from(["buy", "sell"]), st.integers(0, 10**20)), max_size=12)
POSITION = st.integers(-(10**20), 10**20)
OTHER = {"buy": "sell", "sell": "buy"}


@pytest.mark.parametrize(
    ("position", "orders", "longest", "shortest"),
    [
        (0, [], 0, 0),
        (5, [], 5, 5),
        (-5, [], -5, -5),
        (0, [("buy", 2), ("sell", 3)], 2, -3),
        (5, [("sell", 2)], 5, 3),  # long whatever happens: not clamped at 0
        (-5, [("buy", 2)], -3, -5),
        (5, [("sell", 8)], 5, -3),  # a flip
        (3, [("buy", 2), ("buy", 0), ("buy", 1), ("sell", 4)], 6, -1),
    ],
)
def test_exposures_worked_by_hand(position: int, orders: list[tuple[str, int]], longest: int, shortest: int) -> None:
    assert exposure_exact(position, orders) == (longest, shortest)
    assert exposure(position, orders) == (longest, shortest)


def test_decimals_are_summed_exactly() -> None:
    # ten times 0.1 is 1; as floats 0.9999999999999999
    orders = [("buy", Decimal("0.1"))] * 10
    assert exposure_exact("0", orders) == (1, 0)
    assert exposure_exact("0.7", [("buy", "0.1"), ("sell", "0.7")]) == (Fraction("0.8"), 0)


def test_lots_are_whole() -> None:
    assert exposure(np.int64(2**62), [("buy", np.int64(2**62)), ("buy", 2**62)]) == (3 * 2**62, 2**62)
    for position, orders in ((0.5, []), (1, [("buy", 1.0)]), (1, [("buy", "1")])):
        with pytest.raises(Undefined, match="whole lots"):
            exposure(position, orders)


@REPEATABLE
@given(POSITION, ORDERS)
def test_kernel_equals_oracle_and_the_position_lies_between(position: int, orders: list[tuple[str, int]]) -> None:
    longest, shortest = exposure_exact(position, orders)
    assert exposure(position, orders) == (longest, shortest)
    assert shortest <= position <= longest
    assert longest - shortest == sum(leaves for _, leaves in orders)


@REPEATABLE
@given(POSITION, ORDERS, st.randoms(use_true_random=False), st.fractions(0, 1))
def test_order_and_splitting_of_orders_do_not_matter(
    position: int, orders: list[tuple[str, int]], random: object, share: Fraction
) -> None:
    exact = exposure_exact(position, orders)
    split = [(side, part) for side, leaves in orders for part in (leaves * share, leaves * (1 - share))]
    random.shuffle(split)
    assert exposure_exact(position, split) == exact


@REPEATABLE
@given(POSITION, ORDERS, st.integers(2, 1000), POSITION)
def test_mirrored_scaled_and_shifted(position: int, orders: list[tuple[str, int]], by: int, shift: int) -> None:
    longest, shortest = exposure_exact(position, orders)
    mirrored = [(OTHER[side], leaves) for side, leaves in orders]
    assert exposure_exact(-position, mirrored) == (-shortest, -longest)
    assert exposure_exact(position * by, [(side, leaves * by) for side, leaves in orders]) == (
        longest * by,
        shortest * by,
    )
    assert exposure_exact(position + shift, orders) == (longest + shift, shortest + shift)


@REPEATABLE
@given(POSITION, ORDERS, st.integers(0, 10**20))
def test_a_fill_moves_no_further_than_the_worst_case_said(
    position: int, orders: list[tuple[str, int]], qty: int
) -> None:
    # what fills leaves the orders and enters the position: the far end stays, the other comes nearer
    longest, shortest = exposure_exact(position, [*orders, ("buy", qty)])
    assert exposure_exact(position + qty, orders) == (longest, shortest + qty)
