"""Durations that hold: no unit taken for another, no counter that wraps, no end before its start (4.1.4)."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from mmverify.checks import Breach, Looked
from mmverify.checks.known import Rows, Times
from mmverify.checks.s4_1_times import (
    EARLIEST,
    HOUR,
    LATEST,
    MINUTE,
    MS,
    SECOND,
    US,
    Moments,
    count,
    milliseconds,
    moments,
    shown,
)
from mmverify.numeric import Mask, decimal_text
from mmverify.session.columns import Words
from mmverify.session.load import Session, Table

_SHOWN = 3
_UNITS = (("milliseconds", MS), ("microseconds", US), ("seconds", SECOND))
_WRAPS = [
    (f"2^{bits} {name}", 2**bits * unit) for name, unit in (("us", US), ("ms", MS), ("s", SECOND)) for bits in (31, 32)
]
#: Who a row is about: a time that goes back where that changes is another's.
_ABOUT = ("symbol", "asset", "channel", "name", "endpoint")
_DURATIONS = (
    ("signals", "window_start", "window_end"),
    ("quotes", "ts_local", "ts_expires"),
    ("order_events", "ts_local", "ts_expires"),
    ("requests", "ts_local", "ts_response"),
    ("latency", "ts_receive", "ts_send"),
)
_MEASURED = (("requests", "retry_after_ms"), ("latency", "blocked_us"), ("latency", "log_us"))
_SENT = ("submit", "replace_request")  # the events that an expiry counts from
_LEAST_LIFE = MS // 10
_LOSS = "what the bot timed by it waits for ever, or not at all; what that costs is not recorded"


# --- units and wraps --------------------------------------------------------------------------------------------------


def units_and_wraps(session: Session) -> Looked:
    """Every time is one in nanoseconds that can be of a session, and none falls back as a 32-bit counter does."""
    breaches = list[Breach]()
    for each in moments(session):
        breaches += _out_of_range(each)
        if each.column == "ts_local":
            breaches += _wrapped(each)
    return Looked(count(session), tuple(breaches))


def _out_of_range(each: Moments) -> Iterator[Breach]:
    low, high = each.span
    if each.column == "ts_from" or (low >= EARLIEST and high <= LATEST):
        return
    outside = each.values < EARLIEST
    if each.column != "ts_expires":  # good till cancelled may be far away
        outside |= each.values > LATEST
    places = np.flatnonzero(outside)
    if not places.size:
        return
    ts = int(each.values[places[0]])
    unit, scale = next(((name, scale) for name, scale in _UNITS if EARLIEST <= ts * scale <= LATEST), ("", 1))
    lines, cause = [f"{each.where(int(places[0]))} {each.column}: {ts} ns since 1970 is {shown(ts)}"], ""
    if unit:
        lines.append(f"as {unit} it is {shown(ts * scale)}")
        cause = f"{unit} were written where nanoseconds belong"
    elif ts == 0:
        lines.append("0 stands for no time: the cell should be empty")
    elif ts < 0:
        lines.append(f"a time past 2262-04-11 does not fit: 2^64 - {-ts} = {2**64 + ts} ns wraps to it in int64")
    yield Breach(
        key=each.name, where=tuple(each.where(int(n)) for n in places[:_SHOWN]), count=len(places),
        was=f"{each.column} of {each.table.name} was {ts}", should="nanoseconds since 1970, from 2001 to 2096",
        work=tuple(lines), amount=None, currency="", loss=_LOSS, cause=cause,
    )  # fmt: skip


def _wrapped(each: Moments) -> Iterator[Breach]:
    values = each.values
    back = np.flatnonzero(values[1:] < values[:-1])
    if not back.size:
        return
    fallen = values[back] - values[back + 1]
    same = _same(each, back)
    for name, wrap in _WRAPS:
        places = back[same & (fallen <= wrap) & (fallen > wrap - MINUTE)]
        if places.size:
            before, after = int(places[0]), int(places[0]) + 1
            fell = int(values[before] - values[after])
            yield Breach(
                key=each.name, where=tuple(each.where(int(n) + 1) for n in places[:_SHOWN]), count=len(places),
                was=f"ts_local of {each.table.name} falls by {fell} ns", should="a time after the one before",
                work=(f"{each.where(before)}: {int(values[before])}, {each.where(after)}: {int(values[after])}",
                      f"{name} = {wrap} ns; {wrap} - {fell} = {wrap - fell} ns have passed"),
                amount=None, currency="", loss=_LOSS, cause=f"a 32-bit counter wrapped at {name}",
            )  # fmt: skip


def _same(each: Moments, back: Rows) -> Mask:
    """Say where a row is about the same as the row after it."""
    rows = each.rows
    here, there = rows[back], rows[back + 1]
    same = np.ones(len(back), dtype=bool)
    for name in _ABOUT:
        column = each.table.columns.get(name)
        if isinstance(column, Words):
            same &= column.codes[here] == column.codes[there]
    return same


# --- durations --------------------------------------------------------------------------------------------------------


def durations(session: Session) -> Looked:
    """What ends does not end before it starts, an order lives for longer than it takes to send, no wait is negative."""
    exercised, breaches = 0, list[Breach]()
    for name, start, end in _DURATIONS:
        if session.has(name):
            table, rows, lasts = _lasting(session, name, start, end)
            exercised += len(rows)
            breaches += _negative(table, rows, lasts, start, end)
            if end == "ts_expires":
                breaches += _momentary(table, rows, lasts, start)
    for name, column in _MEASURED:
        if session.has(name):
            table = session.table(name, column)
            exercised += int(table.decimals(column).known.sum())
            breaches += _measured(table, column)
    return Looked(exercised, tuple(breaches))


def _lasting(session: Session, name: str, start: str, end: str) -> tuple[Table, Rows, Times]:
    """Return the rows of a table with both times, and what lies between them."""
    columns = ("event",) if name == "order_events" else ()
    table = session.table(name, start, end, *columns)
    first, last = table.whole(start), table.whole(end)
    both = ~(first.missing | last.missing)
    for column in (first, last):
        both &= column.values >= EARLIEST  # another unit or none is found as such
    if columns:
        both &= table.words("event").is_(*_SENT)
    rows = np.flatnonzero(both)
    return table, rows, last.values[rows] - first.values[rows]


def _negative(table: Table, rows: Rows, lasts: Times, start: str, end: str) -> Iterator[Breach]:
    places = np.flatnonzero(lasts < 0)
    if places.size:
        lines = [_subtracted(table, int(rows[n]), start, end) for n in places[:2]]
        yield Breach(
            key=f"{table.name} {end}", where=_where(table, rows[places]), count=len(places),
            was=f"{end} of {table.name} is {milliseconds(-int(lasts[places[0]]))} before {start}", should="after it",
            work=tuple(lines), amount=None, currency="",
            loss="a negative duration passes every limit that is checked from above; what that costs is not recorded",
        )  # fmt: skip


def _momentary(table: Table, rows: Rows, lasts: Times, start: str) -> Iterator[Breach]:
    places = np.flatnonzero((lasts >= 0) & (lasts < _LEAST_LIFE))
    if places.size:
        life = int(lasts[places[0]])
        yield Breach(
            key=f"{table.name} ts_expires short", where=_where(table, rows[places]), count=len(places),
            was=f"ts_expires of {table.name} is {life} ns after {start}", should="longer than it takes to send",
            work=(*(_subtracted(table, int(rows[n]), start, "ts_expires") for n in places[:2]),
                  f"{life} taken as milliseconds is {_long(life * MS)}"),
            amount=None, currency="",
            loss="the order is dead before it can trade: the bot does not quote; what that costs is not recorded",
            cause="milliseconds were added to a time in nanoseconds" if life else "",
        )  # fmt: skip


def _measured(table: Table, column: str) -> Iterator[Breach]:
    values = table.decimals(column)
    limit = 2**31 * 10**values.scale
    outside: NDArray[np.bool_] = np.asarray((values.ints < 0) | (values.ints >= limit), dtype=bool) & values.known
    rows = np.flatnonzero(outside)
    if rows.size:
        value = decimal_text(values.fraction(int(rows[0])))
        yield Breach(
            key=f"{table.name} {column}", where=_where(table, rows), count=len(rows),
            was=f"{column} of {table.name} was {value}", should="0 or more, and below 2^31 = 2147483648",
            work=(f"{table.where(int(rows[0]))}: {column} {value}",), amount=None, currency="", loss=_LOSS,
        )  # fmt: skip


def _where(table: Table, rows: Rows) -> tuple[str, ...]:
    return tuple(table.where(int(row)) for row in rows[:_SHOWN])


def _subtracted(table: Table, row: int, start: str, end: str) -> str:
    first, last = int(table.whole(start).values[row]), int(table.whole(end).values[row])
    return f"{table.where(row)}: {end} - {start} = {last} - {first} = {last - first} ns"


def _long(ns: int) -> str:
    return f"{decimal_text(Fraction(ns, HOUR), 2)} h" if ns >= HOUR else f"{decimal_text(Fraction(ns, SECOND), 3)} s"
