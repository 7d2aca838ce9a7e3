r"""Liquidation price of a position with its own margin.

.. math:: M + U(p) = r \, N - A

with margin M, unrealized P&L U, maintenance rate r, maintenance amount A, and the notional N at the liquidation price
itself (``maintenance_at = "mark"``) or at the average price (``"entry"``). Both are in use: Binance's tiers take the
mark, Bybit's isolated margin the entry.

Let e be the average price, d the direction (+1 long, -1 short), c = (M + A) / (|q| m). A linear contract has
U = d (p - e) |q| m and N = p |q| m; divided by |q| m the equation is c + d (p - e) = r p, or r e, and

.. math:: p = \frac{e - d c}{1 - d r} \;\text{(mark)}, \qquad p = e (1 + d r) - d c \;\text{(entry)}

An inverse contract has U = d (1/e - 1/p) |q| m and N = |q| m / p. In x = 1/p and y = 1/e that is the linear one with
the direction turned, since a long gains as x falls: x and y take the places of p and e, and -d that of d. A rate of 0
gives the bankruptcy price. None where no price above 0 solves it, as for a long with more margin than notional, or a
short inverse one; and for a flat position.

Undefined, and an error: an average price or multiplier at or below 0, a negative margin or maintenance amount, a rate
outside [0, 1), a NaN, an unknown kind or convention. The tier is the caller's to choose: that of the notional at the
result. It does not depend on the mark price of the moment, nor, with the margin, on how quantity and multiplier share
their product.

References
----------
Binance, "How to Calculate Liquidation Price of USD-M Futures Contracts"; Bybit, "Liquidation Price Calculation under
Isolated Mode" and "(Inverse Contract)".
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmverify.errors import Undefined
from mmverify.formulas import KINDS, Example, Formula, Number, rational


def liquidation_price_exact(
    qty: Number,
    avg_px: Number | None,
    margin: Number,
    maintenance_rate: Number,
    *,
    kind: str,
    multiplier: Number,
    maintenance_amount: Number,
    maintenance_at: str,
) -> Fraction | None:
    """Solve the equation for the price, from its two sides at two points.

    Parameters
    ----------
    qty : Number
        Position, signed, long > 0. [base or contracts]
    avg_px : Number or None
        Its average entry price, > 0; not looked at when flat. [quote/base]
    margin : Number
        Margin of the position, >= 0, unrealized P&L left out. [quote; base if inverse]
    maintenance_rate : Number
        Maintenance margin over notional, in [0, 1). [1]
    kind : {"spot", "linear", "inverse", "quanto"}
        The contract.
    multiplier : Number
        Size of a contract, > 0.
    maintenance_amount : Number
        Taken off the maintenance margin, >= 0. [quote; base if inverse]
    maintenance_at : {"mark", "entry"}
        The price of the notional that the rate is of.

    Returns
    -------
    Fraction or None
        The price, exact; None where none above 0 solves the equation. [quote/base]

    Raises
    ------
    Undefined
        If an input is outside its domain.
    """
    q, m, held = rational(qty), rational(multiplier), rational(margin)
    rate, amount = rational(maintenance_rate), rational(maintenance_amount)
    if kind not in KINDS or maintenance_at not in ("mark", "entry"):
        raise Undefined(f"{kind} liquidation price with maintenance at {maintenance_at!r} is not defined")
    if m <= 0 or held < 0 or amount < 0 or not 0 <= rate < 1:
        raise Undefined(f"liquidation price with multiplier {m}, margin {held}, rate {rate} is not defined")
    if q == 0:
        return None
    if avg_px is None or rational(avg_px) <= 0:
        raise Undefined(f"liquidation price of a position at {avg_px} is not defined")
    entry = 1 / rational(avg_px) if kind == "inverse" else rational(avg_px)

    def excess(entries: int) -> Fraction:
        value = entries * entry
        gain = (entry - value) * q * m if kind == "inverse" else (value - entry) * q * m
        notional = abs(q) * m * (value if maintenance_at == "mark" else entry)
        return held + gain - (rate * notional - amount)

    value = entry * excess(0) / (excess(0) - excess(1))
    if value <= 0:
        return None
    return 1 / value if kind == "inverse" else value


def liquidation_price(
    qty: ArrayLike,
    avg_px: ArrayLike,
    margin: ArrayLike,
    maintenance_rate: ArrayLike,
    *,
    kind: str,
    multiplier: float,
    maintenance_amount: ArrayLike,
    maintenance_at: str,
) -> NDArray[np.float64]:
    """Compute the liquidation prices of arrays by the closed form.

    Parameters
    ----------
    qty : array_like of float
        Positions, signed, long > 0. [base or contracts]
    avg_px : array_like of float
        Their average entry prices, > 0; not looked at (NaN or 0 will do) where flat. [quote/base]
    margin : array_like of float
        Margins of the positions, >= 0, unrealized P&L left out. [quote; base if inverse]
    maintenance_rate : array_like of float
        Maintenance margin over notional, in [0, 1). [1]
    kind : {"spot", "linear", "inverse", "quanto"}
        The contract.
    multiplier : float
        Size of a contract, > 0.
    maintenance_amount : array_like of float
        Taken off the maintenance margin, >= 0. [quote; base if inverse]
    maintenance_at : {"mark", "entry"}
        The price of the notional that the rate is of.

    Returns
    -------
    ndarray of float64
        Of the shape that the inputs broadcast to (0-d for numbers), NaN where none above 0 solves the equation. Within
        12 u K of its own size of the exact price, u = 2**-53, K the two terms of the last subtraction, added, over
        their difference; where 12 u K passes 1 the sign of the difference, so NaN or a price, is open. [quote/base]

    Raises
    ------
    Undefined
        If an input is outside its domain or a price does not fit a float.
    """
    q, held, rate, amount = (
        np.asarray(each, dtype=np.float64) for each in (qty, margin, maintenance_rate, maintenance_amount)
    )
    if kind not in KINDS or maintenance_at not in ("mark", "entry") or not 0 < float(multiplier) < np.inf:
        raise Undefined("a liquidation price needs a known kind, maintenance at mark or entry, a multiplier above 0")
    entry = np.where(q == 0, 1.0, np.asarray(avg_px, dtype=np.float64))
    finite = all(np.isfinite(each).all() for each in (q, entry, held, rate, amount))
    if not (finite and (entry > 0).all() and (held >= 0).all() and (amount >= 0).all()):
        raise Undefined("a liquidation price needs average prices above 0, margins not below 0")
    if not ((rate >= 0) & (rate < 1)).all():
        raise Undefined("a liquidation price needs maintenance rates in [0, 1)")
    direction = -np.sign(q) if kind == "inverse" else np.sign(q)
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        y = 1 / entry if kind == "inverse" else entry
        c = (held + amount) / (np.abs(q) * float(multiplier))
        by_mark = (y - direction * c) / (1 - direction * rate)
        x = by_mark if maintenance_at == "mark" else y * (1 + direction * rate) - direction * c
        price = 1 / x if kind == "inverse" else x
    if ((q != 0) & (x > 0) & ~np.isfinite(price) | (q != 0) & ~np.isfinite(x)).any():
        raise Undefined("a liquidation price does not fit a float")
    return np.asarray(np.where((q != 0) & (x > 0), price, np.nan))


LIQUIDATION_PRICE = Formula(
    name="liquidation_price",
    tex=r"p = \frac{e - d c}{1 - d r} \;\text{(at mark)}, \quad p = e (1 + d r) - d c \;\text{(at entry)}, \quad"
    r" c = \frac{M + A}{|q| \, m} \quad\text{(inverse: } 1/p, \, 1/e, \, -d \text{)}",
    units={
        "qty": "base (inverse: quote)",
        "avg_px": "quote/base",
        "margin": "quote (inverse: base)",
        "maintenance_rate": "1",
        "multiplier": "1",
        "maintenance_amount": "quote (inverse: base)",
        "return": "quote/base",
    },
    exact=liquidation_price_exact,
    fast=liquidation_price,
    error_bound="12 u K relative, u = 2**-53, K the two terms of the last subtraction over their difference",
    items=("5.3.3",),
    example=Example(
        text="Long 2 at 20000 with a margin of 5700, maintenance of 5 % of the notional at the mark, less 100.",
        inputs={
            "qty": 2,
            "avg_px": 20000,
            "margin": 5700,
            "maintenance_rate": "0.05",
            "kind": "linear",
            "multiplier": 1,
            "maintenance_amount": 100,
            "maintenance_at": "mark",
        },
        steps=(
            "c = (5700 + 100) / (2 x 1) = 2900",
            "price = (20000 - 2900) / (1 - 0.05) = 17100 / 0.95 = 18000",
            "margin and P&L there: 5700 + (18000 - 20000) x 2 x 1 = 1700",
            "maintenance there: 0.05 x 18000 x 2 x 1 - 100 = 1700, the same, so the price is 18000",
        ),
        result="18000",
    ),
)
