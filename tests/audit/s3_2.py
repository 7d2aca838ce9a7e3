"""3.2 Trade and tick processing, from the public trades and what the bot made of them."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Sequence
from fractions import Fraction

from audit.market import Book, last_known, time, venues
from audit.recorded import Recorded, Row, Seen, ns, number, place, remember, seen, shown
from audit.tape import Trade, window_claims

ZERO = Fraction(0)
SIDES = {1: "buy", -1: "sell", 0: ""}


@remember
def first_reports(session: Recorded) -> dict[tuple[str, str], Row]:
    """Return the first report of each trade, by symbol and trade_id."""
    out: dict[tuple[str, str], Row] = {}
    for row in session.arrivals("trades")[0]:
        out.setdefault((row["symbol"], row["trade_id"]), row)
    return out


def i3_2_1(session: Recorded) -> Seen:
    """The inferred side is not the aggressor, the tick rule's, or Lee-Ready's, as `trade_sign` says."""
    rule = session.conventions.get("trade_sign", "venue")
    exercised, violations = 0, []
    for row in session["bot_trades"]:
        trade = first_reports(session).get((row["symbol"], row["trade_id"]))
        if trade is None or not row["side"]:
            continue
        if rule == "venue":
            should = {trade["aggressor"]}
        else:
            signs = tick_signs(session)[trade["#"]]
            should = {SIDES[sign] for sign in (signs if rule == "tick" else lee_ready_signs(session, trade, signs))}
        if "" in should:
            continue
        exercised += 1
        if row["side"] not in should:
            sides = " or ".join(sorted(should))
            violations.append(f"{place('bot_trades', row)} side was {row['side']}, should be {sides} ({rule})")
    return seen(exercised, violations)


@remember
def tick_signs(session: Recorded) -> dict[str, set[int]]:
    """Return the tick rule's signs of each trade: in order of arrival, and in the venue's of those that had arrived.

    A zero tick keeps the last sign; 0 where no price had differed yet.
    """
    out: dict[str, set[int]] = {}
    last: dict[str, tuple[Fraction, int]] = {}
    stamped: dict[str, list[tuple[int, int, Fraction]]] = defaultdict(list)
    for count, row in enumerate(session.arrivals("trades")[0]):
        symbol, price, stamp = row["symbol"], number(row["price"]) or ZERO, time(row["ts_exchange"])
        before, sign = last.get(symbol, (price, 0))
        sign = (price > before) - (price < before) or sign
        last[symbol] = price, sign
        out[row["#"]] = {sign}
        if stamp is not None:
            entry, line = (stamp, count, price), stamped[symbol]
            insort(line, entry)
            out[row["#"]].add(_sign_at(line, bisect_left(line, entry)))
    return out


def _sign_at(line: Sequence[tuple[int, int, Fraction]], at: int) -> int:
    """Return the sign of the last change of price up to a trade."""
    while at > 0 and line[at][2] == line[at - 1][2]:
        at -= 1
    return (line[at][2] > line[at - 1][2]) - (line[at][2] < line[at - 1][2]) if at else 0


def lee_ready_signs(session: Recorded, trade: Row, tick: set[int]) -> set[int]:
    """Return the sides of the mid that a trade lies on, by each book that may be in force; at it the tick rule's."""
    ts, stamp, price = ns(trade["ts_local"] or trade["ts_exchange"]), time(trade["ts_exchange"]), number(trade["price"])
    books = last_known(session, trade["symbol"], ts)
    out: set[int] = set()
    for book in [*books, *_stamped_before(session, trade["symbol"], ts, stamp)]:
        middle = _mid(session, book)
        sign = 0 if middle is None or price is None else (price > middle) - (price < middle)
        out |= {sign} if sign else tick
    return out or tick


def _stamped_before(session: Recorded, symbol: str, ts: int, stamp: int | None) -> list[Book]:
    """Return the newest book that had arrived and that the venue stamped strictly before the trade."""
    venue = venues(session).get(symbol)
    if venue is None or stamp is None:
        return []
    for book in reversed(venue.books[: bisect_left(venue.since, ts)]):
        if book.ts_exchange is not None and book.ts_exchange < stamp:
            return [book]
    return []


def _mid(session: Recorded, book: Book) -> Fraction | None:
    """Return the mean of the best bid and ask of at least `mid_min_qty`."""
    least = Fraction(str(session.conventions.get("mid_min_qty", 0)))
    bids = [price for price, qty in book.bids.items() if qty >= least]
    asks = [price for price, qty in book.asks.items() if qty >= least]
    return (max(bids) + min(asks)) / 2 if bids and asks else None


