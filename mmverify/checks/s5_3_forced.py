"""5.3.3: what the venue closes by force is in the bot's position and P&L, and the bot stops quoting for it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import numpy as np

from mmverify.checks import Breach, Looked, gather, mistakes
from mmverify.checks import s2_2_work as work
from mmverify.checks.books import Ledger, fills_table
from mmverify.checks.claims import Claims, agrees, claims_of, nearest
from mmverify.checks.handwork import text
from mmverify.checks.known import Rates, Rows, timeline
from mmverify.checks.offs import claimed_off
from mmverify.checks.orderflow import flow
from mmverify.checks.orderflow_exposure import exposure
from mmverify.checks.orderflow_positions import Break, Executions, executions
from mmverify.checks.s1_2_work import Told, claim_offs, claim_work, judged, report_line
from mmverify.checks.s5_3_requests import ms
from mmverify.numeric import decimal_text
from mmverify.session.load import Session, Table

FORCED = ("liquidation", "adl")
_QUOTES = ("quote_bid", "quote_ask")


def forced(session: Session, known: Executions | Ledger) -> list[int]:
    """Return the numbers of the reports of a symbol by which the venue closed something, each once.

    Parameters
    ----------
    session : Session
    known : Executions or Ledger
        What has the reports in its `line`.
    """
    fills, rows = fills_table(session), known.line.rows
    by_force = np.flatnonzero(fills.words("kind").is_(*FORCED)[rows])
    ids = fills.words("exec_id").codes[rows]
    first = np.unique(ids, return_index=True)[1]
    return [int(n) for n in np.intersect1d(by_force, first)]


def _name(session: Session, row: int) -> str:
    """Name a forced fill: what it is, and its exec_id."""
    fills = fills_table(session)
    return f"{fills.words('kind').text(row)} {fills.words('exec_id').text(row)}"


def _parts(numbers: list[int], times: Rows) -> Iterator[tuple[int, ...]]:
    """Yield what of some reports may be missing together: one, those of one moment, all."""
    yield from ((n,) for n in numbers)
    for ts in dict.fromkeys(times[numbers].tolist()):
        yield tuple(n for n in numbers if times[n] == ts)
    yield tuple(numbers)


# --- position ---------------------------------------------------------------------------------------------------------
def forced_positions(session: Session) -> Looked:
    """A liquidation or ADL fill moves the bot's position."""
    return gather(_booked(told) if isinstance(told, Told) else Looked(0, (), (told,)) for told in judged(session))


def _booked(told: Told) -> Looked:
    line, claims = told.known.line, told.held.line
    mine = [n for n in forced(told.session, told.known) if told.moved[n]]
    shown = [n for n in mine if len(claims) and line.times[n] + line.before < claims.times[-1]]
    if not shown:
        return Looked(0)
    missing = [(each, parts) for each in told.held.breaks() if (parts := _left_out(told, each, shown))]
    return Looked(len(shown), (_unbooked(told, missing),) if missing else ())


def _left_out(told: Told, found: Break, mine: list[int]) -> tuple[int, ...]:
    """Return the forced fills that a claim moved without, none where it is off by something else."""
    between = [n for n in mine if found.since <= n < found.until]
    if not between or found.is_right:
        return ()
    for parts in _parts(between, told.known.line.times):
        moved = sum(int(told.moved[n]) for n in parts)
        if any(abs(off + moved) <= told.held.slack for off in found.offs):
            return parts
    return ()


