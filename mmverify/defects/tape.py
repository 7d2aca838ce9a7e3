"""What mistakes of signals are made on: a claim beside the trades that it is of; and what a wrong one costs."""

from __future__ import annotations

import json
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, localcontext
from fractions import Fraction
from typing import Any

from mmverify.defects import Planted
from mmverify.defects.recording import Recording, Row, text
from mmverify.simulate.signals import PRECISION, YEAR, Print, closes, volatility, vwap

DAY = YEAR // 365


@dataclass(frozen=True)
class Tape:
    """The trades that entered the signals of a symbol: as they arrived, and by the venue's time."""

    arrived: Sequence[Print]
    stamped: Sequence[Print]

    def window(self, start: int, end: int, known: int) -> list[Print]:
        """Return the trades of a window, by the venue's clock, that had arrived at `known`."""
        low = bisect_left(self.stamped, start, key=lambda trade: trade.ts_exchange)
        high = bisect_left(self.stamped, end, key=lambda trade: trade.ts_exchange)
        return [trade for trade in self.stamped[low:high] if trade.ts_local <= known]


@dataclass(frozen=True)
class Claim:
    """A row of signals beside the trades that it may be made of."""

    place: int
    row: Row
    tape: Tape
    init: str
    kind: str

    @property
    def symbol(self) -> str:
        """The market."""
        return self.row["symbol"]

    @property
    def at(self) -> int:
        """When it was claimed. [ns]"""
        return int(self.row["ts_local"])

    @property
    def params(self) -> dict[str, Any]:
        """What the row says of how it was computed."""
        return dict(json.loads(self.row.get("params") or "{}"))

    @property
    def window(self) -> list[Print]:
        """The trades that it is of."""
        start, end = int(self.row.get("window_start") or 0), int(self.row.get("window_end") or 2**63)
        return self.tape.window(start, end, self.at)

    def vwap(self) -> Decimal | None:
        """Return the VWAP of its window."""
        return vwap(self.window)

    def ema(
        self, *, alpha: Decimal | None = None, init: str = "", until: int = 0,
        price: Callable[[Print], Decimal] = lambda trade: trade.price,
    ) -> Decimal | None:  # fmt: skip
        """The average as stated, but for what is given otherwise."""
        params, start = self.params, int(self.row.get("window_start") or 0)
        end = max(int(self.row.get("window_end") or 2**63), until)
        trades = [(trade, price(trade)) for trade in self.tape.window(start, end, self.at)]
        prices = [value for _, value in trades]
        if "period_ns" in params:
            priced = [Print(t.ts_exchange, t.arrival, t.ts_local, value, t.qty) for t, value in trades]
            prices = _filled(closes(priced, start=start, period=params["period_ns"], buckets=self._buckets))
        with localcontext(prec=PRECISION):
            stated = Decimal(2) / (params["span"] + 1) if "span" in params else Decimal(str(params["alpha"]))
            n = int(params.get("n") or params.get("span") or 1)
            return _ema(prices, alpha=alpha or stated, init=init or self.init, n=n)

    @property
    def _buckets(self) -> int:
        return (int(self.row["window_end"]) - int(self.row["window_start"])) // int(self.params["period_ns"])

    @property
    def ddof(self) -> int:
        """Degrees of freedom that are taken off."""
        return int(self.params.get("ddof", 1))

    @property
    def per_year(self) -> Decimal:
        """Periods a year, as stated or of 365 days."""
        stated = self.params.get("periods_per_year")
        return Decimal(YEAR) / self.params["period_ns"] if stated is None else Decimal(str(stated))

    @property
    def _closes(self) -> list[Decimal | None]:
        start, period = int(self.row["window_start"]), self.params["period_ns"]
        return closes(self.window, start=start, period=period, buckets=self._buckets)

    @property
    def is_gapped(self) -> bool:
        """Whether a bucket is empty, and enough of them are not."""
        return None in self._closes and len(set(self._closes) - {None}) > 2

    def volatility(
        self, *, kind: str = "", ddof: int | None = None, per_year: Decimal | None = None, repeat: bool = True
    ) -> Decimal | None:
        """The volatility as stated, but for what is given otherwise."""
        prices = _filled(self._closes) if repeat else [price for price in self._closes if price is not None]
        return volatility(
            prices, kind=kind or self.kind, ddof=self.ddof if ddof is None else ddof,
            periods_per_year=self.per_year if per_year is None else per_year,
        )  # fmt: skip


