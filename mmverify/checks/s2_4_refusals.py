"""Section 2.4, what refusals leave: an order whose replace is refused has the terms and the state of before."""

from __future__ import annotations

from fractions import Fraction
from typing import NamedTuple

import numpy as np

from mmverify.checks import Breach, Looked
from mmverify.checks import s2_2_work as work
from mmverify.checks.books import instruments
from mmverify.checks.claims import places
from mmverify.checks.handwork import notional
from mmverify.checks.known import Rows
from mmverify.checks.orderflow import Flow, flow
from mmverify.checks.s2_4_work import DONE_CODES, left, line
from mmverify.numeric import decimal_text
from mmverify.replay.order_state import STATES
from mmverify.session.load import Session


def refused_replaces(session: Session) -> Looked:
    """After a replace_reject an order has the price and quantity of before, and is open as before."""
    replayed = flow(session)
    lives, table = replayed.lives, replayed.table
    refusals = replayed.is_("replace_reject") & (lives.previous >= 0)
    after = lives.latest(refusals) > lives.latest(replayed.is_("replace_request", "replace_ack", "reconcile"))
    wrong = np.zeros(len(replayed), dtype=bool)
    for name, at in (("price", replayed.price_at), ("qty", replayed.qty_at)):
        column = table.decimals(name)
        wrong |= after & column.known & (at >= 0) & np.asarray(column.ints != column.ints[at])
    was_done = lives.before(replayed.is_done, False) | np.isin(replayed.told_before, DONE_CODES)
    gone = refusals & np.isin(replayed.told, DONE_CODES) & ~was_done
    stuck = refusals & (replayed.told == STATES.index("PENDING_REPLACE"))
    found = [_terms(session, replayed, symbol, rows) for symbol, rows in work.by_symbol(replayed, wrong)]
    found += [_state(session, replayed, symbol, rows, "gone") for symbol, rows in work.by_symbol(replayed, gone)]
    found += [_state(session, replayed, symbol, rows, "pending") for symbol, rows in work.by_symbol(replayed, stuck)]
    return Looked(int(refusals.sum()), tuple(found))


class _Cell(NamedTuple):
    """A price or quantity after a refusal: as the bot has it, as it is, as it was asked for."""

    name: str
    was: Fraction
    should: Fraction
    asked: Fraction | None


def _cells(replayed: Flow, row: int, requests: dict[str, Rows]) -> list[_Cell]:
    """Return the price and the quantity of a row that are not those in force."""
    out = []
    for name, at in (("price", replayed.price_at), ("qty", replayed.qty_at)):
        column, force, request = replayed.table.decimals(name), int(at[row]), int(requests[name][row])
        if column.known[row] and force >= 0 and column.fraction(row) != column.fraction(force):
            asked = column.fraction(request) if request >= 0 else None
            out.append(_Cell(name, column.fraction(row), column.fraction(force), asked))
    return out


def _terms(session: Session, replayed: Flow, symbol: str, rows: list[int]) -> Breach:
    table, lives = replayed.table, replayed.lives
    asking = replayed.is_("replace_request")
    requests = {name: lives.latest(asking & table.decimals(name).known) for name in ("price", "qty")}
    cells = {row: _cells(replayed, row, requests) for row in rows}
    first = rows[0]
    refusal, request = (int(lives.latest(which)[first]) for which in (replayed.is_("replace_reject"), asking))
    wrong = cells[first]
    sizes = [size for row in rows if (size := _misstated(session, replayed, symbol, row, cells[row])) is not None]
    instrument = instruments(session).get(symbol)
    amount = max(sizes, default=None) or None
    is_as_asked = all(cell.was == cell.asked for each in cells.values() for cell in each)
    return Breach(
        key=f"{symbol} terms", where=places(table, rows), count=len(rows),
        was=f"{work.order_name(replayed, first)} of {symbol} had "
        + " and ".join(f"{cell.name} {decimal_text(cell.was)}" for cell in wrong) + " after a replace_reject",
        should=" and ".join(f"{cell.name} {decimal_text(cell.should)}" for cell in wrong),
        work=tuple(dict.fromkeys(
            line(replayed, row)
            for row in sorted({int(replayed.price_at[first]), int(replayed.qty_at[first]), request, refusal, first})
            if row >= 0
        )),
        amount=amount, currency=instrument.settle if instrument and amount else "",
        loss="by what the worth of the resting order is misstated, where it is most",
        cause="the terms that were asked for were kept though the venue refused them" if is_as_asked else "",
    )  # fmt: skip


def _misstated(session: Session, replayed: Flow, symbol: str, row: int, cells: list[_Cell]) -> Fraction | None:
    """Return by how much a row misstates what its order is worth; None without an instrument, a price or a quantity."""
    instrument = instruments(session).get(symbol)
    at = {"price": int(replayed.price_at[row]), "qty": int(replayed.qty_at[row])}
    if instrument is None or min(at.values()) < 0:
        return None
    real = {name: replayed.table.decimals(name).fraction(place) for name, place in at.items()}
    told = real | {cell.name: cell.was for cell in cells}
    if min(real["price"], told["price"]) <= 0:
        return None
    return abs(notional(instrument, told["price"], told["qty"]) - notional(instrument, real["price"], real["qty"]))


def _state(session: Session, replayed: Flow, symbol: str, rows: list[int], how: str) -> Breach:
    first, lives = rows[0], replayed.lives
    request = int(lives.latest(replayed.is_("replace_request"))[first])
    amount, currency = None, ""
    loss = (
        "an order that waits for an answer that has come is neither replaced nor trusted until something else "
        "moves it; what that costs cannot be known"
    )
    if how == "gone":
        amount, currency = work.largest(session, replayed, rows, lambda row: left(replayed, row))
        loss = "what rests at the venue and the bot takes for gone, at its price, where it is most"
    shown = [row for row in (int(lives.first[lives.life[first]]), request, first) if row >= 0]
    return Breach(
        key=f"{symbol} {how}", where=places(replayed.table, rows), count=len(rows),
        was=f"{work.order_name(replayed, first)} of {symbol} was {STATES[replayed.told[first]]} after a replace_reject",
        should="the state of before the request: a refused replace leaves the order as it was",
        work=tuple(dict.fromkeys(line(replayed, row) for row in shown)), amount=amount, currency=currency, loss=loss,
        cause="the refusal of a replace was taken for the end of the order" if how == "gone" else "",
    )  # fmt: skip
