"""Lot matching: by hand, against a matching of single units in numpy, and by what it must conserve."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmverify.errors import Undefined
from mmverify.replay.lots import match

REPEATABLE = settings(derandomize=True, deadline=None, max_examples=200)
BASES = ["fifo", "lifo", "average"]
FILLS = st.lists(st.tuples(st.integers(-1000, 1000), st.integers(-20, 20)), min_size=1, max_size=40)


def units_bought_and_sold(values: list[int], deltas: list[int]) -> int:
    """Realize by FIFO: the k-th unit bought pairs with the k-th unit sold, whichever came first."""
    value, delta = np.array(values), np.array(deltas)
    bought = np.repeat(value[delta > 0], delta[delta > 0])
    sold = np.repeat(value[delta < 0], -delta[delta < 0])
    pairs = min(len(bought), len(sold))
    return int((sold[:pairs] - bought[:pairs]).sum())


@pytest.mark.parametrize(
    ("cost_basis", "position", "realized", "cost"),
    [
        # 2 at 10, 2 at 14, sell 3 at 15: 2 x 5 + 1 = 11, 1 at 14 left; sell 3 at 12: -2, 2 short at 12; buy 2 at 9: 6
        ("fifo", [2, 4, 1, -2, 0], [0, 0, 11, 9, 15], [20, 48, 14, -24, 0]),
        # sell 3 at 15: 2 + 5 = 7, 1 at 10 left; 12 - 10 = 2
        ("lifo", [2, 4, 1, -2, 0], [0, 0, 7, 9, 15], [20, 48, 10, -24, 0]),
        # average 12: 3 x 3 = 9, 1 at 12 left; 0
        ("average", [2, 4, 1, -2, 0], [0, 0, 9, 9, 15], [20, 48, 12, -24, 0]),
    ],
)
def test_each_cost_basis_worked_by_hand(
    cost_basis: str, position: list[int], realized: list[int], cost: list[int]
) -> None:
    values, deltas = [10, 14, 15, 12, 9], [2, 2, -3, -3, 2]
    for running in (
        match(values, deltas, cost_basis=cost_basis),
        match(np.array(values), np.array(deltas), cost_basis=cost_basis),
    ):
        assert (running.position, running.realized, running.cost) == (position, realized, cost)


@pytest.mark.parametrize("cost_basis", BASES)
def test_an_opening_lot_is_a_fill_before_the_first(cost_basis: str) -> None:
    values, deltas = [10, 14, 15, 12, 9], [-2, 2, -3, 9, 2]
    for opening in ((5, 11), (-5, 11)):
        whole = match([opening[1], *values], [opening[0], *deltas], cost_basis=cost_basis)
        after = match(values, deltas, cost_basis=cost_basis, opening=opening)
        assert (after.position, after.realized, after.cost) == (whole.position[1:], whole.realized[1:], whole.cost[1:])


@pytest.mark.parametrize("cost_basis", BASES)
def test_a_fill_of_nothing_changes_nothing(cost_basis: str) -> None:
    running = match([10, 99, 12, 99], [-3, 0, 1, 0], cost_basis=cost_basis)
    assert running.position == [-3, -3, -2, -2]
    assert running.realized == [0, 0, -2, -2]
    assert running.cost == [-30, -30, -20, -20]
    assert match([99], [0], cost_basis=cost_basis).position == [0]


def test_a_fee_in_base_is_a_delta_of_minus_the_fee() -> None:
    # in thousandths: a buy of 1 with a fee of 0.001 leaves 0.999, a sale of 1 leaves -1.001
    assert match([7, 7], [1000, -1], cost_basis="fifo").position == [1000, 999]
    assert match([7, 7], [-1000, -1], cost_basis="fifo").position == [-1000, -1001]


@pytest.mark.parametrize(
    ("first", "second", "part"),
    # cost of one of two units: 5/2 to 2, 7/2 to 4, and of a short -5/2 to -2, -7/2 to -4
    [((2, 1), (3, 1), 2), ((3, 1), (4, 1), 4), ((2, -1), (3, -1), -2), ((3, -1), (4, -1), -4)],
)
def test_average_rounds_a_part_half_to_even(first: tuple[int, int], second: tuple[int, int], part: int) -> None:
    (v1, d1), (v2, d2) = first, second
    running = match([v1, v2, 10], [d1, d2, -d1], cost_basis="average")
    assert running.cost[-1] == v1 * d1 + v2 * d2 - part
    assert running.realized[-1] == 10 * d1 - part


@REPEATABLE
@given(FILLS)
def test_fifo_pairs_the_units_in_order(fills: list[tuple[int, int]]) -> None:
    values, deltas = (list(column) for column in zip(*fills, strict=True))
    running = match(values, deltas, cost_basis="fifo")
    for end in range(1, len(fills) + 1):
        assert running.realized[end - 1] == units_bought_and_sold(values[:end], deltas[:end])


def test_fifo_pairs_the_units_of_a_long_session() -> None:
    random = np.random.default_rng(3)
    values = (6_000_000 + np.cumsum(random.integers(-5, 6, 20_000))).tolist()
    deltas = (random.integers(1, 30, 20_000) * random.choice([-1, 1], 20_000)).tolist()
    assert match(values, deltas, cost_basis="fifo").realized[-1] == units_bought_and_sold(values, deltas)


@REPEATABLE
@given(FILLS, st.sampled_from(BASES), st.one_of(st.none(), st.tuples(st.integers(-9, 9), st.integers(-99, 99))))
def test_no_gain_is_made_or_lost(
    fills: list[tuple[int, int]], cost_basis: str, opening: tuple[int, int] | None
) -> None:
    values, deltas = (list(column) for column in zip(*fills, strict=True))
    running = match(values, deltas, cost_basis=cost_basis, opening=opening)
    position, paid = opening or (0, 0)
    paid *= position
    for row, (value, delta) in enumerate(fills):
        position, paid = position + delta, paid + value * delta
        assert running.position[row] == position
        assert running.realized[row] - running.cost[row] == -paid
        assert position != 0 or running.cost[row] == 0


@REPEATABLE
@given(FILLS)
def test_average_is_off_by_half_a_unit_for_each_reducing_fill(fills: list[tuple[int, int]]) -> None:
    values, deltas = (list(column) for column in zip(*fills, strict=True))
    running = match(values, deltas, cost_basis="average")
    position, cost, realized, reduced = 0, Fraction(0), Fraction(0), 0
    for row, (value, delta) in enumerate(fills):
        closed = min(abs(delta), abs(position)) if position * delta < 0 else 0
        if closed:
            average = cost / position
            direction = 1 if position > 0 else -1
            realized += (value - average) * closed * direction
            cost -= average * closed * direction
            reduced += 1
        opened = delta + closed if delta < 0 else delta - closed
        cost += value * opened
        position += delta
        assert abs(running.cost[row] - cost) <= Fraction(reduced, 2)
        assert running.realized[row] - realized == running.cost[row] - cost


@REPEATABLE
@given(FILLS, st.sampled_from(BASES), st.integers(1, 10**30))
def test_any_size_of_integer_is_exact(fills: list[tuple[int, int]], cost_basis: str, by: int) -> None:
    values, deltas = (list(column) for column in zip(*fills, strict=True))
    large = match([value * by * 10**30 for value in values], deltas, cost_basis=cost_basis)
    if cost_basis != "average":
        small = match(values, deltas, cost_basis=cost_basis)
        assert large.realized == [each * by * 10**30 for each in small.realized]
        assert large.cost == [each * by * 10**30 for each in small.cost]
    paid = sum(value * delta for value, delta in fills) * by * 10**30
    assert large.realized[-1] - large.cost[-1] == -paid


@REPEATABLE
@given(FILLS, st.sampled_from(["fifo", "average"]), st.integers(0, 39), st.integers(0, 20))
def test_splitting_a_fill_at_its_value_does_not_matter(
    fills: list[tuple[int, int]], cost_basis: str, at: int, part: int
) -> None:
    values, deltas = (list(column) for column in zip(*fills, strict=True))
    at %= len(fills)
    first = min(part, abs(deltas[at])) * (1 if deltas[at] > 0 else -1)
    guard = 10**30 if cost_basis == "average" else 1
    scaled = [value * guard for value in values]
    whole = match(scaled, deltas, cost_basis=cost_basis)
    split = match(
        [*scaled[: at + 1], *scaled[at:]],
        [*deltas[:at], first, deltas[at] - first, *deltas[at + 1 :]],
        cost_basis=cost_basis,
    )
    assert split.position[-1] == whole.position[-1]
    assert abs(split.realized[-1] - whole.realized[-1]) <= (0 if guard == 1 else len(fills) + 1)


def test_refused() -> None:
    with pytest.raises(Undefined, match="hifo"):
        match([1], [1], cost_basis="hifo")
    with pytest.raises(ValueError, match="shorter"):
        match([1, 2], [1], cost_basis="fifo")
    with pytest.raises(TypeError):
        match([1.5], [1], cost_basis="fifo")
    with pytest.raises(TypeError):
        match([1], np.array([1.0]), cost_basis="average")
