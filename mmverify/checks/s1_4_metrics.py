"""Section 1.4, metrics: what each stated breaker watches, and where that comes to its threshold."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from mmverify.checks.known import timeline
from mmverify.checks.moments import session_end
from mmverify.checks.orderflow_positions import executions
from mmverify.checks.s1_4_equity import equity_table, moves
from mmverify.numeric import Mask
from mmverify.session.load import Session
from mmverify.session.settings import exact

_SECOND = 10**9
_DAY = 86_400 * _SECOND
_ENOUGH = 10  # events that a rate needs unless min_count is set
_NEAR = 1e-9  # of its terms: a float64 value this near to a threshold is computed again, exactly


@dataclass(frozen=True)
class Breaker:
    """A breaker as session.toml states it."""

    name: str
    metric: str
    threshold: Fraction
    min_count: Fraction
    action: str
    cooldown: int | None


@dataclass(frozen=True)
class Crossing:
    """A metric that comes to its breaker's threshold, of a symbol or of all (empty): when, and what it is."""

    ts: int
    symbol: str
    value: Fraction


@lru_cache(maxsize=8)
def breakers(session: Session) -> tuple[Breaker, ...]:
    """Read the breakers that have a name and a threshold."""
    out = []
    for n, stated in enumerate(session.settings.get("breaker", []), 1):
        if "name" in stated and "threshold" in stated:
            value = {key: exact(stated[key], f"breaker[{n}].{key}") for key in _NUMBERS if key in stated}
            cooldown = int(value["cooldown_s"] * _SECOND) if "cooldown_s" in value else None
            enough = value.get("min_count", Fraction(_ENOUGH))
            name, metric, action = (str(stated.get(key, "")) for key in ("name", "metric", "action"))
            out.append(Breaker(name, metric, value["threshold"], enough, action, cooldown))
    return tuple(out)


_NUMBERS = ("threshold", "min_count", "cooldown_s")


# --- metrics ----------------------------------------------------------------------------------------------------------


def crossings(session: Session, breaker: Breaker) -> Iterator[Crossing]:
    """Yield where a breaker's metric comes to its threshold, or above it, from below."""
    metrics: dict[str, Callable[[Session, Breaker], Iterator[Crossing]]] = {
        "drawdown": _drawdown, "daily_loss": _daily_loss, "position": _position, "stale": _stale,
        "reject_rate": _reject_rate, "message_rate": _message_rate,
    }  # fmt: skip
    if breaker.metric in metrics:
        yield from metrics[breaker.metric](session, breaker)


def _risen(above: Mask) -> list[int]:
    """Return where a condition begins to hold."""
    return np.flatnonzero(above & ~np.append(False, above[:-1])).tolist()


def _drawdown(session: Session, breaker: Breaker) -> Iterator[Crossing]:
    table = equity_table(session)
    equity, high = table.decimals("equity"), table.decimals("high_water")
    line = timeline(session, table, equity.known & high.known & np.asarray(np.greater(high.ints, 0)))
    scale = max(equity.scale, high.scale)
    marks = high.at_scale(scale)[line.rows].astype(object)
    below = marks - equity.at_scale(scale)[line.rows].astype(object)
    threshold = breaker.threshold
    above = np.asarray(below * threshold.denominator >= marks * threshold.numerator, dtype=bool)
    for n in _risen(above):
        yield Crossing(int(line.times[n]), "", Fraction(below[n], marks[n]))


def _daily_loss(session: Session, breaker: Breaker) -> Iterator[Crossing]:
    """Yield the losses since 00:00 UTC or the session's start, transfers aside where that makes them less."""
    table = equity_table(session)
    equity = table.decimals("equity")
    line = timeline(session, table, equity.known)
    if not len(line):
        return
    paid = moves(session)
    came_in = np.searchsorted(paid.line.times, line.times, side="right")
    day = line.times // _DAY
    first = np.flatnonzero(np.append(True, day[1:] != day[:-1]))
    start = np.maximum(np.repeat(first, np.diff(np.append(first, len(line)))) - 1, 0)

    def loss(n: int) -> Fraction:
        base = equity.fraction(int(line.rows[start[n]]))
        fell = base - equity.fraction(int(line.rows[n]))
        return min(fell, fell + paid.high[int(came_in[n])] - paid.high[int(came_in[start[n]])])

    values, sums = equity.floats()[line.rows], np.array([float(each) for each in paid.high])[came_in]
    fell = values[start] - values
    lost = np.minimum(fell, fell + sums - sums[start])
    threshold, size = float(breaker.threshold), np.abs(values).max() + np.abs(sums).max()
    above = lost >= threshold
    for n in np.flatnonzero(np.abs(lost - threshold) <= _NEAR * size).tolist():
        above[n] = loss(n) >= breaker.threshold
    for n in _risen(above):
        yield Crossing(int(line.times[n]), "", loss(n))


def _position(session: Session, breaker: Breaker) -> Iterator[Crossing]:
    for symbol in session.table("instruments", "symbol").words("symbol").names:
        limit = session.limit(symbol, "max_position")
        if limit:
            known = executions(session, symbol)
            needed = breaker.threshold * limit * 10**known.digits
            for n in _risen(np.asarray(np.abs(known.position[1:]) >= -(-needed.numerator // needed.denominator))):
                share = known.qty(abs(int(known.position[n + 1]))) / limit
                yield Crossing(int(known.line.times[n]), symbol, share)


def _stale(session: Session, breaker: Breaker) -> Iterator[Crossing]:
    """Yield each pause between updates of a book, at the moment when it comes to the threshold. [ms]"""
    book = session.table("book", "ts_exchange", "ts_local", "symbol")
    patience = int(breaker.threshold * 10**6)
    for symbol in book.words("symbol").names:
        heard = np.unique(timeline(session, book, book.words("symbol").is_(symbol)).times)
        pauses = np.diff(np.append(heard, session_end(session)))
        for ts in heard[pauses > patience].tolist():
            yield Crossing(ts + patience, symbol, breaker.threshold)


def _reject_rate(session: Session, breaker: Breaker) -> Iterator[Crossing]:
    """Yield rejects over submits in the last 60 s."""
    sent, refused, times = _counts(session, ("submit", "reject"), 60 * _SECOND)
    enough = sent >= max(1, float(breaker.min_count))
    above = enough & (refused * breaker.threshold.denominator >= breaker.threshold.numerator * sent)
    for n in _risen(np.asarray(above)):
        yield Crossing(int(times[n]), "", Fraction(int(refused[n]), int(sent[n])))


def _message_rate(session: Session, breaker: Breaker) -> Iterator[Crossing]:
    """Yield the order messages in the last second."""
    *each, times = _counts(session, ("submit", "cancel_request", "replace_request"), _SECOND)
    count = sum(each, np.zeros(len(times), dtype=np.int64))
    for n in _risen((count >= float(breaker.min_count)) & (count >= float(breaker.threshold))):
        yield Crossing(int(times[n]), "", Fraction(int(count[n])))


def _counts(session: Session, events: tuple[str, ...], window: int) -> list[NDArray[np.int64]]:
    """Return, at each row of some events, how many of each there were in the window that ends there; and the times."""
    table = session.table("order_events", "ts_local", "event")
    rows = np.flatnonzero(table.words("event").is_(*events))
    times = np.maximum.accumulate(table.whole("ts_local").values[rows]) if rows.size else rows
    since = np.searchsorted(times, times - window, side="right")
    out = []
    for event in events:
        sums = np.append(0, np.cumsum(table.words("event").is_(event)[rows]))
        out.append(sums[1:] - sums[since])
    return [*out, times]
