"""The functions of the contract: for each its oracle under the contract's signature, its inputs, and known mistakes.

A case is a dict of arguments by the contract's names. Strategies draw sound cases and spoiled ones alike: the oracle
says which is which.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from itertools import accumulate
from typing import Any

from hypothesis import strategies as st

from mmverify.errors import Undefined
from mmverify.formulas import rational
from mmverify.formulas.clock import duration_exact, parse_ts_exact, window_of_exact
from mmverify.formulas.convert import convert_exact
from mmverify.formulas.drawdown import drawdown_exact
from mmverify.formulas.ema import ema_exact
from mmverify.formulas.exposure import exposure_exact
from mmverify.formulas.fee import fee_exact
from mmverify.formulas.funding import funding_exact
from mmverify.formulas.liquidation import liquidation_price_exact
from mmverify.formulas.mid_price import microprice_exact, mid_exact
from mmverify.formulas.pnl import notional_exact, realized_pnl_exact, unrealized_pnl_exact
from mmverify.formulas.quote import quote_exact
from mmverify.formulas.returns import returns_exact, volatility_exact
from mmverify.formulas.rounding import as_printed, round_price_exact, round_qty_exact
from mmverify.formulas.trade_sign import lee_ready_exact, trade_signs_exact
from mmverify.formulas.vwap import vwap_exact

Case = dict[str, Any]
Conventions = Mapping[str, str]
Strategy = st.SearchStrategy[Any]
Oracle = Callable[..., Any]


class Either(list[Any]):
    """Answers that the contract leaves open, refusing among them."""


@dataclass(frozen=True)
class Mistake:
    """A known way to compute it wrongly, and the item that it belongs to where that is not the main one."""

    words: str
    wrong: Oracle
    item: str = ""


@dataclass(frozen=True)
class Spec:
    """A function of the contract.

    Parameters
    ----------
    oracle : callable
        The exact answer, under the contract's signature; raises Undefined outside the domain.
    cases : callable
        Conventions of a target to a strategy of cases.
    spoils : str
        Where a case is spoiled, and by what: ``prices.*=0|-1`` replaces one price.
    scale : callable
        Sum of the magnitudes of the terms that the answer is a sum or difference of; the answer's own where None.
    direct : callable
        Whether the arithmetic has no quotient or root before its last step, so that a Decimal can be exact.
    hollow : callable
        Whether a case is empty or has a denominator of 0.
    mistakes : tuple of Mistake
        What is tried to explain a wrong value.
    work : callable
        The arithmetic of a case, a line each.
    convention : tuple of str
        The parameter that carries a convention, and the convention's name.
    past : callable
        A case cut after its n-th input, for functions whose answer at t may not know what comes after.
    """

    oracle: Oracle
    cases: Callable[[Conventions], Strategy]
    spoils: str = ""
    scale: Callable[[Case], Any] | None = None
    direct: Callable[[Case], bool] = lambda case: case.get("kind") != "inverse"
    hollow: Callable[[Case], bool] = lambda case: False
    mistakes: tuple[Mistake, ...] = ()
    work: Callable[[Case], str] | None = None
    convention: tuple[str, str] = ("", "")
    past: Callable[[Case, int], Case] | None = None


# --- inputs -----------------------------------------------------------------------------------------------------------

TICKS = [Decimal(tick) for tick in ("1", "0.5", "0.1", "0.01", "0.05", "0.00012", "4.4", "0.0000001")]
NAN = Decimal("NaN")
_BAD = {"NaN": NAN, "None": None, "short": "short"}


def decimals(low: int, high: int, digits: int = 4) -> Strategy:
    """Draw decimals from `low` to `high` units of up to so many digits after the point."""
    return st.builds(lambda n, k: Decimal(n).scaleb(-k), st.integers(low, high), st.integers(0, digits))


def row(low: int, high: int, size: int, least: int = 1) -> Strategy:
    """Draw a list of decimals of one scale, small ones and alike ones often."""
    ints = st.integers(low, min(high, 9)) | st.integers(low, high)
    return st.builds(
        lambda ns, k: [Decimal(n).scaleb(-k) for n in ns], st.lists(ints, min_size=least, max_size=size),
        st.integers(0, 4),
    )  # fmt: skip


PRICE, QTY, RATE = decimals(1, 10**7), decimals(0, 10**6), decimals(-1000, 1000).map(lambda x: x.scaleb(-4))
SIGNED = decimals(-(10**6), 10**6)
HUGE = st.sampled_from([Decimal("3000000000"), Decimal("123456789012"), Decimal("1E+30")])
SIDE = st.sampled_from(["buy", "sell"])
CONTRACT = {
    "kind": st.sampled_from(["linear", "inverse", "spot", "quanto"]),
    "multiplier": st.sampled_from([Decimal(m) for m in ("1", "10", "0.001", "100")]),
}


def record(optional: Mapping[str, Strategy] | None = None, /, **needed: Strategy) -> Strategy:
    """Draw cases of these arguments; an optional one is left to the function's own default as often as not."""
    return st.fixed_dictionaries(needed, optional=optional or {})


