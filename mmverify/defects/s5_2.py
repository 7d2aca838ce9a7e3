"""Mistakes of the network: channels that are down, what is done after, messages in part and twice."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction

from mmverify.defects import Planted, benign, defect
from mmverify.defects.lives import REQUESTS, Life, later, lives, one, put, some, ts
from mmverify.defects.recording import Recording, Row, shift
from mmverify.errors import NotExercised

_DOWN, _UP = ("disconnect", "timeout"), ("connect", "reconnect")
_MS = 10**6


@defect("5.2.1", "gross", also="5.2.5 4.3.1")
def quotes_stay_while_blind(recording: Recording) -> Planted:
    """While market data is down the quotes rest; they are cancelled when it is back."""
    return _left_resting(recording, every=True)


@defect("5.2.1", "deep", also="5.2.5 4.3.1")
def one_quote_forgotten_while_blind(recording: Recording) -> Planted:
    """Of the orders that rest when market data goes down, one is forgotten until it is back."""
    return _left_resting(recording, every=False)


@defect("5.2.2", "gross", also="3.1.5")
def orders_before_the_book_is_back(recording: Recording) -> Planted:
    """After a reconnect of market data orders go out and no resync ever ends."""
    rows = recording.edit("connection")
    some([row for row in rows if row["event"] == "resync_done"])
    rows[:] = [row for row in rows if row["event"] != "resync_done"]
    return recording.planted()


@defect("5.2.2", "deep", also="1.2.2 1.4.3 2.4.3 5.2.1 5.2.5")
def one_order_not_reconciled(recording: Recording) -> Planted:
    """After a reconnect one of the orders that were open is looked up only once new ones are out."""
    rows = recording.edit("order_events")
    for start, end in reversed(_outages(recording, "orders")):
        sent = [ts(row) for row in rows if row["event"] in REQUESTS and ts(row) > end]
        for life in lives(recording):
            answers = [row for row in life if ts(row) >= end]
            if ts(life[0]) < start and answers and sent and ts(answers[-1]) <= sent[0]:
                for row in answers:
                    _move(rows, row, sent[0] + _MS // 100)
                return recording.planted()
    raise NotExercised("no order of the session is open over an outage of the order channel")


@defect("5.2.3", "gross")
def parts_of_messages_applied(recording: Recording) -> Planted:
    """Every message is applied as far as it was received."""
    return _apply(recording, _incomplete, every=True)


@defect("5.2.3", "deep")
def one_part_of_a_message_applied(recording: Recording) -> Planted:
    """One message that broke off, the last, is applied as far as it was received."""
    return _apply(recording, _incomplete, every=False)


@defect("5.2.4", "gross")
def repeated_messages_applied(recording: Recording) -> Planted:
    """A message that comes twice is applied twice, whichever it is."""
    return _apply(recording, _repeated(recording), every=True)


@defect("5.2.4", "deep")
def one_repeated_message_applied(recording: Recording) -> Planted:
    """Once, late in the session, a message that came before is applied again."""
    return _apply(recording, _repeated(recording), every=False)


@defect("5.2.4", "deep", also="1.2.1 1.2.3 1.2.4 1.2.5 2.2.3 2.2.6 2.3.2 5.3.3")
def repeated_fill_moves_the_position_again(recording: Recording) -> Planted:
    """Of the executions that are reported twice, one, late in the session, moves the position a second time."""
    rows = [row for row in recording.edit("positions") if row["source"] == "bot"]
    fills = sorted(recording["fills"], key=ts)
    met, again = set[str](), []
    for fill in fills:
        later_ones = [row for row in rows if row["symbol"] == fill["symbol"] and ts(row) >= ts(fill)]
        if fill["exec_id"] in met and fill.get("kind", "trade") in ("", "trade") and later_ones:
            again.append((fill, later_ones))
        met.add(fill["exec_id"])
    fill, moved = one(again, at=0.7)
    instrument = recording.instrument(fill["symbol"])
    by = Fraction(fill["qty"]) * (1 if fill["side"] == "buy" else -1)
    if instrument["kind"] == "spot" and fill["fee_asset"] == instrument["base"]:
        by -= Fraction(fill["fee"])
    for row in moved:
        shift(row, "qty", by)
    return recording.planted()


@defect("5.2.5", "gross")
def no_safe_shutdown(recording: Recording) -> Planted:
    """When a channel stays silent for too long, nothing is shut down."""
    return _unsafe(recording, every=True)


@defect("5.2.5", "deep")
def shutdown_left_out_once(recording: Recording) -> Planted:
    """The last of the silences that were too long passes without a shutdown."""
    return _unsafe(recording, every=False)


@benign()
def heartbeats_not_applied(recording: Recording) -> Planted:
    """Messages that came twice are listed a third time, and not applied."""
    rows = recording.edit("messages")
    again = list(filter(_repeated(recording), rows))
    rows.append({**some(again)[-1]})
    return recording.planted()


@benign()
def short_loss_of_a_second_feed(recording: Recording) -> Planted:
    """A redundant feed of market data goes down and comes back, while the first stays up."""
    rows = recording.edit("connection")
    start = max((ts(row) for row in rows if row["channel"].startswith("market_data")), default=0) + 1000 * _MS
    if not rows:
        raise NotExercised("the session has no connection")
    like = {name: "" for name in rows[0]} | {"channel": "market_data:2"}
    put(rows, like | {"ts_local": rows[0]["ts_local"], "event": "connect"})
    for by, event in ((0, "disconnect"), (200, "reconnect")):
        put(rows, like | {"ts_local": str(start + by * _MS), "event": event})
    return recording.planted()


def _outages(recording: Recording, channel: str) -> list[tuple[int, int]]:
    """Return when a channel went down and came back."""
    out, start = [], 0
    for row in recording["connection"]:
        if row["channel"] == channel and row["event"] in _DOWN and not start:
            start = int(row["ts_local"])
        elif row["channel"] == channel and row["event"] in _UP and start:
            out.append((start, int(row["ts_local"])))
            start = 0
    return out


def _left_resting(recording: Recording, *, every: bool) -> Planted:
    """Cancel when market data is back what was cancelled when it went down."""
    limit = recording.settings.get("timing", {}).get("connection_timeout_ms")
    rows = recording.edit("order_events")
    for start, end in reversed(_outages(recording, "market_data")):
        found = [life for life in lives(recording) if _cancelled_between(life, start, end)]
        if limit is not None and end - start > float(limit) * _MS and found:
            for life in found if every else found[-1:]:
                by = end - 100 * _MS - ts(life[-2])
                for row in life[-2:]:
                    _move(rows, row, ts(row) + by)
            return recording.planted()
    raise NotExercised("no outage of market data that is long enough has an order cancelled for it")


def _cancelled_between(life: Life, start: int, end: int) -> bool:
    tail = [row["event"] for row in life[-2:]]
    return tail == ["cancel_request", "cancel_ack"] and start <= ts(life[-2]) and ts(life[-1]) < end


def _move(rows: list[Row], row: Row, to: int) -> None:
    del rows[next(place for place, each in enumerate(rows) if each is row)]
    put(rows, later(row, to - ts(row)))


def _incomplete(row: Row) -> bool:
    return row.get("complete") == "false" and row.get("applied") == "false"


def _repeated(recording: Recording) -> Callable[[Row], bool]:
    """Return whether a row repeats a message that was applied, and was not applied itself."""
    applied = {_message(row) for row in recording["messages"] if row.get("applied") == "true"}
    return lambda row: row.get("applied") == "false" and row.get("complete") != "false" and _message(row) in applied


def _message(row: object) -> tuple[str, ...]:
    assert isinstance(row, dict)
    return row["channel"], row["message_id"], row.get("ts_exchange", "")


def _apply(recording: Recording, which: Callable[[Row], bool], *, every: bool) -> Planted:
    found = some([row for row in recording.edit("messages") if which(row)])
    for row in found if every else found[-1:]:
        row["applied"] = "true"
    return recording.planted()


def _unsafe(recording: Recording, *, every: bool) -> Planted:
    rows = recording.edit("connection")
    silent = [row for row in rows if row["event"] == "safe_shutdown" and _follows_timeout(rows, row)]
    gone = {id(row) for row in (some(silent) if every else some(silent)[-1:])}
    rows[:] = [row for row in rows if id(row) not in gone]
    return recording.planted()


def _follows_timeout(rows: Sequence[Row], row: Row) -> bool:
    before = [each["event"] for each in rows if each["channel"] == row["channel"] and ts(each) < ts(row)]
    return before[-1:] == ["timeout"]
