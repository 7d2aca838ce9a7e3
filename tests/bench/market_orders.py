"""The orders of market.py's session, and when nothing is sent: a market maker of one perpetual, in cycles.

In each cycle the bot buys up to its largest position and sells it again, then the other way round; a tenth of its
orders fill. Between them market data and orders are lost, a message is, the venue closes for maintenance, refuses for
the rate, closes a part of the position by force, and single orders are rejected, cancelled by the venue, unknown to it
or not answered.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from books import MS, START, Book
from columns import Column, Mask, words
from market_feed import SECOND, Spans, inside
from numpy.typing import NDArray

CYCLE = 5 * SECOND
#: In which nothing is sent, of each cycle, from and to. [ms]
PAUSES = {
    "liquidation": (900, 960), "rate": (1600, 1650), "disconnect": (1900, 2200), "gap": (2400, 2440),
    "adl": (3300, 3360), "orders": (4050, 4350), "timeout": (4500, 4750), "maintenance": (4830, 4960),
}  # fmt: skip
CALM = 300 * MS  # before a pause in which nothing but a plain order is sent
REST = 100 * MS
TAKEN = 100  # orders that fill up to the largest position
LOTS = 5  # of half an order
#: Whose orders fill: from and to in a cycle [ms], the side, and how many of the first.
TURNS = ((0, 900, 0, TAKEN), (960, 1600, 1, TAKEN - 1), (2440, 3300, 1, TAKEN), (3360, 4050, 0, TAKEN - 1))


class Step(NamedTuple):
    """A row of an order's: how long after it was sent, or given up, and how much of it is filled then.

    `asks` is the endpoint of the request that goes with it; a status of 0 is no answer.
    """

    event: str
    after: int  # [ms]
    state: str
    is_late: bool = False
    halves: int = 0
    asks: str = ""
    status: int = 200
    code: str = ""
    refusal: str = ""  # the request's code


SUBMIT = Step("submit", 0, "PENDING_NEW", asks="order")
ACK = Step("ack", 2, "NEW")
CANCEL, CANCELED = Step("cancel_request", 0, "PENDING_CANCEL", True, asks="cancel"), ("CANCELED", True)
WITHDRAWN = (CANCEL, Step("cancel_ack", 2, *CANCELED))
HALF, FULL = Step("partial_fill", 40, "PARTIALLY_FILLED", halves=1), Step("fill", 50, "FILLED", halves=2)
AGAIN = FULL._replace(after=53)
STORIES = {
    "unanswered": (SUBMIT._replace(status=0), Step("timeout", 50, "PENDING_NEW", asks="query"),
                   Step("reconcile", 54, "NEW"), *WITHDRAWN),
    "cancel unanswered": (SUBMIT, ACK, CANCEL._replace(status=0),
                          Step("timeout", 50, "PENDING_CANCEL", True, asks="query"), Step("reconcile", 54, *CANCELED)),
    "rejected": (SUBMIT._replace(status=400, refusal="-2010"), Step("reject", 2, "REJECTED", code="-2010")),
    "cancelled by the venue": (SUBMIT, ACK, Step("exchange_cancel", 30, "CANCELED")),
    "unknown": (SUBMIT, ACK, CANCEL._replace(status=400, refusal="-2011"),
                Step("cancel_reject", 2, "NEW", True, asks="query", code="-2011"), Step("reconcile", 6, *CANCELED)),
    "plain": (SUBMIT, ACK, *WITHDRAWN),
    "filled": (SUBMIT, ACK, HALF, FULL),
    "reported twice": (SUBMIT, ACK, HALF, FULL, AGAIN),
    "outlived": (SUBMIT, ACK, Step("reconcile", 3, "NEW", True), CANCEL._replace(after=4),
                 Step("cancel_ack", 6, *CANCELED)),
    "forced": (HALF._replace(after=0), FULL._replace(after=1)),
}  # fmt: skip
SPECIAL = 5  # stories, each of one calm order in a hundred
NAMES = list(STORIES)
STEPS = [step for story in STORIES.values() for step in story]


def pauses(end: int) -> dict[str, Spans]:
    """Return the pauses that are over well before the session is."""
    number = np.arange((end - START) // CYCLE + 1)
    begun = START + number * CYCLE + number * 7919 % 9973
    return {name: (begun[kept] + first * MS, begun[kept] + last * MS) for name, (first, last) in PAUSES.items()
            for kept in [begun + last * MS + CALM < end]}  # fmt: skip


def joined(plan: dict[str, Spans], *names: str) -> Spans:
    """Return some pauses as one sequence."""
    starts, ends = (np.sort(np.concatenate([plan[name][n] for name in names])) for n in (0, 1))
    return starts, ends


def following(times: Column, ts: Column) -> Column:
    """Return the first of some times that is at or after each moment, a far one where none is."""
    return np.append(times, 2**62)[np.searchsorted(times, ts)]


# --- orders -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Orders:
    """The n orders of q quotes, and those that the venue sends for the bot, which come last.

    Parameters
    ----------
    of : ndarray of int64, shape (q,)
        Messages on which the bot quotes.
    at : ndarray of int64, shape (q,)
        [ns]
    is_full : ndarray of bool, shape (q, 2)
        Where it may not buy, and not sell: its position is the largest.
    sent, given_up : ndarray of int64, shape (n,)
        [ns]
    is_ask : ndarray of int64, shape (n,)
    price : ndarray of int64, shape (n,)
        [0.1]
    story : ndarray of int64, shape (n,)
        Places in `NAMES`.
    """

    of: Column
    at: Column
    is_full: Mask
    sent: Column
    given_up: Column
    is_ask: Column
    price: Column
    story: Column

    def told(self, *names: str) -> Mask:
        """Say which orders have one of these stories."""
        return np.isin(self.story, [NAMES.index(name) for name in names])


def quoted(book: Book, best: Column, plan: dict[str, Spans], count: int) -> Orders:
    """Quote so many times, both sides where the position allows, and say what becomes of each order."""
    ts, (starts, ends) = book.ts[book.starts], joined(plan, *PAUSES)
    is_followed = np.append(np.diff(ts), 0) > MS // 20  # so that the orders are sent before the next quote
    of = np.flatnonzero(is_followed & ~inside(ts, (starts - 5 * MS, ends + 10 * MS)))[1:]
    of = of[np.linspace(0, len(of) - 1, count).astype(np.int64)]
    number = np.arange(2 * count)
    is_ask = number % 2
    sent = np.repeat(ts[of], 2) + (1 + is_ask) * MS // 100
    is_calm = following(starts, sent) - sent > CALM
    story = np.where(is_calm & (number % 100 < SPECIAL), number % 100, NAMES.index("plain"))
    is_full = _taken(plan, sent, is_ask, is_calm, story)
    lost, back = plan["orders"]
    outlived = following(lost, sent) - sent <= REST + 2 * MS
    story[outlived] = NAMES.index("outlived")
    halts = joined(plan, *(PAUSES.keys() - {"rate", "orders"}))[0]
    given_up = np.minimum(sent + REST, following(halts, sent) + 3 * MS)
    given_up[outlived] = following(back, sent[outlived])
    waits = inside(given_up, plan["rate"])
    given_up[waits] = following(plan["rate"][1], given_up[waits])
    forced = [(plan["liquidation"][0], 1), (plan["adl"][0], 0)]
    at = np.concatenate([times for times, _ in forced])
    closes = np.repeat([side for _, side in forced], [len(times) for times, _ in forced])
    kept = ~is_full
    return Orders(
        of, ts[of], is_full.reshape(-1, 2), np.append(sent[kept], at), np.append(given_up[kept], at),
        np.append(is_ask[kept], closes),
        np.append(best[is_ask, np.repeat(of, 2)][kept], best[1 - closes, np.searchsorted(ts, at) - 1]),
        np.append(story[kept], np.full(len(at), NAMES.index("forced"))),
    )  # fmt: skip


def _taken(plan: dict[str, Spans], sent: Column, is_ask: Column, is_calm: Mask, story: Column) -> Mask:
    """Let the first orders of each turn fill; return those that may not be sent, at the largest position."""
    is_full = np.zeros(len(sent), dtype=bool)
    cycle, phase = np.divmod(sent - START, CYCLE)
    for first, last, side, count in TURNS:
        mine = np.flatnonzero(is_calm & (is_ask == side) & (phase >= first * MS) & (phase < last * MS))
        place = np.arange(len(mine)) - np.searchsorted(cycle[mine], cycle[mine])
        twice = NAMES.index("reported twice")
        story[mine[place < count]] = np.where(place % 50 == 7, twice, NAMES.index("filled"))[place < count]
        if count == TAKEN:
            since = sent[mine[place == count - 1]] + FULL.after * MS
            until = following(plan["adl" if side else "liquidation"][0], since)
            is_full |= (is_ask == side) & inside(sent, (since, until))
    return is_full


@dataclass(frozen=True)
class Lives:
    """The rows of all orders in order of time: of which order, which of `STEPS`, and when [ns]."""

    order: Column
    step: Column
    ts: Column

    def among(self, chosen: Mask) -> Lives:
        """Return some of them."""
        return Lives(self.order[chosen], self.step[chosen], self.ts[chosen])

    def values(self, name: str) -> NDArray[Any]:
        """Return a field of their steps."""
        return np.array([getattr(step, name) for step in STEPS])[self.step]

    def words(self, name: str) -> pa.Array:
        """Return a field of their steps as text."""
        told = [getattr(step, name) for step in STEPS]
        names = list(dict.fromkeys(told))
        return words(np.array([names.index(each) for each in told])[self.step], *names)


def lives(asked: Orders) -> Lives:
    """Play the stories of all orders."""
    counts = np.array([len(story) for story in STORIES.values()])
    begins, sizes = (np.cumsum(counts) - counts)[asked.story], counts[asked.story]
    order = np.repeat(np.arange(len(sizes)), sizes)
    step = np.arange(len(order)) - np.repeat(np.cumsum(sizes) - sizes - begins, sizes)
    all_steps = Lives(order, step, order)
    since = np.where(all_steps.values("is_late"), asked.given_up[order], asked.sent[order])
    ts = since + all_steps.values("after") * MS
    place = np.argsort(ts, kind="stable")
    return Lives(order[place], step[place], ts[place])
