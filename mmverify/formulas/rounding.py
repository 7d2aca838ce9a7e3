r"""Rounding of a price to its tick, passively, and of a quantity to its lot, down.

.. math::

    \text{buy: } \lfloor p / t \rfloor \, t, \qquad \text{sell: } \lceil p / t \rceil \, t, \qquad
    \lfloor q / \ell \rfloor \, \ell

A bid goes down and an ask up, so that rounding never crosses the spread; a quantity goes down, so that it never passes
a limit or a balance. What is a multiple already stays. The tick need not be a power of ten. A bid below one tick and a
quantity below one lot become 0, which is right here and wrong to send. A float counts as the shortest decimal that
prints as it: 0.3 is three ticks of 0.1, though as binary fractions it is a hair less.

Undefined, and an error: a price, tick or lot at or below 0, a negative quantity, a NaN, an unknown side. It does not
depend on the scale that price and tick are written in.

References
----------
Binance, spot API documentation, "Filters": PRICE_FILTER and LOT_SIZE; ccxt, ``decimal_to_precision``, TICK_SIZE mode.
"""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike

from mmverify.errors import Undefined
from mmverify.formulas import Example, Formula, Number, rational
from mmverify.numeric import INT64_MAX, Ints, largest


def as_printed(value: Number) -> Fraction:
    """Take a number as people read it; for the oracles where a decision hangs on its last digit.

    Parameters
    ----------
    value : int, float, str, Decimal or Fraction
        A float counts as the shortest decimal that prints as it.

    Returns
    -------
    Fraction
        That number.

    Raises
    ------
    Undefined
        If it is None, NaN, infinite or not a number.

    Examples
    --------
    >>> as_printed(0.1)
    Fraction(1, 10)
    """
    return rational(repr(float(value)) if isinstance(value, float) else value)


def scaled_integers(*values: ArrayLike, terms: int) -> list[Ints]:
    """Take arrays of scaled integers as they are, wide enough for a sum; for the kernels.

    Parameters
    ----------
    *values : array_like of int
        Integers of any size.
    terms : int
        Of how many of them the largest sum that will be taken is made.

    Returns
    -------
    list[ndarray]
        All int64 where such a sum fits, else all Python integers.

    Raises
    ------
    Undefined
        If a value is not an integer.
    """
    arrays = [integers(value) for value in values]
    fits = terms * max(largest(array) for array in arrays) <= INT64_MAX
    return [array.astype(np.int64 if fits else object, copy=False) for array in arrays]


def integers(value: ArrayLike) -> Ints:
    """Take an array of integers as int64, or as Python integers where it comes as such or int64 is too narrow.

    Parameters
    ----------
    value : array_like of int
        Integers of any size.

    Returns
    -------
    ndarray of int64 or object

    Raises
    ------
    Undefined
        If a value is not an integer.
    """
    array = np.asarray(value)
    if array.dtype.kind in "iu" or not array.size:
        fits = array.dtype != np.uint64 or largest(array) <= INT64_MAX
        return array.astype(np.int64 if fits else object, copy=False)
    if array is not value:
        array = np.asarray(value, dtype=object)  # of a list with an integer beyond int64 numpy may have made floats
    if array.dtype != object or not all(type(each) is int for each in array.flat):
        raise Undefined("scaled integers are needed, floats and text are not")
    return array


def round_price_exact(price: Number, tick: Number, side: str) -> Fraction:
    """Round a price to its tick by the definition.

    Parameters
    ----------
    price : Number
        Price, > 0. [quote/base]
    tick : Number
        Tick size, > 0. [quote/base]
    side : {"buy", "sell"}
        Of the order: down for a buy, up for a sale.

    Returns
    -------
    Fraction
        The nearest multiple of the tick on the passive side, exact. [quote/base]

    Raises
    ------
    Undefined
        If an input is outside its domain.
    """
    p, t = as_printed(price), as_printed(tick)
    if p <= 0 or t <= 0:
        raise Undefined(f"rounding of {p} to a tick of {t} is not defined")
    if side == "buy":
        return math.floor(p / t) * t
    if side == "sell":
        return math.ceil(p / t) * t
    raise Undefined(f"side is {side!r}; should be buy or sell")


