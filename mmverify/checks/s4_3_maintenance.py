"""Section 4.3, maintenance: nothing is sent or left resting while the venue is closed (4.3.4)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from mmverify.checks import Breach, Looked
from mmverify.checks.claims import places
from mmverify.checks.moments import moment, session_end
from mmverify.checks.orderflow import flow
from mmverify.checks.s2_2_work import order_name
from mmverify.checks.s5_2_moves import Rested, value
from mmverify.checks.s5_2_outages import given_up, ms, newest, open_orders, order_line, sent, sent_between
from mmverify.session.load import Session, Table

_SHOWN = 2


class Window(NamedTuple):
    """A time in which the venue says that there is no trading: from, and up to without it [ns], as stated."""

    start: int
    end: int
    said: str


def windows(session: Session) -> list[Window]:
    """Return the maintenance windows of session.toml, in its order; those without a start or an end are left out."""
    stated = session.settings.get("maintenance", ())
    return [
        Window(moment(each["start"]), moment(each["end"]), f"{each['start']} to {each['end']}")
        for each in stated
        if {"start", "end"} <= each.keys()
    ]


def maintenance_windows(session: Session) -> Looked:
    """Nothing is sent, and nothing left resting, while the venue is closed for maintenance."""
    replayed, stated = flow(session), windows(session)
    begin, end = int(replayed.ts.min(initial=session_end(session))), session_end(session)
    closed = [window for window in stated if window.start < end and window.end > begin]
    looked = len(sent(session)[0]) if closed else 0
    out, left = list[tuple[Window, int]](), list[tuple[Window, int]]()
    for window in closed:
        out += [(window, row) for row in sent_between(session, window.start, window.end, at_start=True).tolist()]
        before = [life for life in open_orders(session, window.start)
                  if replayed.ts[replayed.lives.first[life]] < window.start]  # fmt: skip
        left += [(window, life) for life in before if _rests(session, life, window.start)]
    notes = () if closed or not stated else ("no maintenance window of session.toml falls into the session",)
    return Looked(looked, (*_sent(session, out), *_left(session, left)),
                  notes if stated else ("session.toml states no maintenance",))  # fmt: skip


def _rests(session: Session, life: int, start: int) -> bool:
    """Say whether an order that is open at a moment has no cancel open, and ended at the venue after it, if at all."""
    replayed = flow(session)
    row = newest(replayed, life, start)
    if replayed.cancel_open[row] or replayed.is_foreign[life]:
        return False
    rows = replayed.lives.rows_of(life)
    ended = rows[(replayed.ts[rows] > start) & replayed.is_done[rows]]
    venue = session.table("order_events", "ts_exchange").whole("ts_exchange")
    return not ended.size or bool(venue.missing[ended[0]]) or int(venue.values[ended[0]]) > start


# --- words ------------------------------------------------------------------------------------------------------------


def _by_symbol(session: Session, found: Sequence[tuple[Window, int]], rows: Sequence[int]) -> dict[str, list[int]]:
    """Return the places of what was found, by the symbol of each row."""
    table: Table = flow(session).table
    groups: dict[str, list[int]] = {}
    for n, row in enumerate(rows):
        groups.setdefault(table.words("symbol").text(row), []).append(n)
    return groups


def _sent(session: Session, out: Sequence[tuple[Window, int]]) -> list[Breach]:
    replayed, found = flow(session), []
    for symbol, chosen in _by_symbol(session, out, [row for _, row in out]).items():
        mine = [out[n] for n in chosen]
        window, row = mine[0]
        lines = [order_line(session, row, window.start, "maintenance began") for window, row in mine[:_SHOWN]]
        found.append(Breach(
            key=f"{symbol} sent", where=places(replayed.table, [row for _, row in mine]), count=len(mine),
            was=f"{order_name(replayed, row)} was sent {ms(int(replayed.ts[row]) - window.start)} ms into maintenance",
            should=f"nothing before its end, {ms(window.end - int(replayed.ts[row]))} ms later",
            work=(f"session.toml maintenance: {window.said}", *lines), amount=None, currency="",
            loss="the venue refuses it, or keeps it for the reopening at an old price; which is not in the session",
        ))  # fmt: skip
    return found


def _left(session: Session, left: Sequence[tuple[Window, int]]) -> list[Breach]:
    replayed, found = flow(session), []
    rows = [newest(replayed, life, window.start) for window, life in left]
    for symbol, chosen in _by_symbol(session, left, rows).items():
        mine = [(*left[n], rows[n]) for n in chosen]
        window, _, row = mine[0]
        ends = [given_up(replayed, life, window.start, session_end(session)) for window, life, _ in mine]
        rested = [Rested(row, window.start, max(window.end, end))
                  for (window, _, row), (end, _) in zip(mine, ends, strict=True)]  # fmt: skip
        valued = value(session, symbol, rested, what="the orders that were left resting")
        lines = [f"session.toml maintenance: {window.said}"]
        for (each, _, at), (_, by) in list(zip(mine, ends, strict=True))[:_SHOWN]:
            lines.append(order_line(session, at, each.start, "maintenance began"))
            lines.append("no row of the session cancels it or ends it" if by is None else
                         order_line(session, by, each.start, "maintenance began"))  # fmt: skip
        found.append(Breach(
            key=f"{symbol} left", where=places(replayed.table, [row for *_, row in mine]), count=len(mine),
            was=f"{order_name(replayed, row)} was left resting into maintenance"
            + (f", one of {len(mine)}" if len(mine) > 1 else ""),
            should="a cancel before it begins", work=(*lines, *valued.work), amount=valued.amount,
            currency=valued.currency, loss=valued.loss,
        ))  # fmt: skip
    return found
