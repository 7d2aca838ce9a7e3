"""5.3.5: every error code is handled, and an order that the venue does not know is looked for, not written off."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mmverify.checks import Breach, Looked
from mmverify.checks import s2_2_work as work
from mmverify.checks.claims import places
from mmverify.checks.known import Rows, Times
from mmverify.checks.moments import deadline, session_end
from mmverify.checks.orderflow import Flow, flow
from mmverify.checks.orderflow_lives import codes_in
from mmverify.checks.s2_4_work import DONE_CODES, left, line
from mmverify.checks.s5_3_requests import Requests, is_unknown_order, ms, requests_of, told
from mmverify.numeric import INT64_MAX, Mask
from mmverify.replay.order_state import STATES
from mmverify.session.load import Session

_GONE = [STATES.index(state) for state in ("CANCELED", "EXPIRED", "REJECTED")]
#: Events by which the venue itself says that an order is done.
_SAID = (
    "reconcile", "reject", "fill", "partial_fill", "cancel_ack", "expire", "exchange_cancel", "liquidation",
)  # fmt: skip
_REJECTS = ("reject", "cancel_reject", "replace_reject")


@dataclass(frozen=True, eq=False)
class _Marks:
    """Moments of some keys, to be searched by key and time."""

    keys: Rows
    times: Times

    def any(self, keys: Rows, start: Times, end: Times) -> Mask:
        """Return for each key whether one of its moments lies from `start` to `end`, both included."""
        ranks = np.sort(self.times)
        size = len(ranks) + 1
        here = np.sort(self.keys * size + np.searchsorted(ranks, self.times))
        low = keys * size + np.searchsorted(ranks, start)
        high = keys * size + np.searchsorted(ranks, end, side="right")
        return np.asarray(np.searchsorted(here, high) > np.searchsorted(here, low))


# --- error codes ------------------------------------------------------------------------------------------------------
def error_codes(session: Session) -> Looked:
    """After an error a reject, a retry, a reconcile or a trip follows within `ack_timeout_ms`."""
    asked, allowed = requests_of(session), deadline(session, "ack_timeout_ms")
    if allowed is None:
        return Looked(0, (), ("session.toml states no ack_timeout_ms: what follows an error is not judged",))
    places = np.flatnonzero(asked.failed & (asked.heard + allowed <= session_end(session)))
    if not places.size:
        return Looked(0)
    wrong = places[~_handled(session, asked, places, asked.sent[places], asked.heard[places] + allowed)]
    newest = dict(zip(wrong.tolist(), _newest(flow(session), asked, wrong).tolist(), strict=True))
    answers: dict[str, list[int]] = {}
    for n in wrong.tolist():
        answers.setdefault(f"{asked.endpoint_of(n)} {asked.answer(n)}", []).append(n)
    found = []
    for key, mine in answers.items():
        rows = [newest[n] for n in mine if newest[n] >= 0]
        found.append(_passed_over(session, asked, key, mine, rows, allowed))
    return Looked(len(places), tuple(found))


def _handled(session: Session, asked: Requests, places: Rows, start: Times, end: Times) -> Mask:
    """Return which errors anything followed: of their own order, where they name one."""
    risk, replayed = session.table("risk_events", "ts_local", "event"), flow(session)
    ids = asked.table.words("client_order_id")
    trips = risk.whole("ts_local").values[risk.words("event").is_("trip")]
    named, endpoint = ids.codes[asked.rows].astype(np.int64) + 1, asked.endpoint.astype(np.int64)
    mine, size = named[places], len(ids.dictionary) + 1
    rows = np.flatnonzero(replayed.is_("reconcile", *_REJECTS))
    answered = replayed.ts[rows]
    own = _Marks(endpoint * size + named, asked.sent).any(endpoint[places] * size + mine, start + 1, end)
    for column in ("client_order_id", "orig_client_order_id"):
        codes = codes_in(replayed.table.words(column), ids)[rows]
        own |= _Marks(codes + 1, answered).any(mine, start, end)
    any_order = _Marks(endpoint, asked.sent).any(endpoint[places], start + 1, end)
    any_order |= _Marks(rows * 0, answered).any(places * 0, start, end)
    tripped = _Marks(np.zeros(len(trips), dtype=np.int64), trips).any(places * 0, start, end)
    return np.asarray(tripped | np.where(mine > 0, own, any_order))


def _passed_over(
    session: Session, asked: Requests, key: str, wrong: list[int], rows: list[int], allowed: int
) -> Breach:
    """Tell of errors of one kind, `rows` being the newest that the bot had of the orders that they are about."""
    first, replayed = wrong[0], flow(session)
    name = asked.order(first)
    amount, currency = work.largest(session, replayed, rows, lambda row: left(replayed, row)) if rows else (None, "")
    about = f" for {name}" if name else ""
    what = f"of {name}" if name else f"of {asked.endpoint_of(first)}"
    return Breach(
        key=key, where=tuple(asked.where(n) for n in wrong[:5]), count=len(wrong),
        was=f"{asked.endpoint_of(first)}{about} was answered {asked.answer(first)}, and nothing followed",
        should=f"a reject, a retry, a reconcile or a trip within {ms(allowed)} ms (ack_timeout_ms)",
        work=(
            *(asked.line(n) for n in wrong[:3]),
            f"no reject or reconcile {what}, no request {what} and no trip up to {ms(allowed)} ms after the answer",
        ),
        amount=amount, currency=currency,
        loss="what was open of the order that the request was about, at its price, where it is most: it may rest, be "
        "gone or be filled, and the bot does not ask"
        if amount is not None
        else "what the request was for did not happen and nobody asks; what that costs cannot be known",
    )  # fmt: skip


def _newest(replayed: Flow, asked: Requests, places: Rows) -> Rows:
    """Return the newest row that the bot had of the order of each request when it was answered, -1 for none."""
    ids, size = replayed.table.words("client_order_id"), len(replayed) + 1
    codes = codes_in(asked.table.words("client_order_id"), ids)[asked.rows[places]]
    keys = np.sort(ids.codes.astype(np.int64) * size + np.arange(len(replayed)))
    known = np.searchsorted(replayed.heard, asked.heard[places], side="right")
    last = np.append(keys, -1)[np.searchsorted(keys, codes * size + known) - 1]
    return np.where((codes >= 0) & (last // size == codes), last % size, -1)


# --- unknown orders ---------------------------------------------------------------------------------------------------
def unknown_orders(session: Session) -> Looked:
    """An order that the venue does not know is not taken as done before the venue or a reconcile says so."""
    replayed = flow(session)
    table = session.table("order_events", "code", "reason")
    refused = replayed.is_("cancel_reject", "replace_reject")
    refused &= told(table.words("code"), is_unknown_order) | told(table.words("reason"), is_unknown_order)
    lives, since = replayed.lives, _missing(session, replayed)
    if not refused.any() and (since == INT64_MAX).all():
        return Looked(0)
    is_unknown = (lives.latest(refused) >= 0) | (replayed.ts >= since[lives.life])
    newest = lives.before(lives.latest(np.isin(replayed.told, DONE_CODES)), -1)
    gone = is_unknown & np.isin(replayed.told, _GONE) & (newest < 0) & ~replayed.is_(*_SAID)
    rows = np.flatnonzero(gone)
    wrong = np.zeros(len(replayed), dtype=bool)
    wrong[rows[~_confirmed(replayed, rows, deadline(session, "ack_timeout_ms") or 0)]] = True
    found = tuple(
        _written_off(session, replayed, symbol, mine, refused) for symbol, mine in work.by_symbol(replayed, wrong)
    )
    return Looked(int(refused.sum()), found)


def _missing(session: Session, replayed: Flow) -> Times:
    """Return when the answer to a request first said that an order is unknown, by life; never where none did."""
    out = np.full(len(replayed.lives), INT64_MAX)
    if not session.has("requests"):
        return out
    asked, ids = requests_of(session), replayed.table.words("client_order_id")
    places = np.flatnonzero(told(asked.table.words("code"), is_unknown_order)[asked.rows])
    codes = codes_in(asked.table.words("client_order_id"), ids)[asked.rows[places]]
    life = np.full(len(ids.dictionary) + 1, -1, dtype=np.int64)
    life[ids.codes] = replayed.lives.life
    is_ours = codes >= 0
    np.minimum.at(out, life[codes[is_ours]], asked.heard[places[is_ours]])
    return out


def _confirmed(replayed: Flow, rows: Rows, allowed: int) -> Mask:
    """Return which rows a reconcile of their order follows within what is allowed."""
    after = replayed.lives.upcoming(replayed.is_("reconcile"))[rows]
    return np.asarray((after >= 0) & (replayed.ts[after] <= replayed.ts[rows] + allowed))


def _written_off(session: Session, replayed: Flow, symbol: str, rows: list[int], refused: Mask) -> Breach:
    first, lives = rows[0], replayed.lives
    name, state = work.order_name(replayed, first), STATES[replayed.told[first]]
    before = [int(lives.previous[row]) for row in rows]
    amount, currency = work.largest(session, replayed, [row for row in before if row >= 0] or rows,
                                    lambda row: left(replayed, row))  # fmt: skip
    table = session.table("order_events", "code", "reason")
    said = int(lives.latest(refused)[first])
    words = [table.words(column).text(said) for column in ("code", "reason")] if said >= 0 else []
    answer = " ".join(filter(None, words)) or "unknown order"
    return Breach(
        key=symbol, where=places(replayed.table, rows), count=len(rows),
        was=f"{name} of {symbol} was taken as {state} because the venue does not know it",
        should="the state of before until a reconcile says what became of it",
        work=tuple(dict.fromkeys([
            *(line(replayed, row) for row in (before[0], said, first) if row >= 0),
            f"answered {answer}: it may be filled, cancelled or not there yet, and no reconcile of {name} follows",
        ])),
        amount=amount, currency=currency,
        loss="what was left of the order, at its price, where it is most: it may be filled, or rest where the bot does "
        "not see it"
        if amount is not None
        else "what was left of the order has no price",
    )  # fmt: skip
