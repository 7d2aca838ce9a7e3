r"""Exponential moving average.

.. math:: e_t = e_{t-1} + \alpha (x_t - e_{t-1}), \qquad \alpha = \frac{2}{\mathrm{span} + 1}

The seed is a convention. ``first``: the first value is the first average. ``sma``: the mean of the first n = span
values is the n-th average, and there is none before. ``adjusted`` (pandas ``adjust=True``): the weights
:math:`(1-\alpha)^i` of the i-th last value, over their sum.

A missing input (None, NaN) repeats the last average, and the recursion goes on as if it were not there; before the
first average there is none. Undefined, and an error: an infinite input, alpha outside (0, 1], a span below 1, ``sma``
with alpha or with a span that is no whole number. An average does not depend on anything that comes after it.

References
----------
Roberts (1959), "Control Chart Tests Based on Geometric Moving Averages", Technometrics 1(3); pandas, DataFrame.ewm.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmverify.errors import Undefined
from mmverify.formulas import Example, Formula, Number, rational

BLOCK = 64
NEGLIGIBLE = 1e-20


def ema_exact(
    values: Sequence[Number | None], *, alpha: Number | None = None, span: Number | None = None, init: str
) -> list[Fraction | None]:
    """Compute the exponential moving average by its recursion.

    Parameters
    ----------
    values : Sequence[Number or None], length n
        Inputs in order of time, None or NaN where one is missing. [any]
    alpha : Number, optional
        Weight of the newest value, in (0, 1]; either this or `span`.
    span : Number, optional
        At least 1, alpha = 2 / (span + 1).
    init : {"first", "sma", "adjusted"}
        The seed.

    Returns
    -------
    list[Fraction or None], length n
        The average at each input, None where there is none yet. [as the inputs]

    Raises
    ------
    Undefined
        If a convention or an input is outside its domain.
    """
    if init not in ("first", "sma", "adjusted"):
        raise Undefined(f"EMA with init {init!r} is not defined")
    if (alpha is None) == (span is None) or (init == "sma" and span is None):
        raise Undefined("EMA needs either alpha or span, and a span under sma")
    if span is not None and (rational(span) < 1 or (init == "sma" and rational(span).denominator != 1)):
        raise Undefined(f"EMA with span {span} under {init} is not defined")
    a = rational(alpha) if alpha is not None else 2 / (rational(span or 0) + 1)
    if not 0 < a <= 1:
        raise Undefined(f"EMA with alpha {alpha} is not defined")
    averages: list[Fraction | None] = []
    seen: list[Fraction] = []
    last: Fraction | None = None
    weighted = weights = Fraction(0)
    for value in values:
        if value is not None and value == value:
            x = rational(value)
            if init == "adjusted":
                weighted, weights = x + (1 - a) * weighted, 1 + (1 - a) * weights
                last = weighted / weights
            elif last is not None:
                last += a * (x - last)
            else:
                seen.append(x)
                if init == "first" or len(seen) == rational(span or 0):
                    last = sum(seen, Fraction(0)) / len(seen)
        averages.append(last)
    return averages


def ema(values: ArrayLike, *, alpha: float | None = None, span: float | None = None, init: str) -> NDArray[np.float64]:
    """Compute the exponential moving average of an array, in blocks of 64.

    Inside a block the average is a product with a lower-triangular matrix of weights; the ends of the blocks follow
    the same recursion with (1 - alpha)**64, and are found the same way. Values are taken as distances from the first,
    so that a small movement of a high price keeps its digits.

    Parameters
    ----------
    values : array_like of float, shape (n,)
        Inputs in order of time, NaN where one is missing. [any]
    alpha : float, optional
        Weight of the newest value, in (0, 1]; either this or `span`.
    span : float, optional
        At least 1, alpha = 2 / (span + 1).
    init : {"first", "sma", "adjusted"}
        The seed.

    Returns
    -------
    ndarray of float64, shape (n,)
        The average at each input, NaN where there is none yet. Within u |EMA| + (1000 + 4 / alpha) u R of the exact
        one for n up to 10**7, u = 2**-53, R the largest distance of a value from the first. [as the inputs]

    Raises
    ------
    Undefined
        If a convention or an input is outside its domain.
    """
    x = np.asarray(values, dtype=np.float64)
    if x.ndim != 1 or np.isinf(x).any():
        raise Undefined("EMA needs one row of finite values")
    weight, seeds = _convention(alpha, span, init)
    there = ~np.isnan(x)
    x = x[there]
    average = np.full(len(x), np.nan)
    if len(x) >= seeds:
        base = x[0] if len(x) else 0.0
        x = x - base
        if init == "adjusted":
            average = _recursion(weight * x, 1 - weight, 0.0) / _recursion(np.full(len(x), weight), 1 - weight, 0.0)
        else:
            average[seeds - 1] = x[:seeds].mean()
            average[seeds:] = _recursion(weight * x[seeds:], 1 - weight, average[seeds - 1])
        average += base
    repeated: NDArray[np.float64] = np.concatenate(([np.nan], average))[np.cumsum(there)]
    return repeated


def _convention(alpha: float | None, span: float | None, init: str) -> tuple[float, int]:
    """Return alpha and the number of values that make the seed."""
    size = alpha if alpha is not None else span
    if init not in ("first", "sma", "adjusted") or size is None or (alpha is not None and span is not None):
        raise Undefined("EMA needs a known init and either alpha or span")
    weight = float(size) if alpha is not None or not size > 0 else 2 / (float(size) + 1)
    if not 0 < weight <= 1 or (init == "sma" and (alpha is not None or float(size) % 1)):
        raise Undefined(f"EMA with alpha {alpha}, span {span} under {init} is not defined")
    return weight, {"first": 1, "sma": int(size), "adjusted": 0}[init]


def _recursion(x: NDArray[np.float64], decay: float, start: float) -> NDArray[np.float64]:
    """Return y[t] = decay y[t - 1] + x[t] with y[-1] = start."""
    blocks = -(-len(x) // BLOCK)
    lag = np.subtract.outer(np.arange(BLOCK), np.arange(BLOCK))
    weights = np.where(lag < 0, 0.0, decay ** np.maximum(lag, 0))
    y = np.zeros((blocks, BLOCK))
    y.reshape(-1)[: len(x)] = x
    y = y @ weights.T
    carry = np.full(blocks, start)
    if blocks > 1:
        carry[1:] = _recursion(y[:-1, -1], decay**BLOCK, start)
    y += np.multiply.outer(carry, decay ** np.arange(1, BLOCK + 1))
    return y.reshape(-1)[: len(x)]


def ema_last(values: ArrayLike, *, alpha: float, init: str, n: int | None = None) -> float:
    """Compute the last exponential moving average only, as a weighted sum instead of a recursion.

    Parameters
    ----------
    values : array_like of float, shape (m,)
        Inputs in order of time, NaN where one is missing. [any]
    alpha : float
        Weight of the newest value, in (0, 1].
    init : {"first", "sma", "adjusted"}
        The seed.
    n : int, optional
        Number of values in the seed; needed under sma, and there only.

    Returns
    -------
    float
        The average after the last value, NaN where there is none yet. Weights below 1e-20 are left out. Within
        u |EMA| + (100 + 50 / alpha) u R of the exact one, u = 2**-53, R the largest distance of a used value from the
        oldest used. [as the inputs]

    Raises
    ------
    Undefined
        If a convention or a used input is outside its domain.
    """
    if init not in ("first", "sma", "adjusted") or (init == "sma") != (n is not None) or not 0 < alpha <= 1:
        raise Undefined(f"EMA with alpha {alpha}, n {n} under {init} is not defined")
    seeds = {"first": 1, "sma": n or 0, "adjusted": 1}[init]
    if seeds < 1:
        raise Undefined(f"EMA with a seed of {n} values is not defined")
    log_decay = math.log1p(-alpha) if alpha < 1 else -1000.0  # exp(-1000) is 0, as every power of 1 - alpha is
    used = seeds + math.ceil(math.log(NEGLIGIBLE) / log_decay)
    every = np.asarray(values, dtype=np.float64)
    x = every[-used:]
    if np.isnan(x).any():
        x = every[~np.isnan(every)][-used:]
    if np.isinf(x).any():
        raise Undefined("EMA needs finite values")
    if len(x) < seeds:
        return math.nan
    base = float(x[0])
    x = x - base
    powers = np.exp(log_decay * np.arange(len(x) - seeds, -1, -1))
    if init == "adjusted":
        return base + float(powers @ x / powers.sum())
    return base + float(powers[0] * x[:seeds].mean() + alpha * (powers[1:] @ x[seeds:]))


EMA = Formula(
    name="ema",
    tex=r"e_t = e_{t-1} + \alpha (x_t - e_{t-1}), \quad \alpha = \frac{2}{\mathrm{span} + 1}",
    units={"values": "any", "alpha": "1", "span": "1", "return": "as values"},
    exact=ema_exact,
    fast=ema,
    error_bound="u |EMA| + (1000 + 4 / alpha) u R, u = 2**-53, R the largest distance of a value from the first",
    items=("3.3.2",),
    example=Example(
        text="Three prices under a span of 3, seeded by the first.",
        inputs={"values": [100, 104, 101], "span": 3, "init": "first"},
        steps=(
            "alpha = 2 / (span + 1) = 2 / (3 + 1) = 0.5",
            "e_1 = x_1 = 100",
            "e_2 = e_1 + alpha x (x_2 - e_1) = 100 + 0.5 x (104 - 100) = 102",
            "e_3 = e_2 + alpha x (x_3 - e_2) = 102 + 0.5 x (101 - 102) = 101.5",
        ),
        result="101.5",
    ),
)
