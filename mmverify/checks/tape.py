"""The public trades of one symbol as a bot may have seen them: in the venue's order of time, less what had not arrived."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from mmverify.checks.known import Rows, Timeline, Times, timeline
from mmverify.numeric import INT64_MAX, Ints, largest
from mmverify.session.load import Session, need_instruments


@dataclass(frozen=True, eq=False)
class Tape:
    """Distinct trades of one symbol that entered its signals, by time of the venue, ties in file order.

    Parameters
    ----------
    rows : ndarray of int64
        Row of each trade in the table `trades`.
    times : ndarray of int64
        The venue's time, ns, ascending.
    arrived : Timeline
        The same trades in the order in which they reached the bot.
    rank : ndarray of int64
        Place of each trade in that order.
    prices, qtys : ndarray of int
        Scaled integers.
    price_scale, qty_scale : int
    left_out : int
        Trades without the venue's time.
    """

    rows: Rows
    times: Times
    arrived: Timeline
    rank: Rows
    prices: Ints
    qtys: Ints
    price_scale: int
    qty_scale: int
    left_out: int
    latest_rank: Rows
    turnover: Ints
    volume: Ints
    floats: NDArray[np.float64]

    def window(self, start: int | None, end: int | None) -> tuple[int, int]:
        """Return the slice of trades with ``start <= ts_exchange < end``; an open side where it is None."""
        low = 0 if start is None else int(np.searchsorted(self.times, start, side="left"))
        high = len(self.times) if end is None else int(np.searchsorted(self.times, end, side="left"))
        return low, max(low, high)

    def cuts(self, low: int, high: int, at: int) -> list[int]:
        """Return how many arrivals a claim made at `at` may have seen, one each that matters within a slice."""
        fewest, most = (int(n[0]) for n in self.arrived.span(np.array([at])))
        if fewest == most:
            return [most]
        inside = self.rank[low:high]
        between = np.sort(inside[(inside >= fewest) & (inside < most)]) + 1
        return [fewest, *(int(n) for n in between)][::-1]

    def seen(self, low: int, high: int, cut: int) -> tuple[int, Rows]:
        """Split a slice at a cut: trades before the returned place had all arrived; after it, those at these places."""
        full = min(max(int(np.searchsorted(self.latest_rank, cut, side="left")), low), high)
        rest = np.flatnonzero(self.rank[full:high] < cut) + full
        return full, rest

    def values(self, low: int, high: int, cut: int) -> NDArray[np.float64]:
        """Return the prices of a slice that had arrived, as float64."""
        full, rest = self.seen(low, high, cut)
        return self.floats[low:full] if not rest.size else np.concatenate([self.floats[low:full], self.floats[rest]])

    def places(self, low: int, high: int, cut: int) -> Rows:
        """Return the places of a slice that had arrived."""
        full, rest = self.seen(low, high, cut)
        return np.concatenate([np.arange(low, full), rest])

    def vwap(self, low: int, high: int, cut: int) -> Fraction | None:
        """Return sum(price x qty) / sum(qty) of a slice as far as it had arrived, exact; None for no volume."""
        full, rest = self.seen(low, high, cut)
        turnover, volume = (
            int(total[full]) - int(total[low]) + sum(int(part) for part in parts)
            for total, parts in (
                (self.turnover, self.prices[rest].astype(object) * self.qtys[rest].astype(object)),
                (self.volume, self.qtys[rest]),
            )
        )
        return Fraction(turnover, volume * 10**self.price_scale) if volume else None


def _running(terms: Ints) -> Ints:
    exact = terms if largest(terms) * max(len(terms), 1) <= INT64_MAX else terms.astype(object)
    return np.concatenate([np.zeros(1, dtype=exact.dtype), np.cumsum(exact)])


@lru_cache(maxsize=64)
def tape(session: Session, symbol: str, everything: bool = False) -> Tape:
    """Read the trades of one symbol, those that `bot_trades` marks as unused left out (kept with `everything`)."""
    table = session.table("trades", "ts_exchange", "ts_local", "symbol", "trade_id", "price", "qty")
    symbols, ids, venue = table.words("symbol"), table.words("trade_id"), table.whole("ts_exchange")
    need_instruments(session, "trades", symbols)
    mine = symbols.is_(symbol)
    keep = mine & ~venue.missing
    rows = np.flatnonzero(keep)
    codes = ids.codes[rows]
    named = codes >= 0
    _, first = np.unique(codes[named], return_index=True)
    fresh = ~named
    fresh[np.flatnonzero(named)[first]] = True
    rows = rows[fresh]
    if not everything and session.has("bot_trades"):
        rows = rows[~np.isin(ids.codes[rows], _unused(session, symbol, ids.names))]
    rows = rows[np.argsort(venue.values[rows], kind="stable")]
    chosen = np.zeros(len(table), dtype=bool)
    chosen[rows] = True
    arrived = timeline(session, table, chosen)
    place = np.empty(len(table), dtype=np.int64)
    place[arrived.rows] = np.arange(len(arrived))
    price, qty = table.decimals("price"), table.decimals("qty")
    prices, qtys, rank = price.ints[rows], qty.ints[rows], place[rows]
    wide = largest(prices) * largest(qtys) > INT64_MAX
    products = prices.astype(object) * qtys.astype(object) if wide else prices * qtys
    return Tape(
        rows=rows, times=venue.values[rows], arrived=arrived, rank=rank, prices=prices, qtys=qtys,
        price_scale=price.scale, qty_scale=qty.scale, left_out=int((mine & venue.missing).sum()),
        latest_rank=np.maximum.accumulate(rank) if len(rank) else rank,
        turnover=_running(products), volume=_running(qtys), floats=price.floats()[rows],
    )  # fmt: skip


def _unused(session: Session, symbol: str, names: tuple[str, ...]) -> list[int]:
    table = session.table("bot_trades", "trade_id", "symbol", "used")
    used = table.whole("used")
    dropped = table.words("symbol").is_(symbol) & ~used.missing & (used.values == 0)
    ids = table.words("trade_id")
    marked = {ids.names[code] for code in np.unique(ids.codes[dropped]) if code >= 0}
    return [code for code, name in enumerate(names) if name in marked]


