r"""Drawdown from the running maximum of equity.

.. math:: d_t = \frac{h_t - e_t}{h_t}, \qquad h_t = \max_{s \le t} e_s

A positive fraction, 0 at each new high, above 1 where equity is negative. There is none, None, while the running
maximum is at or below 0. The first value is the first maximum; a caller whose high water began earlier puts it first.
Transfers are the caller's to take out.

Undefined, and an error: a NaN or an infinite equity. A drawdown does not depend on anything that comes after it, nor on
the currency that equity is in.

References
----------
Magdon-Ismail, Atiya (2004), "Maximum Drawdown", Risk 17(10).
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmverify.errors import Undefined
from mmverify.formulas import Example, Formula, Number, rational
from mmverify.formulas.rounding import scaled_integers


def drawdown_exact(equity: Sequence[Number]) -> list[Fraction | None]:
    """Compute the drawdown at each moment by its definition.

    Parameters
    ----------
    equity : Sequence[Number], length n
        Equity in order of time, any sign. [currency]

    Returns
    -------
    list[Fraction or None], length n
        Fractions below the running maximum, exact; None while that is at or below 0. [1]

    Raises
    ------
    Undefined
        If an equity is not a finite number.
    """
    drawdowns: list[Fraction | None] = []
    high: Fraction | None = None
    for value in map(rational, equity):
        high = value if high is None or value > high else high
        drawdowns.append((high - value) / high if high > 0 else None)
    return drawdowns


def drawdown(equity: ArrayLike) -> NDArray[np.float64]:
    """Compute the drawdown at each moment of an array.

    Integers are subtracted exactly, so that a small drawdown of a large equity keeps its digits.

    Parameters
    ----------
    equity : array_like of int or float, shape (n,)
        Equity in order of time, any sign; integers of any size. [currency, or scaled]

    Returns
    -------
    ndarray of float64, shape (n,)
        Fractions below the running maximum, each within 4 u of its own size of the exact one, u = 2**-53; NaN while
        that is at or below 0. [1]

    Raises
    ------
    Undefined
        If an equity is not a finite number, or a difference of two does not fit a float.
    """
    try:
        (e,) = scaled_integers(equity, terms=2)
    except Undefined:
        e = np.asarray(equity, dtype=np.float64)
    if e.ndim != 1:
        raise Undefined("drawdown needs one row of equity")
    high = np.maximum.accumulate(e)
    try:
        with np.errstate(over="ignore", invalid="ignore"):
            fraction = np.asarray((high - e) / np.where(high > 0, high, 1), dtype=np.float64)
    except OverflowError as error:
        raise Undefined("a drawdown does not fit a float") from error
    if not np.isfinite(fraction).all():
        raise Undefined("drawdown needs finite equity, and fractions that fit a float")
    fraction[high <= 0] = np.nan
    return fraction


DRAWDOWN = Formula(
    name="drawdown",
    tex=r"d_t = \frac{h_t - e_t}{h_t}, \quad h_t = \max_{s \le t} e_s",
    units={"equity": "currency", "return": "1"},
    exact=drawdown_exact,
    fast=drawdown,
    error_bound="4 u relative, u = 2**-53",
    items=("1.4.1",),
    example=Example(
        text="Equity rises to 120 and falls to 90.",
        inputs={"equity": [100, 120, 90]},
        steps=(
            "high water = max(100, 120, 90) = 120",
            "drawdown = (120 - 90) / 120 = 30 / 120 = 0.25",
        ),
        result="0.25",
    ),
)
