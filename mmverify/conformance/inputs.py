"""The inputs that functions are tried with: prices, quantities, books, trades, times, and the ways to spoil them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from itertools import accumulate
from typing import Any

from hypothesis import strategies as st

Case = dict[str, Any]
Conventions = Mapping[str, Sequence[str]]
Strategy = st.SearchStrategy[Any]

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


def spoiled(cases: Strategy, spoils: str) -> Strategy:
    """Draw cases with one argument put outside the domain."""
    ways = [(path, bad) for path, _, bads in (way.partition("=") for way in spoils.split()) for bad in bads.split("|")]

    def spoil(drawn: tuple[Case, tuple[str, str], int]) -> Any:
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
    ["", "now", "2024-13-01T00:00:00Z", "2023-02-29T00:00:00Z", "2024-01-01T25:00:00Z", "1.5", "nan", "2024-01-01",
     "2024-01-01T00:00:00.1234567890Z", "2024-01-01T00:60:00Z"]
).map(lambda text: {"text": text})  # fmt: skip
NS = st.integers(0, 100) | st.integers(-(10**19), 10**19)
MONEY = ["USDT", "BTC", "EUR", "BNB"]
_PAIRS = [(a, b) for a in MONEY for b in MONEY if a != b]


@st.composite
def rate_tables(draw: st.DrawFn) -> dict[tuple[str, str], Decimal]:
    """Draw rates between few currencies, each pair in one direction."""
    pairs = draw(st.lists(st.sampled_from(_PAIRS), max_size=4, unique_by=lambda pair: frozenset(pair)))
    return {pair: draw(decimals(1, 10**5)) for pair in pairs}
