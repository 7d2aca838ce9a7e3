"""5.2 Network failures: channels that are down, what comes after, messages in part and twice."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import NamedTuple

from audit.lives import Life, lives, open_at
from audit.market import Outage, is_quoting, outages, sent, venues
from audit.recorded import MILLISECOND, Recorded, Row, Seen, is_true, ns, number, place, seen, shown
from audit.s3_1 import Look, has_dropped_out, held_to, looks
from audit.state import DIRECTION, claims, history, repeated

ZERO = Fraction(0)


def i5_2_1(session: Recorded) -> Seen:
    """While a channel is down a submit goes out, or quotes are not halted and cancelled in `connection_timeout_ms`."""
    limit = session.timing("connection_timeout_ms")
    exercised, violations = 0, []
    for channel in ("market_data", "orders"):
        for outage in outages(session, channel):
            exercised += 1
            for row in sent(session):
                if outage.holds(ns(row["ts_local"])):
                    violations.append(f"{place('order_events', row)} was sent while {channel} was down, should wait")
            deadline = None if limit is None else outage.start + limit
            if deadline is None or deadline > session.end or (outage.end is not None and outage.end <= deadline):
                continue
            for row in session["quotes"]:
                if deadline < ns(row["ts_local"]) < (outage.end or session.end) and is_quoting(row):
                    violations.append(f"{place('quotes', row)} was quoted while {channel} was down, should be halted")
            for life in open_at(session, outage.start):
                if life.is_quote and not is_cancelled(session, life, outage.start, deadline):
                    row = life.moments[0].row
                    violations.append(f"{place('order_events', row)} rested with {channel} down, should be cancelled")
    return seen(exercised, violations)


def is_cancelled(session: Recorded, life: Life, start: int, deadline: int) -> bool:
    """Whether an order open at `start` has a cancel request or is done by the deadline.

    Where the order channel was down meanwhile: by the venue's own cancel, or by the first thing after the reconnect.
    """
    before = life.at(start)
    if (before and before.cancel_open) or not life.is_open(deadline) or life.between(start, deadline, "cancel_request"):
        return True
    down = [
        outage
        for outage in outages(session, "orders")
        if outage.start <= deadline and (outage.end or deadline) >= start
    ]
    if not down:
        return False
    end = down[-1].end
    if end is None or end > session.end:
        return True  # not to be judged
    following = min((ns(row["ts_local"]) for row in sent(session) if ns(row["ts_local"]) > end), default=session.end)
    return life.between(end, following, "cancel_request") or not life.is_open(following)


def i5_2_2(session: Recorded) -> Seen:
    """After a reconnect a submit goes out before the reconcile is complete, or before resync_done of its symbol."""
    exercised, violations = 0, []
    for since, until, outage in reconnects(session, "orders"):
        if "positions" not in session.tables and not any(open_at(session, outage.start)):
            continue  # nothing in the session could confirm that there was none
        complete = reconciled_at(session, outage)
        after = [row for row in sent(session) if since <= ns(row["ts_local"]) < until]
        exercised += bool(after)
        for row in after:
            if complete is None or ns(row["ts_local"]) < complete:
                violations.append(f"{place('order_events', row)} was sent before the reconcile was complete")
    for since, until, _ in reconnects(session, "market_data"):
        done: dict[str, int] = {}
        for row in session["connection"]:
            if row["event"] == "resync_done" and ns(row["ts_local"]) >= since:
                done.setdefault(row["detail"], ns(row["ts_local"]))
        met: set[str] = set()
        for row in sent(session):
            ts, symbol = ns(row["ts_local"]), row["symbol"]
            if not since <= ts < until:
                continue
            exercised += symbol not in met
            met.add(symbol)
            if ts < min(done.get(symbol, until), done.get("", until)):
                violations.append(f"{place('order_events', row)} was sent before resync_done of {symbol}")
    return seen(exercised, violations)


def reconnects(session: Recorded, channel: str) -> Iterator[tuple[int, int, Outage]]:
    """Yield (reconnect, next loss of the channel, outage)."""
    down = outages(session, channel)
    for at, outage in enumerate(down):
        if outage.end is not None:
            yield outage.end, down[at + 1].start if at + 1 < len(down) else session.end + 1, outage


def reconciled_at(session: Recorded, outage: Outage) -> int | None:
    """Return when each order open at the loss was confirmed; where none was, when the venue's position came."""
    since = outage.end or 0
    known: list[int | None] = []
    for life in open_at(session, outage.start):
        times = [
            moment.ts
            for moment in life.moments
            if moment.ts > outage.start and (moment.is_done or (moment.event == "reconcile" and moment.ts >= since))
        ]
        known.append(min(times, default=None))
    if not known:
        rows = session.rows("positions", source="exchange")
        known = [min((ns(row["ts_local"]) for row in rows if ns(row["ts_local"]) >= since), default=None)]
    return None if None in known else max(ts for ts in known if ts is not None)


def i5_2_3(session: Recorded) -> Seen:
    """A message that was not complete was applied."""
    told = [row for row in session["messages"] if row["complete"] and row["applied"]]
    partial = [row for row in told if not is_true(row["complete"])]
    applied = [row for row in partial if is_true(row["applied"])]
    return seen(len(partial), [f"{place('messages', row)} was applied in part, should be dropped" for row in applied])


