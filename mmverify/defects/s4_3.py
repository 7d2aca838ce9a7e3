"""Mistakes of timing windows: quotes that rest too long, answers that never come, rate limits, maintenance."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from mmverify.defects import Planted, benign, defect
from mmverify.defects.lives import FILLS, REQUESTS, Life, events, later, lives, one, put, some, ts
from mmverify.defects.recording import Recording, Row, first
from mmverify.errors import NotExercised

_MS = 10**6
_SETTINGS = Planted(("session.toml",))
_ANSWERED = {"NEW": "ack", "REJECTED": "reject", "CANCELED": "cancel_ack"}
_FOLLOWED = ("timeout", "reconcile", "cancel_request")


@defect("4.3.1", "gross")
def no_age_at_which_a_quote_is_old(recording: Recording) -> Planted:
    """No age is set at which a quote has to be refreshed or withdrawn."""
    if not _timing(recording).get("quote_max_age_ms"):
        raise NotExercised("session.toml states no timing.quote_max_age_ms")
    recording.edit_settings()["timing"].pop("quote_max_age_ms")
    return _SETTINGS


@defect("4.3.1", "deep")
def a_quote_may_be_a_minute_old(recording: Recording) -> Planted:
    """The age at which a quote is refreshed is a millisecond more than a minute."""
    if not _timing(recording).get("quote_max_age_ms"):
        raise NotExercised("session.toml states no timing.quote_max_age_ms")
    recording.edit_settings()["timing"]["quote_max_age_ms"] = 60_001
    return _SETTINGS


@defect("4.3.1", "deep")
def timer_of_a_quotes_age_too_slow(recording: Recording) -> Planted:
    """The timer that takes old quotes back runs ten times slower than it should."""
    if not _timing(recording).get("quote_max_age_ms"):
        raise NotExercised("session.toml states no timing.quote_max_age_ms")
    timing = recording.edit_settings()["timing"]
    timing["quote_max_age_ms"] = timing["quote_max_age_ms"] / 10
    return _SETTINGS


@defect("4.3.2", "gross")
def no_timer_on_requests(recording: Recording) -> Planted:
    """No timer runs on any request: where the answer is late, nothing is done until it comes."""
    return _unnoticed(recording, _late_answers(recording))


@defect("4.3.2", "deep")
def one_late_answer_goes_unnoticed(recording: Recording) -> Planted:
    """The timer of one request, the last that had to wait, does not fire."""
    return _unnoticed(recording, _late_answers(recording)[-1:])


@defect("4.3.2", "deep", also="2.2.2 2.2.4 2.4.3")
def order_gone_when_its_cancel_is_sent(recording: Recording) -> Planted:
    """An order is taken as gone once its cancel is sent, late in the session, and the answer never comes."""
    life = one([life for life in lives(recording) if _ends_cancelled(life)], 0.9)
    rows = recording.edit("order_events")
    rows[:] = [row for row in rows if row is not life[-1]]
    life[-2]["state"] = "CANCELED"
    return recording.planted()


@defect("4.3.3", "gross")
def rate_limit_without_margin(recording: Recording) -> Planted:
    """The limits are used to the last request, with no part kept free for the drift of the clocks."""
    limits: list[dict[str, Any]] = recording.edit_settings().get("rate_limit", [])
    if not any("margin" in limit for limit in limits):
        raise NotExercised("session.toml states no rate_limit with a margin")
    for limit in limits:
        limit.pop("margin", None)
    return _SETTINGS


@defect("4.3.3", "deep")
def heavy_request_counted_as_a_light_one(recording: Recording) -> Planted:
    """One request weighs more than the limiter counts, so that its window passes what may be used."""
    limits = recording.settings.get("rate_limit", [])
    if not limits:
        raise NotExercised("session.toml states no rate_limit")
    limit = limits[-1]
    rows = recording.edit("requests")
    place = first(rows, lambda row: limit["endpoint"] in ("*", row["endpoint"]) and row.get("status") == "200", 0.6)
    rows[place]["weight"] = str(limit["limit"])
    return Planted((f"requests:{place + 1}",))


@defect("4.3.4", "gross")
def quotes_left_in_maintenance(recording: Recording) -> Planted:
    """What rests when the venue goes into maintenance is cancelled in the middle of it."""
    return _left_resting(recording, every=True)


@defect("4.3.4", "deep")
def one_quote_left_in_maintenance(recording: Recording) -> Planted:
    """One order, the last to be cancelled before the venue goes into maintenance, is cancelled too late."""
    return _left_resting(recording, every=False)


@benign()
def limit_used_to_its_margin(recording: Recording) -> Planted:
    """Less is kept free of the limits than was, and still something."""
    limits: list[dict[str, Any]] = recording.edit_settings().get("rate_limit", [])
    if not any(limit.get("margin") for limit in limits):
        raise NotExercised("session.toml states no rate_limit with a margin")
    for limit in limits:
        limit["margin"] = limit["margin"] / 2
    return _SETTINGS


@benign()
def maintenance_after_the_session(recording: Recording) -> Planted:
    """The venue announces a maintenance that begins after the session has ended."""
    windows = recording.edit_settings().setdefault("maintenance", [])
    windows.append({"start": "2099-01-01T00:00:00+00:00", "end": "2099-01-01T01:00:00+00:00"})
    return _SETTINGS


@benign()
def answer_at_the_last_moment(recording: Recording) -> Planted:
    """A refusal arrives late, and still within the time that it has."""
    limit = _timing(recording).get("ack_timeout_ms")
    if not limit:
        raise NotExercised("session.toml states no timing.ack_timeout_ms")
    within = round(float(limit) * _MS)
    sent = [(ts(life[0]), life[0]["symbol"]) for life in lives(recording)]
    refused = [
        life for life in lives(recording)
        if [row["event"] for row in life] == ["submit", "reject"]
        and not any(ts(life[0]) < at <= ts(life[0]) + within and symbol == life[0]["symbol"] for at, symbol in sent)
    ]  # fmt: skip
    life = one(refused, 0.5)
    _postpone(recording, life[1:], ts(life[0]) + within - ts(life[1]))
    return recording.planted()


def _timing(recording: Recording) -> dict[str, Any]:
    return dict(recording.settings.get("timing", {}))


def _late_answers(recording: Recording) -> list[Life]:
    """Return the orders of which a request went past its time, was looked up, and needed nothing after that."""
    found = []
    for life in lives(recording):
        timeouts = [n for n, row in enumerate(life) if row["event"] == "timeout"]
        if len(timeouts) == 1 and timeouts[0] + 1 < len(life):
            looked_up, after = life[timeouts[0] + 1], life[timeouts[0] + 2 :]
            is_answer = looked_up["event"] == "reconcile" and looked_up["state"] in _ANSWERED
            if is_answer and not events(after, *_FOLLOWED) and (not after or events(after, *FILLS) == after):
                found.append(life)
    return found


def _unnoticed(recording: Recording, found: Sequence[Life]) -> Planted:
    """Take out the timeouts, and let what was looked up be the answer that came late."""
    gone = set()
    for life in some(found):
        at = next(n for n, row in enumerate(life) if row["event"] == "timeout")
        gone.add(id(life[at]))
        life[at + 1] |= {"event": _ANSWERED[life[at + 1]["state"]], "reason": "", "code": ""}
    rows = recording.edit("order_events")
    rows[:] = [row for row in rows if id(row) not in gone]
    return recording.planted()


def _left_resting(recording: Recording, *, every: bool) -> Planted:
    """Cancel in the middle of a maintenance what was cancelled just before it."""
    for window in recording.settings.get("maintenance", ()):
        start, end = (_ns(str(window[key])) for key in ("start", "end"))
        sent = [int(row["ts_local"]) for row in recording["order_events"] if row["event"] in REQUESTS]
        last = max((sending for sending in sent if sending < start), default=start)
        found = [life for life in lives(recording) if _cancelled_between(life, last, start)]
        if found:
            for life in found if every else found[-1:]:
                _postpone(recording, life[-2:], (start + end) // 2 - start)
            return recording.planted()
    raise NotExercised("no order of the session is cancelled just before a maintenance")


def _ns(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 10**6) * 1000


def _postpone(recording: Recording, found: Sequence[Row], by: int) -> None:
    rows = recording.edit("order_events")
    for row in found:
        del rows[next(place for place, each in enumerate(rows) if each is row)]
        put(rows, later(row, by))


def _ends_cancelled(life: Life) -> bool:
    tail = [row["event"] for row in life[-2:]]
    return tail == ["cancel_request", "cancel_ack"] and len(events(life, "cancel_request")) == 1


def _cancelled_between(life: Life, start: int, end: int) -> bool:
    return _ends_cancelled(life) and start < ts(life[-2]) and ts(life[-1]) < end