def choice(stated: Conventions, name: str, words: Sequence[str]) -> Strategy:
    """Draw the convention that a target states, each of them where it is silent."""
    return st.just(stated[name]) if name in stated else st.sampled_from(words)


def spoiled(cases: Strategy, spoils: str) -> Strategy:
    """Draw cases with one argument put outside the domain."""
    ways = [(path, bad) for path, _, bads in (way.partition("=") for way in spoils.split()) for bad in bads.split("|")]

    def spoil(drawn: tuple[Case, tuple[str, str], int]) -> Case:
        case, (path, bad), at = drawn
        value = _BAD[bad] if bad in _BAD else Decimal(bad) if bad.lstrip("-").replace(".", "").isdigit() else bad
        return _replace(case, path.split("."), value, at)

    return st.tuples(cases, st.sampled_from(ways), st.integers(0, 3)).map(spoil)


def _replace(where: Any, path: Sequence[str], value: Any, at: int) -> Any:
    if not path:
        return where[:-1] if value == "short" and isinstance(where, list) else value
    step, rest = path[0], path[1:]
    if isinstance(where, dict):
        if step == "*" and not where:
            return where
        key = list(where)[at % len(where)] if step == "*" else step
        return where | {key: _replace(where.get(key), rest, value, at)}
    if not where:
        return where
    place = at % len(where) if step == "*" else int(step)
    changed = [*where]
    changed[place] = _replace(where[place], rest, value, at)
    return tuple(changed) if isinstance(where, tuple) else changed


def _book(drawn: tuple[list[Decimal], int, list[Decimal]]) -> Case:
    prices, split, qtys = sorted(drawn[0]), drawn[1], drawn[2]
    levels = [(price, qty) for price, qty in zip(prices, qtys, strict=False)]
    return {"bids": levels[:split][::-1], "asks": levels[split:]}


_TOPS = st.lists(PRICE, unique=True, min_size=1, max_size=5)
_BOOKS = st.tuples(_TOPS, st.integers(0, 5), st.lists(decimals(1, 10**5), min_size=5, max_size=5)).map(_book)
MIDS = st.tuples(_BOOKS, st.fixed_dictionaries({}, optional={"min_qty": QTY})).map(lambda drawn: drawn[0] | drawn[1])
TOPS = st.tuples(PRICE, decimals(0, 10**4), QTY, QTY).map(
    lambda drawn: {"bid": drawn[0], "bid_qty": drawn[2], "ask": drawn[0] + drawn[1], "ask_qty": drawn[3]}
)
_ON_TICK = st.tuples(st.sampled_from(TICKS), st.integers(1, 10**6), st.sampled_from(["0", "0.5", "0.3", "0.999"]))


def _ticked(drawn: tuple[Decimal, int, str]) -> Case:
    return {"tick": drawn[0], "price": drawn[0] * (drawn[1] + Decimal(drawn[2]))}


TICKED = _ON_TICK.map(_ticked) | record(price=PRICE, tick=st.sampled_from(TICKS))
QUOTES = st.tuples(TICKED, st.integers(0, 40), st.integers(-40, 40), st.sampled_from(["1", "0.5", "0.3"])).map(
    lambda drawn: {
        "fair": drawn[0]["price"], "half_spread": drawn[1] * Decimal(drawn[3]) * drawn[0]["tick"],
        "skew": drawn[2] * Decimal(drawn[3]) * drawn[0]["tick"], "tick": drawn[0]["tick"],
    }
)  # fmt: skip


@st.composite
def trades(draw: st.DrawFn) -> Case:
    """Draw prices and quantities of one length, trades alike among them."""
    prices = draw(row(1, 10**6, 6, least=0))
    qtys = draw(row(0, 10**5, len(prices), least=len(prices)))
    again = draw(st.integers(0, 2)) if prices else 0
    return {"prices": prices + prices[:1] * again, "qtys": qtys + qtys[:1] * again}


@st.composite
def fills(draw: st.DrawFn, size: int = 6) -> list[tuple[str, Decimal, Decimal]]:
    """Draw fills at few prices, so that they close, flip and repeat each other."""
    unit, lot = Decimal(1).scaleb(-draw(st.integers(0, 2))), Decimal(1).scaleb(-draw(st.integers(0, 3)))
    near = st.integers(1, 6) | st.integers(1, 70_000)
    one = st.tuples(SIDE, near.map(lambda n: n * unit), st.integers(1, 9).map(lambda n: n * lot))
    return draw(st.lists(one, min_size=1, max_size=size))


