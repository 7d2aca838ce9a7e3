"""Mistakes of time: offsets, two clocks, ends of windows, units, precision. The bot's record itself is wrong here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from mmverify.defects import Planted, benign, defect
from mmverify.defects.recording import Recording, first
from mmverify.defects.windows import Trade, Window, by_arrival, misjudge
from mmverify.errors import NotExercised

_HOUR, _MS = 3600 * 10**9, 10**6


@defect("4.1.1", "gross")
def venue_times_an_hour_behind(recording: Recording) -> Planted:
    """The venue's times of marks are read as local time of a zone one hour ahead of UTC."""
    return _each(recording, "marks", ("ts_exchange",), lambda ts: ts - _HOUR)


@defect("4.1.1", "deep")
def time_without_offset(recording: Recording) -> Planted:
    """One time is written as text without an offset."""
    for table, rows in ((name, recording[name]) for name in ("config_events", "connection", "balances", "positions")):
        if rows:
            row = recording.edit(table)[-1]
            row["ts_local"] = _iso(int(row["ts_local"]))
            return Planted((f"{table}:{len(rows)}",))
    raise NotExercised("the session has no table that this mistake is made on")


@defect("4.1.2", "gross")
def venue_time_copied_from_the_local_clock(recording: Recording) -> Planted:
    """Every mark is stamped with the bot's own clock where the venue's time belongs."""
    rows = recording.edit("marks")
    start = first(rows, _stamped_twice)
    for row in rows:
        row["ts_exchange"] = row.get("ts_local") or row["ts_exchange"]
    return Planted((f"marks:{start + 1}",))


@defect("4.1.2", "deep")
def one_mark_from_the_future(recording: Recording) -> Planted:
    """One mark arrives before the venue sent it, by more than the clocks may differ."""
    rows = recording.edit("marks")
    skew = recording.settings.get("timing", {}).get("max_clock_skew_ms")
    if skew is None:
        raise NotExercised("session.toml does not say how far the clocks may differ")
    place = first(rows, _stamped_twice, after=0.8)
    rows[place]["ts_exchange"] = str(int(rows[place]["ts_local"]) + round(float(skew) * _MS) + 1)
    return Planted((f"marks:{place + 1}",))


@defect("4.1.2", "deep", also="3.2.3 3.3.1")
def window_cut_by_the_local_clock(recording: Recording) -> Planted:
    """One VWAP takes its window by the time of arrival, late in the session."""
    return misjudge(recording, ["vwap"], by_arrival, last=True)


@defect("4.1.3", "gross", also="3.2.2")
def end_of_a_window_in_both(recording: Recording) -> Planted:
    """A trade on the end of a window is counted in it and in the next one, in every volume."""
    return misjudge(recording, ["volume"], _closed)


@defect("4.1.3", "deep", also="3.2.2")
def start_of_a_window_in_neither(recording: Recording) -> Planted:
    """Once, a trade on the start of a window is counted in no window."""
    return misjudge(recording, ["volume"], _open, last=True)


@defect("4.1.4", "gross")
def milliseconds_as_nanoseconds(recording: Recording) -> Planted:
    """The life of an order, in milliseconds, is added to a time in nanoseconds, so that it expires as it is sent."""
    rows = recording.edit("order_events")
    start = first(rows, lambda row: bool(row.get("ts_expires")))
    sent: dict[str, int] = {}
    for row in rows:
        if row.get("ts_expires"):
            since = sent.setdefault(row["client_order_id"], int(row["ts_local"]))
            row["ts_expires"] = str(since + (int(row["ts_expires"]) - since) // _MS)
    return Planted((f"order_events:{start + 1}",))


@defect("4.1.4", "deep")
def a_venue_time_in_milliseconds(recording: Recording) -> Planted:
    """Once, the venue's time of a message is kept in the milliseconds that it came in."""
    rows = recording.edit("messages")
    place = first(rows, _stamped_twice, after=0.6)
    rows[place]["ts_exchange"] = str(int(rows[place]["ts_exchange"]) // _MS)
    return Planted((f"messages:{place + 1}",))


@defect("4.1.4", "deep")
def answer_before_its_question(recording: Recording) -> Planted:
    """One response is stamped by another clock and lies before its request."""
    rows = recording.edit("requests")
    place = first(rows, lambda row: bool(row.get("ts_response")) and row.get("status") == "200", after=0.7)
    rows[place]["ts_response"] = str(int(rows[place]["ts_local"]) - 3 * _MS)
    return Planted((f"requests:{place + 1}",))


@defect("4.1.5", "gross")
def times_through_a_float(recording: Recording) -> Planted:
    """The times of the hot path go through a float64, which holds multiples of 256 ns only."""
    return _each(
        recording, "latency", ("ts_receive", "ts_book", "ts_signal", "ts_send"), lambda ts: int(float(ts))
    )  # fmt: skip


@defect("4.1.5", "deep")
def times_cut_to_microseconds(recording: Recording) -> Planted:
    """The venue's times of one table are cut to microseconds, where the others keep nanoseconds."""
    return _each(recording, "funding", ("ts_exchange",), lambda ts: ts // 1000 * 1000)


@benign()
def times_as_text_with_an_offset(recording: Recording) -> Planted:
    """The bot's times of a table are text with an explicit offset."""
    rows = recording.edit("config_events")
    start = first(rows, lambda row: row["ts_local"].isdigit())
    for row in rows:
        row["ts_local"] = f"{_iso(int(row['ts_local']))}Z"
    return Planted((f"config_events:{start + 1}",))


@benign()
def clocks_a_millisecond_apart(recording: Recording) -> Planted:
    """A mark arrives a little before the venue's clock says that it was sent, within what is stated."""
    rows = recording.edit("marks")
    skew = recording.settings.get("timing", {}).get("max_clock_skew_ms") or 0
    if not skew:
        raise NotExercised("session.toml does not say how far the clocks may differ")
    place = first(rows, _stamped_twice, after=0.5)
    rows[place]["ts_exchange"] = str(int(rows[place]["ts_local"]) + round(float(skew) * _MS))
    return Planted((f"marks:{place + 1}",))


def _stamped_twice(row: object) -> bool:
    assert isinstance(row, dict)
    return bool(row.get("ts_local") and row.get("ts_exchange") and row["ts_local"] != row["ts_exchange"])


def _each(recording: Recording, table: str, columns: Sequence[str], changed: Callable[[int], int]) -> Planted:
    """Change every time of some columns of a table."""
    rows = recording.edit(table)
    start = None
    for place, row in enumerate(rows):
        for column in columns:
            if row.get(column):
                was, row[column] = row[column], str(changed(int(row[column])))
                start = place if start is None and row[column] != was else start
    if start is None:
        raise NotExercised(f"{table} has no time that this mistake would change")
    return Planted((f"{table}:{start + 1}",))


def _iso(ts: int) -> str:
    whole = datetime.fromtimestamp(ts // 10**9, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{whole}.{ts % 10**9:09d}"


def _closed(window: Window) -> Sequence[Trade]:
    return [trade for trade in window.arrived if window.start <= trade.ts_exchange <= window.end]


def _open(window: Window) -> Sequence[Trade]:
    return [trade for trade in window.arrived if window.start < trade.ts_exchange < window.end]
