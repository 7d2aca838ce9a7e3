"""What mistakes are made on: an order's stretch at one price, the decision behind it, the book and position then."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from itertools import groupby, takewhile
from math import ceil, floor
from typing import Any, TypeVar

from mmverify.defects.recording import Recording, Row, shift
from mmverify.errors import NotExercised
from mmverify.simulate.view import View

SENT = ("submit", "replace_request")
ENDED = ("fill", "reject", "cancel_ack", "expire", "exchange_cancel", "liquidation")
DONE = ("FILLED", "CANCELED", "REJECTED", "EXPIRED")
BRIEF = 5 * 10**9  # what stands no longer than this is not held to be refreshed [ns]
T = TypeVar("T")


@dataclass(frozen=True)
class Leg:
    """An order from a submit or replace_request to its next change: all rows that carry that price and quantity.

    `end` is when it was known to be changed or done. [ns]
    """

    place: int
    rows: list[Row]
    end: int

    @property
    def sent(self) -> Row:
        """The row that asked for it."""
        return self.rows[0]

    @property
    def ts(self) -> int:
        """When it was asked for. [ns]"""
        return int(self.sent["ts_local"])

    @property
    def answer(self) -> str:
        """The event that answered it, empty where none did."""
        return next((row["event"] for row in self.rows[1:] if row["event"] != "timeout"), "")

    def move(self, by: Fraction) -> None:
        """Change its price."""
        for row in self.rows:
            shift(row, "price", by)

    def resize(self, qty: Fraction) -> None:
        """Change its quantity."""
        by = qty - Fraction(self.sent["qty"])
        for row in self.rows:
            shift(row, "qty", by)
            if row.get("leaves_qty") and Fraction(row["leaves_qty"]):
                shift(row, "leaves_qty", by)


@dataclass(frozen=True)
class Decision:
    """A row of quotes, and the orders that were sent at its prices; nothing else ever stood at them."""

    place: int
    quote: Row
    legs: Mapping[str, Sequence[Leg]]

    def move(self, column: str, by: Fraction) -> None:
        """Change one of its prices, and that of its orders."""
        shift(self.quote, column, by)
        for leg in self.legs[column]:
            leg.move(by)


def unfilled(recording: Recording) -> Iterator[Leg]:
    """Yield the legs, to be edited, that nothing was filled of, and that stood for a moment only."""
    rows = recording.edit("order_events")
    filled = {row["client_order_id"] for row in recording["fills"]}
    own: dict[str, list[Row]] = defaultdict(list)
    ends: dict[str, int] = {}
    for row in rows:
        own[row["client_order_id"]].append(row)
        old = row.get("orig_client_order_id") or ""
        ends |= {row["client_order_id"]: int(row["ts_local"]), old: int(row["ts_local"])}
        if row["event"] == "replace_reject" and old:
            own[old].append(row)
    for place, row in enumerate(rows):
        leg = Leg(place, own[row["client_order_id"]], ends[row["client_order_id"]])
        is_new = row["event"] in SENT and leg.sent is row and row["client_order_id"] not in filled
        if is_new and leg.answer in ("ack", "replace_ack", "reject") and leg.end - leg.ts <= BRIEF:
            yield leg


def decisions(recording: Recording) -> Iterator[Decision]:
    """Yield the two-sided quotes, to be edited, whose every order is a leg of `unfilled`."""
    brief = {id(leg.sent): leg for leg in unfilled(recording)}
    at: dict[tuple[str, str, Fraction], list[Row]] = defaultdict(list)
    for row in recording["order_events"]:
        if row["event"] in SENT and row.get("price"):
            at[row["symbol"], row["side"], Fraction(row["price"])].append(row)  # type: ignore[arg-type]
    newest = _newest(recording)
    for place, quote in enumerate(recording.edit("quotes")):
        legs = {}
        for column, side in (("bid", "buy"), ("ask", "sell")):
            sent = at[quote["symbol"], side, Fraction(quote[column])] if quote[column] else [quote]
            if all(id(row) in brief and newest(row) == place for row in sent):
                legs[column] = [brief[id(row)] for row in sent]
        if len(legs) == 2:
            yield Decision(place, quote, legs)


def _newest(recording: Recording) -> Callable[[Mapping[str, str]], int]:
    """Return what gives the place of the newest quote of an order event's symbol and level."""
    places: dict[tuple[str, int], list[int]] = defaultdict(list)
    times: dict[tuple[str, int], list[int]] = defaultdict(list)
    for place, row in enumerate(recording["quotes"]):
        key = row["symbol"], int(row.get("level") or 0)
        places[key].append(place)
        times[key].append(int(row["ts_local"]))

    def newest(row: Mapping[str, str]) -> int:
        key = row["symbol"], int(row.get("level") or 0)
        count = bisect_right(times[key], int(row["ts_local"]))
        return places[key][count - 1] if count else -1

    return newest


