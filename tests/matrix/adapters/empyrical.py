"""empyrical-reloaded: returns of prices, their volatility and their drawdowns."""

from __future__ import annotations

import empyrical
import pandas as pd
from empyrical.stats import drawdown_series

from . import Cannot, Entry, Values, need, number, numbers

VERSION = empyrical.__version__


def _changes(prices: list[str]) -> pd.Series:
    return empyrical.simple_returns(pd.Series(numbers(prices)))


def _returns(params: Values, given: Values) -> list[float]:
    need("kind", params["kind"], "simple")
    return _changes(given["prices"]).tolist()


def _volatility(params: Values, given: Values) -> float:
    need("kind", params["kind"], "simple")
    return float(
        empyrical.annual_volatility(_changes(given["prices"]), annualization=number(params["periods_per_year"]))
    )


def _volatility_default(params: Values, given: Values) -> float:
    need("kind", params["kind"], "simple")
    return float(empyrical.annual_volatility(_changes(given["prices"])))


def _drawdown(params: Values, given: Values) -> list[float]:
    if len(given["equity"]) < 2:
        raise Cannot("it starts from returns, and there are none")
    return [0.0, *drawdown_series(_changes(given["equity"])).tolist()]


ENTRIES = [
    Entry("returns", "simple_returns(prices)", _returns),
    Entry("volatility", "annual_volatility(returns, annualization=periods)", _volatility),
    Entry("volatility", "annual_volatility(returns)", _volatility_default),
    Entry("drawdown", "drawdown_series(simple_returns(equity))", _drawdown),
]