def _unbooked(told: Told, missing: list[tuple[Break, tuple[int, ...]]]) -> Breach:
    found, parts = missing[0]
    every = [n for _, each in missing for n in each]
    worst = max(
        ((sum(int(told.moved[n]) for n in each), each[-1] + 1) for _, each in missing), key=lambda at: abs(at[0])
    )
    count = told.count(found.place)
    return Breach(
        key=told.symbol, where=(told.where(found.place), *(told.report(n) for n in every[:3])), count=len(every),
        was=f"the position of {told.symbol} was {decimal_text(told.claimed(found.place))} after "
        f"{_name(told.session, int(told.known.line.rows[parts[0]]))}",
        should=decimal_text(told.qty(told.held.position[count])),
        work=(
            *(report_line(told, n) for n in parts[:3]), *claim_work(told, found.place),
            f"{' + '.join(text(told.qty(told.moved[n])) for n in parts[:5])}: what the claim is off by, turned round",
        ),
        amount=told.worth(worst[0], worst[1]), currency=told.instrument.settle,
        loss="position that the venue closed and the bot still counts, at the price of the fill",
        cause=_unsent(told, every), offs=claim_offs(told, found.place),
    )  # fmt: skip


def _unsent(told: Told, every: list[int]) -> str:
    """Say what the fills that were left out have in common."""
    replayed, life = flow(told.session), told.known.life[every]
    is_foreign = (life < 0) | (np.append(replayed.is_foreign, True)[life])
    return "a fill that is of no order of the bot's is not booked" if is_foreign.all() else "the fill is not booked"


# --- P&L --------------------------------------------------------------------------------------------------------------
def forced_results(session: Session) -> Looked:
    """What a liquidation or ADL fill realizes is in the bot's realized P&L."""
    return gather(_realized(claims) for claims in claims_of(session, "realized"))


@dataclass(frozen=True)
class _Missing:
    """A claim without what some forced fills realized: the claim's row, the right value, the reports, their gain."""

    row: int
    should: Fraction
    parts: tuple[int, ...]
    gain: Fraction
    book: Ledger


@dataclass(frozen=True, eq=False)
class _Jumps:
    """The claims of one symbol in order of time, and by how much each is off."""

    claims: Claims

    @cached_property
    def order(self) -> Rows:
        return np.argsort(self.claims.at, kind="stable")

    def around(self, number: int, n: int) -> tuple[int, int]:
        """Return the rows of the last claim that cannot know a report and of the first that must; -1 for none."""
        span, rows = self.claims.spans[number], self.claims.rows[self.order]
        before = int(np.searchsorted(span.high[self.order], n, side="right")) - 1
        after = int(np.searchsorted(span.low[self.order], n, side="right"))
        return int(rows[before]) if before >= 0 else -1, int(rows[after]) if after < len(rows) else -1

    @cached_property
    def right(self) -> Callable[[int], Iterable[Fraction]]:
        net = self.claims.session.convention("realized") == "net"
        return self.claims.candidates(mistakes.net if net else mistakes.gross)

    def gains(self, book: Ledger, parts: tuple[int, ...], row: int) -> list[Fraction]:
        """Return what reports realized, in the currency of a row: before fees, and after them where the claim is."""
        claims = self.claims
        steps = [sum((book.realized_at(n + 1) - book.realized_at(n) for n in parts), Fraction(0))]
        if claims.session.convention("realized") == "net":
            steps.append(steps[0] - sum((book.fees_at(n + 1) - book.fees_at(n) for n in parts), Fraction(0)))
        at = int(book.line.times[parts[0]]) if claims.at_fill else claims.time(row)
        rates = Rates.of(claims.session).choices(book.instrument.settle, claims.currency(row), at)
        return [step * rate for step in steps for rate in rates]

    def offs(self, row: int) -> list[Fraction]:
        """Return by how much a claim may be off; nothing is before the first one."""
        return [Fraction(0)] if row < 0 else [self.claims.column.fraction(row) - value for value in self.right(row)]


def _realized(claims: Claims) -> Looked:
    jumps, looked, found = _Jumps(claims), 0, list[_Missing]()
    for number, book in enumerate(claims.books):
        pairs: dict[tuple[int, int], list[int]] = {}
        for n in forced(claims.session, book):
            pairs.setdefault(jumps.around(number, n), []).append(n)
        for (before, after), mine in pairs.items():
            if after < 0 or not any(_shows(jumps, book, n, after) for n in mine):
                continue
            looked += len(mine)
            missing = _without(jumps, book, before, after, mine)
            found += [missing] if missing else []
    return Looked(looked, (_unrealized(claims, found),) if found else ())


