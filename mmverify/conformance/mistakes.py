"""The known ways to compute each name wrongly: what reproduces a wrong value is its cause."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate, pairwise
from typing import Any

from mmverify.conformance.inputs import Case
from mmverify.conformance.oracles import (
    Oracle,
    ema_oracle,
    fee,
    funding,
    liquidation_oracle,
    magnitude,
    missing,
    notional,
    unrealized,
)
from mmverify.errors import Undefined
from mmverify.formulas import rational
from mmverify.formulas.convert import convert_exact
from mmverify.formulas.drawdown import drawdown_exact
from mmverify.formulas.ema import ema_exact
from mmverify.formulas.exposure import exposure_exact
from mmverify.formulas.mid_price import microprice_exact, mid_exact
from mmverify.formulas.pnl import notional_exact, realized_pnl_exact
from mmverify.formulas.quote import quote_exact
from mmverify.formulas.returns import returns_exact, volatility_exact
from mmverify.formulas.rounding import as_printed
from mmverify.formulas.trade_sign import lee_ready_exact, trade_signs_exact
from mmverify.formulas.vwap import vwap_exact


@dataclass(frozen=True)
class Mistake:
    """A known way to compute it wrongly, and the item that it belongs to where that is not the main one."""

    words: str
    wrong: Oracle
    item: str = ""


def _fills_alike_once(fills: Any, cost_basis: str, kind: str = "linear", multiplier: Any = 1) -> Any:
    return realized_pnl_exact(list(dict.fromkeys(fills)), cost_basis=cost_basis, kind=kind, multiplier=multiplier)


def _realized_by(basis: str) -> Oracle:
    return lambda fills, cost_basis, kind="linear", multiplier=1: realized_pnl_exact(
        fills, cost_basis=basis, kind=kind, multiplier=multiplier
    )


def _linear_for_inverse(oracle: Oracle) -> Oracle:
    return lambda *args, kind="linear", **rest: oracle(*args, **rest, kind="linear")


def _no_multiplier(oracle: Oracle) -> Oracle:
    return lambda *args, multiplier=1, **rest: oracle(*args, **rest)


def _rounded(value: Any, step: Any, mode: str) -> Any:
    ratio = as_printed(value) / as_printed(step)
    ways = {"half even": round(ratio), "half up": math.floor(ratio + Fraction(1, 2)), "down": math.floor(ratio)}
    return (math.ceil(ratio) if mode == "up" else ways[mode]) * as_printed(step)


def _contract(oracle: Oracle) -> tuple[Mistake, ...]:
    return (
        Mistake("the linear formula was used on an inverse contract", _linear_for_inverse(oracle)),
        Mistake("the contract multiplier was left out", _no_multiplier(oracle)),
        Mistake("the sign was turned", lambda *args, **rest: -oracle(*args, **rest)),
        Mistake("the value was taken without its sign", lambda *args, **rest: abs(oracle(*args, **rest))),
    )


def _wrapped(bits: int) -> Oracle:
    def wrong(price: Any, qty: Any, kind: str = "linear", multiplier: Any = 1) -> Any:
        exact = notional_exact(price, qty, kind=kind, multiplier=multiplier)
        if exact.denominator != 1:
            raise Undefined("no whole number")
        return (int(exact) + 2 ** (bits - 1)) % 2**bits - 2 ** (bits - 1)

    return wrong


def _first_mid(bids: Any, asks: Any, min_qty: Any = 0) -> Any:
    return mid_exact(bids[:1], asks[:1], 0)


def _plain_mean(prices: Any, qtys: Any) -> Any:
    return magnitude(prices) / len(prices)


def _alike_once(prices: Any, qtys: Any) -> Any:
    pairs = dict.fromkeys(zip(prices, qtys, strict=True))
    return vwap_exact([price for price, _ in pairs], [qty for _, qty in pairs])


def _ema_under(**changed: Any) -> Oracle:
    def wrong(values: Any, span: Any = None, alpha: Any = None, init: str = "first", **rest: Any) -> Any:
        given: Case = {"span": span, "alpha": alpha, "init": init} | changed
        if "scaled" in given:
            given |= {"span": None, "alpha": Fraction(given.pop("scaled"), 1) / rational(span)}
        return ema_exact(values, **given)

    return wrong


def _ema_zero(values: Any, **rest: Any) -> Any:
    return ema_oracle([0 if missing(value) else value for value in values], **rest)


def _volatility_under(**changed: Any) -> Oracle:
    def wrong(prices: Any, periods_per_year: Any, kind: str = "log", ddof: int = 1) -> Any:
        return volatility_exact(
            prices, **{"periods_per_year": periods_per_year, "kind": kind, "ddof": ddof} | changed
        )  # fmt: skip

    return wrong


def _other_kind(prices: Any, kind: str = "log") -> Any:
    return returns_exact(prices, kind="simple" if kind == "log" else "log")


def _reducing_left_out(position: Any, open_orders: Any) -> Any:
    own = "sell" if rational(position) > 0 else "buy"
    return exposure_exact(position, [order for order in open_orders if not rational(position) or order[0] != own])


def _clamped(position: Any, open_orders: Any) -> Any:
    high, low = exposure_exact(position, open_orders)
    return max(high, Fraction(0)), min(low, Fraction(0))


def _below_highest(equity: Any, over: Any) -> list[Fraction | None]:
    highest = accumulate(map(rational, equity), max)
    return [(high - rational(e)) / over if high > 0 else None for high, e in zip(highest, equity, strict=True)]


#: By name; the first that reproduces a value is named.
MISTAKES: dict[str, tuple[Mistake, ...]] = {
    "mid": (
        Mistake("odd lots below min_qty were taken", _first_mid),
        Mistake("the best bid was taken for the mid", lambda bids, asks, min_qty=0: rational(bids[0][0])),
        Mistake("the best ask was taken for the mid", lambda bids, asks, min_qty=0: rational(asks[0][0])),
    ),
    "microprice": (
        Mistake(
            "each price was weighted with its own quantity, where it is the other side's",
            lambda bid, bid_qty, ask, ask_qty: microprice_exact(bid, ask_qty, ask, bid_qty),
        ),
        Mistake("the quantities were left out", lambda bid, bid_qty, ask, ask_qty: (rational(bid) + rational(ask)) / 2),
    ),
    "quote": (
        Mistake(
            "the skew's sign was turned",
            lambda fair, half_spread, skew, tick: quote_exact(fair, half_spread, -skew, tick),
        ),
        Mistake("the skew was left out", lambda fair, half_spread, skew, tick: quote_exact(fair, half_spread, 0, tick)),
        Mistake(
            "both sides were rounded to the nearest tick, a half to the even one",
            lambda fair, half_spread, skew, tick: tuple(
                _rounded(fair + skew + half_spread * sign, tick, "half even") for sign in (-1, 1)
            ),
        ),
        Mistake(
            "both sides were rounded down",
            lambda fair, half_spread, skew, tick: tuple(
                _rounded(fair + skew + half_spread * sign, tick, "down") for sign in (-1, 1)
            ),
        ),
        Mistake(
            "both sides were rounded to the inside",
            lambda fair, half_spread, skew, tick: (
                _rounded(fair + skew - half_spread, tick, "up"),
                _rounded(fair + skew + half_spread, tick, "down"),
            ),
        ),
        Mistake(
            "the half-spread was taken for the whole one",
            lambda fair, half_spread, skew, tick: quote_exact(fair, half_spread / 2, skew, tick),
        ),
    ),
    "round_price": (
        *tuple(
            Mistake(
                f"both sides were rounded {words}", lambda price, tick, side, mode=mode: _rounded(price, tick, mode)
            )
            for words, mode in (
                ("to the nearest tick, a half to the even one", "half even"),
                ("to the nearest tick", "half up"),
                ("down", "down"),
                ("up", "up"),
            )
        ),
        Mistake(
            "the sides were swapped", lambda price, tick, side: _rounded(price, tick, "up" if side == "buy" else "down")
        ),
    ),
    "round_qty": tuple(
        Mistake(f"it was rounded {words}", lambda qty, lot, mode=mode: _rounded(qty, lot, mode))
        for words, mode in (
            ("to the nearest lot, a half to the even one", "half even"),
            ("to the nearest lot", "half up"),
            ("up", "up"),
        )
    ),
    "vwap": (
        Mistake("trades alike were counted once", _alike_once, "3.2.2"),
        Mistake("prices were averaged without their quantities", _plain_mean),
    ),
    "ema": (
        Mistake("pandas adjust=True was used", _ema_under(init="adjusted")),
        Mistake("the first value was taken as the seed", _ema_under(init="first")),
        Mistake("the mean of the first values was taken as the seed", _ema_under(init="sma")),
        Mistake("alpha = 1 / span (Wilder) was used", _ema_under(scaled=1)),
        Mistake("alpha = 2 / span was used", _ema_under(scaled=2)),
        Mistake("a missing input was taken as 0", _ema_zero),
        Mistake(
            "a missing input poisons what follows",
            lambda values, **rest: ema_oracle(values, **rest | {"ema_nan": "propagate"}),
        ),
    ),
    "returns": (
        Mistake("the other kind of return was computed", _other_kind),
        Mistake(
            "each change was divided by the later price",
            lambda prices, kind="log": [1 - 1 / (1 + r) for r in returns_exact(prices, kind="simple")],
        ),
        Mistake(
            "returns were taken backwards", lambda prices, kind="log": returns_exact(prices[::-1], kind=kind)[::-1]
        ),
        Mistake(
            "prices were differenced",
            lambda prices, kind="log": [rational(b) - rational(a) for a, b in pairwise(prices)],
        ),
    ),
    "volatility": (
        Mistake("ddof 0 was used", _volatility_under(ddof=0)),
        Mistake("ddof 1 was used", _volatility_under(ddof=1)),
        Mistake("simple returns were used", _volatility_under(kind="simple")),
        Mistake("log returns were used", _volatility_under(kind="log")),
        Mistake("a year of 252 periods was used", _volatility_under(periods_per_year=252)),
        Mistake("a year of 365 periods was used", _volatility_under(periods_per_year=365)),
        Mistake("it was not annualized", _volatility_under(periods_per_year=1)),
        Mistake(
            "it was multiplied by the periods, where it is their root",
            lambda prices, periods_per_year, kind="log", ddof=1: volatility_exact(
                prices, kind=kind, ddof=ddof, periods_per_year=periods_per_year**2
            ),
        ),
    ),
    "realized_pnl": (
        Mistake("FIFO was used", _realized_by("fifo")),
        Mistake("LIFO was used", _realized_by("lifo")),
        Mistake("average cost was used", _realized_by("average")),
        Mistake("fills alike were counted once", _fills_alike_once, "1.3.4"),
        *_contract(
            lambda fills, cost_basis, kind="linear", multiplier=1: realized_pnl_exact(
                fills, cost_basis=cost_basis, kind=kind, multiplier=multiplier
            )
        ),
    ),
    "unrealized_pnl": _contract(unrealized),
    "notional": (
        Mistake("the product wrapped in int32", _wrapped(32)),
        Mistake("the product wrapped in int64", _wrapped(64)),
        *_contract(notional)[:2],
    ),
    "fee": (
        *_contract(fee),
        Mistake("a rebate was taken as 0", lambda *args, **rest: max(fee(*args, **rest), Fraction(0))),
    ),
    "funding": _contract(funding),
    "convert": (
        Mistake("the amount was added unconverted", lambda amount, asset, currency, rates: rational(amount)),
        Mistake(
            "the rate was used the wrong way round",
            lambda amount, asset, currency, rates: convert_exact(
                amount, asset, currency, {pair: 1 / rational(rate) for pair, rate in rates.items()}
            ),
        ),
    ),
    "drawdown": (
        Mistake("the sign was turned", lambda equity: [None if x is None else -x for x in drawdown_exact(equity)]),
        Mistake("it was given in money, not as a fraction", lambda equity: _below_highest(equity, 1)),
        Mistake("it was divided by the first equity", lambda equity: _below_highest(equity, rational(equity[0]))),
    ),
    "trade_signs": (
        Mistake(
            "a zero tick gave 0, where it keeps the last sign",
            lambda prices, first=0: [first] + [(b > a) - (b < a) for a, b in pairwise(prices)],
        ),
        Mistake("the signs were turned", lambda prices, first=0: [-x for x in trade_signs_exact(prices, -first)]),
    ),
    "lee_ready": (
        Mistake(
            "the quote of the same instant was used",
            lambda trade_prices, trade_ts, quote_ts, bids, asks: lee_ready_exact(
                trade_prices, [ts + Fraction(1, 2) for ts in trade_ts], quote_ts, bids, asks
            ),
        ),
        Mistake("the tick rule alone was used", lambda trade_prices, *rest: trade_signs_exact(trade_prices, 0)),
        Mistake("the signs were turned", lambda *args: [-x for x in lee_ready_exact(*args)]),
    ),
    "exposure": (
        Mistake("orders that reduce the position were left out", _reducing_left_out, "5.1.2"),
        Mistake("the ends were clamped at 0", _clamped),
        Mistake("open orders were left out", lambda position, open_orders: exposure_exact(position, [])),
        Mistake(
            "only the first order was counted", lambda position, open_orders: exposure_exact(position, open_orders[:1])
        ),
    ),
    "liquidation_price": (
        Mistake(
            "the maintenance margin was left out",
            lambda qty, avg_px, margin, rate, **rest: liquidation_oracle(
                qty, avg_px, margin, 0, **rest | {"maintenance_amount": 0}
            ),
        ),
        Mistake(
            'the maintenance margin was taken at the entry (if meant, CONVENTIONS["maintenance_at"] = "entry" says so)',
            lambda *args, **rest: liquidation_oracle(*args, **rest | {"maintenance_at": "entry"}),
        ),
        Mistake(
            "the maintenance amount was left out",
            lambda *args, **rest: liquidation_oracle(*args, **rest | {"maintenance_amount": 0}),
        ),
        Mistake("long and short were swapped", lambda qty, *args, **rest: liquidation_oracle(-qty, *args, **rest)),
        *_contract(liquidation_oracle)[:2],
    ),
    "window_of": (
        Mistake("the end of a window was put into it", lambda ts_ns, width_ns: (ts_ns - 1) // width_ns * width_ns),
        Mistake(
            "times before 1970 were cut towards 0", lambda ts_ns, width_ns: int(Fraction(ts_ns, width_ns)) * width_ns
        ),
        Mistake("the end of the window was given", lambda ts_ns, width_ns: (ts_ns // width_ns + 1) * width_ns),
    ),
}
