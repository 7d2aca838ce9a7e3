r"""Returns and close-to-close volatility.

.. math::

    r_t = \ln\frac{p_t}{p_{t-1}} \;\text{(log)}, \qquad r_t = \frac{p_t}{p_{t-1}} - 1 \;\text{(simple)}

    \sigma = \sqrt{P \cdot \frac{\sum_t (r_t - \bar r)^2}{n - \mathrm{ddof}}}

with n returns and P periods a year. The kind of return, ddof and P are conventions; a market that never closes has a
year of 365 days. Undefined, and an error: a price at or below 0, a NaN, P at or below 0, and no more returns than ddof
(none at all included). Returns of no price or of one price are an empty list. Neither depends on the unit of the
price; a volatility does not depend on the order of the returns.

References
----------
Campbell, Lo, MacKinlay (1997), "The Econometrics of Financial Markets", sections 1.4 and 9.3.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal, localcontext
from fractions import Fraction
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmverify.errors import Undefined
from mmverify.formulas import Example, Formula, Number, rational

DIGITS = 50
GUARD_DIGITS = 30


def returns_exact(prices: Sequence[Number], *, kind: str) -> list[Fraction] | list[Decimal]:
    """Compute the returns by their definition.

    Parameters
    ----------
    prices : Sequence[Number], length n
        Prices at the ends of equal periods, > 0. [quote/base]
    kind : {"log", "simple"}
        The kind of return.

    Returns
    -------
    list[Decimal] or list[Fraction], length n - 1
        Log returns to 50 digits, simple returns exact. [1]

    Raises
    ------
    Undefined
        If the kind is unknown or a price is outside its domain.
    """
    if kind not in ("log", "simple"):
        raise Undefined(f"returns of kind {kind!r} are not defined")
    exact = [rational(price) for price in prices]
    if any(price <= 0 for price in exact):
        raise Undefined(f"returns of a price of {min(exact)} are not defined")
    ratios = [after / before for before, after in pairwise(exact)]
    if kind == "simple":
        return [ratio - 1 for ratio in ratios]
    with localcontext() as context:
        context.prec = DIGITS + GUARD_DIGITS
        logs = [(Decimal(ratio.numerator) / ratio.denominator).ln() for ratio in ratios]
        context.prec = DIGITS
        return [+log for log in logs]


def volatility_exact(prices: Sequence[Number], *, kind: str, ddof: int, periods_per_year: Number) -> Decimal:
    """Compute the annualized standard deviation of returns by its definition.

    Parameters
    ----------
    prices : Sequence[Number], length n + 1
        Prices at the ends of equal periods, > 0. [quote/base]
    kind : {"log", "simple"}
        The kind of return.
    ddof : int
        Taken from the number of returns in the divisor, >= 0: 1 for a sample, 0 for a population.
    periods_per_year : Number
        Periods a year, > 0. [1/year]

    Returns
    -------
    Decimal
        Standard deviation, annualized, from returns of 50 digits. [1/sqrt(year)]

    Raises
    ------
    Undefined
        If there are no more than `ddof` returns or an input is outside its domain.
    """
    periods = rational(periods_per_year)
    changes = returns_exact(prices, kind=kind)
    if ddof < 0 or len(changes) <= ddof or periods <= 0:
        raise Undefined(
            f"volatility of {len(changes)} returns with ddof {ddof} and {periods} periods a year is not defined"
        )
    with localcontext() as context:
        context.prec = DIGITS + GUARD_DIGITS
        decimals = [Decimal(r.numerator) / r.denominator if isinstance(r, Fraction) else r for r in changes]
        mean = sum(decimals, Decimal(0)) / len(decimals)
        squares = sum(((r - mean) ** 2 for r in decimals), Decimal(0))
        variance = squares / (len(decimals) - ddof) * periods.numerator / periods.denominator
        root = variance.sqrt()
        context.prec = DIGITS
        return +root


def returns(prices: ArrayLike, *, kind: str) -> NDArray[np.float64]:
    """Compute the returns of an array, each from the difference of its two prices.

    Parameters
    ----------
    prices : array_like of float, shape (n,)
        Prices at the ends of equal periods, > 0. [quote/base]
    kind : {"log", "simple"}
        The kind of return.

    Returns
    -------
    ndarray of float64, shape (n - 1,)
        The returns, each within 8 u of its own size of the exact one, u = 2**-53, short of float overflow and
        underflow. [1]

    Raises
    ------
    Undefined
        If the kind is unknown, a price is outside its domain, or a return does not fit a float.
    """
    if kind not in ("log", "simple"):
        raise Undefined(f"returns of kind {kind!r} are not defined")
    p = np.asarray(prices, dtype=np.float64)
    if p.ndim != 1 or not ((p > 0) & (p < np.inf)).all():
        raise Undefined("returns need one row of finite prices above 0")
    with np.errstate(over="ignore", under="ignore", divide="ignore"):
        change = np.diff(p) / p[:-1]
        if kind == "log":
            near = np.abs(change) < 0.5
            change[~near] = np.log(p[1:][~near] / p[:-1][~near])
            change[near] = np.log1p(change[near])
    if not np.isfinite(change).all():
        raise Undefined("a return does not fit a float")
    return change


def volatility(prices: ArrayLike, *, kind: str, ddof: int, periods_per_year: float) -> float:
    """Compute the annualized standard deviation of the returns of an array, in two passes.

    Parameters
    ----------
    prices : array_like of float, shape (n + 1,)
        Prices at the ends of equal periods, > 0. [quote/base]
    kind : {"log", "simple"}
        The kind of return.
    ddof : int
        Taken from the number of returns in the divisor, >= 0: 1 for a sample, 0 for a population.
    periods_per_year : float
        Periods a year, > 0. [1/year]

    Returns
    -------
    float
        Standard deviation, annualized, within n u of its own size plus 32 u sqrt(P n / (n - ddof)) x the largest
        return of the exact one, u = 2**-53. [1/sqrt(year)]

    Raises
    ------
    Undefined
        If there are no more than `ddof` returns or an input is outside its domain.
    """
    change = returns(prices, kind=kind)
    if ddof < 0 or len(change) <= ddof or not 0 < periods_per_year < np.inf:
        raise Undefined(f"volatility of {len(change)} returns with ddof {ddof} is not defined")
    off = change - change.mean()
    return float(np.sqrt(off @ off / (len(off) - ddof) * periods_per_year))


RETURNS = Formula(
    name="returns",
    tex=r"r_t = \ln\frac{p_t}{p_{t-1}} \quad\text{or}\quad r_t = \frac{p_t}{p_{t-1}} - 1",
    units={"prices": "quote/base", "return": "1"},
    exact=returns_exact,
    fast=returns,
    error_bound="8 u relative to each return, u = 2**-53",
    items=("3.3.3",),
    example=Example(
        text="Two simple returns: up by a quarter, then back by a fifth.",
        inputs={"prices": [100, 125, 100], "kind": "simple"},
        steps=(
            "r_1 = p_1 / p_0 - 1 = 125 / 100 - 1 = 0.25",
            "r_2 = p_2 / p_1 - 1 = 100 / 125 - 1 = -0.2",
        ),
        result="-0.2",
    ),
)

VOLATILITY = Formula(
    name="volatility",
    tex=r"\sigma = \sqrt{P \cdot \frac{\sum_t (r_t - \bar r)^2}{n - \mathrm{ddof}}}",
    units={"prices": "quote/base", "ddof": "1", "periods_per_year": "1/year", "return": "1/sqrt(year)"},
    exact=volatility_exact,
    fast=volatility,
    error_bound="n u relative, plus 32 u sqrt(P n / (n - ddof)) x the largest return, u = 2**-53",
    items=("3.3.3",),
    example=Example(
        text="Three quarterly simple returns, a sample (ddof 1), four quarters a year.",
        inputs={"prices": [100, 120, 132, 132], "kind": "simple", "ddof": 1, "periods_per_year": 4},
        steps=(
            "r_1 = 120 / 100 - 1 = 0.2",
            "r_2 = 132 / 120 - 1 = 0.1",
            "r_3 = 132 / 132 - 1 = 0",
            "mean = (0.2 + 0.1 + 0) / 3 = 0.1",
            "sum((r - mean)^2) = (0.2 - 0.1)^2 + (0.1 - 0.1)^2 + (0 - 0.1)^2 = 0.01 + 0 + 0.01 = 0.02",
            "variance a quarter = 0.02 / (3 - 1) = 0.01",
            "variance a year = 0.01 x 4 = 0.04",
            "volatility = sqrt(0.04) = 0.2",
        ),
        result="0.2",
    ),
)
