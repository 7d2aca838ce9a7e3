"""What one side of a market may fill, moment by moment, and the stretches of each of its orders: figures of 2.4."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

import numpy as np

from mmverify.checks.known import Rows
from mmverify.checks.orderflow import Flow
from mmverify.checks.orderflow_exposure import Exposure, exposure
from mmverify.numeric import Ints, Mask
from mmverify.session.load import Session

#: How an order may stand while it can be filled.
KINDS = ("live", "in flight", "canceling")


class Left(NamedTuple):
    """What is left of one order: its life, its newest row, how it stands (one of `KINDS`), and the quantity."""

    life: int
    row: int
    kind: str
    qty: Fraction


class Stretch(NamedTuple):
    """A time in which an order could be filled: from and to by the bot's clock, and how it stood, one of `KINDS`.

    Parameters
    ----------
    start, stop : int
        [ns]; `stop` is that of the last order event of the session where the order was not done by then.
    kind : str
    """

    start: int
    stop: int
    kind: str


@dataclass(frozen=True, eq=False)
class Side:
    """One side of a market just before each of its order events, quantities in units of ``10**-digits``.

    Parameters
    ----------
    known : Exposure
        The open orders of the market.
    direction : int
        +1 for the buys, -1 for the sells.
    rows : ndarray of int64, shape (k,)
        Rows of `order_events`.
    start : ndarray of int, shape (k,)
        The position, positive towards the side; short of it, with the orders that may only reduce it, to flat at most.
    left : dict of str to ndarray of int, shape (k,)
        What is left of the other orders of the side, by `KINDS`.
    """

    known: Exposure
    direction: int
    rows: Rows
    start: Ints
    left: dict[str, Ints]

    @property
    def reach(self) -> Ints:
        """How far the position may go towards the side if all of its orders fill."""
        return np.asarray(self.start + sum(self.left.values()))

    def qty(self, units: int) -> Fraction:
        """Return a quantity of these units."""
        return Fraction(int(units), 10**self.known.digits)

    def furthest(self, within: Mask, *, canceling: bool) -> int | None:
        """Return where the reach is the largest; of several, where the most is being cancelled, then for the longest.

        Parameters
        ----------
        within : ndarray of bool
            Rows of `order_events` that count.
        canceling : bool
            Whether only those count at which a cancel was open.

        Returns
        -------
        int or None
            A place in `rows`, None where none counts.
        """
        held = self.left["canceling"]
        places = np.flatnonzero(within[self.rows] & (np.asarray(held > 0) | (not canceling)))
        if not places.size:
            return None
        places = places[np.asarray(self.reach[places] == self.reach[places].max())]
        lasted = np.diff(self.known.flow.heard[self.rows], prepend=0)
        return int(max(places.tolist(), key=lambda n: (held[n], lasted[n] if n else 0)))

    def steady(self, n: int) -> tuple[int, int]:
        """Return from when to when, by the bot's clock [ns], reach and what is being cancelled were as before a row."""
        same = np.asarray((self.reach == self.reach[n]) & (self.left["canceling"] == self.left["canceling"][n]))
        other = np.flatnonzero(~same)
        at = int(np.searchsorted(other, n))
        first = int(other[at - 1]) if at else 0
        last = int(other[at]) - 1 if at < len(other) else len(same) - 1
        heard = self.known.flow.heard[self.rows]
        return int(heard[first]), int(heard[last])

    def orders(self, n: int) -> list[Left]:
        """Return the orders of the side that could be filled just before one of the rows, the oldest first."""
        known, flow = self.known, self.known.flow
        before = np.flatnonzero(known.key < 2 * self.rows[n] + 1)
        newest = before[np.flatnonzero(np.diff(known.life[before], append=-1))]
        mine = newest[(flow.direction[known.life[newest]] == self.direction) & np.asarray(known.left[newest] > 0)]
        return [
            Left(int(known.life[at]), int(known.row[at]), _kind(flow, int(known.row[at])), self.qty(known.left[at]))
            for at in mine.tolist()
        ]


def side_of(session: Session, symbol: str, direction: int) -> Side:
    """Follow one side of a market.

    Parameters
    ----------
    session : Session
    symbol : str
        A symbol of the instruments.
    direction : int
        +1 for the buys, -1 for the sells.

    Returns
    -------
    Side

    Raises
    ------
    EvidenceError
        For an order event whose symbol has no instrument.
    """
    known = exposure(session, symbol)
    flow = known.flow
    rows = np.flatnonzero(flow.table.words("symbol").is_(symbol))
    canceling = known.part("canceling")
    in_flight = np.where(canceling > 0, 0, known.part("in_flight"))
    parts = dict(zip(KINDS, (known.left - canceling - in_flight, in_flight, canceling), strict=True))
    plain = (flow.direction == direction) & ~flow.reduce_only
    position = known.position(rows) * direction
    flat = np.minimum(0, position + known.resting(rows, direction, reduce_only=True))
    start = np.where(position >= 0, position, flat)
    return Side(known, direction, rows, start, {kind: known.total(rows, part, plain) for kind, part in parts.items()})


def _kind(flow: Flow, row: int) -> str:
    if flow.cancel_open[row]:
        return "canceling"
    return "in flight" if flow.replace_open[row] or not flow.is_answered[row] else "live"


def stretches(flow: Flow, life: int) -> Iterator[Stretch]:
    """Yield the times in which an order could be filled, each with how it stood."""
    rows = flow.lives.rows_of(life)
    until = [*flow.ts[rows[1:]].tolist(), int(flow.heard[-1])]
    for row, stop in zip(rows.tolist(), until, strict=True):
        if not flow.is_done[row]:
            yield Stretch(int(flow.ts[row]), stop, _kind(flow, row))
