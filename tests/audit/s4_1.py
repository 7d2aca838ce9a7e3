"""4.1 Timestamp handling, over every time in every table."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from statistics import median_low
from typing import NamedTuple

from audit.recorded import MILLISECOND, SECOND, Recorded, Row, Seen, ns, number, place, remember, seen
from audit.tape import Claim, window_claims

MINUTE, HOUR = 60 * SECOND, 3600 * SECOND
AWAY = ("ts_from", "ts_expires", "window_start", "window_end")  # may lie far from when the row was made
LOCAL = ("ts_local", "ts_receive", "ts_book", "ts_signal", "ts_send", "ts_response", "ts_input_max")
VENUE = ("ts_exchange", "book_ts_exchange")
EARLIEST, LATEST = 10**18, 4 * 10**18  # 2001 and 2096: below is ms, us or s, above is no time of a session
FEW = 3  # distinct times at least, to say that they are round by more than chance
MANY = 30  # rows of two equal times, where both are whole milliseconds


class Cell(NamedTuple):
    """A time that is given, where, and as it is written."""

    where: str
    text: str
    ts: int


@remember
def times(session: Recorded) -> dict[tuple[str, str], list[Cell]]:
    """Return the times of each table and column."""
    out: dict[tuple[str, str], list[Cell]] = {}
    for table, rows in session.tables.items():
        for column in rows[0] if rows else ():
            if column.startswith(("ts_", "window_")) or column == "book_ts_exchange":
                cells = [Cell(place(table, row), row[column], ns(row[column])) for row in rows if row[column]]
                out.update({(table, column): cells} if cells else {})
    return out


def count(session: Recorded) -> int:
    """Return how many times there are in all."""
    return sum(len(cells) for cells in times(session).values())


def i4_1_1(session: Recorded) -> Seen:
    """A time has no offset, offsets are mixed, or a table is shifted by whole hours against the others."""
    violations = []
    first = ""
    for (_, column), cells in times(session).items():
        for cell in cells:
            if cell.text.lstrip("-").isdigit():
                continue
            found = re.search(r"[T ][\d:.]+(Z|[+-]\d\d(:?\d\d)?)$", cell.text)
            offset = re.sub(r"^[+-]00(:?00)?$", "Z", found[1]) if found else ""
            first = first or offset
            if not offset:
                violations.append(f"{cell.where} {column} was {cell.text}, should have an offset")
            elif offset != first:
                violations.append(f"{cell.where} {column} was at {offset}, should be at {first} as the others")
    return seen(count(session), [*violations, *_shifted_spans(session), *_shifted_clocks(session)])


def _shifted_spans(session: Recorded) -> Iterator[str]:
    """Find the columns that begin and end the same whole hours away from the others, within a minute or a little."""
    spans = {
        key: (min(cell.ts for cell in cells), max(cell.ts for cell in cells))
        for key, cells in times(session).items()
        if key[1] not in AWAY
    }
    if not spans:
        return
    first, last = median_low(start for start, _ in spans.values()), median_low(end for _, end in spans.values())
    little = min(max(MINUTE, (last - first) // 50), HOUR // 6)
    for (table, column), (start, end) in spans.items():
        shift = round((start - first) / HOUR) * HOUR
        if shift and abs(start - shift - first) <= little and abs(end - shift - last) <= little and start < end:
            yield f"{table}:1 {column} was from {start} to {end}, should be from {first} to {last} as the others"


def _shifted_clocks(session: Recorded) -> Iterator[str]:
    """Find the tables of which most rows have the two clocks whole hours apart, to a minute."""
    for table, pairs in two_clocks(session).items():
        apart: Counter[int] = Counter()
        for _, local, exchange in pairs:
            hours = round((local - exchange) / HOUR)
            apart[hours] += abs(local - exchange - hours * HOUR) < MINUTE
        hours, rows = max(
            ((hours, rows) for hours, rows in apart.items() if hours), default=(0, 0), key=lambda pair: pair[1]
        )
        if rows * 2 > len(pairs):
            yield f"{place(table, pairs[0][0])} clocks were {hours} h apart, and in {rows} rows, should be 0"


@remember
def two_clocks(session: Recorded) -> dict[str, list[tuple[Row, int, int]]]:
    """Return (row, the bot's time, the venue's time) by table, where both are given."""
    out: dict[str, list[tuple[Row, int, int]]] = {}
    for table, rows in session.tables.items():
        for column in VENUE:
            pairs = [(row, ns(row["ts_local"]), ns(row[column])) for row in rows if row["ts_local"] and row[column]]
            if pairs:
                out[table] = pairs
    return out


def i4_1_2(session: Recorded) -> Seen:
    """ts_local is before ts_exchange beyond the skew, a venue's time is the local one, a window by the wrong clock."""
    stated = session.timing("max_clock_skew_ms")
    skew = SECOND if stated is None else stated
    exercised, violations = 0, []
    for table, pairs in two_clocks(session).items():
        exercised += len(pairs)
        for row, local, exchange in pairs:
            if exchange - local > skew:
                early, most = (exchange - local) / MILLISECOND, skew // MILLISECOND
                violations.append(
                    f"{place(table, row)} ts_local was {early} ms before ts_exchange, should be {most} at most"
                )
        is_round = all(ts % MILLISECOND == 0 for _, *both in pairs for ts in both)
        if len(pairs) >= (MANY if is_round else FEW) and all(local == exchange for _, local, exchange in pairs):
            violations.append(f"{table}:1 ts_exchange was ts_local in all {len(pairs)} rows, should be the venue's")
    for claim in window_claims(session):
        exercised += 1
        if not claim.is_right() and claim.is_by_arrival():
            was = f"{place('signals', claim.row)} {claim.name} was {claim.row['value']}"
            violations.append(f"{was}, its window cut by ts_local, should be by ts_exchange")
    return seen(exercised, violations)