def round_price(price: ArrayLike, tick: ArrayLike, side: str) -> Ints:
    """Round an array of prices to their ticks by integer division.

    Parameters
    ----------
    price : array_like of int
        Prices at one scale, > 0. [quote/base, scaled]
    tick : array_like of int
        Tick sizes at the same scale, > 0. [quote/base, scaled]
    side : {"buy", "sell"}
        Of the orders: down for buys, up for sales.

    Returns
    -------
    ndarray of int64 or Python integers
        Of the shape that the inputs broadcast to (0-d for numbers), exact. [quote/base, scaled]

    Raises
    ------
    Undefined
        If an input is outside its domain.
    """
    p, t = scaled_integers(price, tick, terms=2)
    if side not in ("buy", "sell") or not ((p > 0).all() and (t > 0).all()):
        raise Undefined("rounding needs prices and ticks above 0, and side buy or sell")
    return np.asarray(p - p % t if side == "buy" else p + -p % t)


def round_qty_exact(qty: Number, lot: Number) -> Fraction:
    """Round a quantity down to its lot by the definition.

    Parameters
    ----------
    qty : Number
        Quantity, >= 0. [base or contracts]
    lot : Number
        Lot size, > 0. [base or contracts]

    Returns
    -------
    Fraction
        The largest multiple of the lot that is not above the quantity, exact. [base or contracts]

    Raises
    ------
    Undefined
        If an input is outside its domain.
    """
    q, step = as_printed(qty), as_printed(lot)
    if q < 0 or step <= 0:
        raise Undefined(f"rounding of {q} to a lot of {step} is not defined")
    return math.floor(q / step) * step


def round_qty(qty: ArrayLike, lot: ArrayLike) -> Ints:
    """Round an array of quantities down to their lots by integer division.

    Parameters
    ----------
    qty : array_like of int
        Quantities at one scale, >= 0. [base or contracts, scaled]
    lot : array_like of int
        Lot sizes at the same scale, > 0. [base or contracts, scaled]

    Returns
    -------
    ndarray of int64 or Python integers
        Of the shape that the inputs broadcast to (0-d for numbers), exact. [base or contracts, scaled]

    Raises
    ------
    Undefined
        If an input is outside its domain.
    """
    q, step = scaled_integers(qty, lot, terms=1)
    if not ((q >= 0).all() and (step > 0).all()):
        raise Undefined("rounding needs quantities not below 0 and lots above 0")
    return np.asarray(q - q % step)


ROUND_PRICE = Formula(
    name="round_price",
    tex=r"\lfloor p / t \rfloor \, t \;\text{(buy)}, \quad \lceil p / t \rceil \, t \;\text{(sell)}",
    units={"price": "quote/base", "tick": "quote/base", "return": "quote/base"},
    exact=round_price_exact,
    fast=round_price,
    error_bound="none: scaled integers",
    items=("1.1.6", "2.1.3", "5.1.5"),
    example=Example(
        text="A bid of 61800.27 on a tick of 0.50, in hundredths.",
        inputs={"price": 6180027, "tick": 50, "side": "buy"},
        steps=(
            "ticks = floor(6180027 / 50) = floor(123600.54) = 123600",
            "price = 123600 x 50 = 6180000",
        ),
        result="6180000",
    ),
)

ROUND_QTY = Formula(
    name="round_qty",
    tex=r"\lfloor q / \ell \rfloor \, \ell",
    units={"qty": "base", "lot": "base", "return": "base"},
    exact=round_qty_exact,
    fast=round_qty,
    error_bound="none: scaled integers",
    items=("2.1.2", "5.1.5"),
    example=Example(
        text="A quantity of 0.123456 on a lot of 0.001, in millionths.",
        inputs={"qty": 123456, "lot": 1000},
        steps=(
            "lots = floor(123456 / 1000) = floor(123.456) = 123",
            "quantity = 123 x 1000 = 123000",
        ),
        result="123000",
    ),
)
