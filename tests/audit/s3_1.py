"""3.1 Order book management, from the venue's updates and the bot's own book."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

from audit.market import Book, is_quote, is_quoting, last_known, outages, sent, venues
from audit.recorded import MILLISECOND, Recorded, Row, Seen, ns, number, place, remember, seen, shown

ZERO = Fraction(0)


@dataclass(frozen=True)
class Level:
    """A row of the bot's own book."""

    row: Row
    price: Fraction
    qty: Fraction


@dataclass(frozen=True)
class Look:
    """The bot's own book of a symbol at an instant, the levels of each side by `level`."""

    ts: int
    symbol: str
    seq: int | None
    sides: dict[str, list[Level]]


@remember
def looks(session: Recorded) -> list[Look]:
    """Return the bot's own books in order of time."""
    groups: dict[tuple[str, str, str], Look] = {}
    for row in session["bot_book"]:
        seq = int(row["seq"]) if row["seq"] else None
        new = Look(ns(row["ts_local"]), row["symbol"], seq, {"bid": [], "ask": []})
        look = groups.setdefault((row["ts_local"], row["symbol"], row["seq"]), new)
        look.sides[row["side"]].append(Level(row, number(row["price"]) or ZERO, number(row["qty"]) or ZERO))
    for look in groups.values():
        for levels in look.sides.values():
            levels.sort(key=lambda level: int(level.row["level"]))
    return sorted(groups.values(), key=lambda look: look.ts)


def held_to(session: Recorded, look: Look) -> list[Book]:
    """Return the venue's books that a look is held to: the last known, of them those at its seq where it names one."""
    books = last_known(session, look.symbol, look.ts)
    return [book for book in books if book.seq == look.seq] or books


def i3_1_1(session: Recorded) -> Seen:
    """The bot's book is crossed or swapped where the venue's is not, or it quotes on a crossed book."""
    exercised, violations = 0, []
    for look in looks(session):
        books = held_to(session, look)
        if not books:
            continue
        exercised += 1
        bids, asks = look.sides["bid"], look.sides["ask"]
        if bids and asks and bids[0].price > asks[0].price and not any(book.is_crossed for book in books):
            was, ask = shown(bids[0].price), shown(asks[0].price)
            violations.append(f"{place('bot_book', bids[0].row)} best bid was {was}, should not be above the ask {ask}")
        for side, other in (("bid", "ask"), ("ask", "bid")):
            prices = {level.price for level in look.sides[side]}
            if prices and all(prices <= set(book.side(other)) and not prices <= set(book.side(side)) for book in books):
                where = place("bot_book", look.sides[side][0].row)
                violations.append(f"{where} {side} prices were the venue's {other}s, should be its {side}s")
    for row in session["quotes"]:
        crossed = is_crossed(session, row) if is_quoting(row) else None
        if crossed is not None:
            exercised += 1
        if crossed:
            violations.append(f"{place('quotes', row)} was quoted on a crossed book, should not be")
    return seen(exercised, violations)


def is_crossed(session: Recorded, quote: Row) -> bool | None:
    """Whether the book that a quote was based on is crossed, as the quote says, else by what the venue had sent."""
    bid, ask = number(quote["best_bid"]), number(quote["best_ask"])
    if bid is not None and ask is not None:
        return bid > ask
    books = last_known(session, quote["symbol"], ns(quote["ts_local"]))
    return all(book.is_crossed for book in books) if books else None


def i3_1_2(session: Recorded) -> Seen:
    """Bids do not fall strictly by level, or asks do not rise."""
    exercised, violations = 0, []
    for look in looks(session):
        for side, levels in look.sides.items():
            exercised += len(levels) > 1
            for before, level in pairwise(levels):
                if level.price >= before.price if side == "bid" else level.price <= before.price:
                    should = f"{'below' if side == 'bid' else 'above'} {shown(before.price)}"
                    was = f"{place('bot_book', level.row)} {side} was {shown(level.price)}"
                    violations.append(f"{was}, should be {should}")
    return seen(exercised, violations)


def i3_1_3(session: Recorded) -> Seen:
    """The bot's quantity at a price is not the last one that the venue sent, or a level of 0 remains."""
    exercised, violations = 0, []
    for look in looks(session):
        depth = session.instrument(look.symbol, look.ts)["book_depth"]
        wrongs = []
        for book in held_to(session, look):
            judged, wrong = 0, []
            for side, levels in look.sides.items():
                for level in levels:
                    if level.price <= 0 or has_dropped_out(book, side, level.price, depth):
                        continue
                    judged += 1
                    should = book.side(side).get(level.price, ZERO)
                    if level.qty != should or not level.qty:
                        was = f"{place('bot_book', level.row)} {side} {shown(level.price)} was {shown(level.qty)}"
                        wrong.append(f"{was}, should be {shown(should) if should else 'gone'}")
            wrongs.append((judged, wrong))
        if wrongs:
            exercised += wrongs[-1][0]
            if all(wrong for _, wrong in wrongs):
                violations += wrongs[-1][1]
    return seen(exercised, violations)


