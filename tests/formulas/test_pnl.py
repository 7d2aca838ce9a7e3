"""What is particular to P&L: lots, flips, contract kinds, conservation."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmverify.errors import Undefined
from mmverify.formulas.pnl import (
    notional,
    notional_exact,
    position_exact,
    realized_pnl,
    realized_pnl_exact,
    unrealized_pnl,
    unrealized_pnl_exact,
)

U = Fraction(1, 2**53)
REPEATABLE = settings(derandomize=True, deadline=None, max_examples=150)
SIDE = st.sampled_from(["buy", "sell"])
PRICE = st.integers(1, 10**7).map(lambda ticks: Fraction(ticks, 100))
QTY = st.integers(0, 50).map(lambda lots: Fraction(lots, 8))
FILLS = st.lists(st.tuples(SIDE, PRICE, QTY), min_size=1, max_size=16)
BASIS = st.sampled_from(["fifo", "lifo", "average"])
KIND = st.sampled_from(["spot", "linear", "inverse", "quanto"])
FLOAT = st.floats(1e-6, 1e8)
OTHER = {"buy": "sell", "sell": "buy"}

LADDER = [("buy", 100, 1), ("buy", 110, 1), ("buy", 130, 2), ("sell", 120, 2)]


@pytest.mark.parametrize(
    ("cost_basis", "realized", "avg_px", "lots"),
    [
        # 120 - 100 + 120 - 110 = 30; 2 left at 130
        ("fifo", 30, 130, ((2, 130),)),
        # 2 x (120 - 130) = -20; 1 at 100 and 1 at 110 left
        ("lifo", -20, 105, ((1, 100), (1, 110))),
        # average (100 + 110 + 260)/4 = 117.5; 2 x (120 - 117.5) = 5
        ("average", 5, Fraction("117.5"), ((2, Fraction("117.5")),)),
    ],
)
def test_each_cost_basis_worked_by_hand(
    cost_basis: str, realized: int, avg_px: Fraction, lots: tuple[tuple[int, Fraction], ...]
) -> None:
    state = position_exact(LADDER, cost_basis=cost_basis, kind="linear", multiplier=1)[-1]
    assert (state.qty, state.avg_px, state.realized, state.lots) == (2, avg_px, realized, lots)
    assert realized_pnl(LADDER, cost_basis=cost_basis, kind="linear", multiplier=1) == realized


@pytest.mark.parametrize("cost_basis", ["fifo", "lifo", "average"])
def test_flip_closes_the_old_side_and_opens_the_rest_at_the_fill(cost_basis: str) -> None:
    # long 2 at 10, sell 5 at 12: 2 x 2 = 4, short 3 at 12; buy 3 at 11: 3 x 1 = 3.
    fills = [("buy", 10, 2), ("sell", 12, 5), ("buy", 11, 3)]
    states = position_exact(fills, cost_basis=cost_basis, kind="linear", multiplier=1)
    assert [(state.qty, state.avg_px, state.realized) for state in states] == [(2, 10, 0), (-3, 12, 4), (0, None, 7)]
    assert states[-1].lots == ()
    assert all(isinstance(number, Fraction) for state in states for number in (state.qty, state.realized))
    assert realized_pnl(fills, cost_basis=cost_basis, kind="linear", multiplier=1) == 7


@pytest.mark.parametrize("cost_basis", ["fifo", "lifo", "average"])
def test_inverse_is_settled_in_coin_by_reciprocals(cost_basis: str) -> None:
    # 10000 x (1/40000 - 1/50000) = 0.25 - 0.2; multiplier 10
    fills = [("buy", 40_000, 10_000), ("sell", 50_000, 10_000)]
    assert realized_pnl_exact(fills, cost_basis=cost_basis, kind="inverse", multiplier=10) == Fraction("0.5")
    mirrored = [(OTHER[side], price, qty) for side, price, qty in fills]
    assert realized_pnl_exact(mirrored, cost_basis=cost_basis, kind="inverse", multiplier=10) == Fraction("-0.5")


def test_inverse_average_price_is_harmonic() -> None:
    # (1000 + 3000) / (1000/4000 + 3000/6000) = 4000/0.75; not the arithmetic 5500
    for cost_basis in ("fifo", "average"):
        fills = [("buy", 4000, 1000), ("buy", 6000, 3000)]
        state = position_exact(fills, cost_basis=cost_basis, kind="inverse", multiplier=1)[-1]
        assert state.avg_px == Fraction(16_000, 3)
    # closing 2000 at 8000 from the average: 2000 x (0.75/4000 - 1/8000) = 0.375 - 0.25
    closed = [*fills, ("sell", 8000, 2000)]
    assert realized_pnl_exact(closed, cost_basis="average", kind="inverse", multiplier=1) == Fraction("0.125")


def test_adding_after_a_partial_close_averages_what_remains() -> None:
    # 4 at 10; sell 3 at 12: 6; buy 1 at 20: average (10 + 20)/2
    fills = [("buy", 10, 4), ("sell", 12, 3), ("buy", 20, 1)]
    state = position_exact(fills, cost_basis="average", kind="linear", multiplier=1)[-1]
    assert (state.realized, state.avg_px) == (6, 15)


def test_linear_fills_of_decimals_are_exact() -> None:
    # 0.1 + 0.2 is no float; 0.3 x (0.7 - 0.1) = 0.18
    fills = [("buy", Decimal("0.1"), "0.1"), ("buy", "0.1", Decimal("0.2")), ("sell", "0.7", "0.3")]
    for cost_basis in ("fifo", "lifo"):
        assert realized_pnl(fills, cost_basis=cost_basis, kind="linear", multiplier="1") == Fraction("0.18")


def test_no_fills_realize_nothing() -> None:
    assert realized_pnl([], cost_basis="fifo", kind="inverse", multiplier=1) == 0
    assert realized_pnl_exact([], cost_basis="fifo", kind="inverse", multiplier=1) == 0


@REPEATABLE
@given(FILLS, BASIS, KIND, st.sampled_from(["1", "0.01", "7/3"]))
def test_kernel_is_within_its_bound(fills: list[tuple[str, Fraction, Fraction]], basis: str, kind: str, m: str) -> None:
    exact = realized_pnl_exact(fills, cost_basis=basis, kind=kind, multiplier=m)
    fast = realized_pnl(fills, cost_basis=basis, kind=kind, multiplier=m)
    if basis != "average" and kind != "inverse":
        assert fast == exact
    traded = sum(notional_exact(price, qty, kind=kind, multiplier=m) for _, price, qty in fills)
    assert abs(fast - exact) <= traded / 10**39


@REPEATABLE
@given(FILLS, KIND, PRICE)
def test_realized_plus_unrealized_is_the_same_by_every_cost_basis(
    fills: list[tuple[str, Fraction, Fraction]], kind: str, price: Fraction
) -> None:
    totals = set()
    for cost_basis in ("fifo", "lifo", "average"):
        last = position_exact(fills, cost_basis=cost_basis, kind=kind, multiplier=3)[-1]
        open_pnl = unrealized_pnl_exact(last.qty, last.avg_px, price, kind=kind, multiplier=3)
        totals.add(last.realized + open_pnl)
        assert last.qty == sum(held for held, _ in last.lots)
    assert len(totals) == 1


@REPEATABLE
@given(FILLS, BASIS, KIND, st.integers(0, 15), st.fractions(0, 1))
def test_splitting_a_fill_at_its_price_does_not_matter(
    fills: list[tuple[str, Fraction, Fraction]], basis: str, kind: str, at: int, share: Fraction
) -> None:
    at %= len(fills)
    side, price, qty = fills[at]
    split = [*fills[:at], (side, price, qty * share), (side, price, qty * (1 - share)), *fills[at + 1 :]]
    whole = realized_pnl_exact(fills, cost_basis=basis, kind=kind, multiplier=1)
    assert realized_pnl_exact(split, cost_basis=basis, kind=kind, multiplier=1) == whole


@REPEATABLE
@given(FILLS, BASIS, KIND)
def test_mirrored_sides_turn_the_sign(fills: list[tuple[str, Fraction, Fraction]], basis: str, kind: str) -> None:
    mirrored = [(OTHER[side], price, qty) for side, price, qty in fills]
    states = position_exact(fills, cost_basis=basis, kind=kind, multiplier=1)
    for one, other in zip(states, position_exact(mirrored, cost_basis=basis, kind=kind, multiplier=1), strict=True):
        assert (one.qty, one.avg_px, one.realized) == (-other.qty, other.avg_px, -other.realized)


@REPEATABLE
@given(FILLS, BASIS, KIND, st.integers(2, 1000))
def test_scaling_prices_scales_linear_and_divides_inverse(
    fills: list[tuple[str, Fraction, Fraction]], basis: str, kind: str, by: int
) -> None:
    scaled = [(side, price * by, qty) for side, price, qty in fills]
    realized = realized_pnl_exact(fills, cost_basis=basis, kind=kind, multiplier=1)
    expected = realized / by if kind == "inverse" else realized * by
    assert realized_pnl_exact(scaled, cost_basis=basis, kind=kind, multiplier=1) == expected


def test_unrealized_worked_by_hand() -> None:
    # long 3 from 10 to 12; short; inverse 100 x (1/4 - 1/5) = 5; multiplier
    assert unrealized_pnl_exact(3, 10, 12, kind="linear", multiplier=2) == 12
    assert unrealized_pnl_exact(-3, 10, 12, kind="quanto", multiplier=2) == -12
    assert unrealized_pnl_exact(100, 4, 5, kind="inverse", multiplier=1) == 5
    values = unrealized_pnl([3, -3, 0, 0], [10, 10, np.nan, 0], [12, 12, 12, 12], kind="spot", multiplier=2.0)
    assert values.tolist() == [12.0, -12.0, 0.0, 0.0]


def test_flat_position_has_no_unrealized_whatever_its_average() -> None:
    for avg_px in (None, 0, -1, "7"):
        assert unrealized_pnl_exact(0, avg_px, 5, kind="inverse", multiplier=1) == 0


def test_nothing_is_worth_nothing() -> None:
    assert notional([5, 7], [0, 2], kind="linear", multiplier=3).tolist() == [0.0, 42.0]
    assert notional(5, 0, kind="inverse", multiplier=3) == notional_exact(5, 0, kind="inverse", multiplier=3) == 0


def test_one_bad_row_spoils_an_array() -> None:
    with pytest.raises(Undefined):
        unrealized_pnl([1, 1], [10, np.nan], [12, 12], kind="linear", multiplier=1)
    with pytest.raises(Undefined):
        notional([5, 0], [1, 1], kind="inverse", multiplier=1)
    with pytest.raises(Undefined, match="does not fit a float"):
        notional([1e300], [1e300], kind="linear", multiplier=1)


@REPEATABLE
@given(st.lists(st.tuples(FLOAT, FLOAT, FLOAT, SIDE), min_size=1, max_size=8), KIND, FLOAT)
def test_float_kernels_are_within_their_bounds(
    rows: list[tuple[float, float, float, str]], kind: str, multiplier: float
) -> None:
    price, qty, entry, side = zip(*rows, strict=True)
    signed = [each if way == "buy" else -each for each, way in zip(qty, side, strict=True)]
    worth = notional(price, qty, kind=kind, multiplier=multiplier)
    pnl = unrealized_pnl(signed, entry, price, kind=kind, multiplier=multiplier)
    for row, (p, q, e) in enumerate(zip(price, signed, entry, strict=True)):
        exact = notional_exact(p, abs(q), kind=kind, multiplier=multiplier)
        assert abs(Fraction(float(worth[row])) - exact) <= 3 * U * exact
        gain = unrealized_pnl_exact(q, e, p, kind=kind, multiplier=multiplier)
        assert abs(Fraction(float(pnl[row])) - gain) <= 6 * U * abs(gain)


def test_a_tick_of_gain_on_an_inverse_contract_keeps_its_digits() -> None:
    # 100 x (1/60000 - 1/60000.5) = 100 x 0.5 / (60000 x 60000.5) = 50 / 3600030000
    value = float(unrealized_pnl(100, 60_000, 60_000.5, kind="inverse", multiplier=1))
    assert abs(Fraction(value) - Fraction(50, 3_600_030_000)) <= 6 * U * Fraction(50, 3_600_030_000)
