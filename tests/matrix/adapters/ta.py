"""ta: the indicators of a bar chart on pandas."""

from __future__ import annotations

from importlib.metadata import version

import pandas as pd
from ta.others import daily_log_return, daily_return
from ta.trend import ema_indicator
from ta.volume import volume_weighted_average_price

from . import Entry, Values, need, numbers, span_of

VERSION = version("ta")


def _ema(params: Values, given: Values) -> list[float]:
    need("init", params["init"], "first")
    return ema_indicator(pd.Series(numbers(given["values"])), window=span_of(params)).tolist()


def _vwap(params: Values, given: Values) -> float | None:
    price, qty = pd.Series(numbers(given["prices"])), pd.Series(numbers(given["qtys"]))
    found = volume_weighted_average_price(price, price, price, qty, window=len(price))
    return float(found.iloc[-1]) if len(found) else None


def _returns(params: Values, given: Values) -> list[float]:
    need("kind", params["kind"], "simple", "log")
    change = daily_return if params["kind"] == "simple" else daily_log_return
    return change(pd.Series(numbers(given["prices"]))).tolist()[1:]


ENTRIES = [
    Entry("ema", "ema_indicator(values, window=span)", _ema),
    Entry("vwap", "volume_weighted_average_price(p, p, p, qty, window=n)", _vwap),
    Entry("returns", "daily_return(prices), daily_log_return(prices)", _returns),
]
