"""The bot's own books as it recorded them: one look is the rows of a symbol with one time and seq."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from mmverify.checks.known import Rows, Times
from mmverify.numeric import Ints, Mask
from mmverify.session.load import Session, Table, need_instruments

COLUMNS = ("ts_local", "symbol", "seq", "side", "level", "price", "qty")
Sides = NDArray[np.int64]  # shape (..., 2): of bid and ask


@dataclass(frozen=True, eq=False)
class Looks:
    """The bot's own books of one symbol, k of them.

    Parameters
    ----------
    table : Table
        The table `bot_book`.
    symbol : str
    rows : ndarray of int64, shape (n,)
        Its rows by look; of a look the bids first, each side by level.
    of, is_ask : ndarray, shape (n,)
        The look and the side of each of them.
    ts, seq : ndarray of int64, shape (k,)
    numbered : ndarray of bool, shape (k,)
    """

    table: Table
    symbol: str
    rows: Rows
    of: Rows
    is_ask: Mask
    ts: Times
    seq: Rows
    numbered: Mask

    def __len__(self) -> int:
        return len(self.ts)

    @cached_property
    def group(self) -> Rows:
        """Twice the look, and 1 for an ask."""
        return 2 * self.of + self.is_ask

    @cached_property
    def bounds(self) -> Rows:
        """Where each group begins, and the end."""
        return np.searchsorted(self.group, np.arange(2 * len(self) + 1))

    @cached_property
    def sizes(self) -> Sides:
        """Levels of each side."""
        return np.diff(self.bounds).reshape(-1, 2)

    @cached_property
    def prices(self) -> Ints:
        """Prices in units of their scale."""
        return self.table.decimals("price").ints[self.rows]

    @cached_property
    def unsorted(self) -> Rows:
        """Places whose price is not worse than the one before it in its side."""
        if not len(self.rows):
            return self.rows
        worse = np.where(self.is_ask[1:], self.prices[1:] > self.prices[:-1], self.prices[1:] < self.prices[:-1])
        return np.flatnonzero((self.group[1:] == self.group[:-1]) & ~worse.astype(bool)) + 1

    @cached_property
    def repeated(self) -> Mask:
        """Whether an earlier place of the side has the same price."""
        out = np.zeros(len(self.rows), dtype=bool)
        doubtful = np.flatnonzero(np.isin(self.group, self.group[self.unsorted]))
        if doubtful.size:
            order = doubtful[np.lexsort((self.prices[doubtful], self.group[doubtful]))]
            of, price = self.group[order], self.prices[order]
            out[order[1:][(of[1:] == of[:-1]) & np.asarray(price[1:] == price[:-1], dtype=bool)]] = True
        return out

    def side(self, look: int, side: int) -> slice:
        """Return the places of one side of a look."""
        return slice(int(self.bounds[2 * look + side]), int(self.bounds[2 * look + side + 1]))

    def where(self, place: int) -> str:
        """Name the row of a place as findings do."""
        return self.table.where(int(self.rows[place]))


@lru_cache(maxsize=4)
def looks(session: Session) -> tuple[Looks, ...]:
    """Read the bot's own books of every symbol, in order of time.

    Raises
    ------
    EvidenceError
        For a symbol without an instrument.
    """
    table = session.table("bot_book", *COLUMNS)
    symbols, seq = table.words("symbol"), table.whole("seq")
    need_instruments(session, "bot_book", symbols)
    asks = table.words("side").is_("ask")
    out = []
    for symbol in symbols.names:
        rows = np.flatnonzero(symbols.is_(symbol))
        number = np.where(seq.missing, -1, seq.values)
        keys = (table.whole("level").values, asks.astype(np.int64), number, table.whole("ts_local").values)
        rows = rows[np.lexsort([values[rows] for values in keys])]
        ts, named = keys[3][rows], number[rows]
        fresh = np.append(True, (ts[1:] != ts[:-1]) | (named[1:] != named[:-1]))
        first = np.flatnonzero(fresh)
        out.append(Looks(
            table, symbol, rows, np.cumsum(fresh) - 1, asks[rows], ts[first], seq.values[rows[first]],
            ~seq.missing[rows[first]],
        ))  # fmt: skip
    return tuple(out)