def i4_1_3(session: Recorded) -> Seen:
    """A trade on a window's end is counted in both windows or in neither."""
    exercised, violations = 0, []
    for claim in window_claims(session):
        edges = {trade.ts_exchange for trade in claim.arrived[-1]} & {claim.start, claim.end}
        exercised += bool(edges)
        if not edges or claim.is_right():
            continue
        where = f"{place('signals', claim.row)} {claim.name}"
        if _holds(claim, on_start=True, on_end=True):
            violations.append(f"{where} held the trades on its end, should leave them to the next window")
        elif _holds(claim, on_start=False, on_end=False):
            violations.append(f"{where} was without the trades on its start, should hold them")
        elif _holds(claim, on_start=False, on_end=True):
            violations.append(f"{where} held the trades on its end for those on its start")
    return seen(exercised, violations)


def _holds(claim: Claim, *, on_start: bool, on_end: bool) -> bool:
    """Whether a claim is that of its window with these edges."""
    edges = ({claim.start} if on_start else set()) | ({claim.end} if on_end else set())
    return claim.is_of_each(lambda trade: claim.start < trade.ts_exchange < claim.end or trade.ts_exchange in edges)


DURATIONS = (
    ("signals", "window_start", "window_end"),
    ("quotes", "ts_local", "ts_expires"),
    ("order_events", "ts_local", "ts_expires"),
    ("requests", "ts_local", "ts_response"),
    ("latency", "ts_receive", "ts_send"),
)
MEASURED = (("requests", "retry_after_ms"), ("latency", "blocked_us"), ("latency", "log_us"))
ABOUT = ("symbol", "asset", "channel", "name", "endpoint")
WRAPS = [2**bits * unit for bits in (31, 32) for unit in (SECOND, MILLISECOND, 1000)]


def i4_1_4(session: Recorded) -> Seen:
    """A negative duration, a 32-bit wrap, a time past 2262, a unit taken for another."""
    violations = []
    for (table, column), cells in times(session).items():
        for cell in cells:
            is_ever = column == "ts_from" or (column == "ts_expires" and cell.ts > LATEST)
            if not EARLIEST <= cell.ts <= LATEST and not is_ever:
                violations.append(f"{cell.where} {column} was {cell.ts}, should be ns since 1970")
        about = [[row[name] for name in ABOUT] for row in session[table] if row[column]]
        for (before, cell), (one, other) in zip(
            pairwise(cells if column == "ts_local" else ()), pairwise(about), strict=False
        ):
            if one == other and any(wrap - MINUTE < before.ts - cell.ts <= wrap for wrap in WRAPS):
                violations.append(
                    f"{cell.where} ts_local was {before.ts - cell.ts} ns back, should not wrap at 32 bits"
                )
    for table, earlier, later in DURATIONS:
        for row in session[table]:
            is_sent = row["event"] in ("", "submit", "replace_request")
            if not row[earlier] or not row[later] or not is_sent:
                continue
            duration = ns(row[later]) - ns(row[earlier])
            if duration < 0:
                violations.append(
                    f"{place(table, row)} {later} was {-duration} ns before {earlier}, should be after it"
                )
            elif later == "ts_expires" and duration < MILLISECOND // 10:
                violations.append(f"{place(table, row)} {later} was {duration} ns on, should not take ms as ns")
    for table, column in MEASURED:
        for row in session[table]:
            value = number(row[column])
            if value is not None and not 0 <= value < 2**31:
                violations.append(f"{place(table, row)} {column} was {row[column]}, should be from 0 to 2^31")
    return seen(count(session), violations)


def i4_1_5(session: Recorded) -> Seen:
    """ns times that went through a float64, or that were cut to us or ms where another table of the clock is finer."""
    copies = {name for name, pairs in two_clocks(session).items() if all(one == other for _, one, other in pairs)}
    values = {key: {cell.ts for cell in cells} for key, cells in times(session).items() if key[1] not in AWAY[2:]}
    violations = []
    for (table, column), found in values.items():
        if len(found) < FEW:
            continue
        if all(ts % 256 == 0 for ts in found) and sum(ts % 1000 > 0 for ts in found) >= FEW:
            violations.append(f"{table}:1 {column} were all multiples of 256 ns, should not pass through a float64")
        if table in copies and column in VENUE:
            continue
        clock = next((columns for columns in (LOCAL, VENUE) if column in columns), ())
        if clock == VENUE and not any(ts % SECOND for ts in found):
            continue  # by schedule, as funding is
        unit = next((unit for unit in (MILLISECOND, 1000) if not any(ts % unit for ts in found)), None)
        for (other, its_column), others in values.items():
            is_copy = other in copies and its_column in VENUE
            if unit and its_column in clock and other != table and not is_copy and any(ts % unit for ts in others):
                violations.append(f"{table}:1 {column} were all multiples of {unit} ns, should be as fine as {other}")
                break
    return seen(count(session), violations)