def _shows(jumps: _Jumps, book: Ledger, n: int, row: int) -> bool:
    """Say whether a claim could show that what a report realized is missing."""
    allowed = 4 * jumps.claims.column.tolerance(row)
    return n >= book.opened and any(abs(gain) > allowed for gain in jumps.gains(book, (n,), row))


def _without(jumps: _Jumps, book: Ledger, before: int, after: int, mine: list[int]) -> _Missing | None:
    """Return what a claim lacks, that the one before it did not lack yet; None where it is off by something else."""
    column, values = jumps.claims.column, list(jumps.right(after))
    if not values or agrees(column, after, values):
        return None
    allowed = column.tolerance(after) + (column.tolerance(before) if before >= 0 else 0)
    offs, was = jumps.offs(after), jumps.offs(before)
    for parts in _parts(mine, book.line.times):
        for gain in jumps.gains(book, parts, after):
            if abs(gain) > 2 * allowed and any(abs(now - old + gain) <= allowed for now in offs for old in was):
                return _Missing(after, nearest(column, after, values), parts, gain, book)
    return None


def _unrealized(claims: Claims, found: list[_Missing]) -> Breach:
    first, column = found[0], claims.column
    book, fills = first.book, fills_table(claims.session)
    worst = max(found, key=lambda each: abs(each.gain))
    rows = [int(each.book.line.rows[n]) for each in found for n in each.parts]
    since, until = first.parts[0], first.parts[-1] + 1
    before, after = book.realized_at(since), book.realized_at(until)
    claimed, currency = column.fraction(first.row), claims.currency(first.row)
    return Breach(
        key=claims.symbol, where=(claims.table.where(first.row), *(fills.where(row) for row in rows[:3])),
        count=len(rows),
        was=f"realized P&L of {claims.symbol} was {decimal_text(claimed)} {currency} after "
        f"{_name(claims.session, rows[0])}",
        should=f"{decimal_text(first.should)} {currency}",
        work=(
            f"position of {book.instrument.symbol} before it {decimal_text(book.qty_at(since))}, after it "
            f"{decimal_text(book.qty_at(until))}",
            f"realized by it: {text(after)} - {text(before)} = {decimal_text(after - before)} "
            f"{book.instrument.settle}",
            f"{claims.table.where(first.row)} claims {decimal_text(claimed)}: it is off by "
            f"{decimal_text(claimed - first.should)}",
        ),
        amount=abs(worst.gain), currency=currency,
        loss="what the venue's forced closing made or lost and the P&L does not say, where it is most",
        cause="what the fill realized was left out",
        offs=claimed_off(claims.table, column, first.row, first.should, currency),
    )  # fmt: skip


# --- trip -------------------------------------------------------------------------------------------------------------
def forced_trips(session: Session) -> Looked:
    """After a liquidation or ADL fill nothing is quoted before a trip of rule liquidation or adl."""
    symbols = fills_table(session).words("symbol").names
    return gather(_tripped(session, symbol) for symbol in symbols)


def _tripped(session: Session, symbol: str) -> Looked:
    known = executions(session, symbol)
    mine = forced(session, known)
    if not mine:
        return Looked(0)
    table, acts = session.table("risk_events", "ts_local", "rule", "event", "symbol"), trips(session, symbol)
    times, is_trip = table.whole("ts_local").values[acts], table.words("event").is_("trip")[acts]
    quotes = Quotes.of(session, symbol)
    looked, late = 0, list[tuple[int, int]]()
    for n in mine:
        ts = int(known.line.times[n])
        following = int(np.searchsorted(quotes.times, ts + known.line.before, side="right"))
        if following == len(quotes.times):
            continue
        looked += 1
        start = int(np.searchsorted(times, ts))
        stop = int(np.searchsorted(times, quotes.times[following], side="right"))
        if not is_trip[max(start - 1, 0) : start].any() and not is_trip[start:stop].any():
            late.append((n, following))
    return Looked(looked, (_quoted_on(session, known, quotes, late),) if late else ())


