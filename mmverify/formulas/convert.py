r"""Conversion of an amount into another currency.

.. math:: a \cdot r_{X \to Y}, \qquad r_{X \to Y} = 1 / r_{Y \to X}, \qquad r_{X \to Y} = r_{X \to Z} \, r_{Z \to Y}

The direct rate, else the inverse of the opposite one, else one step through one currency, each leg direct or inverse;
of several such currencies the first in alphabetical order. An asset into itself needs no rate. Undefined, and an
error: no path, a rate at or below 0 anywhere in the table, a NaN; never 0, and never the amount unconverted. It does
not depend on the order of the table.

References
----------
Hummingbot, rate oracle, ``find_rate``: direct, then inverse, then through another currency.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmverify.errors import Undefined
from mmverify.formulas import Example, Formula, Number, rational


def convert_exact(amount: Number, asset: str, currency: str, rates: Mapping[tuple[str, str], Number]) -> Fraction:
    """Convert an amount by the definition.

    Parameters
    ----------
    amount : Number
        Amount, any sign. [asset]
    asset, currency : str
        From and to.
    rates : Mapping[tuple[str, str], Number]
        Rates by (asset, currency): what one unit of the asset costs, > 0. [currency/asset]

    Returns
    -------
    Fraction
        The amount converted, exact. [currency]

    Raises
    ------
    Undefined
        If there is no path or an input is outside its domain.
    """
    money = rational(amount)
    if asset == currency:
        return money
    exact = {pair: rational(rate) for pair, rate in rates.items()}
    if any(rate <= 0 for rate in exact.values()):
        raise Undefined(f"conversion by a rate of {min(exact.values())} is not defined")
    if (asset, currency) in exact:
        return money * exact[asset, currency]
    if (currency, asset) in exact:
        return money / exact[currency, asset]
    for middle in sorted({name for pair in exact for name in pair}):
        if (asset, middle) in exact:
            halfway = money * exact[asset, middle]
        elif (middle, asset) in exact:
            halfway = money / exact[middle, asset]
        else:
            continue
        if (middle, currency) in exact:
            return halfway * exact[middle, currency]
        if (currency, middle) in exact:
            return halfway / exact[currency, middle]
    raise Undefined(f"conversion of {asset} into {currency} has no rate")


def convert(
    amount: ArrayLike, asset: str, currency: str, rates: Mapping[tuple[str, str], float]
) -> NDArray[np.float64]:
    """Convert an array of amounts.

    Parameters
    ----------
    amount : array_like of float
        Amounts, any sign. [asset]
    asset, currency : str
        From and to.
    rates : Mapping[tuple[str, str], float]
        Rates by (asset, currency): what one unit of the asset costs, > 0. [currency/asset]

    Returns
    -------
    ndarray of float64
        Of the shape of `amount` (0-d for a number), each within 5 u of its own size of the exact amount, u = 2**-53,
        short of float underflow. [currency]

    Raises
    ------
    Undefined
        If there is no path, an input is outside its domain, or an amount does not fit a float.
    """
    factor = 1.0
    if asset != currency:
        direct = dict(zip(rates, np.asarray(list(rates.values()), dtype=np.float64).tolist(), strict=True))
        if not all(0 < rate < np.inf for rate in direct.values()):
            raise Undefined("conversion needs rates above 0")
        table = {(into, out): 1 / rate for (out, into), rate in direct.items()} | direct
        middles = sorted(into for out, into in table if out == asset and (into, currency) in table)
        if (asset, currency) in table:
            factor = table[asset, currency]
        elif middles:
            factor = table[asset, middles[0]] * table[middles[0], currency]
        else:
            raise Undefined(f"conversion of {asset} into {currency} has no rate")
    money = np.asarray(amount, dtype=np.float64) * factor
    if not np.isfinite(money).all():
        raise Undefined("an amount does not fit a float")
    return np.asarray(money)


CONVERT = Formula(
    name="convert",
    tex=r"a \cdot r_{X \to Y}, \quad r_{X \to Y} = 1 / r_{Y \to X}, \quad r_{X \to Y} = r_{X \to Z} \, r_{Z \to Y}",
    units={"amount": "asset", "rates": "currency/asset", "return": "currency"},
    exact=convert_exact,
    fast=convert,
    error_bound="5 u relative, u = 2**-53",
    items=("1.3.5",),
    example=Example(
        text="A fee of 0.02 BNB into EUR, where BNB trades against USDT and EUR against USDT.",
        inputs={
            "amount": "0.02",
            "asset": "BNB",
            "currency": "EUR",
            "rates": {("BNB", "USDT"): 600, ("EUR", "USDT"): "1.25"},
        },
        steps=(
            "BNB to USDT by the direct rate: 0.02 x 600 = 12",
            "USDT to EUR by the inverse of EUR to USDT: 12 / 1.25 = 9.6",
        ),
        result="9.6",
    ),
)
