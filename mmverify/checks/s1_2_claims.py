"""Section 1.2, claims of position: the sum of the fills, what moves across a partial fill, and what is corrected."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from itertools import product

import numpy as np

from mmverify.checks import Breach, Looked, gather
from mmverify.checks import s1_2_mistakes as mistakes
from mmverify.checks.books import fills_table, trusted_until
from mmverify.checks.handwork import text
from mmverify.checks.known import Rows
from mmverify.checks.orderflow import flow
from mmverify.checks.orderflow_exposure import exposure
from mmverify.checks.orderflow_positions import Break
from mmverify.checks.s1_2_work import (
    NOT_TRADES,
    Told,
    claim_offs,
    claim_places,
    claim_work,
    judged,
    largest,
    order_qty,
    report_line,
    sum_lines,
)  # fmt: skip
from mmverify.numeric import decimal_text
from mmverify.session.load import Session

_SAMPLE = 200  # moves that a cause has to reproduce
_LOSS = "position that the books have and the account has not, or the reverse, at the price of the newest fill"


def _each(session: Session, look: Callable[[Told], Looked]) -> Looked:
    """Look at the claims of every symbol that can be held to the fills."""
    return gather(look(each) if isinstance(each, Told) else Looked(0, (), (each,)) for each in judged(session))


# --- 1.2.1 ------------------------------------------------------------------------------------------------------------
def running_sum(session: Session) -> Looked:
    """Each claim of a position is the running sum of the distinct fills up to it."""
    return _each(session, _sums)


def _sums(told: Told) -> Looked:
    known, held = told.known, told.held
    until = trusted_until(told.session, told.instrument, known.line, known.position.tolist(), 10**known.digits)
    exercised = int(np.sum(held.line.times <= until))
    unconfirmed = len(held.line) - exercised
    after = "come after the last exchange row that agrees with the fills: not counted as exercised"
    notes = (f"{told.symbol}: {unconfirmed} claims of position {after}",) if unconfirmed else ()
    wrong = told.wrong.tolist()
    if not wrong:
        return Looked(exercised, (), notes)
    first = wrong[0]
    count = told.count(first)
    should = told.qty(held.position[count])
    breach = Breach(
        key=told.symbol, where=claim_places(told, wrong, count), count=len(wrong),
        was=f"the position of {told.symbol} was {decimal_text(told.claimed(first))}", should=decimal_text(should),
        work=claim_work(told, first), amount=largest(told, wrong), currency=told.instrument.settle,
        loss=f"{_LOSS}, where it is most", cause=mistakes.of_claims(told, wrong), offs=claim_offs(told, first),
    )  # fmt: skip
    return Looked(exercised, (breach,), notes)


# --- 1.2.3 ------------------------------------------------------------------------------------------------------------
def partial_fills(session: Session) -> Looked:
    """Across a partial fill the position moves by the fill's quantity and its base fee."""
    return _each(session, _partial)


def _partial(told: Told) -> Looked:
    partial, held = _left_open(told), told.held
    later = np.searchsorted(held.line.times, told.known.line.times[partial], side="right")
    exercised = int(np.sum(later < len(held.line)))
    until = np.append(0, np.cumsum(np.isin(np.arange(len(told.known)), partial)))
    found = [each for each in held.breaks() if until[each.until] > until[each.since]]
    found.sort(key=lambda each: each.is_right)
    return Looked(exercised, (_moved_wrongly(told, found, partial),) if found else ())


def _left_open(told: Told) -> Rows:
    """Return the reports of fills after which their order had something left."""
    known, open_orders = told.known, exposure(told.session, told.symbol)
    own = np.flatnonzero((known.life >= 0) & ~known.repeated & ~told.kind(*NOT_TRADES))
    most = np.zeros(len(open_orders.flow.lives), dtype=open_orders.largest.dtype)
    most[open_orders.life] = open_orders.largest  # the newest of each life is the last that is written
    filled = known.filled_by(known.life[own], own + 1) * 10 ** (open_orders.digits - known.digits)
    return np.asarray(own[np.asarray(filled < most[known.life[own]])])


@dataclass(frozen=True)
class _Move:
    """A claim that moved wrongly across partial fills: the reports from `since` up to `until` give the right move."""

    place: int
    since: int
    until: int
    off: int
    partial: tuple[int, ...]


def _move(told: Told, found: Break, partial: Rows) -> _Move:
    """Choose, of the counts of reports that a claim and the one before it may have known, those to tell it by."""
    place, held = found.place, told.held
    start, end = np.searchsorted(partial, (found.since, found.until)).tolist()
    between = partial[start:end].tolist()
    before = int(held.claimed[place - 1] if place else held.position[0])
    counts = product(
        (told.count(place), *reversed(told.counts(place))),
        (told.count(place - 1), *reversed(told.counts(place - 1))) if place else (0,),
    )
    for until, since in counts:
        off = int(held.claimed[place]) - before - int(held.position[until]) + int(held.position[since])
        mine = tuple(n for n in between if since <= n < until)
        if off in found.offs and mine:
            return _Move(place, since, until, off, mine)
    return _Move(place, found.since, found.until, found.offs[0], tuple(between))


