"""Each order's events in the bot's order of processing, and how the order stood after each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction

from audit.market import is_quote
from audit.recorded import Recorded, Row, ns, remember
from audit.state import Desk, Order


@dataclass(frozen=True)
class Moment:
    """An event of an order: whether the order was done after it, or had a cancel open, and its price then."""

    ts: int
    row: Row
    is_done: bool
    cancel_open: bool
    price: Fraction | None

    @property
    def event(self) -> str:
        return self.row["event"]

    @property
    def happened(self) -> int:
        """When it happened at the venue, where that is known to be before the bot heard of it."""
        return min(self.ts, ns(self.row["ts_exchange"])) if self.row["ts_exchange"] else self.ts


@dataclass(eq=False)
class Life:
    """An order and all its events."""

    order: Order
    moments: list[Moment] = field(default_factory=list)

    @property
    def is_quote(self) -> bool:
        return is_quote(self.order.row)

    def at(self, ts: int) -> Moment | None:
        """Return its last event up to `ts`."""
        return next((moment for moment in reversed(self.moments) if moment.ts <= ts), None)

    def is_open(self, ts: int) -> bool:
        """Whether it was sent and not known to be done at `ts`."""
        moment = self.at(ts)
        return moment is not None and not moment.is_done

    def between(self, start: int, end: int, *events: str) -> bool:
        """Whether one of these events came from `start` to `end`."""
        return any(start <= moment.ts <= end and moment.event in events for moment in self.moments)

    def done_at(self) -> int | None:
        """Return when it was done, None where the session ends before."""
        out = None
        for moment in self.moments:
            out = None if not moment.is_done else moment.ts if out is None else out
        return out


@remember
def lives(session: Recorded) -> list[Life]:
    """Return the orders of a session in the order of their first event."""
    desk = Desk()
    out: dict[Order, Life] = {}
    for row in session["order_events"]:
        desk.take(row)
        order = desk.of(row)
        if order is not None:
            life = out.setdefault(order, Life(order))
            life.moments.append(Moment(ns(row["ts_local"]), row, order.is_done, order.cancel_open, order.price))
    return list(out.values())


def open_at(session: Recorded, ts: int) -> Iterator[Life]:
    """Yield the orders that were sent and not known to be done at `ts`."""
    return (life for life in lives(session) if life.is_open(ts))
