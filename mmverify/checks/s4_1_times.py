"""Every time of a session: its columns of times, the tables that have both clocks, and a time as people write it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property, lru_cache

import numpy as np

from mmverify.checks.known import Rows, Times
from mmverify.numeric import Mask
from mmverify.session.columns import Whole
from mmverify.session.load import Session, Table
from mmverify.session.schema import TABLES

HOUR, MINUTE, SECOND, MS, US = 3600 * 10**9, 60 * 10**9, 10**9, 10**6, 10**3
#: What a row tells of the bot's clock, and of the venue's.
LOCAL = ("ts_local", "ts_receive", "ts_book", "ts_signal", "ts_send", "ts_response", "ts_input_max")
VENUE = ("ts_exchange", "book_ts_exchange")
#: Times that may lie far from when their row was made.
AWAY = ("ts_from", "ts_expires", "window_start", "window_end")
#: A time of a session lies between, in ns: September 2001 and October 2096. Less is ms, us or s.
EARLIEST, LATEST = 10**18, 4 * 10**18


@dataclass(frozen=True, eq=False)
class Moments:
    """The times of one column, one at least.

    Parameters
    ----------
    table : Table
    column : str
    whole : Whole
        Values in ns, and which rows have none.
    """

    table: Table
    column: str
    whole: Whole

    @property
    def given(self) -> Mask:
        """Rows that have a time."""
        return ~self.whole.missing

    @cached_property
    def values(self) -> Times:
        """The times that are given, in file order."""
        return self.whole.values[self.given] if self.whole.missing.any() else self.whole.values

    @cached_property
    def rows(self) -> Rows:
        """The row of each time that is given."""
        return np.flatnonzero(self.given)

    @cached_property
    def span(self) -> tuple[int, int]:
        """The earliest and the latest. [ns]"""
        return int(self.values.min()), int(self.values.max())

    @property
    def name(self) -> str:
        """``table column``."""
        return f"{self.table.name} {self.column}"

    def where(self, place: int) -> str:
        """Name the row of a time that is given."""
        return self.table.where(int(self.rows[place]))

    def divides(self, unit: int) -> bool:
        """Say whether every time is a multiple of a unit, in ns."""
        step = 1 << 16  # most columns show that they are finer in their first rows
        return not any((self.values[at : at + step] % unit).any() for at in range(0, len(self.values), step))


@lru_cache(maxsize=2)
def moments(session: Session) -> tuple[Moments, ...]:
    """Return every column of times of a session that holds any, table by table."""
    out = []
    for name in session.sources:
        columns = [column.name for column in TABLES[name].values() if column.type == "ts"]
        table = session.table(name, *columns)
        found = [Moments(table, column, table.whole(column)) for column in columns]
        out += [each for each in found if not each.whole.missing.all()]
    return tuple(out)


def count(session: Session) -> int:
    """Return how many times there are in all."""
    return sum(len(each.values) for each in moments(session))


@dataclass(frozen=True, eq=False)
class Clocks:
    """The rows of a table that have both clocks.

    Parameters
    ----------
    table : Table
    column : str
        The venue's.
    both : ndarray of bool
        Rows of two times that can be ones.
    local, venue : ndarray of int64
        Their times. [ns]
    """

    table: Table
    column: str
    both: Mask
    local: Times
    venue: Times

    def __len__(self) -> int:
        return len(self.local)

    @property
    def lag(self) -> Times:
        """ts_local - ts_exchange: what a message took, and by how much the bot's clock is ahead. [ns]"""
        return self.local - self.venue

    @cached_property
    def is_copy(self) -> bool:
        """Whether the two clocks are equal in every row."""
        return np.array_equal(self.local, self.venue)

    def where(self, place: int) -> str:
        """Name a row."""
        return self.table.where(int(np.flatnonzero(self.both)[place]))

    def arithmetic(self, place: int) -> str:
        """Subtract the clocks of a row."""
        local, venue = int(self.local[place]), int(self.venue[place])
        return f"{self.where(place)}: ts_local - {self.column} = {local} - {venue} = {milliseconds(local - venue)}"


@lru_cache(maxsize=2)
def clocks(session: Session) -> tuple[Clocks, ...]:
    """Return the tables that have both clocks in any row."""
    by_name = {(each.table.name, each.column): each for each in moments(session)}
    out = []
    for (name, column), venue in by_name.items():
        local = by_name.get((name, "ts_local"))
        if column in VENUE and local is not None:
            both = local.given & venue.given & _possible(local) & _possible(venue)
            if both.any():
                pair = (each.whole.values if both.all() else each.whole.values[both] for each in (local, venue))
                out.append(Clocks(venue.table, column, both, *pair))
    return tuple(out)


def _possible(each: Moments) -> Mask:
    low, high = each.span
    if low >= EARLIEST and high <= LATEST:
        return each.given
    return np.asarray((each.whole.values >= EARLIEST) & (each.whole.values <= LATEST))


def shown(ts: int) -> str:
    """Write a time as people do, UTC, every digit."""
    seconds, rest = divmod(ts, SECOND)
    whole = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{whole}.{rest:09d}".rstrip("0").rstrip(".") + "Z"


def milliseconds(ns: int) -> str:
    """Write a duration in ms, every digit.

    >>> milliseconds(-1267685333)
    '-1267.685333 ms'
    """
    whole, rest = divmod(abs(ns), MS)
    return f"{'-' if ns < 0 else ''}{whole}.{rest:06d}".rstrip("0").rstrip(".") + " ms"
