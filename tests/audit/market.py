"""What the detectors of sections 3 to 6 share: quotes, the venue's book by message, channels that are down."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field, replace
from fractions import Fraction

from audit.recorded import Recorded, Row, ns, number, remember
from audit.state import QUOTES, asked, walk

Side = dict[Fraction, Fraction]


def time(text: str) -> int | None:
    """Return a time in ns, None where the cell is empty."""
    return ns(text) if text else None


def is_quoting(quote: Row) -> bool:
    """Whether a quotes row has a price to be sent."""
    return quote["state"] != "halted" and bool(quote["bid"] or quote["ask"])


def is_quote(order: Row) -> bool:
    """Whether an order event says that its order quotes."""
    return order["intent"] in QUOTES


@remember
def sent(session: Recorded) -> list[Row]:
    """Return the submits and replace requests, those to a smaller qty aside."""
    return [row for row, desk in walk(session) if asked(row, desk)]


# The venue's book


@dataclass(frozen=True)
class Update:
    """One message of the book: the rows of one symbol and seq that came together."""

    row: Row
    ts_local: int
    ts_exchange: int | None
    symbol: str
    seq: int | None
    prev_seq: int | None
    kind: str
    levels: tuple[tuple[str, Fraction, Fraction], ...]


@dataclass(frozen=True)
class Book:
    """The book from `since` on; `heard` is the ts_local of its newest update, `intact` is false after a gap."""

    since: int
    heard: int
    ts_exchange: int | None
    seq: int | None
    intact: bool
    bids: Side
    asks: Side

    def side(self, name: str) -> Side:
        return self.bids if name == "bid" else self.asks

    @property
    def best(self) -> tuple[Fraction | None, Fraction | None]:
        return max(self.bids, default=None), min(self.asks, default=None)

    @property
    def is_crossed(self) -> bool:
        return bool(self.bids and self.asks) and max(self.bids) > min(self.asks)


@dataclass
class Venue:
    """What the venue sent of one symbol: each state of its book, and each gap in it."""

    books: list[Book] = field(default_factory=list)
    since: list[int] = field(default_factory=list)
    gaps: list[tuple[Row, int]] = field(default_factory=list)  # first row after it, ts_local
    chained: int = 0  # deltas that could have shown a gap
    updates: list[Update] = field(default_factory=list)

    def between(self, start: int, end: int) -> list[Book]:
        """Return each state of the book from just before `start` to `end`, the newest last."""
        first = max(bisect_left(self.since, start) - 1, 0)
        return self.books[first : bisect_right(self.since, end)]


def updates(session: Recorded) -> list[Update]:
    """Return the messages of the book in order of arrival."""
    out: list[Update] = []
    head: tuple[str, ...] = ()
    for row, ts in zip(*session.arrivals("book"), strict=True):
        price, qty = number(row["price"]), number(row["qty"])
        level = () if price is None or qty is None else ((row["side"], price, qty),)
        now = tuple(row[column] for column in ("ts_exchange", "ts_local", "symbol", "seq", "prev_seq", "kind"))
        if now == head:
            out[-1] = replace(out[-1], levels=out[-1].levels + level)
            continue
        head = now
        seq, prev_seq = (int(row[name]) if row[name] else None for name in ("seq", "prev_seq"))
        out.append(Update(row, ts, time(row["ts_exchange"]), row["symbol"], seq, prev_seq, row["kind"], level))
    return out


class _Replay:
    """The book of one symbol by session.md's rule for snapshots."""

    def __init__(self, venue: Venue) -> None:
        self.venue = venue
        self.seq: int | None = None
        self.ts_exchange: int | None = None
        self.heard = 0
        self.intact = False
        self.now = 0
        self.is_changed = False
        self.is_first = False  # no delta was applied since the snapshot
        self.sides: dict[str, Side] = {"bid": {}, "ask": {}}
        self.kept: list[Update] = []  # since the snapshot, or since the gap

    def take(self, update: Update, depth: int | None) -> None:
        """Take in a message and note the state of the book after it."""
        self.now, self.is_changed = update.ts_local, False
        if update.kind == "snapshot":
            self._stand(update, depth)
        else:
            self._follow(update, depth)
        if self.is_changed:
            sides = (dict(self.sides[side]) for side in ("bid", "ask"))
            book = Book(self.now, self.heard, self.ts_exchange, self.seq, self.intact, *sides)
            self.venue.books.append(book)
            self.venue.since.append(self.now)

    def _stand(self, snapshot: Update, depth: int | None) -> None:
        """A snapshot stands at its seq: what was sent later and came first is applied after it."""
        later = [update for update in self.kept if None not in (update.seq, snapshot.seq) and update.seq > snapshot.seq]
        was_intact = self.intact
        self.sides = {"bid": {}, "ask": {}}
        self.kept = [snapshot]
        self.intact = self.is_first = True
        self._apply(snapshot, depth)
        for update in later:
            both = None not in (update.ts_exchange, snapshot.ts_exchange)
            if both and update.ts_exchange < snapshot.ts_exchange and (was_intact or not self._chains(update)):
                continue  # of a numbering before the snapshot's, unless it follows what a gap kept out
            if update.kind == "snapshot":
                self._stand(update, depth)
            else:
                self._follow(update, depth)
        self.heard = self.now

    def _chains(self, update: Update) -> bool:
        """Whether a delta follows the book, or overlaps its snapshot."""
        if update.kind == "snapshot" or self.seq is None:
            return False
        prev_seq = update.seq - 1 if update.prev_seq is None else update.prev_seq
        return prev_seq == self.seq or (self.is_first and prev_seq <= self.seq < update.seq)

    def _follow(self, delta: Update, depth: int | None) -> None:
        if delta.seq is None or (self.seq is None and self.intact):
            self._apply(delta, depth)
            return
        if not self.intact:
            self.kept.append(delta)
            return
        self.venue.chained += 1
        if self._chains(delta):
            if delta.seq < self.seq:
                self.kept = []
            self.kept.append(delta)
            self.is_first = self.is_first and delta.seq == self.seq
            self._apply(delta, depth)
        elif delta.seq == self.seq and not delta.levels:
            self.heard, self.is_changed = self.now, True
        elif delta.seq > self.seq:
            self.intact, self.is_changed = False, True
            self.kept = [delta]
            self.venue.gaps.append((delta.row, self.now))

    def _apply(self, update: Update, depth: int | None) -> None:
        for side, price, qty in update.levels:
            if qty and price > 0:
                self.sides[side][price] = qty
            else:
                self.sides[side].pop(price, None)
        if depth is not None:
            self.sides = {
                "bid": {price: self.sides["bid"][price] for price in sorted(self.sides["bid"], reverse=True)[:depth]},
                "ask": {price: self.sides["ask"][price] for price in sorted(self.sides["ask"])[:depth]},
            }
        self.heard, self.ts_exchange, self.is_changed = self.now, update.ts_exchange, True
        self.seq = self.seq if update.seq is None else update.seq


