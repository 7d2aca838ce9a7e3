"""The public trades as the bot's signals may use them, and what a window of them comes to."""

from __future__ import annotations

import json
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from audit.market import time
from audit.recorded import Recorded, Row, cuts, number, remember


@dataclass(frozen=True)
class Trade:
    """A public trade; `is_late` where one that the venue stamped later had come before it."""

    place: int  # in order of arrival
    ts_exchange: int
    ts_local: int  # when it arrived
    price: Fraction
    qty: Fraction
    is_late: bool


class Tape:
    """The trades of a symbol that entered the signals."""

    def __init__(self, trades: Sequence[Trade]) -> None:
        self.arrived = list(trades)
        self.arrivals = [trade.ts_local for trade in trades]
        self.stamped = sorted(trades, key=lambda trade: (trade.ts_exchange, trade.place))
        self.stamps = [trade.ts_exchange for trade in self.stamped]

    def near(self, start: int, end: int) -> list[Trade]:
        """Return the trades of a window by either clock, its end included, in order of ts_exchange."""
        by_venue = self.stamped[bisect_left(self.stamps, start) : bisect_right(self.stamps, end)]
        by_bot = self.arrived[bisect_left(self.arrivals, start) : bisect_right(self.arrivals, end)]
        either = {trade.place: trade for trade in [*by_venue, *by_bot]}
        return sorted(either.values(), key=lambda trade: (trade.ts_exchange, trade.place))


@remember
def tape(session: Recorded, symbol: str) -> Tape:
    """Return the distinct trades of a symbol with a price above 0, those never used left out."""
    used: dict[str, bool] = {}
    for row in session.rows("bot_trades", symbol=symbol):
        used[row["trade_id"]] = used.get(row["trade_id"], False) or row["used"] != "false"
    out: list[Trade] = []
    met: set[str] = set()
    newest = 0
    for row, ts in zip(*session.arrivals("trades", symbol=symbol), strict=True):
        trade_id, price, qty, stamp = (
            row["trade_id"],
            number(row["price"]),
            number(row["qty"]),
            time(row["ts_exchange"]),
        )
        if stamp is None or trade_id in met or price is None or qty is None:
            continue
        if trade_id:
            met.add(trade_id)
        if used.get(trade_id, True) and price > 0:
            out.append(Trade(len(out), stamp, ts, price, qty, stamp < newest))
        newest = max(newest, stamp)
    return Tape(out)


def counts(session: Recorded, trades: Tape, ts: int) -> range:
    """Return how many trades may have arrived for a claim at `ts`, the fewest first."""
    skew = session.skew if session.clock("trades") == "ts_exchange" else 0
    return cuts(trades.arrivals, ts - skew, session.lag, ahead=2 * skew)


@dataclass(frozen=True)
class Claim:
    """A row of signals with a value, its window, and each set of trades near it that may have arrived."""

    row: Row
    name: str
    value: Fraction
    start: int
    end: int
    arrived: tuple[list[Trade], ...]
    tolerance: Fraction

    def truths(self) -> list[list[Trade]]:
        """Return the trades with start <= ts_exchange < end, for each set that may have arrived."""
        return [[trade for trade in trades if self.start <= trade.ts_exchange < self.end] for trades in self.arrived]

    def is_of(self, windows: Iterable[Sequence[Trade]]) -> bool:
        """Whether the value is that of one of these sets of trades."""
        values = (value_of(self.name, trades) for trades in windows)
        return any(value is not None and abs(value - self.value) <= self.tolerance for value in values)

    def is_right(self) -> bool:
        return self.is_of(self.truths())

    def is_by_arrival(self) -> bool:
        """Whether the value is that of the trades with start <= ts_local < end."""
        return self.is_of_each(lambda trade: self.start <= trade.ts_local < self.end)

    def is_of_each(self, pick: Callable[[Trade], bool]) -> bool:
        """Whether the value is that of the trades near the window that `pick` takes."""
        return self.is_of([trade for trade in trades if pick(trade)] for trades in self.arrived)


def value_of(name: str, trades: Sequence[Trade]) -> Fraction | None:
    """Return volume or VWAP of trades; the VWAP of none is not defined."""
    volume = sum((trade.qty for trade in trades), Fraction(0))
    if name == "volume":
        return volume
    return sum((trade.price * trade.qty for trade in trades), Fraction(0)) / volume if volume else None


@remember
def window_claims(session: Recorded) -> list[Claim]:
    """Return the claims of VWAP and volume over a stated window."""
    out: list[Claim] = []
    tolerance = session.half_unit("signals", "value")
    for row, ts in zip(*session.arrivals("signals"), strict=True):
        value, start, end = number(row["value"]), time(row["window_start"]), time(row["window_end"])
        if row["name"] not in ("vwap", "volume") or value is None or start is None or end is None:
            continue
        trades = tape(session, row["symbol"])
        near = trades.near(start, end)
        sets: list[list[Trade]] = []
        for count in counts(session, trades, ts):
            arrived = [trade for trade in near if trade.place < count]
            if not sets or arrived != sets[-1]:
                sets.append(arrived)
        out.append(Claim(row, row["name"], value, start, end, tuple(sets), tolerance))
    return out


def parameters(row: Row) -> dict[str, Any]:
    """Return what a signal's params say."""
    return json.loads(row["params"] or "{}")
