"""Section 2.4, what requests name: an order that was sent, is not done, by its id in force and its symbol."""

from __future__ import annotations

import numpy as np

from mmverify.checks import Breach, Looked
from mmverify.checks import s2_2_work as work
from mmverify.checks.claims import places
from mmverify.checks.known import Rows
from mmverify.checks.orderflow import Flow, flow
from mmverify.checks.orderflow_lives import codes_in
from mmverify.checks.s2_4_work import DONE_CODES, left, line
from mmverify.numeric import Mask
from mmverify.replay.order_state import STATES
from mmverify.session.load import Session

_UNKNOWN, _DONE, _SYMBOL, _REPLACED, _REFUSED = range(1, 6)


def request_targets(session: Session) -> Looked:
    """Every cancel_request and replace_request names an order that was sent, is not done, by its id and symbol."""
    replayed = flow(session)
    requests = np.flatnonzero(replayed.is_("cancel_request", "replace_request"))
    if not requests.size:
        return Looked(0)
    target = _targets(replayed, requests)
    faults = np.zeros(len(replayed), dtype=np.int64)
    faults[requests] = _faults(replayed, requests, target)
    named = dict(zip(requests.tolist(), target.tolist(), strict=True))
    found = [
        _misdirected(session, replayed, symbol, fault, rows, named)
        for fault in np.unique(faults[faults > 0]).tolist()
        for symbol, rows in work.by_symbol(replayed, faults == fault)
    ]
    return Looked(len(requests), tuple(found))


def _named(replayed: Flow, which: Mask, rows: Rows, code: Rows) -> Rows:
    """Return the first of `which` under an id in the life of each row; the length of the table where there is none."""
    ids, life = replayed.table.words("client_order_id"), replayed.lives.life
    size, none = len(ids.dictionary) + 2, len(replayed)
    naming = np.flatnonzero(which & ~ids.missing)
    keys, at = np.unique(life[naming] * size + ids.codes[naming], return_index=True)
    wanted = life[rows] * size + code
    place = np.searchsorted(keys, wanted)
    is_there = np.append(keys, -1)[place] == wanted
    return np.where(is_there, np.append(naming[at], none)[place], none)


def _begun(replayed: Flow, *events: str) -> Mask:
    """Return the first rows of all orders, and the rows of some events."""
    out = replayed.is_(*events)
    out[replayed.lives.first] = True
    return out


def _targets(replayed: Flow, rows: Rows) -> Rows:
    """Return the id that each request is for, as a code of `client_order_id`: -1 where it has none, -2 unheard of."""
    ids = replayed.table.words("client_order_id")
    own = ids.codes[rows].astype(np.int64)
    old = codes_in(replayed.table.words("orig_client_order_id"), ids)[rows]
    is_known = [_named(replayed, _begun(replayed, "replace_request", "replace_ack"), rows, each) < rows
                for each in (own, old)]  # fmt: skip
    by_old = np.where(replayed.is_("replace_request")[rows], old != -1, ~is_known[0] & is_known[1])
    return np.where(by_old, old, own)


def _faults(replayed: Flow, rows: Rows, target: Rows) -> Rows:
    """Say what is wrong with each request, 0 where nothing is."""
    table, lives = replayed.table, replayed.lives
    ids, symbol = table.words("client_order_id").codes, table.words("symbol").codes
    before = lives.previous[rows]
    is_known = _named(replayed, _begun(replayed, "replace_request", "replace_ack"), rows, target) < rows
    was_done = lives.before(replayed.is_done, False) | np.isin(replayed.told_before, DONE_CODES)
    id_at, asked = replayed.id_at[before], replayed.asked[before]
    is_other = (target != np.where(id_at >= 0, ids[id_at], -1)) & (target != np.where(asked >= 0, ids[asked], -1))
    acked = lives.latest(replayed.is_("replace_ack") & ~table.words("client_order_id").missing)[rows]
    is_replaced = _named(replayed, _begun(replayed, "replace_ack"), rows, target) < acked
    is_refused = _named(replayed, replayed.is_("replace_reject"), rows, target) < rows
    faults = (
        (_UNKNOWN, (before < 0) | ((target != -1) & ~is_known)),
        (_DONE, was_done[rows]),
        (_SYMBOL, symbol[lives.first[lives.life[rows]]] != symbol[rows]),
        (_REPLACED, is_other & is_replaced),
        (_REFUSED, is_other & is_refused),
    )
    return np.select([which for _, which in faults], [fault for fault, _ in faults], 0)


def _misdirected(
    session: Session, replayed: Flow, symbol: str, fault: int, rows: list[int], target: dict[int, int]
) -> Breach:
    table, lives, first = replayed.table, replayed.lives, rows[0]
    ids, event, before = table.words("client_order_id"), table.words("event").text(first), int(lives.previous[first])
    name = ids.names[target[first]] if target[first] >= 0 else ""
    name = name or table.words("orig_client_order_id").text(first) or table.words("order_id").text(first)
    amount, currency, cause = None, "", ""
    loss = "each is a request for nothing: it uses up the rate limit, and the answer is an error"
    if fault == _UNKNOWN:
        key, was, should = "unknown", f"{event} was for {name or 'no id'}, which was never submitted", "an id that was"
        loss = "the order that was meant rests on at the venue; which it is cannot be known"
        codes = codes_in(ids, table.words("order_id"))[rows]
        cause = "the venue's order_id stands where the client_order_id belongs" if np.all(codes >= 0) else ""
        lines = [line(replayed, row) for row in rows[:2]]
        lines.append(f"no row before {table.where(first)} is a submit of {name or 'it'}")
    else:
        lines = [line(replayed, row) for at in rows[:2] for row in _behind(replayed, at)]
        state = STATES[replayed.told_before[first]] if replayed.told_before[first] >= 0 else "done"
        home = table.words("symbol").text(int(lives.first[lives.life[first]]))
        now = work.order_name(replayed, before)
        key, was, should = {
            _DONE: ("done", f"{event} was for {name}, which was {state} already", "nothing: the order is done"),
            _SYMBOL: ("symbol", f"{event} of {name} was sent to {symbol}", f"{home}, where the order is"),
            _REPLACED: ("replaced", f"{event} was for {name}, which was replaced", now),
            _REFUSED: ("refused", f"{event} was for {name}, which was refused as a replacement", now),
        }[fault]
        cause = {
            _REPLACED: "the id of before the replace was kept",
            _REFUSED: "the id of the refused replacement was kept",
        }.get(fault, "")
        if fault != _DONE:
            amount, currency = work.largest(
                session, replayed, lives.previous[rows].tolist(), lambda row: left(replayed, row)
            )
            loss = (
                "what is left of the order that was meant, at its price, where it is most: it rests on if the "
                "venue goes by the request"
            )
    return Breach(
        key=f"{symbol} {key}", where=places(table, rows), count=len(rows), was=was, should=should,
        work=tuple(dict.fromkeys(lines)), amount=amount, currency=currency, loss=loss, cause=cause,
    )  # fmt: skip


def _behind(replayed: Flow, row: int) -> list[int]:
    """Return what a request is judged by: its order's first row, its newest answer to a replace, the row before."""
    lives = replayed.lives
    answer = int(lives.latest(replayed.is_("replace_ack", "replace_reject"))[row])
    found = {int(lives.first[lives.life[row]]), answer, int(lives.previous[row]), row}
    return sorted(found - {-1})