def has_dropped_out(book: Book, side: str, price: Fraction, depth: str) -> bool:
    """Whether a price lies deeper than the levels that the venue keeps up."""
    kept = book.side(side)
    if not depth or len(kept) < int(depth):
        return False
    return price < min(kept) if side == "bid" else price > max(kept)


def i3_1_4(session: Recorded) -> Seen:
    """A quote or order on a book whose newest update is older than `book_stale_ms`, not in state halted."""
    limit = session.timing("book_stale_ms")
    if limit is None:
        return seen(0, ())
    exercised, violations = 0, []
    halted: dict[str, bool] = {}
    rows = [(ns(row["ts_local"]), 0, row) for row in session["quotes"]]
    rows += [(ns(row["ts_local"]), 1, row) for row in sent(session)]
    for ts, is_order, row in sorted(rows, key=lambda entry: entry[:2]):
        if not is_order:
            halted[row["symbol"]] = row["state"] == "halted"
        if is_order and halted.get(row["symbol"]) and not is_quote(row):
            continue
        newest = newest_update(session, row, ts) if is_order or is_quoting(row) else None
        if newest is None:
            continue
        exercised += 1
        if ts - newest > limit:
            age, most = shown(Fraction(ts - newest, MILLISECOND)), limit // MILLISECOND
            where = place("order_events" if is_order else "quotes", row)
            violations.append(f"{where} book was {age} ms old, should be {most} at most")
    return seen(exercised, violations)


def newest_update(session: Recorded, row: Row, ts: int) -> int | None:
    """Return when the newest update of a quote's or order's book came: of the book at its `book_seq` where it says."""
    books = last_known(session, row["symbol"], ts)
    if not books:
        return None
    of_seq = updated(session).get((row["symbol"], row["book_seq"]), [])
    count = bisect_right(of_seq, ts)
    return of_seq[count - 1] if count else books[-1].heard


@remember
def updated(session: Recorded) -> dict[tuple[str, str], list[int]]:
    """Return when updates came that left a symbol's book at a seq."""
    out: dict[tuple[str, str], list[int]] = defaultdict(list)
    for symbol, venue in venues(session).items():
        for book in venue.books:
            if book.intact:
                out[symbol, str(book.seq)].append(book.heard)
    return out


def i3_1_5(session: Recorded) -> Seen:
    """A gap in the sequence, and no resync_start before the next quote."""
    resyncs: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for row in session.arrivals("connection")[0]:
        if row["event"] in ("resync_start", "resync_done"):
            resyncs[row["detail"]].append((ns(row["ts_local"]), row["event"]))
    quotes: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for table, rows in (
        ("quotes", filter(is_quoting, session["quotes"])),
        ("order_events", filter(is_quote, sent(session))),
    ):
        for row in rows:
            quotes[row["symbol"]].append((ns(row["ts_local"]), place(table, row)))
    exercised, violations = 0, []
    for symbol, venue in venues(session).items():
        exercised += venue.chained
        events = sorted(resyncs[symbol] + resyncs[""])
        for row, ts in venue.gaps:
            following = min((quote for quote in quotes[symbol] if quote[0] > ts), default=None)
            before = [event for when, event in events if when < ts]
            if following is None or before[-1:] == ["resync_start"]:
                continue
            if not any(event == "resync_start" and ts <= when <= following[0] for when, event in events):
                violations.append(f"{place('book', row)} came after a gap, should resync before {following[1]}")
    return seen(exercised, violations)


def i3_1_6(session: Recorded) -> Seen:
    """A venue level better than the bot's worst is missing, or the book is not refilled after removals."""
    most: dict[tuple[str, str], int] = defaultdict(int)
    exercised, violations = 0, []
    for look in looks(session):
        books = held_to(session, look)
        is_down = any(outage.holds(look.ts) for outage in outages(session, "market_data"))
        if not books or not all(book.intact for book in books) or is_down:
            continue
        for side, levels in look.sides.items():
            kept = most[look.symbol, side]
            missing = [missing_levels(book, side, levels) for book in books]
            short = [min(kept, len(book.side(side))) - len(levels) for book in books]
            where = place("bot_book", levels[0].row) if levels else f"bot_book of {look.symbol} at {look.ts}"
            exercised += 1
            if all(missing):
                violations.append(f"{where} {side}s were without {shown(missing[-1][0])}, should hold it")
            if min(short) > 0:
                violations.append(f"{where} {side}s were {len(levels)} levels, should be {len(levels) + short[-1]}")
            most[look.symbol, side] = max(kept, len(levels))
    return seen(exercised, violations)


def missing_levels(book: Book, side: str, levels: list[Level]) -> list[Fraction]:
    """Return the venue's prices that are better than the worst of these levels and not among them."""
    prices = {level.price for level in levels}
    if not prices:
        return []
    worst = min(prices) if side == "bid" else max(prices)
    better = {price for price in book.side(side) if (price > worst if side == "bid" else price < worst)}
    return sorted(better - prices)
