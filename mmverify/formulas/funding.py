r"""Funding payment of a perpetual contract.

.. math:: F = -\text{rate} \cdot q \, p \, m \;\text{(linear)}, \qquad -\text{rate} \cdot q \, m / p \;\text{(inverse)}

with the signed position q held at the funding time and the mark p of that time. Received is positive: a long pays a
positive rate, a short receives it. Undefined, and an error: a mark or multiplier at or below 0, a NaN. It does not
depend on the entry price, nor on what was held between two funding times.

References
----------
BitMEX, "Perpetual Contracts Guide", section Funding; Kraken Futures, "Funding rates" (its rate is absolute: relative
rate over index, fixed at the start of the hour).
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmverify.errors import Undefined
from mmverify.formulas import KINDS, Example, Formula, Number, rational


def funding_exact(qty: Number, mark: Number, rate: Number, *, kind: str, multiplier: Number) -> Fraction:
    """Compute a funding payment by its definition.

    Parameters
    ----------
    qty : Number
        Position at the funding time, signed, long > 0. [base or contracts]
    mark : Number
        Mark price at the funding time, > 0. [quote/base]
    rate : Number
        Funding rate of the interval, signed. [1]
    kind : {"spot", "linear", "inverse", "quanto"}
        The contract; spot is computed as linear.
    multiplier : Number
        Size of a contract, > 0.

    Returns
    -------
    Fraction
        The payment, received > 0. [quote; base if inverse]

    Raises
    ------
    Undefined
        If an input is outside its domain.
    """
    q, p, r, m = rational(qty), rational(mark), rational(rate), rational(multiplier)
    if kind not in KINDS or p <= 0 or m <= 0:
        raise Undefined(f"{kind} funding at mark {p} with multiplier {m} is not defined")
    return -r * q * m / p if kind == "inverse" else -r * q * p * m


def funding(qty: ArrayLike, mark: ArrayLike, rate: ArrayLike, *, kind: str, multiplier: float) -> NDArray[np.float64]:
    """Compute the funding payments of arrays.

    Parameters
    ----------
    qty : array_like of float
        Positions at the funding times, signed, long > 0. [base or contracts]
    mark : array_like of float
        Mark prices at the funding times, > 0. [quote/base]
    rate : array_like of float
        Funding rates of the intervals, signed. [1]
    kind : {"spot", "linear", "inverse", "quanto"}
        The contract; spot is computed as linear.
    multiplier : float
        Size of a contract, > 0.

    Returns
    -------
    ndarray of float64
        Of the shape that the inputs broadcast to (0-d for numbers), received > 0, each within 4 u of its own size of
        the exact payment, u = 2**-53, short of float underflow. [quote; base if inverse]

    Raises
    ------
    Undefined
        If an input is outside its domain or a payment does not fit a float.
    """
    q, p, r = (np.asarray(each, dtype=np.float64) for each in (qty, mark, rate))
    if kind not in KINDS or not (((p > 0) & (p < np.inf)).all() and multiplier > 0):
        raise Undefined(f"{kind} funding needs marks and a multiplier above 0")
    with np.errstate(over="ignore", invalid="ignore"):
        size = multiplier / p if kind == "inverse" else multiplier * p
        received = np.asarray(np.negative(q) * size * r)
    if not np.isfinite(received).all():
        raise Undefined("a funding payment does not fit a float")
    return received


FUNDING = Formula(
    name="funding",
    tex=r"F = -\text{rate} \cdot q \, p \, m \quad\text{(inverse: } -\text{rate} \cdot q \, m / p \text{)}",
    units={
        "qty": "base (inverse: quote)",
        "mark": "quote/base",
        "rate": "1",
        "multiplier": "1",
        "return": "quote (inverse: base)",
    },
    exact=funding_exact,
    fast=funding,
    error_bound="4 u relative, u = 2**-53",
    items=("1.3.3",),
    example=Example(
        text="Long 1.5 at a mark of 40000 pays a positive rate of 1 bp.",
        inputs={"qty": "1.5", "mark": 40000, "rate": "0.0001", "kind": "linear", "multiplier": 1},
        steps=("funding = -rate x q x mark x m = -0.0001 x 1.5 x 40000 x 1 = -0.0001 x 60000 = -6",),
        result="-6",
    ),
)
