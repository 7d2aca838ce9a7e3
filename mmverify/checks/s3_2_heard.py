"""What the bot says of the public trades of one market, each beside the trade's first report; and the book at it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from mmverify.checks.known import Rows, Timeline, taken, timeline
from mmverify.checks.s3_1_feed import Feed, feeds
from mmverify.checks.tape import said_codes
from mmverify.numeric import Ints
from mmverify.session.load import Session, Table, need_instruments

_COLUMNS = ("ts_exchange", "ts_local", "symbol", "trade_id", "price", "qty", "aggressor")
STEP = 1 << 18  # trades gone through at once


@dataclass(frozen=True, eq=False)
class Heard:
    """The rows of `bot_trades` of one symbol that name a public trade, n of them.

    Parameters
    ----------
    session : Session
    symbol : str
    trades, said : Table
        The tables `trades` and `bot_trades`.
    line : Timeline
        All reports of the symbol's trades, in order of arrival.
    rows : ndarray of int64, shape (n,)
        Rows of `bot_trades`.
    places : ndarray of int64, shape (n,)
        Place in the line of the first report of each one's trade.
    strangers : int
        Rows of the symbol that name no public trade.
    """

    session: Session
    symbol: str
    trades: Table
    said: Table
    line: Timeline
    rows: Rows
    places: Rows
    strangers: int

    @cached_property
    def reports(self) -> Rows:
        """Rows of `trades`, one for each of `rows`."""
        return taken(self.line.rows, self.places)

    @property
    def notes(self) -> list[str]:
        """What was left out of these."""
        return [f"{self.symbol}: {self.strangers} rows of bot_trades name no public trade"] if self.strangers else []

    @property
    def feed(self) -> Feed | None:
        """The symbol's book, None where there is none."""
        return feeds(self.session).get(self.symbol) if self.session.has("book") else None


def heard(session: Session) -> Iterator[Heard]:
    """Yield, per symbol, what the bot says of its trades.

    Raises
    ------
    EvidenceError
        For a symbol without an instrument.
    """
    trades = session.table("trades", *_COLUMNS)
    said = session.table("bot_trades", "trade_id", "symbol", "side", "used", "reason")
    symbols, ids = trades.words("symbol"), trades.words("trade_id")
    need_instruments(session, "trades", symbols)
    need_instruments(session, "bot_trades", said.words("symbol"))
    place = np.full(len(ids.dictionary) + 2, -1, dtype=np.int32)  # by code; -1 and -2 are of no trade
    for symbol in said.words("symbol").names:
        line = timeline(session, trades, symbols.is_(symbol))
        yield _heard(session, symbol, trades, said, line, place)


def _heard(
    session: Session, symbol: str, trades: Table, said: Table, line: Timeline, place: NDArray[np.int32]
) -> Heard:  # fmt: skip
    """Find the trades that the bot names; `place` is -1 everywhere, and again after it."""
    named = taken(trades.words("trade_id").codes, line.rows)
    for start in range(len(named) // STEP * STEP, -1, -STEP):
        codes = named[start : start + STEP]
        known = np.flatnonzero(codes >= 0)[::-1]
        place[codes[known]] = known + start  # of several reports of a trade the first stays
    mine = np.flatnonzero(said.words("symbol").is_(symbol))
    places = place[taken(said_codes(session), mine)]
    place[:] = -1
    found = places >= 0
    rows = mine if found.all() else mine[found]
    return Heard(session, symbol, trades, said, line, rows, places[found].astype(np.int64), len(mine) - len(rows))


def extremes(values: Ints, low: Rows, high: Rows) -> tuple[Ints, Ints]:
    """Return the least and the greatest of ``values[low:high]`` for each of these ranges, none of them empty."""
    begin = int(low.min(initial=len(values)))
    values, low, high = values[begin : int(high.max(initial=0))], low - begin, high - begin
    least, greatest = values[low], values[low]
    power = np.frexp(high - low)[1] - 1
    lows, highs = values, values
    for each in range(1, int(power.max(initial=0)) + 1):  # spans of 2, 4, 8, ...
        half = 1 << (each - 1)
        lows, highs = np.minimum(lows[:-half], lows[half:]), np.maximum(highs[:-half], highs[half:])
        of = np.flatnonzero(power == each)
        last = high[of] - (1 << each)
        least[of] = np.minimum(lows[low[of]], lows[last])
        greatest[of] = np.maximum(highs[low[of]], highs[last])
    return least, greatest