@st.composite
def signed_trades(draw: st.DrawFn) -> Case:
    """Draw trades and quotes in order of time, those of one instant often."""
    prices = draw(row(1, 12, 5))
    times = draw(st.lists(st.integers(0, 3), min_size=len(prices), max_size=len(prices)))
    bids = draw(row(1, 12, 4, least=0))
    gaps = draw(st.lists(st.integers(0, 3), min_size=len(bids), max_size=len(bids)))
    asks = [bid + draw(st.integers(0, 3)) * Decimal("0.5") for bid in bids]
    return {
        "trade_prices": prices, "trade_ts": list(accumulate(times)), "quote_ts": list(accumulate(gaps)), "bids": bids,
        "asks": asks,
    }  # fmt: skip


def _iso(drawn: tuple[int, int, int, int, str, str]) -> Case:
    year, month, day, second, digits, zone = drawn
    clock = f"{second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}"
    return {"text": f"{year}-{month:02d}-{day:02d}T{clock}{'.' * bool(digits)}{digits}{zone}"}


ISO = st.tuples(
    st.integers(1970, 2100) | st.integers(1900, 2250), st.integers(1, 12), st.integers(1, 28) | st.integers(29, 31),
    st.integers(0, 86399), st.text("0123456789", max_size=9),
    st.sampled_from(["Z", "+00:00", "+05:30", "-08:00", "+09:00", "-03:30", ""]),
).map(_iso)  # fmt: skip
EPOCH = (st.integers(1, 19).flatmap(lambda n: st.integers(10 ** (n - 1), 10**n - 1)) | st.integers(-(10**12), 0)).map(
    lambda n: {"text": str(n)}
)
NO_TIME = st.sampled_from(
    ["", "now", "2024-13-01T00:00:00Z", "2023-02-29T00:00:00Z", "2024-01-01T25:00:00Z", "2024-01-01T00:00:00.1234567890Z",
     "1.5", "nan", "2024-01-01", "2024-01-01T00:60:00Z"]
).map(lambda text: {"text": text})  # fmt: skip
_NS = st.integers(0, 100) | st.integers(-(10**19), 10**19)
_MONEY = ["USDT", "BTC", "EUR", "BNB"]
_PAIRS = [(a, b) for a in _MONEY for b in _MONEY if a != b]
RATES = st.lists(
    st.sampled_from(_PAIRS), max_size=4, unique_by=lambda pair: frozenset(pair)  # one direction of each pair
).flatmap(lambda pairs: st.tuples(*[decimals(1, 10**5) for _ in pairs]).map(lambda rates: dict(zip(pairs, rates, strict=True))))  # fmt: skip


# --- oracles where the contract says more than the formula ------------------------------------------------------------


def _nothing(value: Any) -> bool:
    return value is None or value != value


def ema_oracle(values: Any, span: Any = None, alpha: Any = None, init: str = "first", ema_nan: str = "repeat") -> Any:
    """Compute the EMA; under ``propagate`` nothing is defined from the first missing input on."""
    averages = ema_exact(values, alpha=alpha, span=span, init=init)
    first = next((n for n, value in enumerate(values) if _nothing(value)), len(values))
    return averages if ema_nan == "repeat" else averages[:first] + [None] * (len(values) - first)


def convert_oracle(amount: Any, asset: str, currency: str, rates: Mapping[tuple[str, str], Any]) -> Any:
    """Convert; where chains disagree any of them, or an error."""
    value = convert_exact(amount, asset, currency, rates)
    if asset == currency:
        return value if all(rate == rate and rate > 0 for rate in rates.values()) else Either([value])
    if (asset, currency) in rates or (currency, asset) in rates:
        return value
    answers = Either([value])
    for middle in sorted({name for pair in rates for name in pair} - {asset, currency}):
        part = {pair: rate for pair, rate in rates.items() if middle in pair}
        try:
            answers.append(convert_exact(amount, asset, currency, part))
        except Undefined:
            continue
    return answers if any(answer != value for answer in answers) else value


def liquidation_oracle(
    qty: Any, avg_px: Any, margin: Any, maintenance_rate: Any, kind: str = "linear", multiplier: Any = 1,
    maintenance_amount: Any = 0, maintenance_at: str = "liquidation",
) -> Any:  # fmt: skip
    """Solve for the liquidation price."""
    at = "entry" if maintenance_at == "entry" else "mark"
    return liquidation_price_exact(
        qty, avg_px, margin, maintenance_rate, kind=kind, multiplier=multiplier, maintenance_amount=maintenance_amount,
        maintenance_at=at,
    )  # fmt: skip


def _liquidation_terms(case: Case) -> tuple[Fraction, Fraction]:
    """Return the last sum before the answer, in price or its reciprocal, and the magnitudes that it is made of."""
    full = {"kind": "linear", "multiplier": 1, "maintenance_amount": 0, "maintenance_at": "liquidation"} | case
    q, entry, rate = (rational(full[key]) for key in ("qty", "avg_px", "maintenance_rate"))
    inverse = full["kind"] == "inverse"
    d = (-1 if inverse else 1) * (1 if q > 0 else -1)
    y = 1 / entry if inverse else entry
    c = (rational(full["margin"]) + rational(full["maintenance_amount"])) / (abs(q) * rational(full["multiplier"]))
    at_entry = y * d * rate if full["maintenance_at"] == "entry" else 0
    return abs(y + at_entry - d * c), y + abs(at_entry) + c


