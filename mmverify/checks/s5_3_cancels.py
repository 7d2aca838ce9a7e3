"""5.3.1: what the venue cancels of its own accord is closed for the bot, at once and for good."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from mmverify.checks import Breach, Looked
from mmverify.checks import s2_2_work as work
from mmverify.checks.claims import places
from mmverify.checks.known import Rows
from mmverify.checks.moments import deadline, session_end
from mmverify.checks.orderflow import Flow, flow
from mmverify.checks.s2_4_work import DONE_CODES, left, line
from mmverify.checks.s5_3_requests import ms
from mmverify.numeric import Mask
from mmverify.replay.order_state import STATES
from mmverify.session.load import Session


def exchange_cancels(session: Session) -> Looked:
    """An order that the venue cancelled is done for the bot within `ack_timeout_ms`, and stays it."""
    replayed, allowed = flow(session), deadline(session, "ack_timeout_ms")
    rows = np.flatnonzero(replayed.is_("exchange_cancel"))
    if not rows.size:
        return Looked(0)
    found, notes = list[Breach](), list[str]()
    if allowed is None:
        notes.append("session.toml states no ack_timeout_ms: how soon a cancel of the venue's is noticed is not judged")
    else:
        late = rows[_unnoticed(replayed, rows, allowed, session_end(session))]
        for symbol, mine in work.by_symbol(replayed, _only(replayed, late)):
            found.append(_open(session, replayed, symbol, mine, allowed))
    cause, after = _taken_as_open(replayed, rows)
    behind = dict(zip(after.tolist(), cause.tolist(), strict=True))
    for symbol, mine in work.by_symbol(replayed, _only(replayed, after)):
        found.append(_used(session, replayed, symbol, mine, behind))
    return Looked(len(rows), tuple(found), tuple(notes))


def _only(replayed: Flow, rows: Rows) -> Mask:
    out = np.zeros(len(replayed), dtype=bool)
    out[rows] = True
    return out


def _told_done(replayed: Flow) -> Mask:
    return np.isin(replayed.told, DONE_CODES)


def _noticed(replayed: Flow) -> Rows:
    """Return the next row of each row's order that records it as done, -1 where none does."""
    return replayed.lives.upcoming(_told_done(replayed))


def _unnoticed(replayed: Flow, rows: Rows, allowed: int, end: int) -> Mask:
    """Return which cancels leave their order open in the bot's record for longer than allowed."""
    due = replayed.ts[rows] + allowed
    noticed = _noticed(replayed)[rows]
    is_late = (noticed < 0) | (replayed.ts[noticed] > due)
    is_open = (replayed.told[rows] >= 0) & ~_told_done(replayed)[rows]
    return np.asarray(is_open & (due <= end) & is_late)


def _taken_as_open(replayed: Flow, rows: Rows) -> tuple[Rows, Rows]:
    """Return the cancels after which their order was asked for or recorded as open, no reconcile between, and where."""
    upcoming, was_done = replayed.lives.upcoming, _told_done(replayed)
    asked = upcoming(replayed.is_("cancel_request", "replace_request"))[rows]
    reopened = upcoming((replayed.told >= 0) & ~was_done)[rows]
    reconciled = upcoming(replayed.is_("reconcile"))[rows]
    none = len(replayed)
    asked, reopened, reconciled = (np.where(each >= 0, each, none) for each in (asked, reopened, reconciled))
    first = np.minimum(asked, np.where(was_done[rows] | (replayed.told[rows] < 0), reopened, none))
    is_wrong = first < reconciled
    after, at = np.unique(first[is_wrong], return_index=True)
    return rows[is_wrong][at], after


def _phantom(session: Session, replayed: Flow, rows: list[int]) -> tuple[Fraction | None, str]:
    """Return the most that an order of some rows had left before the cancel, at its price."""
    return work.largest(session, replayed, rows, lambda row: left(replayed, row))


_LOSS = (
    "what the bot counts on and the venue no longer has, at the order's price, where it is most: it quotes and hedges "
    "as if that were there"
)


def _open(session: Session, replayed: Flow, symbol: str, rows: list[int], allowed: int) -> Breach:
    first = rows[0]
    name, state = work.order_name(replayed, first), STATES[replayed.told[first]]
    following = int(_noticed(replayed)[first])
    lines = [*work.story(replayed, [first])]
    if following >= 0:
        later = ms(int(replayed.ts[following] - replayed.ts[first]))
        lines.append(f"{line(replayed, following)}, {later} ms later; {later} > {ms(allowed)}")
    else:
        lines.append(f"no later row has {name} as done")
    amount, currency = _phantom(session, replayed, rows)
    return Breach(
        key=f"{symbol} open", where=places(replayed.table, rows), count=len(rows),
        was=f"{name} of {symbol} stayed {state} after the venue had cancelled it",
        should=f"CANCELED within {ms(allowed)} ms (ack_timeout_ms)", work=tuple(lines), amount=amount,
        currency=currency, loss=_LOSS if amount is not None else "what was left of the orders has no price",
    )  # fmt: skip


def _used(session: Session, replayed: Flow, symbol: str, rows: list[int], behind: dict[int, int]) -> Breach:
    first = rows[0]
    cancel, name, event = behind[first], work.order_name(replayed, first), replayed.table.words("event").text(first)
    later, is_request = ms(int(replayed.ts[first] - replayed.ts[cancel])), event.endswith("_request")
    what = f"a {event} was sent for" if is_request else f"a {event} put back to {STATES[replayed.told[first]]}"
    amount, currency = (None, "") if is_request else _phantom(session, replayed, rows)
    loss = "each is a request for nothing: it uses up the rate limit, and where the order should be nothing is quoted"
    return Breach(
        key=f"{symbol} used", where=(*places(replayed.table, rows[:4]), replayed.table.where(cancel)), count=len(rows),
        was=f"{what} {name} of {symbol} {later} ms after the venue had cancelled it",
        should="nothing: the order is gone, until a reconcile says otherwise",
        work=(line(replayed, cancel), f"{line(replayed, first)}, {later} ms later, no reconcile between"),
        amount=amount, currency=currency, loss=loss if is_request else _LOSS,
    )  # fmt: skip