def trips(session: Session, symbol: str) -> Rows:
    """Return the rows in which a rule of forced fills trips or is reset for a symbol, in order of time."""
    table = session.table("risk_events", "ts_local", "rule", "event", "symbol")
    rules = np.array([*(name.lower() in FORCED for name in table.words("rule").names), False])
    about = table.words("symbol").missing | table.words("symbol").is_(symbol, "*")
    which = rules[table.words("rule").codes] & about & table.words("event").is_("trip", "reset")
    return timeline(session, table, which).rows


@dataclass(frozen=True, eq=False)
class Quotes:
    """The moments at which a symbol was quoted, in order of time: rows of `quotes` and of `order_events`."""

    tables: tuple[Table, Table]
    times: Rows
    which: Rows
    rows: Rows

    @staticmethod
    def of(session: Session, symbol: str) -> Quotes:
        """Read the quotes with a price, and the quoting orders that were sent."""
        table = session.table("quotes", "ts_local", "symbol", "bid", "ask", "state")
        priced = table.decimals("bid").missing & table.decimals("ask").missing
        priced = ~priced & table.words("symbol").is_(symbol) & ~table.words("state").is_("halted")
        replayed, quoted = flow(session), np.flatnonzero(priced)
        sent = np.zeros(0, dtype=np.int64)
        if session.has("order_events"):
            asks = exposure(session, symbol).asks.rows
            first = replayed.lives.first[replayed.lives.life[asks]]
            sent = asks[replayed.table.words("intent").is_(*_QUOTES)[first]]
        times = np.concatenate([table.whole("ts_local").values[quoted], replayed.ts[sent]])
        order = np.argsort(times, kind="stable")
        which = np.repeat([0, 1], [len(quoted), len(sent)])[order]
        return Quotes((table, replayed.table), times[order], which, np.concatenate([quoted, sent])[order])

    def where(self, place: int) -> str:
        """Name the row of a quote."""
        return self.tables[int(self.which[place])].where(int(self.rows[place]))

    def first_order(self, place: int) -> int:
        """Return the row of the first order sent from a place on, -1 where none is."""
        later = np.flatnonzero(self.which[place:] == 1)
        return int(self.rows[place + later[0]]) if later.size else -1


def _quoted_on(session: Session, known: Executions, quotes: Quotes, late: list[tuple[int, int]]) -> Breach:
    n, place = late[0]
    row, replayed, symbol = int(known.line.rows[n]), flow(session), known.instrument.symbol
    after = ms(int(quotes.times[place] - known.line.times[n]))
    orders = [sent for sent in dict.fromkeys(quotes.first_order(each) for _, each in late) if sent >= 0]
    qty = replayed.table.decimals("qty")
    amount, currency = work.largest(session, replayed, orders, qty.fraction) if orders else (None, "")
    table = session.table("risk_events", "ts_local", "rule", "event", "symbol")
    times = table.whole("ts_local").values
    later = [each for each in trips(session, symbol).tolist() if times[each] > quotes.times[place]]
    tripped = [each for each in later if table.words("event").text(each) == "trip"]
    name = _name(session, row)
    behind = ms(int(times[tripped[0]] - known.line.times[n])) if tripped else ""
    return Breach(
        key=symbol, where=(quotes.where(place), fills_table(session).where(row)), count=len(late),
        was=f"{symbol} was quoted {after} ms after {name}, and no rule liquidation or adl had tripped",
        should="a trip before the next quote",
        work=(
            f"{fills_table(session).where(row)}: {name} of {symbol}",
            f"{quotes.where(place)}: quoted, {after} ms later",
            *(work.row_line(replayed, each) for each in orders[:1]),
            f"{table.where(tripped[0])} trips {behind} ms after the fill, too late" if tripped else
            f"no trip of rule liquidation or adl for {symbol} follows",
        ),
        amount=amount, currency=currency,
        loss="the first order that was sent after it, at its price, where it is most: margin is gone and the bot adds "
        "to what the venue is closing"
        if amount is not None
        else "what was quoted has no order to be valued by",
    )  # fmt: skip
