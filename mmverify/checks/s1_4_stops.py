"""Section 1.4, stops: each fires on the stated price, when that is through, and an order of its side follows."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from math import ceil, floor

import numpy as np

from mmverify.checks import Breach, Looked
from mmverify.checks.books import instruments
from mmverify.checks.claims import agrees, places
from mmverify.checks.known import Times, timeline
from mmverify.checks.moments import deadline, session_end
from mmverify.checks.orderflow_positions import executions
from mmverify.checks.prices import best_prices
from mmverify.numeric import Ints, decimal_text
from mmverify.session.load import Session, Table, need_instruments

_MS = 10**6


@dataclass(frozen=True, eq=False)
class Published:
    """Prices of one type as they came: in units of ``1 / unit``, in order of time.

    `before` and `after` say how far from a moment, in ns, a price may lie and still be the last known.
    """

    times: Times
    prices: Ints
    unit: int
    before: int
    after: int

    def known(self, at: int) -> list[Fraction]:
        """Return the prices that may be the last known at a moment."""
        low = int(np.searchsorted(self.times, at - self.before, side="left"))
        high = int(np.searchsorted(self.times, at + self.after, side="right"))
        return list(dict.fromkeys(self.price(n) for n in range(max(low - 1, 0), high)))

    def price(self, n: int) -> Fraction:
        """Return one price, exact."""
        return Fraction(int(self.prices[n]), self.unit)


@lru_cache(maxsize=64)
def published(session: Session, symbol: str, kind: str, side: str) -> Published:
    """Return the prices that a stop of this side may look at: of the marks, or the book's mid or exit."""
    if kind not in ("mid", "exit"):
        table = session.table("marks", "ts_exchange", "ts_local", "symbol", kind)
        column = table.decimals(kind)
        line = timeline(session, table, table.words("symbol").is_(symbol) & column.known)
        return Published(line.times, column.ints[line.rows], 10**column.scale, line.before, line.after)
    book = session.table("book", "ts_exchange", "ts_local", "symbol", "price")
    line = timeline(session, book, book.words("symbol").is_(symbol))
    times = np.unique(line.times)
    least = Fraction(str(session.settings.get("conventions", {}).get("mid_min_qty", 0))) if kind == "mid" else 0
    states, spans = best_prices(session, symbol, times, Fraction(least))
    unit = 2 * 10 ** book.decimals("price").scale
    found = []
    for at, (_, high) in zip(times.tolist(), spans, strict=True):
        bid, ask = states.get(high, (None, None))
        price = bid if side == "sell" else ask
        if kind == "mid":
            price = None if bid is None or ask is None else (bid + ask) / 2
        if price is not None:
            found.append((at, int(price * unit)))
    kept = np.array(found, dtype=np.int64).reshape(-1, 2)
    return Published(kept[:, 0], kept[:, 1], unit, line.before, line.after)


@dataclass(frozen=True, eq=False)
class _Stops:
    """The stops of a session, and what each of their rows says."""

    session: Session
    table: Table
    kind: str
    end: int

    def symbol(self, row: int) -> str:
        return self.table.words("symbol").text(row)

    def side(self, row: int) -> str:
        return self.table.words("side").text(row)

    def event(self, row: int) -> str:
        return self.table.words("event").text(row) or "fire"

    def ts(self, row: int) -> int:
        return int(self.table.whole("ts_local").values[row])

    def level(self, row: int) -> Fraction:
        return self.table.decimals("stop_price").fraction(row)

    def prices(self, row: int) -> Published:
        return published(self.session, self.symbol(row), self.kind, self.side(row))

    def is_through(self, row: int, price: Fraction) -> bool:
        """Say whether a price fires a stop: a sell at or below, a buy at or above."""
        return price <= self.level(row) if self.side(row) == "sell" else price >= self.level(row)

    def through(self, row: int, start: int, end: int) -> int | None:
        """Return when the price was first through a stop between two moments, None where it was not."""
        seen = self.prices(row)
        known = seen.known(start)
        if known and all(self.is_through(row, price) for price in known):
            return start
        low = int(np.searchsorted(seen.times, start + seen.after, side="right"))
        part = seen.prices[low : int(np.searchsorted(seen.times, end, side="left"))]
        level = self.level(row) * seen.unit
        hit = np.flatnonzero(part <= floor(level) if self.side(row) == "sell" else part >= ceil(level))
        return int(seen.times[low + int(hit[0])]) if hit.size else None

    def lost(self, row: int, since: int, until: int) -> Fraction | None:
        """Return what the position lost beyond a stop between two moments, at the worst price; None without one."""
        held = executions(self.session, self.symbol(row))
        count = int(held.line.span(np.array([since]))[1][0])
        qty = held.qty(held.position[count]) * (1 if self.side(row) == "sell" else -1)
        seen = self.prices(row)
        low, high = np.searchsorted(seen.times, [since, until], side="right").tolist()
        part = seen.prices[max(low - 1, 0) : high]
        if qty <= 0 or not part.size:
            return None
        worst = Fraction(int(part.min() if self.side(row) == "sell" else part.max()), seen.unit)
        level, kind = self.level(row), instruments(self.session)[self.symbol(row)]
        if not self.is_through(row, worst) or not worst or not level:
            return None
        per_unit = abs(1 / worst - 1 / level) if kind.kind == "inverse" else abs(level - worst)
        return per_unit * qty * kind.multiplier