def _moved_wrongly(told: Told, found: list[Break], partial: Rows) -> Breach:
    first, held = _move(told, found[0], partial), told.held
    worst = _move(told, max(found, key=lambda each: abs(each.offs[0])), partial)
    wrong = [_move(told, each, partial) for each in found[:_SAMPLE] if not each.is_right]
    before = told.qty(held.claimed[first.place - 1] if first.place else held.position[0])
    now, off, where = told.claimed(first.place), told.qty(first.off), told.where(first.place)
    start = told.where(first.place - 1) if first.place else "before the first claim"
    return Breach(
        key=told.symbol, count=len(found),
        where=(*(told.where(each.place) for each in found[:3]), told.report(first.partial[0])),
        was=f"across a partial fill the position of {told.symbol} moved by {decimal_text(now - before)}",
        should=decimal_text(now - before - off),
        work=(
            f"{start}: {decimal_text(before)}", _order(told, first.partial[0]),
            *sum_lines(told, Fraction(0), first.since, first.until),
            f"{where}: {decimal_text(now)}, so it moved by {text(now)} - {text(before)} = "
            f"{decimal_text(now - before)}: off by {decimal_text(off)}",
        ),
        amount=told.worth(worst.off, worst.until), currency=told.instrument.settle, loss=f"{_LOSS}, where it is most",
        cause=mistakes.of_moves(told, [(each.partial, each.off) for each in wrong])
        if wrong
        else "the claim makes good what was wrong before it",
        offs=claim_offs(told, first.place),
    )  # fmt: skip


def _order(told: Told, n: int) -> str:
    """Say of which order a partial fill is, and how much of it was filled by then."""
    replayed, known = flow(told.session), told.known
    first = int(replayed.lives.first[int(known.life[n])])
    name = replayed.table.words("client_order_id").text(first) or replayed.table.words("order_id").text(first)
    filled = decimal_text(known.qty(int(known.filled_by(known.life[[n]], np.array([n + 1]))[0])))
    of = decimal_text(told.qty(order_qty(told, n)))
    return f"{told.report(n)} is a partial fill of {name}, {replayed.table.where(first)}: {filled} of {of} by then"


# --- 1.2.5 ------------------------------------------------------------------------------------------------------------
def corrections(session: Session) -> Looked:
    """The claim after a correction or a bust is the corrected sum."""
    return _each(session, _corrected)


def _corrected(told: Told) -> Looked:
    line, held = told.known.line, told.held
    restated = np.flatnonzero(told.known.restated)
    next_claim = np.searchsorted(held.line.times, line.times[restated] + line.before, side="right")
    is_told = next_claim < len(held.line)
    restated, next_claim = restated[is_told], next_claim[is_told]
    wrong = [
        (n, place)
        for n, place, is_wrong in zip(
            restated.tolist(), next_claim.tolist(), np.isin(next_claim, told.wrong), strict=True
        )
        if is_wrong
    ]
    if not wrong:
        return Looked(len(restated))
    n, place = wrong[0]
    count = told.count(place)
    fills = fills_table(told.session)
    kind = fills.words("kind").text(int(line.rows[n]))
    claims = [each for _, each in wrong]
    return Looked(len(restated), (
        Breach(
            key=told.symbol,
            where=(*(told.where(each) for each in claims[:3]), told.report(n)), count=len(wrong),
            was=f"after a {kind} the position of {told.symbol} was {decimal_text(told.claimed(place))}",
            should=decimal_text(told.qty(held.position[count])),
            work=(report_line(told, n), *claim_work(told, place)), amount=largest(told, claims),
            currency=told.instrument.settle, loss=f"{_LOSS}, where it is most", cause=_uncorrected(told, wrong),
            offs=claim_offs(told, place),
        ),
    ))  # fmt: skip


def _uncorrected(told: Told, wrong: list[tuple[int, int]]) -> str:
    """Say whether corrections were ignored, or the claims were wrong before they came."""
    slack = told.held.slack
    if all(any(abs(off + int(told.moved[n])) <= slack for off in told.offs(place)) for n, place in wrong):
        return "the correction was not booked"
    wrong_before = [place for _, place in wrong if place and not told.is_right(place - 1)]
    if len(wrong_before) == len(wrong) and all(
        any(abs(old - new) <= 2 * slack for old in told.offs(place - 1) for new in told.offs(place))
        for place in wrong_before
    ):
        return "the position was off by as much before the correction came"
    return mistakes.of_claims(told, [place for _, place in wrong])
