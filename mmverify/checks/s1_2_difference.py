"""1.2.5: a difference between the bot's position and the exchange's that lasts."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from mmverify.checks import Breach, Looked, gather
from mmverify.checks.claims import places
from mmverify.checks.handwork import notional, text
from mmverify.checks.known import Rows
from mmverify.checks.moments import deadline, session_end
from mmverify.checks.s1_2_mistakes import of_claims
from mmverify.checks.s1_2_signs import stated
from mmverify.checks.s1_2_work import Told, apart_offs, told_of
from mmverify.numeric import Mask, decimal_text
from mmverify.session.load import Session, need_instruments


def exchange_difference(session: Session) -> Looked:
    """The bot reaches each position of the exchange's within `resync_timeout_ms` of it."""
    allowed = deadline(session, "resync_timeout_ms")
    if allowed is None:
        return Looked(
            0, (), ("session.toml states no resync_timeout_ms: how long a difference may last is not judged",)
        )
    symbols = session.table("positions", "symbol").words("symbol")
    need_instruments(session, "positions", symbols)
    return gather(_lasting(told_of(session, symbol), allowed) for symbol in symbols.names)


def _lasting(told: Told, allowed: int) -> Looked:
    rows, held = stated(told), told.held
    ts = told.table.whole("ts_local").values[rows]
    is_due = ts + allowed <= session_end(told.session)
    rows, ts = rows[is_due], ts[is_due]
    if not len(rows) or not len(held.line):
        return Looked(0)
    stated_qty = told.table.decimals("qty").at_scale(held.digits)[rows]
    low = np.maximum(np.searchsorted(held.line.times, ts - allowed, side="left") - 1, 0)
    high = np.searchsorted(held.line.times, ts + allowed, side="right")
    now = np.searchsorted(held.line.times, ts, side="right")
    reached = np.zeros(len(rows), dtype=bool)
    for place in (now - 1, now, low, high - 1):
        inside = np.clip(place, low, high - 1)
        reached |= (low < high) & np.asarray(np.abs(held.claimed[inside] - stated_qty) <= held.slack)
    reached |= (ts <= held.line.times[0]) & np.asarray(np.abs(stated_qty - held.position[0]) <= held.slack)
    doubtful = np.flatnonzero(~reached).tolist()
    through = _Through(told, low[doubtful], high[doubtful]) if doubtful else None
    lasting = [
        n
        for n in doubtful
        if not np.any(np.abs(held.claimed[low[n] : high[n]] - stated_qty[n]) <= held.slack)
        and not (through and through.passes(int(stated_qty[n]), int(low[n]), int(high[n])))
    ]
    if not lasting:
        return Looked(len(rows))
    return Looked(len(rows), (_breach(told, allowed, rows[lasting], now[lasting] - 1),))


class _Through:
    """The positions that the bot came through between two claims that both agree with the fills."""

    def __init__(self, told: Told, low: Rows, high: Rows) -> None:
        held, size = told.held, len(told.held.position)
        self.position, self.slack = held.position, held.slack
        near = np.zeros(len(held.line) + 1, dtype=np.int64)
        np.add.at(near, np.maximum(low - 1, 0), 1)
        np.add.at(near, high, -1)
        places = np.flatnonzero(np.cumsum(near)[:-1] > 0)
        self.first, self.last = (
            _agreeing(told, places, *ends) for ends in ((held.low, held.high), (held.high, held.low))
        )
        begun = np.append(0, self.first[:-1])
        both = np.flatnonzero((begun >= 0) & (self.last >= begun))
        change = np.zeros(size + 1, dtype=np.int64)
        np.add.at(change, begun[both], 1)
        np.add.at(change, self.last[both] + 1, -1)
        self.between: Mask = np.cumsum(change)[:size] > 0

    def passes(self, qty: int, low: int, high: int) -> bool:
        """Whether one of these positions, between claims number low - 1 and high - 1, is a quantity."""
        begun = self.first[max(low - (self.last[low] >= 0), 0) : high]
        start = 0 if low == 0 else int(begun[begun >= 0].min(initial=len(self.position)))
        end = int(self.last[low:high].max(initial=-1)) + 1
        near = np.asarray(np.abs(self.position[start:end] - qty) <= self.slack)
        return bool(np.any(near & self.between[start:end]))


