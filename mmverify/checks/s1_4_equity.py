"""Section 1.4, equity: the high-water mark is the running maximum moved by transfers, the drawdown a share of it."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Any

import numpy as np

from mmverify.checks import Breach, Looked
from mmverify.checks.claims import Suspects, cause, judge, places
from mmverify.checks.handwork import text
from mmverify.checks.known import Rates, Rows, Timeline, timeline
from mmverify.numeric import Decimals, Ints, Mask, decimal_text
from mmverify.session.load import Session, Table

_ZERO = Fraction(0)


@dataclass(frozen=True, eq=False)
class Moves:
    """Transfers in the currency of the equity.

    Parameters
    ----------
    line : Timeline
        The transfers.
    low, high : list of Fraction
        Sums of the first ones, one more than there are: the least and the most by the rates that were known then.
    unrated : int
        How many have no known rate, and count as nothing.
    """

    line: Timeline
    low: list[Fraction]
    high: list[Fraction]
    unrated: int

    def rise(self, since: int, until: int) -> tuple[Fraction, Fraction]:
        """Return the least and the most that came in between two counts of transfers."""
        if until == since:
            return _ZERO, _ZERO
        return self.low[until] - self.low[since], self.high[until] - self.high[since]


def equity_table(session: Session) -> Table:
    """Read the bot's risk view."""
    return session.table("equity", "ts_local", "equity", "high_water", "drawdown", "currency")


def equity_currency(session: Session) -> str:
    """Return the currency that equity is in: as its rows say, else the session's."""
    names = equity_table(session).words("currency").names
    return names[0] if names else session.currency or ""


@lru_cache(maxsize=8)
def moves(session: Session) -> Moves:
    """Read the transfers of a session, each at the rate known when it came."""
    table = session.table("transfers", "ts_exchange", "ts_local", "asset", "amount")
    line, amount, asset = timeline(session, table), table.decimals("amount"), table.words("asset")
    currency, known = equity_currency(session), Rates.of(session)
    low, high, unrated = [_ZERO], [_ZERO], 0
    for row, at in zip(line.rows.tolist(), line.times.tolist(), strict=True):
        worth = [amount.fraction(row) * rate for rate in known.choices(asset.text(row), currency, at)]
        unrated += not worth
        low.append(low[-1] + min(worth, default=_ZERO))
        high.append(high[-1] + max(worth, default=_ZERO))
    return Moves(line, low, high, unrated)