def _liquidation_scale(case: Case) -> Any:
    left, terms = _liquidation_terms(case)
    answer = liquidation_oracle(**case)
    return answer * terms / left if answer and left else 1


def well_conditioned(case: Case) -> bool:
    """Say whether rounding cannot decide if there is a liquidation price."""
    try:
        if not rational(case["qty"]) or rational(case["avg_px"]) <= 0 or rational(case.get("multiplier", 1)) <= 0:
            return True
        left, terms = _liquidation_terms(case)
        return left * 10**6 > terms
    except Undefined:
        return True


def _sum(values: Any) -> Fraction:
    return sum((abs(rational(value)) for value in values), Fraction(0))


def _worth(case: Case, *prices: str) -> Any:
    size = abs(rational(case["qty"])) * rational(case.get("multiplier", 1))
    marks = [rational(case[price]) for price in prices]
    return size * sum(1 / mark if case.get("kind") == "inverse" else mark for mark in marks)


def _turnover(case: Case) -> Any:
    parts = [(rational(price), rational(qty)) for _, price, qty in case["fills"]]
    inverse = case.get("kind") == "inverse"
    return rational(case.get("multiplier", 1)) * sum(q / p if inverse else q * p for p, q in parts)


def _largest(case: Case) -> Any:
    known = [abs(rational(value)) for value in case["values"] if not _nothing(value)]
    return max(known, default=Fraction(1)) * len(case["values"])


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


def notional(price: Any, qty: Any, kind: str = "linear", multiplier: Any = 1) -> Any:
    """Compute the notional."""
    return notional_exact(price, qty, kind=kind, multiplier=multiplier)


def fee(price: Any, qty: Any, rate: Any, kind: str = "linear", multiplier: Any = 1) -> Any:
    """Compute the fee."""
    return fee_exact(price, qty, rate, kind=kind, multiplier=multiplier)


def funding(qty: Any, mark: Any, rate: Any, kind: str = "linear", multiplier: Any = 1) -> Any:
    """Compute the funding received."""
    return funding_exact(qty, mark, rate, kind=kind, multiplier=multiplier)


def unrealized(qty: Any, avg_px: Any, price: Any, kind: str = "linear", multiplier: Any = 1) -> Any:
    """Compute the unrealized P&L."""
    return unrealized_pnl_exact(qty, avg_px, price, kind=kind, multiplier=multiplier)


def _wrapped(bits: int) -> Oracle:
    def wrong(price: Any, qty: Any, kind: str = "linear", multiplier: Any = 1) -> Any:
        exact = notional_exact(price, qty, kind=kind, multiplier=multiplier)
        if exact.denominator != 1:
            raise Undefined("no whole number")
        return (int(exact) + 2 ** (bits - 1)) % 2**bits - 2 ** (bits - 1)

    return wrong


def _cut(*lists: str) -> Callable[[Case, int], Case]:
    return lambda case, n: case | {name: case[name][:n] for name in lists}


def _cut_lee_ready(case: Case, n: int) -> Case:
    seen = sum(ts <= case["trade_ts"][n - 1] for ts in case["quote_ts"])
    return _cut("trade_prices", "trade_ts")(_cut("quote_ts", "bids", "asks")(case, seen), n)


# --- the functions ----------------------------------------------------------------------------------------------------


def _first_mid(bids: Any, asks: Any, min_qty: Any = 0) -> Any:
    return mid_exact(bids[:1], asks[:1], 0)


def _plain_mean(prices: Any, qtys: Any) -> Any:
    return _sum(prices) / len(prices)


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
    return ema_oracle([0 if _nothing(value) else value for value in values], **rest)


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