def _filled(prices: Sequence[Decimal | None]) -> list[Decimal]:
    """Repeat the last price where there is none."""
    out: list[Decimal] = []
    for price in prices:
        if price is not None or out:
            out.append(out[-1] if price is None else price)
    return out


def _ema(prices: Sequence[Decimal], *, alpha: Decimal, init: str, n: int) -> Decimal | None:
    """Return the average of prices; of those so old that they weigh less than 1e-25 only one enters."""
    if init == "sma":
        if len(prices) < n:
            return None
        prices = [mean(prices[:n]) or Decimal(0), *prices[n:]]
    prices = prices[-int(60 / alpha) - 1 :]
    top, bottom = Decimal(0), Decimal(0)
    for place, price in enumerate(prices):
        weight = alpha if place and init != "adjusted" else Decimal(1)
        top, bottom = (1 - alpha) * top + weight * price, (1 - alpha) * bottom + weight
    return top / bottom if prices else None


def mean(prices: Sequence[Decimal]) -> Decimal | None:
    """Return the plain average, None of nothing."""
    with localcontext(prec=PRECISION):
        return sum(prices, Decimal(0)) / len(prices) if prices else None


def _tapes(recording: Recording) -> dict[str, Tape]:
    """Return by symbol the distinct trades that the bot did not leave out."""
    unused = {(row["symbol"], row["trade_id"]) for row in recording["bot_trades"] if row.get("used") == "false"}
    trades: dict[str, list[Print]] = {}
    met = set()
    for n, row in enumerate(sorted(recording["trades"], key=_arrival)):
        id = row["symbol"], row.get("trade_id") or str(n)
        if row.get("ts_exchange") and id not in met and id not in unused:
            stamp, price, qty = int(row["ts_exchange"]), Decimal(row["price"]), Decimal(row["qty"])
            trades.setdefault(row["symbol"], []).append(Print(stamp, n, _arrival(row), price, qty))
        met.add(id)
    return {symbol: Tape(each, sorted(each)) for symbol, each in trades.items()}


def _arrival(row: Mapping[str, str]) -> int:
    return int(row.get("ts_local") or row["ts_exchange"])


def claims_of(recording: Recording, name: str) -> list[Claim]:
    """Return the rows of a signal, to be edited, of symbols that traded."""
    tapes, init = _tapes(recording), recording.convention("ema_init", "first")
    rows, kind = recording.edit("signals"), recording.convention("volatility", "log")
    return [
        Claim(place, row, tapes[row["symbol"]], init, kind)
        for place, row in enumerate(rows)
        if row["name"] == name and row["symbol"] in tapes
    ]


def replaced(recording: Recording, name: str, value: Callable[[Claim], Decimal | None]) -> Planted:
    """Give every claim of a signal that has a value another one."""
    right: Callable[[Claim], Decimal | None] = getattr(Claim, name)
    wrong: list[tuple[Claim, Decimal | None]] = []
    for each in claims_of(recording, name):
        other = value(each) if each.row["value"] else None
        if other is not None:
            was, each.row["value"] = each.row["value"], text(Fraction(other), each.row["value"])
            wrong += [(each, right(each))] if each.row["value"] != was else []
    return recording.planted(*(_risk_cost if name == "volatility" else price_cost)(recording, wrong))


