r"""Mid of a book without its odd lots, and the microprice of its top.

.. math::

    \text{mid} = \frac{b + a}{2}, \qquad \text{microprice} = \frac{b \, q_a + a \, q_b}{q_b + q_a}

For the mid, b is the highest bid and a the lowest ask among the levels of at least min_qty; a level of quantity 0 is no
level, whatever min_qty. A side without one leaves no mid: None. The microprice weighs each price with the quantity of
the other side: a large bid pushes it towards the ask. It is not the limit of expected mids that Stoikov calls so. Of a
crossed book both are taken as of any other.

Undefined, and an error: a price at or below 0, a negative quantity, a NaN, anywhere in the levels that are handed over;
for the microprice no quantity on either side. The mid does not depend on the order of the levels, nor on any level
behind the first of at least min_qty.

References
----------
Gatheral, Oomen (2010), "Zero-Intelligence Realized Variance Estimation", Finance and Stochastics 14(2): microprice;
Stoikov (2018), "The Micro-Price", Quantitative Finance 18(12), where the same average is called the weighted mid.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmverify.errors import Undefined
from mmverify.formulas import Example, Formula, Number, rational
from mmverify.formulas.rounding import as_printed

Level = tuple[Number, Number]


def mid_exact(bids: Sequence[Level], asks: Sequence[Level], min_qty: Number) -> Fraction | None:
    """Compute the mid by its definition.

    Parameters
    ----------
    bids, asks : Sequence[tuple[Number, Number]]
        Price > 0 [quote/base] and quantity >= 0 [base or contracts] of each level.
    min_qty : Number
        Smallest quantity of a level that counts, >= 0. [base or contracts]

    Returns
    -------
    Fraction or None
        The mid, exact; None where a side has no level that counts. [quote/base]

    Raises
    ------
    Undefined
        If an input is outside its domain.
    """
    least = as_printed(min_qty)
    best: list[Fraction | None] = []
    for levels, better in ((bids, max), (asks, min)):
        known = [(rational(price), as_printed(qty)) for price, qty in levels]
        if least < 0 or any(price <= 0 or qty < 0 for price, qty in known):
            raise Undefined("a mid with a price at or below 0 or a negative quantity is not defined")
        best.append(better((price for price, qty in known if qty >= least and qty > 0), default=None))
    bid, ask = best
    return None if bid is None or ask is None else (bid + ask) / 2


def mid(bids: ArrayLike, asks: ArrayLike, min_qty: float) -> float | None:
    """Compute the mid of a book in arrays.

    Parameters
    ----------
    bids, asks : array_like of float, shape (n, 2)
        Price > 0 [quote/base] and quantity >= 0 [base or contracts] of each level.
    min_qty : float
        Smallest quantity of a level that counts, >= 0. [base or contracts]

    Returns
    -------
    float or None
        The exact mid of the floats, rounded once; None where a side has no level that counts. [quote/base]

    Raises
    ------
    Undefined
        If an input is outside its domain or the sum of two prices does not fit a float.
    """
    book = [np.asarray(levels, dtype=np.float64) for levels in (bids, asks)]
    book = [side if side.size else np.empty((0, 2)) for side in book]
    if not all(side.shape[1:] == (2,) and np.isfinite(side).all() for side in book) or not float(min_qty) >= 0:
        raise Undefined("a mid needs levels of a finite price and quantity, and a min_qty not below 0")
    if not all((side[:, 0] > 0).all() and (side[:, 1] >= 0).all() for side in book):
        raise Undefined("a mid needs prices above 0 and quantities not below 0")
    b, a = (side[(side[:, 1] >= float(min_qty)) & (side[:, 1] > 0), 0] for side in book)
    if not (b.size and a.size):
        return None
    value = (float(b.max()) + float(a.min())) / 2
    if not np.isfinite(value):
        raise Undefined("the mid does not fit a float")
    return value


def microprice_exact(bid: Number, bid_qty: Number, ask: Number, ask_qty: Number) -> Fraction:
    """Compute the microprice by its definition.

    Parameters
    ----------
    bid, ask : Number
        Best prices, > 0. [quote/base]
    bid_qty, ask_qty : Number
        Their quantities, >= 0, not both 0. [base or contracts]

    Returns
    -------
    Fraction
        The microprice, exact. [quote/base]

    Raises
    ------
    Undefined
        If both quantities are 0 or an input is outside its domain.
    """
    b, q_b, a, q_a = rational(bid), rational(bid_qty), rational(ask), rational(ask_qty)
    if b <= 0 or a <= 0 or q_b < 0 or q_a < 0 or q_b + q_a == 0:
        raise Undefined(f"the microprice of {q_b} at {b} and {q_a} at {a} is not defined")
    return (b * q_a + a * q_b) / (q_b + q_a)


def microprice(bid: ArrayLike, bid_qty: ArrayLike, ask: ArrayLike, ask_qty: ArrayLike) -> NDArray[np.float64]:
    """Compute the microprices of arrays, from the bid up by a share of the spread.

    Parameters
    ----------
    bid, ask : array_like of float
        Best prices, > 0. [quote/base]
    bid_qty, ask_qty : array_like of float
        Their quantities, >= 0, not both 0. [base or contracts]

    Returns
    -------
    ndarray of float64
        Of the shape that the inputs broadcast to (0-d for numbers), within u |microprice| + 5 u |ask - bid| of the
        exact one, u = 2**-53, short of float underflow. [quote/base]

    Raises
    ------
    Undefined
        If both quantities of one are 0, an input is outside its domain or a sum does not fit a float.
    """
    b, q_b, a, q_a = (np.asarray(each, dtype=np.float64) for each in (bid, bid_qty, ask, ask_qty))
    if not ((b > 0).all() and (a > 0).all() and (q_b >= 0).all() and (q_a >= 0).all()):
        raise Undefined("a microprice needs prices above 0 and quantities not below 0")
    with np.errstate(over="ignore", invalid="ignore"):
        total = q_b + q_a
        if not ((total > 0).all() and np.isfinite(total).all() and np.isfinite(a - b).all()):
            raise Undefined("a microprice needs some quantity, and numbers that fit a float")
        return np.asarray(b + (a - b) * (q_b / total))


MID = Formula(
    name="mid",
    tex=r"\text{mid} = \frac{b + a}{2}",
    units={"bids": "(quote/base, base)", "asks": "(quote/base, base)", "min_qty": "base", "return": "quote/base"},
    exact=mid_exact,
    fast=mid,
    error_bound="floats: rounded once, u |mid|, u = 2**-53",
    items=("1.1.4", "5.1.1"),
    example=Example(
        text="An odd lot of 0.001 sits on top of the bids; levels below 0.01 do not count.",
        inputs={"bids": [("99.9", "0.001"), ("99.5", "2")], "asks": [("100.7", "1")], "min_qty": "0.01"},
        steps=(
            "best bid of at least 0.01: 99.5",
            "best ask of at least 0.01: 100.7",
            "mid = (99.5 + 100.7) / 2 = 200.2 / 2 = 100.1",
        ),
        result="100.1",
    ),
)

MICROPRICE = Formula(
    name="microprice",
    tex=r"\frac{b \, q_a + a \, q_b}{q_b + q_a}",
    units={
        "bid": "quote/base",
        "bid_qty": "base",
        "ask": "quote/base",
        "ask_qty": "base",
        "return": "quote/base",
    },
    exact=microprice_exact,
    fast=microprice,
    error_bound="u |microprice| + 5 u |ask - bid|, u = 2**-53",
    items=("1.1.4",),
    example=Example(
        text="6 bid at 99.5, 2 offered at 100.1: the heavier bid pushes the price towards the ask.",
        inputs={"bid": "99.5", "bid_qty": 6, "ask": "100.1", "ask_qty": 2},
        steps=(
            "bid x ask_qty + ask x bid_qty = 99.5 x 2 + 100.1 x 6 = 199 + 600.6 = 799.6",
            "bid_qty + ask_qty = 6 + 2 = 8",
            "microprice = 799.6 / 8 = 99.95",
        ),
        result="99.95",
    ),
)
