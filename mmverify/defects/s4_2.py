"""Mistakes on the hot path, as its recorded passes show them."""

from __future__ import annotations

from fractions import Fraction

from mmverify.defects import Planted, benign, defect
from mmverify.defects.lives import one
from mmverify.defects.recording import Recording, Row

_US = 1000


def _passes(recording: Recording) -> list[Row]:
    return recording.edit("latency")


@defect("4.2.1", "gross")
def signal_before_its_book(recording: Recording) -> Planted:
    """The time of the signal is taken before the book is updated."""
    for row in _passes(recording):
        if row["ts_book"] and row["ts_signal"]:
            row["ts_book"], row["ts_signal"] = row["ts_signal"], row["ts_book"]
    return recording.planted()


@defect("4.2.1", "deep", also="4.1.4")
def one_pass_sent_before_it_was_received(recording: Recording) -> Planted:
    """The clock stepped back in the middle of one pass."""
    row = one(_passes(recording), at=0.7)
    for name in ("ts_book", "ts_signal", "ts_send"):
        if row[name]:
            row[name] = str(int(row["ts_receive"]) - 5 * _US)
    return recording.planted()


@defect("4.2.2", "gross")
def every_pass_reads_a_file(recording: Recording) -> Planted:
    """The configuration is read again at each update."""
    for row in _passes(recording):
        row["blocked_us"] = "85"
    return recording.planted()


@defect("4.2.2", "deep")
def one_pass_waits_for_a_lock(recording: Recording) -> Planted:
    """Once a lock was held by the thread that writes the log."""
    one(_passes(recording), at=0.6)["blocked_us"] = "0.5"
    return recording.planted()


@defect("4.2.3", "gross")
def every_pass_allocates(recording: Recording) -> Planted:
    """Each quote is a new object."""
    for row in _passes(recording):
        row["allocations"] = "3"
    return recording.planted()


@defect("4.2.3", "deep")
def one_pass_grows_a_table(recording: Recording) -> Planted:
    """Once a hash table was full and moved."""
    one(_passes(recording)[1:], at=0.5)["allocations"] = "1"
    return recording.planted()


@benign()
def first_pass_fills_the_pools(recording: Recording) -> Planted:
    """The first pass of the session allocates what the others use."""
    _passes(recording)[0]["allocations"] = "12"
    return recording.planted()


@defect("4.2.4", "gross")
def every_pass_is_slow(recording: Recording) -> Planted:
    """A loop over all levels of the book is made twice an update."""
    for row in _passes(recording):
        row["ts_send"] = str(int(row["ts_receive"]) + _limit(recording) + 300 * _US)
    return recording.planted()


@defect("4.2.4", "deep")
def one_pass_in_five_hundred_is_slow(recording: Recording) -> Planted:
    """The passes that meet a deep book take longer than the limit by a microsecond, two in a thousand of them."""
    rows = _passes(recording)
    for row in rows[: max(2, len(rows) // 500)]:
        row["ts_send"] = str(int(row["ts_receive"]) + _limit(recording) + _US)
    return recording.planted()


@benign()
def one_pass_at_its_limit(recording: Recording) -> Planted:
    """One pass takes as long as the limit allows."""
    row = one(_passes(recording), at=0.5)
    row["ts_send"] = str(int(row["ts_receive"]) + _limit(recording))
    return recording.planted()


def _limit(recording: Recording) -> int:
    return int(Fraction(str(recording.settings.get("timing", {}).get("max_tick_to_order_us") or 0)) * _US)


@defect("4.2.5", "gross")
def every_pass_writes_its_log(recording: Recording) -> Planted:
    """The log goes to the console from the thread that trades."""
    for row in _passes(recording):
        row["log_us"] = "40"
    return recording.planted()


@defect("4.2.5", "deep")
def one_warning_is_written_at_once(recording: Recording) -> Planted:
    """One warning goes past the queue."""
    one(_passes(recording), at=0.4)["log_us"] = "0.25"
    return recording.planted()
