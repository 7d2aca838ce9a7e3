r"""Fee of an execution.

.. math:: f = \text{rate} \cdot N, \qquad N = p \, q \, m \;\text{(linear)}, \quad q \, m / p \;\text{(inverse)}

A cost is positive; a negative rate is a rebate and gives a negative fee. The rate is the one of the execution's own
liquidity (maker or taker), whatever its order meant to be. Undefined, and an error: a price or multiplier at or below
0, a negative quantity, a NaN. It does not depend on the side, nor on how a fill is split at its price.

A fee that a spot venue takes in base moves the position too, by minus the fee on either side: a buy of 1 with a fee of
0.001 base leaves +0.999, a sale of 1 with the same fee -1.001. Its value is this formula's, at the fill's price.

References
----------
BitMEX, "Fees"; Binance, "Commission FAQ" (spot API documentation); FIX 4.4, LastLiquidityInd (851).
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmverify.errors import Undefined
from mmverify.formulas import KINDS, Example, Formula, Number, rational


def fee_exact(price: Number, qty: Number, rate: Number, *, kind: str, multiplier: Number) -> Fraction:
    """Compute the fee of an execution by its definition.

    Parameters
    ----------
    price : Number
        Execution price, > 0. [quote/base]
    qty : Number
        Executed quantity, >= 0. [base or contracts]
    rate : Number
        Fraction of the notional, negative for a rebate. [1]
    kind : {"spot", "linear", "inverse", "quanto"}
        The contract.
    multiplier : Number
        Size of a contract, > 0.

    Returns
    -------
    Fraction
        The fee, a cost > 0. [quote; base if inverse]

    Raises
    ------
    Undefined
        If an input is outside its domain.
    """
    p, q, r, m = rational(price), rational(qty), rational(rate), rational(multiplier)
    if kind not in KINDS or p <= 0 or q < 0 or m <= 0:
        raise Undefined(f"{kind} fee of price {p}, quantity {q}, multiplier {m} is not defined")
    return q * m / p * r if kind == "inverse" else p * q * m * r


def fee(price: ArrayLike, qty: ArrayLike, rate: ArrayLike, *, kind: str, multiplier: float) -> NDArray[np.float64]:
    """Compute the fees of arrays of executions.

    Parameters
    ----------
    price : array_like of float
        Execution prices, > 0. [quote/base]
    qty : array_like of float
        Executed quantities, >= 0. [base or contracts]
    rate : array_like of float
        Fractions of the notional, negative for a rebate. [1]
    kind : {"spot", "linear", "inverse", "quanto"}
        The contract.
    multiplier : float
        Size of a contract, > 0.

    Returns
    -------
    ndarray of float64
        Of the shape that the inputs broadcast to (0-d for numbers), a cost > 0, each within 4 u of its own size of the
        exact fee, u = 2**-53, short of float underflow. [quote; base if inverse]

    Raises
    ------
    Undefined
        If an input is outside its domain or a fee does not fit a float.
    """
    p, q, r = (np.asarray(each, dtype=np.float64) for each in (price, qty, rate))
    if kind not in KINDS or not (((p > 0) & (p < np.inf)).all() and (q >= 0).all() and multiplier > 0):
        raise Undefined(f"{kind} fee needs prices and a multiplier above 0, quantities not below 0")
    with np.errstate(over="ignore", invalid="ignore"):
        cost = r * q * multiplier / p if kind == "inverse" else r * q * multiplier * p
    if not np.isfinite(cost).all():
        raise Undefined("a fee does not fit a float")
    return np.asarray(cost)


FEE = Formula(
    name="fee",
    tex=r"f = \text{rate} \cdot p \, q \, m \quad\text{(inverse: rate} \cdot q \, m / p \text{)}",
    units={
        "price": "quote/base",
        "qty": "base (inverse: quote)",
        "rate": "1",
        "multiplier": "1",
        "return": "quote (inverse: base)",
    },
    exact=fee_exact,
    fast=fee,
    error_bound="4 u relative, u = 2**-53",
    items=("1.3.3", "2.3.5"),
    example=Example(
        text="A maker's rebate of 1 bp on 0.5 at 60000.",
        inputs={"price": 60000, "qty": "0.5", "rate": "-0.0001", "kind": "linear", "multiplier": 1},
        steps=("fee = p x q x m x rate = 60000 x 0.5 x 1 x (-0.0001) = 30000 x (-0.0001) = -3",),
        result="-3",
    ),
)