@dataclass(frozen=True)
class _Wrong:
    """One row that is wrong: in which way, and in words."""

    row: int
    how: str
    was: str
    should: str
    work: tuple[str, ...]
    amount: Fraction | None = None


def stops(session: Session) -> Looked:
    """Each stop fires on the stated price type, when that is through it, and its order follows."""
    columns = ("ts_local", "stop_id", "symbol", "side", "stop_price", "event", "price", "price_type")
    table = session.table("stops", *columns)
    need_instruments(session, "stops", table.words("symbol"))
    every = _Stops(session, table, session.convention("stop_price"), session_end(session))
    rows: dict[tuple[str, str, str], list[int]] = {}
    known = table.decimals("stop_price").known
    for row in timeline(session, table, known).rows.tolist():
        rows.setdefault((table.words("stop_id").text(row), every.symbol(row), every.side(row)), []).append(row)
    looked, wrong = 0, list[_Wrong]()
    for mine in rows.values():
        count, found = _one(every, mine)
        looked, wrong = looked + count, wrong + found
    notes = [] if known.all() else [f"{int(np.sum(~known))} rows of stops without a stop_price are left out"]
    if deadline(session, "ack_timeout_ms") is None or not session.has("order_events"):
        notes.append("without ack_timeout_ms and order_events it is not judged whether an order followed a stop")
    for symbol in dict.fromkeys(every.symbol(row) for row in range(len(table))):
        if not any(every.symbol(m[0]) == symbol and len(every.prices(m[0]).times) for m in rows.values()):
            notes.append(f"{symbol}: no {every.kind} price is known, stops are held to what they say themselves")
    return Looked(looked, tuple(_breaches(every, wrong)), tuple(notes))


def _one(every: _Stops, rows: list[int]) -> tuple[int, list[_Wrong]]:
    """Judge the rows of one stop."""
    session, looked, wrong = every.session, 0, list[_Wrong]()
    allowed, lag = deadline(session, "ack_timeout_ms"), every.prices(rows[0]).before
    sent = _sent(session, every.symbol(rows[0]), every.side(rows[0]))
    armed: int | None = None
    for row, following in zip(rows, [*rows[1:], None], strict=True):
        ts = every.ts(row)
        if every.event(row) == "fire":
            looked += 1
            wrong += _fired(every, row, armed is not None)
            judged = armed is not None and allowed is not None and session.has("order_events")
            if judged and ts + (allowed or 0) <= every.end:
                looked += 1
                wrong += _unsent(every, row, sent, allowed or 0)
            armed = None
        elif every.event(row) == "disarm":
            armed = None
        else:
            armed, looked = row, looked + 1
            until = every.end if following is None else every.ts(following)
            through = every.through(row, ts, until)
            limit = None if through is None else through + max(lag, allowed or 0)
            fired = following is not None and every.event(following) == "fire"
            if through is not None and limit is not None and limit < until:
                wrong.append(_missed(every, row, through, until, late=fired))
    return looked, wrong


@lru_cache(maxsize=64)
def _sent(session: Session, symbol: str, side: str) -> Times:
    """Return when orders of a symbol and side were submitted."""
    table = session.table("order_events", "ts_local", "symbol", "event", "side")
    which = table.words("symbol").is_(symbol) & table.words("side").is_(side) & table.words("event").is_("submit")
    return np.sort(table.whole("ts_local").values[which])


