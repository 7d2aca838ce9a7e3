"""Section 4.3, answers: a request that is not answered is followed up, and no order is lost by it (4.3.2)."""

from __future__ import annotations

import numpy as np

from mmverify.checks import Breach, Looked
from mmverify.checks import s2_2_work as work
from mmverify.checks.claims import places
from mmverify.checks.known import Rows
from mmverify.checks.moments import deadline, session_end
from mmverify.checks.orderflow import ANSWERS, UNTOLD, Flow, flow
from mmverify.checks.s2_4_work import DONE_CODES, left, line
from mmverify.checks.s5_2_outages import ms
from mmverify.numeric import Mask
from mmverify.replay.order_state import STATES
from mmverify.session.load import Session

_TIMEOUTS = {"submit": "ack_timeout_ms", "cancel_request": "cancel_timeout_ms"}
_HANDLED = ("timeout", "cancel_request", "reconcile")
_SHOWN = 2


def request_timeouts(session: Session) -> Looked:
    """A submit or cancel is answered within its timeout or followed up, and no open order is taken as gone.

    A request whose answer has no arrival time of its own (that of the request, or the venue's) shows nothing in time.
    """
    replayed, end = flow(session), session_end(session)
    looked, found, notes = 0, list[Breach](), list[str]()
    for request, name in _TIMEOUTS.items():
        limit, which = deadline(session, name), replayed.is_(request)
        if limit is None:
            notes += (
                [f"{name} is not stated: how long a {request} may go unanswered is not judged"] if which.any() else []
            )
            continue
        rows = np.flatnonzero(which & (replayed.ts + limit <= end))
        answers = _answers(replayed, request, rows)
        late = _is_late(replayed, rows, answers, limit)
        blind = ~late & _is_blind(session, replayed, rows, answers)
        if blind.any():
            count = f"{int(blind.sum())} of {len(rows)} {request}s"
            notes.append(f"{count} are left out: no time is recorded at which their answers reached the bot")
        looked += int(np.sum(~blind))
        wrong = np.zeros(len(replayed), dtype=bool)
        wrong[rows[late]] = replayed.lives.upcoming(replayed.is_(*_HANDLED))[rows[late]] < 0
        by = dict(zip(rows.tolist(), answers.tolist(), strict=True))
        found += [
            _unanswered(session, replayed, symbol, request, {row: by[row] for row in mine}, limit)
            for symbol, mine in work.by_symbol(replayed, wrong)
        ]
    found += [_gone(session, replayed, symbol, rows) for symbol, rows in work.by_symbol(replayed, _taken(replayed))]
    return Looked(looked, tuple(found), tuple(notes))


def _answers(replayed: Flow, request: str, rows: Rows) -> Rows:
    """Return the row that answers each request, -1 for none: of several after it the earliest by the bot's clock."""
    out, lives = replayed.answer[rows], replayed.lives
    answers = replayed.is_(*ANSWERS[request]) | (replayed.is_done & ~lives.before(replayed.is_done, False))
    late = lives.life[replayed.ts < lives.before(replayed.ts, np.iinfo(np.int64).min)]
    for n in np.flatnonzero((out >= 0) & np.isin(lives.life[rows], late)).tolist():
        mine = lives.rows_of(int(lives.life[rows[n]]))
        mine = mine[(mine > rows[n]) & answers[mine]]
        out[n] = mine[replayed.ts[mine].argmin()]
    return out


def _is_late(replayed: Flow, rows: Rows, answer: Rows, limit: int) -> Mask:
    return np.asarray((answer < 0) | (replayed.ts[answer] > replayed.ts[rows] + limit))


def _is_blind(session: Session, replayed: Flow, rows: Rows, answer: Rows) -> Mask:
    """Say of which requests the answer's time is that of the request, or the venue's."""
    venue = session.table("order_events", "ts_exchange").whole("ts_exchange")
    copied = ~venue.missing[answer] & (venue.values[answer] == replayed.ts[answer])
    return np.asarray((answer >= 0) & (copied | (replayed.ts[answer] == replayed.ts[rows])))