def walk(rows: Sequence[Mapping[str, str]]) -> Iterator[tuple[int, dict[str, Mapping[str, str]]]]:
    """Yield each place of order_events with the newest row of every order that is not done before it, by its id."""
    live: dict[str, Mapping[str, str]] = {}
    for place, row in enumerate(rows):
        yield place, live
        old, name = row.get("orig_client_order_id") or "", row["client_order_id"]
        if row["event"] == "replace_ack" and old:
            live.pop(old, None)
        if row["event"] in ("replace_request", "replace_reject") and old:
            name = old
        is_done = row["state"] in DONE if row.get("state") else row["event"] in ENDED
        if is_done:
            live.pop(name, None)
        else:
            live[name] = row


def books(recording: Recording) -> Iterator[tuple[str, View]]:
    """Yield the book of a symbol, as the bot has it, after each message of the venue."""
    views: dict[str, View] = defaultdict(View)
    head = ("ts_local", "symbol", "seq", "kind")
    for (ts, symbol, _, _), group in groupby(recording["book"], key=lambda row: tuple(row[name] for name in head)):
        update = [_update(row) for row in group]
        views[symbol].apply(update)
        views[symbol].ts_local = int(ts)
        yield symbol, views[symbol]


def _update(row: Mapping[str, str]) -> dict[str, Any]:
    prev_seq = int(row["prev_seq"]) if row.get("prev_seq") else int(row["seq"]) - 1
    price, qty = (Decimal(row[name]) if row[name] else None for name in ("price", "qty"))
    times = {name: int(row[name] or 0) for name in ("ts_exchange", "ts_local", "seq")}
    return {"kind": row["kind"], "side": row["side"], "price": price, "qty": qty, "prev_seq": prev_seq, **times}


def held(recording: Recording) -> Callable[[str, int], Fraction]:
    """Return what gives the position of a symbol at a time, by the bot's own claims."""
    times: dict[str, list[int]] = defaultdict(list)
    claims: dict[str, list[Fraction]] = defaultdict(list)
    for row in sorted(recording["positions"], key=lambda row: int(row["ts_local"])):
        if row.get("source", "bot") != "exchange":
            times[row["symbol"]].append(int(row["ts_local"]))
            claims[row["symbol"]].append(Fraction(row["qty"]))

    def at(symbol: str, ts: int) -> Fraction:
        count = bisect_right(times[symbol], ts)
        return claims[symbol][count - 1] if count else Fraction(0)

    return at


def later(recording: Recording, leg: Leg, until: int) -> Iterator[Mapping[str, str]]:
    """Yield the order events after a leg was sent, up to a time."""
    rows = recording["order_events"]
    after = (rows[place] for place in range(leg.place + 1, len(rows)))
    return takewhile(lambda row: int(row["ts_local"]) <= until, after)


def room(recording: Recording, leg: Leg, position: Fraction) -> Fraction | None:
    """Return what a leg may be for alone, in whole lots, to keep max_position; None where no limit is set."""
    most = recording.limit(leg.sent["symbol"], "max_position")
    lot = Fraction(recording.instrument(leg.sent["symbol"])["lot_size"])
    filled = Fraction(leg.sent.get("cum_qty") or 0)
    return None if most is None else floor((most + filled - direction(leg.sent) * position) / lot) * lot


def direction(row: Mapping[str, str]) -> int:
    """Return 1 for a buy, -1 for a sell."""
    return 1 if row["side"] == "buy" else -1


def ticks(recording: Recording, symbol: str, price: Fraction, *, up: bool) -> Fraction:
    """Return a price rounded to a tick."""
    tick = Fraction(recording.instrument(symbol)["tick_size"])
    return (ceil if up else floor)(price / tick) * tick


def middle(found: Iterable[T]) -> T:
    """Return the one in the middle of all.

    Raises
    ------
    NotExercised
        If there is none.
    """
    every = list(found)
    if not every:
        raise NotExercised("no record of the session is of the kind that this mistake is made on")
    return every[len(every) // 2]
