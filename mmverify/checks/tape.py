"""The public trades of one symbol as a bot may have seen them: in the venue's order of time, as far as arrived."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property, lru_cache
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from mmverify.checks.exact import running, times
from mmverify.checks.known import Rows, Timeline, Times, rising, taken, timeline
from mmverify.checks.orderflow_lives import codes_in
from mmverify.numeric import INT64_MAX, Ints, Mask, largest, scaled_floats
from mmverify.session.columns import Words
from mmverify.session.load import Session, Table, need_instruments

_BLOCK = 64  # trades between two sums that are kept


@dataclass(frozen=True, eq=False)
class Tape:
    """Distinct trades of one symbol that entered its signals, by time of the venue.

    Parameters
    ----------
    rows : ndarray of int64
        Row of each trade in the table `trades`.
    times : ndarray of int64
        The venue's time, ns, ascending.
    arrived : Timeline
        The same trades in the order in which they reached the bot: their places here, and when.
    rank : ndarray of int64
        Place of each trade in that order.
    prices, qtys : ndarray of int
        Scaled integers.
    price_scale, qty_scale : int
        Digits after the point in them.
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

    @cached_property
    def range(self) -> tuple[float, float]:
        """The lowest price above 0 and the highest, both 0 where there is none."""
        most = self.prices.max(initial=0)
        least = self.prices.min(initial=most, where=self.prices > 0)
        low, high = scaled_floats(np.array([least, most]), self.price_scale).tolist()
        return low, high

    @cached_property
    def repeated(self) -> Rows:
        """The places of the trades that have the time of the one in front of them."""
        return np.flatnonzero(self.times[1:] == self.times[:-1]) + 1

    @cached_property
    def _is_in_order(self) -> bool:
        """Whether they came in the venue's order."""
        return rising(self.rank)

    @cached_property
    def _latest(self) -> Rows:
        """The highest rank up to each trade: below it, all up to here had arrived."""
        return self.rank if self._is_in_order else np.maximum.accumulate(self.rank)

    @cached_property
    def _earliest(self) -> Rows:
        """The lowest rank from each trade on: at or above it, none from here on had arrived."""
        return self.rank if self._is_in_order else np.asarray(np.minimum.accumulate(self.rank[::-1])[::-1])

    @cached_property
    def _volume(self) -> Ints:
        return _before_blocks(self.qtys)

    @cached_property
    def _turnover(self) -> Ints:
        return _before_blocks(times(self.prices, self.qtys))

    def floats(self, places: Rows | slice) -> NDArray[np.float64]:
        """Return the prices at these places as float64."""
        return scaled_floats(self.prices[places], self.price_scale)

    def window(self, start: int | None, end: int | None) -> tuple[int, int]:
        """Return the slice of trades with ``start <= ts_exchange < end``; an open side where it is None."""
        low = 0 if start is None else int(self.times.searchsorted(start, side="left"))
        high = len(self.times) if end is None else int(self.times.searchsorted(end, side="left"))
        return low, max(low, high)

    def cuts(self, low: int, high: int, at: int) -> list[int]:
        """Return how many arrivals a claim made at `at` may have seen, one each that matters within a slice."""
        fewest, most = (int(n[0]) for n in self.arrived.span(np.array([at])))
        if fewest == most:
            return [most]
        places = self.arrived.rows[fewest:most]
        between = np.flatnonzero((places >= low) & (places < high)) + fewest + 1
        return [fewest, *between.tolist()][::-1]

    def _seen(self, low: int, high: int, cut: int) -> tuple[int, Rows]:
        """Split a slice at a cut: trades before the returned place had all arrived; after it, those at these places."""
        full = min(max(int(self._latest.searchsorted(cut, side="left")), low), high)
        none = min(int(self._earliest.searchsorted(cut, side="left")), high)
        return full, np.flatnonzero(self.rank[full:none] < cut) + full

    def places(self, low: int, high: int, cut: int) -> Rows:
        """Return the places of a slice that had arrived."""
        full, rest = self._seen(low, high, cut)
        return np.concatenate([np.arange(low, full), rest])

    def values(self, low: int, high: int, cut: int, newest: int | None = None) -> NDArray[np.float64]:
        """Return the prices of a slice that had arrived, as float64; all, or at least the `newest` of them."""
        full, rest = self._seen(low, high, cut)
        known = self.floats(slice(low if newest is None else max(low, full - newest), full))
        return np.concatenate([known, self.floats(rest)]) if rest.size else known

    def closes(self, low: int, high: int, cut: int, start: int, period: int) -> tuple[Rows, NDArray[np.float64]]:
        """Return the buckets of `period` ns from `start` on in which a slice traded, and the last price of each."""
        places = self.places(low, high, cut)
        bucket = (self.times[places] - start) // period
        last = np.append(np.diff(bucket) != 0, True)[: bucket.size]
        return bucket[last], self.floats(places[last])

    def count(self, low: int, high: int, cut: int) -> int:
        """Return how many trades of a slice had arrived."""
        full, rest = self._seen(low, high, cut)
        return full - low + len(rest)

    def sums(self, low: int, high: int, cut: int) -> tuple[int, int]:
        """Return sum(qty) and sum(price x qty) of a slice as far as it had arrived, in units of their scales."""
        full, rest = self._seen(low, high, cut)
        volume, turnover = self.sums_of(rest)
        for end, sign in ((full, 1), (low, -1)):
            block = end // _BLOCK
            part = self.sums_of(slice(block * _BLOCK, end))
            volume += sign * (int(self._volume[block]) + part[0])
            turnover += sign * (int(self._turnover[block]) + part[1])
        return volume, turnover

    def sums_of(self, places: Rows | slice) -> tuple[int, int]:
        """Return sum(qty) and sum(price x qty) of the trades at these places."""
        qtys = self.qtys[places].tolist()
        turnover = sum(price * qty for price, qty in zip(self.prices[places].tolist(), qtys, strict=True))
        return sum(qtys), turnover

    def ratio(self, volume: int, turnover: int) -> Fraction | None:
        """Return sum(price x qty) / sum(qty) of such sums, None for no volume."""
        return Fraction(turnover, volume * 10**self.price_scale) if volume else None

    def vwap(self, low: int, high: int, cut: int) -> Fraction | None:
        """Return sum(price x qty) / sum(qty) of a slice as far as it had arrived, exact; None for no volume."""
        return self.ratio(*self.sums(low, high, cut))

    def volume(self, low: int, high: int, cut: int) -> Fraction:
        """Return sum(qty) of a slice as far as it had arrived, exact."""
        return Fraction(self.sums(low, high, cut)[0], 10**self.qty_scale)

    def arrivals(self, start: int, end: int, cut: int) -> Rows:
        """Return the places of the trades that reached the bot in ``[start, end)``, the first `cut` of them at most."""
        low, high = np.searchsorted(self.arrived.times, [start, end], side="left").tolist()
        return np.sort(self.arrived.rows[low : max(low, min(high, cut))])


