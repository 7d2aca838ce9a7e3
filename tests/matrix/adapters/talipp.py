"""talipp: indicators that are fed one value after the other."""

from __future__ import annotations

from importlib.metadata import version
from itertools import pairwise
from math import sqrt
from typing import Any

from talipp.indicators import EMA, VWAP, StdDev
from talipp.ohlcv import OHLCV

from . import Cannot, Entry, Values, need, number, numbers, span_of

VERSION = version("talipp")


def _ema(params: Values, given: Values) -> list[Any]:
    need("init", params["init"], "first", "sma")
    values = [None if value is None else number(value) for value in given["values"]]
    return list(EMA(period=span_of(params), input_values=values))


def _vwap(params: Values, given: Values) -> Any:
    if len(given["prices"]) != len(given["qtys"]):
        raise Cannot("a bar has its price and its quantity together")
    pairs = zip(numbers(given["prices"]), numbers(given["qtys"]), strict=True)
    found = list(VWAP(input_values=[OHLCV(price, price, price, price, qty) for price, qty in pairs]))
    return found[-1] if found else None


def _volatility(params: Values, given: Values) -> Any:
    need("kind", params["kind"], "simple")
    prices = numbers(given["prices"])
    changes = [after / before - 1 for before, after in pairwise(prices)]
    found = list(StdDev(period=len(changes), input_values=changes))
    return found[-1] * sqrt(number(params["periods_per_year"])) if found else None


ENTRIES = [
    Entry("ema", "EMA(period=span, input_values=values)", _ema),
    Entry("vwap", "VWAP(bars)[-1]", _vwap),
    Entry("volatility", "StdDev(n, returns)[-1] * sqrt(periods)", _volatility),
]
