"""The position: stories worked by hand, and random histories against the oracle of the formulas."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from mmverify.errors import Undefined
from mmverify.formulas.pnl import position_exact
from mmverify.replay.position import Position

BASES = ["fifo", "lifo", "average"]
KINDS = ["spot", "linear", "inverse", "quanto"]
SIDE = st.sampled_from(["buy", "sell"])
PRICE = st.integers(1, 10**6).map(lambda ticks: Decimal(ticks) / 100)
QTY = st.integers(1, 40).map(lambda lots: Decimal(lots) / 8)
FEE = st.integers(-100, 100).map(lambda cents: Decimal(cents) / 100)


def booked(
    fills: list[tuple[str, Any, Any]], kind: str = "linear", cost_basis: str = "fifo", size: Any = 1
) -> Position:
    position = Position(kind, size, cost_basis)
    for number, (side, price, qty) in enumerate(fills):
        position.fill(f"E{number}", side, price, qty, 0)
    return position


def seen(position: Position) -> tuple[Any, ...]:
    return position.qty, position.avg_px, position.realized, position.fees


@pytest.mark.parametrize(
    ("cost_basis", "avg_px", "realized"),
    # sell 2 of 1 at 100, 1 at 110, 2 at 130, all at 120: 20 + 10; 2 x -10; 2 x (120 - 117.5)
    [("fifo", 130, 30), ("lifo", 105, -20), ("average", Fraction("117.5"), 5)],
)
@pytest.mark.parametrize("kind", ["spot", "linear", "quanto"])
def test_each_cost_basis_worked_by_hand(cost_basis: str, avg_px: Fraction, realized: int, kind: str) -> None:
    ladder = [("buy", 100, 1), ("buy", 110, 1), ("buy", 130, 2), ("sell", 120, 2)]
    assert seen(booked(ladder, kind, cost_basis)) == (2, avg_px, realized, 0)
    assert booked(ladder, kind, cost_basis, "0.001").realized == Fraction(realized, 1000)


@pytest.mark.parametrize("cost_basis", BASES)
def test_flat_long_flip_short_flat(cost_basis: str) -> None:
    position = Position("linear", 1, cost_basis)
    assert seen(position) == (0, None, 0, 0)
    position.fill("A", "buy", 10, 2, "0.02")
    assert seen(position) == (2, 10, 0, Fraction("0.02"))
    position.fill("B", "sell", 12, 5, "-0.01")  # closes 2, won 2 each; opens a short of 3 at 12
    assert seen(position) == (-3, 12, 4, Fraction("0.01"))
    position.fill("C", "buy", 13, 3, 0)  # lost 1 each
    assert seen(position) == (0, None, 1, Fraction("0.01"))


@pytest.mark.parametrize("cost_basis", BASES)
def test_a_lot_that_is_closed_to_the_last_is_gone(cost_basis: str) -> None:
    # a short of 2 at 10 is closed for nothing, opened anew, and half of it closed 6 below
    position = booked([("sell", 10, 2), ("buy", 10, 2), ("sell", 10, 2), ("buy", 4, 1)], cost_basis=cost_basis)
    assert seen(position) == (-1, 10, 6, 0)


def test_a_fill_delivered_twice_is_booked_once() -> None:
    position = booked([("buy", 100, 1)])
    before = seen(position)
    position.fill("E0", "buy", 100, 1, "0.5")
    position.fill("E0", "sell", 200, 7, "0.5")
    assert seen(position) == before == (1, 100, 0, 0)


@pytest.mark.parametrize(
    ("side", "price", "qty", "fee"),
    [
        ("bid", 100, 1, 0), ("buy", 0, 1, 0), ("buy", -1, 1, 0), ("buy", 100, 0, 0), ("sell", 100, -1, 0),
        ("buy", float("nan"), 1, 0), ("buy", 100, Decimal("NaN"), 0), ("buy", 100, 1, Decimal("sNaN")),
        ("buy", "inf", 1, 0), ("buy", None, 1, 0), ("buy", "ten", 1, 0),
    ],
)  # fmt: skip
def test_a_refused_fill_changes_nothing_and_may_be_sent_again(side: str, price: Any, qty: Any, fee: Any) -> None:
    position = booked([("sell", 100, 3)])
    before = seen(position)
    with pytest.raises(Undefined):
        position.fill("late", side, price, qty, fee)
    assert seen(position) == before
    position.fill("late", "buy", 90, 1, 1)
    assert seen(position) == (-2, 100, 10, 1)


@pytest.mark.parametrize("arguments", [("option", 1, "fifo"), ("linear", 0, "fifo"), ("linear", 1, "hifo")])
def test_a_position_in_nothing_known_is_refused(arguments: tuple[Any, ...]) -> None:
    with pytest.raises(Undefined):
        Position(*arguments)


@pytest.mark.parametrize("cost_basis", BASES)
def test_inverse_short_gains_coin_when_the_price_falls(cost_basis: str) -> None:
    # 10000 x 10 x (1/40000 - 1/50000) = 0.5
    short = [("sell", 50_000, 10_000), ("buy", 40_000, 10_000)]
    assert booked(short, "inverse", cost_basis, 10).realized == Fraction("0.5")


@pytest.mark.parametrize("cost_basis", BASES)
def test_inverse_average_price_is_harmonic(cost_basis: str) -> None:
    # 4000 / (1000/4000 + 3000/6000) = 16000/3, not the arithmetic 5500
    position = booked([("buy", 4000, 1000), ("buy", 6000, 3000)], "inverse", cost_basis)
    assert position.avg_px == Fraction(16_000, 3)


def test_three_tenths_in_floats_close_the_lot_of_three_tenths() -> None:
    position = booked([("buy", 0.1, 0.3), ("sell", 0.2, 0.1), ("sell", 0.2, 0.2)])
    assert seen(position) == (0, None, Fraction("0.03"), 0)


def test_averaging_leaves_no_fraction_behind_once_flat() -> None:
    fills = [("buy", "1.01", 3), ("buy", "1.02", 4), ("sell", "1.03", 5), ("buy", "1.07", 9), ("sell", "1.05", 11)]
    # 16 bought for 3.03 + 4.08 + 9.63 = 16.74, sold for 5.15 + 11.55 = 16.70
    assert booked(fills, "linear", "average").realized == Fraction("-0.04")


@given(st.lists(st.tuples(SIDE, PRICE, QTY), min_size=1, max_size=12), st.sampled_from(BASES), st.data())
@settings(max_examples=60)
def test_how_a_fill_is_split_does_not_matter(fills: list[Any], cost_basis: str, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(fills) - 1))
    side, price, qty = fills[at]
    split = [*fills[:at], (side, price, qty / 4), (side, price, qty * 3 / 4), *fills[at + 1 :]]
    assert seen(booked(split, "linear", cost_basis)) == seen(booked(fills, "linear", cost_basis))


class History(RuleBasedStateMachine):
    """Fills, repeats and refusals, by each cost basis; the state is the oracle's of the distinct fills."""

    @initialize(kind=st.sampled_from(KINDS), size=st.sampled_from([1, 10, Decimal("0.0001")]))
    def open(self, kind: str, size: Any) -> None:
        self.kind, self.size = kind, size
        self.positions = {basis: Position(kind, size, basis) for basis in BASES}
        self.reports: list[tuple[str, str, Decimal, Decimal, Decimal]] = []

    @rule(fills=st.lists(st.tuples(SIDE, PRICE, QTY, FEE), min_size=1, max_size=5))
    def fill(self, fills: list[tuple[str, Decimal, Decimal, Decimal]]) -> None:
        for fill in fills:
            self.reports.append((f"E{len(self.reports)}", *fill))
            for position in self.positions.values():
                position.fill(*self.reports[-1])
            self.compare()

    @rule(number=st.integers(0, 99), side=SIDE, price=PRICE, qty=QTY)
    def repeat(self, number: int, side: str, price: Decimal, qty: Decimal) -> None:
        if self.reports:
            for position in self.positions.values():
                position.fill(self.reports[number % len(self.reports)][0], side, price, qty, Decimal(1))

    @rule(price=PRICE, qty=QTY, wrong=st.sampled_from(["side", "price", "qty"]))
    def refuse(self, price: Decimal, qty: Decimal, wrong: str) -> None:
        side = "short" if wrong == "side" else "sell"
        for position in self.positions.values():
            with pytest.raises(Undefined):
                position.fill("X", side, -price if wrong == "price" else price, 0 if wrong == "qty" else qty, 1)

    @rule(price=PRICE)
    def close(self, price: Decimal) -> None:
        qty = sum((q if side == "buy" else -q for _, side, _, q, _ in self.reports), Decimal(0))
        if qty:
            self.fill([("sell" if qty > 0 else "buy", price, abs(qty), Decimal(0))])
            assert all(position.avg_px is None for position in self.positions.values())

    @invariant()
    def compare(self) -> None:
        fills = [report[1:4] for report in self.reports]
        fees = sum((Fraction(report[4]) for report in self.reports), Fraction(0))
        for basis, position in self.positions.items():
            states = position_exact(fills, cost_basis=basis, kind=self.kind, multiplier=self.size)
            last = states[-1] if states else None
            exact = (last.qty, last.avg_px, last.realized, fees) if last else (0, None, 0, 0)
            assert seen(position) == exact


TestHistory = History.TestCase
TestHistory.settings = settings(max_examples=60, stateful_step_count=12)