def i5_2_4(session: Recorded) -> Seen:
    """The same message, seq or execution applied twice changes state."""
    exercised, violations = 0, []
    applied: dict[tuple[str, str, str], Row] = {}
    met: set[tuple[str, str, str]] = set()
    for row in session.arrivals("messages")[0]:
        key = (row["channel"].partition(":")[0], row["message_id"], row["ts_exchange"])
        exercised += key in met
        met.add(key)
        if is_true(row["applied"]):
            if key in applied:
                violations.append(
                    f"{place('messages', row)} was applied as {place('messages', applied[key])} was, should not"
                )
            applied.setdefault(key, row)
    doubled = [_doubled_levels(session), _doubled_fills(session)]
    return seen(
        exercised + sum(part.exercised for part in doubled), [*violations, *(v for d in doubled for v in d.violations)]
    )


def _doubled_levels(session: Recorded) -> Seen:
    """Look at the bot's book after an update that came twice: at its prices something else than the last qty."""
    exercised, violations = 0, []
    seen_looks: dict[str, list[Look]] = defaultdict(list)
    for look in looks(session):
        seen_looks[look.symbol].append(look)
    for symbol, venue in venues(session).items():
        met: set[tuple[int | None, int | None, int | None, object]] = set()
        for update in venue.updates:
            key = (update.seq, update.prev_seq, update.ts_exchange, update.levels)
            if update.seq is None or update.kind == "snapshot" or not update.levels or key not in met:
                met.add(key)
                continue
            look = next((look for look in seen_looks[symbol] if look.ts > update.ts_local), None)
            exercised += look is not None
            depth = session.instrument(symbol, update.ts_local)["book_depth"]
            for side, price, _ in update.levels if look else ():
                books = [book for book in held_to(session, look) if not has_dropped_out(book, side, price, depth)]
                should = [book.side(side).get(price, ZERO) for book in books]
                for level in look.sides[side]:
                    if level.price == price and should and level.qty not in should:
                        was = f"{place('bot_book', level.row)} at {shown(price)} was {shown(level.qty)} after seq"
                        violations.append(f"{was} {update.seq} came twice, should be {shown(should[-1])}")
    return seen(exercised, violations)


class Cause(NamedTuple):
    """What would put the bot's claims off by an amount from a time on: a fill, left out or booked twice."""

    ts: int
    amount: Fraction
    fill: Row


def put_off(
    session: Recorded, symbol: str, table: str, column: str, should: Sequence[Fraction | None], causes: Sequence[Cause]
) -> Iterator[tuple[Row, Row]]:
    """Yield (claim, fill) where the claims, which should be `should[k]` after k fills, are first off by a cause."""
    tolerance, past = session.half_unit(table, column), history(session, symbol)
    left, off = list(causes), ZERO
    for ts, value, row in claims(session, table, column, symbol):
        known = [value - exact for k in past.cuts(ts, session.lag) if (exact := should[k]) is not None]
        if not known or any(abs(was - off) <= tolerance for was in known):
            continue
        due = [cause for cause in left if cause.ts <= ts]
        found = next((cause for cause in due for was in known if abs(was - off - cause.amount) <= tolerance), None)
        if found:
            yield row, found.fill
            left.remove(found)
        off = off + found.amount if found else known[-1]


def _doubled_fills(session: Recorded) -> Seen:
    """Look at the bot's position after an execution that was reported twice: it moved by it twice."""
    exercised, violations = 0, []
    for symbol in session.instruments:
        again = repeated(session, symbol)
        exercised += len(again)
        base, causes = session.instruments[symbol]["base"], []
        for fill in reversed(again):  # of equal ones the newest
            move = DIRECTION[fill["side"]] * (number(fill["qty"]) or ZERO)
            fee = (number(fill["fee"]) or ZERO) if fill["fee_asset"] == base else ZERO
            causes += [Cause(ns(fill["ts_local"]), amount, fill) for amount in (move, move - fee)]
        should = history(session, symbol).positions
        times = [ts for ts, _, _ in claims(session, "positions", "qty", symbol)]
        for row, fill in put_off(session, symbol, "positions", "qty", should, causes):
            if any(ns(fill["ts_local"]) < ts < ns(row["ts_local"]) for ts in times):
                continue  # the claims between did not move by it
            violations.append(f"{place('positions', row)} moved by {place('fills', fill)} again, should not")
    return seen(exercised, violations)


def i5_2_5(session: Recorded) -> Seen:
    """A timeout longer than `connection_timeout_ms` with no safe_shutdown, or one that leaves orders or sends them."""
    limit = session.timing("connection_timeout_ms")
    exercised, violations = 0, []
    for channel in ("market_data", "orders") if limit is not None else ():
        for outage in outages(session, channel):
            deadline, end = outage.start + limit, outage.end or session.end
            if not outage.timed_out or end <= deadline:
                continue
            exercised += 1
            where = place("connection", outage.row)
            shutdowns = [
                ns(row["ts_local"])
                for row in session["connection"]
                if row["event"] == "safe_shutdown" and outage.start <= ns(row["ts_local"]) <= end
            ]
            if not shutdowns:
                took = shown(Fraction(end - outage.start, MILLISECOND))
                violations.append(f"{where} {channel} was down for {took} ms with no safe_shutdown")
                continue
            for life in lives(session):
                if life.order.row["origin"] == "exchange":
                    continue  # not the bot's to cancel
                if life.is_open(shutdowns[0]) and not is_cancelled(session, life, outage.start, min(end, session.end)):
                    row = place("order_events", life.moments[0].row)
                    violations.append(
                        f"{row} was left open by the safe_shutdown at {shutdowns[0]}, should be cancelled"
                    )
            for row in sent(session):
                if shutdowns[0] <= ns(row["ts_local"]) < end:
                    violations.append(f"{place('order_events', row)} was sent after the safe_shutdown, should wait")
    return seen(exercised, violations)
