"""vectorbt: moving averages, returns and what a portfolio's trades earned."""

from __future__ import annotations

import numpy as np
import pandas as pd
import vectorbt as vbt

from . import Cannot, Entry, Values, need, number, numbers, span_of

VERSION = vbt.__version__


def _ema_default(params: Values, given: Values) -> list[float]:
    return vbt.MA.run(pd.Series(numbers(given["values"])), window=span_of(params), ewm=True).ma.tolist()


def _ema(params: Values, given: Values) -> list[float]:
    need("init", params["init"], "first", "adjusted")
    adjust = params["init"] == "adjusted"
    values = np.array(numbers(given["values"]), dtype=float)
    return vbt.generic.nb.ewm_mean_1d_nb(values, span_of(params), 1, adjust).tolist()


def _changes(prices: list[str]) -> pd.Series:
    known = pd.Series(numbers(prices), index=pd.date_range("2024-01-01", periods=len(prices), freq="D"))
    return known.vbt.pct_change().iloc[1:]


def _volatility(params: Values, given: Values) -> float:
    need("kind", params["kind"], "simple")
    year = pd.Timedelta(seconds=number(params["periods_per_year"]))
    returns = _changes(given["prices"]).vbt.returns(freq="1s", year_freq=year)
    return float(returns.annualized_volatility(ddof=int(params["ddof"])))


def _volatility_default(params: Values, given: Values) -> float:
    need("kind", params["kind"], "simple")
    return float(_changes(given["prices"]).vbt.returns(freq="1D").annualized_volatility())


def _drawdown(params: Values, given: Values) -> list[float]:
    return pd.Series(numbers(given["equity"])).vbt.drawdown().tolist()


def _returns(params: Values, given: Values) -> list[float]:
    need("kind", params["kind"], "simple")
    return _changes(given["prices"]).tolist()


def _realized_pnl(params: Values, given: Values) -> float:
    need("kind", params["kind"], "linear", "spot")
    need("multiplier", params["multiplier"], "1")
    sides, prices, qtys = zip(*given["fills"], strict=True) if given["fills"] else ((), (), ())
    for side in sides:
        need("side", side, "buy", "sell")
    if not sides:
        raise Cannot("a portfolio needs at least one bar")
    size = np.array([number(qty) * (1 if side == "buy" else -1) for side, qty in zip(sides, qtys, strict=True)])
    close = pd.Series(numbers(list(prices)))
    portfolio = vbt.Portfolio.from_orders(close, size, init_cash=np.inf, direction="both")
    return float(portfolio.trades.closed.pnl.sum())


ENTRIES = [
    Entry("ema", "MA.run(values, window=span, ewm=True).ma", _ema_default),
    Entry("ema", "generic.nb.ewm_mean_1d_nb(values, span, minp=1, adjust=adjusted)", _ema),
    Entry("returns", "prices.vbt.pct_change()", _returns),
    Entry("volatility", "returns.vbt.returns(freq, year_freq).annualized_volatility(ddof=ddof)", _volatility),
    Entry("volatility", "returns.vbt.returns(freq='1D').annualized_volatility()", _volatility_default),
    Entry("drawdown", "equity.vbt.drawdown()", _drawdown),
    Entry("realized_pnl", "Portfolio.from_orders(...).trades.closed.pnl.sum()", _realized_pnl),
]