def _agreeing(told: Told, places: Rows, ends: Rows, others: Rows) -> Rows:
    """Return the count of reports nearest to `ends`, of those up to `others`, that gives each claim; -1 for none.

    Of claims that are none of `places` -1 too.
    """
    held, out = told.held, np.full(len(ends), -1, dtype=np.int64)
    is_given = np.asarray(np.abs(held.claimed[places] - held.position[ends[places]]) <= held.slack)
    out[places[is_given]] = ends[places[is_given]]
    for place in places[~is_given & (ends != others)[places]].tolist():
        step = 1 if others[place] > ends[place] else -1
        counts = range(int(ends[place]), int(others[place]) + step, step)
        out[place] = next((count for count in counts if abs(told.off(place, count)) <= held.slack), -1)
    return out


def _breach(told: Told, allowed: int, rows: Rows, before: Rows) -> Breach:
    table, column, held = told.table, told.table.decimals("qty"), told.held
    first, place = int(rows[0]), max(int(before[0]), 0)
    said, claimed = column.fraction(first), told.claimed(place)
    apart = np.abs(column.at_scale(held.digits)[rows] - held.claimed[np.maximum(before, 0)])
    worst = int(np.argmax(apart))
    count = int(held.high[max(int(before[worst]), 0)])
    price = told.last_price(count) if told.known.of_fills else Fraction(0)
    amount = notional(told.instrument, price, told.qty(apart[worst])) if price else None
    at, ms = int(table.whole("ts_local").values[first]), decimal_text(Fraction(allowed, 10**6))
    after = int(np.searchsorted(held.line.times, at, side="right"))
    lines = [
        f"{table.where(first)}, exchange: {decimal_text(said)}",
        f"{told.where(place)}, bot, {_apart(at, int(held.line.times[place]))}: {decimal_text(claimed)}",
    ]
    if after < len(held.line):
        later = _apart(at, int(held.line.times[after]))
        lines.append(f"{told.where(after)}, bot, {later}: {decimal_text(told.claimed(after))}")
    return Breach(
        key=f"{told.symbol} difference", where=(*places(table, rows[:3].tolist()), told.where(place)), count=len(rows),
        was=f"the exchange stated {decimal_text(said)} of {told.symbol} and the bot did not reach it: it had "
        f"{decimal_text(claimed)}",
        should=f"{decimal_text(said)} within {ms} ms (resync_timeout_ms) before or after",
        work=(
            *lines, f"{text(said)} - {text(claimed)} = {decimal_text(said - claimed)}, and no claim within {ms} ms is "
            f"{decimal_text(said)}",
            *_of_fills(told, at, said),
        ),
        amount=amount, currency=told.instrument.settle,
        loss="what the bot's position and the exchange's are apart, at the price of the newest fill, where it is most"
        if amount
        else "what the difference is worth cannot be known: no fill has a price",
        cause=_cause(told, rows), offs=apart_offs(told, first, place),
    )  # fmt: skip


def _apart(at: int, other: int) -> str:
    seconds = decimal_text(abs(Fraction(other - at, 10**9)))
    return f"{seconds} s {'later' if other > at else 'before'}"


def _counts(told: Told, at: int) -> range:
    low, high = (int(each[0]) for each in told.known.line.span(np.array([at])))
    return range(low, high + 1)


def _of_fills(told: Told, at: int, said: Fraction) -> tuple[str, ...]:
    """Say what the fills give at a time."""
    if not told.known.of_fills:
        return ()
    given = [told.qty(told.held.position[count]) for count in _counts(told, at)]
    if said in given:
        return ("the distinct fills up to it give what the exchange states",)
    return (f"the distinct fills up to it give {' or '.join(dict.fromkeys(map(decimal_text, given)))}",)


def _cause(told: Told, rows: Rows) -> str:
    """Name what put the bot's claims off, or say that the fills do not give the exchange's."""
    if not told.known.of_fills:
        return ""
    at, said = int(told.table.whole("ts_local").values[rows[0]]), told.table.decimals("qty").fraction(int(rows[0]))
    place = max(int(np.searchsorted(told.held.line.times, at, side="right")) - 1, 0)
    if np.isin((place, place + 1), told.wrong).any():
        return of_claims(told, told.wrong.tolist())
    if said not in [told.qty(told.held.position[count]) for count in _counts(told, at)]:
        return "the bot's position is what the fills give: the exchange counts what is not among them"
    return ""