def _before_blocks(terms: Ints) -> Ints:
    """Return the sum of all terms before each block of them, and before the end."""
    wide = largest(terms) * _BLOCK > INT64_MAX
    return running(np.add.reduceat(terms.astype(object) if wide else terms, np.arange(0, len(terms), _BLOCK)))


@lru_cache(maxsize=64)
def tape(
    session: Session, symbol: str, also: Literal["", "unused", "repeats", "worthless"] = "",
    ties: Literal["file", "arrival", "trade_id"] = "file",
) -> Tape:  # fmt: skip
    """Read the trades of one symbol; `ties` is the order of those of one time.

    Those that `bot_trades` marks as unused are left out, of those with one trade_id all but the first to arrive, and
    those at a price of 0; but not the ones that `also` names.
    """
    table, arrived, dropped = _arrived(session, symbol)
    if also and not dropped.pop(also).any():
        return tape(session, symbol, ties=ties)
    arrived = _without(arrived, dropped.values())
    ids, venue = table.words("trade_id"), table.whole("ts_exchange")
    price, qty = table.decimals("price"), table.decimals("qty")
    rows = arrived.rows
    if ties == "trade_id":
        rows = rows[np.argsort(_number(ids)[ids.codes[rows]], kind="stable")]
    elif ties == "file" and not rising(rows):
        rows = np.sort(rows)
    sent = taken(venue.values, rows)
    if (sent[1:] < sent[:-1]).any():
        order = np.argsort(sent, kind="stable")
        rows, sent = rows[order], sent[order]
    rank = _ranks(arrived.rows, rows)
    places = rank if arrived.rows is rows else _ranks(rows, arrived.rows)
    return Tape(
        rows=rows, times=sent, arrived=replace(arrived, rows=places), rank=rank, prices=taken(price.ints, rows),
        qtys=taken(qty.ints, rows), price_scale=price.scale, qty_scale=qty.scale,
        left_out=int((table.words("symbol").is_(symbol) & venue.missing).sum()),
    )  # fmt: skip