def _fired(every: _Stops, row: int, is_armed: bool) -> list[_Wrong]:
    column, at = every.table.decimals("price"), every.table.where(row)
    known, told = every.prices(row).known(every.ts(row)), every.table.words("price_type").text(row)
    level, sense = decimal_text(every.level(row)), "at or below" if every.side(row) == "sell" else "at or above"
    price = column.fraction(row) if column.known[row] else None
    seen = decimal_text(known[-1]) if known else "unknown"
    at_price = "" if price is None else f" at {decimal_text(price)}"
    stop = f"{every.side(row)} stop at {level} of {every.symbol(row)}"
    work = (f"{at}: {stop} fired on {told or 'a price of no type'}{at_price}", f"{every.kind} known then: {seen}")
    rule = f"{every.kind} {sense} {level}"
    if told and told != every.kind:
        return [_Wrong(row, f"fired on {told}", f"a stop fired on {told}", f"on {every.kind}, as stated", work)]
    if price is not None and not every.is_through(row, price):
        return [_Wrong(row, "fired early", f"a stop fired at {decimal_text(price)}", rule, work)]
    if price is not None and known and not agrees(column, row, known):
        was = f"a stop fired at {decimal_text(price)}"
        return [_Wrong(row, "fired at no price", was, f"{every.kind} {seen}, the last known", work)]
    if is_armed and known and not any(every.is_through(row, value) for value in known):
        return [_Wrong(row, "fired early", f"a stop fired at {every.kind} {seen}", rule, work)]
    return []


def _unsent(every: _Stops, row: int, sent: Times, allowed: int) -> list[_Wrong]:
    ts, lag = every.ts(row), int((every.session.number("timing", "claim_lag_ms", 0) or 0) * _MS)
    first = int(np.searchsorted(sent, ts - lag, side="left"))
    if first < len(sent) and int(sent[first]) <= ts + allowed:
        return []
    until = int(sent[first]) if first < len(sent) else every.end
    side = every.side(row)
    follow = f"the next {side} was sent {_seconds(until - ts)} s later" if first < len(sent) else f"no {side} was sent"
    return [_Wrong(
        row, "no order followed", f"no {side} order followed a stop within ack_timeout_ms",
        f"a {side} within {decimal_text(Fraction(allowed, _MS))} ms", (f"{every.table.where(row)}: {side} stop at "
        f"{decimal_text(every.level(row))} of {every.symbol(row)} fired", follow), every.lost(row, ts, until),
    )]  # fmt: skip


def _missed(every: _Stops, row: int, through: int, until: int, *, late: bool) -> _Wrong:
    known = every.prices(row).known(through)
    level, kind = decimal_text(every.level(row)), every.kind
    was = f"an armed stop fired {_seconds(until - through)} s late" if late else "an armed stop did not fire"
    return _Wrong(
        row, "did not fire", was, f"to fire once {kind} was through {level}",
        (f"{every.table.where(row)}: {every.side(row)} stop at {level} of {every.symbol(row)} armed",
         f"{_seconds(through - every.ts(row))} s later {kind} was {decimal_text(known[-1])}",
         f"{_seconds(until - through)} s on it " + ("fired" if late else "was still armed, or withdrawn")),
        every.lost(row, through, until),
    )  # fmt: skip


def _seconds(ns: int) -> str:
    return decimal_text(Fraction(ns, 10**9), 3)


def _breaches(every: _Stops, wrong: list[_Wrong]) -> list[Breach]:
    groups: dict[str, list[_Wrong]] = {}
    for each in wrong:
        groups.setdefault(f"{every.symbol(each.row)} {each.how}", []).append(each)
    out = []
    for key, mine in groups.items():
        amounts = [each.amount for each in mine if each.amount is not None]
        settle = instruments(every.session)[every.symbol(mine[0].row)].settle
        loss = (
            "what the position lost beyond the stops' prices, at the worst price until they were withdrawn or an order"
            " was sent, all of them"
            if amounts
            else "a position that is closed when it should not be, or is not closed: what that costs cannot be known"
        )
        is_type = mine[0].how.startswith("fired on ")
        out.append(Breach(
            key=key, where=places(every.table, [each.row for each in mine]), count=len(mine), was=mine[0].was,
            should=mine[0].should, work=tuple(line for each in mine[:2] for line in each.work),
            amount=sum(amounts, Fraction(0)) if amounts else None, currency=settle if amounts else "", loss=loss,
            cause=f"stops listen to {mine[0].how.removeprefix('fired on ')}" if is_type else "",
        ))  # fmt: skip
    return out