@remember
def venues(session: Recorded) -> dict[str, Venue]:
    """Replay the venue's book of each symbol."""
    replays: dict[str, _Replay] = {}
    for update in updates(session):
        replay = replays.setdefault(update.symbol, _Replay(Venue()))
        replay.venue.updates.append(update)
        depth = session.instrument(update.symbol, update.ts_local)["book_depth"]
        replay.take(update, int(depth) if depth else None)
    return {symbol: replay.venue for symbol, replay in replays.items()}


def last_known(session: Recorded, symbol: str, ts: int) -> list[Book]:
    """Return each state of the venue's book that may be the bot's last known at `ts`, the newest last."""
    venue = venues(session).get(symbol)
    skew = session.skew if session.clock("book") == "ts_exchange" else 0
    return venue.between(ts - session.lag - skew, ts + skew) if venue else []


# Channels


@dataclass(frozen=True)
class Outage:
    """A time in which a channel was down, and all that are redundant with it; `row` is of its start."""

    row: Row
    start: int
    end: int | None
    timed_out: bool

    def holds(self, ts: int) -> bool:
        """Whether `ts` lies inside, the ends aside."""
        return self.start < ts and (self.end is None or ts < self.end)


@remember
def outages(session: Recorded, channel: str) -> list[Outage]:
    """Return when a channel was down; before its first connect it is not counted."""
    rows = [row for row in session.arrivals("connection")[0] if row["channel"].partition(":")[0] == channel]
    first = {row["channel"]: row["event"] for row in reversed(rows)}
    up = {name for name, event in first.items() if event not in ("connect", "reconnect")}
    out: list[Outage] = []
    for row in rows:
        if row["event"] in ("connect", "reconnect"):
            if not up and out:
                out[-1] = replace(out[-1], end=ns(row["ts_local"]))
            up.add(row["channel"])
        if row["event"] in ("disconnect", "timeout"):
            if up == {row["channel"]}:
                out.append(Outage(row, ns(row["ts_local"]), None, False))
            up.discard(row["channel"])
            if row["event"] == "timeout" and not up and out:
                out[-1] = replace(out[-1], timed_out=True)
    return out
