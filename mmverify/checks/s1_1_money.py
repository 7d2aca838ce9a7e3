"""Sums of money against the exact sums of their parts (1.1.5)."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import numpy as np

from mmverify.checks import Breach, Looked, gather, mistakes
from mmverify.checks.books import FEE_UNIT
from mmverify.checks.claims import (
    Candidates,
    Claims,
    Slack,
    Wrong,
    cause,
    claims_of,
    column_near,
    finer,
    judge_near,
    money_breach,
    nearest,
    pnl_table,
)  # fmt: skip
from mmverify.checks.exact import Near
from mmverify.checks.handwork import fees_work, funding_work, realized_work, total_work
from mmverify.session.load import Session

_DRIFT = Fraction(1, 10**6)  # of the claim: a sum that is off by more has another mistake
_LEAST = Fraction(1, 10**9)  # or of the currency's unit, the larger
_LOSS = "a sum that drifts from its parts grows apart from the account, by no more than this so far"


def money_sums(session: Session) -> Looked:
    """A total is the sum of its parts in the same row, and cumulative money is the exact sum of its payments."""
    looks = list(_totals(session))
    if session.has("fills", "instruments"):
        looks += [Looked(0, (found,)) for found in _drifts(session)]
    return gather(looks)


def _totals(session: Session) -> Iterator[Looked]:
    table = pnl_table(session)
    once = {"realized": 1, "unrealized": 1, "fees": 0 if session.convention("realized") == "net" else -1, "funding": 1}
    columns = {name: table.decimals(name) for name in once}
    total, symbols = table.decimals("total"), table.words("symbol")
    whole = np.logical_and.reduce([total.known, *(column.known for column in columns.values())])

    def summed(times: dict[str, int]) -> Candidates:
        return lambda row: [sum((columns[name].fraction(row) * count for name, count in times.items()), Fraction(0))]

    def in_float32(row: int) -> list[Fraction]:
        return [Fraction(float(sum(np.float32(columns[name].fraction(row)) * n for name, n in once.items())))]

    def slack(row: int) -> Fraction:
        return sum((column.tolerance(row) for column in columns.values()), Fraction(0))

    suspects = [(words, summed(once | other)) for words, other in mistakes.TOTALS.items()]
    suspects.append(("the parts were added in floating point of 24 bits", in_float32))
    for symbol in symbols.names:
        rows = np.flatnonzero(whole & symbols.is_(symbol))
        digits = finer(total)
        guess = Near(np.zeros(len(rows), dtype=np.int64), digits, np.ones(len(rows), dtype=bool), 0)
        for name, count in once.items():
            guess = guess.plus(column_near(columns[name], rows, digits), count)
        room = sum(column.tolerances()[rows] for column in columns.values())
        size = sum(np.abs(columns[name].floats()[rows] * count) for name, count in once.items())
        wrong = judge_near(total, rows, [guess], summed(once), slack, room, magnitude=size)
        found: tuple[Breach, ...] = ()
        if wrong:
            parts = {name: [columns[name].fraction(wrong.first)] for name in once}
            breach = money_breach(
                table, total, wrong, key=symbol, what=f"the total of {symbol}",
                currency=table.words("currency").text(wrong.first) or session.currency or "",
                work=total_work(parts, once, wrong.first_should), reason=cause(total, wrong, suspects, slack),
                loss="profit that the total shows and the parts beside it do not",
            )  # fmt: skip
            found = (breach,)
        yield Looked(len(rows), found)


def _drifts(session: Session) -> Iterator[Breach]:
    for name in ("realized", "fees", "funding"):
        for claims in claims_of(session, name):
            wrong = _drift(claims, name) if claims.symbol != "*" else None
            if wrong:
                work = {"realized": realized_work, "fees": fees_work, "funding": funding_work}[name](claims, wrong)
                yield money_breach(
                    claims.table, claims.column, wrong, key=f"{claims.symbol} {name}",
                    what=f"{name} of {claims.symbol}", currency=claims.currency(wrong.first), work=work, loss=_LOSS,
                    reason="",
                )  # fmt: skip


def _drift(claims: Claims, name: str) -> Wrong | None:
    """Return the claims that are off the exact sum by more than their last digit, yet by no more than drift is."""
    values, slack = _sums(claims, name)
    magnitude, room = np.zeros(len(claims.rows)), np.zeros(len(claims.rows))
    is_net = name == "realized" and claims.session.convention("realized") == "net"
    if claims.native and (name == "fees" or is_net):
        room = claims.book.fee_slack.floats()[claims.latest] / FEE_UNIT
    if name == "funding":
        guess = mistakes.funding_near(claims)
    elif name == "fees":
        guess = claims.near(mistakes.fee_terms, of_lots=False)
    else:
        guess = claims.near(mistakes.net_terms if is_net else mistakes.gross_terms)
        if not is_net and claims.native and not claims.book.opened:
            magnitude = np.maximum.accumulate(np.abs(claims.book.cost_floats))[claims.latest]
    wrong = judge_near(claims.column, claims.rows, [guess], values, slack, room, magnitude=magnitude)
    if not wrong:
        return None
    off = {row: nearest(claims.column, row, values(row)) - claims.column.fraction(row) for row in wrong.rows}
    rows = tuple(row for row, by in off.items() if abs(by) <= max(_DRIFT * abs(claims.column.fraction(row)), _LEAST))
    if not rows:
        return None
    worst = max(rows, key=lambda row: abs(off[row]))
    should = {row: claims.column.fraction(row) + off[row] for row in (rows[0], worst)}
    return Wrong(rows, rows[0], should[rows[0]], worst, should[worst])


def _sums(claims: Claims, name: str) -> tuple[Candidates, Slack]:
    """Return the exact sums that a claim may have, and what it may differ by beyond its own half unit."""
    half_units = claims.candidates(lambda book, n: [Fraction(book.fee_slack[n], FEE_UNIT)], of_lots=False)

    def of_fees(row: int) -> Fraction:
        return max(half_units(row), default=Fraction(0))

    if name == "fees":
        readings = claims.candidates(
            lambda book, n: [book.fees_at(n, reading) for reading in range(len(book.fees))], of_lots=False
        )
        return readings, of_fees
    if name == "funding":
        return mistakes.funding_values(claims, lambda amount: amount), lambda row: Fraction(0)
    if claims.session.convention("realized") == "net":
        return claims.candidates(mistakes.net), of_fees
    return claims.candidates(mistakes.gross), lambda row: Fraction(0)