def _arrived(session: Session, symbol: str) -> tuple[Table, Timeline, dict[str, Mask]]:
    """Return the trades of a symbol as they came, and which of them are unused, repeats and worthless."""
    table = session.table("trades", "ts_exchange", "ts_local", "symbol", "trade_id", "price", "qty")
    symbols = table.words("symbol")
    need_instruments(session, "trades", symbols)
    arrived = timeline(session, table, symbols.is_(symbol) & ~table.whole("ts_exchange").missing)
    codes = taken(table.words("trade_id").codes, arrived.rows)
    return table, arrived, {
        "unused": _unused(session, symbol, codes),
        "repeats": (codes >= 0) & ~_first(codes),
        "worthless": ~np.asarray(np.greater(taken(table.decimals("price").ints, arrived.rows), 0), dtype=bool),
    }  # fmt: skip


def _without(arrived: Timeline, dropped: Iterable[Mask]) -> Timeline:
    keep = ~np.any(list(dropped), axis=0)
    return arrived if keep.all() else replace(arrived, rows=arrived.rows[keep], times=arrived.times[keep])


def overtaken(session: Session, symbol: str) -> Mask:
    """Return which rows of `trades` came after one of a later time, be that one used or not."""
    table, arrived, dropped = _arrived(session, symbol)
    arrived = _without(arrived, [dropped["repeats"], dropped["worthless"]])
    sent = taken(table.whole("ts_exchange").values, arrived.rows)
    late = np.zeros(len(table), dtype=bool)
    late[arrived.rows[np.maximum.accumulate(sent) > sent]] = True
    return late


def _number(ids: Words) -> Rows:
    """Return the place of each id among all, 9 before 10, and at the end that of a trade without one."""
    names = pa.table({"length": pc.utf8_length(ids.dictionary), "text": ids.dictionary})
    order = pc.sort_indices(names, sort_keys=[("length", "ascending"), ("text", "ascending")]).to_numpy()
    out = np.full(len(names) + 1, len(names), dtype=np.int64)
    out[order] = np.arange(len(names))
    return out


def _ranks(order: Rows, rows: Rows) -> Rows:
    """Return the place that each of some rows has in another order of them."""
    if order is rows:
        return rows if rising(rows) and (rows[-1:] == len(rows) - 1).all() else np.arange(len(rows))
    out = np.empty(int(rows.max(initial=-1)) + 1, dtype=np.int64)
    out[order] = np.arange(len(order))
    return out[rows]


def _first(codes: NDArray[np.int32]) -> Mask:
    """Return which element is the first of its value; of one below 0, which none is."""
    if rising(codes) and (codes[:1] >= 0).all():
        return np.ones(len(codes), dtype=bool)
    first = np.full(int(codes.max(initial=-1)) + 1, -1, dtype=np.int64)
    named = np.flatnonzero(codes >= 0)[::-1]
    first[codes[named]] = named
    out = np.zeros(len(codes), dtype=bool)
    out[first[first >= 0]] = True
    return out


def _unused(session: Session, symbol: str, codes: NDArray[np.int32]) -> Mask:
    """Return which trades every row in `bot_trades` says are unused: a repeat may be, its trade is not."""
    none = np.zeros(len(codes), dtype=bool)
    if not session.has("bot_trades"):
        return none
    table = session.table("bot_trades", "trade_id", "symbol", "used")
    used, mine = table.whole("used"), table.words("symbol").is_(symbol)
    dropped = mine & ~used.missing & (used.values == 0)
    if not dropped.any():
        return none
    said = said_codes(session)
    marked = np.zeros(
        max(int(said.max(initial=0)), int(codes.max(initial=0))) + 3, dtype=bool
    )  # the last two: no trade
    marked[said[dropped]] = True
    marked[said[mine & ~dropped]] = False
    marked[-2:] = False
    return marked[codes]


@lru_cache(maxsize=4)
def said_codes(session: Session) -> NDArray[np.int32]:
    """Return, per row of `bot_trades`, the code that its trade_id has in `trades`: -2 where it is not there."""
    said, ids = (session.table(name, "trade_id").words("trade_id") for name in ("bot_trades", "trades"))
    return said.codes if said.dictionary.equals(ids.dictionary) else codes_in(said, ids).astype(np.int32)