def longest_value(recording: Recording) -> str:
    """Return a cell with the most digits of the signals' values."""
    return max((row["value"] for row in recording["signals"]), key=lambda cell: len(cell.partition(".")[2]), default="")


# What they cost: what one order priced by them loses, what the risk of a day is misjudged by

Cost = tuple[Fraction | None, str]


def _market(recording: Recording, symbol: str) -> tuple[Mapping[str, str], str, Fraction]:
    row = recording.instrument(symbol)
    settle = row.get("settle") or row["base" if row["kind"] == "inverse" else "quote"]
    return row, settle, Fraction(row.get("multiplier") or 1)


def _order(recording: Recording, symbol: str) -> Fraction:
    """Return the size of an order: the largest that is allowed, else the largest fill, else one unit."""
    fills = [Fraction(row["qty"]) for row in recording["fills"] if row["symbol"] == symbol]
    return recording.limit(symbol, "max_order_qty") or max(fills, default=Fraction(1))


def _between(recording: Recording, symbol: str, was: Fraction, now: Fraction) -> Fraction:
    """Return what an order gains or loses between two prices."""
    row, _, multiplier = _market(recording, symbol)
    size = _order(recording, symbol) * multiplier
    return abs(size / was - size / now) if row["kind"] == "inverse" else abs(was - now) * size


def price_cost(recording: Recording, wrong: Sequence[tuple[Claim, Decimal | None]]) -> Cost:
    """Return what an order priced by the claim that is furthest off gives away."""
    found = [(_between(recording, each.symbol, *pair), _market(recording, each.symbol)[1])
             for each, pair in _furthest(wrong)]  # fmt: skip
    return max(found, default=(None, ""))


def _risk_cost(recording: Recording, wrong: Sequence[tuple[Claim, Decimal | None]]) -> Cost:
    """Return by how much the daily one-sigma move of the largest position is misjudged at most."""
    found = []
    for each, (claimed, right) in _furthest(wrong):
        row, settle, multiplier = _market(recording, each.symbol)
        size = (recording.limit(each.symbol, "max_position") or _order(recording, each.symbol)) * multiplier
        price = Fraction(each.window[-1].price)
        daily = Fraction((DAY / (each.params["period_ns"] * float(each.per_year))) ** 0.5)
        worth = size / price if row["kind"] == "inverse" else size * price
        found.append((abs(claimed - right) * daily * worth, settle))
    return max(found, default=(None, ""))


def _furthest(
    wrong: Sequence[tuple[Claim, Decimal | None]],
) -> Iterator[tuple[Claim, tuple[Fraction, Fraction]]]:
    """Yield by symbol the claim that is furthest off, with what it claims and what is right."""
    pairs = [(each, (Fraction(each.row["value"]), Fraction(right))) for each, right in wrong if right is not None]
    for symbol in dict.fromkeys(each.symbol for each, _ in pairs):
        yield max((pair for pair in pairs if pair[0].symbol == symbol), key=lambda pair: abs(pair[1][0] - pair[1][1]))


def peeked(recording: Recording, rows: Sequence[Row]) -> Cost:
    """Return how far the price moved, on one order, while inputs of after a signal came in."""
    arrived: dict[str, tuple[list[int], list[str]]] = {}
    for trade in sorted(recording["trades"], key=_arrival):
        times, prices = arrived.setdefault(trade["symbol"], ([], []))
        times.append(_arrival(trade))
        prices.append(trade["price"])
    found = []
    for row in rows:
        times, prices = arrived.get(row["symbol"], ([], []))
        known, seen = (bisect_right(times, int(row[name])) for name in ("ts_local", "ts_input_max"))
        if known:
            pair = Fraction(prices[known - 1]), Fraction(prices[seen - 1])
            found.append((_between(recording, row["symbol"], *pair), _market(recording, row["symbol"])[1]))
    return max(found, default=(None, ""))
