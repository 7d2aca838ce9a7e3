"""2.3.3: what an order has filled, by its own count and by its distinct fills."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import numpy as np

from mmverify.checks import Breach, Looked, gather
from mmverify.checks import s2_2_work as work
from mmverify.checks.books import fills_table, ledger
from mmverify.checks.claims import places
from mmverify.checks.handwork import text
from mmverify.checks.known import Rows
from mmverify.checks.orderflow import Flow, flow
from mmverify.checks.orderflow_positions import Executions, executions
from mmverify.checks.s2_3_work import counts
from mmverify.numeric import decimal_text, times_power_of_ten
from mmverify.session.load import Session, need_instruments

_SAMPLE = 200  # wrong rows that a cause has to reproduce
_FILLS = 6  # fills of an order that are written out


def counted_fills(session: Session) -> Looked:
    """An order's cum_qty is the sum of its distinct fills."""
    replayed = flow(session)
    need_instruments(session, "order_events", replayed.table.words("symbol"))
    claimed = replayed.table.decimals("cum_qty").known & replayed.is_sent[replayed.lives.life]
    symbols = replayed.table.words("symbol")
    return gather(
        _counted(session, replayed, executions(session, symbol), np.asarray(rows))
        for symbol, rows in work.by_symbol(replayed, claimed & symbols.is_(*fills_table(session).words("symbol").names))
    )


def _counted(session: Session, replayed: Flow, known: Executions, rows: Rows) -> Looked:
    cum, symbol = replayed.table.decimals("cum_qty"), known.instrument.symbol
    scale = max(cum.scale, cum.digits + 1, known.digits)
    claimed, life = cum.at_scale(scale)[rows], replayed.lives.life[rows]
    half = int(cum.tolerance(int(rows[np.argmax(claimed)])) * 10**scale)
    low, high = known.line.span(replayed.ts[rows])
    agrees, filled = np.zeros(len(rows), dtype=bool), np.asarray(claimed != 0)
    for at, count in counts(low, high):
        due = times_power_of_ten(known.filled_by(life[at], count), scale - known.digits)
        agrees[at] |= np.asarray(np.abs(claimed[at] - due) <= half)
        filled[at] |= np.asarray(due != 0)
    if session.settings.get("session", {}).get("fills_from") != "venue":
        filled &= replayed.ts[rows] <= ledger(session, symbol).trusted_until
    off = claimed - times_power_of_ten(known.filled_by(life, high), scale - known.digits)
    wrong, notes = ~agrees, []
    if (unnamed := _unnamed(session, known)) and (left := int(np.sum(wrong & np.asarray(off > 0)))):
        notes.append(f"{symbol}: {unnamed} fills name no order; {left} claims of more than is found are not judged")
        wrong &= ~np.asarray(off > 0)
    at = np.flatnonzero(wrong)
    if not at.size:
        return Looked(int(filled.sum()), (), tuple(notes))
    breach = _breach(session, replayed, known, rows[at], {
        int(row): (Fraction(int(by), 10**scale), int(count))
        for row, by, count in zip(rows[at], off[at], high[at], strict=True)
    })  # fmt: skip
    return Looked(int(filled.sum()), (breach,), tuple(notes))


def _unnamed(session: Session, known: Executions) -> int:
    """Count the reports that name no order at all."""
    table = session.table("fills", "client_order_id", "order_id")
    missing = table.words("client_order_id").missing & table.words("order_id").missing
    return int(missing[known.line.rows].sum())


def _breach(
    session: Session, replayed: Flow, known: Executions, rows: Rows, off: dict[int, tuple[Fraction, int]]
) -> Breach:
    cum, first = replayed.table.decimals("cum_qty"), int(rows[0])
    by, count = off[first]
    was = cum.fraction(first)
    amount, currency = work.largest(session, replayed, rows.tolist(), lambda row: off[row][0])
    return Breach(
        key=known.instrument.symbol, where=places(replayed.table, rows.tolist()), count=len(rows),
        was=f"cum_qty of {work.order_name(replayed, first)} was {decimal_text(was)}", should=decimal_text(was - by),
        work=(*_sum_work(replayed, known, first, count), *work.story(replayed, [first]),
              f"{decimal_text(was)} - {decimal_text(was - by)} = {decimal_text(by)} too "
              f"{'much' if by > 0 else 'little'}"),
        amount=amount, currency=currency,
        loss="the quantity that the order is counted to have filled beside what it filled, at its price, where it is "
        "most: the position, and what is still open, are off by it",
        cause=_cause(replayed, known, off),
    )  # fmt: skip


def _mine(known: Executions, life: int, count: int) -> list[int]:
    """Return the first reports that changed what an order had filled."""
    reports = known.of_life(life)
    return [n for n in reports[reports < count].tolist() if known.filled[n]]


def _sum_work(replayed: Flow, known: Executions, row: int, count: int) -> tuple[str, ...]:
    mine = _mine(known, int(replayed.lives.life[row]), count)
    if not mine:
        return ("no fill of the order had arrived by then",)
    qtys = [known.qty(int(known.filled[n])) for n in mine]
    lines = [f"fills:{int(known.line.rows[n]) + 1}: {text(qty)}" for n, qty in zip(mine, qtys, strict=True)][:_FILLS]
    terms = " + ".join(map(text, qtys)) if len(mine) <= _FILLS else f"{len(mine)} fills"
    return (*lines, f"{terms} = {decimal_text(sum(qtys))}")


def _cause(replayed: Flow, known: Executions, off: dict[int, tuple[Fraction, int]]) -> str:
    """Name the way to count that gives every wrong cum_qty."""
    cum = replayed.table.decimals("cum_qty")
    rows = [*list(off)[:_SAMPLE], list(off)[-1]]

    def sums(row: int, until: int) -> list[Fraction]:
        """Return what the order had filled after each of its reports."""
        out = [Fraction(0)]
        for n in _mine(known, int(replayed.lives.life[row]), until):
            out.append(out[-1] + known.qty(int(known.filled[n])))
        return out

    def added(row: int) -> bool:
        """Say whether what was filled so far was added up at each report as if it were new."""
        so_far = sums(row, off[row][1])
        return off[row][0] > 0 and cum.fraction(row) in (sum(so_far), sum(so_far[:-1]))

    def one(row: int, sign: int) -> bool:
        parts = [after - before for before, after in pairwise(sums(row, off[row][1]))]
        return off[row][0] * sign in parts

    def early(row: int) -> bool:
        return cum.fraction(row) in sums(row, len(known))[len(sums(row, off[row][1])) :]

    for words, explains in (
        ("reports of what is filled so far were added up as if each were new", added),
        ("a report was not added", lambda row: one(row, -1)),
        ("a report was added a second time", lambda row: one(row, 1)),
        ("a fill was counted before `fills` says that it arrived", early),
    ):
        if all(map(explains, rows)):
            return words
    return ""
