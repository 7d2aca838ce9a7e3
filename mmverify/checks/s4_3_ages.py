"""Section 4.3, ages: a quote that rests is looked at again before it is old (4.3.1)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmverify.checks import Breach, Looked
from mmverify.checks.claims import places
from mmverify.checks.known import Rows, Times
from mmverify.checks.moments import deadline, session_end
from mmverify.checks.orderflow import Flow, flow
from mmverify.checks.orderflow_lives import codes_in
from mmverify.checks.s2_2_work import order_name, row_line
from mmverify.checks.s3_1_sides import quoting
from mmverify.checks.s5_2_moves import Rested, value
from mmverify.checks.s5_2_outages import ms
from mmverify.numeric import Mask, decimal_text
from mmverify.replay.order_state import STATES
from mmverify.session.load import Session

_MOST = 60 * 10**9
_SHOWN = 2
_PENDING = [n for n, state in enumerate(STATES) if state.startswith("PENDING")]


@dataclass(frozen=True, eq=False)
class Rests:
    """Times in which a quote_* order rested at one price, and no cancel or replace of it was open.

    Parameters
    ----------
    flow : Flow
    rows : ndarray of int64, shape (k,)
        The row of `order_events` that each begins with.
    ended : ndarray of int64, shape (k,)
        The row that ends it, -1 where the session does.
    start, end : ndarray of int64, shape (k,)
        [ns]
    """

    flow: Flow
    rows: Rows
    ended: Rows
    start: Times
    end: Times


@dataclass(frozen=True)
class Old:
    """A rest that was too long: its place, and the two moments between which nothing touched it."""

    at: int
    since: int
    until: int


def quote_ages(session: Session) -> Looked:
    """No quote_* order rests for longer than `quote_max_age_ms` untouched, and that is 60 s at most."""
    limit, every = deadline(session, "quote_max_age_ms"), rests(session)
    quoting_lives = _quotes(every.flow)
    notes = []
    if unnamed := int(np.sum(every.flow.table.words("intent").missing[every.flow.lives.first])):
        notes.append(f"{unnamed} orders state no intent: whether they quote is not known")
    found = [_unset(session, every.flow, limit)] if quoting_lives.any() and (limit is None or limit > _MOST) else []
    if limit is not None:
        old, symbols = untouched(session, every, limit), every.flow.table.words("symbol")
        for symbol in symbols.names:
            mine = [each for each in old if symbols.text(int(every.rows[each.at])) == symbol]
            found += [_breach(session, every, symbol, mine, limit)] if mine else []
    return Looked(len(every.rows), tuple(found), tuple(notes))


def _quotes(replayed: Flow) -> Mask:
    return replayed.table.words("intent").is_("quote_bid", "quote_ask")[replayed.lives.first]


def rests(session: Session) -> Rests:
    """Return when quote_* orders rested.

    Parameters
    ----------
    session : Session

    Returns
    -------
    Rests
        In order of their first rows.
    """
    replayed = flow(session)
    if not len(replayed):
        none = np.zeros(0, dtype=np.int64)
        return Rests(replayed, none, none, none, none)
    lives = replayed.lives
    requests = replayed.is_("cancel_request", "replace_request")
    answers = replayed.is_("cancel_reject", "replace_ack", "replace_reject", "reconcile")
    said = lives.latest(requests | answers)
    is_asked = (said >= 0) & (requests[said] | np.isin(replayed.told[said], _PENDING))
    ends = replayed.is_done | is_asked
    tells = lives.latest(ends | ~replayed.is_("submit", "timeout"))
    rests_on = (tells >= 0) & ~ends[tells]
    is_new = replayed.is_("replace_ack")
    begins = rests_on & (~lives.before(rests_on, False) | is_new) & _quotes(replayed)[lives.life]
    rows = np.flatnonzero(begins)
    ended = lives.upcoming(ends | is_new)[rows]
    heard, venue = replayed.ts[ended], session.table("order_events", "ts_exchange").whole("ts_exchange")
    happened = replayed.is_done[ended] & ~venue.missing[ended]
    end = np.where(happened, np.minimum(heard, venue.values[ended]), heard)
    start = replayed.ts[rows]
    end = np.where(ended < 0, session_end(session), np.maximum(start, end))
    kept = (ended >= 0) | (end > start)
    return Rests(replayed, rows[kept], ended[kept], start[kept], end[kept])


def untouched(session: Session, every: Rests, limit: int) -> list[Old]:
    """Return the rests in which, for longer than a limit, no newer quotes row came at the order's price.

    Parameters
    ----------
    session : Session
    every : Rests
    limit : int
        [ns]

    Returns
    -------
    list of Old
        In the order of the rests.
    """
    long = np.flatnonzero(every.end - every.start > limit)
    if not long.size:
        return []
    times, low, high = _touches(session, every, long)
    sizes = high - low + 2  # with its start and its end
    stops = np.cumsum(sizes)
    begins = stops - sizes
    moments = np.repeat(low - 1 - begins, sizes) + np.arange(int(stops[-1]))
    moments[begins] = moments[stops - 1] = 0
    moments = np.append(times, 0)[moments]
    moments[begins], moments[stops - 1] = every.start[long], every.end[long]
    gaps = np.append(np.diff(moments), 0)
    gaps[stops - 1] = 0
    found = []
    for n in np.flatnonzero(np.maximum.reduceat(gaps, begins) > limit).tolist():
        at = int(begins[n]) + int(gaps[begins[n] : stops[n]].argmax())
        found.append(Old(int(long[n]), int(moments[at]), int(moments[at + 1])))
    return found


def _touches(session: Session, every: Rests, chosen: Rows) -> tuple[Times, Rows, Rows]:
    """Return times at which prices were quoted, and of each of some rests the first that is within it at its price and
    the one after the last."""
    quotes, replayed = session.table("quotes", "ts_local", "symbol", "bid", "ask", "state"), every.flow
    rows, own = np.flatnonzero(quoting(quotes)), replayed.table.decimals("price")
    sides = [(1, quotes.decimals("bid")), (-1, quotes.decimals("ask"))]
    scale = max(own.scale, *(column.scale for _, column in sides))
    symbol = codes_in(quotes.words("symbol"), replayed.table.words("symbol"))
    parts = list[
        tuple[NDArray[Any], ...]
    ]()  # symbol, side, price, time, and 0; -1 for the end of a rest, 1 for its start
    for side, column in sides:
        mine = rows[column.known[rows]]
        prices, times = column.at_scale(scale)[mine], quotes.whole("ts_local").values[mine]
        parts.append((symbol[mine], np.full(len(mine), side), prices, times, np.zeros(len(mine), dtype=np.int64)))
    at, direction = every.rows[chosen], replayed.direction[replayed.lives.life[every.rows[chosen]]]
    priced = replayed.price_at[at]
    for times, kind in ((every.start, 1), (every.end, -1)):
        code = replayed.table.words("symbol").codes[at]
        parts.append((code, direction, own.at_scale(scale)[priced], times[chosen], np.full(len(at), kind)))
    symbols, directions, prices, times, kinds = (np.concatenate(each) for each in zip(*parts, strict=True))
    order = np.lexsort((kinds, times, np.unique(prices, return_inverse=True)[1], directions, symbols))
    before = np.empty(len(order), dtype=np.int64)
    before[order] = np.cumsum(kinds[order] == 0)
    low, high = before[len(order) - 2 * len(at) :].reshape(2, -1)
    return times[order][kinds[order] == 0], low, np.where(priced >= 0, high, low)


# --- words ------------------------------------------------------------------------------------------------------------


def _unset(session: Session, replayed: Flow, limit: int | None) -> Breach:
    quotes = int(_quotes(replayed).sum())
    said = "unset" if limit is None else decimal_text(Fraction(limit, 10**6))
    work = (
        "no age is stated at which one is old"
        if limit is None
        else f"one may rest for {said} ms untouched: {said} - 60000 = {ms(limit - _MOST)} too long"
    )
    return Breach(
        key="threshold", where=("session.toml timing.quote_max_age_ms",), count=1,
        was=f"quote_max_age_ms was {said}", should="60000 at most",
        work=(f"{quotes} orders of the session quote, and {work}",),
        amount=None, currency="",
        loss="a quote that nothing refreshes rests at the price of another market; what that costs cannot be known",
    )  # fmt: skip


def _breach(session: Session, every: Rests, symbol: str, old: Sequence[Old], limit: int) -> Breach:
    replayed, first = every.flow, max(old, key=lambda each: each.until - each.since)
    ordered = [first, *(each for each in old if each is not first)]
    rested = [Rested(int(every.rows[each.at]), each.since + limit, each.until) for each in ordered]
    valued = value(session, symbol, rested, what="the quotes that were too old")
    age = first.until - first.since
    lines = []
    for each in ordered[:_SHOWN]:
        row, ended = int(every.rows[each.at]), int(every.ended[each.at])
        lines.append(row_line(replayed, row))
        quoted = int(every.start[each.at]) < each.since
        begun = (
            f"last quoted at its price {ms(each.since - int(every.start[each.at]))} ms later"
            if quoted
            else "from then on"
        )
        until = "the session's end" if ended < 0 else row_line(replayed, ended)
        again = int(every.end[each.at]) > each.until
        until = "a quote at its price" if again else until
        lines.append(f"{begun}, untouched for {ms(each.until - each.since)} ms until {until}")
    lines.append(f"{ms(age)} - {ms(limit)} = {ms(age - limit)} ms too long")
    return Breach(
        key=symbol, where=places(replayed.table, [int(every.rows[each.at]) for each in ordered]), count=len(old),
        was=f"{order_name(replayed, int(every.rows[first.at]))} of {symbol} rested untouched for {ms(age)} ms",
        should=f"{ms(limit)} ms at most (quote_max_age_ms), then a replace, a cancel or a newer quote at its price",
        work=(*lines, *valued.work), amount=valued.amount, currency=valued.currency, loss=valued.loss,
    )  # fmt: skip
