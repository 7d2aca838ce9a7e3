r"""Realized and unrealized P&L, and the notional that both are made of.

.. math::

    \text{linear:} \quad (p_\text{exit} - p_\text{entry}) \, q \, d \, m \qquad
    \text{inverse:} \quad (1/p_\text{entry} - 1/p_\text{exit}) \, q \, d \, m

with quantity q, direction d (+1 long, -1 short) and multiplier m; notional p q m (linear), q m / p (inverse). ``spot``
and ``quanto`` have the linear shape; a quanto multiplier is in the settlement coin. An inverse contract is settled in
base, its average price is harmonic: sum(q) / sum(q / p).

A fill against the position closes lots, the oldest (``fifo``), the newest (``lifo``) or all of them at their mean price
(``average``); what is left of it opens a lot at the fill's price, on the other side. Fees and funding are left out.
Undefined, and an error: a price or multiplier at or below 0, a negative quantity, a NaN, an unknown side, kind or cost
basis. A flat position has unrealized 0, whatever its average price. Realized plus unrealized does not depend on the
cost basis, nor realized on how a fill is split at its price.

References
----------
BitMEX, "Perpetual Contracts Guide"; Bybit, "P&L calculations (inverse contract)"; Recap, "Cost basis methods".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import lcm

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmverify.errors import Undefined
from mmverify.formulas import KINDS, Example, Formula, Number, rational
from mmverify.replay.lots import match

GUARD_DIGITS = 40

Fill = tuple[str, Number, Number]


@dataclass(frozen=True)
class PositionState:
    """A position after a fill.

    Attributes
    ----------
    qty : Fraction
        Signed, long > 0. [base or contracts]
    avg_px : Fraction or None
        Average price of the open lots, harmonic for an inverse contract, None when flat. [quote/base]
    realized : Fraction
        P&L realized so far. [quote, or base if inverse, or the settlement coin if quanto]
    lots : tuple[tuple[Fraction, Fraction], ...]
        Signed quantity and price of each open lot, the oldest first.
    """

    qty: Fraction
    avg_px: Fraction | None
    realized: Fraction
    lots: tuple[tuple[Fraction, Fraction], ...]


def notional_exact(price: Number, qty: Number, *, kind: str, multiplier: Number) -> Fraction:
    """Compute the notional by its definition.

    Parameters
    ----------
    price : Number
        Price, > 0. [quote/base]
    qty : Number
        Quantity, >= 0. [base or contracts]
    kind : {"spot", "linear", "inverse", "quanto"}
        The contract.
    multiplier : Number
        Size of a contract, > 0.

    Returns
    -------
    Fraction
        price x qty x multiplier, inverse qty x multiplier / price. [quote; base if inverse]

    Raises
    ------
    Undefined
        If an input is outside its domain.
    """
    p, q, m = rational(price), rational(qty), rational(multiplier)
    if kind not in KINDS or p <= 0 or q < 0 or m <= 0:
        raise Undefined(f"{kind} notional of price {p}, quantity {q}, multiplier {m} is not defined")
    return q * m / p if kind == "inverse" else p * q * m


def unrealized_pnl_exact(
    qty: Number, avg_px: Number | None, price: Number, *, kind: str, multiplier: Number
) -> Fraction:
    """Compute the unrealized P&L by its definition.

    Parameters
    ----------
    qty : Number
        Position, signed, long > 0. [base or contracts]
    avg_px : Number or None
        Its average entry price, > 0; not looked at when flat. [quote/base]
    price : Number
        The price that it is valued at, > 0. [quote/base]
    kind : {"spot", "linear", "inverse", "quanto"}
        The contract.
    multiplier : Number
        Size of a contract, > 0.

    Returns
    -------
    Fraction
        Unrealized P&L, a gain > 0. [quote; base if inverse]

    Raises
    ------
    Undefined
        If an input is outside its domain.
    """
    q, p, m = rational(qty), rational(price), rational(multiplier)
    if kind not in KINDS or p <= 0 or m <= 0:
        raise Undefined(f"{kind} P&L at price {p} with multiplier {m} is not defined")
    if q == 0 or avg_px is None:
        if q != 0:
            raise Undefined(f"P&L of a position of {q} without a price is not defined")
        return Fraction(0)
    entry = rational(avg_px)
    if entry <= 0:
        raise Undefined(f"P&L of a position at {entry} is not defined")
    return (1 / entry - 1 / p) * q * m if kind == "inverse" else (p - entry) * q * m


def position_exact(fills: Sequence[Fill], *, cost_basis: str, kind: str, multiplier: Number) -> list[PositionState]:
    """Book fills into an explicit queue of lots.

    Parameters
    ----------
    fills : Sequence[tuple[str, Number, Number]], length n
        Side (``buy`` or ``sell``), price > 0 [quote/base], quantity >= 0 [base or contracts], in booking order.
    cost_basis : {"fifo", "lifo", "average"}
        Which lot a closing fill takes.
    kind : {"spot", "linear", "inverse", "quanto"}
        The contract.
    multiplier : Number
        Size of a contract, > 0.

    Returns
    -------
    list[PositionState], length n
        The position after each fill, exact.

    Raises
    ------
    Undefined
        If an input is outside its domain.
    """
    m = rational(multiplier)
    if cost_basis not in ("fifo", "lifo", "average") or kind not in KINDS or m <= 0:
        raise Undefined(f"{kind} P&L by {cost_basis} with multiplier {m} is not defined")
    lots: list[tuple[Fraction, Fraction]] = []
    realized = Fraction(0)
    states = []
    for side, price, qty in fills:
        exit_px, left = rational(price), rational(qty)
        if side not in ("buy", "sell") or exit_px <= 0 or left < 0:
            raise Undefined(f"a fill of side {side!r}, price {exit_px}, quantity {left} is not defined")
        fill_direction = 1 if side == "buy" else -1
        while left > 0 and lots and lots[0][0] * fill_direction < 0:
            held, entry_px = lots.pop(-1 if cost_basis == "lifo" else 0)
            direction = -fill_direction
            closed = min(abs(held), left)
            if kind == "inverse":
                realized += (1 / entry_px - 1 / exit_px) * closed * direction * m
            else:
                realized += (exit_px - entry_px) * closed * direction * m
            left -= closed
            if abs(held) > closed:
                rest = ((abs(held) - closed) * direction, entry_px)
                lots.insert(len(lots) if cost_basis == "lifo" else 0, rest)
        if left > 0:
            lots.append((left * fill_direction, exit_px))
        total = sum((held for held, _ in lots), Fraction(0))
        avg_px = None
        if lots and kind == "inverse":
            avg_px = total / sum(held / entry_px for held, entry_px in lots)
        elif lots:
            avg_px = sum(held * entry_px for held, entry_px in lots) / total
        if cost_basis == "average" and avg_px is not None:
            lots = [(total, avg_px)]
        states.append(PositionState(qty=total, avg_px=avg_px, realized=realized, lots=tuple(lots)))
    return states


def realized_pnl_exact(fills: Sequence[Fill], *, cost_basis: str, kind: str, multiplier: Number) -> Fraction:
    """Compute the realized P&L of fills, fees left out, from an explicit queue of lots.

    Parameters
    ----------
    fills : Sequence[tuple[str, Number, Number]], length n
        Side (``buy`` or ``sell``), price > 0 [quote/base], quantity >= 0 [base or contracts], in booking order.
    cost_basis : {"fifo", "lifo", "average"}
        Which lot a closing fill takes.
    kind : {"spot", "linear", "inverse", "quanto"}
        The contract.
    multiplier : Number
        Size of a contract, > 0.

    Returns
    -------
    Fraction
        Realized P&L, a gain > 0; of no fills 0. [quote; base if inverse]

    Raises
    ------
    Undefined
        If an input is outside its domain.
    """
    states = position_exact(fills, cost_basis=cost_basis, kind=kind, multiplier=multiplier)
    return states[-1].realized if states else Fraction(0)


def notional(price: ArrayLike, qty: ArrayLike, *, kind: str, multiplier: float) -> NDArray[np.float64]:
    """Compute the notional of arrays.

    Parameters
    ----------
    price : array_like of float
        Prices, > 0. [quote/base]
    qty : array_like of float
        Quantities, >= 0. [base or contracts]
    kind : {"spot", "linear", "inverse", "quanto"}
        The contract.
    multiplier : float
        Size of a contract, > 0.

    Returns
    -------
    ndarray of float64
        Of the shape that the inputs broadcast to (0-d for numbers), within 3 u of its own size of the exact notional,
        u = 2**-53. [quote; base if inverse]

    Raises
    ------
    Undefined
        If an input is outside its domain or the result does not fit a float.
    """
    p, q = np.asarray(price, dtype=np.float64), np.asarray(qty, dtype=np.float64)
    if kind not in KINDS or not (((p > 0) & (p < np.inf)).all() and (q >= 0).all() and multiplier > 0):
        raise Undefined(f"{kind} notional needs prices and a multiplier above 0, quantities not below 0")
    with np.errstate(over="ignore", invalid="ignore"):
        value = q * multiplier / p if kind == "inverse" else p * q * multiplier
    return _finite(value)


def unrealized_pnl(
    qty: ArrayLike, avg_px: ArrayLike, price: ArrayLike, *, kind: str, multiplier: float
) -> NDArray[np.float64]:
    """Compute the unrealized P&L of arrays, from the difference of the two prices.

    Parameters
    ----------
    qty : array_like of float
        Positions, signed, long > 0. [base or contracts]
    avg_px : array_like of float
        Their average entry prices, > 0; not looked at (NaN or 0 will do) where flat. [quote/base]
    price : array_like of float
        The prices that they are valued at, > 0. [quote/base]
    kind : {"spot", "linear", "inverse", "quanto"}
        The contract.
    multiplier : float
        Size of a contract, > 0.

    Returns
    -------
    ndarray of float64
        Of the shape that the inputs broadcast to (0-d for numbers), within 6 u of its own size of the exact P&L,
        u = 2**-53, short of float underflow. [quote; base if inverse]

    Raises
    ------
    Undefined
        If an input is outside its domain or the result does not fit a float.
    """
    q, p = np.asarray(qty, dtype=np.float64), np.asarray(price, dtype=np.float64)
    entry = np.where(q == 0, 1.0, np.asarray(avg_px, dtype=np.float64))
    if kind not in KINDS or not ((p > 0).all() and (entry > 0).all() and np.isfinite(q).all() and multiplier > 0):
        raise Undefined(f"{kind} P&L needs prices and a multiplier above 0")
    with np.errstate(over="ignore", invalid="ignore"):
        moved = (p - entry) / entry / p if kind == "inverse" else p - entry
        value = moved * q * multiplier
    return _finite(value)


def _finite(value: NDArray[np.float64]) -> NDArray[np.float64]:
    if not np.isfinite(value).all():
        raise Undefined("an amount does not fit a float")
    return np.asarray(value)


def realized_pnl(fills: Sequence[Fill], *, cost_basis: str, kind: str, multiplier: Number) -> Fraction:
    """Compute the realized P&L of fills, fees left out, by matching scaled integers.

    Parameters
    ----------
    fills : Sequence[tuple[str, Number, Number]], length n
        Side (``buy`` or ``sell``), price > 0 [quote/base], quantity >= 0 [base or contracts], in booking order.
    cost_basis : {"fifo", "lifo", "average"}
        Which lot a closing fill takes.
    kind : {"spot", "linear", "inverse", "quanto"}
        The contract.
    multiplier : Number
        Size of a contract, > 0.

    Returns
    -------
    Fraction
        Realized P&L, a gain > 0; of no fills 0. Exact for fifo and lifo unless inverse, else within 1e-39 of the
        notional of all fills. [quote; base if inverse]

    Raises
    ------
    Undefined
        If an input is outside its domain.
    """
    if cost_basis not in ("fifo", "lifo", "average") or kind not in KINDS:
        raise Undefined(f"{kind} P&L by {cost_basis} is not defined")
    signs = {"buy": 1, "sell": -1}
    prices = [_ratio(price) for _, price, _ in fills]
    qtys = [_ratio(qty) for _, _, qty in fills]
    size = _ratio(multiplier)
    if size[0] <= 0 or any(top <= 0 for top, _ in prices) or any(top < 0 for top, _ in qtys):
        raise Undefined("P&L needs prices and a multiplier above 0, quantities not below 0")
    if any(side not in signs for side, _, _ in fills):
        raise Undefined("P&L needs sides buy and sell")
    qty_scale = lcm(*(bottom for _, bottom in qtys))
    deltas = [
        signs[side] * top * (qty_scale // bottom) for (side, _, _), (top, bottom) in zip(fills, qtys, strict=True)
    ]
    if kind == "inverse":
        value_scale = 10 ** (GUARD_DIGITS + max((len(str(top // bottom)) for top, bottom in prices), default=0))
        values = [-(value_scale * bottom) // top for top, bottom in prices]
    else:
        guard = 10**GUARD_DIGITS if cost_basis == "average" else 1
        value_scale = guard * lcm(*(bottom for _, bottom in prices))
        values = [top * (value_scale // bottom) for top, bottom in prices]
    realized = match(values, deltas, cost_basis=cost_basis).realized
    return Fraction(realized[-1] * size[0], value_scale * qty_scale * size[1]) if realized else Fraction(0)


def _ratio(value: Number) -> tuple[int, int]:
    """Return numerator and denominator of a number."""
    try:
        return (Fraction(value) if isinstance(value, str) else value).as_integer_ratio()
    except (AttributeError, ValueError, ArithmeticError) as error:
        raise Undefined(f"{value!r} is not a finite number") from error


NOTIONAL = Formula(
    name="notional",
    tex=r"N = p \, q \, m \quad\text{(inverse: } q \, m / p \text{)}",
    units={
        "price": "quote/base",
        "qty": "base (inverse: quote)",
        "multiplier": "1",
        "return": "quote (inverse: base)",
    },
    exact=notional_exact,
    fast=notional,
    error_bound="3 u relative, u = 2**-53",
    items=("5.1.4",),
    example=Example(
        text="2500 inverse contracts of 1 USD at 50000 USD a coin.",
        inputs={"price": 50000, "qty": 2500, "kind": "inverse", "multiplier": 1},
        steps=("notional = q x m / p = 2500 x 1 / 50000 = 0.05",),
        result="0.05",
    ),
)

UNREALIZED_PNL = Formula(
    name="unrealized_pnl",
    tex=r"U = (p - \bar p) \, q \, m \quad\text{(inverse: } (1/\bar p - 1/p) \, q \, m \text{), } q \text{ signed}",
    units={
        "qty": "base (inverse: quote)",
        "avg_px": "quote/base",
        "price": "quote/base",
        "multiplier": "1",
        "return": "quote (inverse: base)",
    },
    exact=unrealized_pnl_exact,
    fast=unrealized_pnl,
    error_bound="6 u relative, u = 2**-53",
    items=("1.3.2",),
    example=Example(
        text="Short 2 at 101.5, marked at 100.25.",
        inputs={"qty": -2, "avg_px": "101.5", "price": "100.25", "kind": "linear", "multiplier": 1},
        steps=("(price - avg_px) x qty x m = (100.25 - 101.5) x (-2) x 1 = -1.25 x (-2) = 2.5",),
        result="2.5",
    ),
)

REALIZED_PNL = Formula(
    name="realized_pnl",
    tex=r"R = \sum_\text{closed} (p_\text{exit} - p_\text{entry}) \, q \, d \, m"
    r" \quad\text{(inverse: } (1/p_\text{entry} - 1/p_\text{exit}) \, q \, d \, m \text{)}",
    units={"fills": "(side, quote/base, base (inverse: quote))", "multiplier": "1", "return": "quote (inverse: base)"},
    exact=realized_pnl_exact,
    fast=realized_pnl,
    error_bound="exact for fifo and lifo unless inverse, else 1e-39 of the notional of all fills",
    items=("1.3.1", "1.3.4"),
    example=Example(
        text="Two buys, then a sale of more than both: the first lot, the second, and 1 left that opens a short.",
        inputs={
            "fills": [("buy", "100.1", 2), ("buy", "100.4", 3), ("sell", "101", 6)],
            "cost_basis": "fifo",
            "kind": "linear",
            "multiplier": 1,
        },
        steps=(
            "first lot: (101 - 100.1) x 2 x 1 x 1 = 0.9 x 2 = 1.8",
            "second lot: (101 - 100.4) x 3 x 1 x 1 = 0.6 x 3 = 1.8",
            "left: 6 - 2 - 3 = 1, a short of 1 at 101 with nothing realized",
            "realized = 1.8 + 1.8 = 3.6",
        ),
        result="3.6",
    ),
)