def _slack(column: Decimals, rows: Rows, digits: int) -> Ints:
    """Return what each claim may be off by, in units of ``10**-digits``."""
    if column.binary:
        return np.ceil(column.tolerances()[rows] * 10.0**digits).astype(np.int64)
    return np.full(len(rows), 10**digits // (2 * 10**column.digits), dtype=np.int64)


@dataclass(frozen=True, eq=False)
class _Marks:
    """The rows that claim equity and high-water mark in order of time, and what each may be off by."""

    table: Table
    rows: Rows
    digits: int
    equity: Ints
    claimed: Ints
    slack: Ints

    def value(self, units: Any) -> Fraction:
        return Fraction(int(units), 10**self.digits)


def _marks(session: Session) -> _Marks:
    table = equity_table(session)
    equity, high = table.decimals("equity"), table.decimals("high_water")
    rows = timeline(session, table, equity.known & high.known).rows
    digits = max(equity.scale, high.scale, equity.digits, high.digits) + 1
    slack = _slack(equity, rows, digits) + 2 * _slack(high, rows, digits)
    return _Marks(table, rows, digits, equity.at_scale(digits)[rows], high.at_scale(digits)[rows], slack)


@dataclass(frozen=True)
class _Mark:
    """A high-water mark that is not the running maximum."""

    place: int
    should: Fraction
    came_in: Fraction


def high_water(session: Session) -> Looked:
    """The high-water mark is the largest equity so far, moved by what was transferred."""
    marks, paid = _marks(session), moves(session)
    notes = (f"{paid.unrated} transfers have no known rate, and count as nothing",) if paid.unrated else ()
    if not len(marks.rows):
        return Looked(0, (), ("no row of equity has a high_water",))
    wrong = _wrong_marks(marks, paid)
    if not wrong:
        return Looked(len(marks.rows) - 1, (), notes)
    first, worst = wrong[0], max(wrong, key=lambda each: _off(marks, each))
    was, currency = marks.value(marks.claimed[first.place]), equity_currency(session)
    return Looked(len(marks.rows) - 1, (
        Breach(
            key="high_water", where=places(marks.table, [int(marks.rows[each.place]) for each in wrong]),
            count=len(wrong), was=f"high_water was {decimal_text(was)} {currency}",
            should=f"{decimal_text(first.should)} {currency}", work=_mark_work(marks, first),
            amount=_off(marks, worst), currency=currency,
            loss="what the mark is off by where it is most: the drawdown is measured from it, so that a limit lets "
            "that much more be lost, or stops the bot for nothing",
            cause=_mark_cause(marks, wrong),
        ),
    ), notes)  # fmt: skip


def _wrong_marks(marks: _Marks, paid: Moves) -> list[_Mark]:
    low, high = paid.line.span(marks.table.whole("ts_local").values[marks.rows])
    kept = np.maximum(marks.equity[1:], marks.claimed[:-1])
    settled = (low == high)[1:] & (low == high)[:-1] & (low[1:] == low[:-1])
    plain = np.append(False, settled & np.asarray(np.abs(marks.claimed[1:] - kept) <= marks.slack[1:]))
    wrong = []
    booked: set[int] = set()  # how many transfers may be in the mark before
    for n in np.flatnonzero(~plain | np.append(~plain[1:], False)).tolist():
        now = set(range(int(low[n]), int(high[n]) + 1))
        claimed, slack = marks.value(marks.claimed[n]), marks.value(marks.slack[n])
        equity = marks.value(marks.equity[n])
        if not n:
            if claimed < equity - slack:
                wrong.append(_Mark(n, equity, _ZERO))
        elif plain[n]:
            pass
        else:
            before = marks.value(marks.claimed[n - 1])
            if plain[n - 1]:
                booked = {int(low[n - 1])}
            fits = set()
            for count in now:
                for then in (then for then in booked if then <= count):
                    least, most = paid.rise(then, count)
                    floor, top = max(equity, before + min(least, most)), max(equity, before + max(least, most))
                    if floor - slack <= claimed <= top + slack:
                        fits.add(count)
            if not fits:
                came_in = paid.rise(min(min(booked), max(now)), max(now))[0]
                wrong.append(_Mark(n, max(equity, before + came_in), came_in))
            now = fits or now
        booked = now
    return wrong


def _off(marks: _Marks, wrong: _Mark) -> Fraction:
    return abs(marks.value(marks.claimed[wrong.place]) - wrong.should)


def _mark_work(marks: _Marks, wrong: _Mark) -> tuple[str, ...]:
    n = wrong.place
    where, equity = marks.table.where(int(marks.rows[n])), text(marks.value(marks.equity[n]))
    if not n:
        return (f"{where}: equity {equity} is above the first high_water, {text(marks.value(marks.claimed[n]))}",)
    before = text(marks.value(marks.claimed[n - 1]))
    moved = f" + {text(wrong.came_in)}" if wrong.came_in else ""
    return (
        f"{marks.table.where(int(marks.rows[n - 1]))}: high_water {before}",
        *((f"transferred between them: {text(wrong.came_in)}",) if wrong.came_in else ()),
        f"{where}: max(equity {equity}, {before}{moved}) = {text(wrong.should)}; claimed "
        f"{text(marks.value(marks.claimed[n]))}",
    )


def _mark_cause(marks: _Marks, wrong: list[_Mark]) -> str:
    def all_are(value: str) -> bool:
        for each in wrong:
            n = each.place
            before = marks.claimed[n - 1] if n else marks.claimed[n] - 1
            candidates = {"kept": before, "equity": marks.equity[n], "unmoved": max(before, marks.equity[n])}
            if not n or abs(int(marks.claimed[n]) - int(candidates[value])) > int(marks.slack[n]):
                return False
        return True

    if all(each.came_in for each in wrong) and all_are("unmoved"):
        return "a transfer was taken for a profit or a loss: the mark did not move with it"
    if all_are("kept"):
        return "a new high did not raise the mark"
    if all_are("equity"):
        return "the mark followed the equity down"
    return ""


def drawdown(session: Session) -> Looked:
    """The drawdown is (high_water - equity) / high_water: a fraction, 0 at each new high."""
    marks = _marks(session)
    column = marks.table.decimals("drawdown")
    claims = column.known[marks.rows] & np.asarray(np.greater(marks.claimed, 0))
    claims &= np.asarray(marks.equity <= marks.claimed + marks.slack)  # above it the mark is what is wrong
    at = np.flatnonzero(claims)
    rows = marks.rows[at]
    if not rows.size:
        return Looked(0, (), ("no row of equity has a drawdown, and a high_water above 0",))
    place = dict(zip(rows.tolist(), at.tolist(), strict=True))
    high, equity = marks.claimed.astype(float), marks.equity.astype(float)

    def exact(row: int) -> list[Fraction]:
        n = place[row]
        return [Fraction(int(marks.claimed[n]) - int(marks.equity[n]), int(marks.claimed[n]))]

    def slack(row: int) -> Fraction:
        return Fraction(2 * int(marks.slack[place[row]]), int(marks.claimed[place[row]]))

    wrong = judge(column, rows, ((high - equity)[at] / high[at]), exact, slack, magnitude=1.0)
    stuck = _stuck(marks, column)[at]
    both = sorted({*(wrong.rows if wrong else ()), *rows[stuck].tolist()}, key=lambda row: place[row])
    if not both:
        return Looked(len(rows))
    suspects: Suspects = (
        ("the distance from the mark was not divided by it", lambda row: [_money(marks, place[row])]),
        ("it is in percent", lambda row: [100 * value for value in exact(row)]),
        ("its sign is turned", lambda row: [-value for value in exact(row)]),
        (
            "the distance from the mark was divided by the equity",
            lambda row: [_money(marks, n) / marks.value(marks.equity[n]) for n in [place[row]] if marks.equity[n]],
        ),
    )
    reason = cause(column, wrong, suspects, slack) if wrong else ""
    reason = reason or ("it stays where it was at a new high" if stuck.any() else "")
    return Looked(len(rows), (_drawdown_breach(session, marks, column, both, place, reason),))


def _stuck(marks: _Marks, column: Decimals) -> Mask:
    """Return which marks are new highs, reached now, with a drawdown that is not 0."""
    new = np.append(False, np.asarray(marks.claimed[1:] > marks.claimed[:-1]))
    at_high = np.asarray(marks.claimed == marks.equity)
    return np.asarray(new & at_high & np.asarray(column.ints[marks.rows] != 0))


def _money(marks: _Marks, n: int) -> Fraction:
    return Fraction(int(marks.claimed[n]) - int(marks.equity[n]), 10**marks.digits)


def _drawdown_breach(
    session: Session, marks: _Marks, column: Decimals, rows: list[int], place: dict[int, int], reason: str
) -> Breach:
    def short(row: int) -> Fraction:
        return _money(marks, place[row]) - column.fraction(row) * marks.value(marks.claimed[place[row]])

    first, worst = rows[0], max(rows, key=short)
    n, was = place[first], column.fraction(first)
    h, e = text(marks.value(marks.claimed[n])), text(marks.value(marks.equity[n]))
    should = _money(marks, n) / marks.value(marks.claimed[n])
    hidden = short(worst) > 0
    return Breach(
        key="drawdown", where=places(marks.table, rows), count=len(rows), was=f"drawdown was {decimal_text(was)}",
        should=decimal_text(should),
        work=(f"{marks.table.where(first)}: ({h} - {e}) / {h} = {text(_money(marks, n))} / {h} = "
              f"{decimal_text(should)}; claimed {decimal_text(was)}",),
        amount=short(worst) if hidden else None, currency=equity_currency(session) if hidden else "",
        loss="what was lost below the mark and does not show in the drawdown, where it is most" if hidden else
        "the drawdown shows too large: a limit on it stops the bot before its time, at no cost that can be known",
        cause=reason,
    )  # fmt: skip