KEYS: dict[str, Callable[[Trade], Hashable]] = {
    "ts_exchange": lambda trade: trade.ts_exchange,
    "ts_local": lambda trade: trade.ts_local,
    "ts_exchange and price": lambda trade: (trade.ts_exchange, trade.price),
    "ts_exchange, price and qty": lambda trade: (trade.ts_exchange, trade.price, trade.qty),
    "us": lambda trade: trade.ts_exchange // 1_000,
    "ms": lambda trade: trade.ts_exchange // 1_000_000,
}


def collapsed(trades: Sequence[Trade], key: Callable[[Trade], Hashable]) -> list[list[Trade]]:
    """Return what is left where of the trades with one key only the first, only the last, or none is taken."""
    counts = Counter(key(trade) for trade in trades)
    first = {key(trade): trade for trade in reversed(trades)}
    last = {key(trade): trade for trade in trades}
    return [list(first.values()), list(last.values()), [trade for trade in trades if counts[key(trade)] == 1]]


def i3_2_2(session: Recorded) -> Seen:
    """The volume of trades with the same timestamp was lost or taken once."""
    exercised, violations = 0, []
    for claim in window_claims(session):
        truths = claim.truths()
        stamps = [trade.ts_exchange for trade in truths[-1]]
        exercised += len(set(stamps)) < len(stamps)
        if claim.is_of(truths):
            continue
        fits = [name for name, key in KEYS.items() if any(claim.is_of(collapsed(truth, key)) for truth in truths)]
        if fits:
            where = place("signals", claim.row)
            violations.append(
                f"{where} {claim.name} was {claim.row['value']}, should count all trades of one {fits[0]}"
            )
    return seen(exercised, violations)


def i3_2_3(session: Recorded) -> Seen:
    """A VWAP is right only in arrival order: late trades dropped, or put in the window by ts_local."""
    exercised, violations = 0, []
    for claim in window_claims(session):
        if claim.name != "vwap":
            continue
        in_window = claim.truths()[-1]
        exercised += any(trade.is_late or trade.ts_local >= claim.end for trade in in_window)
        if claim.is_right():
            continue
        without_late = claim.is_of([t for t in trades if not t.is_late] for trades in claim.truths())
        in_time = claim.is_of([t for t in trades if t.ts_local < claim.end] for trades in claim.truths())
        if without_late or in_time or claim.is_by_arrival():
            how = "late trades dropped" if without_late or in_time else "the window cut by ts_local"
            where = place("signals", claim.row)
            violations.append(f"{where} vwap was {claim.row['value']}, {how}, should hold all by ts_exchange")
    return seen(exercised, violations)


def i3_2_4(session: Recorded) -> Seen:
    """A trade of at least min_qty within the book was not used, or over 1 % of volume dropped with no reason."""
    reports = first_reports(session)
    used = {(row["symbol"], row["trade_id"]) for row in session["bot_trades"] if row["used"] == "true"}
    volume: dict[str, Fraction] = defaultdict(Fraction)
    unexplained: dict[str, Fraction] = defaultdict(Fraction)
    exercised, violations = 0, []
    met: set[tuple[str, str]] = set()
    for row in session["bot_trades"]:
        key = (row["symbol"], row["trade_id"])
        if key not in reports or not row["used"] or key in met:
            continue
        met.add(key)
        exercised += 1
        trade = reports[key]
        ts, price, qty = ns(trade["ts_local"] or trade["ts_exchange"]), number(trade["price"]), number(trade["qty"])
        volume[row["symbol"]] += qty
        if key in used:
            continue
        unexplained[row["symbol"]] += 0 if row["reason"] else qty
        least = number(session.instrument(row["symbol"], ts)["min_qty"]) or ZERO
        books = last_known(session, row["symbol"], ts)
        if qty >= least and books and all(_is_within(book, price) for book in books):
            where = place("bot_trades", row)
            violations.append(
                f"{where} {shown(qty)} at {shown(price)} was not used, should be: at least {shown(least)}"
            )
    for symbol, dropped in unexplained.items():
        if dropped * 100 > volume[symbol]:
            part = f"{shown(dropped)} of {shown(volume[symbol])}"
            violations.append(f"bot_trades of {symbol}: {part} was dropped with no reason, should be 1 % at most")
    return seen(exercised, violations)


def _is_within(book: Book, price: Fraction) -> bool:
    """Whether a price lies between the book's lowest bid and its highest ask."""
    return bool(book.bids and book.asks) and min(book.bids) <= price <= max(book.asks)