SPECS: dict[str, Spec] = {
    "mid": Spec(
        lambda bids, asks, min_qty=0: mid_exact(bids, asks, min_qty), lambda stated: MIDS,
        "bids.*.0=0|-1|NaN asks.*.0=0|-1|NaN bids.*.1=-1|NaN asks.*.1=NaN",
        mistakes=(
            Mistake("odd lots below min_qty were taken", _first_mid),
            Mistake("the best bid was taken for the mid", lambda bids, asks, min_qty=0: rational(bids[0][0])),
            Mistake("the best ask was taken for the mid", lambda bids, asks, min_qty=0: rational(asks[0][0])),
        ),
    ),
    "microprice": Spec(
        lambda bid, bid_qty, ask, ask_qty: microprice_exact(bid, bid_qty, ask, ask_qty), lambda stated: TOPS,
        "bid=0|-1|NaN ask=-1|NaN bid_qty=-1|NaN ask_qty=NaN",
        hollow=lambda case: not (case["bid_qty"] or case["ask_qty"]),
        mistakes=(
            Mistake("each price was weighted with its own quantity, where it is the other side's",
                    lambda bid, bid_qty, ask, ask_qty: microprice_exact(bid, ask_qty, ask, bid_qty)),
            Mistake("the quantities were left out", lambda bid, bid_qty, ask, ask_qty: (rational(bid) + rational(ask)) / 2),
        ),
        work=lambda c: f"({c['bid']} x {c['ask_qty']} + {c['ask']} x {c['bid_qty']}) / ({c['bid_qty']} + {c['ask_qty']})",
    ),
    "quote": Spec(
        lambda fair, half_spread, skew, tick: quote_exact(fair, half_spread, skew, tick), lambda stated: QUOTES,
        "fair=0|-1|NaN half_spread=-1|NaN skew=NaN tick=0|-1|NaN",
        mistakes=(
            Mistake("the skew's sign was turned", lambda fair, half_spread, skew, tick: quote_exact(fair, half_spread, -skew, tick)),
            Mistake("the skew was left out", lambda fair, half_spread, skew, tick: quote_exact(fair, half_spread, 0, tick)),
            Mistake("both sides were rounded to the nearest tick, a half to the even one", lambda fair, half_spread, skew, tick: tuple(
                _rounded(fair + skew + half_spread * sign, tick, "half even") for sign in (-1, 1))),
            Mistake("both sides were rounded down", lambda fair, half_spread, skew, tick: tuple(
                _rounded(fair + skew + half_spread * sign, tick, "down") for sign in (-1, 1))),
            Mistake("both sides were rounded to the inside", lambda fair, half_spread, skew, tick: (
                _rounded(fair + skew - half_spread, tick, "up"), _rounded(fair + skew + half_spread, tick, "down"))),
            Mistake("the half-spread was taken for the whole one", lambda fair, half_spread, skew, tick: quote_exact(fair, half_spread / 2, skew, tick)),
        ),
        work=lambda c: f"bid = floor(({c['fair']} + {c['skew']} - {c['half_spread']}) / {c['tick']}) x {c['tick']}, "
        f"ask = ceil(({c['fair']} + {c['skew']} + {c['half_spread']}) / {c['tick']}) x {c['tick']}",
    ),
    "round_price": Spec(
        lambda price, tick, side: round_price_exact(price, tick, side),
        lambda stated: st.tuples(TICKED, SIDE).map(lambda drawn: drawn[0] | {"side": drawn[1]}),
        "price=0|-1|NaN tick=0|-1|NaN side=hold",
        mistakes=tuple(
            Mistake(f"both sides were rounded {words}", lambda price, tick, side, mode=mode: _rounded(price, tick, mode))
            for words, mode in (("to the nearest tick, a half to the even one", "half even"), ("to the nearest tick", "half up"),
                                ("down", "down"), ("up", "up"))
        ) + (Mistake("the sides were swapped", lambda price, tick, side: _rounded(price, tick, "up" if side == "buy" else "down")),),
        work=lambda c: f"{'floor' if c['side'] == 'buy' else 'ceil'}({c['price']} / {c['tick']}) x {c['tick']}",
    ),
    "round_qty": Spec(
        lambda qty, lot: round_qty_exact(qty, lot),
        lambda stated: TICKED.map(lambda case: {"qty": case["price"], "lot": case["tick"]}) | record(qty=QTY, lot=st.sampled_from(TICKS)),
        "qty=-1|NaN lot=0|-1|NaN",
        mistakes=tuple(
            Mistake(f"it was rounded {words}", lambda qty, lot, mode=mode: _rounded(qty, lot, mode))
            for words, mode in (("to the nearest lot, a half to the even one", "half even"), ("to the nearest lot", "half up"), ("up", "up"))
        ),
        work=lambda c: f"floor({c['qty']} / {c['lot']}) x {c['lot']}",
    ),
    "vwap": Spec(
        lambda prices, qtys: vwap_exact(prices, qtys), lambda stated: trades(),
        "prices.*=0|-1|NaN qtys.*=-1|NaN prices=short qtys=short", hollow=lambda case: not any(case["qtys"]),
        mistakes=(
            Mistake("trades alike were counted once", _alike_once, "3.2.2"),
            Mistake("prices were averaged without their quantities", _plain_mean),
        ),
        work=lambda c: f"({' + '.join(f'{p} x {q}' for p, q in zip(c['prices'], c['qtys'], strict=False))}) / ({' + '.join(map(str, c['qtys']))})",
    ),
    "ema": Spec(
        ema_oracle,
        lambda stated: st.tuples(
            st.tuples(row(-(10**5), 10**5, 7), st.sets(st.integers(0, 6), max_size=2), st.sampled_from([None, NAN])).map(
                lambda drawn: {"values": [drawn[2] if n in drawn[1] else x for n, x in enumerate(drawn[0])]}
            ),
            record(init=choice(stated, "ema_init", ["first", "sma", "adjusted"]), span=st.integers(1, 9))
            | record(init=choice(stated, "ema_init", ["first", "adjusted", "sma"]), alpha=decimals(1, 9, 0).map(lambda x: x / 10)),
        ).map(lambda drawn: drawn[0] | drawn[1]),
        "alpha=0|-1|2|NaN span=0|-1 init=last", scale=_largest, direct=lambda case: False,
        mistakes=(
            Mistake("pandas adjust=True was used", _ema_under(init="adjusted")),
            Mistake("the first value was taken as the seed", _ema_under(init="first")),
            Mistake("the mean of the first values was taken as the seed", _ema_under(init="sma")),
            Mistake("alpha = 1 / span (Wilder) was used", _ema_under(scaled=1)),
            Mistake("alpha = 2 / span was used", _ema_under(scaled=2)),
            Mistake("a missing input was taken as 0", _ema_zero),
            Mistake("a missing input poisons what follows", lambda values, **rest: ema_oracle(values, **rest | {"ema_nan": "propagate"})),
        ),
        convention=("init", "ema_init"), past=_cut("values"),
    ),
    "returns": Spec(
        lambda prices, kind="log": returns_exact(prices, kind=kind),
        lambda stated: record({} if stated.get("volatility") == "simple" else {"kind": choice(stated, "volatility", ["log", "simple"])}, prices=row(1, 10**6, 5))
        if stated.get("volatility") != "simple" else record(prices=row(1, 10**6, 5), kind=st.just("simple")),
        "prices.*=0|-1|NaN kind=percent", scale=lambda case: Fraction(1), direct=lambda case: case.get("kind") == "simple",
        mistakes=(
            Mistake("the other kind of return was computed", _other_kind),
            Mistake("each change was divided by the later price", lambda prices, kind="log": [1 - 1 / (1 + r) for r in returns_exact(prices, kind="simple")]),
            Mistake("returns were taken backwards", lambda prices, kind="log": returns_exact(prices[::-1], kind=kind)[::-1]),
            Mistake("prices were differenced", lambda prices, kind="log": [rational(b) - rational(a) for a, b in zip(prices, prices[1:], strict=False)]),
        ),
        convention=("kind", "volatility"), past=_cut("prices"),
    ),
    "volatility": Spec(
        lambda prices, periods_per_year, kind="log", ddof=1: volatility_exact(prices, kind=kind, ddof=ddof, periods_per_year=periods_per_year),
        lambda stated: record(
            {"ddof": st.sampled_from([1, 0])} | ({} if "volatility" in stated else {"kind": st.sampled_from(["log", "simple"])}),
            prices=row(1, 10**4, 6), periods_per_year=st.sampled_from([365, 1, 252, 8760, 525600]),
            **({"kind": st.just(stated["volatility"])} if stated.get("volatility") == "simple" else {}),
        ),
        "prices.*=0|-1|NaN kind=percent periods_per_year=0|-1", scale=lambda case: Fraction(math.sqrt(case["periods_per_year"])),
        direct=lambda case: False,
        hollow=lambda case: len(case["prices"]) - 1 <= case.get("ddof", 1),
        mistakes=(
            Mistake("ddof 0 was used", _volatility_under(ddof=0)), Mistake("ddof 1 was used", _volatility_under(ddof=1)),
            Mistake("simple returns were used", _volatility_under(kind="simple")), Mistake("log returns were used", _volatility_under(kind="log")),
            Mistake("a year of 252 periods was used", _volatility_under(periods_per_year=252)),
            Mistake("a year of 365 periods was used", _volatility_under(periods_per_year=365)),
            Mistake("it was not annualized", _volatility_under(periods_per_year=1)),
            Mistake("it was multiplied by the periods, where it is their root", lambda prices, periods_per_year, kind="log", ddof=1: volatility_exact(
                prices, kind=kind, ddof=ddof, periods_per_year=periods_per_year**2)),
        ),
        convention=("kind", "volatility"),
    ),
    "realized_pnl": Spec(
        lambda fills, cost_basis, kind="linear", multiplier=1: realized_pnl_exact(fills, cost_basis=cost_basis, kind=kind, multiplier=multiplier),
        lambda stated: record(CONTRACT, fills=fills(), cost_basis=choice(stated, "cost_basis", ["fifo", "lifo", "average"])),
        "fills.*.0=hold fills.*.1=0|-1|NaN fills.*.2=-1|NaN cost_basis=hifo kind=option multiplier=0|-1", scale=_turnover,
        direct=lambda case: case.get("kind") != "inverse" and case["cost_basis"] != "average",
        mistakes=(
            Mistake("FIFO was used", _realized_by("fifo")), Mistake("LIFO was used", _realized_by("lifo")),
            Mistake("average cost was used", _realized_by("average")),
            Mistake("fills alike were counted once", _fills_alike_once, "1.3.4"),
            *_contract(lambda fills, cost_basis, kind="linear", multiplier=1: realized_pnl_exact(fills, cost_basis=cost_basis, kind=kind, multiplier=multiplier)),
        ),
    ),
    "unrealized_pnl": Spec(
        unrealized, lambda stated: record(CONTRACT, qty=SIGNED, avg_px=PRICE, price=PRICE),
        "qty=NaN price=0|-1|NaN kind=option multiplier=0", scale=lambda case: _worth(case, "avg_px", "price"), mistakes=_contract(unrealized),
        work=lambda c: f"(1/{c['avg_px']} - 1/{c['price']}) x {c['qty']} x {c.get('multiplier', 1)}" if c.get("kind") == "inverse"
        else f"({c['price']} - {c['avg_px']}) x {c['qty']} x {c.get('multiplier', 1)}",
    ),
    "notional": Spec(
        notional, lambda stated: record(CONTRACT, price=PRICE | HUGE, qty=QTY | HUGE),
        "price=0|-1|NaN qty=-1|NaN kind=option multiplier=0",
        mistakes=(Mistake("the product wrapped in int32", _wrapped(32)), Mistake("the product wrapped in int64", _wrapped(64)), *_contract(notional)[:2]),
        work=lambda c: f"{c['qty']} x {c.get('multiplier', 1)} {'/' if c.get('kind') == 'inverse' else 'x'} {c['price']}",
    ),
    "fee": Spec(
        fee, lambda stated: record(CONTRACT, price=PRICE, qty=QTY, rate=RATE), "price=0|-1|NaN qty=-1|NaN rate=NaN kind=option multiplier=0",
        mistakes=(*_contract(fee), Mistake("a rebate was taken as 0", lambda *args, **rest: max(fee(*args, **rest), Fraction(0)))),
        work=lambda c: f"{c['rate']} x {c['qty']} x {c.get('multiplier', 1)} {'/' if c.get('kind') == 'inverse' else 'x'} {c['price']}",
    ),
    "funding": Spec(
        funding, lambda stated: record(CONTRACT, qty=SIGNED, mark=PRICE, rate=RATE), "mark=0|-1|NaN qty=NaN rate=NaN kind=option multiplier=0",
        mistakes=_contract(funding),
        work=lambda c: f"-({c['rate']}) x {c['qty']} x {c.get('multiplier', 1)} {'/' if c.get('kind') == 'inverse' else 'x'} {c['mark']}",
    ),
    "convert": Spec(
        convert_oracle, lambda stated: record(amount=SIGNED, asset=st.sampled_from(_MONEY), currency=st.sampled_from(_MONEY[::-1]), rates=RATES).filter(
            lambda case: case["asset"] != case["currency"] or not case["rates"] or min(case["rates"].values()) > 0),
        "amount=NaN rates.*=0|-1|NaN", direct=lambda case: (case["asset"], case["currency"]) in case["rates"],
        mistakes=(
            Mistake("the amount was added unconverted", lambda amount, asset, currency, rates: rational(amount)),
            Mistake("the rate was used the wrong way round", lambda amount, asset, currency, rates: convert_exact(
                amount, asset, currency, {pair: 1 / rational(rate) for pair, rate in rates.items()})),
        ),
    ),
    "drawdown": Spec(
        lambda equity: drawdown_exact(equity), lambda stated: record(equity=row(-(10**4), 10**6, 6)), "equity.*=NaN",
        scale=lambda case: 1 + max(abs(fraction or 0) for fraction in drawdown_exact(case["equity"])), past=_cut("equity"),
        mistakes=(
            Mistake("the sign was turned", lambda equity: [None if x is None else -x for x in drawdown_exact(equity)]),
            Mistake("it was given in money, not as a fraction", lambda equity: [h - rational(e) for h, e in zip(
                accumulate(map(rational, equity), max), equity, strict=True)]),
            Mistake("it was divided by the first equity", lambda equity: [(h - rational(e)) / rational(equity[0]) for h, e in zip(
                accumulate(map(rational, equity), max), equity, strict=True)]),
        ),
    ),
    "trade_signs": Spec(
        lambda prices, first=0: trade_signs_exact(prices, first), lambda stated: record({"first": st.sampled_from([0, 1, -1])}, prices=row(1, 9, 7)),
        "prices.*=0|-1|NaN", past=_cut("prices"),
        mistakes=(
            Mistake("a zero tick gave 0, where it keeps the last sign", lambda prices, first=0: [first] + [
                (b > a) - (b < a) for a, b in zip(prices, prices[1:], strict=False)]),
            Mistake("the signs were turned", lambda prices, first=0: [-x for x in trade_signs_exact(prices, -first)]),
        ),
    ),
    "lee_ready": Spec(
        lambda trade_prices, trade_ts, quote_ts, bids, asks: lee_ready_exact(trade_prices, trade_ts, quote_ts, bids, asks),
        lambda stated: signed_trades(), "trade_prices.*=0|-1|NaN bids.*=0|-1|NaN trade_ts=short bids=short", past=_cut_lee_ready,
        mistakes=(
            Mistake("the quote of the same instant was used", lambda trade_prices, trade_ts, quote_ts, bids, asks: lee_ready_exact(
                trade_prices, [ts + Fraction(1, 2) for ts in trade_ts], quote_ts, bids, asks)),
            Mistake("the tick rule alone was used", lambda trade_prices, *rest: trade_signs_exact(trade_prices, 0)),
            Mistake("the signs were turned", lambda *args: [-x for x in lee_ready_exact(*args)]),
        ),
    ),
    "exposure": Spec(
        lambda position, open_orders: exposure_exact(position, open_orders),
        lambda stated: st.tuples(row(-999, 999, 5), st.lists(SIDE, min_size=4, max_size=4)).map(lambda drawn: {
            "position": drawn[0][0], "open_orders": [(side, abs(qty)) for side, qty in zip(drawn[1], drawn[0][1:], strict=False)]}),
        "position=NaN open_orders.*.0=hold open_orders.*.1=-1|NaN",
        scale=lambda case: abs(rational(case["position"])) + _sum(qty for _, qty in case["open_orders"]),
        mistakes=(
            Mistake("orders that reduce the position were left out", _reducing_left_out, "5.1.2"),
            Mistake("the ends were clamped at 0", _clamped),
            Mistake("open orders were left out", lambda position, open_orders: exposure_exact(position, [])),
            Mistake("only the first order was counted", lambda position, open_orders: exposure_exact(position, open_orders[:1])),
        ),
        work=lambda c: f"long {c['position']} + {' + '.join(str(q) for s, q in c['open_orders'] if s == 'buy') or 0}, "
        f"short {c['position']} - {' - '.join(str(q) for s, q in c['open_orders'] if s == 'sell') or 0}",
    ),
    "liquidation_price": Spec(
        liquidation_oracle,
        lambda stated: record(
            CONTRACT | {"maintenance_amount": QTY}, qty=SIGNED, avg_px=PRICE, margin=QTY, maintenance_rate=decimals(0, 50, 0).map(lambda x: x / 100)
        ).filter(well_conditioned),
        "margin=NaN maintenance_rate=NaN kind=option multiplier=0 avg_px=NaN", scale=_liquidation_scale, direct=lambda case: False,
        mistakes=(
            Mistake("the maintenance margin was left out", lambda *args, **rest: liquidation_oracle(*args[:3], 0, **rest | {"maintenance_amount": 0})),
            Mistake('the maintenance margin was taken at the entry (if that is meant, CONVENTIONS["maintenance_at"] = "entry" says so)',
                    lambda *args, **rest: liquidation_oracle(*args, **rest | {"maintenance_at": "entry"})),
            Mistake("the maintenance amount was left out", lambda *args, **rest: liquidation_oracle(*args, **rest | {"maintenance_amount": 0})),
            Mistake("long and short were swapped", lambda qty, *args, **rest: liquidation_oracle(-qty, *args, **rest)),
            *_contract(liquidation_oracle)[:2],
        ),
    ),
    "parse_ts": Spec(lambda text: parse_ts_exact(text), lambda stated: ISO | EPOCH | NO_TIME),
    "duration": Spec(
        lambda start_ns, end_ns: duration_exact(start_ns, end_ns),
        lambda stated: st.tuples(_NS, _NS | st.integers(-5, 10**12)).map(lambda drawn: {"start_ns": drawn[0], "end_ns": drawn[0] + drawn[1]}),
        work=lambda c: f"{c['end_ns']} - {c['start_ns']}",
    ),
    "window_of": Spec(
        lambda ts_ns, width_ns: window_of_exact(ts_ns, width_ns),
        lambda stated: st.tuples(_NS, st.integers(1, 100) | st.sampled_from([10**9, 60 * 10**9, 86400 * 10**9, 0, -1]), st.booleans()).map(
            lambda drawn: {"ts_ns": drawn[0] * (drawn[1] if drawn[2] and abs(drawn[0]) <= 100 else 1), "width_ns": drawn[1]}),
        mistakes=(
            Mistake("the end of a window was put into it", lambda ts_ns, width_ns: (ts_ns - 1) // width_ns * width_ns),
            Mistake("times before 1970 were cut towards 0", lambda ts_ns, width_ns: int(Fraction(ts_ns, width_ns)) * width_ns),
            Mistake("the end of the window was given", lambda ts_ns, width_ns: (ts_ns // width_ns + 1) * width_ns),
        ),
        work=lambda c: f"floor({c['ts_ns']} / {c['width_ns']}) x {c['width_ns']}",
    ),
}  # fmt: skip
