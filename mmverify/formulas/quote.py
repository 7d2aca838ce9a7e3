r"""A two-sided quote: a spread around the fair value, shifted by the skew, rounded to the passive side.

.. math::

    \text{bid} = \left\lfloor \frac{f + s - h}{t} \right\rfloor t, \qquad
    \text{ask} = \left\lceil \frac{f + s + h}{t} \right\rceil t

with fair value f, skew s, half-spread h and tick t. The skew moves both sides the same way: a long position asks for
one below 0, which makes buying less likely and selling more. Each side may be wider than h by less than a tick, never
narrower. A float counts as the shortest decimal that prints as it.

Undefined, and an error: a fair value or tick at or below 0, a negative half-spread, a NaN, and where no quote with
0 < bid < ask comes out: a half-spread of 0 on a tick, a bid below one tick. It does not depend on the scale that its
inputs are written in.

References
----------
Avellaneda, Stoikov (2008), "High-Frequency Trading in a Limit Order Book", Quantitative Finance 8(3): the reservation
price is f + s, the optimal spread 2 h.
"""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike

from mmverify.errors import Undefined
from mmverify.formulas import Example, Formula, Number
from mmverify.formulas.rounding import as_printed, scaled_integers
from mmverify.numeric import Ints


def quote_exact(fair: Number, half_spread: Number, skew: Number, tick: Number) -> tuple[Fraction, Fraction]:
    """Compute bid and ask by the definition.

    Parameters
    ----------
    fair : Number
        Fair value, > 0. [quote/base]
    half_spread : Number
        Distance of each side from fair + skew, >= 0. [quote/base]
    skew : Number
        Shift of both sides, signed. [quote/base]
    tick : Number
        Tick size, > 0. [quote/base]

    Returns
    -------
    tuple[Fraction, Fraction]
        Bid and ask, exact, 0 < bid < ask. [quote/base]

    Raises
    ------
    Undefined
        If there is no such quote or an input is outside its domain.
    """
    f, h, s, t = as_printed(fair), as_printed(half_spread), as_printed(skew), as_printed(tick)
    if f <= 0 or h < 0 or t <= 0:
        raise Undefined(f"a quote around {f} with half-spread {h} and tick {t} is not defined")
    bid, ask = math.floor((f + s - h) / t) * t, math.ceil((f + s + h) / t) * t
    if not 0 < bid < ask:
        raise Undefined(f"bid {bid} and ask {ask} are no quote")
    return bid, ask


def quote(fair: ArrayLike, half_spread: ArrayLike, skew: ArrayLike, tick: ArrayLike) -> tuple[Ints, Ints]:
    """Compute bids and asks of arrays by integer division.

    Parameters
    ----------
    fair : array_like of int
        Fair values at one scale, > 0. [quote/base, scaled]
    half_spread : array_like of int
        Distances of each side from fair + skew at the same scale, >= 0. [quote/base, scaled]
    skew : array_like of int
        Shifts of both sides at the same scale, signed. [quote/base, scaled]
    tick : array_like of int
        Tick sizes at the same scale, > 0. [quote/base, scaled]

    Returns
    -------
    tuple of two ndarrays of int64 or Python integers
        Bids and asks, of the shape that the inputs broadcast to (0-d for numbers), exact. [quote/base, scaled]

    Raises
    ------
    Undefined
        If one of them has no quote or an input is outside its domain.
    """
    f, h, s, t = scaled_integers(fair, half_spread, skew, tick, terms=4)
    if not ((f > 0).all() and (h >= 0).all() and (t > 0).all()):
        raise Undefined("a quote needs fair values and ticks above 0, half-spreads not below 0")
    low, high = f + s - h, f + s + h
    bid, ask = np.asarray(low - low % t), np.asarray(high + -high % t)
    if not ((bid > 0).all() and (bid < ask).all()):
        raise Undefined("no quote with 0 < bid < ask")
    return bid, ask


QUOTE = Formula(
    name="quote",
    tex=r"\text{bid} = \left\lfloor \frac{f + s - h}{t} \right\rfloor t, \quad"
    r" \text{ask} = \left\lceil \frac{f + s + h}{t} \right\rceil t",
    units={
        "fair": "quote/base",
        "half_spread": "quote/base",
        "skew": "quote/base",
        "tick": "quote/base",
        "return": "quote/base",
    },
    exact=quote_exact,
    fast=quote,
    error_bound="none: scaled integers",
    items=("1.1.1", "1.1.3", "2.1.3"),
    example=Example(
        text="Fair value 61800.27, half-spread 1.20, a long position that skews by -0.35, tick 0.50, in hundredths.",
        inputs={"fair": 6180027, "half_spread": 120, "skew": -35, "tick": 50},
        steps=(
            "bid before rounding = 6180027 - 35 - 120 = 6179872",
            "ask before rounding = 6180027 - 35 + 120 = 6180112",
            "bid = floor(6179872 / 50) x 50 = 123597 x 50 = 6179850",
            "ask = ceil(6180112 / 50) x 50 = 123603 x 50 = 6180150",
        ),
        result="6180150",
    ),
)
