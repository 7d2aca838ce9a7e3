r"""Volume-weighted average price.

.. math:: \mathrm{VWAP} = \frac{\sum_i p_i q_i}{\sum_i q_i}

Undefined, and an error, for no volume (no trades, or only quantities of 0), for a price at or below 0, a negative
quantity, a NaN, and lists of unequal length. It does not depend on the order of the trades, on their times, or on
whether a trade is reported whole or in parts at its price.

References
----------
Berkowitz, Logue, Noser (1988), "The Total Cost of Transactions on the NYSE", Journal of Finance 43(1).
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from operator import mul

import numpy as np
from numpy.typing import ArrayLike

from mmverify.errors import Undefined
from mmverify.formulas import Example, Formula, Number, rational
from mmverify.formulas.rounding import scaled_integers


def vwap_exact(prices: Sequence[Number], qtys: Sequence[Number]) -> Fraction:
    """Compute the volume-weighted average price by its definition.

    Parameters
    ----------
    prices : Sequence[Number], length n
        Trade prices, > 0. [quote/base]
    qtys : Sequence[Number], length n
        Traded quantities, >= 0. [base]

    Returns
    -------
    Fraction
        The average price, exact. [quote/base]

    Raises
    ------
    Undefined
        If there is no volume or an input is outside its domain.
    """
    if len(prices) != len(qtys):
        raise Undefined(f"VWAP of {len(prices)} prices and {len(qtys)} quantities is not defined")
    turnover = volume = Fraction(0)
    for p, q in zip(map(rational, prices), map(rational, qtys), strict=True):
        if p <= 0 or q < 0:
            raise Undefined(f"VWAP with price {p} and quantity {q} is not defined")
        turnover += p * q
        volume += q
    if volume == 0:
        raise Undefined("VWAP of no volume is not defined")
    return turnover / volume


def vwap(prices: ArrayLike, qtys: ArrayLike) -> float:
    """Compute the volume-weighted average price of arrays.

    Two integer arrays (scaled prices and quantities) are summed exactly, in int64 where the sum fits and in Python
    integers where it may not. Floats are summed as distances from the lowest price, so that a small spread on a high
    price keeps its digits.

    Parameters
    ----------
    prices : array_like of int or float, shape (n,)
        Trade prices, > 0; integers of any size. [quote/base, or ticks]
    qtys : array_like of int or float, shape (n,)
        Traded quantities, >= 0; integers of any size. [base, or lots]

    Returns
    -------
    float
        The average price. Integers: the exact average correctly rounded. Floats: within u |VWAP| +
        (2 n + 4) u (VWAP - lowest price) of the exact average, u = 2**-53, short of float overflow and underflow.

    Raises
    ------
    Undefined
        If there is no volume, an input is outside its domain, or a float sum overflows.
    """
    try:
        p, q = scaled_integers(prices, qtys, terms=1)
        whole = True
    except Undefined:
        p, q = np.asarray(prices, dtype=np.float64), np.asarray(qtys, dtype=np.float64)
        whole = False
    if p.ndim != 1 or p.shape != q.shape:
        raise Undefined(f"VWAP of arrays of shapes {p.shape} and {q.shape} is not defined")
    if not (p.size and p.min() > 0 and q.min() >= 0 and q.max() > 0):
        raise Undefined("VWAP needs prices above 0, quantities not below 0 and some volume")
    if whole:
        if int(p.max()) * int(q.max()) * p.size < 2**63:
            p, q = p.astype(np.int64, copy=False), q.astype(np.int64, copy=False)
            return int(p @ q) / int(q.sum())
        lots = q.tolist()
        return float(sum(map(mul, p.tolist(), lots)) / sum(lots))
    low = p.min()
    with np.errstate(over="ignore", invalid="ignore"):
        average = float(low + (p - low) @ q / q.sum())
    if not np.isfinite(average):
        raise Undefined("VWAP does not fit a float")
    return average


VWAP = Formula(
    name="vwap",
    tex=r"\mathrm{VWAP} = \frac{\sum_i p_i q_i}{\sum_i q_i}",
    units={"prices": "quote/base", "qtys": "base", "return": "quote/base"},
    exact=vwap_exact,
    fast=vwap,
    error_bound="integers: correctly rounded; floats: u |VWAP| + (2 n + 4) u (VWAP - lowest price), u = 2**-53",
    items=("3.2.2", "3.2.3", "3.3.1"),
    example=Example(
        text="Three trades of one minute, two of them in the same nanosecond.",
        inputs={"prices": [100, 101, 103], "qtys": [2, 1, 2]},
        steps=(
            "sum(p x q) = 100 x 2 + 101 x 1 + 103 x 2 = 200 + 101 + 206 = 507",
            "sum(q) = 2 + 1 + 2 = 5",
            "VWAP = 507 / 5 = 101.4",
        ),
        result="101.4",
    ),
)