def _taken(replayed: Flow) -> Mask:
    """Return the last rows of the orders that the bot recorded as done and nothing of the venue's ended."""
    out = np.zeros(len(replayed), dtype=bool)
    if len(replayed):
        last = replayed.lives.last
        told = replayed.lives.latest(replayed.told != UNTOLD)[last]
        is_gone = (told >= 0) & np.isin(replayed.told[told], DONE_CODES) & ~replayed.is_done[last]
        out[last[is_gone]] = True
    return out


# --- words ------------------------------------------------------------------------------------------------------------


def _unanswered(
    session: Session, replayed: Flow, symbol: str, request: str, answers: dict[int, int], limit: int
) -> Breach:
    rows = list(answers)
    first, answer = rows[0], answers[rows[0]]
    waited = (session_end(session) if answer < 0 else int(replayed.ts[answer])) - int(replayed.ts[first])
    lines = []
    for row in rows[:_SHOWN]:
        lines.append(line(replayed, row))
        by = answers[row]
        lines.append("no row after it answers" if by < 0 else
                     f"{line(replayed, by)}, {ms(int(replayed.ts[by] - replayed.ts[row]))} ms later")  # fmt: skip
    lines.append(f"{ms(waited)} - {ms(limit)} = {ms(waited - limit)} ms too long, and no timeout, reconcile or "
                 f"cancel_request of it follows")  # fmt: skip
    amount, currency = work.largest(session, replayed, rows, lambda row: left(replayed, row))
    meant = "may rest or have filled" if request == "submit" else "may rest on and fill"
    return Breach(
        key=f"{symbol} {request}", where=places(replayed.table, rows), count=len(rows),
        was=f"the {request} of {work.order_name(replayed, first)} was " +
        ("never answered" if answer < 0 else f"answered after {ms(waited)} ms") + " and not followed up",
        should=f"a timeout, a reconcile or a cancel after {ms(limit)} ms ({_TIMEOUTS[request]})", work=tuple(lines),
        amount=amount, currency=currency if amount is not None else "",
        loss=f"what is left of the largest of them, at its price: it {meant}, and nobody asks"
        if amount is not None else f"an order that {meant}, and nobody asks; it has no price to be valued at",
        cause="no timer runs on the request" if len(rows) > 1 and not _follows(replayed, request) else "",
    )  # fmt: skip


def _follows(replayed: Flow, request: str) -> bool:
    """Say whether any request of this kind was followed by a timeout."""
    timeouts = np.flatnonzero(replayed.is_("timeout"))
    return bool(np.any(replayed.lives.latest(replayed.is_(request))[timeouts] >= 0))


def _gone(session: Session, replayed: Flow, symbol: str, rows: list[int]) -> Breach:
    told = replayed.lives.latest(replayed.told != UNTOLD)
    first = rows[0]
    said = STATES[int(replayed.told[told[first]])]
    lines = [line(replayed, each) for row in rows[:_SHOWN]
             for each in replayed.lives.rows_of(int(replayed.lives.life[row]))[-2:].tolist()]  # fmt: skip
    amount, currency = work.largest(session, replayed, rows, lambda row: left(replayed, row))
    return Breach(
        key=f"{symbol} taken as gone", where=places(replayed.table, rows), count=len(rows),
        was=f"{work.order_name(replayed, first)} was {said} for the bot when the session ended",
        should="open: nothing of the venue's had ended it",
        work=(*dict.fromkeys(lines), "no ack of a cancel, no fill of the rest, no expiry and no reconcile ends it"),
        amount=amount, currency=currency if amount is not None else "",
        loss="what is left of the largest of them, at its price: it may still rest at the venue and fill"
        if amount is not None else "an order that may still rest at the venue; it has no price to be valued at",
        cause="an order is taken as cancelled once its cancel is sent"
        if all(replayed.cancel_open[row] for row in rows) else "",
    )  # fmt: skip
