"""The limit prices that an order had when it was filled: in force at the venue, or on their way to it."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, lru_cache

import numpy as np

from mmverify.checks.known import Rows
from mmverify.checks.orderflow import Flow, flow
from mmverify.checks.orderflow_positions import Executions, executions
from mmverify.numeric import Ints, Mask, times_power_of_ten
from mmverify.replay.order_state import EVENTS
from mmverify.session.load import Session, Table

_MS = 10**6


@dataclass(frozen=True, eq=False)
class Limits:
    """Beside each report of one symbol, the newest limit price that its order had been sent with or given.

    Parameters
    ----------
    executions : Executions
        The m reports.
    flow : Flow
    direction : ndarray of int64, shape (m,)
        +1 for a buy, -1 for a sell.
    newest : ndarray of int64, shape (m,)
        Row of `order_events` with the newest limit that was sent when the report came, one that the venue refused left
        out; -1 where the order is not known, is at the market or has no price.
    sent : ndarray of int64, shape (m,)
        The newest row that was processed when the report came.
    """

    executions: Executions
    flow: Flow
    direction: Rows
    newest: Rows
    sent: Rows

    @cached_property
    def _scale(self) -> int:
        return max(self._filled_scale, self.flow.table.decimals("price").scale)

    @property
    def _filled_scale(self) -> int:
        return len(str(self.executions.price_unit)) - 1

    @cached_property
    def off(self) -> Ints:
        """By how much each report is worse than its newest limit, in units of its own; 0 where none is known."""
        if not len(self.flow):
            return np.zeros(len(self.executions), dtype=np.int64)
        filled = times_power_of_ten(self.executions.prices, self._scale - self._filled_scale)
        limit = self.flow.table.decimals("price").at_scale(self._scale)[self.newest]
        return np.asarray(np.where(self.newest >= 0, (filled - limit) * self.direction, 0))

    def in_force(self, n: int, at: int | None, skew: int) -> dict[Fraction, int]:
        """Return the limits that were in force or in flight when the venue filled a report, each with its row.

        Parameters
        ----------
        n : int
            The report.
        at : int or None
            The venue's time of it, ns; None where it is not recorded: any limit sent by then may be meant.
        skew : int
            How far the two clocks may be apart, ns.
        """
        table, ts = self.flow.table, self.flow.ts
        price, found = table.decimals("price"), list[tuple[Fraction, int]]()
        ended: dict[int, int] = {}
        for row in self.flow.lives.rows_of(int(self.executions.life[n])).tolist():
            event = EVENTS[self.flow.event[row]] if self.flow.event[row] >= 0 else ""
            if event == "replace_ack":
                for _, older in found[:-1]:
                    ended.setdefault(older, int(ts[row]))
            if event == "replace_reject" and len(found) > 1:
                ended[found[-1][1]] = int(ts[row])
            is_new = price.known[row] and price.fraction(row) not in [each for each, at in found if at not in ended]
            if not found or event == "replace_request" or (event in _CONFIRM and is_new):
                found += [(price.fraction(row), row)] if price.known[row] else []
        return {
            each: row
            for each, row in found
            if row <= self.sent[n] and (at is None or row not in ended or at - skew <= ended[row])
        }


_CONFIRM = ("ack", "replace_ack", "reconcile")


@lru_cache(maxsize=64)
def limits(session: Session, symbol: str) -> Limits:
    """Find the limit prices that the reports of one symbol may be held to."""
    known, replayed = executions(session, symbol), flow(session)
    table = session.table("order_events", "type", "price")
    lives, event = replayed.lives, replayed.is_
    answer = replayed.answer
    refused = event("replace_request") & (answer >= 0) & event("replace_reject")[answer] if len(table) else answer < 0
    gives = event("replace_request", *_CONFIRM) & ~refused
    gives[lives.first] = True
    gives &= table.decimals("price").known
    sent = np.searchsorted(replayed.heard, known.line.times, side="right") - 1
    newest = _newest(replayed, gives, known.life, sent)
    if len(table):
        newest[~_is_limited(table, replayed.lives.first)[known.life]] = -1
    side = session.table("fills", "side").words("side")
    return Limits(known, replayed, np.where(side.is_("buy")[known.line.rows], 1, -1), newest, sent)


def _newest(replayed: Flow, which: Mask, life: Rows, sent: Rows) -> Rows:
    """Return the newest of some rows in each life up to and with a row, -1 where there is none."""
    order, size = replayed.lives.order, len(which) + 1
    rows = order[which[order]]
    place = np.searchsorted(replayed.lives.life[rows] * size + rows, life * size + sent, side="right") - 1
    if not rows.size:
        return np.full(len(life), -1, dtype=np.int64)
    found = (place >= 0) & (life >= 0) & (replayed.lives.life[rows[place]] == life)
    return np.where(found, rows[place], -1)


def _is_limited(table: Table, first: Rows) -> Mask:
    """Return the lives that began with a price and not at the market."""
    kind = table.words("type")
    at_market = kind.is_(*(name for name in kind.names if "market" in name.lower()))[first]
    return np.asarray(table.decimals("price").known[first] & ~at_market)


def skew_of(session: Session) -> int:
    """Return how far the venue's clock and the bot's may be apart, ns."""
    return int((session.number("timing", "max_clock_skew_ms", 0) or 0) * _MS)
