"""What is particular to the liquidation price: it solves its equation, for each kind, side and convention."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmverify.errors import Undefined
from mmverify.formulas.liquidation import liquidation_price, liquidation_price_exact
from mmverify.formulas.pnl import notional_exact, unrealized_pnl_exact

U = Fraction(1, 2**53)
REPEATABLE = settings(derandomize=True, deadline=None, max_examples=250)
KIND = st.sampled_from(["spot", "linear", "inverse", "quanto"])
AT = st.sampled_from(["mark", "entry"])
MONEY = st.one_of(st.just(0.0), st.floats(1e-6, 1e8))
QTY = st.floats(1e-6, 1e6)
PRICE = st.floats(1e-6, 1e6)
RATE = st.one_of(st.just(0.0), st.floats(1e-6, 0.9))


@pytest.mark.parametrize(
    ("qty", "avg_px", "margin", "rate", "kind", "multiplier", "amount", "at", "expected"),
    [
        # linear, at the mark: (100 - 10)/(1 - 0.1); (100 + 10)/(1 + 0.1)
        (1, 100, 10, "0.1", "linear", 1, 0, "mark", 100),
        (-1, 100, 10, "0.1", "linear", 1, 0, "mark", 100),
        # (100 - 20/(2 x 0.5))/0.8 = 80/0.8; (100 + 20)/1.2
        (2, 100, 20, "0.2", "linear", "0.5", 0, "mark", 100),
        (-2, 100, 20, "0.2", "quanto", "0.5", 0, "mark", 100),
        # (20000 - 400)/0.995 would not end; with 2 % and 1960 margin: 18040/0.98, 21960/1.02
        (1, 20000, 1960, "0.02", "linear", 1, 0, "mark", "902000/49"),
        (-1, 20000, 1960, "0.02", "linear", 1, 0, "mark", "366000/17"),
        # a maintenance amount counts as margin
        (1, 20000, 1900, "0.02", "linear", 1, 60, "mark", "902000/49"),
        # linear, at the entry: 20000 x 1.005 - 400; 20000 x 0.995 + 400
        (1, 20000, 400, "0.005", "linear", 1, 0, "entry", 19700),
        (-1, 20000, 400, "0.005", "linear", 1, 0, "entry", 20300),
        # rate 0: bankruptcy, by either convention
        (1, 20000, 400, 0, "linear", 1, 0, "mark", 19600),
        (-1, 20000, 400, 0, "linear", 1, 0, "entry", 20400),
        # inverse, 100 contracts at 50: y = 0.02, c = 0.5/100 = 0.005
        # long, mark: 1.25/(0.02 + 0.005) = 50; short, mark: 0.75/(0.02 - 0.005) = 50
        (100, 50, "0.5", "0.25", "inverse", 1, 0, "mark", 50),
        (-100, 50, "0.5", "0.25", "inverse", 1, 0, "mark", 50),
        # long, mark, rate 0: 1/0.025 = 40; short 1/0.015
        (100, 50, "0.5", 0, "inverse", 1, 0, "mark", 40),
        (-100, 50, "0.5", 0, "inverse", 1, 0, "mark", "200/3"),
        # long, entry: 1/(0.02 x 0.75 + 0.005) = 50; short, entry: 1/(0.02 x 1.25 - 0.005) = 50
        (100, 50, "0.5", "0.25", "inverse", 1, 0, "entry", 50),
        (-100, 50, "0.5", "0.25", "inverse", 1, 0, "entry", 50),
        # with a multiplier of 10: c = 0.5/1000; 1.25/0.0205
        (100, 50, "0.3", "0.25", "inverse", 10, "0.2", "mark", "2500/41"),
        # no margin at all: beyond the entry already
        (1, 99, 0, "0.01", "linear", 1, 0, "mark", 100),
    ],
)
def test_prices_worked_by_hand(
    qty: str, avg_px: str, margin: str, rate: str, kind: str, multiplier: str, amount: str, at: str, expected: str
) -> None:
    exact = liquidation_price_exact(
        qty, avg_px, margin, rate, kind=kind, multiplier=multiplier, maintenance_amount=amount, maintenance_at=at
    )
    assert exact == Fraction(expected)
    fast = liquidation_price(
        *map(float, (qty, avg_px, margin, rate)),
        kind=kind,
        multiplier=float(multiplier),
        maintenance_amount=float(amount),
        maintenance_at=at,
    )
    assert abs(Fraction(float(fast)) - exact) <= exact / 2**45


@pytest.mark.parametrize(
    ("qty", "avg_px", "margin", "kind"),
    [
        (1, 100, 100, "linear"),  # a long that cannot lose its margin: 0 is no price
        (1, 100, 101, "linear"),
        (-100, 50, 2, "inverse"),  # 1/p = 0.02 - 2/100 = 0
        (-100, 50, 3, "inverse"),
        (0, 100, 10, "linear"),  # flat
        (0, None, 10, "inverse"),
    ],
)
@pytest.mark.parametrize("at", ["mark", "entry"])
def test_where_no_price_solves_it_there_is_none(qty: int, avg_px: int | None, margin: int, kind: str, at: str) -> None:
    conventions = {"kind": kind, "multiplier": 1, "maintenance_amount": 0, "maintenance_at": at}
    assert liquidation_price_exact(qty, avg_px, margin, 0, **conventions) is None
    assert np.isnan(liquidation_price(qty, avg_px, margin, 0, **conventions))


def test_arrays_hold_positions_of_both_sides_and_flat_ones() -> None:
    conventions = {"kind": "linear", "multiplier": 1, "maintenance_amount": 0, "maintenance_at": "entry"}
    prices = liquidation_price([1, -1, 0, 1], [20000, 20000, np.nan, 20000], 400, [0.0, 0.0, 0.0, 0.25], **conventions)
    # 20000 -/+ 400; none; 25000 - 400
    assert prices[[0, 1, 3]].tolist() == [19600.0, 20400.0, 24600.0]
    assert np.isnan(prices[2])
    with pytest.raises(Undefined):
        liquidation_price([1, 1], [100, np.nan], 10, 0, **conventions)


def test_what_does_not_fit_a_float_is_an_error() -> None:
    conventions = {"multiplier": 1, "maintenance_amount": 1e308, "maintenance_at": "mark"}
    with pytest.raises(Undefined, match="does not fit a float"):
        liquidation_price(-1, 100, 1.7e308, 0, kind="linear", **conventions)
    with pytest.raises(Undefined, match="does not fit a float"):
        liquidation_price(1, 1e-310, 0, 0, kind="inverse", **{**conventions, "maintenance_amount": 0})


@REPEATABLE
@given(QTY, st.booleans(), PRICE, MONEY, RATE, KIND, PRICE, MONEY, AT)
def test_it_solves_the_equation_and_the_kernel_is_within_its_bound(
    size: float,
    long: bool,
    avg_px: float,
    margin: float,
    rate: float,
    kind: str,
    multiplier: float,
    amount: float,
    at: str,
) -> None:
    qty = size if long else -size
    conventions = {"kind": kind, "multiplier": multiplier, "maintenance_amount": amount, "maintenance_at": at}
    price = liquidation_price_exact(qty, avg_px, margin, rate, **conventions)
    fast = float(liquidation_price(qty, avg_px, margin, rate, **conventions))

    entry = 1 / Fraction(avg_px) if kind == "inverse" else Fraction(avg_px)
    cover = (Fraction(margin) + Fraction(amount)) / (Fraction(size) * Fraction(multiplier))
    gains_upward = long != (kind == "inverse")
    first = entry if at == "mark" else entry * (1 + Fraction(rate) * (1 if gains_upward else -1))
    difference = first - cover if gains_upward else first + cover
    assert (price is None) == (difference <= 0)
    bound = 12 * U * (first + cover)
    if abs(difference) <= 2 * bound:
        return
    if price is None:
        assert np.isnan(fast)
        return
    assert abs(Fraction(fast) - price) <= bound / abs(difference) * price
    # margin + P&L = rate x notional - amount, from the formulas of P&L
    gain = unrealized_pnl_exact(qty, avg_px, price, kind=kind, multiplier=multiplier)
    held_at = price if at == "mark" else avg_px
    needed = Fraction(rate) * notional_exact(held_at, size, kind=kind, multiplier=multiplier) - Fraction(amount)
    assert Fraction(margin) + gain == needed


@REPEATABLE
@given(QTY, PRICE, st.floats(0, 1), RATE, KIND, AT, st.booleans(), st.integers(2, 1000))
def test_more_margin_moves_it_away_and_size_and_price_scale(
    size: float, avg_px: float, share: float, rate: float, kind: str, at: str, long: bool, by: int
) -> None:
    qty = Fraction(size) if long else -Fraction(size)
    worth = notional_exact(avg_px, size, kind=kind, multiplier=1)
    margin = Fraction(share) * worth / 2

    def price(qty: Fraction, avg_px: Fraction, margin: Fraction, multiplier: int = 1) -> Fraction | None:
        return liquidation_price_exact(
            qty, avg_px, margin, rate, kind=kind, multiplier=multiplier, maintenance_amount=0, maintenance_at=at
        )

    base, more = price(qty, Fraction(avg_px), margin), price(qty, Fraction(avg_px), margin + worth / 100)
    assert base is not None
    assert more is not None
    assert more < base if long else more > base
    assert price(qty * by, Fraction(avg_px), margin * by) == base
    assert price(qty, Fraction(avg_px), margin * by, by) == base
    money = margin / by if kind == "inverse" else margin * by
    assert price(qty, Fraction(avg_px) * by, money) == base * by


def test_an_inverse_price_beyond_the_largest_float_is_refused() -> None:
    # long, no margin: 1/p = (1/1e308) / (1 + 0.9), p = 1.9e308; the largest float is 1.797...e308
    terms = {"kind": "inverse", "multiplier": 1, "maintenance_amount": 0, "maintenance_at": "mark"}
    assert liquidation_price_exact(1, 10**308, 0, "0.9", **terms) == 19 * 10**307
    for qty in (1, 2):
        with pytest.raises(Undefined, match="does not fit a float"):
            liquidation_price(qty, 1e308, 0, 0.9, **terms)
